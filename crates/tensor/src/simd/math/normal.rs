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

/// Φ(-t) exp(t²/2) for 0 <= t < 15: a polynomial in t - centre for each of the intervals of t + 1 that [`Simd::look_up`]
/// tells apart, in its order. Relative error 2⁻²⁶; the centres were chosen so that the constant terms are nearly `f32`s.
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
        -0.11049093, -0.074786864, -0.05322455, -0.039447628, -0.0267354, -0.017325802, -0.012056703, -0.008840287,
        -0.0059617246, -0.003875289, -0.002714649, -0.0020050257, -0.34221724, -0.25659004, -0.19684462, -0.15414472,
    ],
    [
        0.0463222, 0.027177298, 0.016946977, 0.011118982, 0.006388049, 0.0034155622, 0.0020131366, 0.0012765446,
        0.0007135973, 0.00037664289, 0.00022172333, 0.00014109828, 0.20550731, 0.14169106, 0.1001641, 0.072448775,
    ],
    [
        -0.017528849, -0.009075382, -0.005031084, -0.0029565175, -0.0014591715, -0.00065169757, -0.00032801612, -0.00018089332,
        -8.4276006e-05, -3.6276862e-05, -1.7992934e-05, -9.881518e-06, -0.10550909, -0.067818336, -0.044747245, -0.030250909,
    ],
    [
        0.006102326, 0.0028246567, 0.0014068452, 0.0007470176, 0.00032016626, 0.000120675286, 5.224377e-05, 2.5193493e-05,
        9.827103e-06, 3.4636232e-06, 1.4509525e-06, 6.889875e-07, 0.048078004, 0.029061737, 0.018048085, 0.011493656,
    ],
    [
        -0.0019966636, -0.00083249505, -0.00037536386, -0.00018128597, -6.877166e-05, -2.1978454e-05, -8.211517e-06, -3.4687334e-06,
        -1.1539095e-06, -3.322552e-07, -1.17393505e-07, -4.812533e-08, -0.019963449, -0.01141682, -0.0067109154, -0.0040482683,
    ],
    [
        0.0006110895, 0.00022134992, 9.33233e-05, 4.2535667e-05, 1.4053955e-05, 3.845819e-06, 1.2344761e-06, 4.2879873e-07,
        1.3121284e-07, 3.1249524e-08, 9.359205e-09, 3.1690233e-09, 0.0076825097, 0.0042686868, 0.0023646432, 0.0013812816,
    ],
];

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

    /// x Φ(x); -0.0 at -∞, its limit.
    #[inline(always)]
    pub fn gelu(self) -> Self {
        // Beyond ±14.7 the result is x or zero.
        let t = self.abs().at_most(14.7);
        // -0.0, from which nothing is taken without a sign.
        let limit = self.lt(0.0).select(self.same(-0.0), self);
        limit - t.normal_tail(t * t.scaled_normal_tail())
    }

    /// Φ(-t) exp(t²/2) for 0 <= t <= 14.7.
    #[inline(always)]
    fn scaled_normal_tail(self) -> Self {
        let shifted = self + 1.0;
        let s = self - shifted.look_up(&CENTRES);
        let mut sum = shifted.look_up(&SCALED_TAIL[6]);
        for k in (0..6).rev() {
            sum = s.mul_add(sum, shifted.look_up(&SCALED_TAIL[k]));
        }
        sum
    }

    /// The entry of the interval that x lies in: see [`Simd::look_up`].
    #[inline(always)]
    fn look_up(self, table: &[f32; 16]) -> Self {
        self.with(self.simd.look_up(table, self.raw))
    }

    /// `factor` exp(-t²/2) for 0 <= t <= 14.7.
    #[inline(always)]
    fn normal_tail(self, factor: Self) -> Self {
        // t² in two parts, for its rounding would be the relative error of the exponential.
        let (square, rest) = self.exact_square();
        let (q, n) = (square * -0.5).exp_reduced_with(rest * -0.5);
        // The power of two comes last: a product with a subnormal factor would have lost its precision.
        factor.mul_add(q, factor).scale(n)
    }

    /// x² as the sum of its nearest `f32` and the rest, for |x| < 2⁶⁰.
    #[inline(always)]
    fn exact_square(self) -> (Self, Self) {
        let (square, rest) = self.simd.exact_square(self.raw);
        (self.with(square), self.with(rest))
    }
}
