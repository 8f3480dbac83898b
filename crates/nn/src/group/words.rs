//! Words that are not as many on every rank: lists, texts, numbers of 64 bits.

use super::{Group, GroupError};

/// What every rank sends, of any length, in the order of the ranks.
///
/// # Errors
/// When a rank is lost.
pub fn gather_words(group: &mut dyn Group, words: Vec<u32>) -> Result<Vec<Vec<u32>>, GroupError> {
    if group.size() == 1 {
        return Ok(vec![words]);
    }
    let len = u32::try_from(words.len())
        .map_err(|_| GroupError::new(format!("{} words are too many at once", words.len())))?;
    let (rank, ones) = (group.rank(), vec![1; group.size()]);
    let lens = group.all_gather(vec![len], &ones)?;
    let mut counts: Vec<usize> = lens.iter().map(|&n| n as usize).collect();
    counts.insert(rank, words.len());
    group.reuse(lens);
    let others = group.all_gather(words.clone(), &counts)?;
    counts.remove(rank);
    let mut rest = &others[..];
    let part = |count: usize| {
        let (part, after) = rest.split_at(count);
        rest = after;
        part.to_vec()
    };
    let mut all: Vec<Vec<u32>> = counts.into_iter().map(part).collect();
    all.insert(rank, words);
    group.reuse(others);
    Ok(all)
}

/// The texts of all ranks, in their order.
///
/// # Errors
/// When a rank is lost.
///
/// ```
/// use gradus_nn::group::{Group, LocalGroup, gather_texts};
///
/// let hosts = LocalGroup::run(2, |mut group| {
///     let text = ["one", "another"][group.rank()];
///     gather_texts(&mut group, text).unwrap()
/// });
/// assert_eq!(hosts, [["one", "another"]; 2]);
/// ```
pub fn gather_texts(group: &mut dyn Group, text: &str) -> Result<Vec<String>, GroupError> {
    // Its length in bytes, then four of them a word.
    let mut words = vec![text.len() as u32];
    words.extend(text.as_bytes().chunks(4).map(|bytes| {
        let mut word = [0; 4];
        word[..bytes.len()].copy_from_slice(bytes);
        u32::from_le_bytes(word)
    }));
    let text = |words: Vec<u32>| {
        let bytes = words[1..].iter().flat_map(|word| word.to_le_bytes()).take(words[0] as usize);
        String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
    };
    Ok(gather_words(group, words)?.into_iter().map(text).collect())
}

pub(crate) fn put_f64(words: &mut Vec<u32>, x: f64) {
    words.extend([x.to_bits() as u32, (x.to_bits() >> 32) as u32]);
}

/// Takes a rank's words apart again.
pub(crate) struct Reader<'a> {
    rank: usize,
    rest: &'a [u32],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(rank: usize, words: &'a [u32]) -> Reader<'a> {
        Reader { rank, rest: words }
    }

    pub(crate) fn words(&mut self, count: usize) -> Result<&'a [u32], GroupError> {
        let Some((words, rest)) = self.rest.split_at_checked(count) else {
            return Err(GroupError::new(format!(
                "rank {} has sent less than was expected: the ranks do not run the same program",
                self.rank
            )));
        };
        self.rest = rest;
        Ok(words)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, GroupError> {
        Ok(self.words(1)?[0])
    }

    pub(crate) fn f64(&mut self) -> Result<f64, GroupError> {
        let words = self.words(2)?;
        Ok(f64::from_bits(u64::from(words[0]) | u64::from(words[1]) << 32))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}
