//! Borders around a value.

use super::Unslice;
use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::list;

/// What [`pad`](super::Shaping::pad) puts around the elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Padding {
    /// One value.
    Constant(f32),
    /// The elements mirrored at the edge, which is not repeated: `c b | a b c | b a`.
    Reflect,
    /// The element at the edge: `a a | a b c | c c`.
    Replicate,
    /// The elements over and over: `b c | a b c | a b`.
    Circular,
}

#[track_caller]
pub(super) fn pad<V: Value>(x: &V, widths: &[(usize, usize)], padding: Padding) -> V {
    let shape = x.shape();
    if widths.len() != shape.rank() {
        ShapeError::new(format!("pad: {widths:?} must have one pair for each axis of shape {shape}")).fail()
    }
    let size =
        |(&n, &(before, after)): (&usize, &(usize, usize))| n.saturating_add(before).saturating_add(after);
    let padded = shape.iter().zip(widths).map(size).collect::<Shape>().checked("pad").or_fail();
    let mut y = x.clone();
    for (axis, &(before, after)) in widths.iter().enumerate().filter(|(_, width)| **width != (0, 0)) {
        let n = shape[axis];
        // Which element stands at a place, counted from the first one.
        let (element, rule): (fn(isize, isize) -> isize, _) = match padding {
            Padding::Constant(_) => {
                let slice = (before..before + n).into();
                y = V::apply(Unslice { axis: axis as isize, slice, size: padded[axis] }, &[&y]);
                continue;
            }
            Padding::Reflect => {
                (|i, n| i.abs().min(2 * (n - 1) - i.abs()), "a reflection must be shorter than its axis")
            }
            Padding::Replicate => (|i, n| i.clamp(0, n - 1), "there is no element to replicate"),
            Padding::Circular => (|i, n| i.rem_euclid(n), "there is no element to go around"),
        };
        if n == 0 || padding == Padding::Reflect && before.max(after) >= n {
            ShapeError::new(format!("pad: ({before}, {after}) on axis {axis} of shape {shape}: {rule}"))
                .fail()
        }
        let mut places: Vec<i32> = list("pad", padded[axis]).or_fail();
        places.extend((-(before as isize)..(n + after) as isize).map(|i| element(i, n as isize) as i32));
        y = y.index_select(axis as isize, &places.into());
    }
    match padding {
        Padding::Constant(value) if value != 0.0 => {
            let inside = Tensor::ones(shape).pad(widths, Padding::Constant(0.0));
            x.place().constant(inside).select_where(&y, &x.place().constant(value))
        }
        _ => y,
    }
}
