//! The exercise of A. Ng's course: a net with one hidden layer, its parameters unrolled into one vector, a cost whose penalty
//! spares the biases, gradients checked once, and a minimiser of vectors. Before it logistic regression, its smallest case.
//!
//! ```text
//! cargo run --release --example ng_exercise
//! cargo run --release --example ng_exercise -- --data path/to/mnist --full
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, Setup, training},
    by_hand::bias_units,
    chart::{Chart, figure},
    csv::{column, write_csv},
    learning::accuracy,
};
use gradus::{
    nn::{data::Dataset, flatten, flatten_gradients, gradcheck_model, optim::Lbfgs, unflatten},
    prelude::*,
};
use std::{error::Error, process::ExitCode};

/// The exercise's: initial weights are uniform within 0.12, and λ is 1.
const SMALL: Init = Init::Uniform(0.12);
const LAMBDA: f32 = 1.0;

fn main() -> ExitCode {
    training("ng_exercise", "Logistic regression and a net by L-BFGS on unrolled parameters.", run)
}

fn run(setup: &Setup) -> Outcome {
    let (mut data, test) = setup.flat()?;
    if setup.is_mnist() && !setup.full {
        // The exercise has 5000 images.
        data = data.select(&(0..5000).collect::<Vec<_>>());
    }
    let inputs = data.inputs().size(1);
    println!("{}: {} images of {inputs} pixels, {} to test", setup.source(), data.len(), test.len());
    let rng = &mut Rng::seed(0);
    let regression = Net { layers: vec![Linear::with_init(inputs, 10, SMALL, rng)] };
    let layers = vec![Linear::with_init(inputs, 25, SMALL, rng), Linear::with_init(25, 10, SMALL, rng)];
    let (figures, first) = exercise("regression", regression, [&data, &test], Figures::default())?;
    let (figures, second) = exercise("net", Net { layers }, [&data, &test], figures)?;
    let rows: Vec<[f64; 3]> =
        (first.iter().zip(&second).enumerate()).map(|(i, (a, b))| [i as f64, *a, *b]).collect();
    write_csv(setup.out.join("ng_exercise.csv"), "evaluation,regression,net", &rows)?;
    let chart = Chart::new("evaluation", "lowest cost").y(0.0, 8.0);
    let chart = chart.line("logistic regression", column(&rows, 1)).line("net", column(&rows, 2));
    figure(setup.out.join("ng_exercise.svg"), &format!("L-BFGS on {}", setup.source()), 1, &[chart])?;
    Ok(figures)
}

/// Affine layers with sigmoids between them; the last sigmoid is in the cost.
struct Net {
    layers: Vec<Linear>,
}
module!(Net { layers });

impl Layer for Net {
    fn forward<V: Value>(&self, x: V) -> V {
        let (first, others) = self.layers.split_first().expect("a net has layers");
        others.iter().fold(first.forward(x), |z, layer| layer.forward(z.sigmoid()))
    }
}

/// J: the labels' cross-entropies, averaged over the images, and λ / 2m times the squares of the weights.
fn cost<'t>(net: &Net, tape: &'t Tape, [x, y]: [&Tensor; 2]) -> Var<'t> {
    let weights: Vec<_> = net.layers.iter().map(|layer| tape.param(&layer.weight)).collect();
    let weights: Vec<_> = weights.iter().collect();
    net.forward(tape.constant(x)).multi_label_cost(&tape.constant(y), &weights, LAMBDA)
}

/// Trains a net; the figures, and the lowest cost after each evaluation.
fn exercise(
    name: &str,
    mut net: Net,
    [data, test]: [&Dataset; 2],
    figures: Figures,
) -> Result<(Figures, Vec<f64>), Box<dyn Error>> {
    let targets = Tensor::one_hot(data.labels(), 10);
    // Checked once: by differences on five images, and by the derivation with bias units on all.
    let few = [&data.inputs().slice(0, 0..5), &targets.slice(0, 0..5)];
    let report = gradcheck_model(&net, |tape| cost(&net, tape, few));
    if !report.passed() {
        return Err(format!("the gradient check failed\n{report}").into());
    }
    let all = [data.inputs(), &targets];
    let mut tape = Tape::training(0);
    let mut by_tape = |net: &Net| {
        let (cost, gradients, ()) = tape.step(|tape| (cost(net, tape, all), ()));
        (f64::from(cost), flatten_gradients(net, &gradients))
    };
    let row = |bias: &Option<Param>| bias.as_ref().expect("there are biases").value().unsqueeze(0);
    let layers = net.layers.iter().map(|layer| [layer.weight.value().clone(), row(&layer.bias)]).collect();
    let by_hand: Vec<f32> =
        bias_units(&layers, all, LAMBDA).iter().flatten().flat_map(Tensor::to_vec).collect();
    let (start, gradient) = by_tape(&net);
    let off = gradient.iter().zip(&by_hand).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        / gradient.abs().max().item();

    // The exercise's fminunc: a minimiser that knows of nothing but a vector.
    let mut vector: Vec<f64> = flatten(&net).iter().map(f64::from).collect();
    let mut costs = vec![start];
    let found = Lbfgs::default().minimize(&mut vector, |vector| {
        let rounded: Vec<f32> = vector.iter().map(|x| *x as f32).collect();
        unflatten(&mut net, &Tensor::new(&rounded, [rounded.len()]));
        let (cost, gradient) = by_tape(&net);
        costs.push(cost.min(costs[costs.len() - 1]));
        (cost, gradient.iter().map(f64::from).collect())
    });
    let rounded: Vec<f32> = vector.iter().map(|x| *x as f32).collect();
    unflatten(&mut net, &Tensor::new(&rounded, [rounded.len()]));
    let (train, test) = (accuracy(&net, data), accuracy(&net, test));
    println!(
        "{name}: {} parameters; tape and hand {off:.0e} apart; cost {start:.4}, {:.4} after {} iterations; accuracy {train:.4}, in test {test:.4}",
        vector.len(),
        found.loss,
        found.iterations
    );
    let put = |figures: Figures, key: &str, value: f64| figures.put(format!("{name}_{key}"), value);
    let values = [
        ("params", vector.len() as f64),
        ("off", off.into()),
        ("start", start),
        ("cost", found.loss),
        ("train", train),
        ("test", test),
    ];
    Ok((values.into_iter().fold(figures, |figures, (key, value)| put(figures, key, value)), costs))
}
