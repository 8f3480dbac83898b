//! Named tensors in safetensors files, which PyTorch and many others read and write too.

use super::{
    elements::{Kind, write_f32s},
    file::{DataError, MOST_AXES, Reason, open_file, write_atomically_with},
    header::{self, METADATA_KEY, MOST_HEADER, RESERVED_NAME},
    weights::Rename,
};
use ::safetensors::{
    Dtype,
    tensor::{Metadata, TensorInfo},
};
use gradus_tensor::Tensor;
use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

/// Saves tensors under their names, with a text of any kind beside them (empty for none). What was at `path` is
/// replaced at once, or stays as it was when anything fails. The same tensors and text give the same bytes, in
/// whatever order the tensors come.
///
/// Two tensors of one name are an error, and a tensor of more than 64 axes.
///
/// ```
/// # use gradus_nn::{load_metadata, load_tensors, save_tensors};
/// # use gradus_tensor::Tensor;
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("model.safetensors");
/// let weight = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
/// save_tensors(&path, [("fc1.weight".to_string(), &weight)], "epoch 3")?;
/// assert_eq!(load_tensors(&path)?["fc1.weight"], weight);
/// assert_eq!(load_metadata(&path)?, "epoch 3");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn save_tensors<'a>(
    path: impl AsRef<Path>,
    tensors: impl IntoIterator<Item = (String, &'a Tensor)>,
    metadata: &str,
) -> Result<(), DataError> {
    let path = path.as_ref();
    let file = Encoded::new(tensors, metadata, MOST_HEADER).map_err(|reason| DataError::new(path, reason))?;
    write_atomically_with(path, |out| file.write(out))
}

/// Reads all tensors of a safetensors file or, with the feature `pt`, of a file of `torch.save` (`.pt`, `.pth`); which of them
/// it is shows in its first bytes.
///
/// Elements of all kinds become f32s: truth values and whole numbers of 8 to 64 bits, which must be such that an f32 holds
/// them; floating-point numbers of 8 (F8_E4M3, F8_E5M2, F8_E8M0), 16 (F16, BF16), 32 and 64 bits, rounded where they must be.
/// Memory is taken for what the file really holds, four bytes an element.
///
/// # Errors
/// When the file cannot be read, is damaged or of another format; or has a tensor of another kind (F4, F6), of a whole number
/// that an f32 cannot hold, such as 2^24 + 1, or of a finite one beyond an f32's range: the tensor is named.
///
/// ```
/// # use gradus_nn::{load_tensors, save_tensors};
/// # use gradus_tensor::Tensor;
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("pair.safetensors");
/// save_tensors(&path, [("a".to_string(), &Tensor::zeros([2, 3])), ("b".to_string(), &Tensor::ones([3]))], "")?;
/// let names: Vec<String> = load_tensors(&path)?.into_keys().collect();
/// assert_eq!(names, ["a", "b"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn load_tensors(path: impl AsRef<Path>) -> Result<BTreeMap<String, Tensor>, DataError> {
    read_tensors(path.as_ref(), &|name| Some(name.to_owned()))
}

/// Reads the tensors that `rename` gives a name, under that name.
pub(crate) fn read_tensors(path: &Path, rename: Rename<'_>) -> Result<BTreeMap<String, Tensor>, DataError> {
    let read = || -> Result<BTreeMap<String, Tensor>, Reason> {
        let (mut file, len) = open_file(path)?;
        let mut start = Vec::new();
        (&file).take(8).read_to_end(&mut start)?;
        if is_of_torch(&start) {
            file.read_to_end(&mut start)?;
            return torch(start, rename);
        }
        file.rewind()?;
        decode(&mut file, len, rename)
    };
    read().map_err(|reason| DataError::new(path, reason))
}

/// Whether these bytes are what `torch.save` writes: an archive, or in old files a pickle of protocol 2 or later.
fn is_of_torch(bytes: &[u8]) -> bool {
    // A safetensors file begins with the length of its header, which may have the bytes that a pickle begins with.
    let header = bytes.first_chunk().map_or(0, |&length| u64::from_le_bytes(length));
    let is_pickle = bytes.first() == Some(&0x80) && matches!(bytes.get(1), Some(2..=5));
    bytes.starts_with(b"PK\x03\x04") || is_pickle && header > MOST_HEADER
}

#[cfg(feature = "pt")]
fn torch(bytes: Vec<u8>, rename: Rename<'_>) -> Result<BTreeMap<String, Tensor>, Reason> {
    super::torch::decode(bytes, rename)
}

#[cfg(not(feature = "pt"))]
fn torch(_: Vec<u8>, _: Rename<'_>) -> Result<BTreeMap<String, Tensor>, Reason> {
    Err("looks like a file of torch.save, which is read with gradus's feature \"pt\"; or save it in Python with \
         safetensors.torch.save_file(model.state_dict(), ..)"
        .into())
}

/// Reads the text that [`save_tensors`] put beside the tensors of a file; empty when there is none.
///
/// # Errors
/// When the file cannot be read, or is no safetensors file.
pub fn load_metadata(path: impl AsRef<Path>) -> Result<String, DataError> {
    let path = path.as_ref();
    let read = || {
        let (mut file, len) = open_file(path)?;
        Ok(header::read(&mut file, len)?.text)
    };
    read().map_err(|reason: Reason| DataError::new(path, reason))
}

/// Both the tensors and the text of a file, which is opened once: another process may replace it meanwhile.
pub(crate) fn load_both(path: &Path) -> Result<(BTreeMap<String, Tensor>, String), DataError> {
    let read = || -> Result<_, Reason> {
        let (mut file, len) = open_file(path)?;
        let header = header::read(&mut file, len)?;
        Ok((read_data(&mut file, &header.tensors, &|name| Some(name.to_owned()))?, header.text))
    };
    read().map_err(|reason| DataError::new(path, reason))
}

/// A file that is to be written: its header, and the tensors in the order in which their elements follow it.
struct Encoded<'a> {
    header: Vec<u8>,
    tensors: BTreeMap<String, &'a Tensor>,
}

impl<'a> Encoded<'a> {
    fn new(
        tensors: impl IntoIterator<Item = (String, &'a Tensor)>,
        metadata: &str,
        most_header: u64,
    ) -> Result<Encoded<'a>, Reason> {
        let mut named = BTreeMap::new();
        for (name, tensor) in tensors {
            if name == RESERVED_NAME {
                return Err(format!("no tensor may be named {name}").into());
            }
            if tensor.rank() > MOST_AXES {
                return Err(format!("tensor {name} has more than {MOST_AXES} axes").into());
            }
            if named.insert(name.clone(), tensor).is_some() {
                return Err(format!("two tensors are named {name}").into());
            }
        }
        let texts =
            (!metadata.is_empty()).then(|| HashMap::from([(METADATA_KEY.to_owned(), metadata.to_owned())]));
        let mut end = 0;
        let infos = named.iter().map(|(name, tensor)| {
            let start = end;
            end += tensor.numel() * size_of::<f32>();
            let info =
                TensorInfo { dtype: Dtype::F32, shape: tensor.shape().to_vec(), data_offsets: (start, end) };
            (name.clone(), info)
        });
        let mut header = serde_json::to_vec(&Metadata::new(texts, infos.collect())?)?;
        // Spaces until the elements begin at a multiple of 8 bytes.
        header.resize(header.len().next_multiple_of(8), b' ');
        let len = header.len() as u64;
        if len > most_header {
            return Err(format!(
                "its names and text take {len} bytes; no reader takes more than {most_header}"
            )
            .into());
        }
        Ok(Encoded { header, tensors: named })
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&(self.header.len() as u64).to_le_bytes())?;
        out.write_all(&self.header)?;
        self.tensors.values().try_for_each(|tensor| write_f32s(tensor, out))
    }
}

fn decode(
    file: &mut (impl Read + Seek),
    len: u64,
    rename: Rename<'_>,
) -> Result<BTreeMap<String, Tensor>, Reason> {
    let header = header::read(file, len)?;
    read_data(file, &header.tensors, rename)
}

/// Reads the tensors that follow the header, straight to where they stay.
fn read_data(
    file: &mut (impl Read + Seek),
    infos: &Metadata,
    rename: Rename<'_>,
) -> Result<BTreeMap<String, Tensor>, Reason> {
    let mut tensors = BTreeMap::new();
    for name in infos.offset_keys() {
        let info = infos.info(&name).expect("its own name");
        let Some(new_name) = rename(&name) else {
            let (start, end) = info.data_offsets;
            file.seek(SeekFrom::Current((end - start) as i64))?;
            continue;
        };
        let mut read = || -> Result<Tensor, Reason> {
            let kind = kind(info.dtype)?;
            Tensor::try_filled(&info.shape, |out| kind.read(file, out))
        };
        let tensor = read().map_err(|reason| format!("tensor {name}: {reason}"))?;
        insert(&mut tensors, &name, new_name, tensor)?;
    }
    Ok(tensors)
}

/// Adds a tensor under its new name.
pub(crate) fn insert(
    tensors: &mut BTreeMap<String, Tensor>,
    name: &str,
    new_name: String,
    tensor: Tensor,
) -> Result<(), String> {
    match tensors.contains_key(&new_name) {
        true => Err(format!("tensor {name} becomes a second one of the name {new_name}")),
        false => {
            tensors.insert(new_name, tensor);
            Ok(())
        }
    }
}

fn kind(dtype: Dtype) -> Result<Kind, String> {
    Ok(match dtype {
        Dtype::BOOL => Kind::Bool,
        Dtype::U8 => Kind::U8,
        Dtype::I8 => Kind::I8,
        Dtype::U16 => Kind::U16,
        Dtype::I16 => Kind::I16,
        Dtype::U32 => Kind::U32,
        Dtype::I32 => Kind::I32,
        Dtype::U64 => Kind::U64,
        Dtype::I64 => Kind::I64,
        Dtype::F16 => Kind::F16,
        Dtype::BF16 => Kind::Bf16,
        Dtype::F32 => Kind::F32,
        Dtype::F64 => Kind::F64,
        Dtype::F8_E4M3 => Kind::F8E4m3,
        Dtype::F8_E5M2 => Kind::F8E5m2,
        Dtype::F8_E8M0 => Kind::F8E8m0,
        other => return Err(format!("has elements of type {other}, which are not read")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_tensor::{Rng, Slice};
    use proptest::prelude::*;
    use std::{fs, io::Cursor};

    fn encode<'a>(
        tensors: impl IntoIterator<Item = (String, &'a Tensor)>,
        metadata: &str,
    ) -> Result<Vec<u8>, Reason> {
        let mut bytes = Vec::new();
        Encoded::new(tensors, metadata, MOST_HEADER)?.write(&mut bytes)?;
        Ok(bytes)
    }

    fn decode(bytes: &[u8], rename: Rename<'_>) -> Result<BTreeMap<String, Tensor>, Reason> {
        super::decode(&mut Cursor::new(bytes), bytes.len() as u64, rename)
    }

    fn decode_metadata(mut bytes: &[u8]) -> Result<String, Reason> {
        let len = bytes.len() as u64;
        Ok(header::read(&mut bytes, len)?.text)
    }

    fn two_tensors() -> Vec<u8> {
        let (a, b) = (Tensor::from([[1.0, -2.0, 0.5]]), Tensor::scalar(7.0));
        encode([("a.weight".to_owned(), &a), ("b".to_owned(), &b)], "text").unwrap()
    }

    /// A file with one tensor, of a header written by hand.
    fn file(dtype: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let header =
            format!(r#"{{"x":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[0,{}]}}}}"#, data.len());
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
    }

    fn all(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, Reason> {
        decode(bytes, &|name| Some(name.to_owned()))
    }

    fn bits(tensor: &Tensor) -> Vec<u32> {
        tensor.iter().map(f32::to_bits).collect()
    }

    #[test]
    fn a_header_whose_length_begins_as_a_pickle_does_is_read() {
        // Lengths of 128, 640, 896 bytes; a pickle of protocol 2 goes on with an opcode.
        for length in [0x80u64, 0x0280, 0x0380] {
            assert!(!is_of_torch(&length.to_le_bytes()), "{length}");
        }
        assert!(is_of_torch(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."));
        assert!(is_of_torch(b"PK\x03\x04"));
        assert!(!is_of_torch(b"\x80\x02"));
    }

    #[test]
    fn every_shape_and_layout_comes_back_bit_for_bit() {
        let mut rng = Rng::seed(1);
        let block = Tensor::randn([3, 4, 5], &mut rng);
        let special = [f32::NAN, -0.0, f32::INFINITY, 1e-45, f32::from_bits(0xffc0_1234), f32::MIN];
        let tensors = [
            ("scalar", Tensor::scalar(-0.0)),
            ("empty", Tensor::zeros([0])),
            ("flat", Tensor::zeros([3, 0, 2])),
            ("single", Tensor::ones([1, 1, 1, 1, 1])),
            ("special", Tensor::new(special, [2, 3])),
            ("transposed", block.transpose(0, 2)),
            ("reversed", block.slice(1, Slice::from(1..).step(-2))),
            ("repeated", Tensor::from([1.0, 2.0]).broadcast_to([3, 2])),
            ("näme \"with\" \n everything\\", block),
        ];
        let named = tensors.iter().map(|(name, tensor)| (name.to_string(), tensor));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.safetensors");
        save_tensors(&path, named, "").unwrap();
        let loaded = load_tensors(&path).unwrap();
        assert_eq!(loaded.len(), tensors.len());
        for (name, tensor) in &tensors {
            assert_eq!(loaded[*name].shape(), tensor.shape(), "{name}");
            assert_eq!(bits(&loaded[*name]), bits(tensor), "{name}");
        }
        assert_eq!(load_metadata(&path).unwrap(), "");
    }

    #[test]
    fn no_tensors_are_a_file_too() {
        let bytes = encode([], "only text").unwrap();
        assert!(all(&bytes).unwrap().is_empty());
        assert_eq!(decode_metadata(&bytes).unwrap(), "only text");
    }

    #[test]
    fn equal_contents_give_equal_bytes_in_any_order() {
        let tensors: Vec<(String, Tensor)> =
            (0..20).map(|i| (format!("layer{i}.weight"), Tensor::arange(i))).collect();
        let bytes = encode(tensors.iter().map(|(name, t)| (name.clone(), t)), "epoch 1").unwrap();
        let backwards = encode(tensors.iter().rev().map(|(name, t)| (name.clone(), t)), "epoch 1").unwrap();
        assert!(bytes == backwards);
        assert!(bytes != encode(tensors.iter().map(|(name, t)| (name.clone(), t)), "epoch 2").unwrap());
    }

    #[test]
    fn the_bytes_are_those_of_the_format() {
        let x = Tensor::from([1.0, -2.0]);
        let header = br#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}  "#;
        let data = [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0];
        assert_eq!(header.len(), 56);
        let expected = [&[56, 0, 0, 0, 0, 0, 0, 0], &header[..], &data].concat();
        assert_eq!(encode([("x".to_owned(), &x)], "").unwrap(), expected);
    }

    #[test]
    fn names_that_would_be_lost_are_errors() {
        let x = Tensor::scalar(1.0);
        let twice = encode([("x".to_owned(), &x), ("x".to_owned(), &x)], "").unwrap_err();
        assert_eq!(twice.to_string(), "two tensors are named x");
        let reserved = encode([("__metadata__".to_owned(), &x)], "").unwrap_err();
        assert_eq!(reserved.to_string(), "no tensor may be named __metadata__");
    }

    #[test]
    fn what_would_not_be_read_again_is_not_written() {
        let rank = |axes: usize| Tensor::ones(vec![1; axes]);
        let bytes = encode([("x".to_owned(), &rank(64))], "").unwrap();
        assert_eq!(all(&bytes).unwrap()["x"].rank(), 64);
        let error = encode([("x".to_owned(), &rank(65))], "").unwrap_err();
        assert_eq!(error.to_string(), "tensor x has more than 64 axes");
    }

    #[test]
    fn a_failed_save_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.safetensors");
        let x = Tensor::arange(3);
        save_tensors(&path, [("x".to_owned(), &x)], "").unwrap();
        let error = save_tensors(&path, [("y".to_owned(), &x), ("y".to_owned(), &x)], "").unwrap_err();
        assert_eq!(error.to_string(), format!("{}: two tensors are named y", path.display()));
        assert_eq!(load_tensors(&path).unwrap()["x"], x);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn unreadable_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.safetensors");
        assert_eq!(load_tensors(&path).unwrap_err().path, path);
        assert_eq!(load_metadata(&path).unwrap_err().path, path);
        fs::write(&path, b"not this format").unwrap();
        let error = load_tensors(&path).unwrap_err();
        assert_eq!(error.path, path);
        assert!(!error.reason.is_empty());
        assert!(load_tensors(dir.path()).is_err());
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = two_tensors();
        for len in 0..bytes.len() {
            assert!(all(&bytes[..len]).is_err(), "the first {len} bytes are no file");
            assert!(decode_metadata(&bytes[..len]).is_err());
        }
        assert!(all(&[&bytes[..], &[0]].concat()).is_err(), "a byte too much");
    }

    #[test]
    fn hostile_headers_are_errors() {
        let huge = format!("[0,{0},{0}]", usize::MAX);
        for (dtype, shape) in [("F32", huge.as_str()), ("F32", "[1073741824,1073741824]"), ("F32", "[-1]")] {
            assert!(all(&file(dtype, shape, &[])).is_err(), "{shape}");
        }
        assert!(all(&file("F32", "[2]", &[0; 4])).is_err());
        // Headers said to be longer than the file, the memory, or any number.
        for len in [9, 1 << 40, u64::MAX] {
            assert!(all(&[&len.to_le_bytes()[..], b"{}      "].concat()).is_err());
        }
        let deep = "[".repeat(100_000);
        assert!(all(&[&(deep.len() as u64).to_le_bytes(), deep.as_bytes()].concat()).is_err());
        // Six bits an element.
        let packed = all(&file("F6_E2M3", "[4]", &[0; 3])).unwrap_err();
        assert_eq!(packed.to_string(), "tensor x: has elements of type F6_E2M3, which are not read");
        let truth = all(&file("BOOL", "[1]", &[7])).unwrap_err();
        assert_eq!(truth.to_string(), "tensor x: holds 7 as a truth value");
    }

    #[test]
    fn every_kind_is_read_as_the_kind_that_it_says() {
        // The same byte, or the number 1 or 1.5, in each kind.
        let cases: [(&str, &[u8], f32); 16] = [
            ("BOOL", &[1], 1.0),
            ("U8", &[0xfe], 254.0),
            ("I8", &[0xfe], -2.0),
            ("U16", &[0xfe, 0xff], 65534.0),
            ("I16", &[0xfe, 0xff], -2.0),
            ("U32", &[0, 0, 0, 0x80], 2147483648.0),
            ("I32", &[0xfe, 0xff, 0xff, 0xff], -2.0),
            ("U64", &[0, 0, 0, 0, 0, 0, 0, 0x80], 9223372036854775808.0),
            ("I64", &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], -2.0),
            ("F16", &[0x00, 0x3e], 1.5),
            ("BF16", &[0xc0, 0x3f], 1.5),
            ("F32", &[0, 0, 0xc0, 0x3f], 1.5),
            ("F64", &[0, 0, 0, 0, 0, 0, 0xf8, 0x3f], 1.5),
            ("F8_E4M3", &[0x3c], 1.5),
            ("F8_E5M2", &[0x3e], 1.5),
            ("F8_E8M0", &[0x80], 2.0),
        ];
        for (dtype, bytes, expected) in cases {
            assert_eq!(all(&file(dtype, "[1]", bytes)).unwrap()["x"].to_vec(), [expected], "{dtype}");
        }
        let great = all(&file("I64", "[1]", &16_777_217i64.to_le_bytes())).unwrap_err();
        assert_eq!(great.to_string(), "tensor x: holds 16777217, which an f32 cannot hold");
    }

    #[test]
    fn some_tensors_are_read_under_other_names() {
        let bytes = two_tensors();
        let read = decode(&bytes, &|name| name.strip_prefix("a.").map(str::to_owned)).unwrap();
        assert_eq!(read.keys().collect::<Vec<_>>(), ["weight"]);
        let twice = decode(&bytes, &|_| Some("same".to_owned())).unwrap_err().to_string();
        assert!(twice.ends_with("becomes a second one of the name same"), "{twice}");
        // What is left out need not be of a kind that is read.
        assert!(decode(&file("F6_E2M3", "[4]", &[0; 3]), &|_| None).unwrap().is_empty());
    }

    #[test]
    fn a_header_that_no_reader_takes_is_not_written() {
        let error = Encoded::new([], &"x".repeat(1000), 1000).err().unwrap().to_string();
        assert!(error.contains("no reader takes more than 1000"), "{error}");
    }

    #[cfg(not(feature = "pt"))]
    #[test]
    fn files_of_torch_are_recognised() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.pt");
        for bytes in [&b"PK\x03\x04rest"[..], b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."] {
            fs::write(&path, bytes).unwrap();
            let error = load_tensors(&path).unwrap_err().to_string();
            assert!(error.contains("feature \"pt\"") && error.contains("save_file"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn changed_files_never_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..6)) {
            let mut bytes = two_tensors();
            for (at, bit) in flips {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            let _ = decode_metadata(&bytes);
            if let Ok(tensors) = all(&bytes) {
                prop_assert!(tensors.values().map(Tensor::numel).sum::<usize>() * 4 <= bytes.len());
            }
        }
    }
}
