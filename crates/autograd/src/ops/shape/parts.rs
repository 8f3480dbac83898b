//! Equal parts of an axis, taken apart at once.

use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::shape::resolve_axis;

/// The parts of one size that an axis consists of, each an output.
///
/// With slices, each part would send back a gradient as large as the whole, zero but for the part, and these would be
/// added; here the parts' gradients are put together once.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// The axis; negative counts from the back.
    pub axis: isize,
    /// How many parts.
    pub count: usize,
}

impl Parts {
    /// The axis and the size of a part.
    fn resolve(&self, x: &[usize]) -> Result<(usize, usize), ShapeError> {
        let axis = resolve_axis("parts", self.axis, x)?;
        match self.count {
            1.. if x[axis].is_multiple_of(self.count) => Ok((axis, x[axis] / self.count)),
            count => {
                Err(ShapeError::new(format!("parts: axis {axis} of shape {x:?} has not {count} equal parts")))
            }
        }
    }
}

impl Op for Parts {
    const NAME: &'static str = "parts";
    const FORMULA: &'static str = "y_i = the i-th part of x along the axis; dx = all g_i one after the other";
    const PRECISION: Precision = Precision::Ulps(0.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        let (axis, size) = self.resolve(x)?;
        Ok(vec![Shape::new(x).with(axis, size); self.count].into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        let (_, size) = self.resolve(inputs[0].shape()).or_fail();
        let part = |k: usize| inputs[0].slice(self.axis, k * size..(k + 1) * size);
        ((0..self.count).map(part).collect::<Vec<_>>().into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let gradients: Vec<V> = (0..self.count)
            .map(|k| {
                let y = cx.outputs()[k];
                cx.cotangent_of(k).unwrap_or_else(|| y.place().constant(Tensor::zeros(y.shape())))
            })
            .collect();
        cx.add(0, || V::concat(&gradients.iter().collect::<Vec<_>>(), self.axis));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let (axis, size) = self.resolve(x.shape()).or_fail();
        let part = |k: usize| {
            Array::from_fn(Shape::new(x.shape()).with(axis, size), |index| {
                let mut from = index.to_vec();
                from[axis] += k * size;
                x.at(&from)
            })
        };
        (0..self.count).map(part).collect()
    }

    /// Nothing: it only moves elements.
    fn flops(&self, _: &[&[usize]], _: &[&[usize]]) -> u64 {
        0
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        let (axis, size) = self.resolve(along.shape()).or_fail();
        let first = if along.axis == axis { (along.output_number * size) as f64 } else { 0.0 };
        Some(Window { first, ..Window::same(along.axis) })
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let rank = g.between(1, 4);
        let (shape, axis, count) = (g.shape_of_rank(rank), g.axis(rank), g.between(1, 4));
        let position = axis.rem_euclid(rank as isize) as usize;
        let whole = Shape::new(&shape).with(position, shape[position].min(4) * count);
        vec![Sample::new(Parts { axis, count }, [g.normal(whole)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let parts = |axis, count| Parts { axis, count };
        vec![
            ErrorCase::new(parts(-1, 2), &[&[4, 3]], "parts: axis 1 of shape [4, 3] has not 2 equal parts"),
            ErrorCase::new(parts(0, 0), &[&[4]], "parts: axis 0 of shape [4] has not 0 equal parts"),
            ErrorCase::new(parts(1, 1), &[&[4]], "parts: axis 1 is out of range for shape [4]"),
        ]
    }
}
