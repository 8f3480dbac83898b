//! One way to write a vectorised kernel, whatever the instruction set.
//!
//! A kernel is written once, over [`Lane`]: a vector of as many `f32` as the instruction set holds, with operators and
//! the elementary functions as methods, so that a formula reads like a formula. [`dispatch`] runs it on the chosen
//! instruction set. All kernels of this crate are written so, from `x + y` to the register tile of the matrix product.
//!
//! ```
//! use gradus_tensor::Isa;
//! use gradus_tensor::kernels::map::{UnaryFn, map};
//! use gradus_tensor::simd::{Lane, Simd};
//!
//! /// y = 1 - tanh²(x)
//! #[derive(Clone, Copy)]
//! struct TanhSlope;
//!
//! impl UnaryFn for TanhSlope {
//!     #[inline(always)]
//!     fn eval<S: Simd>(self, x: Lane<S>) -> Lane<S> {
//!         let y = x.tanh();
//!         1.0 - y * y
//!     }
//! }
//!
//! let mut slope = [0.0; 3];
//! map(Isa::current(), TanhSlope, &[-100.0, 0.0, 100.0][..], &mut slope);
//! assert_eq!(slope, [0.0, 1.0, 0.0]);
//! ```
//!
//! # Why everything is `#[inline(always)]`
//! An intrinsic is compiled to its instruction only inside a function that has its target feature switched on;
//! anywhere else it is a call, with the vectors passed through memory, ten times slower and more. [`dispatch`] enters one
//! such function per instruction set, and all that happens beneath it must be inlined into it: so every function that
//! touches a [`Lane`] carries `#[inline(always)]`, formulas of other crates included, and none of them hands a closure
//! to an iterator. A forgotten attribute is slow, never wrong.
//!
//! A kernel that is one of many, such as a tile of a given size, is called through a pointer instead: a function, generic
//! over the set, whose body is [`Simd::run`] of the kernel. [`dispatch`] finds the table of such pointers.
//!
//! # Instruction sets
//! One file each: a type, [`Simd`] for it, and in [`Simd::run`] the features to compile for. A new one also needs its name
//! and how to detect it in [`Isa`], and a line in [`dispatch`]. What a kernel wants to know of a set, it asks the constants
//! of [`Simd`]: no kernel names a set.
//!
//! # Accuracy
//! The greatest errors in units in the last place, on any instruction set:
//!
//! | ulp | functions |
//! | ---- | --- |
//! | 0 | relu, sign, floor, ceil, round, trunc, abs |
//! | 0.5 | sqrt, reciprocal, square, leaky_relu |
//! | 0.51 | log2, log10, asinh, acosh, atanh, mish, pow (on a grid) |
//! | 0.6 | log1p, erf |
//! | 0.9 | log * |
//! | 1.0 | elu with alpha = 1/2 |
//! | 1.1 | exp * |
//! | 1.2 | exp2, acos |
//! | 1.5 | rsqrt, cosh |
//! | 1.6 | expm1, sin *, cos, atan |
//! | 1.7 | sinh |
//! | 2.2 | normal_cdf * |
//! | 2.4 | softplus, asin |
//! | 2.5 | sigmoid * |
//! | 2.7 | tanh * |
//! | 2.9 | silu, gelu_tanh, gelu * |
//! | 3.8 | tan * |
//!
//! Those with a star were measured over all 2³² inputs, the others over all with 2⁻¹² <= |x| < 2⁸ and every 997th beyond;
//! `tests/accuracy.rs` holds all to these numbers, on a sample in every run and over all inputs where it is asked to.
//! Zeros, infinities, NaN, subnormal arguments and results are as in C. What tends to zero at -∞ while x grows (gelu, silu,
//! mish) gives 0.0 there.
//!
//! # Differences between instruction sets
//! [`Lane::mul_add`] rounds once where the processor has a fused multiply-add and twice on the portable path, where
//! fusing would be a call into the C library for every lane. So results may differ between instruction sets in the last
//! places; on one instruction set an element's result depends on its value alone, not on its place in a slice.

#[cfg(target_arch = "x86_64")]
#[macro_use]
mod intrinsics;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod isa;
mod lane;
mod math;
mod portable;
pub(crate) mod vectors;
mod wide;

pub use isa::Isa;
pub use lane::{IntoLane, Lane, Mask};

use std::fmt::Debug;

/// Work that [`dispatch`] can run on any instruction set.
pub trait Kernel {
    /// What the work returns.
    type Output;

    /// Does the work. Implementations must be `#[inline(always)]`.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Runs a kernel on an instruction set.
///
/// # Panics
/// When this processor lacks the instruction set.
#[inline]
pub fn dispatch<K: Kernel>(isa: Isa, kernel: K) -> K::Output {
    // The set in use is at most the best one, and is looked up in less time.
    assert!(isa <= Isa::current() || isa <= Isa::detect(), "dispatch: this processor has no {isa:?}");
    // SAFETY: the assertion above has found the instruction set.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::Avx512::run(kernel),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::Avx2::run(kernel),
            _ => portable::Portable::run(kernel),
        }
    }
}

/// The greatest [`Simd::LANES`].
pub(crate) const MAX_LANES: usize = 16;

mod sealed {
    pub trait Sealed {}
}

/// The instructions of one instruction set. A value of such a type is the proof that the processor has them: only
/// [`Simd::run`] makes one, for [`dispatch`] after it has looked.
///
/// Formulas use these through [`Lane`] and [`Mask`]; only kernels that handle memory themselves call
/// them directly. The trait is sealed.
pub trait Simd: Copy + Debug + Send + Sync + sealed::Sealed + 'static {
    /// How many `f32` a vector holds.
    const LANES: usize;
    /// Whether [`Simd::mul_add`] rounds once.
    const FUSED: bool;
    /// Rows of a tile of sums two vectors wide, as many as leave registers for two vectors and one element of the
    /// operands.
    const TILE_ROWS: usize;
    /// Steps of such a tile between two jumps back: what counts and moves addresses is an issue slot that a multiplication of the
    /// core's other thread could have.
    const TILE_STEPS: usize;
    /// The intervals from 1 to 16 that [`Simd::look_up`] tells apart at the cost of one: 4, each to the next power of two,
    /// or 16.
    const INTERVALS: usize;

    /// A vector of `f32`.
    type F32: Copy;
    /// A vector of as many `i32`.
    type I32: Copy;
    /// As many `f64`, in several registers.
    type F64: Copy;
    /// One truth value for each `f32`.
    type Mask: Copy;

    /// Runs a kernel in a function that is compiled for the instruction set.
    ///
    /// # Safety
    /// The processor must have it.
    unsafe fn run<K: Kernel>(kernel: K) -> K::Output;

    /// All elements `x`.
    fn splat(self, x: f32) -> Self::F32;
    /// Reads a vector; no alignment is needed.
    ///
    /// # Safety
    /// `LANES` values at `from` must be readable.
    unsafe fn load(self, from: *const f32) -> Self::F32;
    /// Reads `count` <= `LANES` values; the other elements are 0.
    ///
    /// # Safety
    /// `count` values at `from` must be readable.
    unsafe fn load_partial(self, from: *const f32, count: usize) -> Self::F32;
    /// Writes a vector; no alignment is needed.
    ///
    /// # Safety
    /// `LANES` values at `to` must be writable.
    unsafe fn store(self, to: *mut f32, x: Self::F32);
    /// Writes the first `count` <= `LANES` elements.
    ///
    /// # Safety
    /// `count` values at `to` must be writable.
    unsafe fn store_partial(self, to: *mut f32, x: Self::F32, count: usize);
    /// Asks for the cache line of `at`, which need not be a valid address.
    fn prefetch(self, at: *const f32);
    /// Writes `LANES` rows of `LANES` values to `to`, `stride` apart and in ascending order (so rows may overlap: the
    /// later one wins). Column `i` holds the `LANES` values from `from + i * line_stride` on, or zeros if `i >= lines`.
    ///
    /// # Safety
    /// These values must be readable, and all rows writable.
    unsafe fn transpose(
        self,
        from: *const f32,
        line_stride: isize,
        lines: usize,
        to: *mut f32,
        stride: usize,
    );

    /// `a + b`
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a - b`
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a * b`
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a / b`
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a * b + c`, rounded once if [`Simd::FUSED`], else twice.
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// -a²/2 as the sum of its nearest `f32` and the rest, for |a| < 2⁶⁰.
    fn minus_half_square(self, a: Self::F32) -> (Self::F32, Self::F32);
    /// `-a`, the sign bit of NaN included.
    fn neg(self, a: Self::F32) -> Self::F32;
    /// `a < b ? a : b`: the second where either is NaN or both are zero.
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a > b ? a : b`: the second where either is NaN or both are zero.
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// All elements added up by halves: the upper half to the lower, until one is left.
    fn sum(self, a: Self::F32) -> f32;
    /// The square root, correctly rounded.
    fn sqrt(self, a: Self::F32) -> Self::F32;
    /// To the nearest whole number, half to even.
    fn round(self, a: Self::F32) -> Self::F32;
    /// The greatest whole number that is not greater.
    fn floor(self, a: Self::F32) -> Self::F32;
    /// The least whole number that is not less.
    fn ceil(self, a: Self::F32) -> Self::F32;
    /// The whole part.
    fn trunc(self, a: Self::F32) -> Self::F32;

    /// `a < b`, false for NaN.
    fn lt(self, a: Self::F32, b: Self::F32) -> Self::Mask;
    /// `a <= b`, false for NaN.
    fn le(self, a: Self::F32, b: Self::F32) -> Self::Mask;
    /// `a == b`, false for NaN.
    fn eq(self, a: Self::F32, b: Self::F32) -> Self::Mask;
    /// `mask ? a : b`
    fn select(self, mask: Self::Mask, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a && b`
    fn mask_and(self, a: Self::Mask, b: Self::Mask) -> Self::Mask;
    /// `a || b`
    fn mask_or(self, a: Self::Mask, b: Self::Mask) -> Self::Mask;
    /// `!a`
    fn mask_not(self, a: Self::Mask) -> Self::Mask;
    /// Whether any element is true.
    fn mask_any(self, a: Self::Mask) -> bool;

    /// All elements `x`.
    fn splat_i32(self, x: i32) -> Self::I32;
    /// `a + b`, wrapping.
    fn add_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// `a & b`
    fn and_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// `a ^ b`
    fn xor_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// `a << bits`, for `bits` < 32.
    fn shl_i32(self, a: Self::I32, bits: u32) -> Self::I32;
    /// For each x from 1 to 16 the entry of the interval that it lies in, of a table of [`INTERVALS`](Simd::INTERVALS). The
    /// interval's number is the last bits of the exponent, 3 from 1 to 2 and 0 from 2 to 4, and where there are four of
    /// them from a power of two to the next, the first bits of the fraction behind these. Other x get any entry.
    fn look_up(self, table: &[f32], x: Self::F32) -> Self::F32;
    /// Where an element is not zero.
    fn nonzero_i32(self, a: Self::I32) -> Self::Mask;
    /// The bit patterns of floats.
    fn bitcast_i32(self, a: Self::F32) -> Self::I32;
    /// The floats of bit patterns.
    fn bitcast_f32(self, a: Self::I32) -> Self::F32;
    /// To the nearest integer, half to even, for |a| <= 2²²; unspecified beyond.
    fn round_to_i32(self, a: Self::F32) -> Self::I32;

    /// `a * 2^n`, rounded once, for whole numbers n with |n| <= 250 where `a * 2^(n/2)` is a normal number.
    fn scale(self, a: Self::F32, n: Self::F32) -> Self::F32;
    /// Splits a positive finite number, subnormals too, into `(m, e)` with a = m · 2^e and 0.75 <= m < 1.5; anything else
    /// gives unspecified numbers.
    fn split_exponent(self, a: Self::F32) -> (Self::F32, Self::F32);

    /// The same values as `f64`.
    fn widen(self, a: Self::F32) -> Self::F64;
    /// The nearest `f32`.
    fn narrow(self, a: Self::F64) -> Self::F32;
    /// All elements `x`.
    fn splat_f64(self, x: f64) -> Self::F64;
    /// `a + b`
    fn add_f64(self, a: Self::F64, b: Self::F64) -> Self::F64;
    /// `a - b`
    fn sub_f64(self, a: Self::F64, b: Self::F64) -> Self::F64;
    /// `a * b`
    fn mul_f64(self, a: Self::F64, b: Self::F64) -> Self::F64;
    /// `a / b`
    fn div_f64(self, a: Self::F64, b: Self::F64) -> Self::F64;
    /// `a * b + c`, rounded once or twice as [`Simd::mul_add`].
    fn mul_add_f64(self, a: Self::F64, b: Self::F64, c: Self::F64) -> Self::F64;
    /// The square root, correctly rounded.
    fn sqrt_f64(self, a: Self::F64) -> Self::F64;
    /// `a < b ? a : b`, as [`Simd::min`].
    fn min_f64(self, a: Self::F64, b: Self::F64) -> Self::F64;
    /// `a > b ? a : b`, as [`Simd::max`].
    fn max_f64(self, a: Self::F64, b: Self::F64) -> Self::F64;
    /// To the nearest whole number, half to even, for |a| <= 2⁵¹; unspecified beyond.
    fn round_f64(self, a: Self::F64) -> Self::F64;
    /// `a * 2^n` for whole numbers n with |n| <= 1000, where neither a nor the result is subnormal.
    fn scale_f64(self, a: Self::F64, n: Self::F64) -> Self::F64;
    /// As [`Simd::split_exponent`], for normal numbers.
    fn split_exponent_f64(self, a: Self::F64) -> (Self::F64, Self::F64);
}
