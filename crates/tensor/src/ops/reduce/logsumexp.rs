//! The logarithm of sums of exponentials, shifted by the maximum so that nothing overflows.

use super::{
    Reduction,
    groups::{Group, NO_SHIFT, PER_GROUP},
};
use crate::{
    array::Tensor,
    kernels::fold::{ExpSum, Max},
    shape::Axes,
    simd::Simd,
};

impl Tensor {
    /// ln Σ e^x of all elements, as a scalar; -inf when there are none.
    #[track_caller]
    pub fn logsumexp(&self) -> Tensor {
        self.logsumexp_axes(Axes::all(), false)
    }

    /// ln Σ e^x over axes, which become 1 with `keepdims` and go away without; -inf where there are no elements.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let x = Tensor::from([[1000.0, 1000.0], [0.0, f32::NEG_INFINITY]]);
    /// assert_eq!(x.logsumexp_axes(1, false).to_vec(), [1000.0 + 2f32.ln(), 0.0]);
    /// ```
    #[track_caller]
    pub fn logsumexp_axes(&self, axes: impl Into<Axes>, keepdims: bool) -> Tensor {
        self.reduce_axes("logsumexp", axes.into(), keepdims, Reduction::LogSumExp)
    }
}

/// ln Σ e^(x - shift) + shift, with the maximum for the shift.
#[inline(always)]
pub(super) fn logsumexp<S: Simd>(simd: S, groups: &impl Group, out: &mut [f32]) {
    let mut shifts = PER_GROUP;
    let shifts = &mut shifts[..out.len()];
    groups.fold(simd, Max, NO_SHIFT, shifts);
    for shift in shifts.iter_mut() {
        // An infinite maximum less itself would be NaN.
        *shift = if shift.is_finite() { *shift } else { 0.0 };
    }
    groups.fold(simd, ExpSum, shifts, out);
    for (y, shift) in out.iter_mut().zip(shifts) {
        *y = y.ln() + *shift;
    }
}
