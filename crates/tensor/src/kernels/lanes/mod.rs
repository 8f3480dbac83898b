//! The vector register as the kernels see it: one trait, one implementation per instruction set.
//!
//! Every method is inlined into a function compiled for its instruction set; called from anywhere else it
//! would still be right, but each operation would become a function call.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(super) use avx512::Avx512;
pub(super) use portable::Portable;

/// A register of `COUNT` floats.
///
/// # Safety
/// Every method requires that the processor has the instruction set of the implementation. Those that take a
/// pointer require that the floats they name (`COUNT` of them, or the first `n <= COUNT`) may be read or
/// written there; no alignment is needed.
pub(super) trait Lanes: Copy {
    const COUNT: usize;

    unsafe fn zero() -> Self;
    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(p: *const f32) -> Self;
    /// The first `n` floats from `p`, and zeros.
    unsafe fn load_first(p: *const f32, n: usize) -> Self;
    unsafe fn store(self, p: *mut f32);
    unsafe fn store_first(self, p: *mut f32, n: usize);
    unsafe fn add(self, other: Self) -> Self;
    /// `self * factor + addend`, rounded once where the instruction set can.
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// max(x, 0); NaN stays NaN and -0.0 stays -0.0.
    unsafe fn relu(self) -> Self;
    /// The sum of all lanes, in a fixed order.
    unsafe fn sum(self) -> f32;
    /// Asks for the cache line of `p`, which need not be a valid address.
    unsafe fn prefetch(p: *const f32);
    /// Writes `COUNT` rows of `COUNT` floats to `dst`, `dst_stride` apart and in ascending order (so rows may
    /// overlap: the later one wins). Column `i` holds the `COUNT` floats from `src + i * line_stride`, or
    /// zeros if `i >= lines`.
    unsafe fn transpose(src: *const f32, line_stride: isize, lines: usize, dst: *mut f32, dst_stride: usize);
}
