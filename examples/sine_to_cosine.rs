//! After the third book's last steps: recurrent nets that hear a sine, sample by sample, and say the cosine. One sample does not
//! tell whether the sine rises or falls, so they must remember.
//!
//! ```text
//! cargo run --release --example sine_to_cosine
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    args::Args,
    book::{Figures, OUT, OUT_HELP, Outcome, directory, finish},
    chart::{Chart, figure},
    csv::{column, write_csv},
    recurrent::Recurrent,
};
use gradus::prelude::*;
use std::{f32::consts::TAU, path::Path, process::ExitCode};

/// Waves side by side, samples of one, and how many samples are learnt from at a time. A wave goes round in 50 of them.
const WAVES: usize = 16;
const SAMPLES: usize = 300;
const STEPS: usize = 30;
const HIDDEN: usize = 32;

struct Listener<R: Recurrent> {
    recurrent: R,
    output: Linear,
}
module!(Listener<R: Recurrent> { recurrent, output });

impl<R: Recurrent> Listener<R> {
    /// What it says at each sample, `[waves, samples, 1]`, and its state after them.
    fn listen<V: Value>(&self, x: V, state: Option<&RecurrentState<V>>) -> (V, RecurrentState<V>) {
        let (h, after) = self.recurrent.along(x, state);
        (self.output.forward(h), after)
    }
}

/// Sines with these phases, and their cosines, `[waves, samples, 1]`. The sines have noise on them if it is asked for.
fn waves(phases: &[f32], noise: f32, rng: &mut Rng) -> [Tensor; 2] {
    let phase = Tensor::new(phases, [phases.len(), 1, 1]);
    let angle = (Tensor::arange(SAMPLES) * (TAU / 50.0)).reshape([1, SAMPLES, 1]) + phase;
    let noise = Tensor::randn(angle.shape(), rng) * noise;
    [angle.sin() + noise, angle.cos()]
}

/// Trains by truncated backpropagation; gives the mean squared error of each epoch, and what the net says of a new wave.
fn learn<R: Recurrent>(
    recurrent: R,
    epochs: usize,
    [heard, _]: &[Tensor; 2],
    rng: &mut Rng,
) -> (Vec<f64>, Tensor) {
    let mut net = Listener { recurrent, output: Linear::new(HIDDEN, 1, rng) };
    let (mut adam, mut tape) = (Adam::new(0.01), Tape::training(0));
    let mut losses = Vec::new();
    for _ in 0..epochs {
        let phases: Vec<f32> = (0..WAVES).map(|_| rng.uniform(0.0, TAU)).collect();
        let [sine, cosine] = waves(&phases, 0.02, rng);
        let (mut carried, mut sum): (Option<RecurrentState<Tensor>>, f64) = (None, 0.0);
        for start in (0..SAMPLES).step_by(STEPS) {
            let [x, y] = [&sine, &cosine].map(|wave| wave.slice(1, start..start + STEPS));
            let (loss, mut gradients, after) = tape.step(|tape| {
                let before = carried.as_ref().map(|state| state.on(tape.place()));
                let (said, after) = net.listen(tape.constant(&x), before.as_ref());
                (said.mse_loss(&tape.constant(&y)), after.detach())
            });
            clip_grad_norm(&net, &mut gradients, 1.0);
            adam.step(&mut net, &gradients);
            carried = Some(after);
            sum += f64::from(loss);
        }
        losses.push(sum / (SAMPLES / STEPS) as f64);
    }
    (losses, net.listen(heard.clone(), None).0)
}

fn main() -> ExitCode {
    let (mut epochs, mut seed, mut out) = (60, 1, OUT.to_owned());
    Args::new("RNN and LSTM that hear a sine and say the cosine, after the last steps of the third book.")
        .option("epochs", &mut epochs, 1..=10_000, "sets of sixteen waves to learn from")
        .option("seed", &mut seed, .., "of waves and weights")
        .option("out", &mut out, .., OUT_HELP)
        .parse();
    finish("sine_to_cosine", directory(&out).and_then(|out| run(epochs, seed, &out)))
}

fn run(epochs: usize, seed: u64, out: &Path) -> Outcome {
    let rng = &mut Rng::seed(seed);
    let new = waves(&[1.0], 0.0, rng);
    let (plain, plain_said) = learn(Rnn::new(1, HIDDEN, rng), epochs, &new, rng);
    let (lstm, lstm_said) = learn(Lstm::new(1, HIDDEN, rng), epochs, &new, rng);
    // Two samples tell the cosine exactly: sin(a - d) = sin a cos d - cos a sin d.
    let (turn, [sine, cosine]) = (TAU / 50.0, &new);
    let [before, now] = [sine.slice(1, ..-1), sine.slice(1, 1..)];
    let formula = (now * turn.cos() - before) / turn.sin();
    let formula_off = (formula - cosine.slice(1, 1..)).abs().max().item();
    // The first samples of a wave are not enough to know it by.
    let error = |said: &Tensor| (said - cosine).slice(1, 10..).square().mean().item();
    let memoryless = cosine.square().mean().item();
    let [plain_error, lstm_error] = [error(&plain_said), error(&lstm_said)];
    println!("Mean squared error on a new wave: {plain_error:.5} RNN, {lstm_error:.5} LSTM;");
    println!(
        "of a guess without memory {memoryless:.3}; by the formula from two samples at most {formula_off:.1e} off"
    );

    let row = |i: usize| {
        [
            i as f64,
            sine.get([0, i, 0]).into(),
            cosine.get([0, i, 0]).into(),
            plain_said.get([0, i, 0]).into(),
            lstm_said.get([0, i, 0]).into(),
        ]
    };
    let rows: Vec<[f64; 5]> = (0..100).map(row).collect();
    write_csv(out.join("sine_to_cosine.csv"), "sample,sine,cosine,rnn,lstm", &rows)?;
    let losses: Vec<[f64; 3]> =
        (0..epochs).map(|i| [(i + 1) as f64, plain[i].log10(), lstm[i].log10()]).collect();
    write_csv(out.join("sine_to_cosine_losses.csv"), "epoch,log10_rnn,log10_lstm", &losses)?;
    let lines = ["sine, heard", "cosine", "RNN", "LSTM"];
    let wave = (1..).zip(lines).fold(Chart::new("sample", "value").y(-1.1, 2.4), |chart, (k, name)| {
        chart.line(name, column(&rows, k))
    });
    let loss = Chart::new("epoch", "mean squared error").log(false, true);
    let loss = loss.line("RNN", column(&losses, 1)).line("LSTM", column(&losses, 2));
    figure(out.join("sine_to_cosine.svg"), "Nets that hear a sine and say the cosine", 2, &[wave, loss])?;
    let figures = Figures::default().put("rnn", plain_error).put("lstm", lstm_error);
    Ok(figures.put("memoryless", memoryless).put("formula_off", formula_off))
}
