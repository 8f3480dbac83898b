//! Gradients of batches in shards: those of the whole batch, with the same bits on any number of threads.

use gradus_autograd::ops::loss::CrossEntropyOptions;
use gradus_autograd::prelude::*;
use gradus_nn::{
    Adam, Layer, Linear, Module, Sgd,
    data::{Dataset, digits},
    flatten,
    train::{Trainer, shard_gradients},
};
use gradus_tensor::threads::with_threads;

use crate::training::{convnet, cross_entropy};

#[test]
fn shards_have_the_same_bits_on_any_number_of_threads() {
    let (train, _) = digits::load().split(300, &mut Rng::seed(0));
    let run = |threads, shards| {
        with_threads(threads, || {
            let (mut trainer, mut net) = (Trainer::new(Adam::new(0.01), 50, 3).shards(shards), convnet(5));
            trainer.fit(&mut net, &train, 1, cross_entropy, &mut []);
            flatten(&net)
        })
    };
    let four = run(1, 4);
    assert_eq!(four, run(2, 4));
    assert_eq!(four, run(5, 4));
    // Other sums are rounded otherwise, and not far from these.
    let one = run(2, 1);
    assert_ne!(four, one);
    assert!((four - one).abs().max().item() < 1e-2);
}

#[test]
fn the_gradient_of_shards_is_that_of_the_batch() {
    let (data, _) = digits::load().split(37, &mut Rng::seed(0));
    let net = convnet(6);
    let of = |shards: u64| {
        let seeds: Vec<u64> = (0..shards).collect();
        shard_gradients(&net, data.inputs(), data.labels(), &seeds, cross_entropy)
    };
    let (loss, gradients) = of(1);
    for shards in [2, 5, 37, 100] {
        let (other_loss, other) = of(shards);
        assert!((loss - other_loss).abs() < 1e-6 * loss);
        for (name, param) in net.params() {
            let scale = gradients[param].abs().max().item();
            let error = (&gradients[param] - &other[param]).abs().max().item();
            assert!(error < 1e-5 * scale, "{name} in {shards} shards: {error} of {scale}");
        }
    }
}

/// Labels of which some are ignored, in one shard altogether, and weights of classes.
#[test]
fn shards_weigh_what_their_means_are_taken_over() {
    let (data, _) = digits::load().split(24, &mut Rng::seed(0));
    let labels: Indices =
        data.labels().iter().enumerate().map(|(i, l)| if i < 7 || i % 5 == 0 { -100 } else { l }).collect();
    let options = CrossEntropyOptions {
        ignore_index: Some(-100),
        class_weights: Some(Tensor::linspace(0.2, 3.0, 10)),
        ..Default::default()
    };
    let net = convnet(6);
    let of = |shards: u64| {
        let seeds: Vec<u64> = (0..shards).collect();
        shard_gradients(&net, data.inputs(), &labels, &seeds, |y, l| y.cross_entropy_with(l, options.clone()))
    };
    let (loss, gradients) = of(1);
    for shards in [2, 4, 24] {
        let (other_loss, other) = of(shards);
        assert!((loss - other_loss).abs() < 1e-6 * loss, "{shards} shards: {other_loss}, not {loss}");
        for (name, param) in net.params() {
            let scale = gradients[param].abs().max().item();
            let error = (&gradients[param] - &other[param]).abs().max().item();
            assert!(error < 1e-5 * scale, "{name} in {shards} shards: {error} of {scale}");
        }
        assert_eq!(gradients.weight().map(|w| (1e6 * w).round()), other.weight().map(|w| (1e6 * w).round()));
    }
}

#[test]
fn a_batch_of_ignored_labels_alone_counts_for_nothing() {
    let x = Tensor::randn([6, 3], &mut Rng::seed(1));
    // In batches of one or two some have no label.
    let labels = Indices::from([0, -100, -100, -100, 1, -100]);
    let ignore = || CrossEntropyOptions { ignore_index: Some(-100), ..Default::default() };
    for shards in [1, 2] {
        let mut net = Linear::new(3, 2, &mut Rng::seed(2));
        let mut trainer = Trainer::new(Sgd::new(0.0), 2, 3).shards(shards);
        let data = Dataset::new(x.clone(), labels.clone());
        trainer.fit(&mut net, &data, 2, |y, l| y.cross_entropy_with(l, ignore()), &mut []);
        // Nothing moves, so the epoch's loss is that of all examples at once.
        let whole = f64::from(net.forward(x.clone()).cross_entropy_with(&labels, ignore()).item());
        for loss in trainer.history().column("loss") {
            assert!((loss - whole).abs() < 1e-6 * whole, "{loss}, not {whole}");
        }
    }
}
