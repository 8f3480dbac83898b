//! Files of `torch.save`: the tensors in dictionaries and lists, by their names joined with dots. Nothing is executed.
//!
//! Since PyTorch 1.6 they are zip archives with a pickle, `data.pkl`, and an entry for each storage; before that, and with
//! `_use_new_zipfile_serialization=False`, four pickles, the list of the storages, and these one after the other
//! (`torch/serialization.py`, `torch/_utils.py`).

mod pickle;

use super::{
    archive::Archive,
    elements::Kind,
    file::{Reason, expansion_limit, room},
    safetensors::insert,
    weights::Rename,
};
use crate::module::join;
use gradus_tensor::Tensor;
use pickle::{Value, Values, load};
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

/// What comes first in a file of the old form.
const OLD_MAGIC: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";

/// The deepest nesting of dictionaries and lists, and the most axes of a tensor.
const MOST_LEVELS: usize = 64;

/// The tensors that `rename` gives a name.
pub(super) fn decode(bytes: Vec<u8>, rename: Rename<'_>) -> Result<BTreeMap<String, Tensor>, Reason> {
    let limit = expansion_limit(bytes.len());
    if let Some(rest) = bytes.strip_prefix(OLD_MAGIC) {
        return decode_old(rest, rename, limit);
    }
    let mut archive = Archive::open(bytes, limit)?;
    let pickle = archive.names().into_iter().find(|name| name.ends_with("/data.pkl"));
    let pickle = pickle.ok_or("is a zip archive without data.pkl, and so no file of torch.save")?;
    let place = pickle.strip_suffix("data.pkl").expect("found by it").to_owned();
    let mut read = |name: &str| -> Result<Vec<u8>, Reason> {
        let entry = archive.find(&format!("{place}{name}"))?;
        if archive.is_compressed(entry)? {
            return Err(format!("its entry {name} is compressed, which torch.save never does").into());
        }
        archive.read(entry)
    };
    let pickle = read("data.pkl")?;
    let (root, values) = load(&mut &pickle[..])?;
    // Not in files of PyTorch before 2.0, which were little-endian wherever somebody kept them.
    let big_endian = read("byteorder").is_ok_and(|order| order == b"big");
    let mut wanted = Wanted::new(&values, rename, limit);
    wanted.collect("", root, 0)?;
    let mut storages = HashMap::new();
    for storage in wanted.tensors.iter().map(|tensor| tensor.storage) {
        if !storages.contains_key(storage.key) {
            let bytes = read(&format!("data/{}", storage.key))
                .map_err(|error| format!("storage {}: {error}", storage.key))?;
            storages.insert(storage.key, bytes);
        }
    }
    wanted.read(big_endian, |key| storages.get(key).map(Vec::as_slice))
}

fn decode_old(mut rest: &[u8], rename: Rename<'_>, limit: usize) -> Result<BTreeMap<String, Tensor>, Reason> {
    load(&mut rest)?; // The version of the form, always the same.
    let (system, values) = load(&mut rest)?;
    let entries = values.dict(system).unwrap_or_default();
    let big_endian = entries.contains(&(Value::Text("little_endian"), Value::Bool(false)));
    let (root, values) = load(&mut rest)?;
    let (keys, key_values) = load(&mut rest)?;
    let mut wanted = Wanted::new(&values, rename, limit);
    // All storages are needed, to know where the next begins.
    let sizes = wanted.sizes()?;
    wanted.collect("", root, 0)?;
    let mut storages = HashMap::new();
    for &key in key_values.list(keys).ok_or("has no list of storages")? {
        let Value::Text(key) = key else { return Err("names a storage by what is no text".into()) };
        let size = sizes.get(key).ok_or_else(|| format!("has a storage {key} that nothing is made of"))?;
        let (len, after) = rest.split_first_chunk().ok_or("ends before its last storage")?;
        let len = u64::from_le_bytes(*len); // Also where the elements are big-endian.
        let len = usize::try_from(len).ok().and_then(|len| len.checked_mul(*size));
        let found = len.and_then(|len| after.split_at_checked(len)).ok_or("ends within a storage")?;
        storages.insert(key, found.0);
        rest = found.1;
    }
    if !rest.is_empty() {
        return Err("goes on after its last storage".into());
    }
    wanted.read(big_endian, |key| storages.get(key).copied())
}

/// Where the elements of a tensor lie.
#[derive(Clone, Copy, Debug)]
struct Storage<'a> {
    key: &'a str,
    kind: Result<Kind, &'a str>,
}

/// A tensor that is to be read.
#[derive(Debug)]
struct Described<'a> {
    name: String,
    new_name: String,
    storage: Storage<'a>,
    kind: Kind,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
    len: usize,
    /// A view of numbers whose signs are turned, such as the imaginary part of a conjugate.
    negated: bool,
}

/// What is found by walking through the values.
struct Wanted<'a, 'v> {
    values: &'v Values<'a>,
    rename: Rename<'v>,
    tensors: Vec<Described<'a>>,
    /// What is neither a tensor nor a thing with parts.
    skipped: Option<String>,
    /// How many bytes of f32s there may still be.
    left: usize,
    /// How many values may still be looked at: one that is in several places counts again.
    steps: usize,
    /// How many bytes the names of all these may still have: a long one may be part of many.
    names: usize,
}

impl<'a, 'v> Wanted<'a, 'v> {
    fn new(values: &'v Values<'a>, rename: Rename<'v>, limit: usize) -> Wanted<'a, 'v> {
        Wanted {
            values,
            rename,
            tensors: Vec::new(),
            skipped: None,
            left: limit,
            steps: 1 << 22,
            names: limit,
        }
    }

    /// Finds the tensors in a value.
    fn collect(&mut self, name: &str, value: Value<'a>, level: usize) -> Result<(), Reason> {
        self.steps = self.steps.checked_sub(1).ok_or("has too many values")?;
        self.names = self.names.checked_sub(name.len()).ok_or("has names that are too long together")?;
        if level > MOST_LEVELS {
            return Err(
                format!("has more than {MOST_LEVELS} dictionaries and lists within each other").into()
            );
        }
        let values = self.values;
        if let Some((module, function, arguments)) = values.call(value) {
            if module == "torch._utils" && function.starts_with("_rebuild") {
                if let Some(new_name) = (self.rename)(name) {
                    let tensor = self.describe(name, new_name, function, arguments);
                    self.tensors.push(tensor.map_err(|reason| format!("tensor {name}: {reason}"))?);
                }
            } else {
                self.skipped.get_or_insert_with(|| format!("{module}.{function}"));
            }
        } else if let Some(entries) = values.dict(value) {
            for &(key, value) in entries {
                match key {
                    Value::Text(key) => self.collect(&join(name, key), value, level + 1)?,
                    Value::Int(key) => self.collect(&join(name, &key.to_string()), value, level + 1)?,
                    _ => {}
                }
            }
        } else if let Value::Persistent(_) = value {
            self.skipped.get_or_insert_with(|| "storage".to_owned());
        } else if let Value::Tuple(_) | Value::List(_) = value {
            for (i, &part) in values.list(value).unwrap_or_default().iter().enumerate() {
                self.collect(&join(name, &i.to_string()), part, level + 1)?;
            }
        }
        if level == 0
            && self.tensors.is_empty()
            && let Some(class) = &self.skipped
        {
            return Err(format!(
                "holds a {class}, not tensors by name: save its state, torch.save(model.state_dict(), ..)"
            )
            .into());
        }
        Ok(())
    }

    /// The arguments of the functions that make a tensor: storage, offset, shape and strides; more, of which a type alone
    /// matters.
    fn describe(
        &mut self,
        name: &str,
        new_name: String,
        function: &str,
        arguments: &[Value<'a>],
    ) -> Result<Described<'a>, String> {
        let (
            [storage, Value::Int(offset), shape, strides, ..],
            "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3",
        ) = (arguments, function)
        else {
            return Err(format!("is made by {function}; only dense tensors are read"));
        };
        let storage = self.storage(*storage)?;
        let kind = match arguments.get(6) {
            Some(Value::Global("torch", dtype)) if function == "_rebuild_tensor_v3" => kind_of_dtype(dtype)?,
            _ => storage.kind.map_err(|class| format!("has elements of {class}, which are not read"))?,
        };
        let sizes = |value: Value<'a>| -> Result<Vec<usize>, String> {
            let sizes = self.values.list(value).filter(|sizes| sizes.len() <= MOST_LEVELS);
            let size = |value: &Value<'a>| match value {
                Value::Int(size) => {
                    usize::try_from(*size).map_err(|_| "has a negative size or stride".to_owned())
                }
                _ => Err("has a size that is no number".to_owned()),
            };
            sizes.ok_or(format!("has not up to {MOST_LEVELS} axes"))?.iter().map(size).collect()
        };
        let (shape, strides) = (sizes(*shape)?, sizes(*strides)?);
        let offset = usize::try_from(*offset).map_err(|_| "begins before its storage")?;
        if strides.len() != shape.len() {
            return Err("has not as many strides as sizes".to_owned());
        }
        let len = shape.iter().try_fold(1usize, |len, &size| len.checked_mul(size));
        let bytes = len.and_then(|len| len.checked_mul(size_of::<f32>()));
        // Many tensors, or one with strides of 0, may be of the same few elements.
        self.left = bytes
            .and_then(|bytes| self.left.checked_sub(bytes))
            .ok_or("makes all tensors together more than 100 times the file, or 64 MiB")?;
        let len = len.expect("counted above");
        let about = arguments.get(if function == "_rebuild_tensor_v3" { 7 } else { 6 });
        let about = about.and_then(|about| self.values.dict(*about)).unwrap_or_default();
        let negated = about.contains(&(Value::Text("neg"), Value::Bool(true)));
        Ok(Described { name: name.to_owned(), new_name, storage, kind, offset, shape, strides, len, negated })
    }

    /// `('storage', class, key, device, number of elements, ..)`
    fn storage(&self, value: Value<'a>) -> Result<Storage<'a>, String> {
        let description = if let Value::Persistent(_) = value { self.values.list(value) } else { None };
        match description.unwrap_or_default() {
            [Value::Text("storage"), Value::Global(_, class), Value::Text(key), _, _, Value::None]
            | [Value::Text("storage"), Value::Global(_, class), Value::Text(key), _, _] => {
                Ok(Storage { key, kind: kind_of_storage(class).ok_or(class) })
            }
            _ => Err("lies in no storage of a known form".to_owned()),
        }
    }

    /// How many bytes an element has in each storage that is described anywhere, by their keys.
    fn sizes(&self) -> Result<HashMap<&'a str, usize>, String> {
        let mut sizes = HashMap::new();
        for &value in self.values.persistent() {
            let storage = self.storage(value)?;
            let size = match storage.kind {
                Ok(kind) => kind.size(),
                // What is not read may be left out.
                Err("UntypedStorage" | "QInt8Storage" | "QUInt8Storage") => 1,
                Err("QInt32Storage") => 4,
                Err("ComplexFloatStorage") => 8,
                Err("ComplexDoubleStorage") => 16,
                Err(class) => return Err(format!("has a storage of {class}, which are not read")),
            };
            if sizes.insert(storage.key, size).is_some_and(|other| other != size) {
                return Err(format!("describes the storage {} in two ways", storage.key));
            }
        }
        Ok(sizes)
    }

    fn read<'s>(
        self,
        big_endian: bool,
        storage: impl Fn(&str) -> Option<&'s [u8]>,
    ) -> Result<BTreeMap<String, Tensor>, Reason> {
        let mut tensors = BTreeMap::new();
        for described in self.tensors {
            let named = |reason: String| format!("tensor {}: {reason}", described.name);
            let bytes = storage(described.storage.key).ok_or_else(|| named("has no storage".to_owned()))?;
            let bytes = described.bytes(bytes).map_err(named)?;
            let tensor = Tensor::try_filled(&described.shape, |out| -> Result<(), Reason> {
                described.kind.decode(&bytes, big_endian, out)?;
                if described.negated {
                    out.iter_mut().for_each(|x| *x = -*x);
                }
                Ok(())
            });
            let tensor = tensor.map_err(|error| named(error.to_string()))?;
            insert(&mut tensors, &described.name, described.new_name, tensor)?;
        }
        Ok(tensors)
    }
}

impl Described<'_> {
    /// Whether the elements lie in row-major order, one beside the other.
    fn is_contiguous(&self) -> bool {
        let mut step = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&n, &stride)| {
            let beside = n == 1 || stride == step;
            step *= n;
            beside
        })
    }

    /// The bytes of the elements in row-major order.
    fn bytes<'s>(&self, storage: &'s [u8]) -> Result<Cow<'s, [u8]>, String> {
        let size = self.kind.size();
        if self.len == 0 {
            return Ok(Cow::default());
        }
        let steps = self.shape.iter().zip(&self.strides);
        let last = steps
            .clone()
            .try_fold(self.offset, |last, (n, stride)| last.checked_add((n - 1).checked_mul(*stride)?));
        let end = last.and_then(|last| last.checked_add(1)?.checked_mul(size));
        if end.is_none_or(|end| end > storage.len()) {
            return Err(format!("goes beyond its storage of {} bytes", storage.len()));
        }
        if self.is_contiguous() {
            return Ok(storage[self.offset * size..][..self.len * size].into());
        }
        let mut bytes = room(self.len * size)?;
        let mut index = vec![0; self.shape.len()];
        let mut at = self.offset;
        loop {
            bytes.extend_from_slice(&storage[at * size..][..size]);
            // The next index, the last axis first.
            let mut axis = self.shape.len();
            loop {
                if axis == 0 {
                    return Ok(bytes.into());
                }
                axis -= 1;
                index[axis] += 1;
                at += self.strides[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                at -= self.strides[axis] * self.shape[axis];
                index[axis] = 0;
            }
        }
    }
}

fn kind_of_storage(class: &str) -> Option<Kind> {
    Some(match class {
        "BoolStorage" => Kind::Bool,
        "ByteStorage" => Kind::U8,
        "CharStorage" => Kind::I8,
        "ShortStorage" => Kind::I16,
        "IntStorage" => Kind::I32,
        "LongStorage" => Kind::I64,
        "HalfStorage" => Kind::F16,
        "BFloat16Storage" => Kind::Bf16,
        "FloatStorage" => Kind::F32,
        "DoubleStorage" => Kind::F64,
        _ => return None,
    })
}

/// Of the types without a storage of their own.
fn kind_of_dtype(dtype: &str) -> Result<Kind, String> {
    Ok(match dtype {
        "uint16" => Kind::U16,
        "uint32" => Kind::U32,
        "uint64" => Kind::U64,
        "float8_e4m3fn" => Kind::F8E4m3,
        "float8_e5m2" => Kind::F8E5m2,
        "float8_e8m0fnu" => Kind::F8E8m0,
        _ => return Err(format!("has elements of {dtype}, which are not read")),
    })
}

#[cfg(test)]
mod tests;
