//! Chapter 6 of the book: how initial weights spread activations through five layers, and whether a net learns from them.
//!
//! ```text
//! cargo run --release --example ch06_initializers
//! cargo run --release --example ch06_initializers -- --data path/to/mnist --full
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, Setup, training},
    chart::{Chart, figure},
    csv::{column, write_csv},
    learning::{accuracy, smooth_curve, train},
    nets::{Extras, multi_layer_net},
};
use gradus::{
    nn::{init::Fan, train::Statistics},
    prelude::*,
};
use std::process::ExitCode;

/// The book's four scales, with names for titles and for keys. Its "Xavier" has variance 1 / n.
const SCALES: [(&str, &str, Init); 4] = [
    ("std 1", "1", Init::Normal(1.0)),
    ("std 0.01", "001", Init::Normal(0.01)),
    ("Xavier", "xavier", Init::ScaledNormal(Fan::In, 1.0)),
    ("He", "he", Init::KaimingNormal),
];
const BINS: usize = 30;

type Function = fn(&Tensor) -> Tensor;

fn main() -> ExitCode {
    training("ch06_initializers", "Initial weights and what comes of them, after chapter 6 of the book.", run)
}

fn run(setup: &Setup) -> Outcome {
    let mut figures = Figures::default();
    println!("Standard deviations of the activations of five layers, 1000 examples of 100 numbers:");
    let functions: [(&str, Function); 3] =
        [("sigmoid", |x| x.sigmoid()), ("tanh", |x| x.tanh()), ("relu", |x| x.relu())];
    for (name, function) in functions {
        figures = histograms(setup, name, function, figures)?;
    }
    figures = figures.put("equal_rows_apart", symmetry());
    comparison(setup, figures)
}

/// The activations of five layers of 100 units without biases, from each scale.
fn histograms(setup: &Setup, name: &str, function: Function, mut figures: Figures) -> Outcome {
    let (mut rows, mut charts) = (Vec::new(), Vec::new());
    for (scale, (title, key, init)) in SCALES.into_iter().enumerate() {
        let mut rng = Rng::seed(0);
        let mut x = Tensor::randn([1000, 100], &mut rng);
        let mut stds = Vec::new();
        for layer in 1..=5 {
            x = function(&x.matmul(&init.weight([100, 100], &mut rng).t()));
            let found = Statistics::of(&x);
            let (low, high) = match name {
                "sigmoid" => (0.0, 1.0),
                "tanh" => (-1.0, 1.0),
                _ => (0.0, found.max.max(1e-12)),
            };
            let width = f64::from(high - low) / BINS as f64;
            let counts = Statistics::histogram(&x, BINS, low, high);
            let bars: Vec<(f64, f64)> = counts
                .iter()
                .enumerate()
                .map(|(i, n)| (f64::from(low) + width * i as f64, *n as f64))
                .collect();
            rows.extend(bars.iter().map(|(at, n)| [scale as f64, layer as f64, *at, *n]));
            let title = format!("{title}, layer {layer}");
            charts.push(
                Chart::new("activation", "count").title(title).x(low.into(), high.into()).bars(width, bars),
            );
            stds.push(found.std);
        }
        let list: Vec<String> = stds.iter().map(|std| format!("{std:9.3e}")).collect();
        println!("  {name:7} {title:8} {}", list.join(" "));
        figures =
            figures.put(format!("{name}_{key}_std_1"), stds[0]).put(format!("{name}_{key}_std_5"), stds[4]);
        if name == "sigmoid" {
            figures = figures.put(format!("saturated_{key}"), Statistics::saturated(&x, 0.0, 1.0, 0.1));
        }
    }
    write_csv(setup.out.join(format!("ch06_activations_{name}.csv")), "scale,layer,activation,count", &rows)?;
    let file = setup.out.join(format!("ch06_activations_{name}.svg"));
    figure(file, &format!("Activations of five layers, {name}"), 5, &charts)?;
    Ok(figures)
}

/// Why weights must not start equal: hidden units that start as one stay one, here for 100 steps of XOR.
fn symmetry() -> f64 {
    let rng = &mut Rng::seed(0);
    let half = Init::Constant(0.5);
    let mut net = Sequential::new()
        .push(Linear::with_init(2, 4, half, rng))
        .push(Sigmoid)
        .push(Linear::with_init(4, 10, half, rng));
    let xor = data::Dataset::new(
        Tensor::from([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
        Indices::from([0, 1, 1, 0]),
    );
    train(&mut net, &mut Sgd::new(0.1), &xor, 4, 100, |_, _, _| {});
    let weight = net.params()[0].1.value().clone();
    let moved = (&weight - 0.5).abs().max().item();
    let apart = (0..4)
        .map(|row| (weight.select(0, row) - weight.select(0, 0)).abs().max().item())
        .fold(0.0, f32::max);
    println!("\nFour hidden units with equal weights, after 100 steps: moved by {moved:.3}, {apart} apart");
    apart.into()
}

/// Four hidden layers with ReLU, SGD 0.01, batches of 128.
fn comparison(setup: &Setup, mut figures: Figures) -> Outcome {
    let (data, test) = setup.flat()?;
    let steps = if setup.full { 2000 } else { 500 };
    println!("\n{steps} steps of SGD on {}:", setup.source());
    let mut rows: Vec<Vec<f64>> = (1..=steps).map(|step| vec![step as f64]).collect();
    let mut chart = Chart::new("step", "loss, smoothed").y(0.0, 3.6);
    for (k, (title, key, init)) in SCALES.into_iter().enumerate().skip(1) {
        let inputs = data.inputs().size(1);
        let mut net = multi_layer_net(inputs, &[100; 4], init, Extras::default(), &mut Rng::seed(2));
        let mut losses = Vec::new();
        train(&mut net, &mut Sgd::new(0.01), &data, 128, steps, |_, loss, _| losses.push(loss));
        let last = losses[steps - 20..].iter().sum::<f64>() / 20.0;
        let found = accuracy(&net, &test);
        println!("  {title:8} loss of the last 20 batches {last:.4}, test accuracy {found:.4}");
        figures = figures.put(format!("loss_{key}"), last).put(format!("test_{key}"), found);
        rows.iter_mut().zip(smooth_curve(&losses)).for_each(|(row, loss)| row.push(loss));
        chart = chart.line(title, column(&rows, k));
    }
    write_csv(setup.out.join("ch06_initializers.csv"), "step,std_0.01,xavier,he", &rows)?;
    figure(
        setup.out.join("ch06_initializers.svg"),
        &format!("Initial weights and SGD on {}", setup.source()),
        1,
        &[chart],
    )?;
    Ok(figures)
}
