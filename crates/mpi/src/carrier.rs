//! The thread that speaks MPI: it does one job after the other.
//!
//! What MPI has begun with a peer that has died never ends. So nobody but this thread begins anything, and whoever waits for
//! it can go away: the thread is left behind, and ends with the process.
//!
//! MPI's own waiting turns round and round on a core that others could use, and on a busy machine the peer waits for just
//! this core. So the thread asks whether a job is done, and sleeps in between where it takes longer.

use mpi::{
    collective::{CommunicatorCollectives, SystemOperation},
    datatype::{Partition, PartitionMut},
    environment::{Threading, initialize_with_threading, processor_name},
    request::{Request, Scope, scope},
    topology::{Communicator, SimpleCommunicator},
};
use std::{
    hint,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

/// What the thread is to do.
pub(crate) enum Job {
    /// Words to send, how many of them go to each rank and where those begin; how many come from each rank, and the place for
    /// them.
    Exchange { words: Vec<u32>, counts: Vec<usize>, begins: Vec<usize>, come: Vec<usize>, place: Vec<u32> },
    /// MPI's own sum, to measure by, and the place for it.
    Reduce(Vec<f32>, Vec<f32>),
}

/// What a rank hears: from this thread, or from the watch.
pub(crate) enum Answer {
    /// MPI runs.
    Begun { rank: usize, size: usize, host: String },
    /// MPI cannot be used.
    Unusable(String),
    /// What a job gave, and what it was given.
    Words(Vec<u32>, Vec<u32>),
    /// What [`Job::Reduce`] gave, and what it was given.
    Sums(Vec<f32>, Vec<f32>),
    /// MPI has ended as it should, on all ranks.
    Finalized,
    /// A rank has dropped its group after so many jobs.
    Left(usize, u64),
    /// A rank is dead, and how that was seen.
    Lost(usize, String),
}

/// Starts MPI on a thread of its own, which ends it when there will be no more jobs. `computing` says whether this rank computes
/// while a job is done.
pub(crate) fn start(
    jobs: Receiver<Job>,
    answers: Sender<Answer>,
    computing: Arc<AtomicBool>,
) -> std::io::Result<thread::JoinHandle<()>> {
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
        for job in jobs {
            if answers.send(run(&world, job, &computing)).is_err() {
                break;
            }
        }
        drop(universe);
        let _ = answers.send(Answer::Finalized);
    })
}

fn run(world: &SimpleCommunicator, job: Job, computing: &AtomicBool) -> Answer {
    match job {
        Job::Exchange { words, counts, begins, come, mut place } => {
            place.resize(come.iter().sum(), 0);
            let (sent, sent_from) = (of_mpi(&counts), of_mpi(&begins));
            let (received, received_at) = (of_mpi(&come), of_mpi(&one_behind_the_other(&come)));
            let sent = Partition::new(&words[..], &sent[..], &sent_from[..]);
            let mut received = PartitionMut::new(&mut place[..], &received[..], &received_at[..]);
            scope(|scope| {
                wait(world.immediate_all_to_all_varcount_into(scope, &sent, &mut received), computing);
            });
            Answer::Words(place, words)
        }
        Job::Reduce(numbers, mut sums) => {
            world.all_reduce_into(&numbers[..], &mut sums[..], SystemOperation::sum());
            Answer::Sums(numbers, sums)
        }
    }
}

/// How long a job may take before its thread sleeps: beside a sweep, whose thread may need the core, and beside nobody.
/// To yield in between would be worse than to sleep, for on a busy machine the thread is not back for milliseconds.
const AWAKE_BESIDE: Duration = Duration::from_micros(50);
const AWAKE_ALONE: Duration = Duration::from_micros(500);
/// How long it sleeps then: in this time a network of 10 Gbit/s moves less than a connection holds.
const ASLEEP: Duration = Duration::from_micros(20);
/// How often it asks between two sleeps. Each time MPI moves a piece on, and it does not look at its sockets every time.
const ASKS: u64 = 8;

fn wait<'a, D: ?Sized, S: Scope<'a>>(mut request: Request<'a, D, S>, computing: &AtomicBool) {
    let start = Instant::now();
    for asks in 1u64.. {
        match request.test() {
            Ok(_) => return,
            Err(unfinished) => request = unfinished,
        }
        let awake = if computing.load(Relaxed) { AWAKE_BESIDE } else { AWAKE_ALONE };
        if start.elapsed() < awake || !asks.is_multiple_of(ASKS) {
            hint::spin_loop();
        } else {
            thread::sleep(ASLEEP);
        }
    }
}

/// Where parts of so many words begin that follow each other.
pub(crate) fn one_behind_the_other(counts: &[usize]) -> Vec<usize> {
    counts.iter().scan(0, |next, count| Some(std::mem::replace(next, *next + count))).collect()
}

/// As MPI wants them.
fn of_mpi(counts: &[usize]) -> Vec<i32> {
    let whole = |&n: &usize| i32::try_from(n).expect("words of one job are fewer than 2^31");
    counts.iter().map(whole).collect()
}
