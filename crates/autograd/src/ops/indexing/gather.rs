//! Elements named one by one along an axis, and the reverse: adding elements where the indices say.

use super::{check_indices, known_axis};
use crate::{
    check::{ErrorCase, Gen, Sample},
    op::{Backward, Op, Outputs, Precision, Shapes, arity},
    reference::{Array, Branches},
    value::Value,
};
use gradus_tensor::{Indices, Shape, ShapeError, Tensor};

/// For each index the element at that place of an axis, at the index's own place on the others.
#[derive(Clone, Debug)]
pub struct Gather {
    /// The axis; negative counts from the back.
    pub axis: isize,
    /// The elements.
    pub indices: Indices,
}

/// Zeros, to which elements are added where indices say: the reverse of [`Gather`].
#[derive(Clone, Debug)]
pub struct ScatterAdd {
    /// The axis; negative counts from the back.
    pub axis: isize,
    /// Where each element goes.
    pub indices: Indices,
    /// The shape of the result.
    pub shape: Shape,
}

/// An error unless the indices name elements of this shape.
fn check(op: &str, axis: isize, shape: &[usize], indices: &Indices) -> Result<(), ShapeError> {
    let axis = check_indices(op, axis, shape, indices)?;
    let own = &indices.shape()[..];
    let fits = own.len() == shape.len() && (0..own.len()).all(|i| i == axis || own[i] <= shape[i]);
    if fits {
        return Ok(());
    }
    Err(ShapeError::new(format!(
        "{op}: indices {own:?} do not fit shape {shape:?}: they need as many axes, none longer but axis {axis}"
    )))
}

/// Where the element of an index comes from, or goes to.
fn place(axis: usize, indices: &Indices, index: &[usize]) -> Vec<usize> {
    let mut place = index.to_vec();
    place[axis] = indices.get(index) as usize;
    place
}

/// A shape, an axis of it, and indices that fit.
fn sample(g: &mut Gen) -> (Vec<usize>, isize, Indices) {
    let rank = g.between(1, 4);
    let (shape, axis) = (g.shape_of_rank(rank), g.axis(rank));
    let position = known_axis(axis, &shape);
    let mut own: Vec<usize> = shape.iter().map(|&n| if n > 1 { g.between(n - 1, n) } else { n }).collect();
    let size = shape[position];
    own[position] = if size == 0 { 0 } else { g.length().min(9) };
    let indices = g.indices(own, size.max(1));
    (shape, axis, indices)
}

impl Op for Gather {
    const NAME: &'static str = "gather";
    const FORMULA: &'static str = "y[i, j] = x[i, indices[i, j]] for axis 1; dx[i, indices[i, j]] += g[i, j]";
    const PRECISION: Precision = Precision::Ulps(0.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity("gather", inputs);
        check("gather", self.axis, x, &self.indices)?;
        Ok(self.indices.shape().clone().into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].gather(self.axis, &self.indices).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        let (axis, indices) = (self.axis, self.indices.clone());
        cx.add(0, || V::apply(ScatterAdd { axis, indices, shape: x.shape() }, &[&g]));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let axis = known_axis(self.axis, x.shape());
        vec![Array::from_fn(self.indices.shape(), |index| x.at(&place(axis, &self.indices, index)))]
    }

    fn samples(g: &mut Gen) -> Vec<Sample<Gather>> {
        let (shape, axis, indices) = sample(g);
        vec![Sample::new(Gather { axis, indices }, [g.normal(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase<Gather>> {
        let op = |indices| Gather { axis: 1, indices };
        vec![
            ErrorCase::new(
                op(Indices::new([0, 3], [2, 1])),
                &[&[2, 3]],
                "gather: index 3 at position 1 is out of range for axis 1 of shape [2, 3]",
            ),
            ErrorCase::new(op([0].into()), &[&[2, 3]], "gather: indices [1] do not fit shape [2, 3]"),
            ErrorCase::new(
                op(Indices::new([0; 3], [3, 1])),
                &[&[2, 3]],
                "gather: indices [3, 1] do not fit shape [2, 3]",
            ),
        ]
    }
}

impl Op for ScatterAdd {
    const NAME: &'static str = "scatter_add";
    const FORMULA: &'static str =
        "y = 0, y[i, indices[i, j]] += x[i, j] for axis 1; dx[i, j] = g[i, indices[i, j]]";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity("scatter_add", inputs);
        check("scatter_add", self.axis, &self.shape, &self.indices)?;
        if self.indices.shape()[..] != *x {
            return Err(ShapeError::new(format!(
                "scatter_add: the indices have shape {}, the source {x:?}: they must be equal",
                self.indices.shape()
            )));
        }
        Ok(self.shape.clone().into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (Tensor::zeros(&self.shape).scatter_add(self.axis, &self.indices, inputs[0]).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let g = cx.cotangent();
        cx.add(0, || V::apply(Gather { axis: self.axis, indices: self.indices.clone() }, &[&g]));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let axis = known_axis(self.axis, x.shape());
        let mut y = Array::full(&self.shape, 0.0);
        Array::from_fn(x.shape(), |index| {
            *y.at_mut(&place(axis, &self.indices, index)) += x.at(index);
            0.0
        });
        vec![y]
    }

    fn samples(g: &mut Gen) -> Vec<Sample<ScatterAdd>> {
        let (shape, axis, indices) = sample(g);
        let source = g.normal(indices.shape());
        vec![Sample::new(ScatterAdd { axis, indices, shape: Shape::new(&shape) }, [source])]
    }

    fn error_cases() -> Vec<ErrorCase<ScatterAdd>> {
        let op = |indices: Indices| ScatterAdd { axis: 0, indices, shape: [3].into() };
        vec![
            ErrorCase::new(op([0, 3].into()), &[&[2]], "scatter_add: index 3 at position 1 is out of range"),
            ErrorCase::new(
                op([0, 1].into()),
                &[&[3]],
                "scatter_add: the indices have shape [2], the source [3]: they must be equal",
            ),
        ]
    }
}
