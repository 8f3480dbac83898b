//! Reductions: sums, means, maxima over axes.

mod logsumexp;
mod max;
mod sum;

pub use logsumexp::LogSumExp;
pub use max::Max;
pub use sum::Sum;

use crate::value::Value;
use gradus_tensor::Axes;

/// Reductions over axes, which become 1 with `keepdims` and go away without.
pub trait Reduce: Value {
    /// The sum of all elements, as a scalar.
    #[track_caller]
    fn sum(&self) -> Self {
        self.sum_axes(Axes::all(), false)
    }

    /// Sums over axes.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    #[track_caller]
    fn sum_axes(&self, axes: impl Into<Axes>, keepdims: bool) -> Self {
        Self::apply(Sum { axes: axes.into(), keepdims }, &[self])
    }

    /// The mean of all elements, as a scalar; NaN when there are none.
    #[track_caller]
    fn mean(&self) -> Self {
        self.sum() / self.shape().len() as f32
    }

    /// Means over axes; NaN where there are no elements.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    #[track_caller]
    fn mean_axes(&self, axes: impl Into<Axes>, keepdims: bool) -> Self {
        let sum = self.sum_axes(axes, keepdims);
        let count = self.shape().len() as f32 / sum.shape().len() as f32;
        sum / count
    }

    /// The largest of all elements, as a scalar. Equal largest elements share the gradient.
    #[track_caller]
    fn max(&self) -> Self {
        self.max_axes(Axes::all(), false)
    }

    /// Maxima over axes. Equal largest elements share the gradient.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    #[track_caller]
    fn max_axes(&self, axes: impl Into<Axes>, keepdims: bool) -> Self {
        Self::apply(Max { axes: axes.into(), keepdims }, &[self])
    }

    /// The logarithm of the sum of exponentials over axes: a smooth maximum that does not overflow.
    ///
    /// `y = ln Σ e^x; dx = g e^(x - y)`
    ///
    /// Over nothing but -inf, or nothing at all, it is -inf, with gradient 0.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let y = Tensor::from([1000.0, 1000.0]).logsumexp(0, false);
    /// assert_eq!(y.item(), 1000.0 + 2f32.ln());
    /// ```
    #[track_caller]
    fn logsumexp(&self, axes: impl Into<Axes>, keepdims: bool) -> Self {
        Self::apply(LogSumExp { axes: axes.into(), keepdims }, &[self])
    }
}

impl<V: Value> Reduce for V {}
