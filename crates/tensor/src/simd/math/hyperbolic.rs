//! tanh, sinh, cosh and their inverses.

use crate::simd::{Lane, Simd};

/// (sinh x - x) / x³ in x² for |x| <= 1: minimax, relative error of sinh x 2⁻³¹.
const SINH_TAIL: [f32; 4] = [1.6666667e-01, 8.3333105e-03, 1.9842896e-04, 2.7822132e-06];

impl<S: Simd> Lane<S> {
    /// The hyperbolic tangent; never beyond ±1.
    #[inline(always)]
    pub fn tanh(self) -> Self {
        // From 9.02 on tanh is 1 to the last place.
        let (q, n) = (self.abs().at_most(9.02) * 2.0).exp_reduced();
        // With e²ˣ = 2ⁿ (1 + q): tanh x = (e²ˣ - 1) / (e²ˣ + 1), and the subtraction loses nothing near zero.
        let power = self.same(1.0).scale(n);
        let numerator = power.mul_add(q, power - 1.0);
        (numerator / (numerator + 2.0)).with_sign_of(self)
    }

    /// The hyperbolic sine.
    #[inline(always)]
    pub fn sinh(self) -> Self {
        let x = self.abs();
        let half = x.half_exp();
        let square = x * x;
        let small = (square * x).mul_add(square.polynomial(SINH_TAIL), x);
        x.lt(1.0).select(small, half - 0.25 / half).with_sign_of(self)
    }

    /// The hyperbolic cosine.
    #[inline(always)]
    pub fn cosh(self) -> Self {
        let half = self.abs().half_exp();
        half + 0.25 / half
    }

    /// eˣ / 2, finite as long as cosh x is.
    #[inline(always)]
    fn half_exp(self) -> Self {
        let (m, n) = self.exp_parts();
        m.scale(n - 1.0)
    }

    /// The inverse hyperbolic sine.
    #[inline(always)]
    pub fn asinh(self) -> Self {
        let x = self.abs().widen();
        let y = (x + x.mul_add(x, 1.0).sqrt()).log().narrow().with_sign_of(self);
        // Near zero arsinh x is x, and so it is for infinity and NaN.
        let x_itself = self.abs().lt(1e-4) | !self.abs().lt(f32::INFINITY);
        x_itself.select(self, y)
    }

    /// The inverse hyperbolic cosine; NaN below 1.
    #[inline(always)]
    pub fn acosh(self) -> Self {
        let x = self.widen();
        let y = (x + x.mul_add(x, -1.0).sqrt()).log().narrow();
        let y = self.lt(1.0).select(f32::NAN, y);
        self.lt(f32::INFINITY).select(y, self)
    }

    /// The inverse hyperbolic tangent; NaN beyond ±1.
    #[inline(always)]
    pub fn atanh(self) -> Self {
        let size = self.abs();
        let x = size.widen();
        let y = (((1.0 + x) / (1.0 - x)).log() * 0.5).narrow();
        let y = size.lt(1.0).select(y, f32::NAN);
        let y = size.eq(1.0).select(f32::INFINITY, y).with_sign_of(self);
        // Near zero artanh x is x.
        size.lt(1e-4).select(self, y)
    }
}
