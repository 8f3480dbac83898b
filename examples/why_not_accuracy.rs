//! Why nets learn by a loss and not by their accuracy, and with smooth activations and not with steps: where a function is
//! flat, its gradient is 0.
//!
//! ```text
//! cargo run --release --example why_not_accuracy
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
    nn::{
        data::{Dataset, digits},
        flatten, flatten_gradients, unflatten,
    },
    prelude::*,
};
use std::{path::Path, process::ExitCode};

#[derive(Clone, Copy)]
enum Hidden {
    Sigmoid,
    Step,
    /// A step whose gradient is taken to be that of the sigmoid.
    Surrogate,
}

/// 64-20-10.
struct Net {
    hidden: Linear,
    output: Linear,
    activation: Hidden,
}
module!(Net { hidden, output; activation });

impl Net {
    fn new(activation: Hidden) -> Net {
        let rng = &mut Rng::seed(0);
        Net { hidden: Linear::new(64, 20, rng), output: Linear::new(20, 10, rng), activation }
    }
}

impl Layer for Net {
    fn forward<V: Value>(&self, x: V) -> V {
        let z = self.hidden.forward(x);
        self.output.forward(match self.activation {
            Hidden::Sigmoid => z.sigmoid(),
            Hidden::Step => z.is_positive(),
            Hidden::Surrogate => z.is_positive().straight_through(&z.sigmoid()),
        })
    }
}

fn main() -> ExitCode {
    pictures("why_not_accuracy", "An accuracy and a step have no gradient to learn by.", run)
}

fn run(out: &Path) -> Outcome {
    let data = digits::load().select(&(0..100).collect::<Vec<_>>()).map_inputs(|x| x.reshape([100, 64]));
    let figures = stairs(out, &data, Figures::default())?;
    Ok(steps(&data, by_accuracy(&data, figures)))
}

fn loss(net: &Net, data: &Dataset) -> f64 {
    net.forward(data.inputs().clone()).cross_entropy(data.labels()).item().into()
}

/// Loss and accuracy of 100 images, while one weight of the output moves.
fn stairs(out: &Path, data: &Dataset, figures: Figures) -> Outcome {
    let mut net = Net::new(Hidden::Sigmoid);
    // Half learnt: there is something to gain and to lose.
    train(&mut net, &mut Adam::new(0.01), data, 100, 20, |_, _, _| {});
    let mut rows = Vec::new();
    let start = net.output.weight.value().get([3, 7]);
    for k in -200..=200 {
        let by = 0.01 * k as f32;
        net.output.weight.value_mut().set([3, 7], start + by);
        rows.push([f64::from(by), loss(&net, data), accuracy(&net, data)]);
    }
    let moves = |k: usize| rows.windows(2).filter(|pair| pair[0][k] != pair[1][k]).count();
    println!(
        "One weight in 400 small steps: the loss changes in {} of them, the accuracy in {}",
        moves(1),
        moves(2)
    );
    write_csv(out.join("why_not_accuracy.csv"), "weight_by,loss,accuracy", &rows)?;
    let charts = [("loss", 1), ("accuracy", 2)]
        .map(|(name, k)| Chart::new("change of one weight", name).line("", column(&rows, k)));
    figure(out.join("why_not_accuracy.svg"), "What a gradient can see", 2, &charts)?;
    Ok(figures.put("loss_moves", moves(1) as f64).put("accuracy_moves", moves(2) as f64))
}

/// The gradient of the loss by every weight, and differences of the accuracy.
fn by_accuracy(data: &Dataset, figures: Figures) -> Figures {
    let mut net = Net::new(Hidden::Sigmoid);
    let start = flatten(&net);
    let (_, by_loss, ()) =
        Tape::training(0).step(|t| (net.forward(t.constant(data.inputs())).cross_entropy(data.labels()), ()));
    let by_loss: Vec<f64> = flatten_gradients(&net, &by_loss).iter().map(f64::from).collect();
    let slope = |i: usize| {
        let mut at = |by: f32| {
            let mut moved = start.clone();
            moved.set([i], start.get([i]) + by);
            unflatten(&mut net, &moved);
            accuracy(&net, data)
        };
        (at(1e-4) - at(-1e-4)) / 2e-4
    };
    let by_accuracy: Vec<f64> = (0..start.numel()).map(slope).collect();
    let moved =
        |gradient: &[f64]| gradient.iter().filter(|g| **g != 0.0).count() as f64 / gradient.len() as f64;
    println!(
        "Gradients that are not 0: of the loss {:.3}, of the accuracy {:.3}",
        moved(&by_loss),
        moved(&by_accuracy)
    );
    figures.put("loss_slopes", moved(&by_loss)).put("accuracy_slopes", moved(&by_accuracy))
}

/// The same net with sigmoids, with steps, and with steps that pass gradients as a sigmoid does.
fn steps(data: &Dataset, mut figures: Figures) -> Figures {
    for (name, activation) in
        [("sigmoid", Hidden::Sigmoid), ("step", Hidden::Step), ("surrogate", Hidden::Surrogate)]
    {
        let mut net = Net::new(activation);
        let before = net.hidden.weight.value().clone();
        if let Hidden::Step = activation {
            // Nothing flows back through a step. An optimizer refuses to pass that over: it must be said.
            net.hidden.params_mut().into_iter().for_each(|(_, param)| param.set_frozen(true));
        }
        train(&mut net, &mut Sgd::new(0.5), data, 100, 500, |_, _, _| {});
        let moved = (net.hidden.weight.value() - &before).abs().max().item();
        let (found, end) = (accuracy(&net, data), loss(&net, data));
        println!("{name:9} hidden weights moved by {moved:.4} at most, loss {end:.4}, accuracy {found:.2}");
        figures = figures
            .put(format!("{name}_moved"), moved)
            .put(format!("{name}_loss"), end)
            .put(format!("{name}_train"), found);
    }
    figures
}
