//! Nets so deep that the gradient gets lost on its way, and the same with a way past every layer (K. He and others, 2016).
//!
//! ```text
//! cargo run --release --example residual_net
//! cargo run --release --example residual_net -- --data path/to/mnist --full
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, Setup, training},
    chart::{Chart, figure},
    csv::{column, write_csv},
    learning::{accuracy, train},
};
use gradus::prelude::*;
use std::process::ExitCode;

fn main() -> ExitCode {
    training("residual_net", "Deep nets with and without a way past their layers.", run)
}

/// Layers of 32 sigmoids, each with the input beside it or not. Both start from the same weights.
fn deep_net(inputs: usize, depth: usize, shortcuts: bool, rng: &mut Rng) -> Sequential {
    let layer = |i, o, rng: &mut Rng| Linear::with_init(i, o, Init::XavierNormal, rng);
    let mut net = Sequential::new().push(layer(inputs, 32, rng)).push(Tanh);
    for _ in 0..depth {
        let block = Sequential::new().push(layer(32, 32, rng)).push(Sigmoid);
        net = if shortcuts { net.push(Residual::new(block)) } else { net.push(block) };
    }
    net.push(layer(32, 10, rng))
}

/// Trains nets of several depths both ways; the gradient that reaches the first layer before, and the accuracy after.
fn run(setup: &Setup) -> Outcome {
    let (data, test) = setup.flat()?;
    let few = data.select(&(0..100).collect::<Vec<_>>());
    let steps = if setup.full { 6000 } else { 200 };
    println!(
        "{} steps on {}; the gradient of the first layer's weights before them:\n",
        steps,
        setup.source()
    );
    println!(" layers  gradient: plain   residual  accuracy: plain  residual");
    let mut rows = Vec::new();
    for depth in [2, 5, 20] {
        let mut row = [depth as f64, 0.0, 0.0, 0.0, 0.0];
        for (k, shortcuts) in [false, true].into_iter().enumerate() {
            let mut net = deep_net(data.inputs().size(-1), depth, shortcuts, &mut Rng::seed(1));
            let tape = Tape::training(1);
            let gradients = net.forward(tape.constant(few.inputs())).cross_entropy(few.labels()).backward();
            row[1 + k] = gradients[net.params()[0].1].norm().item().into();
            train(&mut net, &mut Adam::new(0.003), &data, 50, steps, |_, _, _| ());
            row[3 + k] = accuracy(&net, &test);
        }
        println!("{:7}  {:15.1e}  {:9.1e}  {:15.4}  {:8.4}", row[0], row[1], row[2], row[3], row[4]);
        rows.push(row);
    }
    write_csv(
        setup.out.join("residual_net.csv"),
        "layers,gradient,gradient_residual,test,test_residual",
        &rows,
    )?;
    let logs: Vec<[f64; 3]> = rows.iter().map(|row| [row[0], row[1].log10(), row[2].log10()]).collect();
    let charts = [
        Chart::new("layers", "norm of the gradient")
            .log(false, true)
            .title("at the first layer, before training")
            .line("plain", column(&logs, 1))
            .line("residual", column(&logs, 2)),
        Chart::new("layers", "accuracy")
            .y(0.0, 1.0)
            .title("on test images, after training")
            .line("", column(&rows, 3))
            .line("", column(&rows, 4)),
    ];
    figure(setup.out.join("residual_net.svg"), "Deep nets of sigmoids, plain and residual", 2, &charts)?;
    let deepest = rows[rows.len() - 1];
    Ok(Figures::default()
        .put("log_ratio", (deepest[2] / deepest[1]).log10())
        .put("plain_2", rows[0][3])
        .put("plain_20", deepest[3])
        .put("residual_20", deepest[4]))
}
