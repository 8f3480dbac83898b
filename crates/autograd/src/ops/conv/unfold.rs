//! The patches of images as columns of a matrix, and images of such patches: each the gradient of the other.

use super::image_only;
use crate::op::prelude::*;
use gradus_tensor::{Conv2dOptions, UnfoldShape};

/// The patches of images that a convolution's kernel meets, as columns.
#[derive(Clone, Copy, Debug)]
pub struct Unfold {
    /// Height and width of a patch.
    pub kernel: [usize; 2],
    /// How the kernel moves.
    pub options: Conv2dOptions,
}

/// Images of patches, which are added up where they overlap.
#[derive(Clone, Copy, Debug)]
pub struct Fold {
    /// Height and width of the images.
    pub size: [usize; 2],
    /// Height and width of a patch.
    pub kernel: [usize; 2],
    /// How the kernel moves.
    pub options: Conv2dOptions,
}

/// Calls `f` with the flat positions in the images and in the columns of each element that both have.
fn each_element(shape: &UnfoldShape, mut f: impl FnMut(usize, usize)) {
    let (conv, columns) = (&shape.0, shape.columns());
    let Conv2dOptions { stride, padding, dilation, .. } = conv.options;
    for column in 0..columns.numel() {
        let (rest, patch) = (column / columns[2], column % columns[2]);
        let (rest, b) = (rest / conv.kernel[1], rest % conv.kernel[1]);
        let (plane, a) = (rest / conv.kernel[0], rest % conv.kernel[0]);
        let (i, j) = (patch / conv.output[1], patch % conv.output[1]);
        // What lies before the image wraps around to far behind it.
        let row = (i * stride[0] + a * dilation[0]).wrapping_sub(padding[0]);
        let across = (j * stride[1] + b * dilation[1]).wrapping_sub(padding[1]);
        if row < conv.input[0] && across < conv.input[1] {
            f((plane * conv.input[0] + row) * conv.input[1] + across, column);
        }
    }
}

fn random(g: &mut Gen) -> UnfoldShape {
    let shape = super::random_shape(g);
    UnfoldShape::new("unfold", &shape.x(), shape.kernel, shape.options).or_fail()
}

impl Op for Unfold {
    const NAME: &'static str = "unfold";
    const FORMULA: &'static str =
        "y[n, (c,a,b), (i,j)] = x[n,c, i stride + a dilation - padding, ..]; dx = fold(g)";
    const PRECISION: Precision = Precision::Ulps(0.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        Ok(UnfoldShape::new(Self::NAME, x, self.kernel, self.options)?.columns().into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].unfold(self.kernel, self.options).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        let (size, Unfold { kernel, options }) = ([x.shape()[2], x.shape()[3]], *self);
        cx.add(0, || V::apply(Fold { size, kernel, options }, &[&g]));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let shape = UnfoldShape::new(Self::NAME, inputs[0].shape(), self.kernel, self.options).or_fail();
        let mut y = Array::full(shape.columns(), 0.0);
        each_element(&shape, |pixel, column| y.data_mut()[column] = inputs[0].data()[pixel]);
        vec![y]
    }

    /// Nothing: it only moves elements.
    fn flops(&self, _: &[&[usize]], _: &[&[usize]]) -> u64 {
        0
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        image_only(along, 0)
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let shape = random(g).0;
        let op = Unfold { kernel: shape.kernel, options: shape.options };
        vec![Sample::new(op, [g.normal(shape.x())])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = Unfold { kernel: [3, 3], options: Conv2dOptions::default() };
        vec![
            ErrorCase::new(
                op,
                &[&[3, 8, 8]],
                "unfold: the input has shape [3, 8, 8], not [images, channels,",
            ),
            ErrorCase::new(
                op,
                &[&[1, 2, 8, 2]],
                "unfold: [1, 2, 8, 2] * [1, 2, 3, 3]: width: a kernel of 3 reaches over 3 elements, the input has 2",
            ),
        ]
    }
}

impl Op for Fold {
    const NAME: &'static str = "fold";
    const FORMULA: &'static str =
        "y[n,c, i stride + a dilation - padding, ..] += x[n, (c,a,b), (i,j)]; dx = unfold(g)";
    const PRECISION: Precision = Precision::UlpsOfLargest(8.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        Ok(UnfoldShape::of_fold(Self::NAME, x, self.size, self.kernel, self.options)?.0.x().into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].fold(self.size, self.kernel, self.options).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let g = cx.cotangent();
        cx.add(0, || V::apply(Unfold { kernel: self.kernel, options: self.options }, &[&g]));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let shape =
            UnfoldShape::of_fold(Self::NAME, x.shape(), self.size, self.kernel, self.options).or_fail();
        let mut y = Array::full(shape.0.x(), 0.0);
        each_element(&shape, |pixel, column| y.data_mut()[pixel] += x.data()[column]);
        vec![y]
    }

    /// One addition for each element of the input.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        elements(&inputs[..1])
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        image_only(along, 0)
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let shape = random(g);
        let op = Fold { size: shape.0.input, kernel: shape.0.kernel, options: shape.0.options };
        vec![Sample::new(op, [g.normal(shape.columns())])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = Fold { size: [3, 3], kernel: [2, 2], options: Conv2dOptions::default() };
        vec![
            ErrorCase::new(
                op,
                &[&[4, 4]],
                "fold: the columns have shape [4, 4], not [images, channels · 4, patches]",
            ),
            ErrorCase::new(
                op,
                &[&[1, 6, 4]],
                "fold: 6 rows of [1, 6, 4] are no multiple of a patch of [2, 2]",
            ),
            ErrorCase::new(
                op,
                &[&[1, 8, 5]],
                "fold: the columns have shape [1, 8, 5], but unfolding [1, 2, 3, 3] gives [1, 8, 4]",
            ),
        ]
    }
}
