//! Plain Rust over small arrays, right on every processor; the compiler vectorises it with what the target has.

use super::{Kernel, Simd, sealed};

/// The token of the portable path, which needs no proof.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portable;

const N: usize = 4;

/// Added to |x| <= 2²², this leaves no place for a fraction, and the nearest whole number, half to even, in the low bits.
/// (`f32::round_ties_even` and its like are calls into the C library where the target lacks an instruction for them.)
const SHIFTER: f32 = 12582912.0; // 1.5 * 2^23
const SHIFTER_F64: f64 = 6755399441055744.0; // 1.5 * 2^52

/// Defines methods element by element. (`array::map` and `array::from_fn` are not always inlined.)
macro_rules! elementwise {
    ($($name:ident($($arg:ident: $type:ty),*) -> $out:ty = $body:expr;)*) => {$(
        #[inline(always)]
        fn $name(self, $($arg: [$type; N]),*) -> [$out; N] {
            let mut out = [<$out>::default(); N];
            for i in 0..N {
                $(let $arg = $arg[i];)*
                out[i] = $body;
            }
            out
        }
    )*};
}

/// 2^n for -126 <= n <= 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits(((n + 127) << 23) as u32)
}

#[inline(always)]
fn to_int(a: f32) -> i32 {
    (a + SHIFTER).to_bits() as i32 - SHIFTER.to_bits() as i32
}

#[inline(always)]
fn round(a: f32) -> f32 {
    // From 2^23 on there are only whole numbers; NaN takes the same way out. The sign of -0.25 is kept.
    const WHOLE: f32 = 8388608.0;
    let rounded = ((a.abs() + WHOLE) - WHOLE).copysign(a);
    if a.abs() < WHOLE { rounded } else { a }
}

#[inline(always)]
fn floor(a: f32) -> f32 {
    let nearest = round(a);
    // Where nothing is to be subtracted the sign of zero stays.
    if nearest > a { nearest - 1.0 } else { nearest }
}

/// a² minus its nearest f32 (Dekker's product): exact, because the halves of `a` have so few bits that their products are.
#[inline(always)]
fn square_rest(a: f32) -> f32 {
    let shifted = a * 4097.0; // 2^12 + 1
    let high = shifted - (shifted - a);
    let low = a - high;
    ((high * high - a * a) + 2.0 * high * low) + low * low
}

#[inline(always)]
fn split_exponent(a: f32) -> (f32, f32) {
    let subnormal = a < f32::MIN_POSITIVE;
    let bits = (if subnormal { a * 16777216.0 } else { a }).to_bits() as i32;
    let e = bits.wrapping_sub(0.75f32.to_bits() as i32) >> 23;
    let m = f32::from_bits(bits.wrapping_sub(e << 23) as u32);
    (m, (e - if subnormal { 24 } else { 0 }) as f32)
}

#[inline(always)]
fn split_exponent_f64(a: f64) -> (f64, f64) {
    let bits = a.to_bits() as i64;
    let e = bits.wrapping_sub(0.75f64.to_bits() as i64) >> 52;
    (f64::from_bits(bits.wrapping_sub(e << 52) as u64), e as i32 as f64)
}

/// A call of its own: seen together with the loop before it, such sums make the compiler put the first elements of
/// several vectors side by side there, the second ones and so on, which was measured to be ten times slower.
#[inline(never)]
fn sum([a, b, c, d]: [f32; N]) -> f32 {
    (a + c) + (b + d)
}

impl sealed::Sealed for Portable {}

impl Simd for Portable {
    const LANES: usize = N;
    const FUSED: bool = false;
    const TILE_ROWS: usize = 4; // of 16 registers, without an instruction that multiplies and adds
    const TILE_STEPS: usize = 1;
    const INTERVALS: usize = 16;
    type F32 = [f32; N];
    type I32 = [i32; N];
    type F64 = [f64; N];
    type Mask = [bool; N];

    #[inline(always)]
    unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
        kernel.run(Portable)
    }

    #[inline(always)]
    fn splat(self, x: f32) -> [f32; N] {
        [x; N]
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> [f32; N] {
        // SAFETY: the caller vouches for the memory; an array has the alignment of its elements.
        unsafe { from.cast::<[f32; N]>().read() }
    }

    #[inline(always)]
    unsafe fn load_partial(self, from: *const f32, count: usize) -> [f32; N] {
        let mut x = [0.0; N];
        // SAFETY: the caller vouches for `count` readable values, and `count` <= N.
        unsafe { std::ptr::copy_nonoverlapping(from, x.as_mut_ptr(), count) };
        x
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: [f32; N]) {
        // SAFETY: the caller vouches for the memory; an array has the alignment of its elements.
        unsafe { to.cast::<[f32; N]>().write(x) }
    }

    #[inline(always)]
    unsafe fn store_partial(self, to: *mut f32, x: [f32; N], count: usize) {
        // SAFETY: the caller vouches for `count` writable values, and `count` <= N.
        unsafe { std::ptr::copy_nonoverlapping(x.as_ptr(), to, count) };
    }

    #[inline(always)]
    fn prefetch(self, _: *const f32) {}

    #[inline(always)]
    unsafe fn transpose(
        self,
        from: *const f32,
        line_stride: isize,
        lines: usize,
        to: *mut f32,
        stride: usize,
    ) {
        let mut columns = [[0.0; N]; N];
        for (i, column) in columns.iter_mut().enumerate().take(lines) {
            // SAFETY: the caller vouches for the memory.
            *column = unsafe { self.load(from.wrapping_offset(i as isize * line_stride)) };
        }
        let [a, b, c, d] = columns;
        for k in 0..N {
            // SAFETY: as above.
            unsafe { self.store(to.wrapping_add(k * stride), [a[k], b[k], c[k], d[k]]) };
        }
    }

    #[inline(always)]
    fn sum(self, a: [f32; N]) -> f32 {
        sum(a)
    }

    elementwise! {
        add(a: f32, b: f32) -> f32 = a + b;
        sub(a: f32, b: f32) -> f32 = a - b;
        mul(a: f32, b: f32) -> f32 = a * b;
        div(a: f32, b: f32) -> f32 = a / b;
        mul_add(a: f32, b: f32, c: f32) -> f32 = a * b + c;
        neg(a: f32) -> f32 = -a;
        min(a: f32, b: f32) -> f32 = if a < b { a } else { b };
        max(a: f32, b: f32) -> f32 = if a > b { a } else { b };
        sqrt(a: f32) -> f32 = a.sqrt();
        round(a: f32) -> f32 = round(a);
        floor(a: f32) -> f32 = floor(a);
        ceil(a: f32) -> f32 = -floor(-a);
        trunc(a: f32) -> f32 = floor(a.abs()).copysign(a);

        lt(a: f32, b: f32) -> bool = a < b;
        le(a: f32, b: f32) -> bool = a <= b;
        eq(a: f32, b: f32) -> bool = a == b;
        select(mask: bool, a: f32, b: f32) -> f32 = if mask { a } else { b };
        mask_and(a: bool, b: bool) -> bool = a & b;
        mask_or(a: bool, b: bool) -> bool = a | b;
        mask_not(a: bool) -> bool = !a;

        add_i32(a: i32, b: i32) -> i32 = a.wrapping_add(b);
        and_i32(a: i32, b: i32) -> i32 = a & b;
        xor_i32(a: i32, b: i32) -> i32 = a ^ b;
        nonzero_i32(a: i32) -> bool = a != 0;
        bitcast_i32(a: f32) -> i32 = a.to_bits() as i32;
        bitcast_f32(a: i32) -> f32 = f32::from_bits(a as u32);
        round_to_i32(a: f32) -> i32 = to_int(a);

        widen(a: f32) -> f64 = f64::from(a);
        narrow(a: f64) -> f32 = a as f32;
        add_f64(a: f64, b: f64) -> f64 = a + b;
        sub_f64(a: f64, b: f64) -> f64 = a - b;
        mul_f64(a: f64, b: f64) -> f64 = a * b;
        div_f64(a: f64, b: f64) -> f64 = a / b;
        mul_add_f64(a: f64, b: f64, c: f64) -> f64 = a * b + c;
        sqrt_f64(a: f64) -> f64 = a.sqrt();
        min_f64(a: f64, b: f64) -> f64 = if a < b { a } else { b };
        max_f64(a: f64, b: f64) -> f64 = if a > b { a } else { b };
        round_f64(a: f64) -> f64 = (a + SHIFTER_F64) - SHIFTER_F64;
        scale_f64(a: f64, n: f64) -> f64 = a * f64::from_bits((n + SHIFTER_F64).to_bits().wrapping_add(1023) << 52);

        scale(a: f32, n: f32) -> f32 = {
            // 2^n itself may be out of range where the result is not: in two steps, of which only the second can round.
            let n = to_int(n);
            a * power_of_two(n >> 1) * power_of_two(n - (n >> 1))
        };
    }

    #[inline(always)]
    fn minus_half_square(self, a: [f32; N]) -> ([f32; N], [f32; N]) {
        (a.map(|a| -0.5 * (a * a)), a.map(|a| -0.5 * square_rest(a)))
    }

    #[inline(always)]
    fn mask_any(self, a: [bool; N]) -> bool {
        a.iter().any(|&lane| lane)
    }

    #[inline(always)]
    fn splat_i32(self, x: i32) -> [i32; N] {
        [x; N]
    }

    #[inline(always)]
    fn look_up(self, table: &[f32], x: [f32; N]) -> [f32; N] {
        let table = &table[..16];
        x.map(|x| table[(x.to_bits() >> 21) as usize % 16])
    }

    #[inline(always)]
    fn shl_i32(self, a: [i32; N], bits: u32) -> [i32; N] {
        let mut out = a;
        for lane in &mut out {
            *lane <<= bits;
        }
        out
    }

    #[inline(always)]
    fn splat_f64(self, x: f64) -> [f64; N] {
        [x; N]
    }

    #[inline(always)]
    fn split_exponent(self, a: [f32; N]) -> ([f32; N], [f32; N]) {
        let (mut m, mut e) = ([0.0; N], [0.0; N]);
        for i in 0..N {
            (m[i], e[i]) = split_exponent(a[i]);
        }
        (m, e)
    }

    #[inline(always)]
    fn split_exponent_f64(self, a: [f64; N]) -> ([f64; N], [f64; N]) {
        let (mut m, mut e) = ([0.0; N], [0.0; N]);
        for i in 0..N {
            (m[i], e[i]) = split_exponent_f64(a[i]);
        }
        (m, e)
    }
}
