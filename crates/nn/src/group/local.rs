//! A group of threads: for tests, for examples, and to see what a program does before it has machines.

use super::{Group, GroupError};
use std::{
    fmt, panic,
    sync::{
        Arc, OnceLock,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

/// A rank that is a thread of this process. A rank that is dropped has left, and the others have an error that names it.
///
/// ```
/// use gradus_nn::group::{Group, LocalGroup};
///
/// let seen = LocalGroup::run(3, |mut group| {
///     if group.rank() == 1 {
///         return None; // leaves
///     }
///     group.barrier().err()
/// });
/// assert_eq!(seen[0].as_ref().unwrap().to_string(), "group: rank 1 is lost: it has left the group");
/// assert_eq!(seen[2], seen[0]);
/// ```
pub struct LocalGroup {
    rank: usize,
    to: Vec<Sender<Vec<u32>>>,
    from: Vec<Receiver<Vec<u32>>>,
    /// The first that left, which is why others do.
    left: Arc<OnceLock<usize>>,
}

impl LocalGroup {
    /// The ranks of a group, each for a thread of its own.
    pub fn new(size: usize) -> Vec<LocalGroup> {
        let left = Arc::new(OnceLock::new());
        let rank = |rank| LocalGroup { rank, to: Vec::new(), from: Vec::new(), left: Arc::clone(&left) };
        let mut ranks: Vec<LocalGroup> = (0..size).map(rank).collect();
        for sender in 0..size {
            for receiver in 0..size {
                let (to, from) = channel();
                ranks[sender].to.push(to);
                ranks[receiver].from.push(from);
            }
        }
        ranks
    }

    /// Runs a function once for each rank of a group, on a thread each; gives what they return, in the order of the ranks.
    ///
    /// # Panics
    /// When one of them does; the others see that its rank has left.
    pub fn run<R: Send>(size: usize, f: impl Fn(LocalGroup) -> R + Sync) -> Vec<R> {
        thread::scope(|scope| {
            let threads: Vec<_> =
                LocalGroup::new(size).into_iter().map(|group| scope.spawn(|| f(group))).collect();
            let results: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
            results.into_iter().map(|result| result.unwrap_or_else(|e| panic::resume_unwind(e))).collect()
        })
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let me = self.rank;
        (0..self.to.len()).filter(move |&rank| rank != me)
    }

    fn lost(&self, rank: usize) -> GroupError {
        GroupError::lost(*self.left.get().unwrap_or(&rank), "it has left the group")
    }

    fn send(&self, rank: usize, words: Vec<u32>) -> Result<(), GroupError> {
        self.to[rank].send(words).map_err(|_| self.lost(rank))
    }

    fn receive(&self, rank: usize, count: usize, all: &mut Vec<u32>) -> Result<(), GroupError> {
        let words = self.from[rank].recv().map_err(|_| self.lost(rank))?;
        if words.len() != count {
            return Err(GroupError::new(format!(
                "rank {rank} sends {} words where rank {} expects {count}: they do not run the same program",
                words.len(),
                self.rank
            )));
        }
        all.extend_from_slice(&words);
        Ok(())
    }
}

impl Group for LocalGroup {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.to.len()
    }

    fn all_to_all(&mut self, words: Vec<u32>, counts: &[usize]) -> Result<Vec<u32>, GroupError> {
        let mut rest = &words[..];
        for rank in self.others() {
            let (part, after) = rest.split_at(counts[rank]);
            self.send(rank, part.to_vec())?;
            rest = after;
        }
        let mut all = Vec::with_capacity(counts[self.rank] * (self.size() - 1));
        for rank in self.others() {
            self.receive(rank, counts[self.rank], &mut all)?;
        }
        Ok(all)
    }

    fn all_gather(&mut self, words: Vec<u32>, counts: &[usize]) -> Result<Vec<u32>, GroupError> {
        for rank in self.others() {
            self.send(rank, words.clone())?;
        }
        let mut all = Vec::with_capacity(counts.iter().sum());
        for rank in self.others() {
            self.receive(rank, counts[rank], &mut all)?;
        }
        Ok(all)
    }
}

impl Drop for LocalGroup {
    fn drop(&mut self) {
        let _ = self.left.set(self.rank);
    }
}

impl fmt::Debug for LocalGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalGroup(rank {} of {})", self.rank, self.size())
    }
}
