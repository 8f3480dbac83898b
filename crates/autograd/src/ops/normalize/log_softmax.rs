//! The logarithm of the softmax.

use crate::{
    op::prelude::*,
    ops::{methods::*, reduce::same_shape_along},
};
use gradus_tensor::shape::resolve_axis;

/// The logarithm of the softmax along an axis.
#[derive(Clone, Copy, Debug)]
pub struct LogSoftmax {
    /// The axis; negative counts from the back.
    pub axis: isize,
}

impl Op for LogSoftmax {
    const NAME: &'static str = "log_softmax";
    const FORMULA: &'static str = "y = x - ln Σ e^x along the axis; dx = g - e^y Σ g";
    const PRECISION: Precision = Precision::UlpsOfLargest(4.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        same_shape_along::<Self>(inputs, self.axis)
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].log_softmax(self.axis).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let (y, g) = (cx.output(), cx.cotangent());
        cx.add(0, || {
            let sum = g.sum_axes(self.axis, true);
            g - y.exp() * sum
        });
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let axis = resolve_axis(Self::NAME, self.axis, inputs[0].shape()).or_fail();
        vec![inputs[0].map_lanes(axis, log_softmax)]
    }

    /// Greatest element, difference, exponential, sum, difference.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        5 * elements(&inputs[..1])
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        along.same_but(&[resolve_axis(Self::NAME, self.axis, along.shape()).or_fail()])
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let rank = g.between(1, 4);
        let (shape, axis) = (g.shape_of_rank(rank), g.axis(rank));
        vec![Sample::new(LogSoftmax { axis }, [g.normal(shape) * 2.0])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let message = "log_softmax: axis 2 is out of range for shape [2, 3]";
        vec![ErrorCase::new(LogSoftmax { axis: 2 }, &[&[2, 3]], message)]
    }
}

/// The logarithm of the softmax of a lane, for references.
pub(crate) fn log_softmax(lane: &mut [f64]) {
    let max = lane.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_sum = ln_sum(lane.iter().map(|x| (x - max).exp()));
    lane.iter_mut().for_each(|x| *x = *x - max - log_sum);
}

/// The logarithm of a sum of numbers whose largest is 1. Where the others are nearly nothing it is their sum, to all digits: what is
/// close to 1 would be rounded as 1 is, and the loss of a trained classifier by a thousand times its own last digit.
fn ln_sum(terms: impl Iterator<Item = f64>) -> f64 {
    let (mut ones, mut rest) = (-1.0, 0.0);
    terms.for_each(|term| if term == 1.0 { ones += 1.0 } else { rest += term });
    f64::ln_1p(ones + rest)
}
