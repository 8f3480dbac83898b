//! The identity: another node for the same value.

use crate::op::prelude::*;

/// The same value as a node of its own, so that a function can be differentiated by its argument alone where it also
/// uses what it was called with: see [`functional`](crate::functional).
#[derive(Clone, Copy, Debug)]
pub struct Identity;

impl Op for Identity {
    const NAME: &'static str = "identity";
    const FORMULA: &'static str = "y = x; dx = g";
    const PRECISION: Precision = Precision::Ulps(0.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        Ok(Shape::new(x).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].clone().into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let g = cx.cotangent();
        cx.add(0, || g);
    }

    fn batched(&self, batch: &Batch<'_>) -> Option<InBatch> {
        batch.with(Identity)
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        vec![inputs[0].clone()]
    }

    /// Nothing: it only moves elements.
    fn flops(&self, _: &[&[usize]], _: &[&[usize]]) -> u64 {
        0
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        along.same()
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let shape = g.shape();
        vec![Sample::new(Identity, [g.normal(shape)])]
    }
}
