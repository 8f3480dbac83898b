//! The book's nets, its way to train them, and its smooth curves.

use gradus::{nn::data::Dataset, prelude::*};

/// What stands beside the affine layers of a [`multi_layer_net`].
#[derive(Clone, Copy, Default)]
pub(crate) struct Extras {
    /// Batch normalisation before every activation.
    pub(crate) norms: bool,
    /// Dropout after every activation, with this probability, in the book's form.
    pub(crate) dropout: Option<f32>,
}

/// The book's `MultiLayerNetExtend`: hidden layers of these sizes with ReLU, and ten classes.
pub(crate) fn multi_layer_net(
    inputs: usize,
    hidden: &[usize],
    init: Init,
    extras: Extras,
    rng: &mut Rng,
) -> Sequential {
    let mut net = Sequential::new();
    let mut size = inputs;
    for &next in hidden {
        net = net.push(Linear::with_init(size, next, init, rng));
        if extras.norms {
            net = net.push(BatchNorm1d::new(next).eps(1e-6));
        }
        net = net.push(Relu);
        if let Some(p) = extras.dropout {
            net = net.push(Dropout::new(p).scaled_in_evaluation());
        }
        size = next;
    }
    net.push(Linear::with_init(size, 10, init, rng))
}

/// The net of chapter 3, which comes with weights: 784-50-100-10 with sigmoids.
pub(crate) fn three_layer_net(inputs: usize, rng: &mut Rng) -> Sequential {
    let init = Init::ScaledNormal(gradus::nn::init::Fan::In, 1.0);
    Sequential::new()
        .push(Flatten)
        .push(Linear::with_init(inputs, 50, init, rng))
        .push(Sigmoid)
        .push(Linear::with_init(50, 100, init, rng))
        .push(Sigmoid)
        .push(Linear::with_init(100, 10, init, rng))
}

/// The `SimpleConvNet` of chapter 7: convolution, ReLU, pooling, affine, ReLU, affine. For images of 28 pixels it has 30
/// filters of 5x5, for smaller ones 30 of 3x3.
pub(crate) fn simple_conv_net(side: usize, rng: &mut Rng) -> Sequential {
    let (kernel, init) = (if side == 28 { 5 } else { 3 }, Init::Normal(0.01));
    let pooled = (side - kernel + 1) / 2;
    Sequential::new()
        .push(Conv2d::with_init(1, 30, kernel, init, rng))
        .push(Relu)
        .push(MaxPool2d::new(2))
        .push(Flatten)
        .push(Linear::with_init(30 * pooled * pooled, 100, init, rng))
        .push(Relu)
        .push(Linear::with_init(100, 10, init, rng))
}

/// The `DeepConvNet` of chapter 8: three times two convolutions of 3x3 and pooling, then two affine layers. Dropout stands
/// behind both, the last too, as in the book. For images of 28 pixels the fourth convolution pads by 2.
pub(crate) fn deep_conv_net(side: usize, rng: &mut Rng) -> Sequential {
    let he = Init::KaimingNormal;
    let mut net = Sequential::new();
    let mut channels = 1;
    for (i, next) in [16, 16, 32, 32, 64, 64].into_iter().enumerate() {
        let padding = if side == 28 && i == 3 { 2 } else { 1 };
        net = net.push(Conv2d::with_init(channels, next, 3, he, rng).padding(padding)).push(Relu);
        if i % 2 == 1 {
            net = net.push(MaxPool2d::new(2));
        }
        channels = next;
    }
    let dropout = || Dropout::new(0.5).scaled_in_evaluation();
    // 28, 14, then 16 with the padding, 8, 4; or 8, 4, 2, 1.
    let last = if side == 28 { 4 } else { side / 8 };
    net.push(Flatten)
        .push(Linear::with_init(64 * last * last, 50, he, rng))
        .push(Relu)
        .push(dropout())
        .push(Linear::with_init(50, 10, he, rng))
        .push(dropout())
}

/// So many steps, each on a batch drawn with replacement, as the book draws them. After each `look` gets its number, from
/// 1 on, the loss of its batch and the net.
pub(crate) fn train<N: Layer>(
    net: &mut N,
    optimizer: &mut impl Optimizer,
    data: &Dataset,
    batch: usize,
    steps: usize,
    mut look: impl FnMut(usize, f64, &N),
) {
    let mut rng = Rng::seed(1);
    let mut tape = Tape::training(1);
    for step in 1..=steps {
        let drawn: Vec<usize> = (0..batch).map(|_| rng.below(data.len())).collect();
        let batch = data.select(&drawn);
        let (loss, gradients, ()) =
            tape.step(|tape| (net.forward(tape.constant(batch.inputs())).cross_entropy(batch.labels()), ()));
        optimizer.step(net, &gradients);
        look(step, f64::from(loss), net);
    }
}

/// The share of the images whose class a net gets right, computed on plain tensors.
pub(crate) fn accuracy(net: &impl Layer, data: &Dataset) -> f64 {
    metrics::accuracy(&metrics::predict(net, data.inputs(), 500), data.labels())
}

/// The book's `smooth_curve`: means over eleven values, weighted by a Kaiser window with β = 2; the ends are mirrored.
pub(crate) fn smooth_curve(curve: &[f64]) -> Vec<f64> {
    // I₀, the modified Bessel function: the sum of ((x/2)^k / k!)².
    let bessel = |x: f64| {
        let term = |last: &mut f64, k: i32| {
            *last *= (0.5 * x / f64::from(k)).powi(2);
            Some(*last)
        };
        1.0 + (1..30).scan(1.0, term).sum::<f64>()
    };
    let weights: [f64; 11] =
        std::array::from_fn(|k| bessel(2.0 * (1.0 - (k as f64 / 5.0 - 1.0).powi(2)).sqrt()));
    let total: f64 = weights.iter().sum();
    let n = curve.len() as i64;
    // -1 is 1, and n is n - 2; what is still outside stays at the end.
    let mirrored = |i: i64| curve[(if i < n { i.abs() } else { 2 * (n - 1) - i }).clamp(0, n - 1) as usize];
    let mean =
        |i: i64| (-5..=5).zip(weights).map(|(by, weight)| weight * mirrored(i + by)).sum::<f64>() / total;
    (0..n).map(mean).collect()
}
