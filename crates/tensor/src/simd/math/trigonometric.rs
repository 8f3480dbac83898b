//! sin, cos, tan and their inverses.

use super::huge_angle::turn_back_huge;
use crate::simd::{Lane, MAX_LANES, Mask, Simd};

/// (sin r - r) / r³ in r² for |r| <= π/4: minimax, relative error of sin r 2⁻²⁷.
const SIN_TAIL: [f32; 3] = [-1.6666655e-01, 8.332188e-03, -1.9518094e-04];

/// (cos r - 1 + r²/2) / r⁴ in r² for |r| <= π/4: minimax, relative error of cos r 2⁻³³.
const COS_TAIL: [f32; 3] = [4.1666646e-02, -1.388731e-03, 2.4432327e-05];

/// (arcsin x - x) / x³ in x² for |x| <= 1/2: minimax, relative error of arcsin x 2⁻²⁷.
const ASIN_TAIL: [f32; 5] = [1.6666752e-01, 7.4953064e-02, 4.5469772e-02, 2.418077e-02, 4.216643e-02];

/// (arctan x - x) / x³ in x² for |x| <= 1: minimax, relative error of arctan x 2⁻²⁸.
const ATAN_TAIL: [f32; 9] = [
    -3.33333e-01,
    1.999853e-01,
    -1.4264014e-01,
    1.0950861e-01,
    -8.399208e-02,
    5.787887e-02,
    -3.1093534e-02,
    1.0866271e-02,
    -1.7821442e-03,
];

/// π/2 in three parts.
const HALF_PI: f32 = std::f32::consts::FRAC_PI_2;
const HALF_PI_REST: f32 = -4.371139e-08;
const HALF_PI_LAST: f32 = -1.7151245e-15;

/// π/2 in two parts of f64: the product of the first with a whole number up to 2²⁰ is exact.
const HALF_PI_HIGH: f64 = 1.5707963267341256;
const HALF_PI_LOW: f64 = 6.077100506506192e-11;

/// Beyond this, the nearest quarter turn is not found in f32.
const HUGE: f32 = 2e5;

/// An angle |x| = r + n π/2 with |r| <= π/4.
struct Turned<S: Simd> {
    /// sin r
    sin: Lane<S>,
    /// cos r
    cos: Lane<S>,
    /// n
    quarters: S::I32,
    /// Whether n is odd.
    odd: Mask<S>,
}

impl<S: Simd> Lane<S> {
    /// The sine.
    #[inline(always)]
    pub fn sin(self) -> Self {
        let Turned { sin, cos, quarters, odd } = self.turn_back();
        odd.select(cos, sin).flip_sign_by(quarters, 1).with_sign_of(self)
    }

    /// The cosine.
    #[inline(always)]
    pub fn cos(self) -> Self {
        let Turned { sin, cos, quarters, odd } = self.turn_back();
        let next = self.simd.add_i32(quarters, self.simd.splat_i32(1));
        odd.select(sin, cos).flip_sign_by(next, 1)
    }

    /// The tangent.
    #[inline(always)]
    pub fn tan(self) -> Self {
        let Turned { sin, cos, quarters, odd } = self.turn_back();
        let y = odd.select(cos, sin) / odd.select(sin, cos);
        y.flip_sign_by(quarters, 0).with_sign_of(self)
    }

    /// Turns |x| back by as many quarters of a circle as bring it to |r| <= π/4.
    #[inline(always)]
    fn turn_back(self) -> Turned<S> {
        let s = self.simd;
        let size = self.abs();
        let (mut r, mut n) = size.turn_back_exactly();
        let huge = size.gt(HUGE);
        if huge.any() {
            let mut angles = [0.0; MAX_LANES];
            let mut counts = [0.0; MAX_LANES];
            // SAFETY: the arrays have room for LANES <= MAX_LANES values.
            unsafe {
                huge.select(size, 0.0).store(angles.as_mut_ptr());
                turn_back_huge(&mut angles, &mut counts);
                r = huge.select(Lane::load(s, angles.as_ptr()), r);
                n = huge.select(Lane::load(s, counts.as_ptr()), n);
            }
        }
        let square = r * r;
        let sin = (square * r).mul_add(square.polynomial(SIN_TAIL), r);
        let cos = (square * square).mul_add(square.polynomial(COS_TAIL), square.mul_add(-0.5, 1.0));
        let quarters = s.round_to_i32(n.raw);
        let odd = Mask::from_raw(s, s.nonzero_i32(s.and_i32(quarters, s.splat_i32(1))));
        Turned { sin, cos, quarters, odd }
    }

    /// `(r, n)` with x = r + n π/2 for 0 <= x <= `HUGE`. However close to a multiple of π/2 x is, r is precise relative to its
    /// own size, as the sine and the tangent need it.
    #[inline(always)]
    fn turn_back_exactly(self) -> (Self, Self) {
        if S::FUSED {
            // The first difference is exact: a multiple of 2⁻²⁴ below 1. The second has but the rounding of its result.
            let n = (self * std::f32::consts::FRAC_2_PI).round();
            let r = n.mul_add(-HALF_PI_REST, n.mul_add(-HALF_PI, self));
            (n.mul_add(-HALF_PI_LAST, r), n)
        } else {
            let x = self.widen();
            let n = (x * std::f64::consts::FRAC_2_PI).round();
            let r = n.mul_add(-HALF_PI_LOW, n.mul_add(-HALF_PI_HIGH, x));
            (r.narrow(), n.narrow())
        }
    }

    /// Flips the sign where the given bit of `bits` is set.
    #[inline(always)]
    fn flip_sign_by(self, bits: S::I32, bit: u32) -> Self {
        let s = self.simd;
        let sign = s.and_i32(s.shl_i32(bits, 31 - bit), s.splat_i32(i32::MIN));
        self.with(s.bitcast_f32(s.xor_i32(s.bitcast_i32(self.raw), sign)))
    }

    /// The arcsine; NaN beyond ±1.
    #[inline(always)]
    pub fn asin(self) -> Self {
        let size = self.abs();
        let (large, p) = size.asin_core();
        // arcsin x = π/2 - 2 arcsin √((1 - x) / 2)
        large.select(HALF_PI - p.mul_add(2.0, -HALF_PI_REST), p).with_sign_of(self)
    }

    /// The arccosine; NaN beyond ±1.
    #[inline(always)]
    pub fn acos(self) -> Self {
        let (large, p) = self.abs().asin_core();
        let middle = HALF_PI - (p.with_sign_of(self) - HALF_PI_REST);
        let twice = p * 2.0;
        // arccos(-x) = π - arccos x
        let ends = self.lt(0.0).select(2.0 * HALF_PI - (twice - 2.0 * HALF_PI_REST), twice);
        large.select(ends, middle)
    }

    /// For x >= 0: whether x is greater than 1/2, and arcsin x, or arcsin √((1 - x) / 2) where it is.
    #[inline(always)]
    fn asin_core(self) -> (Mask<S>, Self) {
        let large = self.gt(0.5);
        let square = large.select((1.0 - self) * 0.5, self * self);
        let root = large.select(square.sqrt(), self);
        (large, (square * root).mul_add(square.polynomial(ASIN_TAIL), root))
    }

    /// The arctangent.
    #[inline(always)]
    pub fn atan(self) -> Self {
        let size = self.abs();
        let large = size.gt(1.0);
        let t = large.select(1.0, size) / large.select(size, 1.0);
        let square = t * t;
        let p = (square * t).mul_add(square.polynomial(ATAN_TAIL), t);
        // arctan x = π/2 - arctan 1/x
        large.select(HALF_PI - (p - HALF_PI_REST), p).with_sign_of(self)
    }
}
