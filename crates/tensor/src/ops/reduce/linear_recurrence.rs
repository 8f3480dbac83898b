//! Linear recurrences of first order along an axis.

use super::cumulative::{Running, cumulate};
use crate::{array::Tensor, error::OrFail, shape};

struct LinearRecurrence;

impl Running<2> for LinearRecurrence {
    /// Not multiplied with the zero before it: of an infinite coefficient that would be NaN.
    #[inline(always)]
    fn first([_, b]: [f32; 2]) -> f64 {
        b.into()
    }

    #[inline(always)]
    fn next(y: f64, [a, b]: [f32; 2]) -> f64 {
        f64::from(a) * y + f64::from(b)
    }
}

impl Tensor {
    /// The linear recurrence of first order along an axis: `y_i = a_i y_(i-1) + b_i`, and `y_0 = b_0`, where this is a.
    /// The a_0 have no part in it. Computed in f64, so that each is rounded to f32 once.
    ///
    /// # Panics
    /// When the shapes differ or have no such axis.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let (a, b) = (Tensor::full([4], 0.5), Tensor::ones([4]));
    /// assert_eq!(a.linear_recurrence(&b, 0).to_vec(), [1.0, 1.5, 1.75, 1.875]);
    /// ```
    #[track_caller]
    pub fn linear_recurrence(&self, b: &Tensor, axis: isize) -> Tensor {
        let axis = shape::linear_recurrence(self.shape(), b.shape(), axis).or_fail();
        cumulate::<LinearRecurrence, 2>([self, b], axis)
    }
}
