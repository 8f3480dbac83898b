//! The gradient of a convolution by its input: the transposed convolution.

use super::{
    Conv2d, Conv2dWeightGrad, each_meeting, image_only, outputs_of, places, products, random_shape, sliding,
};
use crate::op::{loops::product, prelude::*};
use gradus_tensor::{Conv2dOptions, ConvShape};

/// The gradient of a convolution by its input, of the weight `[out_channels, in_channels / groups, kh, kw]` and the
/// gradient by the output.
#[derive(Clone, Copy, Debug)]
pub struct Conv2dInputGrad {
    /// Height and width of the input's images.
    pub size: [usize; 2],
    /// How the kernels move.
    pub options: Conv2dOptions,
}

impl Conv2dInputGrad {
    fn shape(&self, w: &[usize], g: &[usize]) -> Result<ConvShape, ShapeError> {
        ConvShape::of_input_grad("conv2d_input_grad", w, g, self.size, self.options)
    }
}

impl Op for Conv2dInputGrad {
    const NAME: &'static str = "conv2d_input_grad";
    const FORMULA: &'static str = "y[n,c, i stride + a dilation - padding, ..] += w[o,c,a,b] x[n,o,i,j]; \
        dw = conv2d_weight_grad(g, x); dx = conv2d(g, w)";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [w, x] = arity::<Self, _>(inputs);
        Ok(self.shape(w, x)?.x().into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].conv2d_input_grad(inputs[1], self.size, self.options).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([w, x], g) = (cx.inputs(), cx.cotangent());
        let kernel = [w.shape()[2], w.shape()[3]];
        cx.add(0, || V::apply(Conv2dWeightGrad { kernel, options: self.options }, &[&g, x]));
        cx.add(1, || V::apply(Conv2d(self.options), &[&g, w]));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let (w, x) = (inputs[0], inputs[1]);
        let shape = self.shape(w.shape(), x.shape()).or_fail();
        let outputs = shape.group_outputs();
        let mut y = Array::full(shape.x(), 0.0);
        for group in 0..shape.options.groups {
            let length = w.data().len() / shape.out_channels.max(1);
            let w = &w.data()[group * outputs * length..][..outputs * length];
            let patches = product(&outputs_of(&shape, x.data(), group), w, [places(&shape), outputs, length]);
            each_meeting(&shape, group, |at, pixel| y.data_mut()[pixel] += patches[at]);
        }
        vec![y]
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        products(inputs[1], inputs[0])
    }

    /// Between the windows of a pixel of the gradient and the next lies one over the stride.
    fn window(&self, along: &Along<'_>) -> Option<Window> {
        if along.input == 0 || along.axis < 2 {
            return image_only(along, 1);
        }
        let window = sliding(along.axis, along.inputs[0], self.options);
        let Window { axis, first, reach, stride } = window;
        Some(Window { axis, first: (-first - reach) / stride, reach: reach / stride, stride: 1.0 / stride })
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let shape = random_shape(g);
        let op = Conv2dInputGrad { size: shape.input, options: shape.options };
        vec![Sample::new(op, [g.normal(shape.w()), g.normal(shape.y())])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = Conv2dInputGrad { size: [5, 5], options: Conv2dOptions::default() };
        let none = Conv2dInputGrad { options: Conv2dOptions { groups: 0, ..op.options }, ..op };
        vec![
            ErrorCase::new(
                op,
                &[&[2, 1, 3, 3], &[1, 2, 4, 4]],
                "conv2d_input_grad: the gradient has shape [1, 2, 4, 4], but [1, 1, 5, 5] * [2, 1, 3, 3] gives [1, 2, 3, 3]",
            ),
            ErrorCase::new(
                op,
                &[&[2, 1, 3, 3], &[2, 3, 3]],
                "conv2d_input_grad: the gradient has shape [2, 3, 3]",
            ),
            ErrorCase::new(op, &[&[2], &[1, 2, 3, 3]], "conv2d_input_grad: the weight has shape [2]"),
            ErrorCase::new(
                none,
                &[&[2, 1, 3, 3], &[1, 2, 3, 3]],
                "conv2d_input_grad: [1, 0, 5, 5] * [2, 1, 3, 3]: there must be at least one group",
            ),
        ]
    }
}
