//! The cumulative sum along an axis.

use super::over;
use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::shape::resolve_axis;

/// Cumulative sums along an axis.
#[derive(Clone, Copy, Debug)]
pub struct CumSum {
    /// The axis; negative counts from the back.
    pub axis: isize,
}

impl Op for CumSum {
    const NAME: &'static str = "cumsum";
    const FORMULA: &'static str = "y_i = x_0 + .. + x_i along the axis; dx_i = g_i + g_(i+1) + ..";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        over::same_shape_along::<Self>(inputs, self.axis)
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].cumsum(self.axis).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let g = cx.cotangent();
        cx.add(0, || g.flip(self.axis).cumsum(self.axis).flip(self.axis));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let axis = resolve_axis(Self::NAME, self.axis, inputs[0].shape()).or_fail();
        vec![inputs[0].map_lanes(axis, |lane| {
            let mut sum = 0.0;
            for x in lane {
                sum += *x;
                *x = sum;
            }
        })]
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        along.same_but(&[resolve_axis(Self::NAME, self.axis, along.shape()).or_fail()])
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let rank = g.between(1, 4);
        let (shape, axis) = (g.shape_of_rank(rank), g.axis(rank));
        vec![Sample::new(CumSum { axis }, [g.normal(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        vec![over::no_such_axis(CumSum { axis: 2 })]
    }
}
