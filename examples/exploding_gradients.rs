//! Exploding gradients, and those of the notes' seven cures that are for them: clipping, a penalty on the weights; and an LSTM,
//! which carries gradients through time. `vanishing_gradients` has the others.
//!
//! ```text
//! cargo run --release --example exploding_gradients
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, pictures},
    chart::{Chart, figure},
    csv::{column, write_csv},
};
use gradus::{
    autograd::Gradients,
    nn::{DynLayer, data::digits, init::Fan, optim::grad_norm},
    prelude::*,
};
use std::{path::Path, process::ExitCode};

const DEPTH: usize = 10;
const WIDTH: usize = 32;
const STEPS: usize = 20;

fn main() -> ExitCode {
    pictures(
        "exploding_gradients",
        "Clipping, a penalty and an LSTM against gradients that explode or vanish.",
        run,
    )
}
fn run(out: &Path) -> Outcome {
    let figures = clipping(Figures::default());
    let time = through_time();
    let rows: Vec<[f64; 3]> =
        (0..STEPS).map(|i| [i as f64 + 1.0, time[0][i].log10(), time[1][i].log10()]).collect();
    write_csv(out.join("exploding_gradients.csv"), "step,rnn,lstm", &rows)?;
    let chart = Chart::new("step", "gradient, rms").log(false, true);
    let chart = chart.line("RNN", column(&rows, 1)).line("LSTM", column(&rows, 2));
    figure(out.join("exploding_gradients.svg"), "Gradients of the last output by each input", 1, &[chart])?;
    let [rnn, lstm] = time.map(|sizes| sizes[0] / sizes[STEPS - 1]);
    println!("\nGradient of the first step relative to the last: RNN {rnn:.2e}, LSTM {lstm:.2e}");
    Ok(figures.put("rnn", rnn).put("lstm", lstm))
}

/// Ten layers without biases, from weights of twice He's size: each layer makes what comes to it twice as large.
fn clipping(figures: Figures) -> Figures {
    let data = digits::load().select(&(0..500).collect::<Vec<_>>()).map_inputs(|x| x.reshape([500, 64]));
    let rng = &mut Rng::seed(0);
    let mut linear = |inputs, outputs| {
        Linear::with_init(inputs, outputs, Init::ScaledNormal(Fan::In, 8f32.sqrt()), rng).without_bias()
    };
    let mut net = Sequential::new().push(linear(64, WIDTH)).push(Relu);
    for _ in 1..DEPTH {
        net = net.push(linear(WIDTH, WIDTH)).push(Relu);
    }
    net = net.push(linear(WIDTH, 10));

    // The gradients by a score rather than by the loss: of degree 10 in the size of the weights.
    let gradients = |net: &Sequential| {
        Tape::training(0).step(|tape| (net.forward(tape.constant(data.inputs())).select(1, 0).mean(), ())).1
    };
    let sizes = |found: &Gradients| -> Vec<f64> {
        net.params().iter().map(|(_, param)| train::Statistics::of(&found[*param]).rms).collect()
    };
    let mut found = gradients(&net);
    let before = sizes(&found);
    let exploded = clip_grad_norm(&net, &mut found, 1.0);
    let (clipped, after) = (grad_norm(&net, &found), sizes(&found));
    // Clipping keeps the direction: all layers shrink alike.
    let shares = before.iter().zip(&after).map(|(before, after)| after / before * exploded);
    let turned = shares.map(|share| (share - 1.0).abs()).fold(0.0, f64::max);

    // What a penalty alone does to the weights: 50 steps, each of which takes a hundredth away.
    for (_, param) in net.params_mut() {
        let smaller = param.value() * 0.99f32.powi(50);
        *param.value_mut() = smaller;
    }
    let decayed = grad_norm(&net, &gradients(&net)) / exploded;
    println!(
        "Norm of the gradients from large weights {exploded:.3e}, clipped to {clipped:.6}, layers {turned:.0e} apart in scale"
    );
    println!("After 50 steps of a penalty it is {decayed:.4} of that, 0.99 to the {}", 50 * DEPTH);
    figures.put("exploded", exploded).put("clipped", clipped).put("turned", turned).put("decayed", decayed)
}

/// The sizes of the gradients by the inputs of a sequence of which only the last output counts.
fn through_time() -> [Vec<f64>; 2] {
    let rng = &mut Rng::seed(0);
    let (rnn, mut lstm) = (Rnn::new(8, WIDTH, rng), Lstm::new(8, WIDTH, rng));
    // A forget gate that starts open: the second quarter of a bias is 3.
    for (_, param) in lstm.params_mut().into_iter().filter(|(name, _)| name.starts_with("bias_ih")) {
        (WIDTH..2 * WIDTH).for_each(|i| param.value_mut().set([i], 3.0));
    }
    let x = Tensor::randn([50, STEPS, 8], rng);
    let sizes = |net: &dyn DynLayer| {
        let tape = Tape::evaluating();
        let x = tape.var(&x);
        let gradient = &net.forward_var(x).select(1, -1).square().mean().backward()[x];
        (0..STEPS as isize).map(|step| train::Statistics::of(&gradient.select(1, step)).rms).collect()
    };
    [sizes(&rnn), sizes(&lstm)]
}
