//! The book's nets.

use gradus::prelude::*;

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
    let convolved = side - kernel + 1;
    let pooled = convolved / 2;
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
