//! AVX2 and FMA: 8 lanes; a mask is a vector of all-ones and all-zeros.

use super::{Kernel, Simd, sealed};
use std::arch::x86_64::*;

/// The proof that the processor has AVX2 and FMA. Every unsafe block of this file rests on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

/// Eight ones and eight zeros: a window into it that starts `8 - count` in is the mask of the first `count` lanes.
static WINDOW: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

/// The mask of the first `count` lanes.
///
/// # Safety
/// Needs AVX2.
#[inline(always)]
unsafe fn first(count: usize) -> __m256i {
    let window = &WINDOW[8 - count..][..8];
    // SAFETY: `window` is eight readable numbers; the caller vouches for the feature.
    unsafe { _mm256_loadu_si256(window.as_ptr().cast()) }
}

/// 2^n for whole numbers -126 <= n <= 127.
///
/// # Safety
/// Needs AVX2.
#[inline(always)]
unsafe fn power_of_two(n: __m256i) -> __m256 {
    // SAFETY: the caller vouches for the feature.
    unsafe { _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(n, _mm256_set1_epi32(127)))) }
}

/// Adding this to a small whole number leaves the number, as an integer, in the low bits of the sum.
const SHIFTER: f64 = 6755399441055744.0; // 1.5 * 2^52

impl sealed::Sealed for Avx2 {}

impl Simd for Avx2 {
    const LANES: usize = 8;
    const FUSED: bool = true;
    const TILE_ROWS: usize = 6; // of 16 registers
    const TILE_STEPS: usize = 4;
    const INTERVALS: usize = 4;
    type F32 = __m256;
    type I32 = __m256i;
    type F64 = (__m256d, __m256d);
    type Mask = __m256;

    #[target_feature(enable = "avx2,fma")]
    unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
        kernel.run(Avx2(()))
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // SAFETY: the caller vouches for the memory, the token for the feature.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_partial(self, from: *const f32, count: usize) -> __m256 {
        // SAFETY: masked-out lanes are not accessed; the caller vouches for the others, the token for the feature.
        unsafe { _mm256_maskload_ps(from, first(count)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: __m256) {
        // SAFETY: the caller vouches for the memory, the token for the feature.
        unsafe { _mm256_storeu_ps(to, x) }
    }

    #[inline(always)]
    unsafe fn store_partial(self, to: *mut f32, x: __m256, count: usize) {
        // SAFETY: masked-out lanes are not accessed; the caller vouches for the others, the token for the feature.
        unsafe { _mm256_maskstore_ps(to, first(count), x) }
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
            let mut r = [_mm256_setzero_ps(); 8];
            for (i, r) in r.iter_mut().enumerate() {
                if i < lines {
                    *r = _mm256_loadu_ps(from.wrapping_offset(i as isize * line_stride));
                }
            }
            // Pairs of lines, then fours: half h of fours[4 * q + c] holds column 4 * h + c of lines 4 * q to 4 * q + 3.
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
                _mm256_storeu_ps(to.wrapping_add(k * stride), *r);
            }
        }
    }

    intrinsics! {
        prefetch(at: *const f32) -> () = _mm_prefetch::<_MM_HINT_T0>(at.cast());
        splat(x: f32) -> __m256 = _mm256_set1_ps(x);
        add(a: __m256, b: __m256) -> __m256 = _mm256_add_ps(a, b);
        sub(a: __m256, b: __m256) -> __m256 = _mm256_sub_ps(a, b);
        mul(a: __m256, b: __m256) -> __m256 = _mm256_mul_ps(a, b);
        div(a: __m256, b: __m256) -> __m256 = _mm256_div_ps(a, b);
        mul_add(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fmadd_ps(a, b, c);
        minus_half_square(a: __m256) -> (__m256, __m256) = {
            let half = _mm256_mul_ps(a, _mm256_set1_ps(-0.5));
            let product = _mm256_mul_ps(half, a);
            (product, _mm256_fmsub_ps(half, a, product))
        };
        neg(a: __m256) -> __m256 = _mm256_xor_ps(a, _mm256_set1_ps(-0.0));
        min(a: __m256, b: __m256) -> __m256 = _mm256_min_ps(a, b);
        max(a: __m256, b: __m256) -> __m256 = _mm256_max_ps(a, b);
        sum(a: __m256) -> f32 = {
            let four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        };
        sqrt(a: __m256) -> __m256 = _mm256_sqrt_ps(a);
        round(a: __m256) -> __m256 = _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a);
        floor(a: __m256) -> __m256 = _mm256_round_ps::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(a);
        ceil(a: __m256) -> __m256 = _mm256_round_ps::<{ _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC }>(a);
        trunc(a: __m256) -> __m256 = _mm256_round_ps::<{ _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC }>(a);

        lt(a: __m256, b: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_LT_OQ>(a, b);
        le(a: __m256, b: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_LE_OQ>(a, b);
        eq(a: __m256, b: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b);
        select(mask: __m256, a: __m256, b: __m256) -> __m256 = _mm256_blendv_ps(b, a, mask);
        mask_and(a: __m256, b: __m256) -> __m256 = _mm256_and_ps(a, b);
        mask_or(a: __m256, b: __m256) -> __m256 = _mm256_or_ps(a, b);
        mask_not(a: __m256) -> __m256 = _mm256_xor_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(-1)));
        mask_any(a: __m256) -> bool = _mm256_movemask_ps(a) != 0;

        splat_i32(x: i32) -> __m256i = _mm256_set1_epi32(x);
        add_i32(a: __m256i, b: __m256i) -> __m256i = _mm256_add_epi32(a, b);
        and_i32(a: __m256i, b: __m256i) -> __m256i = _mm256_and_si256(a, b);
        xor_i32(a: __m256i, b: __m256i) -> __m256i = _mm256_xor_si256(a, b);
        shl_i32(a: __m256i, bits: u32) -> __m256i = _mm256_sllv_epi32(a, _mm256_set1_epi32(bits as i32));
        look_up(table: &[f32], x: __m256) -> __m256 = {
            let table = _mm_loadu_ps(table[..4].as_ptr());
            // Within halves: across them a permutation takes several times as long.
            _mm256_permutevar_ps(_mm256_set_m128(table, table), _mm256_srli_epi32::<23>(_mm256_castps_si256(x)))
        };
        bitcast_i32(a: __m256) -> __m256i = _mm256_castps_si256(a);
        bitcast_f32(a: __m256i) -> __m256 = _mm256_castsi256_ps(a);
        round_to_i32(a: __m256) -> __m256i = _mm256_cvtps_epi32(a);

        widen(a: __m256) -> Self::F64 =
            (_mm256_cvtps_pd(_mm256_castps256_ps128(a)), _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(a)));
        narrow(a: Self::F64) -> __m256 = _mm256_set_m128(_mm256_cvtpd_ps(a.1), _mm256_cvtpd_ps(a.0));
        splat_f64(x: f64) -> Self::F64 = (_mm256_set1_pd(x), _mm256_set1_pd(x));
    }

    #[inline(always)]
    fn nonzero_i32(self, a: __m256i) -> __m256 {
        // SAFETY: the token proves that the processor has the features of these intrinsics.
        let zero = unsafe { _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, _mm256_setzero_si256())) };
        self.mask_not(zero)
    }

    #[inline(always)]
    fn scale(self, a: __m256, n: __m256) -> __m256 {
        // SAFETY: the token proves that the processor has the features of these intrinsics.
        unsafe {
            // 2^n itself may be out of range where the result is not: in two steps, of which only the second can round.
            let n = _mm256_cvtps_epi32(n);
            let half = _mm256_srai_epi32::<1>(n);
            let a = self.mul(a, power_of_two(half));
            self.mul(a, power_of_two(_mm256_sub_epi32(n, half)))
        }
    }

    #[inline(always)]
    fn split_exponent(self, a: __m256) -> (__m256, __m256) {
        // SAFETY: the token proves that the processor has the features of these intrinsics.
        unsafe {
            let subnormal = self.lt(a, self.splat(f32::MIN_POSITIVE));
            let a = self.select(subnormal, self.mul(a, self.splat(16777216.0)), a);
            let bits = self.bitcast_i32(a);
            let e = _mm256_srai_epi32::<23>(_mm256_sub_epi32(bits, self.splat_i32(0.75f32.to_bits() as i32)));
            let m = self.bitcast_f32(_mm256_sub_epi32(bits, _mm256_slli_epi32::<23>(e)));
            let e = _mm256_cvtepi32_ps(e);
            (m, self.sub(e, self.select(subnormal, self.splat(24.0), self.splat(0.0))))
        }
    }

    halves! {
        add_f64(a, b) = _mm256_add_pd;
        sub_f64(a, b) = _mm256_sub_pd;
        mul_f64(a, b) = _mm256_mul_pd;
        div_f64(a, b) = _mm256_div_pd;
        mul_add_f64(a, b, c) = _mm256_fmadd_pd;
        sqrt_f64(a) = _mm256_sqrt_pd;
        min_f64(a, b) = _mm256_min_pd;
        max_f64(a, b) = _mm256_max_pd;
        round_f64(a) = _mm256_round_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>;
    }

    #[inline(always)]
    fn scale_f64(self, a: Self::F64, n: Self::F64) -> Self::F64 {
        #[inline(always)]
        unsafe fn scale(a: __m256d, n: __m256d) -> __m256d {
            // SAFETY: the caller holds the token.
            unsafe {
                let n = _mm256_castpd_si256(_mm256_add_pd(n, _mm256_set1_pd(SHIFTER)));
                let power = _mm256_slli_epi64::<52>(_mm256_add_epi64(n, _mm256_set1_epi64x(1023)));
                _mm256_mul_pd(a, _mm256_castsi256_pd(power))
            }
        }
        // SAFETY: the token proves that the processor has the features.
        unsafe { (scale(a.0, n.0), scale(a.1, n.1)) }
    }

    #[inline(always)]
    fn split_exponent_f64(self, a: Self::F64) -> (Self::F64, Self::F64) {
        #[inline(always)]
        unsafe fn split(a: __m256d) -> (__m256d, __m256d) {
            // SAFETY: the caller holds the token.
            unsafe {
                let bits = _mm256_castpd_si256(a);
                // AVX2 shifts no sign in for 64-bit elements: the exponent is kept positive by half its range, and
                // becomes a float by being put into the low bits of one.
                let offset = _mm256_set1_epi64x(0.75f64.to_bits() as i64 - (1024 << 52));
                let e = _mm256_srli_epi64::<52>(_mm256_sub_epi64(bits, offset));
                let m = _mm256_sub_epi64(
                    bits,
                    _mm256_slli_epi64::<52>(_mm256_sub_epi64(e, _mm256_set1_epi64x(1024))),
                );
                let e =
                    _mm256_castsi256_pd(_mm256_add_epi64(e, _mm256_set1_epi64x(SHIFTER.to_bits() as i64)));
                (_mm256_castsi256_pd(m), _mm256_sub_pd(e, _mm256_set1_pd(SHIFTER + 1024.0)))
            }
        }
        // SAFETY: the token proves that the processor has the features.
        let (low, high) = unsafe { (split(a.0), split(a.1)) };
        ((low.0, high.0), (low.1, high.1))
    }
}
