//! Workloads of whole training steps.

use super::{
    kernels::{randn, random_indices},
    workload::Workload,
};
use gradus::prelude::*;
use std::hint::black_box;

/// A workload that takes a step of training: a classifier on one batch, again and again.
pub(super) fn classifier<L: Layer + 'static, O: Optimizer + 'static>(
    name: &str,
    inputs: impl Fn() -> Tensor + 'static,
    model: impl Fn(&mut Rng) -> L + 'static,
    optimizer: impl Fn() -> O + 'static,
) -> Workload {
    Workload::new(name, move || {
        let (mut net, mut optimizer) = (model(&mut Rng::seed(0)), optimizer());
        let x = inputs();
        let labels = random_indices(x.size(0), 10);
        let mut tape = Tape::training(0);
        move || {
            let (loss, gradients, ()) =
                tape.step(|tape| (net.forward(tape.constant(&x)).cross_entropy(&labels), ()));
            optimizer.step(&mut net, &gradients);
            black_box(loss);
        }
    })
}

/// The book's deep net of chapter 8, for images of 28 x 28.
pub(super) fn deep_conv_net(rng: &mut Rng) -> Sequential {
    let mut net = Sequential::new();
    for (inputs, outputs, padding) in
        [(1, 16, 1), (16, 16, 1), (16, 32, 1), (32, 32, 2), (32, 64, 1), (64, 64, 1)]
    {
        net = net.push(Conv2d::new(inputs, outputs, 3, rng).padding(padding)).push(Relu);
        if inputs == outputs {
            net = net.push(MaxPool2d::new(2));
        }
    }
    net.push(Flatten)
        .push(Linear::new(64 * 4 * 4, 50, rng))
        .push(Relu)
        .push(Dropout::new(0.5))
        .push(Linear::new(50, 10, rng))
        .push(Dropout::new(0.5))
}

pub(crate) fn workloads() -> Vec<Workload> {
    let images = || randn([100, 1, 28, 28]);
    vec![
        classifier(
            "train_two_layer_net_b100",
            || randn([100, 784]),
            |rng| {
                Sequential::new().push(Linear::new(784, 50, rng)).push(Sigmoid).push(Linear::new(50, 10, rng))
            },
            || Sgd::new(0.1),
        ),
        classifier(
            "train_mlp_784_1024_1024_10_b128_adam",
            || randn([128, 784]),
            |rng| {
                Sequential::new()
                    .push(Linear::new(784, 1024, rng))
                    .push(Relu)
                    .push(Linear::new(1024, 1024, rng))
                    .push(Relu)
                    .push(Linear::new(1024, 10, rng))
            },
            || Adam::new(0.001),
        ),
        classifier(
            "train_simple_convnet_b100_adam",
            images,
            |rng| {
                Sequential::new()
                    .push(Conv2d::new(1, 30, 5, rng))
                    .push(Relu)
                    .push(MaxPool2d::new(2))
                    .push(Flatten)
                    .push(Linear::new(30 * 12 * 12, 100, rng))
                    .push(Relu)
                    .push(Linear::new(100, 10, rng))
            },
            || Adam::new(0.001),
        ),
        classifier("train_deep_convnet_b100_adam", images, deep_conv_net, || Adam::new(0.001)),
        classifier(
            "train_bn_mlp_5x100_b100_sgd",
            || randn([100, 784]),
            |rng| {
                let block = |net: Sequential, inputs, rng: &mut Rng| {
                    net.push(Linear::new(inputs, 100, rng)).push(BatchNorm1d::new(100)).push(Relu)
                };
                let hidden = (1..5).fold(block(Sequential::new(), 784, rng), |net, _| block(net, 100, rng));
                hidden.push(Linear::new(100, 10, rng))
            },
            || Sgd::new(0.01),
        ),
        Workload::new("train_resnet_block_b16_c64_h28_bn", || {
            let rng = &mut Rng::seed(0);
            let mut conv = || Conv2d::new(64, 64, 3, rng).padding(1).without_bias();
            let block = Sequential::new()
                .push(conv())
                .push(BatchNorm2d::new(64))
                .push(Relu)
                .push(conv())
                .push(BatchNorm2d::new(64));
            let mut net = Sequential::new().push(Residual::new(block)).push(Relu);
            let x = randn([16, 64, 28, 28]);
            let (mut sgd, mut tape) = (Sgd::new(0.01).momentum(0.9), Tape::training(0));
            move || {
                let (loss, gradients, ()) =
                    tape.step(|tape| (net.forward(tape.constant(&x)).square().mean(), ()));
                sgd.step(&mut net, &gradients);
                black_box(loss);
            }
        }),
        Workload::new("adam_step_1M", || {
            let (mut param, gradient) = (Param::new(randn([1 << 20])), randn([1 << 20]));
            let (_, gradients, ()) =
                Tape::new().step(|tape| ((tape.param(&param) * tape.constant(gradient)).sum(), ()));
            let mut adam = Adam::new(1e-3);
            move || adam.step(&mut param, &gradients)
        }),
    ]
}
