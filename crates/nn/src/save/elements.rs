//! Numbers of all kinds that files hold, as f32s: one rule for every format.
//!
//! A whole number must be one that an f32 holds, or the file is refused: an index or a label that is off by one is silent.
//! Other numbers are rounded to the nearest f32, as they were rounded when they were written; a finite one that would become
//! infinite is refused.

use super::file::room;

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

    /// The elements of bytes whose length is a multiple of the size, least significant byte first or last.
    pub(crate) fn decode(self, bytes: &[u8], big_endian: bool) -> Result<Vec<f32>, String> {
        macro_rules! read {
            ($type:ty, $convert:expr) => {{
                let convert: fn($type) -> Result<f32, String> = $convert;
                let (elements, rest) = bytes.as_chunks::<{ size_of::<$type>() }>();
                if !rest.is_empty() {
                    return Err("ends within an element".into());
                }
                let read = if big_endian { <$type>::from_be_bytes } else { <$type>::from_le_bytes };
                let mut numbers = room(elements.len())?;
                for &element in elements {
                    numbers.push(convert(read(element))?);
                }
                Ok(numbers)
            }};
        }
        match self {
            Kind::Bool => read!(u8, |x| match x {
                0 | 1 => Ok(f32::from(x)),
                _ => Err(format!("holds {x} as a truth value")),
            }),
            Kind::U8 => read!(u8, |x| Ok(f32::from(x))),
            Kind::I8 => read!(i8, |x| Ok(f32::from(x))),
            Kind::U16 => read!(u16, |x| Ok(f32::from(x))),
            Kind::I16 => read!(i16, |x| Ok(f32::from(x))),
            Kind::U32 => read!(u32, |x: u32| whole(x.into())),
            Kind::I32 => read!(i32, |x: i32| whole(x.into())),
            Kind::U64 => read!(u64, |x: u64| whole(x.into())),
            Kind::I64 => read!(i64, |x: i64| whole(x.into())),
            Kind::F16 => read!(u16, |x| Ok(small_float(x, 5, 10))),
            // The upper half of an f32.
            Kind::Bf16 => read!(u16, |x| Ok(f32::from_bits(u32::from(x) << 16))),
            Kind::F32 => read!(f32, Ok),
            Kind::F64 => read!(f64, rounded),
            // Its largest exponent is one of numbers too; all ones alone are NaN.
            Kind::F8E4m3 => read!(u8, |x: u8| Ok(match x & 0x7f {
                0x7f => f32::NAN.copysign(if x >> 7 == 1 { -1.0 } else { 1.0 }),
                0x78.. => f32::from(8 + (x & 7)) * 32.0 * if x >> 7 == 1 { -1.0 } else { 1.0 },
                _ => small_float(x.into(), 4, 3),
            })),
            Kind::F8E5m2 => read!(u8, |x: u8| Ok(small_float(x.into(), 5, 2))),
            Kind::F8E8m0 => read!(u8, |x: u8| Ok(match x {
                0xff => f32::NAN,
                // 2^-127, a subnormal number.
                0 => f32::from_bits(1 << 22),
                _ => f32::from_bits(u32::from(x) << 23),
            })),
        }
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
fn small_float(bits: u16, exponent_bits: u32, mantissa_bits: u32) -> f32 {
    let bits = u32::from(bits);
    let mantissa = bits & ((1 << mantissa_bits) - 1);
    let largest = (1 << exponent_bits) - 1;
    let exponent = bits >> mantissa_bits & largest;
    let sign = bits >> (exponent_bits + mantissa_bits);
    let bias = largest >> 1;
    let magnitude = match exponent {
        // Subnormal: a multiple of the smallest, which an f32 holds as a normal number.
        0 => (mantissa as f32 * f32::from_bits((128 - bias - mantissa_bits) << 23)).to_bits(),
        // Infinity and NaN keep their mantissa.
        _ if exponent == largest => 0xff << 23 | mantissa << (23 - mantissa_bits),
        _ => (exponent + 127 - bias) << 23 | mantissa << (23 - mantissa_bits),
    };
    f32::from_bits(sign << 31 | magnitude)
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
            let value = Kind::F16.decode(&bits.to_le_bytes(), false).unwrap()[0];
            assert_eq!(Kind::F16.decode(&bits.to_be_bytes(), true).unwrap()[0].to_bits(), value.to_bits());
            let negative = bits >> 15 == 1;
            match bits & 0x7fff {
                0x7c00 => assert_eq!(value, if negative { f32::NEG_INFINITY } else { f32::INFINITY }),
                0x7c01.. => assert!(value.is_nan()),
                _ => assert_eq!(f64::from(value), defined(bits.into(), 5, 10), "{bits:#06x}"),
            }
            assert_eq!(value.is_sign_negative(), negative, "{bits:#06x}");
        }
        for bits in 0..=u8::MAX {
            let value = |kind: Kind| f64::from(kind.decode(&[bits], false).unwrap()[0]);
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
        let value = |bits: u16| Kind::F16.decode(&bits.to_le_bytes(), false).unwrap()[0];
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
            assert_eq!(Kind::I64.decode(&exact.to_le_bytes(), false).unwrap(), [exact as f32]);
            assert_eq!(Kind::I64.decode(&exact.to_be_bytes(), true).unwrap(), [exact as f32]);
        }
        for lossy in [(1i64 << 24) + 1, -(1 << 24) - 1, (1 << 25) + 2, i64::MAX] {
            let error = Kind::I64.decode(&lossy.to_le_bytes(), false).unwrap_err();
            assert_eq!(error, format!("holds {lossy}, which an f32 cannot hold"));
        }
        assert!(Kind::U64.decode(&u64::MAX.to_le_bytes(), false).is_err());
        assert!(Kind::U32.decode(&u32::MAX.to_le_bytes(), false).is_err());
        assert_eq!(Kind::U32.decode(&(1u32 << 31).to_be_bytes(), true).unwrap(), [2f32.powi(31)]);
    }

    #[test]
    fn other_numbers_are_rounded_but_not_to_infinity() {
        let f64s = |x: f64| Kind::F64.decode(&x.to_be_bytes(), true);
        assert_eq!(f64s(0.1).unwrap(), [0.1]);
        assert_eq!(f64s(1e-300).unwrap(), [0.0]);
        assert_eq!(f64s(f64::NEG_INFINITY).unwrap(), [f32::NEG_INFINITY]);
        assert!(f64s(f64::NAN).unwrap()[0].is_nan());
        assert_eq!(f64s(1e300).unwrap_err(), "holds 1e300, which is beyond an f32's range");
        assert_eq!(Kind::Bool.decode(&[1, 0], false).unwrap(), [1.0, 0.0]);
        assert!(Kind::Bool.decode(&[2], false).is_err());
        assert_eq!(Kind::F32.decode(&[0; 5], false).unwrap_err(), "ends within an element");
    }
}
