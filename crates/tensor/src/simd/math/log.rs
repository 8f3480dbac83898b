//! log, log2, log10, log1p.

use crate::simd::wide::Wide;
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

/// (2 artanh s - 2 s) / s³ in s² for -1/7 <= s <= 1/5: minimax, relative error of artanh s 2⁻⁴⁹.
const ARTANH_TAIL: [f64; 6] = [
    0.6666666666614962,
    0.4000000025024313,
    0.2857138829942625,
    0.22225194576231896,
    0.18071455063670147,
    0.17375295387587283,
];

use super::exp::{LN2_HIGH, LN2_LOW};
use std::f64::consts::{LN_2, LOG2_E, LOG10_E};

impl<S: Simd> Lane<S> {
    /// The natural logarithm.
    #[inline(always)]
    pub fn log(self) -> Self {
        let (m, e) = self.simd.split_exponent(self.raw);
        let (f, e) = (self.with(m) - 1.0, self.with(e));
        let square = f * f;
        let tail = (square * f).mul_add(f.polynomial(LOG_TAIL), e * LN2_LOW);
        let y = e.mul_add(LN2_HIGH, square.mul_add(-0.5, tail) + f);
        self.complete_log(y)
    }

    /// The logarithm to base 2; exact for powers of 2.
    #[inline(always)]
    pub fn log2(self) -> Self {
        let (log, e) = self.widen().log_parts();
        self.complete_log(log.mul_add(LOG2_E, e).narrow())
    }

    /// The logarithm to base 10.
    #[inline(always)]
    pub fn log10(self) -> Self {
        self.complete_log((self.widen().log() * LOG10_E).narrow())
    }

    /// ln(1 + x).
    #[inline(always)]
    pub fn log1p(self) -> Self {
        let sum = self.widen() + 1.0;
        let y = (self + 1.0).complete_log(sum.log().narrow());
        // Near zero 1 + x is not exact in f64 either.
        self.abs().lt(1e-4).select((self * -0.5).mul_add(self, self), y)
    }

    /// `y`, the logarithm of `self` where that is positive and finite, completed for all other numbers.
    #[inline(always)]
    fn complete_log(self, y: Self) -> Self {
        let y = self.lt(f32::INFINITY).select(y, self);
        let y = self.lt(0.0).select(f32::NAN, y);
        self.eq(0.0).select(f32::NEG_INFINITY, y)
    }
}

impl<S: Simd> Wide<S> {
    /// The natural logarithm of positive finite numbers that are not subnormal, within 2⁻⁴⁸ of its value; unspecified for
    /// others.
    #[inline(always)]
    pub(super) fn log(self) -> Self {
        let (log, e) = self.log_parts();
        e.mul_add(LN_2, log)
    }

    /// `(l, e)` with the natural logarithm l + e ln 2.
    #[inline(always)]
    fn log_parts(self) -> (Self, Self) {
        let (m, e) = self.split_exponent();
        let s = (m - 1.0) / (m + 1.0);
        let square = s * s;
        ((square * s).mul_add(square.polynomial(ARTANH_TAIL), s + s), e)
    }
}
