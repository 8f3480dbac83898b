//! NumPy's files: arrays (npy), and with the feature `npz` archives of named arrays.

#[cfg(feature = "npz")]
pub mod npz;

use crate::save::{DataError, Kind, MOST_AXES, Reason, read_file, write_atomically, write_f32s};
use gradus_tensor::{Shape, Tensor};
use std::path::Path;

/// Reads an array: versions 1 to 3 of the format, rows or columns first, up to 64 axes as in NumPy.
///
/// Elements become f32s: truth values (`bool`), whole numbers of 8 to 64 bits with and without sign, which must be such that an
/// f32 holds them, and floating-point numbers of 16, 32 and 64 bits, rounded where they must be; of both byte orders. Memory is
/// taken for what the file really holds, four bytes an element.
///
/// ```
/// use gradus_nn::data::npy;
/// use gradus_tensor::Tensor;
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("weights.npy");
/// let weights = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
/// npy::write(&path, &weights)?;
/// assert_eq!(npy::read(&path)?, weights);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the file cannot be read or is damaged; when it holds something else, such as complex numbers, texts, times, records or
/// objects of Python; or a whole number that an f32 cannot hold, such as 2^24 + 1, or a finite one beyond an f32's range.
pub fn read(path: impl AsRef<Path>) -> Result<Tensor, DataError> {
    let path = path.as_ref();
    let bytes = read_file(path);
    bytes.and_then(|bytes| decode(&bytes)).map_err(|reason| DataError::new(path, reason))
}

/// Writes an array of f32s. The file is complete or not there at all.
///
/// # Errors
/// When the file cannot be written, or the tensor has more than 64 axes.
pub fn write(path: impl AsRef<Path>, tensor: &Tensor) -> Result<(), DataError> {
    let path = path.as_ref();
    write_atomically(path, encode(tensor).map_err(|reason| DataError::new(path, reason))?)
}

const MAGIC: &[u8] = b"\x93NUMPY";

fn encode(tensor: &Tensor) -> Result<Vec<u8>, String> {
    let mut bytes = header("<f4", tensor)?;
    write_f32s(tensor, &mut bytes).expect("a vector takes all");
    Ok(bytes)
}

/// All that comes before the elements, which are of this kind.
fn header(kind: &str, tensor: &Tensor) -> Result<Vec<u8>, String> {
    if tensor.rank() > MOST_AXES {
        return Err(format!("has more than {MOST_AXES} axes"));
    }
    let sizes: Vec<String> = tensor.shape().iter().map(usize::to_string).collect();
    // Python's way to write a list of one.
    let sizes = sizes.join(", ") + if tensor.rank() == 1 { "," } else { "" };
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({sizes}), }}");
    // Spaces until the elements begin at a multiple of 64 bytes, and the end of the line.
    let before = MAGIC.len() + 4;
    let len = (before + header.len() + 1).next_multiple_of(64) - before;
    header = format!("{header:<width$}\n", width = len - 1);
    let version = if len <= usize::from(u16::MAX) { [1, 0] } else { [2, 0] };
    let mut bytes = [MAGIC, &version].concat();
    match version {
        [1, _] => bytes.extend((len as u16).to_le_bytes()),
        _ => bytes.extend((len as u32).to_le_bytes()),
    }
    bytes.extend(header.as_bytes());
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> Result<Tensor, Reason> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("is no array of NumPy")?;
    let (len, rest) = match rest {
        [1, _, a, b, rest @ ..] => (u16::from_le_bytes([*a, *b]).into(), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        _ => return Err("has an unknown version".into()),
    };
    let (header, data) = rest.split_at_checked(len).ok_or("ends within its header")?;
    let header = std::str::from_utf8(header)?;
    let after = |key: &str| {
        let value = header.split_once(key).map(|(_, rest)| rest.trim_start());
        value.ok_or_else(|| format!("its header has no {key}"))
    };
    let kind = after("'descr':")?.split(",").next().unwrap_or_default();
    let columns_first = after("'fortran_order':")?.starts_with("True");
    let sizes = after("'shape':")?.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let (sizes, _) = sizes.ok_or("its header has no shape")?;
    // Python 2 wrote its long numbers so.
    let sizes =
        sizes.split(',').map(|size| size.trim().trim_end_matches('L')).filter(|size| !size.is_empty());
    let mut shape: Vec<usize> = sizes.take(MOST_AXES + 1).map(str::parse).collect::<Result<_, _>>()?;
    if shape.len() > MOST_AXES {
        return Err(format!("has more than {MOST_AXES} axes").into());
    }
    let (kind, big_endian) = element_kind(kind.trim())?;
    let len = shape.iter().try_fold(kind.size(), |len, &size| len.checked_mul(size));
    if len != Some(data.len()) {
        let shape = Shape::new(&shape);
        return Err(format!("claims the shape {shape}, but has {} bytes of elements", data.len()).into());
    }
    if columns_first {
        shape.reverse();
    }
    let tensor = Tensor::try_filled(&shape, |out| Ok::<_, Reason>(kind.decode(data, big_endian, out)?))?;
    Ok(if columns_first {
        tensor.permute((0..shape.len() as isize).rev().collect::<Vec<_>>())
    } else {
        tensor
    })
}

/// The kind of elements that NumPy describes so, with its quotes, and whether their most significant byte comes first.
fn element_kind(description: &str) -> Result<(Kind, bool), String> {
    if description.starts_with('[') {
        return Err("holds records, not numbers".into());
    }
    let name = description.trim_matches('\'');
    let refused = |what: &str| Err(format!("holds elements of type {name:?}: {what} are not read"));
    let Some((order, code)) = name.split_at_checked(1) else { return refused("those") };
    let kind = match code {
        "b1" => Kind::Bool,
        "u1" => Kind::U8,
        "i1" => Kind::I8,
        "u2" => Kind::U16,
        "i2" => Kind::I16,
        "u4" => Kind::U32,
        "i4" => Kind::I32,
        "u8" => Kind::U64,
        "i8" => Kind::I64,
        "f2" => Kind::F16,
        "f4" => Kind::F32,
        "f8" => Kind::F64,
        _ => {
            return refused(match code.chars().next() {
                Some('c') => "complex numbers",
                Some('f') => "numbers of more than 64 bits",
                Some('U' | 'S') => "texts",
                Some('M' | 'm') => "times",
                Some('O') => "objects of Python",
                Some('V') => "bytes without a type",
                _ => "those",
            });
        }
    };
    match order {
        "<" | "|" => Ok((kind, false)),
        ">" => Ok((kind, true)),
        _ => refused("those"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_tensor::Rng;
    use proptest::prelude::*;

    fn file(kind: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{kind}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes(), data].concat()
    }

    #[test]
    fn what_is_written_is_read_and_laid_out_as_numpy_does() {
        for shape in [vec![], vec![3], vec![2, 3], vec![0, 4], vec![1, 2, 1, 5]] {
            let tensor = Tensor::randn(&shape, &mut Rng::seed(1));
            let bytes = encode(&tensor).unwrap();
            assert_eq!((bytes.len() - 4 * tensor.numel()) % 64, 0);
            assert_eq!(decode(&bytes).unwrap(), tensor);
        }
        // From numpy.save(.., numpy.array([1.5, -2], "f4")).
        let mut expected =
            b"\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }".to_vec();
        expected.resize(127, b' ');
        expected.extend(b"\n\0\0\xc0\x3f\0\0\0\xc0");
        assert_eq!(encode(&Tensor::from([1.5, -2.0])).unwrap(), expected);
        assert!(
            encode(&Tensor::zeros([2, 3])).unwrap().starts_with(
                b"\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
            )
        );
    }

    #[test]
    fn other_types_and_orders_become_row_major_f32s() {
        let f64s: Vec<u8> = [1.5f64, -0.25].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(decode(&file("<f8", "False", "(2,)", &f64s)).unwrap().to_vec(), [1.5, -0.25]);
        let big: Vec<u8> = [1.5f32, -0.25].iter().flat_map(|x| x.to_be_bytes()).collect();
        assert_eq!(decode(&file(">f4", "False", "(2, 1)", &big)).unwrap().to_vec(), [1.5, -0.25]);
        assert_eq!(decode(&file("|u1", "False", "(3,)", &[0, 7, 255])).unwrap().to_vec(), [0.0, 7.0, 255.0]);
        assert_eq!(decode(&file("<i2", "False", "()", &(-5i16).to_le_bytes())).unwrap().item(), -5.0);
        let columns = decode(&file("|u1", "True", "(2, 3)", &[1, 4, 2, 5, 3, 6])).unwrap();
        assert_eq!(columns, Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]));
    }

    #[test]
    fn damaged_and_hostile_files_are_errors() {
        let whole = encode(&Tensor::arange(6).reshape([2, 3])).unwrap();
        for len in 0..whole.len() {
            assert!(decode(&whole[..len]).is_err(), "{len} bytes");
        }
        for (kind, shape) in [
            ("<f4", "(2,)"),
            ("<f4", "(18446744073709551615, 2)"),
            ("<f4", "(-1,)"),
            ("<f4", "(1"),
            ("<c8", "(1,)"),
            ("|O", "(1,)"),
            ("", "(1,)"),
        ] {
            assert!(decode(&file(kind, "False", shape, &[0; 4])).is_err(), "{kind} {shape}");
        }
        let great = decode(&file("<i8", "False", "(1,)", &16_777_217i64.to_le_bytes())).unwrap_err();
        assert_eq!(great.to_string(), "holds 16777217, which an f32 cannot hold");
        assert!(read("no/such/file.npy").is_err());
    }

    #[test]
    fn every_kind_and_byte_order_is_read() {
        // -2, or 1 where there is no sign, and 2^25, which an f32 holds.
        macro_rules! check {
            ($($code:literal $type:ty: $values:expr;)*) => {$(
                let values: [$type; 2] = $values;
                let expected = values.map(|x| x as f32);
                let little: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
                let big: Vec<u8> = values.iter().flat_map(|x| x.to_be_bytes()).collect();
                for (order, bytes) in [('<', &little), ('>', &big)] {
                    let read = decode(&file(&format!("{order}{}", $code), "False", "(2,)", bytes)).unwrap();
                    assert_eq!(read.to_vec(), expected, "{order}{}", $code);
                }
            )*};
        }
        check! {
            "i2" i16: [-2, 1000];
            "u2" u16: [1, 65535];
            "i4" i32: [-2, 1 << 25];
            "u4" u32: [1, 1 << 31];
            "i8" i64: [-2, 1 << 25];
            "u8" u64: [1, 1 << 63];
            "f4" f32: [-2.5, 1e30];
            "f8" f64: [-2.5, 1e30];
        }
        for (kind, bytes) in [("<f2", [0x00, 0xc1]), (">f2", [0xc1, 0x00])] {
            assert_eq!(decode(&file(kind, "False", "()", &bytes)).unwrap().item(), -2.5);
        }
        assert_eq!(decode(&file("|b1", "False", "(2,)", &[1, 0])).unwrap().to_vec(), [1.0, 0.0]);
        assert_eq!(decode(&file("|i1", "False", "(1,)", &[0xfe])).unwrap().to_vec(), [-2.0]);
        // Python 2's sizes.
        assert_eq!(decode(&file("|u1", "False", "(2L, 1L)", &[7, 8])).unwrap().shape(), &[2, 1]);
    }

    #[test]
    fn what_is_refused_is_named() {
        let reason =
            |kind: &str, data: &[u8]| decode(&file(kind, "False", "(1,)", data)).unwrap_err().to_string();
        assert_eq!(reason("<c8", &[0; 8]), "holds elements of type \"<c8\": complex numbers are not read");
        assert_eq!(reason("<U4", &[0; 16]), "holds elements of type \"<U4\": texts are not read");
        assert_eq!(reason("|O", &[]), "holds elements of type \"|O\": objects of Python are not read");
        assert_eq!(reason("<M8[ns]", &[0; 8]), "holds elements of type \"<M8[ns]\": times are not read");
        assert_eq!(
            reason("<f16", &[0; 16]),
            "holds elements of type \"<f16\": numbers of more than 64 bits are not read"
        );
        let header = b"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }\n";
        let bytes = [MAGIC, &[1, 0, header.len() as u8, 0], header, &[0; 4]].concat();
        assert_eq!(decode(&bytes).unwrap_err().to_string(), "holds records, not numbers");
        assert_eq!(reason("<f4", &[0; 3]), "claims the shape [1], but has 3 bytes of elements");
        assert_eq!(reason("<f8", &1e300f64.to_le_bytes()), "holds 1e300, which is beyond an f32's range");
    }

    #[test]
    fn an_array_of_very_many_axes_is_refused_at_once() {
        let axes = |n: usize| file_of_version_2(&format!("({})", "1,".repeat(n)));
        assert_eq!(decode(&axes(64)).unwrap().rank(), 64);
        // Nor is one written that would not be read again.
        let written = |axes: usize| encode(&Tensor::ones(vec![1; axes]));
        assert_eq!(decode(&written(64).unwrap()).unwrap().rank(), 64);
        assert_eq!(written(65).unwrap_err(), "has more than 64 axes");
        assert_eq!(decode(&axes(3_000_000)).unwrap_err().to_string(), "has more than 64 axes");
    }

    fn file_of_version_2(shape: &str) -> Vec<u8> {
        let header = format!("{{'descr': '|u1', 'fortran_order': True, 'shape': {shape}, }}\n");
        [MAGIC, &[2, 0], &(header.len() as u32).to_le_bytes(), header.as_bytes(), &[5]].concat()
    }

    proptest! {
        #[test]
        fn changed_files_never_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
            let mut bytes = file("<i2", "True", "(2, 3)", &[1; 12]);
            for (at, value) in flips {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            if let Ok(tensor) = decode(&bytes) {
                prop_assert!(tensor.numel() <= bytes.len());
            }
        }
    }
}
