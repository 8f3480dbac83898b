//! exp, exp2, expm1, and the exponential's parts, of which other functions are made.

use crate::simd::wide::Wide;
use crate::simd::{Lane, Simd};

/// ln 2 in two parts: the product of the first with an exponent is exact.
pub(super) const LN2_HIGH: f32 = 0.693_145_75; // 0x1.62e4p-1
pub(super) const LN2_LOW: f32 = 1.428_606_8e-6;

/// (eʳ - 1 - r) / r² for |r| <= ln 2 / 2: minimax, relative error of eʳ 2⁻²⁸.
const EXP_TAIL: [f32; 5] = [4.9999994e-01, 1.6666517e-01, 4.1668102e-02, 8.3691655e-03, 1.3838006e-03];

/// (2ʳ - 1) / r for |r| <= 1/2: minimax, relative error of 2ʳ 2⁻²⁷.
const EXP2_TAIL: [f32; 6] =
    [6.9314724e-01, 2.4022655e-01, 5.550278e-02, 9.617113e-03, 1.3414397e-03, 1.5781392e-04];

/// As `EXP_TAIL`, for f64: relative error of eʳ 2⁻³⁹.
const EXP_TAIL_F64: [f64; 7] = [
    0.5000000000428516,
    0.1666666678479382,
    0.041666664398301696,
    0.008333281705352932,
    0.0013889197745545374,
    0.00019909006448422527,
    2.470819591121174e-05,
];

impl<S: Simd> Lane<S> {
    /// eˣ.
    #[inline(always)]
    pub fn exp(self) -> Self {
        let (m, n) = self.exp_parts();
        m.scale(n)
    }

    /// 2ˣ; exact for whole x.
    #[inline(always)]
    pub fn exp2(self) -> Self {
        let x = self.at_least(-152.0).at_most(130.0);
        let n = x.round();
        let r = x - n;
        r.mul_add(r.polynomial(EXP2_TAIL), 1.0).scale(n)
    }

    /// eˣ - 1.
    #[inline(always)]
    pub fn expm1(self) -> Self {
        // Below -20 the result is -1 to the last place; above 89 it is infinite.
        let (q, n) = self.at_least(-20.0).at_most(89.0).exp_reduced();
        // eˣ - 1 = 2ⁿ (1 + q) - 1, halved on the way because 2¹²⁸ is no f32.
        let half_power = self.same(0.5).scale(n);
        let y = half_power.mul_add(q, half_power - 0.5) * 2.0;
        // Near zero eˣ - 1 is x, and the sums above would lose the last places of subnormals and the sign of zero.
        self.abs().lt(1e-8).select(self, y)
    }

    /// `(m, n)` with eˣ = m · 2ⁿ, m about 1 and n whole, for -120 <= x <= 91; beyond these the result is that at the
    /// border. Unlike eˣ itself, m keeps its precision where eˣ is subnormal.
    #[inline(always)]
    pub(super) fn exp_parts(self) -> (Self, Self) {
        let (q, n) = self.at_least(-120.0).at_most(91.0).exp_reduced();
        (q + 1.0, n)
    }

    /// `(q, n)` with eˣ = (1 + q) · 2ⁿ and q small, for |x| < 1000.
    #[inline(always)]
    pub(super) fn exp_reduced(self) -> (Self, Self) {
        let n = (self * std::f32::consts::LOG2_E).round();
        let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, self));
        (r.exp_tail(), n)
    }

    /// `(q, n)` with eˣ⁺ˡ = (1 + q) · 2ⁿ, for a correction |l| < 0.001.
    #[inline(always)]
    pub(super) fn exp_reduced_with(self, low: Self) -> (Self, Self) {
        let n = (self * std::f32::consts::LOG2_E).round();
        let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, self)) + low;
        (r.exp_tail(), n)
    }

    /// eʳ - 1 for |r| <= ln 2 / 2, or a little more.
    #[inline(always)]
    fn exp_tail(self) -> Self {
        (self * self).mul_add(self.polynomial(EXP_TAIL), self)
    }

    /// `self` · 2ⁿ, within the limits of [`Simd::scale`].
    #[inline(always)]
    pub(super) fn scale(self, n: Self) -> Self {
        self.with(self.simd.scale(self.raw, n.raw))
    }
}

impl<S: Simd> Wide<S> {
    /// eˣ within 2⁻³⁹ of its value where that is an `f32`, subnormal or not; beyond, a number that rounds to 0 or infinity.
    #[inline(always)]
    pub(super) fn exp(self) -> Self {
        let (r, n) = self.clamp(-110.0, 90.0).reduce_exp();
        (r * r).mul_add(r.polynomial(EXP_TAIL_F64), r + 1.0).scale(n)
    }

    /// `(q, n)` with eˣ = (1 + q) · 2ⁿ, as [`Lane::exp_reduced`], for arguments that are not precise enough in `f32`.
    #[inline(always)]
    pub(super) fn exp_reduced(self) -> (Lane<S>, Lane<S>) {
        let (r, n) = self.reduce_exp();
        (r.narrow().exp_tail(), n.narrow())
    }

    /// `(r, n)` with x = n ln 2 + r.
    #[inline(always)]
    fn reduce_exp(self) -> (Self, Self) {
        let n = (self * std::f64::consts::LOG2_E).round();
        (n.mul_add(-std::f64::consts::LN_2, self), n)
    }
}
