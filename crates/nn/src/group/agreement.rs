//! What ranks must have alike before they train together.

use super::{Group, GroupError, gather_texts};
use crate::module::Module;
use gradus_tensor::{Tensor, simd::Isa};
use std::fmt::{Display, Write};

/// How many differences an error names.
const NAMED: usize = 6;

/// A list of things that all ranks must have alike: the version of gradus and the instruction set to begin with.
///
/// ```
/// use gradus_nn::group::{Agreement, Group, LocalGroup};
///
/// let found = LocalGroup::run(2, |mut group| {
///     let mut mine = Agreement::new();
///     mine.add("learning rate", [0.1, 0.01][group.rank()]);
///     mine.check(&mut group).unwrap_err().to_string()
/// });
/// assert_eq!(found[0], "group: the ranks differ: learning rate is 0.1 on rank 0 and 0.01 on rank 1");
/// assert_eq!(found[1], found[0]);
/// ```
#[derive(Clone, Debug)]
pub struct Agreement {
    lines: String,
}

impl Agreement {
    /// With the version and the instruction set of this process.
    #[allow(clippy::new_without_default, reason = "it asks the processor")]
    pub fn new() -> Agreement {
        let mut all = Agreement { lines: String::new() };
        all.add("the version of gradus", env!("CARGO_PKG_VERSION"));
        // Sets differ in last bits; GRADUS_ISA makes them alike.
        all.add("the instruction set (GRADUS_ISA)", format!("{:?}", Isa::current()));
        all
    }

    /// Adds a thing and what it is here.
    pub fn add(&mut self, what: impl Display, value: impl Display) {
        let line = format!("{what}\t{value}").replace('\n', " ");
        writeln!(self.lines, "{line}").expect("a string takes all");
    }

    /// Adds every parameter and buffer of a model: name, shape, whether it is trained, and a hash of its numbers.
    pub fn add_model(&mut self, model: &dyn Module) {
        for (name, param) in model.params() {
            let frozen = if param.is_frozen() { ", not trained" } else { "" };
            let (shape, hash) = (param.value().shape(), hash_of(param.value()));
            self.add(format!("parameter {name}"), format!("{shape}{frozen} with the hash {hash:016x}"));
        }
    }

    /// Compares the lists of all ranks.
    ///
    /// # Errors
    /// When a rank differs from rank 0, on every rank with the same text, which names what differs; when a rank is lost.
    pub fn check(&self, group: &mut dyn Group) -> Result<(), GroupError> {
        let texts = gather_texts(group, &self.lines)?;
        let lists: Vec<Vec<(&str, &str)>> = texts
            .iter()
            .map(|text| text.lines().filter_map(|line| line.split_once('\t')).collect())
            .collect();
        let find = |list: &[(&str, &str)], what| {
            list.iter().find(|(key, _)| *key == what).map_or("missing", |x| x.1).to_owned()
        };
        let mut found = Vec::new();
        for (rank, list) in lists.iter().enumerate().filter(|(_, list)| **list != lists[0]) {
            let mut keys: Vec<&str> = Vec::new();
            for (key, _) in lists[0].iter().chain(list) {
                if !keys.contains(key) {
                    keys.push(key);
                }
            }
            for key in keys {
                let (a, b) = (find(&lists[0], key), find(list, key));
                if a != b {
                    found.push(format!("{key} is {a} on rank 0 and {b} on rank {rank}"));
                }
            }
            if found.is_empty() {
                found.push(format!("the order of things on rank {rank} is another one than on rank 0"));
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        let more = found.len().saturating_sub(NAMED);
        found.truncate(NAMED);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        Err(GroupError::new(format!("the ranks differ: {}{more}", found.join("; "))))
    }
}

/// FNV-1a over the bits of the elements, a word at a time.
pub(crate) fn hash_words(hash: u64, words: impl IntoIterator<Item = u32>) -> u64 {
    words.into_iter().fold(hash, |hash, word| (hash ^ u64::from(word)).wrapping_mul(0x100_0000_01b3))
}

/// With which a hash begins.
pub(crate) const HASH: u64 = 0xcbf2_9ce4_8422_2325;

fn hash_of(tensor: &Tensor) -> u64 {
    hash_words(HASH, tensor.iter().map(f32::to_bits))
}

/// A hash of all parameters and buffers.
pub(crate) fn hash_model(model: &dyn Module) -> u64 {
    model
        .params()
        .iter()
        .fold(HASH, |hash, (_, param)| hash_words(hash, param.value().iter().map(f32::to_bits)))
}
