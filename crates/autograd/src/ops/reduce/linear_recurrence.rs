//! Linear recurrences of first order along an axis, whose derivatives of every order are such recurrences again.

use crate::{
    op::{batch::behind_batch, prelude::*},
    ops::{methods::*, shape::Unslice},
};
use gradus_tensor::shape::{self, resolve_axis};

/// `y_i = a_i y_(i-1) + b_i` along an axis.
#[derive(Clone, Copy, Debug)]
pub struct LinearRecurrence {
    /// The axis; negative counts from the back.
    pub axis: isize,
}

/// What reaches each place of the recurrence with coefficients a from the cotangents of those at and behind it:
/// `λ_i = g_i + a_(i+1) λ_(i+1)`.
pub(super) fn adjoint<V: Value>(a: &V, g: &V, axis: isize) -> V {
    // The a_0 that comes round to the end is the first in reverse, which has no part in it.
    a.roll(-1, axis).flip(axis).linear_recurrence(&g.flip(axis), axis).flip(axis)
}

/// The gradient by the coefficients behind the first, of what [`adjoint`] gave and the results: `λ_i y_(i-1)`.
pub(super) fn by_later_coefficients<V: Value>(lambda: &V, y: &V, axis: isize) -> V {
    lambda.slice(axis, 1..) * y.slice(axis, ..-1)
}

impl Op for LinearRecurrence {
    const NAME: &'static str = "linear_recurrence";
    const FORMULA: &'static str = "y_i = a_i y_(i-1) + b_i along the axis, y_0 = b_0; \
        db_i = λ_i = g_i + a_(i+1) λ_(i+1), da_i = λ_i y_(i-1), da_0 = 0";
    const PRECISION: Precision = Precision::UlpsOfLargest(1.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [a, b] = arity::<Self, _>(inputs);
        shape::linear_recurrence(a, b, self.axis)?;
        Ok(Shape::new(b).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].linear_recurrence(inputs[1], self.axis).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let LinearRecurrence { axis } = *self;
        let ([a, _], y) = (cx.inputs(), cx.output());
        let shape = a.shape();
        if shape.is_empty() {
            return cx.send(|[_, _], _, g| [g.clone(), g]);
        }
        let size = shape[resolve_axis(Self::NAME, axis, &shape).or_fail()];
        let lambda = adjoint(a, &cx.cotangent(), axis);
        cx.add(0, || {
            V::apply(Unslice { axis, slice: (1..).into(), size }, &[&by_later_coefficients(&lambda, y, axis)])
        });
        cx.add(1, || lambda);
    }

    /// Where both have the batch: the coefficients are as many as the terms.
    fn batched(&self, batch: &Batch<'_>) -> Option<InBatch> {
        if batch.is_batched.contains(&false) {
            return None;
        }
        batch.with(LinearRecurrence { axis: behind_batch(self.axis) })
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let [a, b] = [inputs[0], inputs[1]];
        let axis = shape::linear_recurrence(a.shape(), b.shape(), self.axis).or_fail();
        let mut y = b.clone();
        Array::from_fn(b.shape(), |index| {
            if index[axis] > 0 {
                let mut before = index.to_vec();
                before[axis] -= 1;
                *y.at_mut(index) += a.at(index) * y.at(&before);
            }
            0.0
        });
        vec![y]
    }

    /// A product and a sum.
    fn flops(&self, _: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        2 * elements(outputs)
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        let [a, b] = [along.inputs[0], along.inputs[1]];
        along.same_but(&[shape::linear_recurrence(a, b, self.axis).or_fail()])
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let rank = g.between(1, 4);
        let (shape, axis) = (g.shape_of_rank(rank), g.axis(rank));
        vec![Sample::new(LinearRecurrence { axis }, [g.normal(&shape), g.normal(&shape)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let along = |axis| LinearRecurrence { axis };
        vec![
            ErrorCase::new(
                along(1),
                &[&[2, 3], &[3]],
                "linear_recurrence: shapes [2, 3] and [3] must be equal",
            ),
            ErrorCase::new(
                along(2),
                &[&[2, 3], &[2, 3]],
                "linear_recurrence: axis 2 is out of range for shape [2, 3]",
            ),
        ]
    }
}
