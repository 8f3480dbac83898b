//! AVX2 with FMA: 8 lanes.

#![allow(unsafe_op_in_unsafe_fn, reason = "the conditions of each method are those stated at the trait")]

use std::arch::x86_64::*;

use super::Lanes;

#[derive(Clone, Copy)]
#[repr(transparent)]
pub(in super::super) struct Avx2(__m256);

/// All ones in the first `n` lanes.
///
/// # Safety
/// The processor has AVX2, and `n <= 8`.
#[inline(always)]
unsafe fn first(n: usize) -> __m256i {
    debug_assert!(n <= 8);
    const MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
    // SAFETY: 8 integers from index 8 - n lie within the 16.
    unsafe { _mm256_loadu_si256(MASKS.as_ptr().add(8 - n).cast()) }
}

impl Lanes for Avx2 {
    const COUNT: usize = 8;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Avx2(_mm256_setzero_ps())
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Avx2(_mm256_set1_ps(x))
    }

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        Avx2(_mm256_loadu_ps(p))
    }

    #[inline(always)]
    unsafe fn load_first(p: *const f32, n: usize) -> Self {
        Avx2(_mm256_maskload_ps(p, first(n)))
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        _mm256_storeu_ps(p, self.0)
    }

    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, n: usize) {
        _mm256_maskstore_ps(p, first(n), self.0)
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Avx2(_mm256_add_ps(self.0, other.0))
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        Avx2(_mm256_fmadd_ps(self.0, factor.0, addend.0))
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // The maximum is its second operand when either is NaN or both are zeros.
        Avx2(_mm256_max_ps(_mm256_setzero_ps(), self.0))
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        let four = _mm_add_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
    }

    #[inline(always)]
    unsafe fn prefetch(p: *const f32) {
        _mm_prefetch::<_MM_HINT_T0>(p.cast())
    }

    #[inline(always)]
    unsafe fn transpose(src: *const f32, line_stride: isize, lines: usize, dst: *mut f32, dst_stride: usize) {
        let mut r = [_mm256_setzero_ps(); 8];
        for (i, r) in r.iter_mut().enumerate() {
            if i < lines {
                *r = _mm256_loadu_ps(src.wrapping_offset(i as isize * line_stride));
            }
        }
        // Pairs of lines, then fours: half h of fours[4 * q + c] holds column 4 * h + c of lines 4 * q to 4 *
        // q + 3.
        let mut fours = [_mm256_setzero_pd(); 8];
        for q in 0..2 {
            let pair = |i: usize| {
                let (a, b) = (r[4 * q + i], r[4 * q + i + 1]);
                (_mm256_castps_pd(_mm256_unpacklo_ps(a, b)), _mm256_castps_pd(_mm256_unpackhi_ps(a, b)))
            };
            let ((low0, high0), (low2, high2)) = (pair(0), pair(2));
            fours[4 * q] = _mm256_unpacklo_pd(low0, low2);
            fours[4 * q + 1] = _mm256_unpackhi_pd(low0, low2);
            fours[4 * q + 2] = _mm256_unpacklo_pd(high0, high2);
            fours[4 * q + 3] = _mm256_unpackhi_pd(high0, high2);
        }
        for c in 0..4 {
            let (top, bottom) = (_mm256_castpd_ps(fours[c]), _mm256_castpd_ps(fours[4 + c]));
            r[c] = _mm256_permute2f128_ps::<0x20>(top, bottom);
            r[4 + c] = _mm256_permute2f128_ps::<0x31>(top, bottom);
        }
        for (k, r) in r.iter().enumerate() {
            _mm256_storeu_ps(dst.wrapping_add(k * dst_stride), *r);
        }
    }
}
