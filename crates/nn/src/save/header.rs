//! The header of a safetensors file: names, kinds and shapes of its tensors, and a text.
//!
//! It is read by visitors of our own, straight to what stays of it. What the library derives keeps all of the JSON as a tree
//! first, of 32 bytes for a digit, and takes the last of two tensors of one name.

use super::{
    file::{MOST_AXES, Reason},
    weights::named_twice,
};
use safetensors::{
    Dtype, SafeTensorError,
    tensor::{Metadata, TensorInfo},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use std::{fmt, io::Read};

/// The key of our text in a file's metadata. It is the only one, because the library writes several in random order,
/// and the same tensors are to give the same bytes.
pub(super) const METADATA_KEY: &str = "gradus";
/// What the format keeps metadata under, between the tensors.
pub(super) const RESERVED_NAME: &str = "__metadata__";
/// The longest header that the library reads, in bytes.
pub(super) const MOST_HEADER: u64 = 100_000_000;

/// What stands before the elements of a file.
pub(super) struct Header {
    pub(super) tensors: Metadata,
    /// Our text; empty when there is none.
    pub(super) text: String,
}

/// The header of a file of `len` bytes, which it fits: tensor follows tensor without a gap until the end.
pub(super) fn read(file: &mut impl Read, len: u64) -> Result<Header, Reason> {
    let invalid = |reason: SafeTensorError| format!("no valid safetensors file: {reason}");
    let data = len.checked_sub(8).ok_or_else(|| invalid(SafeTensorError::HeaderTooSmall))?;
    let mut size = [0; 8];
    file.read_exact(&mut size)?;
    let size = u64::from_le_bytes(size);
    if size > MOST_HEADER {
        return Err(invalid(SafeTensorError::HeaderTooLarge).into());
    }
    let data = data.checked_sub(size).ok_or_else(|| invalid(SafeTensorError::InvalidHeaderLength))?;
    let mut json = vec![0; size as usize];
    file.read_exact(&mut json)?;
    let header = parse(&json).map_err(|reason| format!("no valid safetensors file: its header: {reason}"))?;
    if header.tensors.data_len() as u64 != data {
        return Err(invalid(SafeTensorError::MetadataIncompleteBuffer).into());
    }
    Ok(header)
}

fn parse(json: &[u8]) -> Result<Header, Reason> {
    let mut json = serde_json::Deserializer::from_slice(json);
    let Entries { mut tensors, text } = json.deserialize_map(Entries::default())?;
    json.end()?;
    if let Some(name) = named_twice(tensors.iter().map(|(name, _)| &name[..])) {
        return Err(format!("two tensors are named {name}").into());
    }
    // In the order of their elements, which need not be that of the names.
    tensors.sort_by_key(|(_, info)| info.data_offsets);
    Ok(Header { tensors: Metadata::new(None, tensors)?, text: text.unwrap_or_default() })
}

/// All that stands in a header, in its order.
#[derive(Default)]
struct Entries {
    tensors: Vec<(String, TensorInfo)>,
    text: Option<String>,
}

impl<'de> Visitor<'de> for Entries {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tensors by name")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Entries, A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if name == RESERVED_NAME {
                let Text(text) = map.next_value::<Option<Text>>()?.unwrap_or_default();
                if self.text.replace(text).is_some() {
                    return Err(A::Error::custom(format!("{RESERVED_NAME} is there twice")));
                }
            } else {
                let Entry { dtype, shape: Sizes(shape), data_offsets } = map.next_value()?;
                self.tensors.push((name, TensorInfo { dtype, shape, data_offsets }));
            }
        }
        Ok(self)
    }
}

#[derive(Deserialize)]
struct Entry {
    dtype: Dtype,
    shape: Sizes,
    data_offsets: (usize, usize),
}

/// The sizes of axes: no more than a tensor of a file has.
#[derive(Default)]
struct Sizes(Vec<usize>);

impl<'de> Deserialize<'de> for Sizes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Sizes, D::Error> {
        deserializer.deserialize_seq(Sizes::default())
    }
}

impl<'de> Visitor<'de> for Sizes {
    type Value = Sizes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sizes of axes")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut sizes: A) -> Result<Sizes, A::Error> {
        while let Some(size) = sizes.next_element()? {
            if self.0.len() == MOST_AXES {
                return Err(A::Error::custom(format!("has more than {MOST_AXES} axes")));
            }
            self.0.push(size);
        }
        Ok(self)
    }
}

/// The text under our key, of texts under any.
#[derive(Default)]
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        deserializer.deserialize_map(Text::default())
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("texts by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut texts: A) -> Result<Text, A::Error> {
        let mut ours = None;
        while let Some((key, text)) = texts.next_entry::<String, String>()? {
            if key == METADATA_KEY && ours.replace(text).is_some() {
                return Err(A::Error::custom(format!("two texts are named {METADATA_KEY}")));
            }
        }
        Ok(Text(ours.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the elements of a tensor of this name begin and end.
    type Offsets = (String, (usize, usize));

    /// The text and the tensors of a header, or why it is none.
    fn parsed(json: &str) -> Result<(String, Vec<Offsets>), String> {
        let Header { tensors, text } = parse(json.as_bytes()).map_err(|reason| reason.to_string())?;
        let offsets = |name: String| {
            let offsets = tensors.info(&name).unwrap().data_offsets;
            (name, offsets)
        };
        Ok((text, tensors.offset_keys().into_iter().map(offsets).collect()))
    }

    fn tensor(name: &str, shape: &str, start: usize, end: usize) -> String {
        format!(r#""{name}":{{"dtype":"F32","shape":{shape},"data_offsets":[{start},{end}]}}"#)
    }

    #[test]
    fn tensors_come_in_the_order_of_their_elements() {
        let [a, b, c] =
            [tensor("a", "[2]", 4, 12), tensor("b", "[]", 0, 4), tensor("\\u0000c\\n", "[3,0]", 12, 12)];
        let (text, tensors) =
            parsed(&format!(r#" {{{a}, "__metadata__": {{"format":"pt","gradus":"x\ny"}}, {c},{b}}}   "#))
                .unwrap();
        assert_eq!(text, "x\ny");
        let names: Vec<_> = tensors.iter().map(|(name, offsets)| (&name[..], *offsets)).collect();
        assert_eq!(names, [("b", (0, 4)), ("a", (4, 12)), ("\0c\n", (12, 12))]);
        for none in ["{}", r#"{"__metadata__":null}"#, r#"{"__metadata__":{}}"#] {
            assert_eq!(parsed(none).unwrap(), (String::new(), vec![]), "{none}");
        }
    }

    #[test]
    fn what_is_there_twice_is_refused() {
        let x = tensor("x", "[2]", 0, 8);
        // Of the same elements, which two tensors could not be.
        let twice = parsed(&format!("{{{x},{}}}", tensor("\\u0078", "[2,1]", 0, 8))).unwrap_err();
        assert_eq!(twice, "two tensors are named x");
        let metadata = r#""__metadata__":{"a":"b"}"#;
        let twice = parsed(&format!("{{{metadata},{metadata}}}")).unwrap_err();
        assert!(twice.starts_with("__metadata__ is there twice"), "{twice}");
        let texts = parsed(r#"{"__metadata__":{"gradus":"a","gradus":"b"}}"#).unwrap_err();
        assert!(texts.starts_with("two texts are named gradus"), "{texts}");
        let kinds = x.replacen("\"dtype\":\"F32\"", "\"dtype\":\"F32\",\"dtype\":\"I32\"", 1);
        assert!(parsed(&format!("{{{kinds}}}")).unwrap_err().starts_with("duplicate field `dtype`"));
    }

    #[test]
    fn tensors_that_overlap_or_leave_gaps_are_refused() {
        for (of_a, of_b) in [((0, 8), (0, 8)), ((0, 8), (4, 12)), ((0, 8), (9, 17)), ((1, 9), (9, 17))] {
            let (a, b) = (tensor("a", "[2]", of_a.0, of_a.1), tensor("b", "[2]", of_b.0, of_b.1));
            for both in [format!("{{{a},{b}}}"), format!("{{{b},{a}}}")] {
                assert!(parsed(&both).unwrap_err().starts_with("invalid offset for tensor"), "{both}");
            }
        }
        for (shape, start, end) in [
            ("[2]", 8, 0),
            ("[2]", 0, 4),
            ("[0]", 0, 4),
            ("[4611686018427387905]", 0, 4),
            ("[9223372036854775808,2,0]", 0, 0),
        ] {
            assert!(parsed(&format!("{{{}}}", tensor("a", shape, start, end))).is_err(), "{shape}");
        }
        for json in [
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551616]}}"#,
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}"#,
            r#"{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#,
            r#"{"a":{"dtype":"F32","shape":[1]}}"#,
            r#"{"a":null}"#,
            r#"{"__metadata__":{"gradus":7}}"#,
            r#"{"__metadata__":{"other":null}}"#,
            r#"{"__metadata__":"text"}"#,
            "[]",
            "{} {}",
            "",
        ] {
            assert!(parsed(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_shape_of_very_many_axes_is_refused_at_once() {
        let axes = |n: usize| format!("{{{}}}", tensor("x", &format!("[{}0]", "1,".repeat(n - 1)), 0, 0));
        assert_eq!(parsed(&axes(64)).unwrap().1.len(), 1);
        let error = parsed(&axes(3_000_000)).unwrap_err();
        assert!(error.starts_with("has more than 64 axes at line 1 column 1"), "{error}");
    }
}
