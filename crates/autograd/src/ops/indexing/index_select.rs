//! Parts of an axis named by indices, and the reverse: adding parts where the indices say.

use super::{Indexing, check_indices, known_axis};
use crate::{
    check::{ErrorCase, Gen, Sample},
    op::{Backward, Op, Outputs, Precision, Shapes, arity},
    reference::{Array, Branches},
    value::Value,
};
use gradus_tensor::{Indices, Shape, ShapeError, Tensor};

/// The parts of an axis that indices name.
#[derive(Clone, Debug)]
pub struct IndexSelect {
    /// The axis; negative counts from the back.
    pub axis: isize,
    /// The parts, in any order and number.
    pub indices: Indices,
}

/// Zeros, to which parts are added where indices say: the reverse of [`IndexSelect`].
#[derive(Clone, Debug)]
pub struct IndexAdd {
    /// The axis; negative counts from the back.
    pub axis: isize,
    /// Where each part goes.
    pub indices: Indices,
    /// The length of the axis in the result.
    pub size: usize,
}

impl Op for IndexSelect {
    const NAME: &'static str = "index_select";
    const FORMULA: &'static str =
        "y[.., i, ..] = x[.., indices[i], ..]; dx[.., indices[i], ..] += g[.., i, ..]";
    const PRECISION: Precision = Precision::Ulps(0.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity("index_select", inputs);
        let axis = check_indices("index_select", self.axis, x, &self.indices)?;
        let &[n] = &self.indices.shape()[..] else {
            let shape = self.indices.shape();
            return Err(ShapeError::new(format!(
                "index_select: the indices must have one axis, not {shape}"
            )));
        };
        Ok(Shape::new(x).with(axis, n).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].index_select(self.axis, &self.indices).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        let shape = x.shape();
        let (axis, indices) = (self.axis, self.indices.clone());
        cx.add(0, || V::apply(IndexAdd { axis, indices, size: shape[known_axis(axis, &shape)] }, &[&g]));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let axis = known_axis(self.axis, x.shape());
        vec![Array::from_fn(Shape::new(x.shape()).with(axis, self.indices.len()), |index| {
            let mut from = index.to_vec();
            from[axis] = self.indices.get([index[axis]]) as usize;
            x.at(&from)
        })]
    }

    fn samples(g: &mut Gen) -> Vec<Sample<IndexSelect>> {
        let rank = g.between(1, 4);
        let (shape, axis) = (g.shape_of_rank(rank), g.axis(rank));
        let size = shape[known_axis(axis, &shape)];
        let count = if size == 0 { 0 } else { g.length() };
        vec![Sample::new(IndexSelect { axis, indices: g.indices([count], size.max(1)) }, [g.normal(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase<IndexSelect>> {
        let op = |axis, indices| IndexSelect { axis, indices };
        vec![
            ErrorCase::new(
                op(0, [0, 2].into()),
                &[&[2, 3]],
                "index_select: index 2 at position 1 is out of range for axis 0 of shape [2, 3]",
            ),
            ErrorCase::new(
                op(-1, [-1].into()),
                &[&[2, 3]],
                "index_select: index -1 at position 0 is out of range",
            ),
            ErrorCase::new(op(2, [0].into()), &[&[2, 3]], "index_select: axis 2 is out of range"),
            ErrorCase::new(
                op(0, Indices::new([0], [1, 1])),
                &[&[2, 3]],
                "index_select: the indices must have one axis, not [1, 1]",
            ),
        ]
    }
}

impl Op for IndexAdd {
    const NAME: &'static str = "index_add";
    const FORMULA: &'static str =
        "y = 0, y[.., indices[i], ..] += x[.., i, ..]; dx[.., i, ..] = g[.., indices[i], ..]";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity("index_add", inputs);
        let axis = gradus_tensor::shape::resolve_axis("index_add", self.axis, x)?;
        let whole = Shape::new(x).with(axis, self.size);
        check_indices("index_add", self.axis, &whole, &self.indices)?;
        if self.indices.shape()[..] != [x[axis]] {
            return Err(ShapeError::new(format!(
                "index_add: {} parts on axis {axis} of shape {x:?} need as many indices, not {}",
                x[axis],
                self.indices.shape()
            )));
        }
        Ok(whole.into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        let x = inputs[0];
        let zeros = Tensor::zeros(x.shape().with(known_axis(self.axis, x.shape()), self.size));
        (zeros.index_add(self.axis, &self.indices, x).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let g = cx.cotangent();
        cx.add(0, || g.index_select(self.axis, &self.indices));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let axis = known_axis(self.axis, x.shape());
        let mut y = Array::full(Shape::new(x.shape()).with(axis, self.size), 0.0);
        Array::from_fn(x.shape(), |index| {
            let mut to = index.to_vec();
            to[axis] = self.indices.get([index[axis]]) as usize;
            *y.at_mut(&to) += x.at(index);
            0.0
        });
        vec![y]
    }

    fn samples(g: &mut Gen) -> Vec<Sample<IndexAdd>> {
        let rank = g.between(1, 4);
        let (shape, axis) = (g.shape_of_rank(rank), g.axis(rank));
        let size = g.positive_length();
        let indices = g.indices([shape[known_axis(axis, &shape)]], size);
        vec![Sample::new(IndexAdd { axis, indices, size }, [g.normal(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase<IndexAdd>> {
        let op = |indices, size| IndexAdd { axis: 0, indices, size };
        vec![
            ErrorCase::new(
                op([0, 4].into(), 4),
                &[&[2, 3]],
                "index_add: index 4 at position 1 is out of range",
            ),
            ErrorCase::new(
                op([0].into(), 4),
                &[&[2, 3]],
                "index_add: 2 parts on axis 0 of shape [2, 3] need as many indices, not [1]",
            ),
        ]
    }
}
