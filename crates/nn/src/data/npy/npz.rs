//! Archives of named arrays.

use super::{decode, encode, header};
use crate::save::{Archive, DataError, Reason, expansion_limit, half, read_file, write_atomically};
use gradus_tensor::Tensor;
use std::{
    collections::BTreeMap,
    io::{Cursor, Write},
    path::Path,
};
use zip::{ZipWriter, write::SimpleFileOptions};

/// Reads all arrays of an archive, as `numpy.savez` and `numpy.savez_compressed` write them; what kinds of elements are read
/// says [`npy::read`](super::read).
///
/// Compressed arrays may unpack to 64 MiB together, or to 100 times the archive's size when that is more: an archive whose
/// arrays hold nearly nothing but one number may have to be saved with `numpy.savez`.
///
/// # Errors
/// When the file cannot be read, is damaged or unpacks to more; or one of its arrays cannot be read, which is named.
pub fn read(path: impl AsRef<Path>) -> Result<BTreeMap<String, Tensor>, DataError> {
    let path = path.as_ref();
    read_some(path, &|_| true).map_err(|reason| DataError::new(path, reason))
}

/// Reads one array of an archive, as [`read`]; the others may hold what is not read, such as texts.
///
/// # Errors
/// As [`read`]; when there is no such array. An example is at [`write`](write()).
pub fn read_array(path: impl AsRef<Path>, name: &str) -> Result<Tensor, DataError> {
    let path = path.as_ref();
    let one = read_some(path, &|found| found == name)
        .and_then(|mut arrays| arrays.remove(name).ok_or_else(|| format!("has no array {name}").into()));
    one.map_err(|reason| DataError::new(path, reason))
}

fn read_some(path: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<BTreeMap<String, Tensor>, Reason> {
    let bytes = read_file(path)?;
    let limit = expansion_limit(bytes.len());
    read_all(bytes, limit, wanted)
}

fn read_all(
    bytes: Vec<u8>,
    limit: usize,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<BTreeMap<String, Tensor>, Reason> {
    let mut archive = Archive::open(bytes, limit)?;
    let mut tensors = BTreeMap::new();
    for (i, name) in archive.names().into_iter().enumerate() {
        let name = name.strip_suffix(".npy").unwrap_or(&name).to_owned();
        if !wanted(&name) {
            continue;
        }
        let array = archive.read(i).and_then(|bytes| decode(&bytes));
        let array = array.map_err(|reason| format!("array {name}: {reason}"))?;
        if tensors.contains_key(&name) {
            return Err(format!("two arrays are named {name}").into());
        }
        tensors.insert(name, array);
    }
    Ok(tensors)
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
/// assert_eq!(npz::read_array(&path, "b1")?, Tensor::ones([3]));
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
    let archive = write_all(tensors, encode);
    write_atomically(path, archive.map_err(|reason| DataError::new(path, reason))?)
}

/// Writes named arrays in half precision, compressed: half the bytes, and three digits of each number. They are what
/// `numpy.savez` writes of arrays of `float16`; [`read`] reads them.
///
/// ```
/// use gradus_nn::data::npy::npz;
/// use gradus_tensor::Tensor;
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("weights.npz");
/// npz::write_half(&path, [("W1".to_string(), &Tensor::from([1.0, 0.1]))])?;
/// assert_eq!(npz::read_array(&path, "W1")?.to_vec(), [1.0, 0.099975586]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`write`](write()); when a finite number would become infinite, from 65520 on.
pub fn write_half<'a>(
    path: impl AsRef<Path>,
    tensors: impl IntoIterator<Item = (String, &'a Tensor)>,
) -> Result<(), DataError> {
    let path = path.as_ref();
    let archive = write_all(tensors, |tensor| {
        let mut bytes = header("<f2", tensor)?;
        for x in tensor.iter() {
            bytes.extend(half(x)?.to_le_bytes());
        }
        Ok(bytes)
    });
    write_atomically(path, archive.map_err(|reason| DataError::new(path, reason))?)
}

fn write_all<'a>(
    tensors: impl IntoIterator<Item = (String, &'a Tensor)>,
    encode: impl Fn(&Tensor) -> Result<Vec<u8>, String>,
) -> Result<Vec<u8>, Reason> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, tensor) in tensors {
        let bytes = encode(tensor).map_err(|reason| format!("array {name}: {reason}"))?;
        // The format's first edition ends at 4 GiB.
        let options = SimpleFileOptions::default().large_file(bytes.len() >= u32::MAX as usize);
        archive.start_file(format!("{name}.npy"), options)?;
        archive.write_all(&bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_tensor::Rng;
    use proptest::prelude::*;
    use std::fs;

    #[test]
    fn archives_hold_arrays_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("arrays.npz");
        let (a, b) = (Tensor::randn([3, 2], &mut Rng::seed(1)), Tensor::scalar(4.0));
        write(&path, [("layer.weight".to_owned(), &a), ("b".to_owned(), &b)]).unwrap();
        let arrays = read(&path).unwrap();
        assert_eq!(arrays.len(), 2);
        assert!(arrays["layer.weight"] == a && arrays["b"] == b);
        assert!(write(&path, [("x".to_owned(), &a), ("x".to_owned(), &b)]).is_err());
        assert_eq!(read(&path).unwrap().len(), 2, "the old file stays");
        fs::write(&path, b"no archive").unwrap();
        assert_eq!(read(&path).unwrap_err().path, path);
    }

    #[test]
    fn half_precision_keeps_three_digits_and_refuses_what_it_cannot_hold() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("half.npz");
        let x = Tensor::randn([20, 30], &mut Rng::seed(1));
        write_half(&path, [("x".to_owned(), &x)]).unwrap();
        let back = read_array(&path, "x").unwrap();
        // Eleven bits of mantissa.
        assert!(back.iter().zip(x.iter()).all(|(a, b)| (a - b).abs() <= b.abs() / 2048.0 + 3e-8));
        assert_ne!(back, x);
        let error = write_half(&path, [("y".to_owned(), &Tensor::scalar(1e5))]).unwrap_err();
        assert_eq!(error.reason, "array y: holds 100000, which is beyond the range of half precision");
        assert_eq!(read_array(&path, "x").unwrap(), back, "the old file stays");
    }

    #[test]
    fn one_array_is_read_beside_others_that_are_not() {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in
            [("text.npy", b"no array of numbers".to_vec()), ("x.npy", encode(&Tensor::arange(3)).unwrap())]
        {
            archive.start_file(name, SimpleFileOptions::default()).unwrap();
            archive.write_all(&bytes).unwrap();
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mixed.npz");
        fs::write(&path, archive.finish().unwrap().into_inner()).unwrap();
        assert!(read(&path).unwrap_err().reason.starts_with("array text: "));
        assert_eq!(read_array(&path, "x").unwrap(), Tensor::arange(3));
        assert_eq!(read_array(&path, "y").unwrap_err().reason, "has no array y");
    }

    #[test]
    fn an_archive_that_unpacks_to_very_much_is_refused() {
        // As one array, and as eight of which each is below the limit.
        for (count, len) in [(1, 2000), (8, 250)] {
            let zeros = Tensor::zeros([len]);
            let bytes = write_all((0..count).map(|i| (format!("zeros{i}"), &zeros)), encode).unwrap();
            let error = read_all(bytes.clone(), 7000, &|_| true).unwrap_err().to_string();
            assert!(error.starts_with("array zeros") && error.contains("unpacks to more than"), "{error}");
            assert_eq!(read_all(bytes, 10_000, &|_| true).unwrap().len(), count);
        }
    }

    proptest! {
        #[test]
        fn changed_archives_never_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
            let mut bytes = write_all([("a".to_owned(), &Tensor::arange(6)), ("b".to_owned(), &Tensor::scalar(1.0))], encode).unwrap();
            for (at, value) in flips {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let _ = read_all(bytes, 1 << 20, &|_| true);
        }

        #[test]
        fn shortened_archives_never_panic(len in any::<prop::sample::Index>()) {
            let bytes = write_all([("a".to_owned(), &Tensor::arange(6))], encode).unwrap();
            let len = len.index(bytes.len());
            prop_assert!(read_all(bytes[..len].to_vec(), 1 << 20, &|_| true).is_err());
        }
    }
}
