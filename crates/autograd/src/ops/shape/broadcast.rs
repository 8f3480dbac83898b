//! Repeating elements up to a shape, and the reverse: summing what came from one element.

use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::shape::broadcast;

/// Axes of size 1, and new ones at the front, repeated up to this shape.
#[derive(Clone, Debug)]
pub struct BroadcastTo(
    /// The shape of the result.
    pub Shape,
);

/// Repeated elements summed down to this shape.
#[derive(Clone, Debug)]
pub struct SumTo(
    /// The shape of the result.
    pub Shape,
);

/// An error unless `small` broadcasts to exactly `large`.
fn check(op: &str, small: &[usize], large: &[usize]) -> Result<(), ShapeError> {
    match broadcast(op, small, large) {
        Ok(shape) if shape[..] == *large => Ok(()),
        _ => Err(ShapeError::new(format!(
            "{op}: shape {small:?} does not broadcast to {large:?}: aligned at the back, each size must be equal or 1"
        ))),
    }
}

fn sample(g: &mut Gen) -> (Vec<usize>, Vec<usize>) {
    let large = g.shape();
    let skip = if large.is_empty() { 0 } else { g.between(0, 1) };
    let small = large[skip..].iter().map(|&n| if g.between(0, 2) == 0 { 1 } else { n }).collect();
    (small, large)
}

impl Op for BroadcastTo {
    const NAME: &'static str = "broadcast_to";
    const FORMULA: &'static str = "y repeats x; dx = g summed over what was repeated";
    const PRECISION: Precision = Precision::Ulps(0.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        self.0.clone().checked(Self::NAME)?;
        check(Self::NAME, x, &self.0)?;
        Ok(self.0.clone().into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].broadcast_to(&self.0).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        cx.add(0, || g.sum_to(x.shape()));
    }

    fn batched(&self, batch: &Batch<'_>) -> Option<InBatch> {
        batch.aligned(BroadcastTo(batch.before(&self.0)), self.0.rank())
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        vec![Array::from_fn(&self.0, |index| inputs[0].broadcast_at(index))]
    }

    /// Nothing: it only moves elements.
    fn flops(&self, _: &[&[usize]], _: &[&[usize]]) -> u64 {
        0
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        along.same()
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (small, large) = sample(g);
        vec![Sample::new(BroadcastTo(Shape::new(&large)), [g.normal(small)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        vec![
            ErrorCase::new(
                BroadcastTo([2, 3].into()),
                &[&[2]],
                "broadcast_to: shape [2] does not broadcast to [2, 3]",
            ),
            ErrorCase::new(
                BroadcastTo([3].into()),
                &[&[1, 3]],
                "broadcast_to: shape [1, 3] does not broadcast to [3]",
            ),
        ]
    }
}

impl Op for SumTo {
    const NAME: &'static str = "sum_to";
    const FORMULA: &'static str =
        "y sums x over the axes that broadcasting y's shape repeats; dx = g repeated";
    const PRECISION: Precision = Precision::UlpsOfLargest(64.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        check(Self::NAME, &self.0, x)?;
        Ok(self.0.clone().into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].sum_to(&self.0).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        cx.add(0, || g.broadcast_to(x.shape()));
    }

    fn batched(&self, batch: &Batch<'_>) -> Option<InBatch> {
        let filled = [&vec![1; batch.shapes[0].len() - self.0.rank()], &self.0[..]].concat();
        batch.with(SumTo(batch.before(&filled)))
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let mut y = Array::full(&self.0, 0.0);
        let skip = x.shape().len() - self.0.rank();
        Array::from_fn(x.shape(), |index| {
            let to: Vec<usize> =
                index[skip..].iter().zip(&self.0[..]).map(|(&i, &n)| if n == 1 { 0 } else { i }).collect();
            *y.at_mut(&to) += x.at(index);
            0.0
        });
        vec![y]
    }

    /// One addition for each element of the input.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        elements(&inputs[..1])
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        along.same()
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (small, large) = sample(g);
        vec![Sample::new(SumTo(Shape::new(&small)), [g.normal(large)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        vec![ErrorCase::new(SumTo([2].into()), &[&[2, 3]], "sum_to: shape [2] does not broadcast to [2, 3]")]
    }
}
