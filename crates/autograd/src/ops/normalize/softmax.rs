//! The softmax.

use crate::{
    op::prelude::*,
    ops::{methods::*, reduce::same_shape_along},
};
use gradus_tensor::shape::resolve_axis;

/// The softmax along an axis.
#[derive(Clone, Copy, Debug)]
pub struct Softmax {
    /// The axis; negative counts from the back.
    pub axis: isize,
}

impl Op for Softmax {
    const NAME: &'static str = "softmax";
    const FORMULA: &'static str = "y = e^x / Σ e^x along the axis; dx = y (g - Σ g y)";
    const PRECISION: Precision = Precision::Ulps(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        same_shape_along::<Self>(inputs, self.axis)
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].softmax(self.axis).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let (y, g) = (cx.output(), cx.cotangent());
        cx.add(0, || {
            let mean = (&g * y).sum_axes(self.axis, true);
            (g - mean) * y
        });
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let axis = resolve_axis(Self::NAME, self.axis, inputs[0].shape()).or_fail();
        vec![inputs[0].map_lanes(axis, |lane| {
            let max = lane.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = lane.iter().map(|x| (x - max).exp()).sum();
            lane.iter_mut().for_each(|x| *x = (*x - max).exp() / sum);
        })]
    }

    /// Greatest element, difference, exponential, sum, quotient.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        5 * elements(&inputs[..1])
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        along.same_but(&[resolve_axis(Self::NAME, self.axis, along.shape()).or_fail()])
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let rank = g.between(1, 4);
        let (shape, axis) = (g.shape_of_rank(rank), g.axis(rank));
        vec![Sample::new(Softmax { axis }, [g.normal(shape) * 2.0])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let softmax = |axis| Softmax { axis };
        vec![
            ErrorCase::new(softmax(2), &[&[2, 3]], "softmax: axis 2 is out of range for shape [2, 3]"),
            ErrorCase::new(softmax(0), &[&[]], "softmax: axis 0 of a scalar"),
        ]
    }
}
