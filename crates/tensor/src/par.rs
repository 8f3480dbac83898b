//! When work is shared between threads, and how: every threshold of the crate stands here.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Multiply-adds from which a matrix product is shared between threads. Waking a sleeping worker takes some
/// ten microseconds, in which one core does about half a million multiply-adds.
pub(crate) const MATMUL_MIN_WORK: usize = 1 << 20;

/// Multiply-adds that one part of a shared matrix product has at least.
pub(crate) const MATMUL_MIN_PART: usize = 1 << 19;

/// Matrix elements from which a product of a vector and a matrix, which only reads memory, is shared between
/// threads.
pub(crate) const VECTOR_MATRIX_MIN_WORK: usize = 1 << 17;

/// Calls `run(part)` once for every part in `0..parts`, on this thread and on idle threads of the pool.
///
/// The parts are handed out one by one, so a thread that is held up takes fewer of them. The calling thread
/// takes part from the start even when it is no worker of the pool: for it the work begins before a worker
/// has woken up.
pub(crate) fn for_each_part(parts: usize, run: impl Fn(usize) + Sync) {
    let threads = rayon::current_num_threads().min(parts);
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let part = next.fetch_add(1, Ordering::Relaxed);
            if part >= parts {
                break;
            }
            run(part);
        }
    };
    if threads <= 1 {
        return work();
    }
    rayon::in_place_scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|_| work());
        }
        work();
    });
}
