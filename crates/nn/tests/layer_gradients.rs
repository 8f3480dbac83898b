//! The gradient check of every layer, by its input and all its parameters, in training and evaluation, over random shapes and
//! options.

use gradus_autograd::{
    check::{GradCheck, Verdict},
    ops::indexing::BagMode,
    prelude::*,
};
use gradus_nn::*;
use proptest::{
    prelude::{ProptestConfig, Strategy, TestCaseError, any, prop, prop_assert, prop_assert_eq},
    proptest,
};
use std::{cell::RefCell, fmt::Debug};

/// Gives parameters and running statistics numbers that nothing is special about.
fn randomise(layer: &mut dyn Module, rng: &mut Rng) {
    for (name, param) in layer.params_mut() {
        let random = Tensor::randn(param.value().shape(), rng);
        *param.value_mut() = match () {
            () if name.ends_with("running_var") => random.abs() + 0.5,
            () if name.ends_with("num_batches_tracked") => Tensor::scalar(3.0),
            () => random,
        };
    }
}

trait Described: Module + Debug {}
impl<M: Module + Debug> Described for M {}

/// Checks `forward`'s gradients by all parameters of a module, and by an input where there is one, in both modes.
fn check_with<M: Module + Debug>(
    module: M,
    input: Option<&Param>,
    forward: impl for<'t> Fn(&M, &'t Tape) -> Var<'t>,
) -> Result<(), TestCaseError> {
    let module = RefCell::new(module);
    check_erased(&module, input, &|tape| forward(&module.borrow(), tape))
}

// Compiled once, not for each layer.
fn check_erased(
    module: &RefCell<dyn Described + '_>,
    input: Option<&Param>,
    forward: &dyn for<'t> Fn(&'t Tape) -> Var<'t>,
) -> Result<(), TestCaseError> {
    randomise(&mut *module.borrow_mut(), &mut Rng::seed(1));
    for training in [true, false] {
        let tape = || if training { Tape::training(2) } else { Tape::new() };
        let report = {
            let module = module.borrow();
            let mut params = module.params();
            params.extend(input.map(|input| ("input".to_owned(), input)));
            GradCheck::default().params(&params, &tape(), |tape| {
                let y = forward(tape);
                let cotangent = Tensor::randn(y.shape(), &mut Rng::seed(3));
                (y * tape.constant(cotangent)).sum()
            })
        };
        // A step has no gradient, nor has what dropout or a rectifier leaves nothing of.
        let fine = report.rows.iter().all(|row| row.verdict.is_fine() || row.verdict == Verdict::NoGradient);
        prop_assert!(
            fine && report.broken.is_empty(),
            "{:?}, training: {training}\n{report}",
            module.borrow()
        );
        // But then a small change of the parameter must not matter.
        let lost = report.rows.iter().filter(|row| row.verdict == Verdict::NoGradient);
        for name in lost.map(|row| &row.name).filter(|name| *name != "input") {
            let before = forward(&tape()).value();
            {
                let mut module = module.borrow_mut();
                let (_, param) = module.params_mut().into_iter().find(|(n, _)| n == name).unwrap();
                *param.value_mut() = param.value() + 1e-3;
            }
            let after = forward(&tape()).value();
            prop_assert_eq!(after, before, "{} has no gradient in {:?}", name, module.borrow());
        }
    }
    Ok(())
}

fn check(layer: impl Layer + Debug, shape: impl AsRef<[usize]>) -> Result<(), TestCaseError> {
    let input = Param::new(Tensor::randn(shape, &mut Rng::seed(4)) * 1.5);
    check_with(layer, Some(&input), |layer, tape| layer.forward(tape.param(&input)))
}

fn rng() -> Rng {
    Rng::seed(0)
}

/// Sizes along two axes, from `least` to `most`.
fn pair(least: usize, most: usize) -> impl Strategy<Value = [usize; 2]> {
    [least..=most, least..=most]
}

/// Stride, padding, dilation, groups, and how much larger than the least size the input is.
fn convolution() -> impl Strategy<Value = ([usize; 2], [usize; 2], [usize; 2], usize, [usize; 2])> {
    (pair(1, 3), pair(0, 2), pair(1, 2), 1..=2usize, pair(0, 3))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn linear(lead in prop::collection::vec(1..4usize, 0..3), inputs in 1..6usize, outputs in 1..5usize, bias: bool) {
        let layer = Linear::new(inputs, outputs, &mut rng());
        let layer = if bias { layer } else { layer.without_bias() };
        check(layer, [&lead[..], &[inputs]].concat())?;
    }

    #[test]
    fn convolutions(
        (stride, padding, dilation, groups, more) in convolution(),
        (n, inputs, outputs, bias) in (1..3usize, 1..3usize, 1..3usize, any::<bool>()),
        kernel in pair(1, 3),
    ) {
        let (inputs, outputs) = (inputs * groups, outputs * groups);
        // At least as large as the dilated kernel with the padding, and never empty.
        let size = [0, 1].map(|axis| {
            (dilation[axis] * (kernel[axis] - 1) + 1 + more[axis]).saturating_sub(2 * padding[axis]).max(1)
        });
        let layer = Conv2d::grouped(inputs, outputs, kernel, groups, &mut rng());
        let layer = layer.stride(stride).padding(padding).dilation(dilation);
        check(if bias { layer } else { layer.without_bias() }, [n, inputs, size[0], size[1]])?;

        let layer = Conv1d::grouped(inputs, outputs, kernel[0], groups, &mut rng());
        let layer = layer.stride(stride[0]).padding(padding[0]).dilation(dilation[0]);
        check(if bias { layer } else { layer.without_bias() }, [n, inputs, size[0]])?;
    }

    #[test]
    fn transposed_convolutions(
        (stride, padding, dilation, groups, more) in convolution(),
        (n, inputs, outputs, bias) in (1..3usize, 1..3usize, 1..3usize, any::<bool>()),
        kernel in pair(1, 3),
        extra in pair(0, 1),
    ) {
        let (inputs, outputs) = (inputs * groups, outputs * groups);
        let output_padding = [0, 1].map(|axis| extra[axis].min(stride[axis] - 1));
        // Large enough that the padding leaves something.
        let size = [0, 1].map(|axis| 1 + more[axis] + 2 * padding[axis]);
        let layer = ConvTranspose2d::grouped(inputs, outputs, kernel, groups, &mut rng());
        let layer = layer.stride(stride).padding(padding).dilation(dilation).output_padding(output_padding);
        check(if bias { layer } else { layer.without_bias() }, [n, inputs, size[0], size[1]])?;

        let layer = ConvTranspose1d::grouped(inputs, outputs, kernel[0], groups, &mut rng());
        let layer = layer.stride(stride[0]).padding(padding[0]).dilation(dilation[0]);
        let layer = layer.output_padding(output_padding[0]);
        check(if bias { layer } else { layer.without_bias() }, [n, inputs, size[0]])?;
    }

    #[test]
    fn volumes(
        (stride, padding, dilation, groups, more) in convolution(),
        (depth, inputs, outputs, bias) in ([1..=2usize, 1..=3, 0..=1, 1..=2], 1..3usize, 1..3usize, any::<bool>()),
        (kernel, ceil_mode, count_include_pad) in (pair(1, 2), any::<bool>(), any::<bool>()),
    ) {
        let (inputs, outputs) = (inputs * groups, outputs * groups);
        let [kd, sd, pd, dd] = depth;
        let deep = |first: usize, [h, w]: [usize; 2]| [first, h, w];
        let (kernel, stride) = (deep(kd, kernel), deep(sd, stride));
        let (padding, dilation, more) = (deep(pd, padding), deep(dd, dilation), deep(1, more));
        let size = [0, 1, 2].map(|axis| {
            (dilation[axis] * (kernel[axis] - 1) + 1 + more[axis]).saturating_sub(2 * padding[axis]).max(1)
        });
        let x = |channels, [d, h, w]: [usize; 3]| [1, channels, d, h, w];
        let layer = Conv3d::grouped(inputs, outputs, kernel, groups, &mut rng());
        let layer = layer.stride(stride).padding(padding).dilation(dilation);
        check(if bias { layer } else { layer.without_bias() }, x(inputs, size))?;

        // Large enough that the padding leaves something.
        let size = [0, 1, 2].map(|axis| 1 + 2 * padding[axis]);
        let layer = ConvTranspose3d::grouped(inputs, outputs, kernel, groups, &mut rng());
        let layer = layer.stride(stride).padding(padding).dilation(dilation);
        let layer = layer.output_padding(stride.map(|s| s / 2));
        check(if bias { layer } else { layer.without_bias() }, x(inputs, size))?;

        let padding = [0, 1, 2].map(|axis| padding[axis].min(kernel[axis] / 2));
        let size = [0, 1, 2].map(|axis| dilation[axis] * kernel[axis] + more[axis]);
        let options = PoolOptions { stride, padding, dilation, ceil_mode, ..PoolOptions::new(kernel) };
        check(MaxPool { options }, x(outputs, size))?;
        check(LpPool { p: 2.0, options }, x(outputs, size))?;
        let divisor_override = (!count_include_pad).then_some(sd);
        check(AvgPool { options: PoolOptions { count_include_pad, divisor_override, ..options } }, x(outputs, size))?;
        check(AdaptiveMaxPool::new(kernel), x(outputs, size))?;
        check(AdaptiveAvgPool::new(kernel), x(outputs, size))?;
    }

    #[test]
    fn batch_normalisation(
        (n, channels, length, size) in (2..5usize, 1..4usize, 2..5usize, pair(1, 3)),
        (eps, affine) in (prop::sample::select(vec![1e-5, 1e-2]), any::<bool>()),
    ) {
        fn with<const N: usize>(layer: BatchNorm<N>, affine: bool) -> BatchNorm<N> {
            if affine { layer } else { layer.without_affine() }
        }
        check(with(BatchNorm1d::new(channels).eps(eps), affine), [n + 2, channels])?;
        check(with(BatchNorm1d::new(channels).eps(eps).momentum(0.3), affine), [n, channels, length])?;
        check(with(BatchNorm2d::new(channels).eps(eps).cumulative(), affine), [n + 1, channels, size[0], size[1]])?;
        check(with(BatchNorm3d::new(channels).eps(eps), affine), [n, channels, 2, size[0], size[1]])?;
    }

    #[test]
    fn normalisation_within_examples(
        lead in prop::collection::vec(1..4usize, 0..3),
        // A row of two elements gives 1 and -1, and gradients of rounding alone.
        shape in prop::collection::vec(3..5usize, 1..3),
        (eps, parameters) in (prop::sample::select(vec![1e-5, 1e-2]), 0..3usize),
    ) {
        let x = [&lead[..], &shape].concat();
        let layer = LayerNorm::new(&shape).eps(eps);
        let layer = match parameters {
            0 => layer,
            1 => layer.without_bias(),
            _ => layer.without_affine(),
        };
        check(layer, &x)?;
        let layer = RmsNorm::new(&shape).eps(eps);
        check(if parameters == 0 { layer } else { layer.without_affine() }, &x)?;
    }

    #[test]
    fn normalisation_by_channel(
        (n, groups, each, size) in (1..3usize, 1..3usize, 1..3usize, pair(2, 3)),
        (eps, affine) in (prop::sample::select(vec![1e-5, 1e-2]), any::<bool>()),
    ) {
        let channels = groups * each;
        let layer = GroupNorm::new(groups, channels).eps(eps);
        check(if affine { layer } else { layer.without_affine() }, [n, channels, size[0], size[1]])?;
        let layer = InstanceNorm1d::new(channels).eps(eps);
        check(if affine { layer.affine() } else { layer }, [n, channels, size[0] + 1])?;
        let layer = InstanceNorm2d::new(channels).eps(eps);
        check(if affine { layer.affine() } else { layer }, [n, channels, size[0], size[1]])?;
    }

    #[test]
    fn dropout(n in 1..4usize, channels in 1..4usize, size in pair(1, 3), p in prop::sample::select(vec![0.0, 0.3, 0.9])) {
        let x = [n, channels, size[0], size[1]];
        check(Dropout::new(p), x)?;
        check(Dropout::new(p).scaled_in_evaluation(), x)?;
        check(Dropout2d::new(p), x)?;
        check(AlphaDropout::new(p), x)?;
    }

    #[test]
    fn pooling(
        (n, channels, kernel, stride) in (1..3usize, 1..3usize, pair(1, 3), pair(1, 3)),
        (padded, dilation, more) in (any::<bool>(), pair(1, 2), pair(0, 3)),
        (ceil_mode, count_include_pad) in any::<(bool, bool)>(),
    ) {
        let padding = kernel.map(|k| if padded { k / 2 } else { 0 });
        let size = [0, 1].map(|axis| dilation[axis] * kernel[axis] + more[axis]);
        let x = [n, channels, size[0], size[1]];
        let options = PoolOptions { stride, padding, dilation, ceil_mode, ..PoolOptions::new(kernel) };
        let ([k, _], [s, _], [p, _], [d, _]) = (kernel, stride, padding, dilation);
        let row = PoolOptions { stride: [s], padding: [p], dilation: [d], ceil_mode, ..PoolOptions::new([k]) };
        let rows = [n, channels, size[0]];
        check(MaxPool { options }, x)?;
        check(MaxPool { options: row }, rows)?;
        check(AvgPool { options: PoolOptions { count_include_pad, ..options } }, x)?;
        check(AvgPool { options: PoolOptions { count_include_pad, ..row } }, rows)?;
        check(LpPool { p: 2.0, options }, x)?;
        check(LpPool { p: 3.0, options: row }, rows)?;
    }

    #[test]
    fn pooling_to_given_sizes(n in 1..3usize, channels in 1..3usize, output in pair(1, 4), size in pair(1, 5)) {
        let x = [n, channels, size[0], size[1]];
        check(AdaptiveMaxPool2d::new(output), x)?;
        check(AdaptiveAvgPool2d::new(output), x)?;
        check(GlobalAvgPool2d, x)?;
        check(AdaptiveMaxPool1d::new(output[0]), [n, channels, size[0]])?;
        check(AdaptiveAvgPool1d::new(output[0]), [n, channels, size[0]])?;
    }

    #[test]
    fn unpooling(n in 1..3usize, channels in 1..3usize, kernel in pair(1, 3), windows in pair(1, 3), more in pair(0, 2)) {
        let size = [0, 1].map(|axis| kernel[axis] * windows[axis] + more[axis].min(kernel[axis] - 1));
        let input = Param::new(Tensor::randn([n, channels, size[0], size[1]], &mut rng()));
        check_with(MaxUnpool2d::new(kernel), Some(&input), |unpool, tape| {
            let (y, places) = MaxPool2d::new(kernel).forward_with_indices(tape.param(&input));
            unpool.forward_to(y.tanh(), &places, size)
        })?;
    }

    #[test]
    fn upsampling_and_reshaping(n in 1..3usize, channels in 1..3usize, size in pair(1, 4), factor in pair(1, 3), to in pair(1, 6)) {
        let x = [n, channels, size[0], size[1]];
        let mut ways = vec![Interpolation::Nearest, Interpolation::NearestExact];
        for align_corners in [false, true] {
            ways.extend([Interpolation::Linear { align_corners }, Interpolation::Cubic { align_corners }]);
        }
        for how in ways {
            check(Upsample::new(factor.map(|factor| factor as f64 + 0.3), how), x)?;
            check(Upsample::new(to, how), x)?;
        }
        check(Flatten, x)?;
        check(Unflatten::new(-1, [factor[0], size[1]]), [n, channels, factor[0] * size[1]])?;
    }

    #[test]
    fn embedding(count in 1..6usize, size in 1..5usize, shape in prop::collection::vec(1..4usize, 0..3), padding: bool) {
        let layer = Embedding::new(count, size, &mut rng());
        let layer = if padding { layer.padding_index(0) } else { layer };
        let len = shape.iter().product::<usize>() as i32;
        // All rows but, if there are several, the last.
        let indices = Indices::new((0..len).map(|i| i * 7 % (count as i32 - 1).max(1)).collect::<Vec<_>>(), &shape);
        if padding {
            // The row of the padding has the gradient 0, which is not that of the function: what it must be is asked.
            let gradients = layer.forward(Tape::new().place(), &indices).exp().sum().backward();
            let row = gradients[&layer.weight].slice(0, 0..1);
            prop_assert!(row.iter().all(|g| g == 0.0));
        } else {
            check_with(layer, None, |layer, tape| layer.forward(tape.place(), &indices).tanh())?;
        }
        let (list, ends) = (indices.reshape([len as usize]), [0, len as usize / 2]);
        for mode in [BagMode::Sum, BagMode::Mean, BagMode::Max] {
            let layer = EmbeddingBag::new(count, size, &mut rng()).mode(mode);
            check_with(layer, None, |layer, tape| layer.forward(tape.place(), &list, Some(&ends), None).tanh())?;
        }
    }

    #[test]
    fn residual_blocks(n in 2..4usize, inputs in 1..4usize, outputs in 1..4usize, size in pair(2, 4), stride in 1..3usize) {
        let rng = &mut rng();
        let plain = Sequential::new().push(Conv2d::new(inputs, inputs, 3, rng).padding(1)).push(Tanh);
        check(Residual::new(plain), [n, inputs, size[0], size[1]])?;
        let block = Sequential::new()
            .push(BatchNorm2d::new(inputs))
            .push(Relu)
            .push(Conv2d::new(inputs, outputs, 3, rng).padding(1).stride(stride));
        let shortcut = Conv2d::new(inputs, outputs, 1, rng).stride(stride).without_bias();
        check(Residual::with_shortcut(block, shortcut), [n, inputs, size[0], size[1]])?;
    }

    #[test]
    fn activations(shape in prop::collection::vec(1..4usize, 2..4), first in 0.1..1.0f32, second in 1.1..2.0f32, slopes: bool) {
        check(Step, &shape)?;
        check(Identity, &shape)?;
        check(Sigmoid, &shape)?;
        check(Tanh, &shape)?;
        check(Relu, &shape)?;
        check(Relu6, &shape)?;
        check(Selu, &shape)?;
        check(Gelu, &shape)?;
        check(GeluTanh, &shape)?;
        check(Silu, &shape)?;
        check(Mish, &shape)?;
        check(Softplus::new(second, 2.0), &shape)?;
        check(Softsign, &shape)?;
        check(Hardsigmoid, &shape)?;
        check(Hardswish, &shape)?;
        check(LogSigmoid, &shape)?;
        check(LeakyRelu::new(first), &shape)?;
        check(RRelu::new(first, second), &shape)?;
        check(Elu::new(second), &shape)?;
        check(Celu::new(second), &shape)?;
        check(Hardtanh::new(-first, second), &shape)?;
        check(PRelu::new(if slopes { shape[1] } else { 1 }), &shape)?;
        for axis in [0, -1] {
            check(Softmax::new(axis), &shape)?;
            check(LogSoftmax::new(axis), &shape)?;
        }
    }
}
