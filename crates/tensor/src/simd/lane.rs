//! The wrapper in which formulas are written: a vector of `f32` with operators.

use super::Simd;
use std::fmt;
use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};

/// A vector of `f32`, as many as the instruction set `S` holds. Operators take a `Lane` or an `f32` on either side; the
/// elementary functions are methods.
#[derive(Clone, Copy)]
pub struct Lane<S: Simd> {
    pub(super) simd: S,
    pub(super) raw: S::F32,
}

/// One truth value for each element of a [`Lane`], from a comparison.
#[derive(Clone, Copy)]
pub struct Mask<S: Simd> {
    simd: S,
    raw: S::Mask,
}

impl<S: Simd> Lane<S> {
    /// All elements `x`.
    #[inline(always)]
    pub fn splat(simd: S, x: f32) -> Self {
        Lane { simd, raw: simd.splat(x) }
    }

    /// All elements `x`, on the same instruction set as `self`.
    #[inline(always)]
    pub fn same(self, x: f32) -> Self {
        Lane::splat(self.simd, x)
    }

    /// Wraps a vector.
    #[inline(always)]
    pub fn from_raw(simd: S, raw: S::F32) -> Self {
        Lane { simd, raw }
    }

    /// The vector inside.
    #[inline(always)]
    pub fn raw(self) -> S::F32 {
        self.raw
    }

    /// Reads a vector; no alignment is needed.
    ///
    /// # Safety
    /// `S::LANES` values at `from` must be readable.
    #[inline(always)]
    pub unsafe fn load(simd: S, from: *const f32) -> Self {
        // SAFETY: the caller's promise is the one that `load` asks for.
        Lane { simd, raw: unsafe { simd.load(from) } }
    }

    /// Reads `count` <= `S::LANES` values; the other elements are 0.
    ///
    /// # Safety
    /// `count` values at `from` must be readable.
    #[inline(always)]
    pub unsafe fn load_partial(simd: S, from: *const f32, count: usize) -> Self {
        // SAFETY: the caller's promise is the one that `load_partial` asks for.
        Lane { simd, raw: unsafe { simd.load_partial(from, count) } }
    }

    /// Writes a vector; no alignment is needed.
    ///
    /// # Safety
    /// `S::LANES` values at `to` must be writable.
    #[inline(always)]
    pub unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise is the one that `store` asks for.
        unsafe { self.simd.store(to, self.raw) }
    }

    /// Writes the first `count` <= `S::LANES` elements.
    ///
    /// # Safety
    /// `count` values at `to` must be writable.
    #[inline(always)]
    pub unsafe fn store_partial(self, to: *mut f32, count: usize) {
        // SAFETY: the caller's promise is the one that `store_partial` asks for.
        unsafe { self.simd.store_partial(to, self.raw, count) }
    }

    /// All elements added up by halves: the upper half to the lower, until one is left.
    #[inline(always)]
    pub fn sum(self) -> f32 {
        self.simd.sum(self.raw)
    }

    /// `self * b + c`, rounded once where the processor can, else twice.
    #[inline(always)]
    pub fn mul_add(self, b: impl IntoLane<S>, c: impl IntoLane<S>) -> Self {
        let s = self.simd;
        self.with(s.mul_add(self.raw, b.into_lane(s).raw, c.into_lane(s).raw))
    }

    /// The absolute value.
    #[inline(always)]
    pub fn abs(self) -> Self {
        let s = self.simd;
        self.with(s.bitcast_f32(s.and_i32(s.bitcast_i32(self.raw), s.splat_i32(i32::MAX))))
    }

    /// The magnitude of `self` with the sign of `sign`, provided that `self` is not negative (-0.0 is).
    #[inline(always)]
    pub(super) fn with_sign_of(self, sign: Self) -> Self {
        let s = self.simd;
        let sign = s.and_i32(s.bitcast_i32(sign.raw), s.splat_i32(i32::MIN));
        self.with(s.bitcast_f32(s.xor_i32(s.bitcast_i32(self.raw), sign)))
    }

    /// The square root, correctly rounded.
    #[inline(always)]
    pub fn sqrt(self) -> Self {
        self.with(self.simd.sqrt(self.raw))
    }

    /// 1 or -1 with the sign of x; zero and NaN stay as they are.
    #[inline(always)]
    pub fn sign(self) -> Self {
        self.gt(0.0).select(1.0, self.lt(0.0).select(-1.0, self))
    }

    /// The greatest whole number that is not greater.
    #[inline(always)]
    pub fn floor(self) -> Self {
        self.with(self.simd.floor(self.raw))
    }

    /// The least whole number that is not less.
    #[inline(always)]
    pub fn ceil(self) -> Self {
        self.with(self.simd.ceil(self.raw))
    }

    /// The nearest whole number, half to even.
    #[inline(always)]
    pub fn round(self) -> Self {
        self.with(self.simd.round(self.raw))
    }

    /// The whole part.
    #[inline(always)]
    pub fn trunc(self) -> Self {
        self.with(self.simd.trunc(self.raw))
    }

    /// The greater of `self` and the constant `bound`, which must not be NaN; NaN in `self` stays NaN.
    #[inline(always)]
    pub fn at_least(self, bound: f32) -> Self {
        // The raw instruction gives its second operand where either is NaN.
        self.with(self.simd.max(self.simd.splat(bound), self.raw))
    }

    /// The lesser of `self` and the constant `bound`, which must not be NaN; NaN in `self` stays NaN.
    #[inline(always)]
    pub fn at_most(self, bound: f32) -> Self {
        self.with(self.simd.min(self.simd.splat(bound), self.raw))
    }

    /// The nearest value between two constants, which must not be NaN and of which the second wins; NaN in `self` stays
    /// NaN.
    #[inline(always)]
    pub fn clamp(self, low: f32, high: f32) -> Self {
        self.at_least(low).at_most(high)
    }

    /// 1 where x > 0, else 0.
    #[inline(always)]
    pub fn is_positive(self) -> Self {
        self.gt(0.0).select(1.0, 0.0)
    }

    /// The greater of both, NaN where either is NaN.
    #[inline(always)]
    pub fn maximum(self, other: impl IntoLane<S>) -> Self {
        // The raw instruction gives its second operand where either is NaN or both are zero. What asks for NaN does not
        // wait for `self`, which is what a fold has joined so far.
        let other = other.into_lane(self.simd);
        other.is_nan().select(other, self.with(self.simd.max(other.raw, self.raw)))
    }

    /// The lesser of both, NaN where either is NaN.
    #[inline(always)]
    pub fn minimum(self, other: impl IntoLane<S>) -> Self {
        let other = other.into_lane(self.simd);
        other.is_nan().select(other, self.with(self.simd.min(other.raw, self.raw)))
    }

    /// Where `self < other`; false for NaN.
    #[inline(always)]
    pub fn lt(self, other: impl IntoLane<S>) -> Mask<S> {
        let s = self.simd;
        Mask { simd: s, raw: s.lt(self.raw, other.into_lane(s).raw) }
    }

    /// Where `self <= other`; false for NaN.
    #[inline(always)]
    pub fn le(self, other: impl IntoLane<S>) -> Mask<S> {
        let s = self.simd;
        Mask { simd: s, raw: s.le(self.raw, other.into_lane(s).raw) }
    }

    /// Where `self > other`; false for NaN.
    #[inline(always)]
    pub fn gt(self, other: impl IntoLane<S>) -> Mask<S> {
        let s = self.simd;
        Mask { simd: s, raw: s.lt(other.into_lane(s).raw, self.raw) }
    }

    /// Where `self >= other`; false for NaN.
    #[inline(always)]
    pub fn ge(self, other: impl IntoLane<S>) -> Mask<S> {
        let s = self.simd;
        Mask { simd: s, raw: s.le(other.into_lane(s).raw, self.raw) }
    }

    /// Where `self == other`; false for NaN.
    #[inline(always)]
    pub fn eq(self, other: impl IntoLane<S>) -> Mask<S> {
        let s = self.simd;
        Mask { simd: s, raw: s.eq(self.raw, other.into_lane(s).raw) }
    }

    /// Where `self` is NaN.
    #[inline(always)]
    pub fn is_nan(self) -> Mask<S> {
        !self.eq(self)
    }

    /// The polynomial c₀ + c₁ x + c₂ x² + … by Horner's rule.
    #[inline(always)]
    pub(super) fn polynomial<const N: usize>(self, coefficients: [f32; N]) -> Self {
        let mut sum = self.same(coefficients[N - 1]);
        let mut k = N - 1;
        while k > 0 {
            k -= 1;
            sum = sum.mul_add(self, coefficients[k]);
        }
        sum
    }

    /// A vector on the same instruction set.
    #[inline(always)]
    pub(super) fn with(self, raw: S::F32) -> Self {
        Lane { simd: self.simd, raw }
    }
}

impl<S: Simd> Mask<S> {
    /// `a` where the mask is true, else `b`.
    #[inline(always)]
    pub fn select(self, a: impl IntoLane<S>, b: impl IntoLane<S>) -> Lane<S> {
        let s = self.simd;
        Lane { simd: s, raw: s.select(self.raw, a.into_lane(s).raw, b.into_lane(s).raw) }
    }

    /// Whether the mask is true anywhere.
    #[inline(always)]
    pub fn any(self) -> bool {
        self.simd.mask_any(self.raw)
    }

    #[inline(always)]
    pub(super) fn from_raw(simd: S, raw: S::Mask) -> Self {
        Mask { simd, raw }
    }
}

/// What a formula may use as an operand: a [`Lane`], or an `f32` that stands for a lane full of it.
pub trait IntoLane<S: Simd>: Copy {
    /// The operand as a lane.
    fn into_lane(self, simd: S) -> Lane<S>;
}

impl<S: Simd> IntoLane<S> for Lane<S> {
    #[inline(always)]
    fn into_lane(self, _: S) -> Lane<S> {
        self
    }
}

impl<S: Simd> IntoLane<S> for f32 {
    #[inline(always)]
    fn into_lane(self, simd: S) -> Lane<S> {
        Lane::splat(simd, self)
    }
}

macro_rules! operator {
    ($($Trait:ident $method:ident)*) => {$(
        impl<S: Simd, T: IntoLane<S>> $Trait<T> for Lane<S> {
            type Output = Lane<S>;

            #[inline(always)]
            fn $method(self, other: T) -> Lane<S> {
                self.with(self.simd.$method(self.raw, other.into_lane(self.simd).raw))
            }
        }

        impl<S: Simd> $Trait<Lane<S>> for f32 {
            type Output = Lane<S>;

            #[inline(always)]
            fn $method(self, other: Lane<S>) -> Lane<S> {
                other.same(self).$method(other)
            }
        }
    )*};
}

operator! { Add add  Sub sub  Mul mul  Div div }

impl<S: Simd> Neg for Lane<S> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        self.with(self.simd.neg(self.raw))
    }
}

impl<S: Simd> BitAnd for Mask<S> {
    type Output = Self;

    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        Mask { simd: self.simd, raw: self.simd.mask_and(self.raw, other.raw) }
    }
}

impl<S: Simd> BitOr for Mask<S> {
    type Output = Self;

    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        Mask { simd: self.simd, raw: self.simd.mask_or(self.raw, other.raw) }
    }
}

impl<S: Simd> Not for Mask<S> {
    type Output = Self;

    #[inline(always)]
    fn not(self) -> Self {
        Mask { simd: self.simd, raw: self.simd.mask_not(self.raw) }
    }
}

impl<S: Simd> fmt::Debug for Lane<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut elements = vec![0.0; S::LANES];
        // SAFETY: the vector has room for LANES values.
        unsafe { self.store(elements.as_mut_ptr()) };
        f.debug_tuple("Lane").field(&elements).finish()
    }
}

impl<S: Simd> fmt::Debug for Mask<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ones: Lane<S> = self.select(1.0, 0.0);
        f.debug_tuple("Mask").field(&ones).finish()
    }
}
