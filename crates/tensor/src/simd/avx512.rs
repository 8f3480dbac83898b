//! AVX-512: 16 lanes, masks in registers of their own, and instructions for scaling by and splitting off a power of two.

use super::{Kernel, Simd, sealed};
use std::arch::x86_64::*;

/// The proof that the processor has AVX-512 F, BW, DQ and VL, AVX2 and FMA. Every unsafe block of this file rests on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx512(());

/// The mask of the first `count` lanes.
#[inline(always)]
fn first(count: usize) -> __mmask16 {
    debug_assert!(count <= 16);
    ((1u32 << count) - 1) as __mmask16
}

impl sealed::Sealed for Avx512 {}

impl Simd for Avx512 {
    const LANES: usize = 16;
    const FUSED: bool = true;
    const TILE_ROWS: usize = 14; // of 32 registers
    const TILE_STEPS: usize = 1; // more would not leave the sums in registers where rows are apart
    const INTERVALS: usize = 16;
    type F32 = __m512;
    type I32 = __m512i;
    type F64 = (__m512d, __m512d);
    type Mask = __mmask16;

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
        kernel.run(Avx512(()))
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // SAFETY: the caller vouches for the memory, the token for the feature.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_partial(self, from: *const f32, count: usize) -> __m512 {
        // SAFETY: masked-out lanes are not accessed; the caller vouches for the others, the token for the feature.
        unsafe { _mm512_maskz_loadu_ps(first(count), from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: __m512) {
        // SAFETY: the caller vouches for the memory, the token for the feature.
        unsafe { _mm512_storeu_ps(to, x) }
    }

    #[inline(always)]
    unsafe fn store_partial(self, to: *mut f32, x: __m512, count: usize) {
        // SAFETY: masked-out lanes are not accessed; the caller vouches for the others, the token for the feature.
        unsafe { _mm512_mask_storeu_ps(to, first(count), x) }
    }

    #[inline(always)]
    unsafe fn transpose(
        self,
        from: *const f32,
        line_stride: isize,
        lines: usize,
        to: *mut f32,
        stride: usize,
    ) {
        // SAFETY: the caller vouches for the memory, the token for the feature.
        unsafe {
            let mut r = [_mm512_setzero_ps(); 16];
            for (i, r) in r.iter_mut().enumerate() {
                if i < lines {
                    *r = _mm512_loadu_ps(from.wrapping_offset(i as isize * line_stride));
                }
            }
            // Pairs of lines, then fours: lane group g of fours[4 * q + c] holds column 4 * g + c of lines 4 * q to
            // 4 * q + 3.
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
                _mm512_storeu_ps(to.wrapping_add(k * stride), *r);
            }
        }
    }

    intrinsics! {
        prefetch(at: *const f32) -> () = _mm_prefetch::<_MM_HINT_T0>(at.cast());
        splat(x: f32) -> __m512 = _mm512_set1_ps(x);
        add(a: __m512, b: __m512) -> __m512 = _mm512_add_ps(a, b);
        sub(a: __m512, b: __m512) -> __m512 = _mm512_sub_ps(a, b);
        mul(a: __m512, b: __m512) -> __m512 = _mm512_mul_ps(a, b);
        div(a: __m512, b: __m512) -> __m512 = _mm512_div_ps(a, b);
        mul_add(a: __m512, b: __m512, c: __m512) -> __m512 = _mm512_fmadd_ps(a, b, c);
        minus_half_square(a: __m512) -> (__m512, __m512) = {
            let half = _mm512_mul_ps(a, _mm512_set1_ps(-0.5));
            let product = _mm512_mul_ps(half, a);
            (product, _mm512_fmsub_ps(half, a, product))
        };
        neg(a: __m512) -> __m512 = _mm512_xor_ps(a, _mm512_set1_ps(-0.0));
        min(a: __m512, b: __m512) -> __m512 = _mm512_min_ps(a, b);
        max(a: __m512, b: __m512) -> __m512 = _mm512_max_ps(a, b);
        sum(a: __m512) -> f32 = _mm512_reduce_add_ps(a);
        sqrt(a: __m512) -> __m512 = _mm512_sqrt_ps(a);
        round(a: __m512) -> __m512 = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a);
        floor(a: __m512) -> __m512 = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(a);
        ceil(a: __m512) -> __m512 = _mm512_roundscale_ps::<{ _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC }>(a);
        trunc(a: __m512) -> __m512 = _mm512_roundscale_ps::<{ _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC }>(a);

        lt(a: __m512, b: __m512) -> __mmask16 = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b);
        le(a: __m512, b: __m512) -> __mmask16 = _mm512_cmp_ps_mask::<_CMP_LE_OQ>(a, b);
        eq(a: __m512, b: __m512) -> __mmask16 = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b);
        select(mask: __mmask16, a: __m512, b: __m512) -> __m512 = _mm512_mask_blend_ps(mask, b, a);

        splat_i32(x: i32) -> __m512i = _mm512_set1_epi32(x);
        add_i32(a: __m512i, b: __m512i) -> __m512i = _mm512_add_epi32(a, b);
        and_i32(a: __m512i, b: __m512i) -> __m512i = _mm512_and_si512(a, b);
        xor_i32(a: __m512i, b: __m512i) -> __m512i = _mm512_xor_si512(a, b);
        shl_i32(a: __m512i, bits: u32) -> __m512i = _mm512_sllv_epi32(a, _mm512_set1_epi32(bits as i32));
        look_up(table: &[f32], x: __m512) -> __m512 = {
            let index = _mm512_srli_epi32::<21>(_mm512_castps_si512(x));
            _mm512_permutexvar_ps(index, _mm512_loadu_ps(table[..16].as_ptr()))
        };
        nonzero_i32(a: __m512i) -> __mmask16 = _mm512_test_epi32_mask(a, a);
        bitcast_i32(a: __m512) -> __m512i = _mm512_castps_si512(a);
        bitcast_f32(a: __m512i) -> __m512 = _mm512_castsi512_ps(a);
        round_to_i32(a: __m512) -> __m512i = _mm512_cvtps_epi32(a);

        scale(a: __m512, n: __m512) -> __m512 = _mm512_scalef_ps(a, n);

        widen(a: __m512) -> Self::F64 =
            (_mm512_cvtps_pd(_mm512_castps512_ps256(a)), _mm512_cvtps_pd(_mm512_extractf32x8_ps::<1>(a)));
        narrow(a: Self::F64) -> __m512 =
            _mm512_insertf32x8::<1>(_mm512_castps256_ps512(_mm512_cvtpd_ps(a.0)), _mm512_cvtpd_ps(a.1));
        splat_f64(x: f64) -> Self::F64 = (_mm512_set1_pd(x), _mm512_set1_pd(x));
    }

    #[inline(always)]
    fn mask_and(self, a: __mmask16, b: __mmask16) -> __mmask16 {
        a & b
    }

    #[inline(always)]
    fn mask_or(self, a: __mmask16, b: __mmask16) -> __mmask16 {
        a | b
    }

    #[inline(always)]
    fn mask_not(self, a: __mmask16) -> __mmask16 {
        !a
    }

    #[inline(always)]
    fn mask_any(self, a: __mmask16) -> bool {
        a != 0
    }

    #[inline(always)]
    fn split_exponent(self, a: __m512) -> (__m512, __m512) {
        // SAFETY: the token proves that the processor has the features of these intrinsics.
        unsafe {
            let m = _mm512_getmant_ps::<_MM_MANT_NORM_P75_1P5, _MM_MANT_SIGN_SRC>(a);
            let e = _mm512_getexp_ps(a);
            // The exponent counts from mantissas in [1, 2); those from 1.5 on were halved.
            let one = _mm512_set1_ps(1.0);
            (m, _mm512_mask_add_ps(e, self.lt(m, one), e, one))
        }
    }

    halves! {
        add_f64(a, b) = _mm512_add_pd;
        sub_f64(a, b) = _mm512_sub_pd;
        mul_f64(a, b) = _mm512_mul_pd;
        div_f64(a, b) = _mm512_div_pd;
        mul_add_f64(a, b, c) = _mm512_fmadd_pd;
        sqrt_f64(a) = _mm512_sqrt_pd;
        min_f64(a, b) = _mm512_min_pd;
        max_f64(a, b) = _mm512_max_pd;
        round_f64(a) = _mm512_roundscale_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>;
        scale_f64(a, n) = _mm512_scalef_pd;
    }

    #[inline(always)]
    fn split_exponent_f64(self, a: Self::F64) -> (Self::F64, Self::F64) {
        #[inline(always)]
        unsafe fn split(a: __m512d) -> (__m512d, __m512d) {
            // SAFETY: the caller holds the token.
            unsafe {
                let m = _mm512_getmant_pd::<_MM_MANT_NORM_P75_1P5, _MM_MANT_SIGN_SRC>(a);
                let e = _mm512_getexp_pd(a);
                let one = _mm512_set1_pd(1.0);
                (m, _mm512_mask_add_pd(e, _mm512_cmp_pd_mask::<_CMP_LT_OQ>(m, one), e, one))
            }
        }
        // SAFETY: the token proves that the processor has the features.
        let (low, high) = unsafe { (split(a.0), split(a.1)) };
        ((low.0, high.0), (low.1, high.1))
    }
}
