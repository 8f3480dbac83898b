//! What reductions over axes have in common: shape rule, reference and window, and the axis that is not there.

use crate::op::prelude::*;
use gradus_tensor::{
    Axes,
    shape::{reduced, resolve_axis},
};

pub(super) fn infer<O: Op>(axes: &Axes, keepdims: bool, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
    let [x] = arity::<O, _>(inputs);
    Ok(reduced(x, &axes.resolve(O::NAME, x)?, keepdims).into())
}

/// The shape of what a reduction gives, the axes kept.
pub(super) fn kept<O: Op>(axes: &Axes, shape: &Shape) -> Shape {
    reduced(shape, &axes.resolve(O::NAME, shape).or_fail(), true)
}

/// What `reduce` makes of the input and the axes, which it keeps.
pub(super) fn reference<O: Op>(
    axes: &Axes,
    keepdims: bool,
    inputs: &[&Array],
    reduce: impl FnOnce(&Array, &[usize]) -> Array,
) -> Vec<Array> {
    let x = inputs[0];
    let axes = axes.resolve(O::NAME, x.shape()).or_fail();
    let y = reduce(x, &axes);
    vec![Array::new(y.data().to_vec(), reduced(x.shape(), &axes, keepdims))]
}

pub(super) fn window<O: Op>(axes: &Axes, keepdims: bool, along: &Along<'_>) -> Option<Window> {
    along.reduced(&axes.resolve(O::NAME, along.shape()).or_fail(), keepdims)
}

/// The shape of what an operation along an axis gives, an element for each: the input's.
pub(in crate::ops) fn same_shape_along<O: Op>(
    inputs: &[&[usize]],
    axis: isize,
) -> Result<Shapes, ShapeError> {
    let [x] = arity::<O, _>(inputs);
    resolve_axis(O::NAME, axis, x)?;
    Ok(Shape::new(x).into())
}

/// The error case of an operation over axis 2.
pub(super) fn no_such_axis<O: Op>(op: O) -> ErrorCase {
    ErrorCase::new(op, &[&[2, 3]], format!("{}: axis 2 is out of range for shape [2, 3]", O::NAME))
}

/// A shape and axes of it that have elements, for samples of what is not defined over none.
pub(super) fn random(g: &mut Gen, op: &str) -> (Vec<usize>, Axes) {
    let mut shape = g.shape();
    let axes = g.some_axes(shape.len());
    for axis in axes.resolve(op, &shape).or_fail() {
        shape[axis] = shape[axis].max(1);
    }
    (shape, axes)
}
