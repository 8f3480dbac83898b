//! The normal distribution: erf, its cumulative distribution, gelu.

use crate::simd::{Lane, Simd};

/// erf x = x P(x²) / Q(x²) for |x| <= 3.94: minimax, relative error 2⁻²⁸.
const ERF_P: [f64; 7] = [
    1.1283791679520248,
    0.18542518044789552,
    0.054266178574640805,
    0.003848096587856144,
    0.00037627872042332865,
    4.591484911679327e-06,
    -1.2737897190100713e-08,
];
const ERF_Q: [f64; 6] = [
    1.0,
    0.4976621673515988,
    0.11397917149255873,
    0.015447689598468824,
    0.001302755908539938,
    6.222397553374015e-05,
];

/// (Φ(-t) exp(t²/2) (2 + 2t) - 1) / (v + 1) in v = (t - 4) / (t + 4), for 0 <= t <= 14.7: minimax, relative error of Φ 2⁻²⁸.
const TAIL: [f32; 10] = [
    -5.5893585e-02,
    -1.3751334e-01,
    1.6551243e-01,
    -1.083127e-01,
    4.391943e-02,
    -8.036941e-03,
    -1.9762681e-03,
    1.3609205e-03,
    2.8083805e-05,
    -1.3899592e-04,
];

/// A value (1 + excess) / divisor · 2ⁿ. The excess is a small number, with small rounding errors; only whoever adds it to 1
/// rounds at full size.
struct NormalTail<S: Simd> {
    excess: Lane<S>,
    divisor: Lane<S>,
    n: Lane<S>,
}

impl<S: Simd> Lane<S> {
    /// The error function.
    #[inline(always)]
    pub fn erf(self) -> Self {
        let x = self.at_least(-3.94).at_most(3.94).widen();
        let square = x * x;
        (x * square.polynomial(ERF_P) / square.polynomial(ERF_Q)).narrow()
    }

    /// Φ(x), the cumulative distribution of the standard normal distribution, precise relative to its value for very
    /// negative x too.
    #[inline(always)]
    pub fn normal_cdf(self) -> Self {
        let NormalTail { excess, divisor, n } = self.abs().at_most(14.7).normal_tail();
        let tail = ((excess + 1.0) / divisor).scale(n);
        self.lt(0.0).select(tail, 1.0 - tail)
    }

    /// x Φ(x); -0.0 at -∞, its limit.
    #[inline(always)]
    pub fn gelu(self) -> Self {
        // Beyond ±14.7 the result is x or zero.
        let x = self.at_least(-14.7).at_most(14.7);
        let NormalTail { excess, divisor, n } = x.abs().normal_tail();
        // The power of two comes last: a product with a subnormal factor would have lost its precision.
        let y = (x.mul_add(excess, x) / divisor).scale(n);
        // -0.0 takes the first way, on which it keeps its sign.
        self.le(0.0).select(y, self - y)
    }

    /// Φ(-t) for 0 <= t <= 14.7.
    #[inline(always)]
    fn normal_tail(self) -> NormalTail<S> {
        // t² in two parts, for its rounding would be the relative error of the exponential.
        let (square, rest) = self.exact_square();
        let (q, n) = (square * -0.5).exp_reduced_with(rest * -0.5);
        let u = (self + self) / (self + 4.0);
        let d = u * (u - 1.0).polynomial(TAIL);
        // (1 + q) (1 + d) - 1
        NormalTail { excess: q.mul_add(d, q) + d, divisor: self.mul_add(2.0, 2.0), n }
    }

    /// x² as the sum of its nearest `f32` and the rest, for |x| < 2⁶⁰.
    #[inline(always)]
    fn exact_square(self) -> (Self, Self) {
        let (square, rest) = self.simd.exact_square(self.raw);
        (self.with(square), self.with(rest))
    }
}
