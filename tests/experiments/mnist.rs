//! The experiments on MNIST, with the book's thresholds: see the head of `main.rs`. Most take only the 10 000 test images:
//! 8000 to train on and 2000 to judge by.

#![expect(clippy::print_stdout, reason = "the figures are what they are run for")]

use crate::{
    cures::Cures,
    nets::{Extras, multi_layer_net, simple_conv_net},
    rows::{self, Data},
    runs::{Outcome, train},
};
use gradus::{
    nn::data::{Dataset, mnist},
    prelude::*,
};
use std::{env, time::Instant};

/// The training and the test images.
fn images() -> (Dataset, Dataset) {
    let path = env::var("GRADUS_MNIST").expect("GRADUS_MNIST names the directory of MNIST's four files");
    mnist::load(path).unwrap_or_else(|error| panic!("{error}"))
}

fn flat(images: Dataset) -> Dataset {
    let n = images.len();
    images.map_inputs(|images| images.reshape([n, 784]))
}

/// 8000 and 2000 of the test images.
fn ten_thousand() -> Data {
    let (train, test) = flat(images().1).split(8000, &mut Rng::seed(0));
    Data { train, test }
}

fn sixty_thousand() -> Data {
    let (train, test) = images();
    Data { train: flat(train), test: flat(test) }
}

/// Prints what an experiment gave and how long it took.
fn timed<T>(name: &str, run: impl FnOnce() -> T, show: impl FnOnce(&T) -> String) -> T {
    let start = Instant::now();
    let result = run();
    println!("{name} ({:.1} s): {}", start.elapsed().as_secs_f64(), show(&result));
    result
}

fn show(outcome: &Outcome) -> String {
    let Outcome { train, test, loss } = outcome;
    format!("train {train:.4}, test {test:.4}, loss {loss:.4}")
}

fn show_all(outcomes: &[Outcome]) -> String {
    outcomes.iter().map(show).collect::<Vec<_>>().join("; ")
}

fn trained(mut net: impl Layer, data: &Data, steps: usize) -> Outcome {
    train(&mut net, &mut Sgd::new(0.1), &data.train, 100, steps, 1);
    Outcome::of(&net, &data.train, &data.test)
}

fn sigmoid_net() -> Sequential {
    let (mut rng, small) = (Rng::seed(1), Init::Normal(0.01));
    Sequential::new()
        .push(Linear::with_init(784, 50, small, &mut rng))
        .push(Sigmoid)
        .push(Linear::with_init(50, 10, small, &mut rng))
}

fn relu_net() -> Sequential {
    multi_layer_net(784, &[50], Init::Normal(0.01), Extras::default(), &mut Rng::seed(1))
}

/// Row 93.
#[test]
#[ignore = "it reads MNIST"]
fn two_layer_net() {
    let data = ten_thousand();
    let few = timed("two layers, ReLU, 8000 images", || trained(relu_net(), &data, 3000), show);
    assert!(few.test >= 0.915);
    let data = sixty_thousand();
    let sigmoid = timed("two layers, sigmoid", || trained(sigmoid_net(), &data, 10_000), show);
    let relu = timed("two layers, ReLU", || trained(relu_net(), &data, 10_000), show);
    assert!(sigmoid.test >= 0.94 && relu.test >= 0.965);
}

/// Row 94.
#[test]
#[ignore = "it reads MNIST"]
fn optimizers() {
    let data = ten_thousand();
    let [sgd, others @ ..] =
        timed("SGD, momentum, AdaGrad, Adam", || rows::optimizers(&data, 500), |o| show_all(o));
    assert!(others.iter().all(|other| other.test >= sgd.test + 0.03));
}

/// Row 95.
#[test]
#[ignore = "it reads MNIST"]
fn initial_scales() {
    let data = ten_thousand();
    let [small, xavier, he] =
        timed("std 0.01, Xavier, He", || rows::initial_scales(&data, 500), |o| show_all(o));
    assert!(small.loss > 2.25 && xavier.loss < 1.0 && he.loss < 0.45);
}

/// Row 96: sixteen scales from 1 to 1e-4, the book's figure as a table.
#[test]
#[ignore = "it reads MNIST"]
fn batch_norm() {
    let data = ten_thousand().few(1000);
    let [without, with] =
        timed("std 0.01 without and with norm", || rows::batch_norm(&data, 0.01, 200), |o| show_all(o));
    assert!(without.train <= 0.15 && with.train >= 0.98);
    println!("| std | without | with |\n|---|---|---|");
    for scale in 0..16 {
        let std = 10f32.powf(-4.0 * scale as f32 / 15.0);
        let [without, with] = rows::batch_norm(&data, std, 200);
        println!("| {std:.4} | {:.3} | {:.3} |", without.train, with.train);
    }
}

/// Row 97.
#[test]
#[ignore = "it reads MNIST"]
fn weight_decay() {
    let data = ten_thousand().few(300);
    let [without, with] =
        timed("weight decay 0, 0.1", || rows::weight_decay(&data, 0.1, 0.01, 603), |o| show_all(o));
    assert!(without.gap() >= 0.17 && with.gap() <= without.gap() - 0.02);
}

/// Row 98.
#[test]
#[ignore = "it reads MNIST"]
fn dropout() {
    let data = ten_thousand().few(300);
    let [without, with] = timed("dropout 0, 0.2", || rows::dropout(&data, 0.01, 903), |o| show_all(o));
    assert!(with.gap() <= 0.8 * without.gap());
}

/// Row 99.
#[test]
#[ignore = "it reads MNIST"]
fn search() {
    let few = ten_thousand().few(500).train;
    let trials = timed(
        "search of 100 trials",
        || rows::search(&few, &[100; 6], 100, 200),
        |trials| {
            let line = |trial: &gradus::nn::train::Trial| {
                let (lr, decay) = (trial.params["lr"], trial.params["weight_decay"]);
                format!("\n  {:.3} at lr {lr:.2e}, weight decay {decay:.1e}", trial.score)
            };
            trials[..10].iter().map(line).collect()
        },
    );
    assert!(trials.len() == 100 && (1e-3..=1e-2).contains(&trials[0].params["lr"]));
}

/// Row 100.
#[test]
#[ignore = "it reads MNIST"]
fn early_stopping() {
    let data = ten_thousand().few(500);
    let stopped = timed(
        "early stopping",
        || rows::early_stopping(&data, 200),
        |s| {
            format!(
                "epoch {} of {}, validation loss {:.3}, then {:.3}; test {:.4}",
                s.best, s.last, s.best_loss, s.last_loss, s.test
            )
        },
    );
    assert!(stopped.last < 200 && stopped.best_loss < stopped.last_loss);
}

/// Row 103.
#[test]
#[ignore = "it reads MNIST"]
fn cures() {
    let data = ten_thousand();
    let cures = timed(
        "cures for over-fitting",
        || Cures::try_all(&data.few(300), &data, 0.01, 603),
        |cures| format!("\n{cures}"),
    );
    let before = cures.of("none");
    let better = |cure| cures.of(cure).gap() < before.gap() - 0.02;
    assert!(["dropout 0.2", "weight decay 0.1", "more examples"].into_iter().all(better));
}

/// Row 105.
#[test]
#[ignore = "it reads MNIST"]
fn simple_convolutional_net() {
    let (train_data, test) = images().1.split(8000, &mut Rng::seed(0));
    let mut net = simple_conv_net(28, &mut Rng::seed(1));
    assert_eq!(net.param_count(), 433_890);
    let outcome = timed(
        "convolutional net",
        || {
            train(&mut net, &mut Adam::new(0.001), &train_data, 100, 1600, 1);
            Outcome::of(&net, &train_data, &test)
        },
        show,
    );
    assert!(outcome.test >= 0.95);
}

/// Rows 92 and 105: weights as NumPy saves them.
mod npz {
    use super::*;
    use crate::nets::deep_conv_net;
    use gradus::nn::data::npy::npz;

    /// The weights of a convolutional net written and read again.
    #[test]
    #[ignore = "it reads MNIST"]
    fn a_convolutional_net_from_its_weights() {
        let (_, test) = images().1.split(8000, &mut Rng::seed(0));
        let [net, mut copy] = [1, 2].map(|seed| simple_conv_net(28, &mut Rng::seed(seed)));
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("net.npz");
        let params = net.params();
        npz::write(&path, params.iter().map(|(name, param)| (name.clone(), param.value())))
            .expect("it can be written");
        let read = npz::read(&path).expect("it can be read");
        copy.params_mut().into_iter().for_each(|(name, param)| *param.value_mut() = read[&name].clone());
        let few = test.inputs().slice(0, ..100);
        assert_eq!(copy.forward(few.clone()), net.forward(few));
    }

    /// Row 106: weights and images of 16 bits cost the deep net at most 0.001 of the 10 000 test images.
    #[test]
    #[ignore = "it reads MNIST"]
    fn half_precision() {
        let (train_data, test) = images();
        let mut net = deep_conv_net(28, &mut Rng::seed(1));
        train(&mut net, &mut Adam::new(0.001), &train_data, 100, 600, 1);
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("half.npz");
        let params = net.params();
        let arrays = params.iter().map(|(name, param)| (name.clone(), param.value()));
        npz::write_half(&path, arrays.chain([("x".to_owned(), test.inputs())])).expect("it can be written");
        let read = npz::read(&path).expect("it can be read");
        let mut half = net.clone();
        half.params_mut().into_iter().for_each(|(name, param)| *param.value_mut() = read[&name].clone());
        let rounded = Dataset::new(read["x"].clone(), test.labels().clone());
        let [whole, halved] =
            [(&net, &test), (&half, &rounded)].map(|(net, test)| Outcome::of(net, test, test));
        println!("deep net: {:.4} in 32 bits, {:.4} in 16", whole.test, halved.test);
        assert!(whole.test > 0.95 && (whole.test - halved.test).abs() <= 0.001);
    }

    /// The book's trained net of three layers, whose accuracy on the 10 000 test images it prints: 0.9352. Its weights are
    /// in the file that `GRADUS_BOOK_WEIGHTS` names, `sample_weight.pkl` converted to npz.
    #[test]
    #[ignore = "it reads MNIST and the book's weights"]
    fn the_books_trained_net() {
        let path =
            env::var("GRADUS_BOOK_WEIGHTS").expect("GRADUS_BOOK_WEIGHTS names the book's weights as npz");
        let weights = npz::read(path).unwrap_or_else(|error| panic!("{error}"));
        // The book's matrices are [in, out].
        let layer = |k: usize| {
            let (weight, bias) =
                (weights[&format!("W{k}")].t().contiguous(), weights[&format!("b{k}")].clone());
            Linear { weight: Param::new(weight), bias: Some(Param::new(bias)) }
        };
        let net = Sequential::new().push(layer(1)).push(Sigmoid).push(layer(2)).push(Sigmoid).push(layer(3));
        let test = flat(images().1);
        let outcome = Outcome::of(&net, &test, &test);
        println!("the book's weights: {}", outcome.test);
        assert_eq!(outcome.test, 0.9352);
    }
}
