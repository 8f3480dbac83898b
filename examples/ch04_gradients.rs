//! Chapter 4 of the book: numerical differentiation, gradients and the gradient method, in f64 as the book has it.
//!
//! ```text
//! cargo run --example ch04_gradients
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    args::Args,
    csv::write_csv,
    curves::{Panel, curves},
};
use std::{error::Error, fs, io::Write as _, path::Path, process::ExitCode};

/// The book's step: large enough that rounding does not spoil the difference.
const H: f64 = 1e-4;

/// The central difference (f(x + h) - f(x - h)) / 2h.
fn numerical_diff(f: impl Fn(f64) -> f64, x: f64) -> f64 {
    (f(x + H) - f(x - H)) / (2.0 * H)
}

/// One central difference for each coordinate; the others stay where they are.
fn numerical_gradient(f: impl Fn([f64; 2]) -> f64, x: [f64; 2]) -> [f64; 2] {
    [numerical_diff(|v| f([v, x[1]]), x[0]), numerical_diff(|v| f([x[0], v]), x[1])]
}

/// The gradient method x <- x - lr * gradient: every point it visits, the start included.
fn gradient_descent(f: impl Fn([f64; 2]) -> f64, start: [f64; 2], lr: f64, steps: usize) -> Vec<[f64; 2]> {
    let mut path = vec![start];
    for _ in 0..steps {
        let x = path[path.len() - 1];
        let gradient = numerical_gradient(&f, x);
        path.push([x[0] - lr * gradient[0], x[1] - lr * gradient[1]]);
    }
    path
}

/// The book's function_1, a curve.
fn function_1(x: f64) -> f64 {
    0.01 * x * x + 0.1 * x
}

/// The book's function_2, a bowl.
fn function_2(x: [f64; 2]) -> f64 {
    x[0] * x[0] + x[1] * x[1]
}

fn main() -> ExitCode {
    let mut out = String::from("target/book");
    Args::new("Numerical differentiation and the gradient method, after chapter 4 of the book.")
        .option("out", &mut out, .., "directory for the pictures and their data")
        .parse();
    match run(Path::new(&out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed stderr is no reason to panic on the way out.
            let _ = writeln!(std::io::stderr(), "ch04_gradients: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(out: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;

    println!("Slopes of 0.01 x^2 + 0.1 x, which are 0.02 x + 0.1:");
    let [at_5, at_10] = [5.0, 10.0].map(|x| numerical_diff(function_1, x));
    println!("  at  5: {at_5}\n  at 10: {at_10}");
    let tangent = |x: f64| function_1(5.0) + at_5 * (x - 5.0);
    let rows: Vec<[f64; 3]> =
        (0..200).map(|i| f64::from(i) / 10.0).map(|x| [x, function_1(x), tangent(x)]).collect();
    write_csv(out.join("ch04_tangent.csv"), ["x", "f", "tangent"], &rows)?;
    let line = |k: usize| rows.iter().map(|row| (row[0], row[k])).collect();
    let lines = vec![("f(x)", line(1)), ("tangent at 5", line(2))];
    curves(
        out.join("ch04_tangent.svg"),
        "A curve and its tangent line",
        &[Panel { along: "x", quantity: "f(x)", lines }],
    )?;

    println!("\nGradients of x0^2 + x1^2, which are (2 x0, 2 x1):");
    for x in [[3.0, 4.0], [0.0, 2.0], [3.0, 0.0]] {
        println!("  at {x:?}: {:?}", numerical_gradient(function_2, x));
    }

    println!("\nThe gradient method from (-3, 4):");
    let start = [-3.0, 4.0];
    let path = gradient_descent(function_2, start, 0.1, 20);
    let end = path[20];
    let too_large = gradient_descent(function_2, start, 10.0, 100)[100];
    let too_small = gradient_descent(function_2, start, 1e-10, 100)[100];
    println!("  lr 0.1, 20 steps: {end:?}");
    println!("  lr 10, 100 steps: {too_large:?}, it diverges");
    println!("  lr 1e-10, 100 steps: {too_small:?}, it stays");
    write_csv(out.join("ch04_path.csv"), ["x0", "x1"], &path)?;
    let steps = |k: usize| path.iter().enumerate().map(|(i, x)| (i as f64, x[k])).collect();
    let lines = vec![("x0", steps(0)), ("x1", steps(1))];
    curves(
        out.join("ch04_path.svg"),
        "The gradient method, lr 0.1",
        &[Panel { along: "step", quantity: "coordinate", lines }],
    )?;

    println!(
        "\nok ch04_gradients slope_5={at_5} slope_10={at_10} end_0={} end_1={} large_0={} large_1={} small_0={} small_1={}",
        end[0], end[1], too_large[0], too_large[1], too_small[0], too_small[1]
    );
    Ok(())
}
