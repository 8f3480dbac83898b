//! The thread that speaks MPI: it does one job after the other, with calls that block.
//!
//! A call of MPI whose peer has died never returns. So nobody but this thread makes one, and whoever waits for it can go
//! away: the thread is left behind, and ends with the process.

use mpi::{
    collective::{CommunicatorCollectives, SystemOperation},
    datatype::{Partition, PartitionMut},
    environment::{Threading, initialize_with_threading, processor_name},
    topology::{Communicator, SimpleCommunicator},
};
use std::{
    sync::mpsc::{Receiver, Sender},
    thread,
};

/// What the thread is to do.
pub(crate) enum Job {
    /// The words to send, and how many of them go to each rank.
    AllToAll(Vec<u32>, Vec<usize>),
    /// The words to send, and how many come from each rank.
    AllGather(Vec<u32>, Vec<usize>),
    /// MPI's own sum, to measure by, and the place for it.
    AllReduce(Vec<f32>, Vec<f32>),
}

/// What a rank hears: from this thread, or from the watch.
pub(crate) enum Answer {
    /// MPI runs.
    Begun { rank: usize, size: usize, host: String },
    /// MPI cannot be used.
    Unusable(String),
    /// What a job gave.
    Words(Vec<u32>),
    /// What [`Job::AllReduce`] gave.
    Sums(Vec<f32>, Vec<f32>),
    /// MPI has ended as it should, on all ranks.
    Finalized,
    /// A rank has dropped its group after so many jobs.
    Left(usize, u64),
    /// A rank is dead, and how that was seen.
    Lost(usize, String),
}

/// Starts MPI on a thread of its own, which ends it when there will be no more jobs.
pub(crate) fn start(jobs: Receiver<Job>, answers: Sender<Answer>) -> std::io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("gradus-mpi".into()).spawn(move || {
        // A failed send has nobody to hear it.
        let Some((universe, _)) = initialize_with_threading(Threading::Funneled) else {
            let _ = answers.send(Answer::Unusable("MPI has been started before in this process".into()));
            return;
        };
        let world = universe.world();
        let (rank, size) = (world.rank() as usize, world.size() as usize);
        let host = processor_name().unwrap_or_default();
        let _ = answers.send(Answer::Begun { rank, size, host });
        let mut spare = Vec::new();
        for job in jobs {
            if answers.send(run(&world, job, &mut spare)).is_err() {
                break;
            }
        }
        drop(universe);
        let _ = answers.send(Answer::Finalized);
    })
}

/// Does a job. The words of the last one are the place for the next one's.
fn run(world: &SimpleCommunicator, job: Job, spare: &mut Vec<u32>) -> Answer {
    let (rank, size) = (world.rank() as usize, world.size() as usize);
    let mut all = std::mem::take(spare);
    match job {
        Job::AllToAll(words, counts) => {
            let mine = vec![counts[rank]; size];
            all.resize(mine.iter().sum(), 0);
            let (sent, received) = (of_mpi(&counts), of_mpi(&mine));
            world.all_to_all_varcount_into(
                &Partition::new(&words[..], &sent.0[..], &sent.1[..]),
                &mut PartitionMut::new(&mut all[..], &received.0[..], &received.1[..]),
            );
            *spare = words;
        }
        Job::AllGather(words, counts) => {
            all.resize(counts.iter().sum(), 0);
            let received = of_mpi(&counts);
            world.all_gather_varcount_into(
                &words[..],
                &mut PartitionMut::new(&mut all[..], &received.0[..], &received.1[..]),
            );
            *spare = words;
        }
        Job::AllReduce(numbers, mut sums) => {
            world.all_reduce_into(&numbers[..], &mut sums[..], SystemOperation::sum());
            return Answer::Sums(numbers, sums);
        }
    }
    Answer::Words(all)
}

/// Counts and where each part begins, as MPI wants them.
fn of_mpi(counts: &[usize]) -> (Vec<i32>, Vec<i32>) {
    let whole = |n: usize| i32::try_from(n).expect("words of one job are fewer than 2^31");
    let begin = counts.iter().scan(0, |next, &count| Some(std::mem::replace(next, *next + count)));
    (counts.iter().copied().map(whole).collect(), begin.map(whole).collect())
}
