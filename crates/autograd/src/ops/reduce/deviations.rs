//! How far elements are from their mean.

use super::Reduce;
use crate::value::Value;
use gradus_tensor::{Axes, Tensor};

/// x less its mean over the axes, exactly 0 where all are equal.
///
/// A mean far above the spread is rounded by as much as the spread is wide. So something near it is taken off first, and
/// then the mean of the rest. It is a constant: it drops out again, out of derivatives too.
pub(in crate::ops) fn deviations<V: Value>(x: &V, axes: &Axes) -> V {
    let values = x.to_tensor();
    let mean = values.mean_axes(axes.clone(), true);
    let rest = (values - &mean).mean_axes(axes.clone(), true);
    let d = x - x.place().constant(mean + rest);
    &d - d.mean_axes(axes.clone(), true)
}

/// [`deviations`], straight from the mean where `variance`, which keeps the axes, shows that its rounding does no harm.
pub(super) fn deviations_beside<V: Value>(x: &V, axes: &Axes, variance: &Tensor) -> V {
    let mean = x.mean_axes(axes.clone(), true);
    let near = |(mean, variance): (f32, f32)| mean * mean <= 256.0 * variance;
    match mean.to_tensor().iter().zip(variance.iter()).all(near) {
        true => x - mean,
        false => deviations(x, axes),
    }
}
