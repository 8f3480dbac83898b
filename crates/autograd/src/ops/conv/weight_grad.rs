//! The gradient of a convolution by its weight.

use super::{Conv2d, Conv2dInputGrad, outputs_of, patches, places, products, random_shape};
use crate::op::{
    loops::{product, transposed},
    prelude::*,
};
use gradus_tensor::{Conv2dOptions, ConvShape};

/// The gradient of a convolution by its weight, of the input and the gradient by the output.
#[derive(Clone, Copy, Debug)]
pub struct Conv2dWeightGrad {
    /// Height and width of the kernels.
    pub kernel: [usize; 2],
    /// How the kernels move.
    pub options: Conv2dOptions,
}

impl Conv2dWeightGrad {
    fn shape(&self, x: &[usize], g: &[usize]) -> Result<ConvShape, ShapeError> {
        ConvShape::of_weight_grad("conv2d_weight_grad", x, g, self.kernel, self.options)
    }
}

impl Op for Conv2dWeightGrad {
    const NAME: &'static str = "conv2d_weight_grad";
    const FORMULA: &'static str = "y[o,c,a,b] = Σ_n,i,j z[n,o,i,j] x[n,c, i stride + a dilation - padding, ..]; \
        dx = conv2d_input_grad(g, z); dz = conv2d(x, g)";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x, z] = arity::<Self, _>(inputs);
        Ok(self.shape(x, z)?.w().into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].conv2d_weight_grad(inputs[1], self.kernel, self.options).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x, z], g) = (cx.inputs(), cx.cotangent());
        let size = [x.shape()[2], x.shape()[3]];
        cx.add(0, || V::apply(Conv2dInputGrad { size, options: self.options }, &[&g, z]));
        cx.add(1, || V::apply(Conv2d(self.options), &[x, &g]));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let (x, z) = (inputs[0], inputs[1]);
        let shape = self.shape(x.shape(), z.shape()).or_fail();
        let of_group = |group| {
            let (patches, length) = patches(&shape, x.data(), group);
            let outputs = shape.group_outputs();
            let z = outputs_of(&shape, z.data(), group);
            product(&transposed(&z, outputs), &patches, [outputs, places(&shape), length])
        };
        let y = (0..shape.options.groups).flat_map(of_group).collect();
        vec![Array::new(y, shape.w())]
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        products(inputs[1], outputs[0])
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let shape = random_shape(g);
        let op = Conv2dWeightGrad { kernel: shape.kernel, options: shape.options };
        vec![Sample::new(op, [g.normal(shape.x()), g.normal(shape.y())])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = Conv2dWeightGrad { kernel: [3, 3], options: Conv2dOptions::default() };
        let grouped = Conv2dWeightGrad { options: Conv2dOptions { groups: 2, ..op.options }, ..op };
        vec![
            ErrorCase::new(
                op,
                &[&[1, 1, 5, 5], &[2, 2, 3, 3]],
                "conv2d_weight_grad: the gradient has shape [2, 2, 3, 3], but [1, 1, 5, 5] * [2, 1, 3, 3] gives [1, 2, 3, 3]",
            ),
            ErrorCase::new(
                op,
                &[&[1, 1, 5, 5], &[3, 3]],
                "conv2d_weight_grad: the gradient has shape [3, 3]",
            ),
            ErrorCase::new(op, &[&[5, 5], &[1, 1, 3, 3]], "conv2d_weight_grad: the input has shape [5, 5]"),
            ErrorCase::new(
                grouped,
                &[&[1, 3, 5, 5], &[1, 2, 3, 3]],
                "conv2d_weight_grad: [1, 3, 5, 5] * [2, 1, 3, 3]: 2 groups do not divide 3 input channels",
            ),
        ]
    }
}
