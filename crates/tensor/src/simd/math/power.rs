//! pow, and the simplest powers.

use crate::simd::{Lane, Simd};

impl<S: Simd> Lane<S> {
    /// 1 / x
    #[inline(always)]
    pub fn reciprocal(self) -> Self {
        1.0 / self
    }

    /// 1 / √x
    #[inline(always)]
    pub fn rsqrt(self) -> Self {
        1.0 / self.sqrt()
    }

    /// x²
    #[inline(always)]
    pub fn square(self) -> Self {
        self * self
    }

    /// `self` to the power `y`, with the special cases of C: 1 for y = 0 and for x = 1, even if the other is NaN; NaN for
    /// negative x unless y is whole.
    #[inline(always)]
    pub fn pow(self, y: Self) -> Self {
        let size = self.abs();
        let infinity = f32::INFINITY;
        let result = (size.widen().log() * y.widen()).exp().narrow();

        // Where the logarithm is infinite.
        let (zero, infinite) = (size.eq(0.0), size.eq(infinity));
        let (up, down) = (y.gt(0.0), y.lt(0.0));
        let result = ((zero & up) | (infinite & down)).select(0.0, result);
        let result = ((zero & down) | (infinite & up)).select(infinity, result);

        // Odd powers keep the sign; powers that are not whole have none for a negative finite base.
        let half = y * 0.5;
        let odd = y.trunc().eq(y) & !half.trunc().eq(half);
        let result = odd.select(result.with_sign_of(self), result);
        let no_power = self.lt(0.0) & !infinite & !y.trunc().eq(y);
        let result = (no_power | self.is_nan() | y.is_nan()).select(f32::NAN, result);

        let one = y.eq(0.0) | self.eq(1.0) | (size.eq(1.0) & y.abs().eq(infinity));
        one.select(1.0, result)
    }
}
