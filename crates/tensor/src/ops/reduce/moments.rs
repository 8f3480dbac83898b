//! Variance and standard deviation.

use super::{
    Reduction,
    groups::{Group, NO_SHIFT, PER_GROUP},
};
use crate::{
    array::Tensor,
    kernels::fold::{SquaredDeviations, Sum},
    shape::Axes,
    simd::Simd,
};

/// In two passes: the mean first, then the squared deviations from it, whose sum loses nothing to cancellation.
#[inline(always)]
pub(super) fn variance<S: Simd>(simd: S, groups: &impl Group, correction: usize, out: &mut [f32]) {
    let n = groups.count();
    let mut means = PER_GROUP;
    let means = &mut means[..out.len()];
    groups.fold(simd, Sum, NO_SHIFT, means);
    for mean in means.iter_mut() {
        *mean /= n as f32;
    }
    groups.fold(simd, SquaredDeviations, means, out);
    let divisor = n.saturating_sub(correction) as f32;
    for y in out {
        *y /= divisor;
    }
}

impl Tensor {
    /// The variance of all elements, as a scalar: Σ (x - mean)² / (n - correction). With correction 1 it estimates the
    /// variance of the distribution that the elements were drawn from, with 0 it is that of the elements themselves.
    ///
    /// NaN when there are no elements, or one and correction 1.
    #[track_caller]
    pub fn var(&self, correction: usize) -> Tensor {
        self.var_axes(Axes::all(), correction, false)
    }

    /// Variances over axes, which become 1 with `keepdims` and go away without: see [`Tensor::var`].
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 3.0], [5.0, 5.0]]);
    /// assert_eq!(x.var_axes(1, 0, false).to_vec(), [1.0, 0.0]);
    /// assert_eq!(x.var_axes(1, 1, false).to_vec(), [2.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn var_axes(&self, axes: impl Into<Axes>, correction: usize, keepdims: bool) -> Tensor {
        self.reduce_axes("var", axes.into(), keepdims, Reduction::Variance { correction })
    }

    /// The standard deviation of all elements, as a scalar: the square root of [`Tensor::var`].
    #[track_caller]
    pub fn std(&self, correction: usize) -> Tensor {
        self.std_axes(Axes::all(), correction, false)
    }

    /// Standard deviations over axes, which become 1 with `keepdims` and go away without: the square roots of
    /// [`Tensor::var_axes`].
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    #[track_caller]
    pub fn std_axes(&self, axes: impl Into<Axes>, correction: usize, keepdims: bool) -> Tensor {
        self.reduce_axes("std", axes.into(), keepdims, Reduction::Variance { correction }).sqrt()
    }
}
