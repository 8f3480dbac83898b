//! log, and the functions made of logarithms in f64: log2, log10, log1p.

use crate::simd::{Lane, Simd};

/// (ln(1 + f) - f + f²/2) / f³ for -1/4 <= f <= 1/2: minimax, relative error of ln(1 + f) 2⁻²⁷.
const LOG_TAIL: [f32; 8] = [
    3.333345e-01,
    -2.5000104e-01,
    1.99908e-01,
    -1.6646864e-01,
    1.4478408e-01,
    -1.3166292e-01,
    1.0474782e-01,
    -4.5155533e-02,
];

/// ln 2 in two parts: the product of the first with an exponent is exact.
const LN2_HIGH: f32 = 0.693_145_75; // 0x1.62e4p-1
const LN2_LOW: f32 = 1.428_606_8e-6;

impl<S: Simd> Lane<S> {
    /// The natural logarithm.
    #[inline(always)]
    pub fn log(self) -> Self {
        let (m, e) = self.split_exponent();
        let f = m - 1.0;
        let square = f * f;
        let tail = (square * f).mul_add(f.polynomial(LOG_TAIL), e * LN2_LOW);
        let y = e.mul_add(LN2_HIGH, square.mul_add(-0.5, tail) + f);
        self.log_special(y)
    }

    /// `y`, the logarithm for positive finite numbers, completed for all others.
    #[inline(always)]
    fn log_special(self, y: Self) -> Self {
        let y = self.lt(f32::INFINITY).select(y, self);
        let y = self.gt(0.0).select(y, f32::NAN);
        let y = self.eq(0.0).select(f32::NEG_INFINITY, y);
        y
    }

    /// Mantissa in [0.75, 1.5) and exponent, as [`Simd::split_exponent`].
    #[inline(always)]
    fn split_exponent(self) -> (Self, Self) {
        let (m, e) = self.simd.split_exponent(self.raw);
        (self.with(m), self.with(e))
    }
}
