//! The cumulative product along an axis.

use super::{
    linear_recurrence::{adjoint, by_later_coefficients},
    over,
};
use crate::{
    op::{batch::behind_batch, prelude::*},
    ops::methods::*,
};
use gradus_tensor::shape::resolve_axis;

/// Cumulative products along an axis.
///
/// The [linear recurrence](super::LinearRecurrence) whose coefficients are x, and whose terms are x_0 and then zeros: its
/// gradient, without terms in memory.
#[derive(Clone, Copy, Debug)]
pub struct CumProd {
    /// The axis; negative counts from the back.
    pub axis: isize,
}

impl Op for CumProd {
    const NAME: &'static str = "cumprod";
    const FORMULA: &'static str = "y_i = x_0 · .. · x_i along the axis; \
        dx_i = λ_i y_(i-1), dx_0 = λ_0, λ_i = g_i + x_(i+1) λ_(i+1)";
    const PRECISION: Precision = Precision::Ulps(1.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        over::same_shape_along::<Self>(inputs, self.axis)
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].cumprod(self.axis).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], y, g) = (cx.inputs(), cx.output(), cx.cotangent());
        cx.add(0, || {
            if x.shape().is_empty() {
                return g;
            }
            let lambda = adjoint(x, &g, self.axis);
            let later = by_later_coefficients(&lambda, y, self.axis);
            V::concat(&[&lambda.slice(self.axis, ..1), &later], self.axis)
        });
    }

    fn batched(&self, batch: &Batch<'_>) -> Option<InBatch> {
        batch.with(CumProd { axis: behind_batch(self.axis) })
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let axis = resolve_axis(Self::NAME, self.axis, inputs[0].shape()).or_fail();
        vec![inputs[0].map_lanes(axis, |lane| {
            let mut product = 1.0;
            for x in lane {
                product *= *x;
                *x = product;
            }
        })]
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        along.same_but(&[resolve_axis(Self::NAME, self.axis, along.shape()).or_fail()])
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let rank = g.between(1, 4);
        let (shape, axis) = (g.shape_of_rank(rank), g.axis(rank));
        // Some of the second one's are 0.
        vec![
            Sample::new(CumProd { axis }, [g.normal(&shape)]),
            Sample::new(CumProd { axis }, [g.tied(&shape)]),
        ]
    }

    fn error_cases() -> Vec<ErrorCase> {
        vec![over::no_such_axis(CumProd { axis: 2 })]
    }
}
