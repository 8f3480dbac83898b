//! Values brought to a scale: softmax and its logarithm.

mod log_softmax;
mod softmax;

pub use log_softmax::LogSoftmax;
pub use softmax::Softmax;

use crate::value::Value;

/// Values brought to a scale along an axis.
pub trait Normalize: Value {
    /// The softmax along an axis: positive numbers that sum to 1.
    ///
    /// `y = e^(x - max x) / Σ e^(x - max x); dx = y (g - Σ g y)`
    ///
    /// The maximum is subtracted first, so that no finite input overflows. A lane of nothing but -inf, one that is
    /// masked wholly, gives NaN, as in PyTorch.
    ///
    /// # Panics
    /// When there is no such axis.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let y = Tensor::from([1010.0, 1000.0, 990.0]).softmax(-1);
    /// assert!((y.get([1]) - 4.5398e-5).abs() < 1e-9);
    /// ```
    #[track_caller]
    fn softmax(&self, axis: isize) -> Self {
        Self::apply(Softmax { axis }, &[self])
    }

    /// The softmax of the negative along an axis: the smallest element has the largest share.
    ///
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    fn softmin(&self, axis: isize) -> Self {
        (-self).softmax(axis)
    }

    /// The logarithm of the softmax along an axis, exact where the softmax itself rounds to 0.
    ///
    /// `y = x - ln Σ e^x; dx = g - e^y Σ g`
    ///
    /// A lane of nothing but -inf gives NaN, as in PyTorch.
    ///
    /// # Panics
    /// When there is no such axis.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let y = Tensor::from([0.0, 1000.0]).log_softmax(0);
    /// assert_eq!(y.to_vec(), [-1000.0, 0.0]);
    /// ```
    #[track_caller]
    fn log_softmax(&self, axis: isize) -> Self {
        Self::apply(LogSoftmax { axis }, &[self])
    }
}

impl<V: Value> Normalize for V {}
