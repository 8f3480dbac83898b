//! Two places where a gradient says nothing: weights that start equal, and saddle points; and how optimizers leave a saddle.
//!
//! ```text
//! cargo run --release --example symmetry_and_saddles
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, pictures},
    chart::{Chart, figure},
    csv::{column, write_csv},
    field::contours,
};
use gradus::{autograd::Gradients, prelude::*};
use std::{path::Path, process::ExitCode};

const STEPS: usize = 100;

fn main() -> ExitCode {
    pictures("symmetry_and_saddles", "Equal weights stay equal; saddle points, and the ways past them.", run)
}

fn run(out: &Path) -> Outcome {
    let figures = symmetry(Figures::default());
    saddle(out, figures)
}

/// XOR by a 2-4-1 net whose weights start at 0, all at one number, and at random: how far its hidden units get apart.
fn symmetry(mut figures: Figures) -> Figures {
    let x = Tensor::from([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]);
    let targets = Tensor::from([[0.0], [1.0], [1.0], [0.0]]);
    println!("XOR by four hidden units, 500 steps of Adam: how far apart they are then, and the loss");
    for (name, init) in
        [("zero", Init::Constant(0.0)), ("equal", Init::Constant(0.5)), ("random", Init::Normal(1.0))]
    {
        let rng = &mut Rng::seed(0);
        let mut net = vec![Linear::with_init(2, 4, init, rng), Linear::with_init(4, 1, init, rng)];
        let (mut adam, mut tape) = (Adam::new(0.05), Tape::training(0));
        let mut last = f32::NAN;
        for step in 0..500 {
            let (loss, gradients, ()) = tape.step(|tape| {
                let z = net[1].forward(net[0].forward(tape.constant(&x)).sigmoid());
                (z.binary_cross_entropy_with_logits(&tape.constant(&targets)), ())
            });
            if step == 0 && name == "zero" {
                // Nothing flows back through weights of 0, and what comes forward is the same for every input.
                figures = figures.put("zero_gradient", largest(&gradients, &net));
            }
            adam.step(&mut net, &gradients);
            last = loss;
        }
        let weight = net[0].weight.value();
        let apart = (weight - weight.slice(0, 0..1)).abs().max().item();
        println!("  {name:6} {apart:8.4} {last:.4}");
        figures = figures.put(format!("{name}_apart"), apart).put(format!("{name}_loss"), last);
    }
    figures
}

fn largest(gradients: &Gradients, net: &Vec<Linear>) -> f32 {
    net.params().iter().map(|(_, param)| gradients[*param].abs().max().item()).fold(0.0, f32::max)
}

/// f(x, y) = x² / 2 - y² / 2 + y⁴ / 4: a saddle at (0, 0) between minima at (0, 1) and (0, -1).
fn f<V: Value>(point: &V) -> V {
    let (x, y) = (point.select(0, 0), point.select(0, 1));
    x.square() * 0.5 - y.square() * 0.5 + y.square().square() * 0.25
}

/// The points visited from (-1.5, 0.001), just beside the line that leads into the saddle.
fn path(mut optimizer: impl Optimizer, y: f32) -> Vec<[f64; 2]> {
    let (mut point, mut tape) = (Param::new([-1.5, y]), Tape::training(0));
    let mut visited = Vec::new();
    for _ in 0..=STEPS {
        visited.push([0, 1].map(|i| point.value().get([i]).into()));
        let (_, gradients, ()) = tape.step(|tape| (f(&tape.param(&point)), ()));
        optimizer.step(&mut point, &gradients);
    }
    visited
}

fn saddle(out: &Path, mut figures: Figures) -> Outcome {
    let paths = [
        ("SGD", path(Sgd::new(0.1), 1e-3)),
        ("Momentum", path(Sgd::new(0.1).momentum(0.9), 1e-3)),
        ("AdaGrad", path(AdaGrad::new(0.1), 1e-3)),
        ("RMSprop", path(RmsProp::new(0.1), 1e-3)),
        ("Adam", path(Adam::new(0.1), 1e-3)),
    ];
    // On the line itself there is no gradient that leads away.
    let stuck = path(Sgd::new(0.1), 0.0)[STEPS];
    println!(
        "\nSGD from the very line ends at ({:.4}, {}); from beside it, steps until y is beyond 1/2:",
        stuck[0], stuck[1]
    );
    let value = |x: f64, y: f64| 0.5 * x * x - 0.5 * y * y + 0.25 * y.powi(4);
    let levels: Vec<f64> = (0..12).map(|k| -0.2 + 0.1 * f64::from(k)).collect();
    let lines = contours(value, (-2.0, 1.0), (-0.5, 1.5), 60, &levels);
    let mut map = Chart::new("x", "y").x(-2.0, 1.0).y(-0.5, 1.5).thin(lines);
    let mut descent = Chart::new("step", "f");
    let mut rows: Vec<Vec<f64>> = (0..=STEPS).map(|step| vec![step as f64]).collect();
    for (name, path) in &paths {
        let escaped = path.iter().position(|[_, y]| *y > 0.5).unwrap_or(STEPS + 1);
        println!("  {name:9} {escaped}");
        figures = figures.put(format!("escape_{}", name.to_lowercase()), escaped as f64);
        rows.iter_mut().zip(path).for_each(|(row, [x, y])| row.extend([*x, *y, value(*x, *y)]));
        map = map.line("", column(path, 1));
        descent = descent.line(name, column(&rows, rows[0].len() - 1));
    }
    let names: String = paths.iter().map(|(name, _)| format!(",{name}_x,{name}_y,{name}_f")).collect();
    write_csv(out.join("symmetry_and_saddles.csv"), &format!("step{names}"), &rows)?;
    figure(out.join("symmetry_and_saddles.svg"), "Past a saddle point at (0, 0)", 2, &[map, descent])?;
    Ok(figures.put("stuck_x", stuck[0]).put("stuck_y", stuck[1]))
}
