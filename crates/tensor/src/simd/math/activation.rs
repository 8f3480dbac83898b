//! The activation functions of neural networks that are made of the exponential or of comparisons.

use crate::simd::{Lane, Simd};

impl<S: Simd> Lane<S> {
    /// The logistic function 1 / (1 + e⁻ˣ), exact relative to its value for very negative x too.
    #[inline(always)]
    pub fn sigmoid(self) -> Self {
        let e = (-self.abs()).exp();
        self.lt(0.0).select(e, 1.0) / (e + 1.0)
    }

    /// max(0, x); NaN and -0.0 stay as they are.
    #[inline(always)]
    pub fn relu(self) -> Self {
        self.at_least(0.0)
    }
}
