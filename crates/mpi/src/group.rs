//! The group of all processes that one `mpirun` has started.

use crate::{
    carrier::{Answer, Job, one_behind_the_other, start},
    watch::Watch,
};
use gradus_nn::group::{Group, GroupError, gather_texts};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
};

/// This process as a rank among all those that `mpirun`, `srun` or the like has started; alone where nothing has.
///
/// A rank that dies, leaves or whose machine falls silent is an error on all others, which names it. MPI is ended when the
/// group is dropped, on all ranks; after an error it is left as it is, and the process should end.
pub struct MpiGroup {
    rank: usize,
    size: usize,
    /// The number of calls so far.
    count: u64,
    /// Whether this rank computes meanwhile.
    computing: Arc<AtomicBool>,
    jobs: Option<Sender<Job>>,
    answers: Receiver<Answer>,
    /// Whether ranks are on several machines.
    is_network: bool,
    /// Memory for words, the largest last.
    spare: Vec<Vec<u32>>,
    carrier: Option<JoinHandle<()>>,
    watch: Option<Watch>,
    /// Those that have left, and after how many calls.
    left: Vec<(usize, u64)>,
    broken: Option<GroupError>,
}

impl MpiGroup {
    /// Starts MPI, and connects all ranks to rank 0, by which each hears when another dies. All ranks call it, once in a
    /// process.
    ///
    /// The connections use TCP, at a port that the system chooses and the address of rank 0's host name; the environment
    /// variable `GRADUS_MPI_ADDRESS` of rank 0 names another address.
    ///
    /// # Errors
    /// When MPI has been started before in this process, or a rank does not reach rank 0.
    pub fn new() -> Result<MpiGroup, GroupError> {
        let ((jobs, of_carrier), (sender, answers)) = (channel(), channel());
        let computing = Arc::new(AtomicBool::new(false));
        let no_thread = |error| GroupError::new(format!("no thread for MPI: {error}"));
        let carrier = Some(start(of_carrier, sender.clone(), Arc::clone(&computing)).map_err(no_thread)?);
        let (rank, size, host) = match answers.recv() {
            Ok(Answer::Begun { rank, size, host }) => (rank, size, host),
            Ok(Answer::Unusable(reason)) => return Err(GroupError::new(reason)),
            _ => return Err(GroupError::new("MPI does not start")),
        };
        let mut group = MpiGroup {
            rank,
            size,
            count: 0,
            computing,
            jobs: Some(jobs),
            answers,
            is_network: false,
            spare: Vec::new(),
            carrier,
            watch: None,
            left: Vec::new(),
            broken: None,
        };
        if size > 1 {
            match Watch::start(&mut group, &host, sender) {
                Ok(watch) => group.watch = Some(watch),
                Err(error) => {
                    group.broken = Some(error.clone());
                    return Err(error);
                }
            }
            group.is_network = gather_texts(&mut group, &host)?.iter().any(|other| *other != host);
        }
        Ok(group)
    }

    /// `MPI_Allreduce` itself, whose sums have an order of MPI's own, into a vector that is given: to measure by.
    #[doc(hidden)]
    pub fn mpi_all_reduce(
        &mut self,
        numbers: Vec<f32>,
        sums: Vec<f32>,
    ) -> Result<(Vec<f32>, Vec<f32>), GroupError> {
        match self.run(Job::Reduce(numbers, sums))? {
            Answer::Sums(numbers, sums) => Ok((numbers, sums)),
            _ => unreachable!("what a sum gives"),
        }
    }

    /// Sends each rank so many words that begin there, and gives what comes from each.
    fn exchange(
        &mut self,
        words: Vec<u32>,
        counts: Vec<usize>,
        begins: Vec<usize>,
        come: Vec<usize>,
    ) -> Result<Vec<u32>, GroupError> {
        let place = self.memory();
        match self.run(Job::Exchange { words, counts, begins, come, place })? {
            Answer::Words(words, sent) => {
                self.reuse(sent);
                Ok(words)
            }
            _ => unreachable!("what words give"),
        }
    }

    /// Numbers for each rank, of which this one's is 0: it sends itself nothing.
    fn of_others(&self, number: impl Fn(usize) -> usize) -> Vec<usize> {
        (0..self.size).map(|rank| if rank == self.rank { 0 } else { number(rank) }).collect()
    }

    /// Gives the thread a job and waits for it, or for the news that it will never be done.
    fn run(&mut self, job: Job) -> Result<Answer, GroupError> {
        self.count += 1;
        if self.broken.is_none() {
            match self.wait(job) {
                Ok(answer) => return Ok(answer),
                Err(error) => self.broken = Some(error),
            }
        }
        // What ranks wait for this one hear it too.
        self.watch = None;
        Err(self.broken.clone().expect("set above"))
    }

    fn wait(&mut self, job: Job) -> Result<Answer, GroupError> {
        let ended = || GroupError::new("the thread of MPI has ended");
        self.jobs.as_ref().ok_or_else(ended)?.send(job).map_err(|_| ended())?;
        loop {
            // Whoever left before this call takes no part in it.
            if let Some((rank, _)) = self.left.iter().find(|(_, count)| *count < self.count) {
                return Err(GroupError::lost(*rank, "it has left the group"));
            }
            match self.answers.recv().map_err(|_| ended())? {
                Answer::Left(rank, count) => self.left.push((rank, count)),
                Answer::Lost(rank, why) => return Err(GroupError::lost(rank, why)),
                answer => return Ok(answer),
            }
        }
    }
}

impl Group for MpiGroup {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn all_to_all(&mut self, words: Vec<u32>, counts: &[usize]) -> Result<Vec<u32>, GroupError> {
        let (sent, come) = (self.of_others(|rank| counts[rank]), self.of_others(|_| counts[self.rank]));
        let begins = one_behind_the_other(&sent);
        self.exchange(words, sent, begins, come)
    }

    fn all_gather(&mut self, words: Vec<u32>, counts: &[usize]) -> Result<Vec<u32>, GroupError> {
        let (sent, come) = (self.of_others(|_| counts[self.rank]), self.of_others(|rank| counts[rank]));
        self.exchange(words, sent, vec![0; self.size], come)
    }

    fn memory(&mut self) -> Vec<u32> {
        self.spare.pop().unwrap_or_default()
    }

    /// Keeps the two largest: what is sent, and the place for what comes.
    fn reuse(&mut self, words: Vec<u32>) {
        self.spare.push(words);
        self.spare.sort_by_key(Vec::capacity);
        if self.spare.len() > 2 {
            self.spare.remove(0);
        }
    }

    fn overlaps(&self) -> bool {
        self.is_network
    }

    fn set_computing(&mut self, computing: bool) {
        self.computing.store(computing, Relaxed);
    }
}

/// Ends MPI with all others. Where a rank is lost, or this one panics, nobody waits for it.
impl Drop for MpiGroup {
    fn drop(&mut self) {
        if self.broken.is_some() || thread::panicking() {
            // The thread stays, if it is in a call that never returns.
            return;
        }
        if let Some(watch) = &mut self.watch {
            watch.leave(self.rank, self.count);
        }
        self.jobs = None;
        loop {
            match self.answers.recv() {
                Ok(Answer::Finalized) => break,
                Ok(Answer::Lost(..)) | Err(_) => return,
                Ok(_) => {}
            }
        }
        if let Some(carrier) = self.carrier.take() {
            let _ = carrier.join();
        }
    }
}

impl fmt::Debug for MpiGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MpiGroup(rank {} of {})", self.rank, self.size)
    }
}
