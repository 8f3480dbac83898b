//! What layers promise beside their gradients: initial values, conventions, what is random, and what they refuse.

use gradus_autograd::{eager, prelude::*};
use gradus_nn::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn rng() -> Rng {
    Rng::seed(0)
}

/// Mean and standard deviation.
fn moments(x: &Tensor) -> (f64, f64) {
    let n = x.numel() as f64;
    let mean = x.iter().map(f64::from).sum::<f64>() / n;
    (mean, (x.iter().map(|x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n).sqrt())
}

/// Uniform between plus and minus the bound: within it, near it somewhere, and of its variance within four standard
/// errors.
#[track_caller]
fn assert_uniform(x: &Tensor, bound: f64) {
    let largest = x.iter().fold(0.0f64, |largest, x| largest.max(f64::from(x.abs())));
    assert!(largest <= bound * (1.0 + 1e-6) && largest > 0.95 * bound, "{largest} of {bound}");
    let variance = x.iter().map(|x| f64::from(x).powi(2)).sum::<f64>() / x.numel() as f64;
    let error = 4.0 * (0.8 / x.numel() as f64).sqrt();
    assert!((variance * 3.0 / (bound * bound) - 1.0).abs() < error, "{variance} for a bound of {bound}");
}

/// PyTorch draws weight and bias of its linear and convolution layers from ±1/√fan_in, the fan that of the weight's axes but
/// the first. It is so for transposed convolutions too, whose first axis is that of the inputs.
#[test]
fn initial_values_are_pytorchs() {
    let rng = &mut rng();
    let bias = |bias: &Option<Param>| bias.as_ref().unwrap().value().clone();
    let layer = Conv2d::grouped(16, 64, [3, 5], 4, rng);
    assert_eq!(layer.weight.value().shape(), &[64, 4, 3, 5]);
    assert_uniform(layer.weight.value(), 1.0 / 60f64.sqrt());
    assert_uniform(&bias(&layer.bias), 1.0 / 60f64.sqrt());
    let layer = ConvTranspose2d::grouped(24, 64, [2, 3], 4, rng);
    assert_eq!(layer.weight.value().shape(), &[24, 16, 2, 3]);
    assert_uniform(layer.weight.value(), 1.0 / 96f64.sqrt());
    assert_uniform(&bias(&layer.bias), 1.0 / 96f64.sqrt());
    let layer = Conv1d::new(8, 40, 5, rng);
    assert_uniform(layer.weight.value(), 1.0 / 40f64.sqrt());
    let he = Conv2d::with_init(8, 40, 3, Init::KaimingNormal, rng);
    let (_, std) = moments(he.weight.value());
    assert!((std / (2.0f64 / 72.0).sqrt() - 1.0).abs() < 0.05 && bias(&he.bias) == Tensor::zeros([40]));

    let (mean, std) = moments(Embedding::new(100, 100, rng).weight.value());
    assert!(mean.abs() < 0.04 && (std - 1.0).abs() < 0.04, "{mean}, {std}");
    assert_eq!(Embedding::new(3, 2, rng).padding_index(1).weight.value().get([1, 0]), 0.0);

    let norm = BatchNorm2d::new(3);
    for (param, value) in norm.params().into_iter().zip([1.0, 0.0, 0.0, 1.0]) {
        assert_eq!(param.1.value(), &Tensor::full([3], value), "{}", param.0);
    }
    assert_eq!(norm.num_batches_tracked.value(), &Tensor::scalar(0.0));
    assert_eq!(InstanceNorm2d::new(3).params().len(), 0);
    assert_eq!(PRelu::new(3).weight.value(), &Tensor::full([3], 0.25));
}

#[test]
fn a_batch_is_brought_to_mean_0_and_variance_1() {
    let x = Tensor::randn([16, 3, 4, 4], &mut rng()) * 7.0 + 100.0;
    let tape = Tape::training(0);
    let y = BatchNorm2d::new(3).forward(tape.constant(&x)).value();
    for channel in 0..3 {
        let (mean, std) = moments(&y.slice(1, channel..channel + 1));
        assert!(mean.abs() < 1e-5 && (std - 1.0).abs() < 1e-4, "{mean}, {std}");
    }
    // A new layer's averages are 0 and 1: evaluation leaves x as it is, but for eps.
    let y = BatchNorm2d::new(3).forward(x.clone());
    assert!((y - x).abs().iter().all(|d| d < 2e-3));
}

#[test]
fn dropout_keeps_the_expectation_in_both_forms() {
    let (n, p) = (40_000, 0.3f32);
    let x = Tensor::full([n], 2.0);
    // Of n zeros and ones: three standard deviations.
    let error = 3.0 * (f64::from(p * (1.0 - p)) * n as f64).sqrt();
    for (dropout, kept) in [(Dropout::new(p), 2.0 / 0.7f32), (Dropout::new(p).scaled_in_evaluation(), 2.0)] {
        let tape = Tape::training(1);
        let x = tape.var(&x);
        let y = dropout.forward(x);
        let value = y.value();
        let zeros = value.iter().filter(|&y| y == 0.0).count() as f64;
        assert!((zeros - f64::from(p) * n as f64).abs() < error, "{zeros} zeros");
        assert!(value.iter().all(|y| y == 0.0 || (y - kept).abs() < 1e-6), "{dropout:?}");
        // The backward pass has the same mask; the next forward pass has another.
        assert_eq!(y.sum().backward()[x], value * 0.5);
        assert!(dropout.forward(x).value() != y.value());
        let again = Tape::training(1);
        assert_eq!(dropout.forward(again.constant(Tensor::full([n], 2.0))).value(), y.value());
    }
    assert_eq!(Dropout::new(p).forward(x.clone()), x);
    assert_eq!(Dropout::new(0.25).scaled_in_evaluation().forward(x), Tensor::full([n], 1.5));
}

#[test]
fn random_slopes_lie_between_their_bounds() {
    let tape = Tape::training(1);
    let layer = RRelu::default();
    let slopes = layer.forward(tape.constant(Tensor::full([10_000], -1.0))).value() * -1.0;
    let (mean, std) = moments(&slopes);
    let (low, high) = (1.0 / 8.0, 1.0 / 3.0);
    assert!(
        slopes.iter().all(|s| (low..=high).contains(&f64::from(s)) || (f64::from(s) - high).abs() < 1e-7)
    );
    // Four standard errors of a uniform distribution's mean and standard deviation.
    assert!((mean - (low + high) / 2.0).abs() < 4.0 * (high - low) / 12f64.sqrt() / 100.0, "{mean}");
    assert!((std - (high - low) / 12f64.sqrt()).abs() < 0.02 * std, "{std}");
    assert_eq!(layer.forward(tape.constant([2.0, 0.0])).value().to_vec(), [2.0, 0.0]);
}

#[test]
fn gates_have_their_truth_tables() {
    // The book's order of inputs: (0,0), (1,0), (0,1), (1,1).
    let x = Tensor::from([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]);
    for (gate, table) in [
        (gates::and(), [0.0, 0.0, 0.0, 1.0]),
        (gates::nand(), [1.0, 1.0, 1.0, 0.0]),
        (gates::or(), [0.0, 1.0, 1.0, 1.0]),
        (gates::xor(), [0.0, 1.0, 1.0, 0.0]),
    ] {
        let y = gate.forward(x.clone());
        assert_eq!((&y.shape()[..], y.to_vec()), (&[4, 1][..], table.to_vec()));
    }
    // Computed in f64 from Ng's numbers.
    for (found, expected) in gates::xnor().forward(x).iter().zip([0.99995456, 4.548e-5, 4.548e-5, 0.99995456])
    {
        assert!((f64::from(found) - expected).abs() <= 1.2e-7, "{found} is not {expected}");
    }
    assert_eq!(Step.forward(Tensor::from([-1.0, 0.0, 1e-30])).to_vec(), [0.0, 0.0, 1.0]);
}

/// The notes' example of a transposed convolution; and <conv x, y> = <x, transposed y> for one weight in both.
#[test]
fn transposed_convolution_is_the_adjoint() {
    let mut layer = ConvTranspose2d::new(1, 1, 3, &mut rng()).without_bias();
    layer.weight = Param::new(Tensor::ones([1, 1, 3, 3]));
    let y = layer.forward(Tensor::from([[[[1.0, 2.0], [3.0, 4.0]]]]));
    let expected = [1, 3, 3, 2, 4, 10, 10, 6, 4, 10, 10, 6, 3, 7, 7, 4].map(|x| x as f32);
    assert_eq!(y, Tensor::new(expected, [1, 1, 4, 4]));

    let rng = &mut rng();
    let conv = Conv2d::new(3, 2, [3, 2], rng).stride([2, 1]).padding(1).without_bias();
    let mut transposed = ConvTranspose2d::new(2, 3, [3, 2], rng).stride([2, 1]).padding(1).without_bias();
    transposed.weight = conv.weight.clone();
    let x = Tensor::randn([2, 3, 7, 5], rng);
    let forward = conv.forward(x.clone());
    let y = Tensor::randn(forward.shape(), rng);
    let inner = |a: &Tensor, b: &Tensor| {
        a.iter().zip(b.iter()).map(|(a, b)| f64::from(a) * f64::from(b)).sum::<f64>()
    };
    let (left, right) = (inner(&forward, &y), inner(&x, &transposed.forward(y.clone())));
    // Some hundred products of numbers about 1.
    assert!((left - right).abs() < 1e-4, "{left}, {right}");
}

/// Of a deep sigmoid network, whose gradient vanishes on its way down, residual blocks keep it alive.
#[test]
fn a_gradient_survives_twenty_residual_blocks() {
    fn norm_of_first(net: &Sequential, x: &Tensor) -> f64 {
        let (_, gradients, ()) = Tape::new().step(|tape| (net.forward(tape.constant(x)).square().mean(), ()));
        let (_, first) = net.params()[0];
        gradients[first].iter().map(|g| f64::from(g).powi(2)).sum::<f64>().sqrt()
    }
    let build = |residual: bool| {
        let rng = &mut rng();
        (0..20).fold(Sequential::new(), |net, _| {
            let layer = Linear::with_init(16, 16, Init::XavierNormal, rng);
            let block = Sequential::new().push(layer).push(Sigmoid);
            if residual { net.push(Residual::new(block)) } else { net.push(block) }
        })
    };
    let x = Tensor::randn([8, 16], &mut rng());
    let (plain, residual) = (norm_of_first(&build(false), &x), norm_of_first(&build(true), &x));
    assert!(residual > 10.0 * plain, "{residual} against {plain}");
}

/// Boxed layers train their statistics and their slopes like others.
#[test]
fn a_network_of_many_layers_learns() {
    let rng = &mut rng();
    let mut net = Sequential::new()
        .push(Unflatten::new(1, [1, 8, 8]))
        .push(Conv2d::new(1, 8, 3, rng).padding(1).without_bias())
        .push(BatchNorm2d::new(8))
        .push(PRelu::new(8))
        .push(MaxPool2d::new(2))
        .push(Residual::new(Conv2d::new(8, 8, 3, rng).padding(1)))
        .push(GroupNorm::new(2, 8))
        .push(Silu)
        .push(Dropout2d::new(0.1))
        .push(AdaptiveAvgPool2d::new(2))
        .push(Flatten)
        .push(Linear::new(32, 10, rng));
    let digits = data::digits::load().map_inputs(|images| images.reshape([1797, 64]));
    let mut trainer = train::Trainer::new(Adam::new(0.02), 100, 1);
    trainer.fit(&mut net, &digits, 4, |y, labels| y.cross_entropy(labels), &mut []);
    // Evaluation, with the running averages.
    let accuracy = metrics::accuracy(&net.forward(digits.inputs().clone()), digits.labels());
    assert!(accuracy > 0.9, "{accuracy}");
}

/// What a piece of code panics with.
fn message(f: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("it must panic");
    panic.downcast_ref::<String>().cloned().or(panic.downcast_ref::<&str>().map(|s| s.to_string())).unwrap()
}

#[test]
fn impossible_settings_are_refused() {
    type Case = (fn(), &'static str);
    let cases: &[Case] = &[
        (|| _ = Conv2d::new(0, 2, 3, &mut rng()), "conv2d: 0 inputs and 2 outputs"),
        (|| _ = Conv2d::new(1, 2, [3, 0], &mut rng()), "conv2d: a kernel of [3, 0]"),
        (
            || _ = Conv1d::grouped(4, 6, 3, 3, &mut rng()),
            "conv1d: 3 groups do not divide 4 inputs and 6 outputs",
        ),
        (|| _ = Conv1d::grouped(4, 6, 3, 0, &mut rng()), "conv1d: 0 groups"),
        (|| _ = Conv2d::new(1, 2, 3, &mut rng()).stride(0), "conv2d: a stride of [0, 0]"),
        (
            || _ = ConvTranspose2d::new(1, 2, 3, &mut rng()).dilation(0),
            "conv_transpose2d: a dilation of [0, 0]",
        ),
        (|| _ = Conv3d::new(1, 2, [3, 0, 1], &mut rng()), "conv3d: a kernel of [3, 0, 1]"),
        (
            || _ = ConvTranspose3d::new(1, 2, 3, &mut rng()).stride(0),
            "conv_transpose3d: a stride of [0, 0, 0]",
        ),
        (|| _ = BatchNorm2d::new(0), "batch_norm2d: nothing to normalise in a shape of [0]"),
        (|| _ = BatchNorm1d::new(1).momentum(1.5), "batch_norm1d: the momentum 1.5 is not in 0..=1"),
        (|| _ = BatchNorm1d::new(1).eps(-1.0), "batch_norm1d: eps is -1"),
        (|| _ = LayerNorm::new([]), "layer_norm: nothing to normalise"),
        (|| _ = RmsNorm::new([2]).eps(f32::NAN), "rms_norm: eps is NaN"),
        (|| _ = GroupNorm::new(3, 4), "group_norm: 3 groups do not divide 4 channels"),
        (|| _ = InstanceNorm1d::new(0), "instance_norm1d: 0 channels"),
        (|| _ = Dropout::new(1.5), "dropout: the probability 1.5 is not in 0..=1"),
        (|| _ = Dropout2d::new(f32::NAN), "dropout2d: the probability NaN"),
        (|| _ = AlphaDropout::new(1.0), "alpha_dropout: the probability 1 is not in 0..1"),
        (|| _ = MaxPool2d::new(0), "max_pool2d: a kernel of [0, 0]"),
        (
            || _ = AvgPool1d::new(3).padding(2),
            "avg_pool1d: a padding of [2] is more than half the kernel [3]",
        ),
        (|| _ = MaxPool3d::new(2).dilation([1, 0, 1]), "max_pool3d: a dilation of [1, 0, 1]"),
        (
            || _ = AvgPool3d::new(2).padding([0, 2, 0]),
            "avg_pool3d: a padding of [0, 2, 0] is more than half the kernel [2, 2, 2]",
        ),
        (|| _ = AdaptiveAvgPool2d::new([1, 0]), "adaptive_avg_pool2d: an output of [1, 0]"),
        (|| _ = MaxUnpool2d::new(2).stride(0), "max_unpool2d: a stride of [0, 0]"),
        (|| _ = Upsample::nearest(0), "upsample: a factor of [0, 0]"),
        (|| _ = Embedding::new(5, 0, &mut rng()), "embedding: 5 vectors of 0"),
        (|| _ = EmbeddingBag::new(0, 5, &mut rng()), "embedding_bag: 0 vectors of 5"),
        (
            || _ = EmbeddingBag::new(5, 1, &mut rng()).padding_index(5),
            "embedding_bag: the padding's index 5 is out of range for a table of 5 rows",
        ),
        (
            || _ = Embedding::new(5, 1, &mut rng()).padding_index(5),
            "embedding: the padding's index 5 is out of range for a table of 5 rows",
        ),
        (
            || _ = Embedding::new(5, 1, &mut rng()).padding_index(-6),
            "embedding: the padding's index -6 is out of range for a table of 5 rows",
        ),
        (|| _ = Unflatten::new(1, []), "unflatten: an axis becomes at least one"),
        (|| _ = PRelu::new(0), "prelu: 0 slopes"),
        (|| _ = RRelu::new(0.5, 0.25), "rrelu: no slope lies between 0.5 and 0.25"),
        (|| _ = Celu::new(0.0), "celu: alpha is 0"),
        (|| _ = Softplus::new(0.0, 20.0), "softplus: beta is 0"),
        (|| _ = Hardtanh::new(1.0, 1.0), "hardtanh: the bound 1 is not below 1"),
    ];
    for (f, expected) in cases {
        let found = message(f);
        assert!(found.starts_with(expected), "{found}, not {expected}");
    }
}

#[test]
fn batches_of_the_wrong_shape_name_the_layer() {
    let refused = |layer: &dyn DynLayer, shape: &[usize], expected: &str| {
        let found = message(|| drop(layer.forward_tensor(Tensor::ones(shape))));
        assert!(found.starts_with(expected), "{found}, not {expected}");
    };
    let rng = &mut rng();
    refused(&Linear::new(3, 2, rng), &[2, 4], "linear: ");
    refused(&Conv1d::new(3, 2, 2, rng), &[3, 4], "conv1d: ");
    refused(&Conv2d::new(3, 2, 2, rng), &[1, 4, 5, 5], "conv2d: ");
    refused(&ConvTranspose1d::new(3, 2, 2, rng), &[1, 4, 5, 5], "conv_transpose1d: ");
    refused(&ConvTranspose2d::new(3, 2, 2, rng).output_padding(1), &[1, 3, 5, 5], "conv_transpose2d: ");
    refused(
        &Conv3d::new(3, 2, 2, rng),
        &[1, 3, 5, 1, 5],
        "conv3d: [1, 3, 5, 1, 5] * [2, 3, 2, 2, 2]: height: ",
    );
    refused(&ConvTranspose3d::new(3, 2, 2, rng), &[1, 4, 5, 5, 5], "conv_transpose3d: channels differ");
    refused(
        &BatchNorm1d::new(3),
        &[2, 4],
        "batch_norm1d: the input has shape [2, 4], not [n, 3] or [n, 3, length]",
    );
    refused(&BatchNorm2d::new(3), &[2, 3], "batch_norm2d: the input has shape [2, 3], not [n, 3, h, w]");
    refused(&BatchNorm3d::new(3), &[3], "batch_norm3d: the input has shape [3], not [n, 3, d, h, w]");
    refused(&LayerNorm::new([3]), &[3, 2], "layer_norm: ");
    refused(&RmsNorm::new([3]), &[3, 2], "rms_norm: ");
    refused(&GroupNorm::new(1, 3), &[2, 4, 3], "group_norm: the input has shape [2, 4, 3], not [n, 3, ..]");
    refused(&InstanceNorm1d::new(3), &[2, 3], "instance_norm1d: ");
    refused(&InstanceNorm2d::new(3), &[2, 3, 4], "instance_norm2d: ");
    refused(&MaxPool1d::new(3), &[1, 2], "max_pool1d: ");
    refused(&MaxPool2d::new(3), &[1, 2, 4], "max_pool2d: ");
    refused(&MaxPool3d::new(3), &[1, 2, 2, 4, 4], "max_pool3d: input [1, 2, 2, 4, 4]: depth: ");
    refused(&AvgPool1d::new(3), &[1, 2, 2], "avg_pool");
    refused(&AvgPool3d::new(3), &[1, 4, 4, 4], "avg_pool3d: the input has shape [1, 4, 4, 4], not");
    refused(&AdaptiveMaxPool1d::new(3), &[1, 2], "adaptive_max_pool1d: ");
    refused(&GlobalAvgPool2d, &[1, 2, 3], "global_avg_pool2d: ");
    refused(&Upsample::nearest(2), &[1, 2, 3], "upsample: ");
    refused(&Unflatten::new(1, [2, 2]), &[3, 5], "unflatten: axis 1 of [3, 5] does not become [2, 2]");
    refused(&Unflatten::new(2, [2, 2]), &[3, 5], "unflatten: ");
    refused(&PRelu::new(3), &[2, 4], "prelu: ");
    refused(
        &Residual::new(Linear::new(3, 2, rng)),
        &[2, 3],
        "residual: the block gives shape [2, 2], the shortcut [2, 3]",
    );
    let alone = message(|| {
        BatchNorm1d::new(2).forward(Tape::training(0).constant([[1.0, 2.0]]));
    });
    assert!(alone.starts_with("batch_norm1d: shape [1, 2] has one element a channel"), "{alone}");
    let unknown = message(|| drop(Embedding::new(3, 2, rng).forward(eager(), &Indices::from([3]))));
    assert!(unknown.contains('3'), "{unknown}");
}

/// -1 and n - 1 name one row, in the layer's setting and among the indices: it stays zero and gets no gradient.
#[test]
fn the_padding_row_of_an_embedding_counts_from_either_end() {
    for padding in [-1, 2] {
        for index in [-1, 2] {
            let layer = Embedding::new(3, 2, &mut Rng::seed(0)).padding_index(padding);
            assert_eq!(layer.weight.value().select(0, -1).to_vec(), [0.0, 0.0]);
            let tape = Tape::new();
            let y = layer.forward(tape.place(), &Indices::from([0, index, -2]));
            let gradient = &y.sum().backward()[&layer.weight];
            assert_eq!(gradient.to_vec(), [1.0, 1.0, 1.0, 1.0, 0.0, 0.0], "padding {padding}, index {index}");

            let layer = EmbeddingBag::new(3, 2, &mut Rng::seed(0)).padding_index(padding);
            assert_eq!(layer.weight.value().select(0, -1).to_vec(), [0.0, 0.0]);
            let tape = Tape::new();
            let y = layer.forward(tape.place(), &Indices::from([0, index, -2]), Some(&[0]), None);
            let gradient = &y.sum().backward()[&layer.weight];
            assert_eq!(gradient.to_vec(), [0.5, 0.5, 0.5, 0.5, 0.0, 0.0], "padding {padding}, index {index}");
        }
    }
}
