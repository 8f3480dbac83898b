//! Values put one after the other.

use crate::{
    op::{batch::behind_batch, prelude::*},
    ops::methods::*,
};
use gradus_tensor::shape::resolve_axis;

/// Any number of values, one after the other along an axis.
#[derive(Clone, Copy, Debug)]
pub struct Concat {
    /// The axis; negative counts from the back.
    pub axis: isize,
}

impl Op for Concat {
    const NAME: &'static str = "concat";
    const FORMULA: &'static str =
        "y = the inputs one after the other along the axis; dx_i = the part of g where x_i lies";
    const PRECISION: Precision = Precision::Ulps(0.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let Some(&first) = inputs.first() else {
            return Err(ShapeError::new("concat: there is nothing to put together: give at least one value"));
        };
        let axis = resolve_axis(Self::NAME, self.axis, first)?;
        for &x in inputs {
            let fits = x.len() == first.len() && (0..x.len()).all(|i| i == axis || x[i] == first[i]);
            if !fits {
                return Err(ShapeError::new(format!(
                    "concat: shapes {first:?} and {x:?} must be equal but for axis {axis}"
                )));
            }
        }
        Ok(Shape::new(first).with(axis, inputs.iter().map(|x| x[axis]).fold(0, usize::saturating_add)).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (Tensor::concat(inputs, self.axis).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let (inputs, g) = (cx.input_list(), cx.cotangent());
        let mut end = 0;
        for (i, x) in inputs.iter().enumerate() {
            let shape = x.shape();
            let start = end;
            end += shape[resolve_axis(Self::NAME, self.axis, &shape).or_fail()] as isize;
            cx.add(i, || g.slice(self.axis, start..end));
        }
    }

    fn batched(&self, batch: &Batch<'_>) -> Option<InBatch> {
        if batch.is_batched.contains(&false) {
            None
        } else {
            batch.with(Concat { axis: behind_batch(self.axis) })
        }
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let axis = resolve_axis(Self::NAME, self.axis, inputs[0].shape()).or_fail();
        let size: usize = inputs.iter().map(|x| x.shape()[axis]).sum();
        vec![Array::from_fn(Shape::new(inputs[0].shape()).with(axis, size), |index| {
            let mut from = index.to_vec();
            let x = inputs.iter().find(|x| {
                let inside = from[axis] < x.shape()[axis];
                from[axis] -= if inside { 0 } else { x.shape()[axis] };
                inside
            });
            x.expect("the sizes add up").at(&from)
        })]
    }

    /// Nothing: it only moves elements.
    fn flops(&self, _: &[&[usize]], _: &[&[usize]]) -> u64 {
        0
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        let axis = resolve_axis(Self::NAME, self.axis, along.shape()).or_fail();
        let before: usize = along.inputs[..along.input].iter().map(|x| x[axis]).sum();
        let first = if along.axis == axis { -(before as f64) } else { 0.0 };
        Some(Window { first, ..Window::same(along.axis) })
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let rank = g.between(1, 4);
        let (shape, axis) = (g.shape_of_rank(rank), g.axis(rank));
        let position = axis.rem_euclid(rank as isize) as usize;
        let part = |g: &mut Gen| {
            let size = g.length().min(5);
            g.normal(Shape::new(&shape).with(position, size))
        };
        let parts: Vec<Tensor> = (0..g.between(1, 4)).map(|_| part(g)).collect();
        vec![Sample::new(Concat { axis }, parts)]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let concat = |axis| Concat { axis };
        vec![
            ErrorCase::new(
                concat(0),
                &[&[2, 3], &[2, 4]],
                "concat: shapes [2, 3] and [2, 4] must be equal but for axis 0",
            ),
            ErrorCase::new(concat(1), &[&[2, 3], &[2]], "concat: shapes [2, 3] and [2] must be equal"),
            ErrorCase::new(concat(2), &[&[2, 3]], "concat: axis 2 is out of range for shape [2, 3]"),
            ErrorCase::new(concat(0), &[], "concat: there is nothing to put together"),
        ]
    }
}
