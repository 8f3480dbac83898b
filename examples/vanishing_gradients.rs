//! Vanishing gradients in a deep net of sigmoids, and those of the notes' seven cures that are for it: pre-training and
//! fine-tuning, activations of the ReLU kind, batch normalisation, residual connections. `exploding_gradients` has the others.
//!
//! ```text
//! cargo run --release --example vanishing_gradients
//! ```
#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, pictures},
    chart::{Chart, figure},
    csv::{column, write_csv},
    learning::{accuracy, train},
};
use gradus::{
    nn::data::{Dataset, digits},
    prelude::*,
};
use std::{path::Path, process::ExitCode};

const DEPTH: usize = 10;
const WIDTH: usize = 32;
const STEPS: usize = 200;

fn main() -> ExitCode {
    pictures("vanishing_gradients", "Gradients through ten layers, before and after each cure.", run)
}

fn run(out: &Path) -> Outcome {
    let data = digits::load().select(&(0..500).collect::<Vec<_>>()).map_inputs(|x| x.reshape([500, 64]));
    let mut figures = chain(Figures::default());

    println!(
        "\nGradient of the first weight relative to the last, before and after {STEPS} steps; accuracy then"
    );
    let plain = || deep(Init::XavierNormal, Sigmoid);
    let (pretrained, he) = (pretrain(&data), Init::KaimingNormal);
    let nets = [
        ("plain", "sigmoid", plain(), 0.0),
        ("pretrained", "pre-trained", pretrained, 0.0),
        ("penalty", "penalty", plain(), 0.001),
        ("relu", "ReLU", deep(he, Relu), 0.0),
        ("leaky", "leaky ReLU", deep(he, LeakyRelu::new(0.01)), 0.0),
        ("elu", "ELU", deep(he, Elu::new(1.0)), 0.0),
        (
            "norms",
            "batch norm",
            layers(Init::XavierNormal, |l| l.push(BatchNorm1d::new(WIDTH)).push(Sigmoid)),
            0.0,
        ),
        ("residual", "residual", residual(), 0.0),
    ];
    let mut rows: Vec<Vec<f64>> = (1..=DEPTH + 1).map(|layer| vec![layer as f64]).collect();
    let mut chart = Chart::new("layer", "gradient, rms").x(1.0, 16.0).log(false, true);
    for (k, (key, title, mut net, decay)) in nets.into_iter().enumerate() {
        let before = sizes(&net, &data);
        train(&mut net, &mut Adam::new(0.003).weight_decay(decay), &data, 100, STEPS, |_, _, _| {});
        let ratio = |sizes: &[f64]| sizes[0] / sizes[DEPTH];
        let (after, found) = (ratio(&sizes(&net, &data)), accuracy(&net, &data));
        println!("  {title:12} {:9.2e} {after:9.2e} {found:6.3}", ratio(&before));
        rows.iter_mut().zip(&before).for_each(|(row, size)| row.push(size.log10()));
        chart = if key == "penalty" { chart } else { chart.line(title, column(&rows, k + 1)) };
        figures = figures
            .put(key, ratio(&before))
            .put(format!("{key}_after"), after)
            .put(format!("{key}_train"), found);
    }
    write_csv(
        out.join("vanishing_gradients.csv"),
        "layer,plain,pretrained,penalty,relu,leaky,elu,norms,residual",
        &rows,
    )?;

    figure(out.join("vanishing_gradients.svg"), "Gradients before training", 1, &[chart])?;
    Ok(figures)
}

/// Ten layers and one for the classes. `block` makes a layer of a linear one.
fn layers(init: Init, block: impl Fn(Sequential) -> Sequential) -> Sequential {
    let rng = &mut Rng::seed(0);
    let mut layer = |inputs| block(Sequential::new().push(Linear::with_init(inputs, WIDTH, init, rng)));
    let net = (0..DEPTH).fold(Sequential::new(), |net, l| net.push(layer(if l == 0 { 64 } else { WIDTH })));
    net.push(Linear::with_init(WIDTH, 10, Init::XavierNormal, &mut Rng::seed(1)))
}

fn deep(init: Init, activation: impl Layer + Clone + Send + Sync + 'static) -> Sequential {
    layers(init, |linear| linear.push(activation.clone()))
}

/// x + sigmoid(W x + b) in all layers but the first and the last.
fn residual() -> Sequential {
    let first = std::cell::Cell::new(true);
    layers(Init::XavierNormal, |linear| match first.replace(false) {
        true => linear.push(Sigmoid),
        false => Sequential::new().push(Residual::new(linear.push(Sigmoid))),
    })
}

/// Layer by layer: each learns to code what comes from the one before, so that a layer behind it can decode it.
fn pretrain(data: &Dataset) -> Sequential {
    let (rng, mut x, mut net) = (&mut Rng::seed(0), data.inputs().clone(), Sequential::new());
    for _ in 0..DEPTH {
        let coder = Sequential::new()
            .push(Linear::with_init(x.size(1), WIDTH, Init::XavierNormal, rng))
            .push(Sigmoid);
        let decoder = Sequential::new()
            .push(Linear::with_init(WIDTH, x.size(1), Init::XavierNormal, rng))
            .push(Sigmoid);
        let mut both = vec![coder, decoder];
        let (mut adam, mut tape) = (Adam::new(0.01), Tape::training(0));
        for _ in 0..STEPS {
            let (_, gradients, ()) = tape.step(|tape| {
                let x = tape.constant(&x);
                (both[1].forward(both[0].forward(x)).mse_loss(&x), ())
            });
            adam.step(&mut both, &gradients);
        }
        x = both[0].forward(x);
        net = net.push(both.swap_remove(0));
    }
    net.push(Linear::with_init(WIDTH, 10, Init::XavierNormal, &mut Rng::seed(1)))
}

/// The root mean square of the gradient by each layer's weight.
fn sizes(net: &Sequential, data: &Dataset) -> Vec<f64> {
    let (_, found, ()) = Tape::training(0)
        .step(|tape| (net.forward(tape.constant(data.inputs())).cross_entropy(data.labels()), ()));
    let weights = net.params().into_iter().filter(|(_, param)| param.value().rank() == 2);
    weights.map(|(_, param)| train::Statistics::of(&found[param]).rms).collect()
}

/// Ten sigmoids of one unit, with weights below 1: the product of the chain rule, beside the tape.
fn chain(figures: Figures) -> Figures {
    let tape = Tape::new();
    let weights: Vec<_> = (0..DEPTH).map(|l| tape.var(0.5 + 0.04 * l as f32)).collect();
    let mut a = vec![tape.var(0.7)];
    weights.iter().for_each(|w| a.push((w * a[a.len() - 1]).sigmoid()));
    let gradients = a[DEPTH].backward();
    let slope = |l: usize| a[l].item() * (1.0 - a[l].item());
    // ∂a10/∂w1 = σ'(z10) w10 ... σ'(z2) w2 σ'(z1) x
    let by_hand =
        (2..=DEPTH).map(|l| slope(l) * weights[l - 1].item()).product::<f32>() * slope(1) * a[0].item();
    // δ is the gradient by z, which is that by w over the activation before.
    let delta = |l: usize| gradients[weights[l - 1]].item() / a[l - 1].item();
    let (ratio, off) = (delta(1) / delta(DEPTH), (by_hand / gradients[weights[0]].item() - 1.0).abs());
    println!("Ten sigmoids in a chain: the first δ is {ratio:.2e} of the last; by hand {off:.0e} off");
    figures.put("chain", ratio).put("chain_off", off)
}
