//! Gates that are learnt: NOT and NAND by one perceptron, XOR by none, XNOR by a net of two hidden units, from some starts.
//!
//! ```text
//! cargo run --release --example learned_gates
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, pictures},
    chart::{Chart, figure},
    csv::{column, write_csv},
};
use gradus::prelude::*;
use std::{path::Path, process::ExitCode};

/// How many starts the net has.
const SEEDS: u64 = 15;
const STEPS: usize = 3000;

fn main() -> ExitCode {
    pictures("learned_gates", "Gates learnt by a perceptron, and by a net of two hidden units.", run)
}

fn run(out: &Path) -> Outcome {
    let figures = perceptrons(Figures::default());
    let sgd = || Sgd::new(2.0).momentum(0.5);
    let adam = || Adam::new(0.02);
    let mut rows: Vec<Vec<f64>> = (0..=STEPS / 10).map(|k| vec![10.0 * k as f64]).collect();
    let (by_sgd, figures) = starts("sgd", sgd, &mut rows, figures);
    let (by_adam, figures) = starts("adam", adam, &mut rows, figures);
    println!("\nXNOR from {SEEDS} starts: SGD with momentum learns {by_sgd}, Adam {by_adam}");
    let names = |name: &str| (0..SEEDS).map(|seed| format!(",{name}_{seed}")).collect::<String>();
    write_csv(out.join("learned_gates.csv"), &format!("step{}{}", names("sgd"), names("adam")), &rows)?;
    let chart = |title: &str, first: usize| {
        let chart = Chart::new("step", "mean squared error").title(title).y(0.0, 0.35);
        (first..first + SEEDS as usize).fold(chart, |chart, k| chart.line("", column(&rows, k)))
    };
    let charts = [chart("SGD with momentum", 1), chart("Adam", 1 + SEEDS as usize)];
    figure(out.join("learned_gates.svg"), &format!("XNOR from {SEEDS} starts"), 2, &charts)?;
    Ok(figures)
}

/// All inputs of a gate of two, as rows.
fn inputs() -> Tensor {
    Tensor::from([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
}

/// F. Rosenblatt's rule: where the answer is wrong, the weights move by the error times the input. Returns how many passes it
/// took until all answers were right.
fn perceptron(inputs: &Tensor, targets: &[f32]) -> Option<usize> {
    let (mut w, mut b) = (Tensor::zeros([inputs.size(1)]), 0.0);
    for pass in 0..1000 {
        let mut wrong = 0;
        for (i, target) in targets.iter().enumerate() {
            let x = inputs.select(0, i as isize);
            let error = target - ((&w * &x).sum() + b).is_positive().item();
            wrong += usize::from(error != 0.0);
            w = w + x * error;
            b += error;
        }
        if wrong == 0 {
            return Some(pass);
        }
    }
    None
}

fn perceptrons(mut figures: Figures) -> Figures {
    println!("A perceptron, by Rosenblatt's rule:");
    let not = Tensor::from([[0.0], [1.0]]);
    let gates = [
        ("not", &not, vec![1.0, 0.0]),
        ("and", &inputs(), vec![0.0, 0.0, 0.0, 1.0]),
        ("nand", &inputs(), vec![1.0, 1.0, 1.0, 0.0]),
        ("or", &inputs(), vec![0.0, 1.0, 1.0, 1.0]),
        ("xor", &inputs(), vec![0.0, 1.0, 1.0, 0.0]),
    ];
    for (name, inputs, targets) in gates {
        let passes = perceptron(inputs, &targets);
        let text = passes.map_or("not in 1000 passes".to_owned(), |n| format!("right after {n} passes"));
        println!("  {name:5} {text}");
        figures = figures.put(format!("learns_{name}"), f64::from(u8::from(passes.is_some())));
    }
    // Why: the best that a smooth one can say of XOR is one half, whatever the input.
    let rng = &mut Rng::seed(0);
    let (mut unit, targets) = (Linear::new(2, 1, rng), Tensor::from([[0.0], [1.0], [1.0], [0.0]]));
    let found = optim::Lbfgs::default().step(&mut unit, |unit| {
        let (loss, gradients, ()) = Tape::training(0).step(|tape| {
            let z = unit.forward(tape.constant(inputs()));
            (z.binary_cross_entropy_with_logits(&tape.constant(&targets)), ())
        });
        (loss, gradients)
    });
    let said = unit.forward(inputs()).sigmoid();
    println!("  a sigmoid says {:?} to XOR, at a loss of {:.4}, ln 2", said.to_vec(), found.loss);
    let off = (said - 0.5).abs().max().item();
    figures.put("xor_loss", found.loss).put("xor_off_half", off)
}

/// Trains a 2-2-1 net from each start, adds its errors to the rows, and counts the starts that end with four right answers.
fn starts<O: Optimizer>(
    name: &str,
    optimizer: impl Fn() -> O,
    rows: &mut [Vec<f64>],
    figures: Figures,
) -> (u64, Figures) {
    let targets = Tensor::from([[1.0], [0.0], [0.0], [1.0]]);
    let mut learnt = 0;
    for seed in 0..SEEDS {
        let rng = &mut Rng::seed(seed);
        let mut layer = |outputs| Linear::with_init(2, outputs, Init::Normal(1.0), rng);
        let mut net = Sequential::new().push(layer(2)).push(Sigmoid).push(layer(1)).push(Sigmoid);
        let (mut optimizer, mut tape) = (optimizer(), Tape::training(0));
        for step in 0..=STEPS {
            let (loss, gradients, ()) = tape
                .step(|tape| (net.forward(tape.constant(inputs())).mse_loss(&tape.constant(&targets)), ()));
            if step % 10 == 0 {
                rows[step / 10].push(loss.into());
            }
            optimizer.step(&mut net, &gradients);
        }
        learnt += u64::from((net.forward(inputs()) - 0.5).is_positive() == targets);
    }
    (learnt, figures.put(format!("xnor_{name}"), learnt as f64))
}
