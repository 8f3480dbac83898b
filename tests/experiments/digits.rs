//! The experiments on the embedded digits: 1400 to train on, 397 to judge by.

use crate::{
    nets::{Extras, multi_layer_net, simple_conv_net},
    rows::{self, Data},
    runs::{Outcome, train},
};
use gradus::{nn::data::digits, prelude::*};

pub(crate) fn flat_digits() -> Data {
    let digits = digits::load().map_inputs(|images| images.reshape([1797, 64]));
    let (train, test) = digits.split(1400, &mut Rng::seed(0));
    Data { train, test }
}

/// The book's net of chapter 4.
#[test]
fn two_layers_learn_the_digits() {
    let data = flat_digits();
    let mut net = multi_layer_net(64, &[50], Init::Normal(0.01), Extras::default(), &mut Rng::seed(1));
    train(&mut net, &mut Sgd::new(0.1), &data.train, 100, 1500, 1);
    let outcome = Outcome::of(&net, &data.train, &data.test);
    assert!(outcome.test > 0.93, "{outcome:?}");
}

/// With their usual learning rates the other optimizers are ahead of SGD after the same steps.
#[test]
fn momentum_adagrad_and_adam_are_ahead_of_sgd() {
    let [sgd, others @ ..] = rows::optimizers(&flat_digits(), 110);
    for other in others {
        assert!(other.test >= sgd.test + 0.03, "sgd {sgd:?}, {others:?}");
    }
}

/// Five layers with ReLU do not start to learn from small weights, and do best from He's.
#[test]
fn the_initial_scale_decides_whether_a_deep_net_learns() {
    let outcomes = rows::initial_scales(&flat_digits(), 440);
    let [small, xavier, he] = outcomes.map(|outcome| outcome.loss);
    assert!(small > 2.29 && xavier < 1.9 && he < 0.6 && he < xavier, "{outcomes:?}");
}

/// From small weights five layers learn only with batch normalisation.
#[test]
fn batch_norm_learns_from_any_initial_scale() {
    let data = flat_digits().few(1000);
    let [without, with] = rows::batch_norm(&data, 0.01, 200);
    assert!(without.train < 0.2 && with.train > 0.97, "{without:?} without, {with:?} with");
}

/// Few images and six layers: weight decay makes the gap between training and test accuracy smaller.
#[test]
fn weight_decay_narrows_the_gap() {
    let [without, with] = rows::weight_decay(&flat_digits().few(100), 0.03, 0.05, 300);
    assert!(without.gap() > with.gap() + 0.005, "{without:?} without, {with:?} with weight decay");
}

/// Dropout too; as in the book, mostly because it learns more slowly.
#[test]
fn dropout_narrows_the_gap() {
    let [without, with] = rows::dropout(&flat_digits().few(100), 0.02, 300);
    assert!(with.gap() < 0.8 * without.gap(), "{without:?} without, {with:?} with dropout");
}

/// The book's search: the learning rate is what matters, and the best are large ones.
#[test]
fn a_random_search_finds_the_learning_rates_that_work() {
    let few = flat_digits().few(500).train;
    let trials = rows::search(&few, &[100; 2], 30, 320);
    assert_eq!(trials.len(), 30);
    // From 1e-6 to 1e-2: without a connection the five best would all lie in the upper quarter once in a thousand times.
    assert!(trials[..5].iter().all(|trial| trial.params["lr"] > 1e-3), "{:?}", &trials[..5]);
    assert!(trials[0].score > trials[29].score + 0.3);
}

#[test]
fn training_stops_when_validation_gets_worse() {
    let stopped = rows::early_stopping(&flat_digits().few(300), 200);
    assert!(stopped.last < 200 && stopped.last == stopped.best + 10);
    assert!(stopped.best_loss < stopped.last_loss && stopped.test > 0.85);
}

/// The book's convolutional net of chapter 7, for 8x8 pixels.
#[test]
fn a_simple_convolutional_net() {
    let (train_data, test) = digits::load().split(1400, &mut Rng::seed(0));
    let mut net = simple_conv_net(8, &mut Rng::seed(1));
    train(&mut net, &mut Adam::new(0.001), &train_data, 100, 800, 1);
    let outcome = Outcome::of(&net, &train_data, &test);
    assert!(outcome.test > 0.93, "{outcome:?}");
}
