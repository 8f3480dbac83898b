//! Workloads of whole training steps.

use super::{
    kernels::{randn, random_indices},
    workload::Workload,
};
use gradus::prelude::*;
use std::hint::black_box;

/// A workload that takes a step of training: a classifier on one batch, again and again.
fn classifier<L: Layer + 'static, O: Optimizer + 'static>(
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
        Workload::new("adam_step_1M", || {
            let (mut param, gradient) = (Param::new(randn([1 << 20])), randn([1 << 20]));
            let (_, gradients, ()) =
                Tape::new().step(|tape| ((tape.param(&param) * tape.constant(gradient)).sum(), ()));
            let mut adam = Adam::new(1e-3);
            move || adam.step(&mut param, &gradients)
        }),
    ]
}
