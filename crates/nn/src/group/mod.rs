//! Groups of ranks: processes or threads that train one model together, and what they say to each other.
//!
//! A [`Group`] only carries words. What is added is added here, in an order that is always the same: first neighbours, then
//! neighbours among the sums, and so on, by the numbers of the shards of a batch. So a batch in 4 shards has the gradients
//! of 2 ranks with 2 shards each and of 4 ranks with one, to the last bit. That holds whenever the shards of a rank are a
//! power of two, and the ranks any number.

mod agreement;
mod local;
mod parts;
mod sum;
mod words;

pub use agreement::Agreement;
pub(crate) use agreement::{HASH, hash_model, hash_words};
pub use local::LocalGroup;
pub use parts::sum;
pub(crate) use parts::{BUCKET, Parts, blocks, elements, filled};
pub(crate) use sum::in_pairs;
pub(crate) use words::{Reader, put_f64};
pub use words::{gather_texts, gather_words};

use std::{fmt, ops::Range};

/// What carries words of 32 bits between ranks. It computes nothing, so that no sum has an order of the carrier's own; a
/// number goes as its bits, [`f32::to_bits`].
///
/// All ranks call the same functions in the same order: each call waits for all others. [`LocalGroup`] is made of threads;
/// the crate `gradus-mpi` has one of processes, on one machine or many. [`Alone`] is the group of one.
///
/// ```
/// use gradus_nn::group::{Group, LocalGroup, sum};
///
/// let sums = LocalGroup::run(3, |mut group| {
///     let mut numbers = [1.5, group.rank() as f32];
///     sum(&mut group, &mut numbers).unwrap();
///     numbers
/// });
/// assert_eq!(sums, [[4.5, 3.0]; 3]);
/// ```
pub trait Group: Send {
    /// The number of this rank, from 0.
    fn rank(&self) -> usize;

    /// The number of ranks.
    fn size(&self) -> usize;

    /// Sends every other rank its words, `counts[r]` to rank `r`, which follow each other in the order of the ranks; gives what
    /// came from every other, `counts[rank]` words each, in their order. All ranks give the same counts. What is this
    /// rank's own stays with the caller, and is in neither.
    ///
    /// # Errors
    /// When a rank has left the group, or ranks give other counts. The group cannot be used any more then, and every
    /// rank has the error.
    fn all_to_all(&mut self, words: Vec<u32>, counts: &[usize]) -> Result<Vec<u32>, GroupError>;

    /// Sends these words, `counts[rank]` of them, to all others; gives those of all others in their order. All ranks give
    /// the same counts.
    ///
    /// # Errors
    /// As [`Group::all_to_all`].
    fn all_gather(&mut self, words: Vec<u32>, counts: &[usize]) -> Result<Vec<u32>, GroupError>;

    /// Memory to put words into, of any content: what the carrier has kept of earlier calls, if it keeps any. Fresh pages cost
    /// more than the copies.
    fn memory(&mut self) -> Vec<u32> {
        Vec::new()
    }

    /// Takes the words that a call has given, when they have been read, as memory for later ones.
    fn reuse(&mut self, _words: Vec<u32>) {}

    /// Waits until all ranks are here.
    ///
    /// # Errors
    /// As [`Group::all_to_all`].
    fn barrier(&mut self) -> Result<(), GroupError> {
        let counts = vec![1; self.size()];
        let others = self.all_gather(vec![0], &counts)?;
        self.reuse(others);
        Ok(())
    }

    /// Whether gradients are to be sent while the sweep still goes on. That pays where a network moves them; between ranks of
    /// one machine the cores that compute have to copy them.
    fn overlaps(&self) -> bool {
        true
    }

    /// Says whether this rank computes while its calls wait, as in a sweep whose gradients are sent. A carrier that waits by
    /// turning round and round leaves the processor then; one that sleeps need not know.
    fn set_computing(&mut self, _computing: bool) {}
}

/// The group of a single rank.
#[derive(Clone, Copy, Debug)]
pub struct Alone;

impl Group for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn all_to_all(&mut self, _: Vec<u32>, _: &[usize]) -> Result<Vec<u32>, GroupError> {
        Ok(Vec::new())
    }

    fn all_gather(&mut self, _: Vec<u32>, _: &[usize]) -> Result<Vec<u32>, GroupError> {
        Ok(Vec::new())
    }
}

/// Why ranks do not work together any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupError {
    rank: Option<usize>,
    reason: String,
}

impl GroupError {
    /// That this rank has left the group, by its own will or not.
    pub fn lost(rank: usize, reason: impl fmt::Display) -> GroupError {
        GroupError { rank: Some(rank), reason: reason.to_string() }
    }

    /// Another reason.
    pub fn new(reason: impl fmt::Display) -> GroupError {
        GroupError { rank: None, reason: reason.to_string() }
    }

    /// The rank that left, if that is the reason.
    pub fn rank(&self) -> Option<usize> {
        self.rank
    }
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rank {
            Some(rank) => write!(f, "group: rank {rank} is lost: {}", self.reason),
            None => write!(f, "group: {}", self.reason),
        }
    }
}

impl std::error::Error for GroupError {}

/// The part of `n` things that falls to `part` of `parts`: parts follow each other, and differ by one thing at most.
///
/// ```
/// use gradus_nn::group::share;
/// assert_eq!([0, 1, 2].map(|part| share(10, part, 3)), [0..3, 3..6, 6..10]);
/// ```
pub fn share(n: usize, part: usize, parts: usize) -> Range<usize> {
    n * part / parts..n * (part + 1) / parts
}

/// Runs a function on rank 0 alone, such as one that writes a file; all wait for it, and all have its error.
///
/// ```
/// use gradus_nn::{Linear, State, group::{Group, LocalGroup, on_rank_0}};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = &dir.path().join("run.safetensors");
/// LocalGroup::run(2, |mut group| {
///     let run = State::new();
///     on_rank_0(&mut group, || run.save(path)).unwrap();
///     assert!(path.exists());
///     let error = on_rank_0(&mut group, || run.save("/no/such/folder/run")).unwrap_err();
///     assert!(error.to_string().contains("/no/such/folder/run"));
/// });
/// ```
///
/// # Errors
/// When the function fails, or a rank is lost.
pub fn on_rank_0<E: fmt::Display>(
    group: &mut dyn Group,
    f: impl FnOnce() -> Result<(), E>,
) -> Result<(), GroupError> {
    let result = if group.rank() == 0 { f() } else { Ok(()) };
    let text = result.err().map_or_else(String::new, |error| format!("rank 0: {error}"));
    match gather_texts(group, &text)?.swap_remove(0) {
        text if text.is_empty() => Ok(()),
        text => Err(GroupError::new(text)),
    }
}
