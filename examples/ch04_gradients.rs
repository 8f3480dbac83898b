//! Chapter 4 of the book: numerical differentiation, gradients and the gradient method, in f64 as the book has it.
//!
//! ```text
//! cargo run --example ch04_gradients
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, pictures},
    chart::{Chart, figure},
    csv::{column, write_csv},
    field::{contours, surface},
};
use std::{path::Path, process::ExitCode};

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
    pictures(
        "ch04_gradients",
        "Numerical differentiation and the gradient method, after chapter 4 of the book.",
        run,
    )
}

fn run(out: &Path) -> Outcome {
    println!("Slopes of 0.01 x^2 + 0.1 x, which are 0.02 x + 0.1:");
    let [at_5, at_10] = [5.0, 10.0].map(|x| numerical_diff(function_1, x));
    println!("  at  5: {at_5}\n  at 10: {at_10}");
    let tangent = |x: f64| function_1(5.0) + at_5 * (x - 5.0);
    let rows: Vec<[f64; 3]> =
        (0..200).map(|i| f64::from(i) / 10.0).map(|x| [x, function_1(x), tangent(x)]).collect();
    write_csv(out.join("ch04_tangent.csv"), "x,f,tangent", &rows)?;
    let chart = Chart::new("x", "f(x)").line("f(x)", column(&rows, 1)).line("tangent at 5", column(&rows, 2));
    figure(out.join("ch04_tangent.svg"), "A curve and its tangent line", 1, &[chart])?;

    println!("\nGradients of x0^2 + x1^2, which are (2 x0, 2 x1):");
    for x in [[3.0, 4.0], [0.0, 2.0], [3.0, 0.0]] {
        println!("  at {x:?}: {:?}", numerical_gradient(function_2, x));
    }
    surface(out.join("ch04_surface.svg"), "f(x0, x1) = x0² + x1²", |x, y| function_2([x, y]), 3.0, 24)?;
    // The negative gradient, in which the function falls fastest, on the book's grid.
    let grid = || (0..18).map(|i| -2.0 + 0.25 * f64::from(i));
    let field: Vec<[f64; 4]> = grid()
        .flat_map(|x0| grid().map(move |x1| [x0, x1]))
        .map(|x| (x, numerical_gradient(function_2, x)))
        .map(|([x0, x1], [g0, g1])| [x0, x1, -g0, -g1])
        .collect();
    write_csv(out.join("ch04_field.csv"), "x0,x1,-g0,-g1", &field)?;
    // Drawn at a twentieth of their length, which does not run into the next one.
    let arrows = field.iter().map(|[x0, x1, d0, d1]| ((*x0, *x1), (d0 / 20.0, d1 / 20.0))).collect();
    let chart = Chart::new("x0", "x1").x(-2.2, 2.5).y(-2.2, 2.5).equal().arrows(arrows);
    figure(out.join("ch04_field.svg"), "The negative gradient of x0² + x1²", 1, &[chart])?;

    println!("\nThe gradient method from (-3, 4):");
    let start = [-3.0, 4.0];
    let path = gradient_descent(function_2, start, 0.1, 20);
    let end = path[20];
    let too_large = gradient_descent(function_2, start, 10.0, 100)[100];
    let too_small = gradient_descent(function_2, start, 1e-10, 100)[100];
    println!("  lr 0.1, 20 steps: {end:?}");
    println!("  lr 10, 100 steps: {too_large:?}, it diverges");
    println!("  lr 1e-10, 100 steps: {too_small:?}, it stays");
    write_csv(out.join("ch04_path.csv"), "x0,x1", &path)?;
    let levels = [1.0, 4.0, 9.0, 16.0];
    let rings = contours(|x, y| function_2([x, y]), (-4.5, 4.5), (-4.5, 4.5), 60, &levels);
    let chart = Chart::new("x0", "x1").x(-4.5, 4.5).y(-4.5, 4.5).equal();
    let chart = chart.thin(rings).dots("", column(&path, 1));
    figure(out.join("ch04_path.svg"), "The gradient method, lr 0.1", 1, &[chart])?;

    Ok(Figures::default()
        .put("slope_5", at_5)
        .put("slope_10", at_10)
        .put("end_0", end[0])
        .put("end_1", end[1])
        .put("large_0", too_large[0])
        .put("large_1", too_large[1])
        .put("small_0", too_small[0])
        .put("small_1", too_small[1]))
}
