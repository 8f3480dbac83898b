//! AVX-512: 16 lanes.

#![allow(unsafe_op_in_unsafe_fn, reason = "the conditions of each method are those stated at the trait")]

use std::arch::x86_64::*;

use super::Lanes;

#[derive(Clone, Copy)]
#[repr(transparent)]
pub(in super::super) struct Avx512(__m512);

#[inline(always)]
fn first(n: usize) -> __mmask16 {
    debug_assert!(n <= 16);
    ((1u32 << n) - 1) as __mmask16
}

impl Lanes for Avx512 {
    const COUNT: usize = 16;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Avx512(_mm512_setzero_ps())
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Avx512(_mm512_set1_ps(x))
    }

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        Avx512(_mm512_loadu_ps(p))
    }

    #[inline(always)]
    unsafe fn load_first(p: *const f32, n: usize) -> Self {
        Avx512(_mm512_maskz_loadu_ps(first(n), p))
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        _mm512_storeu_ps(p, self.0)
    }

    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, n: usize) {
        _mm512_mask_storeu_ps(p, first(n), self.0)
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Avx512(_mm512_add_ps(self.0, other.0))
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        Avx512(_mm512_fmadd_ps(self.0, factor.0, addend.0))
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // The maximum is its second operand when either is NaN or both are zeros.
        Avx512(_mm512_max_ps(_mm512_setzero_ps(), self.0))
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        _mm512_reduce_add_ps(self.0)
    }

    #[inline(always)]
    unsafe fn prefetch(p: *const f32) {
        _mm_prefetch::<_MM_HINT_T0>(p.cast())
    }

    #[inline(always)]
    unsafe fn transpose(src: *const f32, line_stride: isize, lines: usize, dst: *mut f32, dst_stride: usize) {
        let mut r = [_mm512_setzero_ps(); 16];
        for (i, r) in r.iter_mut().enumerate() {
            if i < lines {
                *r = _mm512_loadu_ps(src.wrapping_offset(i as isize * line_stride));
            }
        }
        // Pairs of lines, then fours: lane group g of fours[4 * q + c] holds column 4 * g + c of lines 4 * q
        // to 4 * q + 3.
        let mut fours = [_mm512_setzero_pd(); 16];
        for q in 0..4 {
            let pair = |i: usize| {
                let (a, b) = (r[4 * q + i], r[4 * q + i + 1]);
                (_mm512_castps_pd(_mm512_unpacklo_ps(a, b)), _mm512_castps_pd(_mm512_unpackhi_ps(a, b)))
            };
            let ((low0, high0), (low2, high2)) = (pair(0), pair(2));
            fours[4 * q] = _mm512_unpacklo_pd(low0, low2);
            fours[4 * q + 1] = _mm512_unpackhi_pd(low0, low2);
            fours[4 * q + 2] = _mm512_unpacklo_pd(high0, high2);
            fours[4 * q + 3] = _mm512_unpackhi_pd(high0, high2);
        }
        // For each c, the four by four transpose of lane groups.
        for c in 0..4 {
            let group = |q: usize| _mm512_castpd_ps(fours[4 * q + c]);
            let even01 = _mm512_shuffle_f32x4::<0x88>(group(0), group(1));
            let odd01 = _mm512_shuffle_f32x4::<0xdd>(group(0), group(1));
            let even23 = _mm512_shuffle_f32x4::<0x88>(group(2), group(3));
            let odd23 = _mm512_shuffle_f32x4::<0xdd>(group(2), group(3));
            r[c] = _mm512_shuffle_f32x4::<0x88>(even01, even23);
            r[4 + c] = _mm512_shuffle_f32x4::<0x88>(odd01, odd23);
            r[8 + c] = _mm512_shuffle_f32x4::<0xdd>(even01, even23);
            r[12 + c] = _mm512_shuffle_f32x4::<0xdd>(odd01, odd23);
        }
        for (k, r) in r.iter().enumerate() {
            _mm512_storeu_ps(dst.wrapping_add(k * dst_stride), *r);
        }
    }
}
