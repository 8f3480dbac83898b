//! Reductions: sums, means, maxima and minima over axes.
//!
//! Each method is named twice: plain over all elements, and `_axes` over some.

mod arg;
mod cumulative;
mod groups;
mod linear_recurrence;
mod logsumexp;
mod moments;

use crate::{
    array::Tensor,
    kernels::fold::{Max, Min, Sum},
    shape::Axes,
    simd::Simd,
};
use groups::{Group, NO_SHIFT};

/// A reduction of groups of elements, each to one number.
///
/// Chosen at run time: were it a type, the kernels would be compiled again in every crate that calls a method which is
/// generic in its axes.
#[derive(Clone, Copy)]
enum Reduction {
    Sum,
    Max,
    Min,
    Variance { correction: usize },
    Norm,
    LogSumExp,
}

impl Reduction {
    /// Reduces groups that lie side by side, as many as `out` is long.
    #[inline(always)]
    fn reduce<S: Simd>(self, simd: S, groups: &impl Group, out: &mut [f32]) {
        match self {
            Reduction::Sum => groups.fold(simd, Sum, NO_SHIFT, out),
            Reduction::Max => groups.fold(simd, Max, NO_SHIFT, out),
            Reduction::Min => groups.fold(simd, Min, NO_SHIFT, out),
            Reduction::Variance { correction } => moments::variance(simd, groups, correction, out),
            Reduction::Norm => moments::norm(simd, groups, out),
            Reduction::LogSumExp => logsumexp::logsumexp(simd, groups, out),
        }
    }
}

impl Tensor {
    /// The sum of all elements, as a scalar; 0 when there are none. Added in a tree: the error grows like the
    /// logarithm of their number, and the bits are the same on any number of threads.
    #[track_caller]
    pub fn sum(&self) -> Tensor {
        self.sum_axes(Axes::all(), false)
    }

    /// Sums over axes, which become 1 with `keepdims` and go away without; 0 where there are no elements.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.sum_axes(0, false).to_vec(), [4.0, 6.0]);
    /// assert_eq!(x.sum_axes([0, 1], true).shape(), &[1, 1]);
    /// ```
    #[track_caller]
    pub fn sum_axes(&self, axes: impl Into<Axes>, keepdims: bool) -> Tensor {
        self.reduce_axes("sum", axes.into(), keepdims, Reduction::Sum)
    }

    /// The mean of all elements, as a scalar: their sum divided by their number; NaN when there are none.
    #[track_caller]
    pub fn mean(&self) -> Tensor {
        self.mean_axes(Axes::all(), false)
    }

    /// Means over axes, which become 1 with `keepdims` and go away without; NaN where there are no elements.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    #[track_caller]
    pub fn mean_axes(&self, axes: impl Into<Axes>, keepdims: bool) -> Tensor {
        let sum = self.reduce_axes("mean", axes.into(), keepdims, Reduction::Sum);
        let count = self.numel() as f32 / sum.numel() as f32;
        sum / count
    }

    /// The largest of all elements, as a scalar; NaN if there is a NaN, -inf when there are none.
    #[track_caller]
    pub fn max(&self) -> Tensor {
        self.max_axes(Axes::all(), false)
    }

    /// Maxima over axes, which become 1 with `keepdims` and go away without; NaN where there is a NaN, -inf where
    /// there are no elements. Which of 0.0 and -0.0 is returned is not specified.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    #[track_caller]
    pub fn max_axes(&self, axes: impl Into<Axes>, keepdims: bool) -> Tensor {
        self.reduce_axes("max", axes.into(), keepdims, Reduction::Max)
    }

    /// The smallest of all elements, as a scalar; NaN if there is a NaN, inf when there are none.
    #[track_caller]
    pub fn min(&self) -> Tensor {
        self.min_axes(Axes::all(), false)
    }

    /// Minima over axes, which become 1 with `keepdims` and go away without; NaN where there is a NaN, inf where
    /// there are no elements. Which of 0.0 and -0.0 is returned is not specified.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    #[track_caller]
    pub fn min_axes(&self, axes: impl Into<Axes>, keepdims: bool) -> Tensor {
        self.reduce_axes("min", axes.into(), keepdims, Reduction::Min)
    }
}
