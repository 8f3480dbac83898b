//! Chapter 6 of the book: the paths of four optimizers on x²/20 + y², and how fast they train a net.
//!
//! ```text
//! cargo run --release --example ch06_optimizers
//! cargo run --release --example ch06_optimizers -- --data path/to/mnist --full
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, Setup, training},
    chart::{Chart, figure},
    csv::{column, write_csv},
    field::contours,
    learning::{accuracy, smooth_curve, train},
    nets::{Extras, multi_layer_net},
};
use gradus::prelude::*;
use std::process::ExitCode;

fn main() -> ExitCode {
    training("ch06_optimizers", "Optimizers on a function and on a net, after chapter 6 of the book.", run)
}

fn run(setup: &Setup) -> Outcome {
    let figures = paths(setup, Figures::default())?;
    comparison(setup, figures)
}

/// Thirty steps from (-7, 2), the start included.
fn path(mut optimizer: impl Optimizer) -> Vec<[f64; 2]> {
    let (mut point, mut tape) = (Param::new([-7.0, 2.0]), Tape::new());
    let scale = Tensor::from([1.0 / 20.0, 1.0]);
    let at = |point: &Param| [0, 1].map(|i| point.value().get([i]).into());
    let mut visited = vec![at(&point)];
    for _ in 0..30 {
        let (_, gradients, ()) =
            tape.step(|tape| ((tape.param(&point).square() * tape.constant(&scale)).sum(), ()));
        optimizer.step(&mut point, &gradients);
        visited.push(at(&point));
    }
    visited
}

/// The book's learning rates: each optimizer its own.
fn paths(setup: &Setup, mut figures: Figures) -> Outcome {
    let all = [
        ("SGD", path(Sgd::new(0.95))),
        ("Momentum", path(Sgd::new(0.1).momentum(0.9))),
        ("AdaGrad", path(AdaGrad::new(1.5))),
        ("Adam", path(Adam::new(0.3).book_epsilon())),
    ];
    let levels: Vec<f64> = (1..9).map(|k| 0.5 * f64::from(k)).collect();
    let f = |x: f64, y: f64| x * x / 20.0 + y * y;
    let (mut rows, mut charts) = (Vec::new(), Vec::new());
    println!("Thirty steps on x²/20 + y² from (-7, 2) end at");
    for (k, (name, path)) in all.iter().enumerate() {
        let [x, y] = path[30];
        println!("  {name:9} ({x:.7}, {y:.7})");
        let key = name.to_lowercase();
        figures = figures.put(format!("{key}_x"), x).put(format!("{key}_y"), y);
        rows.extend(path.iter().enumerate().map(|(step, [x, y])| [k as f64, step as f64, *x, *y]));
        charts.push(
            Chart::new("x", "y")
                .title(*name)
                .x(-9.0, 5.0)
                .y(-4.0, 4.0)
                .thin(contours(f, (-9.0, 5.0), (-4.0, 4.0), 60, &levels))
                .line("", column(path, 1)),
        );
    }
    write_csv(setup.out.join("ch06_paths.csv"), "optimizer,step,x,y", &rows)?;
    figure(setup.out.join("ch06_paths.svg"), "Thirty steps on x²/20 + y²", 2, &charts)?;
    Ok(figures)
}

/// Four hidden layers from He's initial weights, batches of 128.
fn comparison(setup: &Setup, mut figures: Figures) -> Outcome {
    let (data, test) = setup.flat()?;
    let steps = if setup.full {
        2000
    } else if setup.is_mnist() {
        500
    } else {
        300
    };
    println!("\n{steps} steps of a net with four hidden layers on {}:", setup.source());
    let mut losses: Vec<Vec<f64>> = Vec::new();
    let mut run = |name: &str, optimizer: &mut dyn FnMut(&mut Sequential, &mut Vec<f64>)| {
        let inputs = data.inputs().size(1);
        let mut net =
            multi_layer_net(inputs, &[100; 4], Init::KaimingNormal, Extras::default(), &mut Rng::seed(2));
        let mut curve = Vec::new();
        optimizer(&mut net, &mut curve);
        let found = accuracy(&net, &test);
        let last = curve[curve.len() - 20..].iter().sum::<f64>() / 20.0;
        println!("  {name:9} loss of the last 20 batches {last:.4}, test accuracy {found:.4}");
        losses.push(curve);
        found
    };
    macro_rules! with {
        ($name:literal, $optimizer:expr) => {
            figures = figures.put(
                concat!("test_", $name),
                run($name, &mut |net, curve| {
                    train(net, &mut $optimizer, &data, 128, steps, |_, loss, _| curve.push(loss));
                }),
            );
        };
    }
    with!("sgd", Sgd::new(0.01));
    with!("momentum", Sgd::new(0.01).momentum(0.9));
    with!("adagrad", AdaGrad::new(0.01));
    with!("adam", Adam::new(0.001));
    with!("nesterov", Sgd::new(0.01).nesterov(0.9));
    with!("rmsprop", RmsProp::new(0.01));
    let smooth: Vec<Vec<f64>> = losses.iter().map(|curve| smooth_curve(curve)).collect();
    let rows: Vec<Vec<f64>> = (0..steps)
        .map(|i| [i as f64 + 1.0].into_iter().chain(smooth.iter().map(|curve| curve[i])).collect())
        .collect();
    let names = "step,sgd,momentum,adagrad,adam,nesterov,rmsprop";
    write_csv(setup.out.join("ch06_optimizers.csv"), names, &rows)?;
    let chart = (names.split(',').zip(0..).skip(1).take(4))
        .fold(Chart::new("step", "loss, smoothed").y(0.0, 1.5), |chart, (name, k)| {
            chart.line(name, column(&rows, k))
        });
    figure(setup.out.join("ch06_optimizers.svg"), &format!("Optimizers on {}", setup.source()), 1, &[chart])?;
    Ok(figures)
}
