//! Chapter 6 of the book: a random search for learning rate and weight decay, judged on validation images; the test images
//! have no part in it.
//!
//! ```text
//! cargo run --release --example ch06_hyperparameters
//! cargo run --release --example ch06_hyperparameters -- --data path/to/mnist --full
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, Setup, training},
    chart::{Chart, figure},
    csv::write_csv,
    learning::{accuracy, train},
    nets::{Extras, multi_layer_net},
};
use gradus::{
    nn::train::{Distribution, RandomSearch},
    prelude::*,
};
use std::process::ExitCode;

fn main() -> ExitCode {
    training(
        "ch06_hyperparameters",
        "A random search for hyper-parameters, after chapter 6 of the book.",
        run,
    )
}

fn run(setup: &Setup) -> Outcome {
    let (data, _) = setup.flat()?;
    let few = data.select(&(0..500).collect::<Vec<_>>());
    // The book tries 100 settings on six layers for 50 epochs of 400 images.
    let (trials, layers) = if setup.full { (100, 6) } else { (30, 2) };
    println!("{trials} random settings on {}, 400 images to train on and 100 to judge by:", setup.source());
    let search = RandomSearch::new(3)
        .range("weight_decay", Distribution::LogUniform(1e-8, 1e-4))
        .range("lr", Distribution::LogUniform(1e-6, 1e-2));
    let trials = search.run(&few, 0.2, trials, |settings, few, validation| {
        let (inputs, mut rng) = (few.inputs().size(1), Rng::seed(settings.seed));
        let hidden = vec![100; layers];
        let mut net = multi_layer_net(inputs, &hidden, Init::KaimingNormal, Extras::default(), &mut rng);
        let mut sgd = Sgd::new(settings["lr"]).weight_decay(settings["weight_decay"]);
        train(&mut net, &mut sgd, few, 100, 300, |_, _, _| {});
        accuracy(&net, validation)
    });
    for (rank, trial) in trials.iter().enumerate().take(10) {
        let (lr, decay) = (trial.params["lr"], trial.params["weight_decay"]);
        println!("  {:2}. {:.3} at lr {lr:.2e}, weight decay {decay:.1e}", rank + 1, trial.score);
    }
    println!(
        "Narrow the ranges around these and search again. Weight decay hardly matters here, the learning rate does."
    );

    let rows: Vec<[f64; 3]> =
        trials.iter().map(|trial| [trial.params["lr"], trial.params["weight_decay"], trial.score]).collect();
    write_csv(setup.out.join("ch06_hyperparameters.csv"), "lr,weight_decay,accuracy", &rows)?;
    let chart = |name: &str, k: usize, (low, high)| {
        let dots = rows.iter().map(|row| (row[k].log10(), row[2])).collect();
        Chart::new(name, "validation accuracy").log(true, false).x(low, high).y(0.0, 1.0).dots("", dots)
    };
    let charts = [chart("learning rate", 0, (-6.2, -1.8)), chart("weight decay", 1, (-8.2, -3.8))];
    figure(setup.out.join("ch06_hyperparameters.svg"), "A random search", 2, &charts)?;
    let least_of_best = trials[..5].iter().map(|trial| trial.params["lr"]).fold(f64::INFINITY, f64::min);
    Ok(Figures::default()
        .put("best", trials[0].score)
        .put("best_lr", trials[0].params["lr"])
        .put("least_lr_of_best_5", least_of_best)
        .put("worst", trials[trials.len() - 1].score))
}
