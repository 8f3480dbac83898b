//! The same wrapper for `f64`: where `f32` arithmetic would need doubled precision, a function computes in `f64` and rounds
//! once at the end.

use super::{Lane, Simd};
use std::ops::{Add, Div, Mul, Sub};

/// The elements of a [`Lane`] in `f64`.
#[derive(Clone, Copy)]
pub(super) struct Wide<S: Simd> {
    simd: S,
    raw: S::F64,
}

impl<S: Simd> Lane<S> {
    /// The same values in `f64`.
    #[inline(always)]
    pub(super) fn widen(self) -> Wide<S> {
        Wide { simd: self.simd, raw: self.simd.widen(self.raw) }
    }
}

impl<S: Simd> Wide<S> {
    /// The nearest `f32`s.
    #[inline(always)]
    pub(super) fn narrow(self) -> Lane<S> {
        Lane { simd: self.simd, raw: self.simd.narrow(self.raw) }
    }

    /// All elements `x`.
    #[inline(always)]
    pub(super) fn same(self, x: f64) -> Self {
        Wide { simd: self.simd, raw: self.simd.splat_f64(x) }
    }

    /// `self * b + c`
    #[inline(always)]
    pub(super) fn mul_add(self, b: impl IntoWide<S>, c: impl IntoWide<S>) -> Self {
        let s = self.simd;
        Wide { simd: s, raw: s.mul_add_f64(self.raw, b.into_wide(s).raw, c.into_wide(s).raw) }
    }

    /// The square root.
    #[inline(always)]
    pub(super) fn sqrt(self) -> Self {
        Wide { simd: self.simd, raw: self.simd.sqrt_f64(self.raw) }
    }

    /// The nearest whole number.
    #[inline(always)]
    pub(super) fn round(self) -> Self {
        Wide { simd: self.simd, raw: self.simd.round_f64(self.raw) }
    }

    /// `self * 2^n`, within the limits of [`Simd::scale_f64`].
    #[inline(always)]
    pub(super) fn scale(self, n: Self) -> Self {
        Wide { simd: self.simd, raw: self.simd.scale_f64(self.raw, n.raw) }
    }

    /// Mantissa and exponent, as [`Simd::split_exponent_f64`].
    #[inline(always)]
    pub(super) fn split_exponent(self) -> (Self, Self) {
        let (m, e) = self.simd.split_exponent_f64(self.raw);
        (Wide { simd: self.simd, raw: m }, Wide { simd: self.simd, raw: e })
    }

    /// The value moved into `[low, high]`; NaN stays NaN.
    #[inline(always)]
    pub(super) fn clamp(self, low: f64, high: f64) -> Self {
        let s = self.simd;
        Wide { simd: s, raw: s.min_f64(s.splat_f64(high), s.max_f64(s.splat_f64(low), self.raw)) }
    }

    /// The polynomial c₀ + c₁ x + c₂ x² + … by Horner's rule.
    #[inline(always)]
    pub(super) fn polynomial<const N: usize>(self, coefficients: [f64; N]) -> Self {
        let mut sum = self.same(coefficients[N - 1]);
        let mut k = N - 1;
        while k > 0 {
            k -= 1;
            sum = sum.mul_add(self, coefficients[k]);
        }
        sum
    }
}

/// A [`Wide`], or an `f64` that stands for one full of it.
pub(super) trait IntoWide<S: Simd>: Copy {
    fn into_wide(self, simd: S) -> Wide<S>;
}

impl<S: Simd> IntoWide<S> for Wide<S> {
    #[inline(always)]
    fn into_wide(self, _: S) -> Wide<S> {
        self
    }
}

impl<S: Simd> IntoWide<S> for f64 {
    #[inline(always)]
    fn into_wide(self, simd: S) -> Wide<S> {
        Wide { simd, raw: simd.splat_f64(self) }
    }
}

macro_rules! operator {
    ($($Trait:ident $method:ident $raw:ident)*) => {$(
        impl<S: Simd, T: IntoWide<S>> $Trait<T> for Wide<S> {
            type Output = Wide<S>;

            #[inline(always)]
            fn $method(self, other: T) -> Wide<S> {
                Wide { simd: self.simd, raw: self.simd.$raw(self.raw, other.into_wide(self.simd).raw) }
            }
        }

        impl<S: Simd> $Trait<Wide<S>> for f64 {
            type Output = Wide<S>;

            #[inline(always)]
            fn $method(self, other: Wide<S>) -> Wide<S> {
                other.same(self).$method(other)
            }
        }
    )*};
}

operator! { Add add add_f64  Sub sub sub_f64  Mul mul mul_f64  Div div div_f64 }
