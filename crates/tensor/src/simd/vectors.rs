//! Vectors read from slices and written to them, with the slices' bounds checked.

use super::{Lane, Simd};

/// The vector from `at` on.
#[inline(always)]
pub(crate) fn read<S: Simd>(simd: S, x: &[f32], at: usize) -> Lane<S> {
    let x = &x[at..at + S::LANES];
    // SAFETY: the slice has LANES elements.
    unsafe { Lane::load(simd, x.as_ptr()) }
}

/// All of a slice that is shorter than a vector.
#[inline(always)]
pub(crate) fn read_partial<S: Simd>(simd: S, x: &[f32]) -> Lane<S> {
    debug_assert!(x.len() < S::LANES);
    // SAFETY: the slice has that many elements.
    unsafe { Lane::load_partial(simd, x.as_ptr(), x.len()) }
}

/// The vector from `at` on, with zeros behind the end of the slice.
#[inline(always)]
pub(crate) fn read_padded<S: Simd>(simd: S, x: &[f32], at: usize) -> Lane<S> {
    if at + S::LANES <= x.len() { read(simd, x, at) } else { read_partial(simd, &x[at..]) }
}

/// Writes a vector from `at` on.
#[inline(always)]
pub(crate) fn write<S: Simd>(x: Lane<S>, out: &mut [f32], at: usize) {
    let out = &mut out[at..at + S::LANES];
    // SAFETY: the slice has LANES elements.
    unsafe { x.store(out.as_mut_ptr()) }
}

/// Fills a slice that is shorter than a vector.
#[inline(always)]
pub(crate) fn write_partial<S: Simd>(x: Lane<S>, out: &mut [f32]) {
    debug_assert!(out.len() < S::LANES);
    // SAFETY: the slice has that many elements.
    unsafe { x.store_partial(out.as_mut_ptr(), out.len()) }
}

/// Writes what of a vector, from `at` on, lies within the slice.
#[inline(always)]
pub(crate) fn write_clipped<S: Simd>(x: Lane<S>, out: &mut [f32], at: usize) {
    if at + S::LANES <= out.len() { write(x, out, at) } else { write_partial(x, &mut out[at..]) }
}
