//! The same seed gives the same bits, on any number of threads.

use gradus_autograd::prelude::*;
use gradus_nn::{Adam, Conv2d, Flatten, Layer, Linear, MaxPool2d, Module, Optimizer, Relu, Sequential};

/// Trains a small net on batches large enough to be shared between threads.
fn train() -> Vec<Vec<f32>> {
    let mut rng = Rng::seed(1);
    let mut net = Sequential::new()
        .push(Conv2d::new(1, 16, 3, &mut rng).padding(1))
        .push(Relu)
        .push(MaxPool2d::new(2))
        .push(Conv2d::new(16, 16, 3, &mut rng).padding(1))
        .push(Relu)
        .push(Flatten)
        .push(Linear::new(16 * 14 * 14, 128, &mut rng))
        .push(Relu)
        .push(Linear::new(128, 10, &mut rng));
    let (mut adam, mut tape) = (Adam::new(1e-3), Tape::training(1));
    for _ in 0..3 {
        let x = Tensor::randn([64, 1, 28, 28], &mut rng);
        let labels: Indices = (0..64).map(|_| rng.below(10) as i32).collect();
        let (_, gradients, ()) =
            tape.step(|tape| (net.forward(tape.constant(&x)).cross_entropy(&labels), ()));
        adam.step(&mut net, &gradients);
    }
    net.params().iter().map(|(_, param)| param.value().to_vec()).collect()
}

#[test]
fn trained_weights_have_the_same_bits_on_any_number_of_threads() {
    let on = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(train);
    let one = on(1);
    assert_eq!(one, on(2));
    assert_eq!(one, on(5));
}
