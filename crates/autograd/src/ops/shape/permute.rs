//! The axes in another order.

use crate::{
    op::{prelude::*, reference::strided},
    ops::methods::*,
};
use gradus_tensor::resolve_permutation;

/// Axis `i` of the result is axis `axes[i]` of the input.
#[derive(Clone, Debug)]
pub struct Permute(
    /// The axes.
    pub Vec<isize>,
);

impl Op for Permute {
    const NAME: &'static str = "permute";
    const FORMULA: &'static str =
        "y[i_0, ..] = x with axis k of y being axis axes[k] of x; dx = g permuted back";
    const PRECISION: Precision = Precision::Ulps(0.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        let axes = resolve_permutation(&self.0, x)?;
        Ok(axes.iter().map(|&a| x[a]).collect::<gradus_tensor::Shape>().into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].permute(&self.0).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let g = cx.cotangent();
        let rank = self.0.len();
        let mut back = vec![0; rank];
        for (i, &axis) in self.0.iter().enumerate() {
            back[axis.rem_euclid(rank as isize) as usize] = i as isize;
        }
        cx.add(0, || g.permute(back));
    }

    fn batched(&self, batch: &Batch<'_>) -> Option<InBatch> {
        let behind = self.0.iter().map(|axis| 1 + axis.rem_euclid(self.0.len() as isize));
        batch.with(Permute([0].into_iter().chain(behind).collect()))
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let rank = x.shape().len();
        let axes: Vec<usize> = self.0.iter().map(|&a| a.rem_euclid(rank as isize) as usize).collect();
        let shape: Vec<usize> = axes.iter().map(|&a| x.shape()[a]).collect();
        let mut from = vec![0; rank];
        vec![Array::from_fn(shape, |index| {
            for (&axis, &i) in axes.iter().zip(index) {
                from[axis] = i;
            }
            x.at(&from)
        })]
    }

    fn reference_update(&self, update: &mut Update<'_>) -> bool {
        let x = update.inputs()[0];
        let rank = x.shape().len();
        // For each axis of x the distance in y from one of its elements to the next.
        let (mut strides, mut stride) = (vec![0; rank], 1);
        for &axis in self.0.iter().rev() {
            let axis = axis.rem_euclid(rank as isize) as usize;
            strides[axis] = stride;
            stride *= x.shape()[axis];
        }
        for (at, _) in update.changes() {
            update.set(strided(at, x.shape(), &strides), x.data()[at]);
        }
        true
    }

    /// Nothing: it only moves elements.
    fn flops(&self, _: &[&[usize]], _: &[&[usize]]) -> u64 {
        0
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        let axes = resolve_permutation(&self.0, along.shape()).or_fail();
        axes.iter().position(|&axis| axis == along.axis).map(Window::same)
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let shape = g.shape();
        let mut axes: Vec<isize> = (0..shape.len() as isize).collect();
        g.rng().shuffle(&mut axes);
        if let Some(first) = axes.first_mut() {
            *first -= shape.len() as isize;
        }
        vec![Sample::new(Permute(axes), [g.normal(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        vec![
            ErrorCase::new(Permute(vec![0, 0]), &[&[2, 3]], "permute: axis 0 of shape [2, 3] is named twice"),
            ErrorCase::new(
                Permute(vec![1]),
                &[&[2, 3]],
                "permute: [1] must name each axis of shape [2, 3] once",
            ),
            ErrorCase::new(
                Permute(vec![0, 2]),
                &[&[2, 3]],
                "permute: axis 2 is out of range for shape [2, 3]",
            ),
        ]
    }
}
