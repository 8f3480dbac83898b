//! The gradient check of whole models, every parameter differenced.

use gradus_autograd::{
    check::{GradCheck, Report},
    prelude::*,
};
use gradus_nn::{Conv2d, Flatten, Layer, Linear, MaxPool2d, Module, Relu, Sequential, Sigmoid};

fn check(check: &GradCheck, net: &Sequential, images: Tensor) -> Report {
    let labels = Indices::from((0..images.size(0) as i32).map(|i| i % 10).collect::<Vec<_>>());
    check.params(&net.params(), &Tape::new(), |tape| {
        net.forward(tape.constant(&images)).cross_entropy(&labels)
    })
}

const IN_FULL: GradCheck =
    GradCheck { seed: 0, elements: usize::MAX, directions: 3, tolerance: 1e-3, strict: false, order: 1 };

/// 39 760 parameters: the book's net of chapter 4, on ten images.
fn book_net() -> (Sequential, Tensor) {
    let mut rng = Rng::seed(1);
    let net = Sequential::new()
        .push(Linear::new(784, 50, &mut rng))
        .push(Sigmoid)
        .push(Linear::new(50, 10, &mut rng));
    (net, Tensor::uniform([10, 784], 0.0, 1.0, &mut rng))
}

/// `cargo test --release -p gradus-nn --test suite gradcheck:: -- --ignored --nocapture` on a quiet machine.
#[test]
#[ignore = "it measures time"]
#[expect(clippy::print_stdout, reason = "the times are what it is for")]
fn a_check_is_quick() {
    let (net, images) = book_net();
    let (conv, small_images) = convolutional_net();
    for (name, settings, net, images, most) in [
        ("784-50-10, sampled", &GradCheck::default(), &net, &images, 2.0),
        ("784-50-10, in full", &IN_FULL, &net, &images, 10.0),
        ("convolutional, sampled", &GradCheck::default(), &conv, &small_images, 2.0),
        ("convolutional, in full", &IN_FULL, &conv, &small_images, 30.0),
    ] {
        let report = check(settings, net, images.clone());
        println!("{name}: {} parameters, {:.2} s", net.param_count(), report.seconds);
        assert!(report.passed() && report.seconds < most, "{report}");
    }
}

#[test]
fn every_parameter_of_the_books_net() {
    let (net, images) = book_net();
    assert_eq!(net.param_count(), 39_760);
    let sampled = check(&GradCheck::default(), &net, images.clone());
    assert!(sampled.passed(), "{sampled}");
    let full = check(&IN_FULL, &net, images);
    assert!(full.passed(), "{full}");
    assert_eq!(full.rows.iter().map(|row| row.differenced).sum::<usize>(), 39_760);
}

/// About 10 000 parameters, on four images.
fn convolutional_net() -> (Sequential, Tensor) {
    let mut rng = Rng::seed(1);
    let net = Sequential::new()
        .push(Conv2d::new(1, 8, 3, &mut rng).padding(1))
        .push(Relu)
        .push(MaxPool2d::new(2))
        .push(Conv2d::new(8, 16, 3, &mut rng).padding(1))
        .push(Relu)
        .push(MaxPool2d::new(2))
        .push(Flatten)
        .push(Linear::new(784, 11, &mut rng))
        .push(Relu)
        .push(Linear::new(11, 10, &mut rng));
    (net, Tensor::uniform([4, 1, 28, 28], 0.0, 1.0, &mut rng))
}

#[test]
fn every_parameter_of_a_convolutional_net() {
    let (net, images) = convolutional_net();
    assert!((9_900..10_100).contains(&net.param_count()), "{}", net.param_count());
    let report = check(&IN_FULL, &net, images);
    assert!(report.passed(), "{report}");
    assert_eq!(report.rows.iter().map(|row| row.differenced).sum::<usize>(), net.param_count());
}
