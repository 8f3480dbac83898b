//! Each element of an axis joined with all before it.

use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::shape::resolve_axis;

/// `y_i = x_0 ∘ .. ∘ x_i` along an axis for an associative operation ∘ of two inputs.
///
/// After each round a place holds what the `reach` elements up to it are joined to, and the rounds double the reach. The
/// derivative, to any order, is that of the operation.
#[track_caller]
pub(super) fn scan<V: Value, O: Op>(name: &str, x: &V, axis: isize, join: O) -> V {
    let shape = x.shape();
    let n = shape[resolve_axis(name, axis, &shape).or_fail()] as isize;
    let (mut y, mut reach) = (x.clone(), 1);
    while reach < n {
        let joined = V::apply(join.clone(), &[&y.slice(axis, ..-reach), &y.slice(axis, reach..)]);
        y = V::concat(&[&y.slice(axis, ..reach), &joined], axis);
        reach *= 2;
    }
    y
}
