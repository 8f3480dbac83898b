//! The convolution of images with kernels.

use super::{
    Conv2dInputGrad, Conv2dWeightGrad, each_output, image_only, patches, places, products, random_shape,
    runs_of_weight, sliding, terms_of_input,
};
use crate::{
    op::{loops::rows_by_rows, prelude::*},
    ops::methods::*,
};
use gradus_tensor::{Conv2dOptions, ConvShape, check_conv_bias};

/// The convolution of images `[n, in_channels, h, w]` with kernels `[out_channels, in_channels / groups, kh, kw]`, plus
/// a number for each output channel where a third input gives them.
#[derive(Clone, Copy, Debug)]
pub struct Conv2d(
    /// How the kernels move.
    pub Conv2dOptions,
);

impl Op for Conv2d {
    const NAME: &'static str = "conv2d";
    const FORMULA: &'static str = "y[n,o,i,j] = b[o] + Σ_c,a,b w[o,c,a,b] x[n,c, i stride + a dilation - padding, ..]; \
        dx = conv2d_input_grad(w, g); dw = conv2d_weight_grad(x, g); db = Σ_n,i,j g";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let (x, w, bias) = match *inputs {
            [x, w] => (x, w, None),
            [x, w, bias] => (x, w, Some(bias)),
            _ => panic!("conv2d: takes 2 or 3 inputs, was given {}", inputs.len()),
        };
        let shape = ConvShape::new(Self::NAME, x, w, self.0)?;
        bias.map_or(Ok(()), |bias| check_conv_bias(Self::NAME, bias, shape.out_channels))?;
        Ok(shape.y().into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].conv2d(inputs[1], inputs.get(2).copied(), self.0).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let (inputs, g) = (cx.input_list(), cx.cotangent());
        let (x, w) = (inputs[0], inputs[1]);
        let last_two = |v: &V| [v.shape()[2], v.shape()[3]];
        cx.add(0, || V::apply(Conv2dInputGrad { size: last_two(x), options: self.0 }, &[w, &g]));
        cx.add(1, || V::apply(Conv2dWeightGrad { kernel: last_two(w), options: self.0 }, &[x, &g]));
        if inputs.len() == 3 {
            cx.add(2, || g.sum_axes([0, 2, 3], false));
        }
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let (x, w) = (inputs[0], inputs[1]);
        let shape = ConvShape::new(Self::NAME, x.shape(), w.shape(), self.0).or_fail();
        let outputs = shape.group_outputs();
        let mut y =
            Array::from_fn(shape.y(), |index| inputs.get(2).map_or(0.0, |bias| bias.at(&index[1..2])));
        for group in 0..shape.options.groups {
            let (patches, length) = patches(&shape, x.data(), group);
            let w = &w.data()[group * outputs * length..][..outputs * length];
            let found = rows_by_rows(&patches, w, [places(&shape), length, outputs]);
            each_output(&shape, group, |at, flat| y.data_mut()[flat] += found[at]);
        }
        vec![y]
    }

    fn reference_update(&self, update: &mut Update<'_>) -> bool {
        let (x, w) = (update.inputs()[0], update.inputs()[1]);
        let shape = ConvShape::new(Self::NAME, x.shape(), w.shape(), self.0).or_fail();
        let pixels = shape.output[0] * shape.output[1];
        for (at, change) in update.changes() {
            match update.input() {
                0 => terms_of_input(&shape, at, |wi, yi| update.add(yi, change * w.data()[wi])),
                1 => runs_of_weight(&shape, at, |xs, ys| {
                    let x = x.data()[xs.start..].iter().step_by(xs.step);
                    ys.zip(x).for_each(|(yi, x)| update.add(yi, change * x));
                }),
                _ => {
                    for plane in (at..shape.images * shape.out_channels).step_by(shape.out_channels) {
                        (plane * pixels..(plane + 1) * pixels).for_each(|yi| update.add(yi, change));
                    }
                }
            }
        }
        true
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        let bias = if inputs.len() == 3 { elements(outputs) } else { 0 };
        products(outputs[0], inputs[1]) + bias
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        if along.input > 0 || along.axis < 2 {
            return image_only(along, 0);
        }
        Some(sliding(along.axis, along.inputs[1], self.0))
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (plain, biased) = (random_shape(g), random_shape(g));
        vec![
            Sample::new(Conv2d(plain.options), [g.normal(plain.x()), g.normal(plain.w())]),
            Sample::new(
                Conv2d(biased.options),
                [g.normal(biased.x()), g.normal(biased.w()), g.normal([biased.out_channels])],
            ),
        ]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let plain = Conv2dOptions::default();
        let case = |options: Conv2dOptions, shapes: &[&[usize]], message: &'static str| {
            ErrorCase::new(Conv2d(options), shapes, message)
        };
        vec![
            case(
                plain,
                &[&[1, 3, 8, 8], &[4, 2, 3, 3]],
                "conv2d: channels differ: [1, 3, 8, 8] * [4, 2, 3, 3]: the input has 3, the weight is for 2",
            ),
            case(
                Conv2dOptions { groups: 3, ..plain },
                &[&[1, 4, 8, 8], &[6, 2, 3, 3]],
                "conv2d: [1, 4, 8, 8] * [6, 2, 3, 3]: 3 groups do not divide 4 input channels",
            ),
            case(
                Conv2dOptions { groups: 2, ..plain },
                &[&[1, 4, 8, 8], &[3, 2, 3, 3]],
                "conv2d: [1, 4, 8, 8] * [3, 2, 3, 3]: 2 groups do not divide 3 output channels",
            ),
            case(
                Conv2dOptions { groups: 0, ..plain },
                &[&[1, 4, 8, 8], &[3, 4, 3, 3]],
                "conv2d: [1, 4, 8, 8] * [3, 4, 3, 3]: there must be at least one group",
            ),
            case(
                Conv2dOptions { padding: [0, 1], ..plain },
                &[&[1, 1, 8, 2], &[1, 1, 3, 5]],
                "conv2d: [1, 1, 8, 2] * [1, 1, 3, 5]: width: a kernel of 5 reaches over 5 elements, the input has 2 + 2 x 1",
            ),
            case(
                Conv2dOptions { dilation: [4, 1], ..plain },
                &[&[1, 1, 8, 8], &[1, 1, 3, 3]],
                "conv2d: [1, 1, 8, 8] * [1, 1, 3, 3]: height: a kernel of 3 (dilation 4) reaches over 9 elements",
            ),
            case(
                Conv2dOptions { stride: [0, 1], ..plain },
                &[&[1, 1, 8, 8], &[1, 1, 3, 3]],
                "conv2d: [1, 1, 8, 8] * [1, 1, 3, 3]: height: the stride must not be 0",
            ),
            case(
                plain,
                &[&[1, 1, 8, 8], &[1, 1, 3, 0]],
                "conv2d: [1, 1, 8, 8] * [1, 1, 3, 0]: width: the kernel size must not be 0",
            ),
            case(plain, &[&[1, 8, 8], &[1, 1, 3, 3]], "conv2d: the input has shape [1, 8, 8], not [images,"),
            case(
                plain,
                &[&[1, 1, 8, 8], &[1, 3, 3]],
                "conv2d: the weight has shape [1, 3, 3], not [out_channels,",
            ),
            case(
                plain,
                &[&[1, 1, 8, 8], &[2, 1, 3, 3], &[1]],
                "conv2d: the bias has shape [1], the output 2 channels",
            ),
        ]
    }
}
