//! The remainder of huge angles by π/2 (Payne and Hanek's method): only those bits of 2/π are multiplied that matter to the
//! quarter turn and to the remainder.

use crate::simd::MAX_LANES;
use std::f64::consts::FRAC_PI_2;

/// The bits of 2/π behind 32 zeros.
const TWO_OVER_PI: [u32; 8] =
    [0, 0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab];

/// Replaces each angle x that is not 0 by r and sets its count to n modulo 4, where x = r + n π/2 and |r| <= π/4. The
/// angles are 0 or at least 1; infinite ones and NaN become NaN.
///
/// Rare enough that it goes one angle after the other, in a function of its own.
#[cold]
#[inline(never)]
pub(super) fn turn_back_huge(angles: &mut [f32; MAX_LANES], counts: &mut [f32; MAX_LANES]) {
    for (angle, count) in angles.iter_mut().zip(counts) {
        if *angle != 0.0 {
            (*angle, *count) = if angle.is_finite() { remainder(*angle) } else { (f32::NAN, 0.0) };
        }
    }
}

fn remainder(x: f32) -> (f32, f32) {
    // x = mantissa · 2^(exponent - 150)
    let exponent = (x.to_bits() >> 23) as usize;
    let mantissa = u128::from(x.to_bits() & 0x7f_ffff | 0x80_0000);

    // The bits of 2/π that make whole turns with every bit of the mantissa, of a weight of 2^(152 - exponent) and more, are
    // left out; of the others the first 96 are used.
    let start = exponent - 120;
    let words = &TWO_OVER_PI[start / 32..][..4];
    let bits = words.iter().fold(0, |bits, &word| bits << 32 | u128::from(word));
    let bits = bits << (start % 32) >> 32;

    // x 2/π modulo 4, as a whole number of 2^-94.
    let product = mantissa * bits;
    let quarters = (product >> 94) as u32;
    let fraction = product & ((1 << 94) - 1);
    let up = fraction >> 93 == 1;
    let rest = fraction as i128 - if up { 1 << 94 } else { 0 };
    let r = rest as f64 * 2f64.powi(-94) * FRAC_PI_2;
    (r as f32, (quarters.wrapping_add(u32::from(up)) % 4) as f32)
}
