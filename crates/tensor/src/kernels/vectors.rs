//! Vectors read from slices and written to them, with the slices' bounds checked.

use super::map::UnaryFn;
use crate::simd::{Lane, Simd};

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

/// `out[i] = f(out[i])`
#[inline(always)]
pub(crate) fn map_run<S: Simd>(simd: S, f: impl UnaryFn, out: &mut [f32]) {
    let whole = out.len() - out.len() % S::LANES;
    let mut i = 0;
    while i < whole {
        write(f.eval(read(simd, out, i)), out, i);
        i += S::LANES;
    }
    if whole < out.len() {
        let rest = &mut out[whole..];
        write_partial(f.eval(read_partial(simd, rest)), rest);
    }
}
