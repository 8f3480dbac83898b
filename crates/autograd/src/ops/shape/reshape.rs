//! Another shape for the same elements.

use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::resolve_reshape;

/// The same elements, row-major, under this shape.
#[derive(Clone, Debug)]
pub struct Reshape(
    /// The shape of the result.
    pub Shape,
);

impl Op for Reshape {
    const NAME: &'static str = "reshape";
    const FORMULA: &'static str = "y has x's elements in row-major order; dx = g under x's shape";
    const PRECISION: Precision = Precision::Ulps(0.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        Ok(resolve_reshape(x, &self.0)?.into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].reshape(&self.0).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        cx.add(0, || g.reshape(x.shape()));
    }

    fn batched(&self, batch: &Batch<'_>) -> Option<InBatch> {
        let shape = resolve_reshape(batch.shapes[0], &self.0).ok()?;
        batch.with(Reshape(batch.before(&shape)))
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        vec![Array::new(inputs[0].data().to_vec(), &self.0)]
    }

    fn reference_update(&self, update: &mut Update<'_>) -> bool {
        let x = update.inputs()[0];
        update.changes().for_each(|(at, _)| update.set(at, x.data()[at]));
        true
    }

    /// Nothing: it only moves elements.
    fn flops(&self, _: &[&[usize]], _: &[&[usize]]) -> u64 {
        0
    }

    /// An axis stays one if it has its size and as many elements behind it as before.
    fn window(&self, along: &Along<'_>) -> Option<Window> {
        let behind = |shape: &[usize], axis: usize| shape[axis + 1..].iter().product::<usize>();
        let (x, y, size) = (along.shape(), along.output, along.shape()[along.axis]);
        let stays = |&axis: &usize| y[axis] == size && behind(y, axis) == behind(x, along.axis);
        (0..y.len()).find(stays).map(Window::same)
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let from = g.shape();
        // The factors in another order, neighbours merged now and then, a size of 1 put in.
        let mut to = from.clone();
        g.rng().shuffle(&mut to);
        if to.len() > 1 && g.between(0, 1) == 0 {
            let last = to.remove(to.len() - 1);
            to[0] *= last;
        }
        if g.between(0, 1) == 0 {
            let at = g.between(0, to.len());
            to.insert(at, 1);
        }
        vec![Sample::new(Reshape(Shape::new(&to)), [g.normal(from)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        vec![ErrorCase::new(Reshape([4, 2].into()), &[&[2, 3]], "reshape: [2, 3] has 6 elements")]
    }
}
