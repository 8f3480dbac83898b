//! Chapter 6 of the book: over-fitting on few images, and what weight decay and dropout do to the gap between training and
//! test accuracy. They make the gap smaller; the test accuracy itself falls with it, as it does in the book's own runs.
//!
//! ```text
//! cargo run --release --example ch06_regularization
//! cargo run --release --example ch06_regularization -- --data path/to/mnist
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, Setup, training},
    chart::{Chart, figure},
    csv::{column, write_csv},
    learning::{accuracy, train},
    nets::{Extras, multi_layer_net},
};
use gradus::prelude::*;
use std::process::ExitCode;

fn main() -> ExitCode {
    training(
        "ch06_regularization",
        "Weight decay and dropout on few images, after chapter 6 of the book.",
        run,
    )
}

/// A run: its name, the weight decay, the share that dropout drops, how many steps.
struct Cure {
    name: &'static str,
    decay: f64,
    dropout: Option<f32>,
    steps: usize,
}

fn run(setup: &Setup) -> Outcome {
    let (data, test) = setup.flat()?;
    // The book's 300 images and settings on MNIST; the small digits are easier, so that fewer of them over-fit.
    let (count, lr, decay, steps) =
        if setup.is_mnist() { (300, 0.01, 0.1, [603, 603, 903, 903]) } else { (200, 0.01, 0.1, [600; 4]) };
    let few = data.select(&(0..count).collect::<Vec<_>>());
    println!("{count} images of {}, six hidden layers, SGD {lr}: accuracy at the end", setup.source());
    let cures = [
        Cure { name: "no_decay", decay: 0.0, dropout: None, steps: steps[0] },
        Cure { name: "weight_decay", decay, dropout: None, steps: steps[1] },
        Cure { name: "no_dropout", decay: 0.0, dropout: None, steps: steps[2] },
        Cure { name: "dropout", decay: 0.0, dropout: Some(0.2), steps: steps[3] },
    ];
    let (mut charts, mut figures) = (Vec::new(), Figures::default());
    for Cure { name, decay, dropout, steps } in cures {
        let extras = Extras { norms: false, dropout };
        let mut rng = Rng::seed(1);
        let mut net = multi_layer_net(few.inputs().size(1), &[100; 6], Init::KaimingNormal, extras, &mut rng);
        // The penalty is on weights; biases are spared.
        let mut sgd = Sgd::new(lr).weight_decay(decay).group(optim::Group::vectors().weight_decay(0.0));
        let mut rows = vec![[0.0, accuracy(&net, &few), accuracy(&net, &test)]];
        train(&mut net, &mut sgd, &few, 100, steps, |step, _, net| {
            if step % (steps / 60) == 0 {
                rows.push([step as f64, accuracy(net, &few), accuracy(net, &test)]);
            }
        });
        let [_, train, test] = rows[rows.len() - 1];
        println!("  {name:13} train {train:.4}, test {test:.4}, gap {:.4}", train - test);
        figures = figures.put(format!("{name}_train"), train).put(format!("{name}_test"), test);
        write_csv(setup.out.join(format!("ch06_{name}.csv")), "step,train,test", &rows)?;
        charts.push(
            Chart::new("step", "accuracy")
                .title(name.replace('_', " "))
                .y(0.0, 1.05)
                .line("train", column(&rows, 1))
                .line("test", column(&rows, 2)),
        );
    }
    let title = format!("Over-fitting {count} images of {}", setup.source());
    figure(setup.out.join("ch06_regularization.svg"), &title, 2, &charts)?;
    Ok(figures)
}
