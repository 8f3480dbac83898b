//! The third book's steps that are about derivatives: a graph as a drawing, Newton's method by second derivatives, a narrow
//! valley, the sine differentiated again and again, a gradient within a loss.
//!
//! ```text
//! cargo run --release --example dezero_steps
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, pictures},
    chart::{Chart, Point, figure},
    csv::{column, write_csv},
    field::contours,
};
use gradus::{
    autograd::functional::{grad, hessian},
    prelude::*,
};
use std::{error::Error, path::Path, process::ExitCode};

fn main() -> ExitCode {
    pictures("dezero_steps", "Derivatives of derivatives, after the third book.", run)
}

fn run(out: &Path) -> Outcome {
    let mut figures = Figures::default();

    // Step 26: Goldstein and Price's function as a graph, for `dot -Tsvg`.
    let tape = Tape::new();
    let [x, y] = [tape.var(1.0), tape.var(1.0)];
    let z = goldstein(x, y);
    let dot = z.graph().name(x, "x").name(y, "y").name(z, "z").dot();
    gradus::nn::write_atomically(out.join("dezero_goldstein.dot"), &dot)?;
    let operations = dot.lines().filter(|line| line.contains("shape=box")).count();
    let gradients = z.backward();
    println!(
        "Goldstein and Price at (1, 1): {operations} operations, slopes {} and {}",
        gradients[x], gradients[y]
    );
    figures = figures.put("operations", operations as f64);
    figures = figures.put("goldstein_x", gradients[x].item()).put("goldstein_y", gradients[y].item());

    // Steps 29 and 33: Newton divides the slope by its own slope.
    println!("\nx^4 - 2 x^2 from 2 by Newton's method:");
    let mut at = 2.0;
    for step in 1..=6 {
        let tape = Tape::new();
        let x = tape.var(at);
        let slope = grad(|x| x.powf(4.0) - 2.0 * x.square(), x);
        let curvature = slope.grad(&[x])[0].ok_or("the slope depends on x")?;
        at -= slope.item() / curvature.item();
        println!("  {at:.10}");
        figures = figures.put(format!("newton_{step}"), at);
    }

    // Step 36: y = x^2, and a loss that has y's slope in it, (y')^3 + y.
    let tape = Tape::new();
    let x = tape.var(2.0);
    let y = x.square();
    let slope = y.grad(&[x])[0].ok_or("y depends on x")?;
    let twice = (slope.powf(3.0) + y).backward()[x].item();
    println!("\nA slope within a loss: {twice}");

    draw_sines(out)?;
    let [descent, newton] = valley(out)?;
    let figures = figures.put("double_backprop", twice);
    let figures = figures.put("descent_x", descent[0]).put("descent_y", descent[1]);
    Ok(figures.put("descent_end", newton[0]).put("newton_steps", newton[1]))
}

fn goldstein<'t>(x: Var<'t>, y: Var<'t>) -> Var<'t> {
    let first = 19.0 - 14.0 * x + 3.0 * x.square() - 14.0 * y + 6.0 * x * y + 3.0 * y.square();
    let second = 18.0 - 32.0 * x + 12.0 * x.square() + 48.0 * y - 36.0 * x * y + 27.0 * y.square();
    (1.0 + (x + y + 1.0).square() * first) * (30.0 + (2.0 * x - 3.0 * y).square() * second)
}

/// Step 34: the sine and its first three derivatives, at 200 places at once.
fn draw_sines(out: &Path) -> Result<(), Box<dyn Error>> {
    let tape = Tape::new();
    let x = tape.var(Tensor::linspace(-7.0, 7.0, 200));
    let mut orders = vec![x.sin()];
    for order in 0..3 {
        orders.push(orders[order].sum().grad(&[x])[0].ok_or("a sine depends on x")?);
    }
    let value = |var: &Var<'_>, i: usize| f64::from(var.value().get([i]));
    let rows: Vec<Vec<f64>> =
        (0..200).map(|i| std::iter::once(&x).chain(&orders).map(|var| value(var, i)).collect()).collect();
    write_csv(out.join("dezero_sines.csv"), "x,sin,first,second,third", &rows)?;
    let chart = Chart::new("x", "y").y(-2.6, 1.1).line("sin", column(&rows, 1));
    let chart =
        chart.line("1st", column(&rows, 2)).line("2nd", column(&rows, 3)).line("3rd", column(&rows, 4));
    figure(out.join("dezero_sines.svg"), "The sine and its derivatives", 1, &[chart])
}

/// Step 28: Rosenbrock's valley from (0, 2). Where 10 000 steps down the slope end, and where Newton's steps do.
fn valley(out: &Path) -> Result<[[f64; 2]; 2], Box<dyn Error>> {
    fn rosenbrock<'t>([x, y]: [Var<'t>; 2]) -> Var<'t> {
        100.0 * (y - x.square()).square() + (x - 1.0).square()
    }
    let mut paths = [vec![[0.0f32, 2.0]], vec![[0.0f32, 2.0]]];
    for _ in 0..10_000 {
        let tape = Tape::new();
        let [x, y] = paths[0][paths[0].len() - 1];
        let [dx, dy] = grad(rosenbrock, [tape.var(x), tape.var(y)]);
        paths[0].push([x - 0.001 * dx.item(), y - 0.001 * dy.item()]);
    }
    for _ in 0..8 {
        let tape = Tape::new();
        let [x, y] = paths[1][paths[1].len() - 1];
        let at = [tape.var(x), tape.var(y)];
        let [dx, dy] = grad(rosenbrock, at).map(|slope| slope.item());
        let [[a, b], [c, d]] = hessian(rosenbrock, at).map(|row| row.map(|entry| entry.item()));
        // The step solves H s = slope, by Cramer's rule.
        let det = a * d - b * c;
        paths[1].push([x - (dx * d - b * dy) / det, y - (a * dy - dx * c) / det]);
    }
    let points =
        |path: &[[f32; 2]]| -> Vec<Point> { path.iter().map(|[x, y]| ((*x).into(), (*y).into())).collect() };
    let [descent, newton] = [points(&paths[0]), points(&paths[1])];
    let f = |x: f64, y: f64| (1.0 + 100.0 * (y - x * x).powi(2) + (x - 1.0).powi(2)).log10();
    let levels: Vec<f64> = (1..8).map(|k| 0.45 * f64::from(k)).collect();
    let thin = contours(f, (-1.0, 2.0), (-1.0, 4.5), 90, &levels);
    println!("\nRosenbrock's valley from (0, 2), whose lowest point is (1, 1):");
    println!("  down the slope, after 999 and after 9999 steps: {:?}, {:?}", paths[0][999], paths[0][9999]);
    println!("  by Newton's method: {:?}", &paths[1][1..]);
    let rows = |k: f64, path: &[Point]| -> Vec<[f64; 3]> { path.iter().map(|(x, y)| [k, *x, *y]).collect() };
    let all = [rows(0.0, &descent), rows(1.0, &newton)].concat();
    write_csv(out.join("dezero_valley.csv"), "newton,x,y", &all)?;
    let steps = newton.iter().take_while(|(x, y)| (x - 1.0).abs().max((y - 1.0).abs()) > 1e-6).count();
    let chart = Chart::new("x", "y").x(-1.0, 2.0).y(-1.0, 4.5).thin(thin);
    let chart = chart.line("10 000 steps down the slope", descent.clone()).line("Newton", newton.clone());
    figure(out.join("dezero_valley.svg"), "Rosenbrock's valley", 1, &[chart.dots("", newton)])?;
    Ok([[descent[999].0, descent[999].1], [descent[9999].0, steps as f64]])
}
