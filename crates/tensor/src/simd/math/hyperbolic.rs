//! tanh, sinh, cosh and their inverses.

use crate::simd::{Lane, Simd};

impl<S: Simd> Lane<S> {
    /// The hyperbolic tangent; never beyond ±1.
    #[inline(always)]
    pub fn tanh(self) -> Self {
        // From 9.02 on tanh is 1 to the last place.
        let (q, n) = (self.abs().at_most(9.02) * 2.0).exp_reduced(self.same(0.0));
        // With e²ˣ = 2ⁿ (1 + q): tanh x = (e²ˣ - 1) / (e²ˣ + 1), and the subtraction loses nothing near zero.
        let power = self.same(1.0).scale(n);
        let numerator = power.mul_add(q, power - 1.0);
        (numerator / (numerator + 2.0)).with_sign_of(self)
    }
}
