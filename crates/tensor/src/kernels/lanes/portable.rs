//! Plain Rust: 4 lanes, which compilers turn into the 128-bit registers that nearly every processor has.

#![allow(unsafe_op_in_unsafe_fn, reason = "the conditions of each method are those stated at the trait")]

use super::Lanes;

#[derive(Clone, Copy)]
#[repr(align(16))]
pub(in super::super) struct Portable([f32; 4]);

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let ([a, b, c, d], [x, y, z, w]) = (self.0, other.0);
        Portable([f(a, x), f(b, y), f(c, z), f(d, w)])
    }
}

impl Lanes for Portable {
    const COUNT: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Portable([0.0; 4])
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Portable([x; 4])
    }

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        Portable(p.cast::<[f32; 4]>().read_unaligned())
    }

    #[inline(always)]
    unsafe fn load_first(p: *const f32, n: usize) -> Self {
        let mut lanes = [0.0; 4];
        std::ptr::copy_nonoverlapping(p, lanes.as_mut_ptr(), n);
        Portable(lanes)
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        p.cast::<[f32; 4]>().write_unaligned(self.0)
    }

    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, n: usize) {
        std::ptr::copy_nonoverlapping(self.0.as_ptr(), p, n)
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |x, y| x + y)
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        // Two roundings: without an FMA instruction `f32::mul_add` is a slow library call.
        self.zip(factor, |x, y| x * y).zip(addend, |x, y| x + y)
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        self.zip(self, |x, _| if x < 0.0 { 0.0 } else { x })
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        let [a, b, c, d] = self.0;
        (a + c) + (b + d)
    }

    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}

    #[inline(always)]
    unsafe fn transpose(src: *const f32, line_stride: isize, lines: usize, dst: *mut f32, dst_stride: usize) {
        let mut rows = [Self::zero(); 4];
        for (i, row) in rows.iter_mut().enumerate().take(lines) {
            *row = Self::load(src.wrapping_offset(i as isize * line_stride));
        }
        let [a, b, c, d] = rows.map(|row| row.0);
        for k in 0..4 {
            Portable([a[k], b[k], c[k], d[k]]).store(dst.wrapping_add(k * dst_stride));
        }
    }
}
