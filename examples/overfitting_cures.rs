//! The notes' cures for over-fitting, each against the same run without it, over several seeds: larger batches, SGD for Adam,
//! balanced classes, smoother labels, no batch normalisation. Some help, some do not.
//!
//! ```text
//! cargo run --release --example overfitting_cures
//! cargo run --release --example overfitting_cures -- --seeds 20
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    args::Args,
    book::{Figures, OUT, OUT_HELP, Outcome, directory, finish},
    chart::{Chart, figure},
    csv::write_csv,
    learning::accuracy,
    nets::{Extras, multi_layer_net},
};
use gradus::{
    nn::data::{Dataset, digits},
    prelude::*,
};
use std::{path::Path, process::ExitCode};

const IMAGES: usize = 200;
const STEPS: usize = 300;

/// How a net is trained: what the cures change.
#[derive(Clone, Copy)]
struct Run {
    batch: usize,
    adam: bool,
    even: bool,
    smoothing: f32,
    norms: bool,
}

const COMMON: Run = Run { batch: 10, adam: true, even: true, smoothing: 0.0, norms: false };

/// Each cure as its name, the run without it and the run with it.
const CURES: [(&str, Run, Run); 5] = [
    ("batches", COMMON, Run { batch: 100, ..COMMON }),
    ("sgd", COMMON, Run { adam: false, ..COMMON }),
    ("balance", Run { even: false, ..COMMON }, COMMON),
    ("smoothing", COMMON, Run { smoothing: 0.1, ..COMMON }),
    ("no_norms", Run { norms: true, ..COMMON }, COMMON),
];

fn main() -> ExitCode {
    let (mut seeds, mut out) = (6, String::from(OUT));
    Args::new("The notes' cures for over-fitting, each against the same run without it.")
        .option("seeds", &mut seeds, 1..=100, "how many runs each gets")
        .option("out", &mut out, .., OUT_HELP)
        .parse();
    finish("overfitting_cures", directory(&out).and_then(|out| run(&out, seeds)))
}

fn run(out: &Path, seeds: u64) -> Outcome {
    let (mut figures, mut rows, mut gains) = (Figures::default(), Vec::new(), Vec::new());
    println!(
        "{IMAGES} digits, {STEPS} steps, means of {seeds} seeds     without: train test     with: train test   better in"
    );
    for (k, (name, without, with)) in CURES.into_iter().enumerate() {
        let mut sums = [0.0; 4];
        let mut better = 0;
        for seed in 0..seeds {
            let [a, b] = [without, with].map(|run| outcome(run, seed));
            let row = [a[0], a[1], b[0], b[1]];
            better += u64::from(b[1] > a[1]);
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value / seeds as f64);
            gains.push((k as f64, 100.0 * (b[1] - a[1])));
            rows.push([k as f64, seed as f64, a[0], a[1], b[0], b[1]]);
        }
        let [train, test, cured_train, cured_test] = sums;
        println!(
            "  {name:10} {train:34.4} {test:.4} {cured_train:15.4} {cured_test:.4} {better:6} of {seeds}"
        );
        figures = figures
            .put(format!("{name}_gain"), cured_test - test)
            .put(format!("{name}_gap_less"), (train - test) - (cured_train - cured_test));
    }
    write_csv(out.join("overfitting_cures.csv"), "cure,seed,train,test,cured_train,cured_test", &rows)?;
    let names: Vec<String> = CURES.iter().enumerate().map(|(k, cure)| format!("{k} {}", cure.0)).collect();
    let chart = Chart::new(&names.join(", "), "points of test accuracy gained")
        .x(-0.5, 4.5)
        .thin(vec![[(-0.5, 0.0), (4.5, 0.0)]])
        .dots("", gains);
    figure(out.join("overfitting_cures.svg"), "Five cures for over-fitting, seed by seed", 1, &[chart])?;
    Ok(figures)
}

/// Accuracy in training and in test.
fn outcome(run: Run, seed: u64) -> [f64; 2] {
    let (train, test) = images(run.even, seed);
    let extras = Extras { norms: run.norms, dropout: None };
    let mut net = multi_layer_net(64, &[100; 3], Init::KaimingNormal, extras, &mut Rng::seed(seed));
    let (mut adam, mut sgd) = (Adam::new(0.003), Sgd::new(0.1));
    let (mut tape, mut rng) = (Tape::training(seed), Rng::seed(seed));
    let options = CrossEntropyOptions { label_smoothing: run.smoothing, ..Default::default() };
    for _ in 0..STEPS {
        let drawn: Vec<usize> = (0..run.batch).map(|_| rng.below(train.len())).collect();
        let batch = train.select(&drawn);
        let (_, gradients, ()) = tape.step(|tape| {
            let scores = net.forward(tape.constant(batch.inputs()));
            (scores.cross_entropy_with(batch.labels(), options.clone()), ())
        });
        match run.adam {
            true => adam.step(&mut net, &gradients),
            false => sgd.step(&mut net, &gradients),
        }
    }
    [accuracy(&net, &train), accuracy(&net, &test)]
}

/// As many images to train on either way; where they are uneven, nine of ten are of the digits 0 to 4. All others are to test.
fn images(even: bool, seed: u64) -> (Dataset, Dataset) {
    let all = digits::load().map_inputs(|x| x.reshape([1797, 64]));
    let (pool, test) = all.split(1000, &mut Rng::seed(seed));
    let mut left: [usize; 10] = std::array::from_fn(|class| match even {
        true => IMAGES / 10,
        false if class < 5 => 9 * IMAGES / 50,
        false => IMAGES / 50,
    });
    let chosen = (0..pool.len()).filter(|&i| {
        let left = &mut left[pool.get(i).1 as usize];
        let wanted = *left > 0;
        *left -= usize::from(wanted);
        wanted
    });
    let chosen: Vec<usize> = chosen.collect();
    (pool.select(&chosen), test)
}
