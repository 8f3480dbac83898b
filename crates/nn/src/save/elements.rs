//! Numbers of all kinds that files hold, as f32s: one rule for every format.
//!
//! A whole number must be one that an f32 holds, or the file is refused: an index or a label that is off by one is silent.
//! Other numbers are rounded to the nearest f32, as they were rounded when they were written; a finite one that would become
//! infinite is refused.

use super::file::Reason;
use gradus_tensor::Tensor;
use std::io::{self, Read, Write};

/// The kind of a file's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    Bf16,
    F32,
    F64,
    /// Four bits of exponent, three of mantissa, no infinities ("fn").
    F8E4m3,
    F8E5m2,
    /// A power of two.
    F8E8m0,
}

impl Kind {
    pub(crate) fn size(self) -> usize {
        match self {
            Kind::Bool | Kind::U8 | Kind::I8 | Kind::F8E4m3 | Kind::F8E5m2 | Kind::F8E8m0 => 1,
            Kind::U16 | Kind::I16 | Kind::F16 | Kind::Bf16 => 2,
            Kind::U32 | Kind::I32 | Kind::F32 => 4,
            Kind::U64 | Kind::I64 | Kind::F64 => 8,
        }
    }

    /// Sets `out` to the elements of so many bytes, least significant byte first or last.
    pub(crate) fn decode(self, bytes: &[u8], big_endian: bool, out: &mut [f32]) -> Result<(), String> {
        assert_eq!(bytes.len(), out.len() * self.size(), "bytes are not whole elements");
        macro_rules! read {
            ($set:ident, $type:ty, $convert:expr) => {
                match big_endian {
                    true => $set(bytes, out, |x| $convert(<$type>::from_be_bytes(x))),
                    false => $set(bytes, out, |x| $convert(<$type>::from_le_bytes(x))),
                }
            };
        }
        match self {
            Kind::U8 => read!(set, u8, f32::from),
            Kind::I8 => read!(set, i8, f32::from),
            Kind::U16 => read!(set, u16, f32::from),
            Kind::I16 => read!(set, i16, f32::from),
            Kind::F16 => read!(set, u16, |x| small_float(x, 5, 10)),
            // The upper half of an f32.
            Kind::Bf16 => read!(set, u16, |x| f32::from_bits(u32::from(x) << 16)),
            Kind::F32 => read!(set, f32, |x| x),
            // Its largest exponent is one of numbers too; all ones alone are NaN.
            Kind::F8E4m3 => read!(set, u8, |x: u8| match x & 0x7f {
                0x7f => f32::NAN.copysign(if x >> 7 == 1 { -1.0 } else { 1.0 }),
                0x78.. => f32::from(8 + (x & 7)) * 32.0 * if x >> 7 == 1 { -1.0 } else { 1.0 },
                _ => small_float(x.into(), 4, 3),
            }),
            Kind::F8E5m2 => read!(set, u8, |x: u8| small_float(x.into(), 5, 2)),
            Kind::F8E8m0 => read!(set, u8, |x: u8| match x {
                0xff => f32::NAN,
                // 2^-127, a subnormal number.
                0 => f32::from_bits(1 << 22),
                _ => f32::from_bits(u32::from(x) << 23),
            }),
            Kind::Bool => return read!(try_set, u8, truth),
            Kind::U32 => return read!(try_set, u32, |x: u32| whole(x.into())),
            Kind::I32 => return read!(try_set, i32, |x: i32| whole(x.into())),
            Kind::U64 => return read!(try_set, u64, |x: u64| whole(x.into())),
            Kind::I64 => return read!(try_set, i64, |x: i64| whole(x.into())),
            Kind::F64 => return read!(try_set, f64, rounded),
        }
        Ok(())
    }

    /// Sets `out` to the next elements of a file, least significant byte first. No more of it is held in memory than fits
    /// into a cache.
    pub(crate) fn read(self, file: &mut impl Read, out: &mut [f32]) -> Result<(), Reason> {
        let mut bytes = [0; BLOCK];
        for out in out.chunks_mut(BLOCK / self.size()) {
            let bytes = &mut bytes[..out.len() * self.size()];
            file.read_exact(bytes)?;
            self.decode(bytes, false, out)?;
        }
        Ok(())
    }
}

/// How many bytes are converted at once.
const BLOCK: usize = 64 << 10;

/// Writes the elements of a tensor, row-major, least significant byte first.
pub(crate) fn write_f32s(tensor: &Tensor, file: &mut impl Write) -> io::Result<()> {
    let tensor = tensor.contiguous();
    let elements = tensor.as_slice().expect("made contiguous above");
    let mut bytes = [[0; size_of::<f32>()]; BLOCK / size_of::<f32>()];
    for elements in elements.chunks(bytes.len()) {
        bytes.iter_mut().zip(elements).for_each(|(bytes, x)| *bytes = x.to_le_bytes());
        file.write_all(bytes[..elements.len()].as_flattened())?;
    }
    Ok(())
}

/// Sets each number from its bytes, in a loop that the compiler vectorises.
fn set<const N: usize>(bytes: &[u8], out: &mut [f32], convert: impl Fn([u8; N]) -> f32) {
    out.iter_mut().zip(bytes.as_chunks().0).for_each(|(x, bytes)| *x = convert(*bytes));
}

/// The same with numbers that may be refused.
fn try_set<const N: usize>(
    bytes: &[u8],
    out: &mut [f32],
    convert: impl Fn([u8; N]) -> Result<f32, String>,
) -> Result<(), String> {
    for (x, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
        *x = convert(*bytes)?;
    }
    Ok(())
}

fn truth(x: u8) -> Result<f32, String> {
    match x {
        0 | 1 => Ok(x.into()),
        _ => Err(format!("holds {x} as a truth value")),
    }
}

/// A whole number that an f32 holds.
pub(crate) fn whole(x: i128) -> Result<f32, String> {
    let near = x as f32;
    if near as i128 == x { Ok(near) } else { Err(format!("holds {x}, which an f32 cannot hold")) }
}

/// The nearest f32.
fn rounded(x: f64) -> Result<f32, String> {
    let near = x as f32;
    if near.is_finite() || !x.is_finite() {
        Ok(near)
    } else {
        Err(format!("holds {x:e}, which is beyond an f32's range"))
    }
}

/// One sign bit, then so many of exponent and of mantissa, as IEEE 754 has them: infinity and NaN at the largest exponent.
#[inline(always)]
fn small_float(bits: u16, exponent_bits: u32, mantissa_bits: u32) -> f32 {
    let bits = u32::from(bits);
    let sign = bits >> (exponent_bits + mantissa_bits) << 31;
    // The same fields in an f32, whose exponent counts from 127.
    let fields = bits << (32 - exponent_bits - mantissa_bits) >> (9 - exponent_bits);
    let bias = (1 << (exponent_bits - 1)) - 1;
    let finite = f32::from_bits(fields) * f32::from_bits((254 - bias) << 23);
    // Infinity and NaN keep their mantissa.
    let special = fields >> 23 == (1 << exponent_bits) - 1;
    f32::from_bits(sign | if special { 0xff << 23 | fields } else { finite.to_bits() })
}

/// The nearest number in half precision (IEEE 754's binary16), the even one of two that are as near; as its bits.
#[cfg(feature = "npz")]
pub(crate) fn half(x: f32) -> Result<u16, String> {
    let sign = (x.to_bits() >> 16 & 0x8000) as u16;
    let magnitude = x.to_bits() & 0x7fff_ffff;
    let bits = match magnitude {
        // NaN keeps the upper part of its mantissa, and stays one if that is 0.
        0x7f80_0001.. => 0x7e00 | (magnitude >> 13 & 0x1ff) as u16,
        0x7f80_0000 => 0x7c00,
        // 65520, the middle between the largest and what would come next.
        0x477f_f000.. => return Err(format!("holds {x}, which is beyond the range of half precision")),
        // Less than 2^-14: multiples of 2^-24, and the product is exact.
        0..0x3880_0000 => (x.abs() * 16_777_216.0).round_ties_even() as u16,
        // The exponent's bias is less by 112; a mantissa that is rounded up to 0 takes the exponent along.
        _ => {
            let wide = magnitude - (112 << 23);
            ((wide + 0xfff + (wide >> 13 & 1)) >> 13) as u16
        }
    };
    Ok(sign | bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(kind: Kind, bytes: &[u8], big_endian: bool) -> Result<Vec<f32>, String> {
        let mut numbers = vec![0.0; bytes.len() / kind.size()];
        kind.decode(bytes, big_endian, &mut numbers).map(|()| numbers)
    }

    /// By the definition: (-1)^s 2^(e - bias) 1.m, with e = 0 for subnormal ones; a NaN for what is no finite number.
    fn defined(bits: u32, exponent_bits: u32, mantissa_bits: u32) -> f64 {
        let mantissa = f64::from(bits % (1 << mantissa_bits)) / f64::from(1 << mantissa_bits);
        let exponent = (bits >> mantissa_bits) % (1 << exponent_bits);
        let bias = (1 << (exponent_bits - 1)) - 1;
        let magnitude = match exponent {
            0 => mantissa * 2f64.powi(1 - bias),
            _ => (1.0 + mantissa) * 2f64.powi(exponent as i32 - bias),
        };
        if bits >> (exponent_bits + mantissa_bits) == 1 { -magnitude } else { magnitude }
    }

    #[test]
    fn every_small_float_has_the_value_of_its_definition() {
        for bits in 0..=u16::MAX {
            let value = decode(Kind::F16, &bits.to_le_bytes(), false).unwrap()[0];
            assert_eq!(decode(Kind::F16, &bits.to_be_bytes(), true).unwrap()[0].to_bits(), value.to_bits());
            let negative = bits >> 15 == 1;
            match bits & 0x7fff {
                0x7c00 => assert_eq!(value, if negative { f32::NEG_INFINITY } else { f32::INFINITY }),
                0x7c01.. => assert!(value.is_nan()),
                _ => assert_eq!(f64::from(value), defined(bits.into(), 5, 10), "{bits:#06x}"),
            }
            assert_eq!(value.is_sign_negative(), negative, "{bits:#06x}");
        }
        for bits in 0..=u8::MAX {
            let value = |kind: Kind| f64::from(decode(kind, &[bits], false).unwrap()[0]);
            match bits & 0x7f {
                0x7f => assert!(value(Kind::F8E4m3).is_nan()),
                _ => assert_eq!(value(Kind::F8E4m3), defined(bits.into(), 4, 3), "{bits:#04x}"),
            }
            match bits & 0x7f {
                0x7c => assert!(value(Kind::F8E5m2).is_infinite()),
                0x7d.. => assert!(value(Kind::F8E5m2).is_nan()),
                _ => assert_eq!(value(Kind::F8E5m2), defined(bits.into(), 5, 2), "{bits:#04x}"),
            }
            match bits {
                0xff => assert!(value(Kind::F8E8m0).is_nan()),
                _ => assert_eq!(value(Kind::F8E8m0), 2f64.powi(i32::from(bits) - 127)),
            }
        }
    }

    #[cfg(feature = "npz")]
    #[test]
    fn half_precision_is_the_nearest_and_even_in_the_middle() {
        let value = |bits: u16| decode(Kind::F16, &bits.to_le_bytes(), false).unwrap()[0];
        for bits in 0..=u16::MAX {
            match bits & 0x7fff {
                0x7c01.. => assert!(value(half(value(bits)).unwrap()).is_nan()),
                _ => assert_eq!(half(value(bits)).unwrap(), bits, "{bits:#06x}"),
            }
        }
        for low in 0..0x7bffu16 {
            // In f32 the middle of two neighbours is exact, and so are the numbers beside it.
            let middle = (value(low) + value(low + 1)) / 2.0;
            assert_eq!(half(middle).unwrap(), low + (low & 1), "{low:#06x}");
            assert_eq!(half(middle.next_down()).unwrap(), low, "{low:#06x}");
            assert_eq!(half(-middle.next_up()).unwrap(), 0x8000 | (low + 1), "{low:#06x}");
        }
        assert_eq!(half(65520f32.next_down()).unwrap(), 0x7bff);
        assert_eq!(half(65520.0).unwrap_err(), "holds 65520, which is beyond the range of half precision");
        assert_eq!((half(f32::MIN_POSITIVE).unwrap(), half(-1e-9).unwrap()), (0, 0x8000));
    }

    #[test]
    fn whole_numbers_are_exact_or_refused() {
        for exact in [0, -1, 1 << 24, -(1 << 24), 1 << 25, (1 << 24) + 2, 1 << 62, i64::MIN] {
            assert_eq!(decode(Kind::I64, &exact.to_le_bytes(), false).unwrap(), [exact as f32]);
            assert_eq!(decode(Kind::I64, &exact.to_be_bytes(), true).unwrap(), [exact as f32]);
        }
        for lossy in [(1i64 << 24) + 1, -(1 << 24) - 1, (1 << 25) + 2, i64::MAX] {
            let error = decode(Kind::I64, &lossy.to_le_bytes(), false).unwrap_err();
            assert_eq!(error, format!("holds {lossy}, which an f32 cannot hold"));
        }
        assert!(decode(Kind::U64, &u64::MAX.to_le_bytes(), false).is_err());
        assert!(decode(Kind::U32, &u32::MAX.to_le_bytes(), false).is_err());
        assert_eq!(decode(Kind::U32, &(1u32 << 31).to_be_bytes(), true).unwrap(), [2f32.powi(31)]);
    }

    #[test]
    fn other_numbers_are_rounded_but_not_to_infinity() {
        let f64s = |x: f64| decode(Kind::F64, &x.to_be_bytes(), true);
        assert_eq!(f64s(0.1).unwrap(), [0.1]);
        assert_eq!(f64s(1e-300).unwrap(), [0.0]);
        assert_eq!(f64s(f64::NEG_INFINITY).unwrap(), [f32::NEG_INFINITY]);
        assert!(f64s(f64::NAN).unwrap()[0].is_nan());
        assert_eq!(f64s(1e300).unwrap_err(), "holds 1e300, which is beyond an f32's range");
        assert_eq!(decode(Kind::Bool, &[1, 0], false).unwrap(), [1.0, 0.0]);
        assert!(decode(Kind::Bool, &[2], false).is_err());
    }
}
