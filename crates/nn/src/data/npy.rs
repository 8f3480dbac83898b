//! NumPy's files: arrays (npy), and with the feature `npz` archives of named arrays.

use crate::file::{DataError, Reason, write_atomically};
use gradus_tensor::Tensor;
use std::{fs, path::Path};

/// Reads an array. Elements of any number type become f32s; whole numbers that an f32 cannot hold are an error.
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
/// When the file cannot be read, is damaged, or holds no numbers.
pub fn read(path: impl AsRef<Path>) -> Result<Tensor, DataError> {
    let path = path.as_ref();
    let bytes = fs::read(path).map_err(Reason::from);
    bytes.and_then(|bytes| decode(&bytes)).map_err(|reason| DataError::new(path, reason))
}

/// Writes an array of f32s. The file is complete or not there at all.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: impl AsRef<Path>, tensor: &Tensor) -> Result<(), DataError> {
    write_atomically(path, encode(tensor))
}

/// Archives of named arrays.
#[cfg(feature = "npz")]
pub mod npz {
    use super::*;
    use std::{
        collections::BTreeMap,
        io::{Cursor, Read, Write},
    };
    use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

    /// Reads all arrays of an archive, as `numpy.savez` and `numpy.savez_compressed` write them.
    ///
    /// # Errors
    /// When the file cannot be read, or one of its arrays cannot.
    pub fn read(path: impl AsRef<Path>) -> Result<BTreeMap<String, Tensor>, DataError> {
        let path = path.as_ref();
        let all = || -> Result<BTreeMap<String, Tensor>, Reason> {
            let mut archive = ZipArchive::new(fs::File::open(path)?)?;
            let mut tensors = BTreeMap::new();
            for i in 0..archive.len() {
                let mut file = archive.by_index(i)?;
                let name = file.name().strip_suffix(".npy").unwrap_or(file.name()).to_owned();
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes)?;
                let tensor = decode(&bytes).map_err(|reason| format!("array {name}: {reason}"))?;
                tensors.insert(name, tensor);
            }
            Ok(tensors)
        };
        all().map_err(|reason| DataError::new(path, reason))
    }

    /// Writes named arrays, compressed. The file is complete or not there at all.
    ///
    /// ```
    /// use gradus_nn::data::npy::npz;
    /// use gradus_tensor::Tensor;
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("weights.npz");
    /// npz::write(&path, [("W1".to_string(), &Tensor::zeros([2, 3])), ("b1".to_string(), &Tensor::ones([3]))])?;
    /// assert_eq!(npz::read(&path)?["b1"], Tensor::ones([3]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When two arrays have one name, or the file cannot be written.
    pub fn write<'a>(
        path: impl AsRef<Path>,
        tensors: impl IntoIterator<Item = (String, &'a Tensor)>,
    ) -> Result<(), DataError> {
        let path = path.as_ref();
        let all = || -> Result<Vec<u8>, Reason> {
            let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
            for (name, tensor) in tensors {
                archive.start_file(format!("{name}.npy"), SimpleFileOptions::default())?;
                archive.write_all(&encode(tensor))?;
            }
            Ok(archive.finish()?.into_inner())
        };
        write_atomically(path, all().map_err(|reason| DataError::new(path, reason))?)
    }
}

const MAGIC: &[u8] = b"\x93NUMPY";

fn encode(tensor: &Tensor) -> Vec<u8> {
    let sizes: Vec<String> = tensor.shape().iter().map(usize::to_string).collect();
    // Python's way to write a list of one.
    let sizes = sizes.join(", ") + if tensor.rank() == 1 { "," } else { "" };
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({sizes}), }}");
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
    bytes.extend(tensor.iter().flat_map(f32::to_le_bytes));
    bytes
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
    let kind = after("'descr':")?.trim_start_matches('\'').split('\'').next().unwrap_or_default();
    let columns_first = after("'fortran_order':")?.starts_with("True");
    let sizes = after("'shape':")?.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let (sizes, _) = sizes.ok_or("its header has no shape")?;
    let sizes = sizes.split(',').map(str::trim).filter(|size| !size.is_empty());
    let mut shape: Vec<usize> = sizes.map(str::parse).collect::<Result<_, _>>()?;
    let elements = elements(kind, data)?;
    if columns_first {
        shape.reverse();
    }
    let tensor = Tensor::try_new(elements, &shape)?;
    Ok(if columns_first {
        tensor.permute((0..shape.len() as isize).rev().collect::<Vec<_>>())
    } else {
        tensor
    })
}

fn elements(kind: &str, data: &[u8]) -> Result<Vec<f32>, Reason> {
    macro_rules! read {
        ($type:ty, $from:ident, $convert:expr) => {{
            let (elements, rest) = data.as_chunks::<{ size_of::<$type>() }>();
            if !rest.is_empty() {
                return Err("ends within an element".into());
            }
            elements.iter().map(|&bytes| $convert(<$type>::$from(bytes))).collect()
        }};
    }
    let whole = |x: i64| match x.unsigned_abs() <= 1 << 24 {
        true => Ok(x as f32),
        false => Err(Reason::from(format!("holds {x}, which an f32 cannot hold"))),
    };
    match kind {
        "<f4" => read!(f32, from_le_bytes, Ok),
        ">f4" => read!(f32, from_be_bytes, Ok),
        "<f8" => read!(f64, from_le_bytes, |x| Ok(x as f32)),
        ">f8" => read!(f64, from_be_bytes, |x| Ok(x as f32)),
        "|u1" | "|b1" => read!(u8, from_le_bytes, |x| whole(i64::from(x))),
        "|i1" => read!(i8, from_le_bytes, |x| whole(i64::from(x))),
        "<u2" => read!(u16, from_le_bytes, |x| whole(i64::from(x))),
        "<i2" => read!(i16, from_le_bytes, |x| whole(i64::from(x))),
        "<u4" => read!(u32, from_le_bytes, |x| whole(i64::from(x))),
        "<i4" => read!(i32, from_le_bytes, |x| whole(i64::from(x))),
        "<i8" => read!(i64, from_le_bytes, whole),
        other => Err(format!("holds elements of type {other:?}, not numbers of up to 64 bits").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_tensor::Rng;

    fn file(kind: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{kind}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes(), data].concat()
    }

    #[test]
    fn what_is_written_is_read_and_laid_out_as_numpy_does() {
        for shape in [vec![], vec![3], vec![2, 3], vec![0, 4], vec![1, 2, 1, 5]] {
            let tensor = Tensor::randn(&shape, &mut Rng::seed(1));
            let bytes = encode(&tensor);
            assert_eq!((bytes.len() - 4 * tensor.numel()) % 64, 0);
            assert_eq!(decode(&bytes).unwrap(), tensor);
        }
        // From numpy.save(.., numpy.array([1.5, -2], "f4")).
        let mut expected =
            b"\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }".to_vec();
        expected.resize(127, b' ');
        expected.extend(b"\n\0\0\xc0\x3f\0\0\0\xc0");
        assert_eq!(encode(&Tensor::from([1.5, -2.0])), expected);
        assert!(
            encode(&Tensor::zeros([2, 3])).starts_with(
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
        let whole = encode(&Tensor::arange(6).reshape([2, 3]));
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

    #[cfg(feature = "npz")]
    #[test]
    fn archives_hold_arrays_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("arrays.npz");
        let (a, b) = (Tensor::randn([3, 2], &mut Rng::seed(1)), Tensor::scalar(4.0));
        npz::write(&path, [("layer.weight".to_owned(), &a), ("b".to_owned(), &b)]).unwrap();
        let read = npz::read(&path).unwrap();
        assert_eq!(read.len(), 2);
        assert!(read["layer.weight"] == a && read["b"] == b);
        assert!(npz::write(&path, [("x".to_owned(), &a), ("x".to_owned(), &b)]).is_err());
        assert_eq!(npz::read(&path).unwrap().len(), 2, "the old file stays");
        fs::write(&path, b"no archive").unwrap();
        assert_eq!(npz::read(&path).unwrap_err().path, path);
    }
}
