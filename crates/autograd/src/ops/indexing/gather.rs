//! Elements named one by one along an axis, and the reverse: adding elements where the indices say.

use super::index_select::{base, base_reference, sent};
use crate::op::prelude::*;
use gradus_tensor::{Indices, shape::resolve_axis};

/// For each index the element at that place of an axis, at the index's own place on the others.
#[derive(Clone, Debug)]
pub struct Gather {
    /// The axis; negative counts from the back.
    pub axis: isize,
    /// The elements.
    pub indices: Indices,
}

/// Zeros, or with two inputs the second, to which elements are added one after the other where indices say: the reverse of
/// [`Gather`].
#[derive(Clone, Debug)]
pub struct ScatterAdd {
    /// The axis; negative counts from the back.
    pub axis: isize,
    /// Where each element goes.
    pub indices: Indices,
    /// The shape of the result.
    pub shape: Shape,
}

/// The axis, as a position; an error unless the indices lie along it and are in range.
fn check(op: &str, axis: isize, shape: &[usize], indices: &Indices) -> Result<usize, ShapeError> {
    let axis = resolve_axis(op, axis, shape)?;
    indices.check_along(op, axis, shape)?;
    indices.check_range(op, axis, shape)?;
    Ok(axis)
}

/// [`check`] of indices by which the elements of a source are sent to places of the shape, one by one.
pub(super) fn check_sent(
    op: &str,
    axis: isize,
    shape: &[usize],
    indices: &Indices,
    source: &[usize],
) -> Result<usize, ShapeError> {
    let axis = check(op, axis, shape, indices)?;
    let own = indices.shape();
    if own[..] != *source {
        return Err(ShapeError::new(format!(
            "{op}: the indices have shape {own}, the source {source:?}: they must be equal"
        )));
    }
    Ok(axis)
}

/// For each element of the source, row-major, the place of the shape that its index sends it to, row-major too; an error
/// unless the source has the indices' shape and they fit.
pub(super) fn places(
    op: &str,
    axis: isize,
    shape: &[usize],
    indices: &Indices,
    source: &[usize],
) -> Result<Vec<usize>, ShapeError> {
    let axis = check_sent(op, axis, shape, indices, source)?;
    let inner: usize = shape[axis + 1..].iter().product();
    let block = source[axis] * inner;
    let place = |(k, p): (usize, usize)| (k / block * shape[axis] + p) * inner + k % inner;
    Ok(indices.positions(op, axis, shape)?.into_iter().enumerate().map(place).collect())
}

/// The index of the element that an index of the indices names, given the position on the axis.
fn place(index: &[usize], axis: usize, position: usize) -> Vec<usize> {
    let mut place = index.to_vec();
    place[axis] = position;
    place
}

/// A shape, an axis of it, and indices that fit.
pub(super) fn sample(g: &mut Gen) -> (Vec<usize>, isize, Indices) {
    let rank = g.between(1, 4);
    let (shape, axis) = (g.shape_of_rank(rank), g.axis(rank));
    let position = axis.rem_euclid(rank as isize) as usize;
    let mut own = shape.clone();
    own[position] = if shape[position] == 0 { 0 } else { g.length().min(9) };
    let indices = g.indices(own, shape[position].max(1));
    (shape, axis, indices)
}

impl Op for Gather {
    const NAME: &'static str = "gather";
    const FORMULA: &'static str = "y[i, j] = x[i, indices[i, j]] for axis 1; dx[i, indices[i, j]] += g[i, j]";
    const PRECISION: Precision = Precision::Ulps(0.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        check(Self::NAME, self.axis, x, &self.indices)?;
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
        let axis = resolve_axis(Self::NAME, self.axis, x.shape()).or_fail();
        let mut positions = self.indices.positions(Self::NAME, axis, x.shape()).or_fail().into_iter();
        vec![Array::from_fn(self.indices.shape(), |index| {
            x.at(&place(index, axis, positions.next().expect("one for each index")))
        })]
    }

    /// Nothing: it only moves elements.
    fn flops(&self, _: &[&[usize]], _: &[&[usize]]) -> u64 {
        0
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        along.same_but(&[resolve_axis(Self::NAME, self.axis, along.shape()).or_fail()])
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (shape, axis, indices) = sample(g);
        vec![Sample::new(Gather { axis, indices }, [g.normal(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = |indices| Gather { axis: 1, indices };
        vec![
            ErrorCase::new(
                op(Indices::new([0, 3], [2, 1])),
                &[&[2, 3]],
                "gather: index 3 is out of range for axis 1 of shape [2, 3]",
            ),
            ErrorCase::new(
                op([0].into()),
                &[&[2, 3]],
                "gather: indices of shape [1] do not fit shape [2, 3]: only axis 1 may differ",
            ),
            ErrorCase::new(
                op(Indices::new([0], [1, 1])),
                &[&[2, 3]],
                "gather: indices of shape [1, 1] do not fit shape [2, 3]",
            ),
        ]
    }
}

impl Op for ScatterAdd {
    const NAME: &'static str = "scatter_add";
    const FORMULA: &'static str =
        "y = b or 0, y[i, indices[i, j]] += x[i, j] for axis 1; dx[i, j] = g[i, indices[i, j]]; db = g";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let x = sent(Self::NAME, inputs, &self.shape)?;
        check_sent(Self::NAME, self.axis, &self.shape, &self.indices, x)?;
        Ok(self.shape.clone().into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (base(inputs, &self.shape).scatter_add(self.axis, &self.indices, inputs[0]).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let g = cx.cotangent();
        cx.add(0, || V::apply(Gather { axis: self.axis, indices: self.indices.clone() }, &[&g]));
        if cx.input_list().len() == 2 {
            cx.add(1, || g);
        }
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let axis = resolve_axis(Self::NAME, self.axis, &self.shape).or_fail();
        let positions = self.indices.positions(Self::NAME, axis, &self.shape).or_fail();
        let (mut y, mut positions) = (base_reference(inputs, &self.shape), positions.into_iter());
        Array::from_fn(x.shape(), |index| {
            *y.at_mut(&place(index, axis, positions.next().expect("one for each index"))) += x.at(index);
            0.0
        });
        vec![y]
    }

    /// One addition for each element of the input.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        elements(&inputs[..1])
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        match along.input {
            0 => along.same_but(&[resolve_axis(Self::NAME, self.axis, along.shape()).or_fail()]),
            _ => along.same(),
        }
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (shape, axis, indices) = sample(g);
        let source = g.normal(indices.shape());
        let op = ScatterAdd { axis, indices, shape: Shape::new(&shape) };
        vec![Sample::new(op.clone(), [source.clone()]), Sample::new(op, [source, g.normal(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = |indices: Indices| ScatterAdd { axis: 0, indices, shape: [3].into() };
        vec![
            ErrorCase::new(op([0, 3].into()), &[&[2]], "scatter_add: index 3 is out of range for axis 0"),
            ErrorCase::new(
                op([0, 1].into()),
                &[&[3]],
                "scatter_add: the indices have shape [2], the source [3]: they must be equal",
            ),
            ErrorCase::new(op([0].into()), &[&[1], &[2]], "scatter_add: to shape [2], not to [3]"),
        ]
    }
}
