//! How many threads there are, and work of one's own on them.

pub(crate) mod share;

pub use share::alone;

use std::fmt;

/// The pool of threads is running already, with another number of threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolRuns {
    /// Its number of threads.
    pub threads: usize,
}

impl fmt::Display for PoolRuns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the pool runs already, with {} threads; set their number before the first computation",
            self.threads
        )
    }
}

impl std::error::Error for PoolRuns {}

/// The number of threads that computations called here are shared between.
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// Sets the number of threads, for the whole program: before the first computation, which starts as many as there are
/// processors, or as `RAYON_NUM_THREADS` says. No result depends on it.
///
/// # Errors
/// When the pool runs already with another number.
///
/// # Panics
/// When the number is 0.
///
/// ```
/// use gradus_tensor::threads::{set_threads, threads};
///
/// set_threads(1)?;
/// assert_eq!(threads(), 1);
/// assert!(set_threads(2).is_err());
/// # Ok::<(), gradus_tensor::threads::PoolRuns>(())
/// ```
#[track_caller]
pub fn set_threads(count: usize) -> Result<(), PoolRuns> {
    assert!(count > 0, "set_threads: there must be at least one thread");
    // It fails when the pool runs; then the number may still be the right one.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(count).build_global();
    let threads = threads();
    if threads == count { Ok(()) } else { Err(PoolRuns { threads }) }
}

/// Calls `f` on a pool of its own with this number of threads, which ends with it: for a comparison, or a test.
///
/// # Panics
/// When the number is 0, or the system gives no more threads.
///
/// ```
/// use gradus_tensor::{Tensor, threads::{threads, with_threads}};
///
/// assert_eq!(with_threads(3, || (threads(), Tensor::ones([100_000]).sum().item())), (3, 100_000.0));
/// ```
#[track_caller]
pub fn with_threads<R: Send>(count: usize, f: impl FnOnce() -> R + Send) -> R {
    assert!(count > 0, "with_threads: there must be at least one thread");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build();
    pool.expect("the system gives no more threads").install(f)
}

/// `f(0)`, `f(1)`, ... computed side by side on the pool, in that order in the list.
///
/// ```
/// use gradus_tensor::threads::map_parts;
///
/// assert_eq!(map_parts(4, |i| i * i), [0, 1, 4, 9]);
/// ```
pub fn map_parts<R: Send>(count: usize, f: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let mut results: Vec<Option<R>> = (0..count).map(|_| None).collect();
    share::for_each_item(count, results.iter_mut().enumerate(), |(i, result)| *result = Some(f(i)));
    results.into_iter().map(|result| result.expect("every part was computed")).collect()
}
