//! Named tensors in safetensors files, which PyTorch and many others read and write too.

use crate::file::{DataError, Reason, write_atomically};
use gradus_tensor::Tensor;
use safetensors::{Dtype, SafeTensors, View, tensor::TensorView};
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
};

/// The key of our text in a file's metadata. It is the only one, because the library writes several in random order,
/// and the same tensors are to give the same bytes.
const METADATA_KEY: &str = "gradus";
/// What the format keeps metadata under, between the tensors.
const RESERVED_NAME: &str = "__metadata__";

/// Saves tensors under their names, with a text of any kind beside them (empty for none). What was at `path` is
/// replaced at once, or stays as it was when anything fails. The same tensors and text give the same bytes, in
/// whatever order the tensors come.
///
/// Two tensors of one name are an error.
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
    let bytes = encode(tensors, metadata).map_err(|reason| DataError::new(path, reason))?;
    write_atomically(path, bytes)
}

/// Reads all tensors of a safetensors file. Elements of 16 and 64 bits become f32s, rounded where they must be, and so do
/// integers of 32 and 64 bits, such as PyTorch's number of batches in a batch normalisation; other types are an error.
pub fn load_tensors(path: impl AsRef<Path>) -> Result<BTreeMap<String, Tensor>, DataError> {
    let path = path.as_ref();
    let bytes = fs::read(path).map_err(Reason::from);
    bytes.and_then(|bytes| decode(&bytes)).map_err(|reason| DataError::new(path, reason))
}

/// Reads the text that [`save_tensors`] put beside the tensors of a file; empty when there is none.
pub fn load_metadata(path: impl AsRef<Path>) -> Result<String, DataError> {
    let path = path.as_ref();
    let bytes = fs::read(path).map_err(Reason::from);
    bytes.and_then(|bytes| decode_metadata(&bytes)).map_err(|reason| DataError::new(path, reason))
}

fn encode<'a>(
    tensors: impl IntoIterator<Item = (String, &'a Tensor)>,
    metadata: &str,
) -> Result<Vec<u8>, Reason> {
    let mut named = BTreeMap::new();
    for (name, tensor) in tensors {
        if name == RESERVED_NAME {
            return Err(format!("no tensor may be named {name}").into());
        }
        if named.insert(name.clone(), Saved(tensor)).is_some() {
            return Err(format!("two tensors are named {name}").into());
        }
    }
    let metadata =
        (!metadata.is_empty()).then(|| HashMap::from([(METADATA_KEY.to_owned(), metadata.to_owned())]));
    Ok(safetensors::serialize(named, metadata)?)
}

/// A tensor as the library wants to see it.
struct Saved<'a>(&'a Tensor);

impl View for Saved<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let contiguous = self.0.contiguous();
        let elements = contiguous.as_slice().expect("made contiguous above");
        elements.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    fn data_len(&self) -> usize {
        self.0.numel() * size_of::<f32>()
    }
}

fn decode(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, Reason> {
    let file = SafeTensors::deserialize(bytes)?;
    let read = |(name, view): (&str, TensorView<'_>)| -> Result<(String, Tensor), Reason> {
        let elements = elements(&view).map_err(|reason| format!("tensor {name}: {reason}"))?;
        let tensor =
            Tensor::try_new(elements, view.shape()).map_err(|error| format!("tensor {name}: {error}"))?;
        Ok((name.to_owned(), tensor))
    };
    file.iter().map(read).collect()
}

fn decode_metadata(bytes: &[u8]) -> Result<String, Reason> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    Ok(header.metadata().as_ref().and_then(|texts| texts.get(METADATA_KEY)).cloned().unwrap_or_default())
}

fn elements(view: &TensorView<'_>) -> Result<Vec<f32>, String> {
    let data = view.data();
    Ok(match view.dtype() {
        Dtype::F32 => data.as_chunks().0.iter().map(|&x| f32::from_le_bytes(x)).collect(),
        Dtype::F64 => data.as_chunks().0.iter().map(|&x| f64::from_le_bytes(x) as f32).collect(),
        Dtype::F16 => data.as_chunks().0.iter().map(|&x| from_f16(u16::from_le_bytes(x))).collect(),
        Dtype::I64 => data.as_chunks().0.iter().map(|&x| i64::from_le_bytes(x) as f32).collect(),
        Dtype::I32 => data.as_chunks().0.iter().map(|&x| i32::from_le_bytes(x) as f32).collect(),
        Dtype::BF16 => data.as_chunks().0.iter().map(|&x| from_bf16(u16::from_le_bytes(x))).collect(),
        other => return Err(format!("has elements of type {other}, not floating-point or whole ones")),
    })
}

/// A bfloat16 is the upper half of an f32.
fn from_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// One sign bit, five of exponent (biased by 15), ten of mantissa.
fn from_f16(bits: u16) -> f32 {
    let [sign, exponent, mantissa] = [bits >> 15, bits >> 10 & 0x1f, bits & 0x3ff].map(u32::from);
    let magnitude = match exponent {
        // Subnormal: a multiple of 2^-24, which an f32 holds as a normal number.
        0 => (mantissa as f32 / (1 << 24) as f32).to_bits(),
        // Infinity and NaN keep their mantissa.
        0x1f => 0xff << 23 | mantissa << 13,
        _ => (exponent + 127 - 15) << 23 | mantissa << 13,
    };
    f32::from_bits(sign << 31 | magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_tensor::{Rng, Slice};
    use proptest::prelude::*;

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

    fn bits(tensor: &Tensor) -> Vec<u32> {
        tensor.iter().map(f32::to_bits).collect()
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
        assert!(decode(&bytes).unwrap().is_empty());
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
            assert!(decode(&bytes[..len]).is_err(), "the first {len} bytes are no file");
            assert!(decode_metadata(&bytes[..len]).is_err());
        }
        assert!(decode(&[&bytes[..], &[0]].concat()).is_err(), "a byte too much");
    }

    #[test]
    fn hostile_headers_are_errors() {
        let huge = format!("[0,{0},{0}]", usize::MAX);
        for (dtype, shape) in [("F32", huge.as_str()), ("F32", "[1073741824,1073741824]"), ("F32", "[-1]")] {
            assert!(decode(&file(dtype, shape, &[])).is_err(), "{shape}");
        }
        assert!(decode(&file("F32", "[2]", &[0; 4])).is_err());
        // Headers said to be longer than the file, the memory, or any number.
        for len in [9, 1 << 40, u64::MAX] {
            assert!(decode(&[&len.to_le_bytes()[..], b"{}      "].concat()).is_err());
        }
        let deep = "[".repeat(100_000);
        assert!(decode(&[&(deep.len() as u64).to_le_bytes(), deep.as_bytes()].concat()).is_err());
        let bools = decode(&file("BOOL", "[1]", &[0; 1])).unwrap_err();
        assert_eq!(
            bools.to_string(),
            "tensor x: has elements of type BOOL, not floating-point or whole ones"
        );
    }

    #[test]
    fn other_floating_point_types_become_f32() {
        let f64s: Vec<u8> = [1.5, 0.1, 1e300].iter().flat_map(|x: &f64| x.to_le_bytes()).collect();
        assert_eq!(decode(&file("F64", "[3]", &f64s)).unwrap()["x"].to_vec(), [1.5, 0.1, f32::INFINITY]);
        // 1, -2 and the largest number of each type.
        let f16s: Vec<u8> = [0x3c00u16, 0xc000, 0x7bff].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(decode(&file("F16", "[3]", &f16s)).unwrap()["x"].to_vec(), [1.0, -2.0, 65504.0]);
        let bf16s: Vec<u8> = [0x3f80u16, 0xc000, 0x7f7f].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(
            decode(&file("BF16", "[3]", &bf16s)).unwrap()["x"].to_vec(),
            [1.0, -2.0, 255.0 * 2f32.powi(120)]
        );
    }

    #[test]
    fn integers_become_f32() {
        let i64s: Vec<u8> = [5, -3, (1 << 40) + 1].iter().flat_map(|x: &i64| x.to_le_bytes()).collect();
        assert_eq!(decode(&file("I64", "[3]", &i64s)).unwrap()["x"].to_vec(), [5.0, -3.0, 2f32.powi(40)]);
        let i32s: Vec<u8> = [-1, 16_777_216].iter().flat_map(|x: &i32| x.to_le_bytes()).collect();
        assert_eq!(decode(&file("I32", "[2]", &i32s)).unwrap()["x"].to_vec(), [-1.0, 16_777_216.0]);
    }

    #[test]
    fn every_f16_has_the_value_of_its_definition() {
        for bits in 0..=u16::MAX {
            let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023) / 1024.0);
            let magnitude = match exponent {
                0 => mantissa * 2f64.powi(-14),
                31 if mantissa == 0.0 => f64::INFINITY,
                31 => f64::NAN,
                _ => (1.0 + mantissa) * 2f64.powi(exponent - 15),
            };
            let value = f64::from(from_f16(bits));
            assert!(value.abs() == magnitude || value.is_nan() && magnitude.is_nan(), "{bits:#06x}");
            assert_eq!(value.is_sign_negative(), bits >> 15 == 1, "{bits:#06x}");
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
            if let Ok(tensors) = decode(&bytes) {
                prop_assert!(tensors.values().map(Tensor::numel).sum::<usize>() * 4 <= bytes.len());
            }
        }
    }
}
