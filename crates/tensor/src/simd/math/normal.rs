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

/// Φ(-t) exp(t²/2) for 0 <= t < 15: a polynomial in t - centre for each of the 16 intervals of t + 1 that
/// [`Simd::look_up`] tells apart, in its order. Relative error 2⁻²⁷; the centres were chosen so that the constant terms are
/// nearly `f32`s.
const CENTRES: [f32; 16] = [
    1.2500103, 1.7500001, 2.2500257, 2.7500734, 3.4999094, 4.500178, 5.500189, 6.5000405, 8.000131,
    10.000067, 11.999951, 14.000026, 0.12500216, 0.3750021, 0.62500024, 0.8749883,
];
#[rustfmt::skip]
const SCALED_TAIL: [[f32; 16]; 7] = [
    [
        0.23075919, 0.18523166, 0.15365057, 0.13072184, 0.106347576, 0.08480031, 0.07034042, 0.060015317,
        0.049121767, 0.039506435, 0.033019103, 0.028352609, 0.45379248, 0.3796039, 0.32335612, 0.27977237,
    ],
    [
        -0.11049093, -0.074786864, -0.05322455, -0.039447628, -0.026735405, -0.017325802, -0.012056704, -0.008840287,
        -0.005961726, -0.0038752893, -0.002714649, -0.0020050257, -0.34221724, -0.25659004, -0.19684462, -0.15414472,
    ],
    [
        0.046322197, 0.027177311, 0.016946979, 0.011118981, 0.0063880486, 0.0034155624, 0.0020131369, 0.0012765455,
        0.0007135973, 0.00037664286, 0.00022172331, 0.00014109834, 0.2055073, 0.14169106, 0.10016409, 0.072448775,
    ],
    [
        -0.017528635, -0.009075307, -0.0050310562, -0.002956506, -0.0014591174, -0.0006516847, -0.00032801248, -0.00018089211,
        -8.427141e-05, -3.6275957e-05, -1.7992703e-05, -9.881447e-06, -0.10550888, -0.06781823, -0.04474719, -0.030250877,
    ],
    [
        0.006102508, 0.002824071, 0.0014067438, 0.00074705115, 0.0003201693, 0.000120673234, 5.2238982e-05, 2.5183963e-05,
        9.827024e-06, 3.4636778e-06, 1.4509598e-06, 6.8883264e-07, 0.048079107, 0.029063752, 0.018048864, 0.011494474,
    ],
    [
        -0.0019993978, -0.00083344564, -0.00037572288, -0.00018143248, -6.894491e-05, -2.201959e-05, -8.2232145e-06, -3.47259e-06,
        -1.1575926e-06, -3.3298048e-07, -1.1757847e-07, -4.81824e-08, -0.019974003, -0.011422302, -0.006713842, -0.00404987,
    ],
    [
        0.0006090875, 0.00022806713, 9.449024e-05, 4.2155632e-05, 1.4049035e-05, 3.852316e-06, 1.2483183e-06, 4.5608184e-07,
        1.3131182e-07, 3.1217574e-08, 9.355584e-09, 3.28005e-09, 0.007632477, 0.004176713, 0.0023291484, 0.0013439386,
    ],
];

/// The same where there are 4 intervals. Relative error 2⁻²⁸.
const WIDE_CENTRES: [f32; 4] = [2.0004115, 5.0005274, 11.001083, 0.5001394];
#[rustfmt::skip]
const WIDE_SCALED_TAIL: [[f32; 4]; 12] = [
    [0.16807619, 0.07691174, 0.035971403, 0.3495876],
    [-0.06272074, -0.014343019, -0.0032178755, -0.22409974],
    [0.021304447, 0.0025945422, 0.00028564304, 0.11875323],
    [-0.006701066, -0.00045631378, -2.5164885e-5, -0.054902762],
    [0.00197492, 7.8180026e-5, 2.200494e-6, 0.022823868],
    [-0.000549872, -1.3072041e-5, -1.910316e-7, -0.008685275],
    [0.00014572423, 2.1391527e-6, 1.6517248e-8, 0.0030749936],
    [-3.7364713e-5, -3.4176978e-7, -1.4150775e-9, -0.0011279982],
    [9.000928e-6, 5.1890773e-8, 1.1385011e-10, 0.00034390038],
    [-1.7007377e-6, -8.04415e-9, -9.571297e-12, 0.00030439586],
    [5.046918e-7, 1.6008571e-9, 1.1824036e-12, -1.586218e-5],
    [-2.489078e-7, -2.3059109e-10, -9.919189e-14, -0.0005601347],
];

/// 1/√(2π), the density of the standard normal distribution at 0.
const DENSITY: f32 = 0.398_942_28;

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
        let t = self.abs().at_most(14.7);
        let tail = t.normal_tail(t.scaled_normal_tail());
        self.lt(0.0).select(tail, 1.0 - tail)
    }

    /// x Φ(x); 0 at -∞, its limit.
    #[inline(always)]
    pub fn gelu(self) -> Self {
        // Beyond ±14.7 the result is x or zero.
        let t = self.abs().at_most(14.7);
        // -0.0 where x is negative, from which nothing is taken without a sign.
        let limit = self.at_least(-0.0);
        self.or_limit(limit - t.normal_tail(t * t.scaled_normal_tail()))
    }

    /// The derivative of [`gelu`](Lane::gelu), Φ(x) + x Φ'(x); 0 and 1 at ±∞, its limits.
    #[inline(always)]
    pub fn gelu_slope(self) -> Self {
        let t = self.abs().at_most(14.7);
        let tail = t.normal_tail(t.mul_add(-DENSITY, t.scaled_normal_tail()));
        self.lt(0.0).select(tail, 1.0 - tail)
    }

    /// Φ(-t) exp(t²/2) for 0 <= t <= 14.7.
    #[inline(always)]
    fn scaled_normal_tail(self) -> Self {
        if S::INTERVALS == 16 {
            self.piecewise(&CENTRES, &SCALED_TAIL)
        } else {
            self.piecewise(&WIDE_CENTRES, &WIDE_SCALED_TAIL)
        }
    }

    /// Polynomials in t - centre, which intervals of t + 1 choose: see [`Simd::look_up`].
    #[inline(always)]
    fn piecewise<const INTERVALS: usize, const TERMS: usize>(
        self,
        centres: &[f32; INTERVALS],
        coefficients: &[[f32; INTERVALS]; TERMS],
    ) -> Self {
        let shifted = self + 1.0;
        let look_up = |table: &[f32; INTERVALS]| self.with(self.simd.look_up(table, shifted.raw));
        let s = self - look_up(centres);
        let mut sum = look_up(&coefficients[TERMS - 1]);
        for coefficients in coefficients[..TERMS - 1].iter().rev() {
            sum = s.mul_add(sum, look_up(coefficients));
        }
        sum
    }

    /// `factor` exp(-t²/2) for 0 <= t <= 14.7.
    #[inline(always)]
    fn normal_tail(self, factor: Self) -> Self {
        // In two parts, for the rounding of t² would be the relative error of the exponential.
        let (exponent, rest) = self.simd.minus_half_square(self.raw);
        let (q, n) = self.with(exponent).exp_reduced_with(self.with(rest));
        // The power of two comes last: a product with a subnormal factor would have lost its precision.
        factor.mul_add(q, factor).scale(n)
    }
}
