//! The book's nets, and the third book's two large ones.

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

/// VGG16 (K. Simonyan, A. Zisserman, 2014), of the third book: thirteen convolutions of 3x3 in five groups with pooling behind
/// each, and three affine layers, for images of `[3, side, side]`. With their 224 pixels it has 138 357 544 parameters.
pub(crate) fn vgg16(side: usize, rng: &mut Rng) -> Sequential {
    let mut net = Sequential::new();
    let mut channels = 3;
    for (next, count) in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)] {
        for _ in 0..count {
            net = net.push(Conv2d::new(channels, next, 3, rng).padding(1)).push(Relu);
            channels = next;
        }
        net = net.push(MaxPool2d::new(2));
    }
    net = net.push(Flatten);
    for (inputs, outputs) in [(512 * (side / 32).pow(2), 4096), (4096, 4096)] {
        net = net.push(Linear::new(inputs, outputs, rng)).push(Relu).push(Dropout::new(0.5));
    }
    net.push(Linear::new(4096, 1000, rng))
}

/// ResNet50 (K. He and others, 2016), of the third book: four groups of blocks that make the channels fewer, convolve, and make
/// them four times as many, each with a way past it. 25 557 032 parameters, for images `[3, h, w]` of any size.
pub(crate) fn resnet50(rng: &mut Rng) -> Sequential {
    let mut conv = |inputs, outputs, kernel: usize, stride: usize| {
        let conv =
            Conv2d::new(inputs, outputs, kernel, rng).stride(stride).padding(kernel / 2).without_bias();
        Sequential::new().push(conv).push(BatchNorm2d::new(outputs))
    };
    let mut net = conv(3, 64, 7, 2).push(Relu).push(MaxPool2d::new(3).stride(2).padding(1));
    let mut channels = 64;
    for (width, first_stride, count) in [(64, 1, 3), (128, 2, 4), (256, 2, 6), (512, 2, 3)] {
        for i in 0..count {
            let stride = if i == 0 { first_stride } else { 1 };
            let narrow =
                conv(channels, width, 1, stride).push(Relu).push(conv(width, width, 3, 1)).push(Relu);
            let block = narrow.push(conv(width, 4 * width, 1, 1));
            net = if i == 0 {
                net.push(Residual::with_shortcut(block, conv(channels, 4 * width, 1, stride)))
            } else {
                net.push(Residual::new(block))
            };
            net = net.push(Relu);
            channels = 4 * width;
        }
    }
    net.push(GlobalAvgPool2d).push(Linear::new(channels, 1000, rng))
}
