//! When work is shared between threads, and how: every threshold of the crate stands here.
//!
//! Closures come as `&dyn Fn`, so that what is done with rayon is compiled once and not for every kernel.

use rayon::prelude::*;
use std::{
    cell::Cell,
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a worker without work looks for more before it goes to sleep: to wake one takes some ten microseconds, in which
/// a pass over a million numbers is half done.
const AWAKE: Duration = Duration::from_micros(100);

/// Elements that a thread gets at least in an elementwise pass: waking a worker costs more than fewer would save.
pub(crate) const ELEMENTWISE: usize = 32 << 10;
/// Multiply-adds of a convolution below which it stays on its thread.
pub(crate) const CONVOLUTION: usize = 128 << 10;

/// The same for reductions, which only read.
pub(crate) const REDUCTION: usize = 64 << 10;
/// The same for passes with an exponential in them.
pub(crate) const SOFTMAX: usize = 8 << 10;

/// The same for sorting, in elements of the rows to sort.
pub(crate) const SORTING: usize = 4 << 10;

/// Elements of weights in one piece of an optimizer's step: several streams of memory, so more work an element.
pub(crate) const UPDATE: usize = 16 << 10;

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
pub(crate) fn for_each_part(parts: usize, run: &(dyn Fn(usize) + Sync)) {
    let threads = if SHARING.get() { 1 } else { rayon::current_num_threads().min(parts) };
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
    let ended = AtomicUsize::new(0);
    rayon::in_place_scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|_| {
                alone(work);
                ended.fetch_add(1, Ordering::Release);
            });
        }
        keep_workers_awake(threads - 1);
        alone(work);
        // The others are about to finish; to be sent to sleep and woken again would take longer.
        let start = Instant::now();
        while ended.load(Ordering::Acquire) < threads - 1 && start.elapsed() < AWAKE {
            std::hint::spin_loop();
        }
    });
}

thread_local! {
    /// Whether this thread does a part of something shared: then it shares nothing further, for all threads have enough
    /// to do, and it would wait for them.
    static SHARING: Cell<bool> = const { Cell::new(false) };
}

/// Calls `f`, which shares nothing of what it computes with other threads: for parts of shared work, and for work beside a
/// computation that has the pool, whose threads would come to it late.
///
/// ```
/// use gradus_tensor::{Tensor, threads::alone};
///
/// let x = Tensor::ones([1000, 1000]);
/// let sum = std::thread::scope(|scope| scope.spawn(|| alone(|| (&x + 1.0).sum().item())).join().unwrap());
/// assert_eq!(sum, 2e6);
/// ```
pub fn alone<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            SHARING.set(self.0);
        }
    }
    let _restore = Restore(SHARING.replace(true));
    f()
}

/// Workers that look for work without going to sleep.
static LOOKING: AtomicUsize = AtomicUsize::new(0);

/// Lets as many workers look for work for a while after they have run out of it.
fn keep_workers_awake(workers: usize) {
    while LOOKING.load(Ordering::Relaxed) < workers {
        LOOKING.fetch_add(1, Ordering::Relaxed);
        rayon::spawn(|| {
            let mut idle = Instant::now();
            while idle.elapsed() < AWAKE {
                match rayon::yield_now() {
                    Some(rayon::Yield::Executed) => idle = Instant::now(),
                    _ => std::hint::spin_loop(),
                }
            }
            LOOKING.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Calls `f(start, piece)` for pieces of `out` of at least `grain` elements, shared between threads when there is more
/// than one. `f` must give the same elements however `out` is cut.
pub(crate) fn for_each_chunk(out: &mut [f32], grain: usize, f: &(dyn Fn(usize, &mut [f32]) + Sync)) {
    if out.len() < 2 * grain {
        return f(0, out);
    }
    let threads = rayon::current_num_threads();
    if threads == 1 {
        return f(0, out);
    }
    // Multiples of 1024 elements keep two threads off one cache line.
    let size = out.len().div_ceil(threads).max(grain).next_multiple_of(1024);
    for_each_piece(out, size, &|i, piece| f(i * size, piece));
}

/// Like [`for_each_chunk`], in whole runs of `run` elements; `f` gets the numbers of its runs.
pub(crate) fn for_each_run_chunk(
    out: &mut [f32],
    run: usize,
    grain: usize,
    f: &(dyn Fn(Range<usize>, &mut [f32]) + Sync),
) {
    if out.is_empty() {
        return;
    }
    let runs = out.len() / run;
    let threads = rayon::current_num_threads();
    if out.len() < 2 * grain || threads == 1 || runs == 1 {
        return f(0..runs, out);
    }
    let each = runs.div_ceil(threads).max(grain.div_ceil(run));
    for_each_piece(out, each * run, &|i, piece| f(i * each..i * each + piece.len() / run, piece));
}

/// Calls `f(i, piece)` for the pieces of `size` elements that `out` is cut into; the last may be shorter.
pub(crate) fn for_each_piece(out: &mut [f32], size: usize, f: &(dyn Fn(usize, &mut [f32]) + Sync)) {
    for_each_item(out.len().div_ceil(size), out.chunks_mut(size).enumerate(), |(i, piece)| f(i, piece));
}

/// Like [`for_each_piece`] for pieces that may share their own work, of `work` multiply-adds together: where there are two for
/// each thread they are shared, else they come one after the other.
pub(crate) fn for_each_large_piece(
    out: &mut [f32],
    size: usize,
    work: usize,
    f: &(dyn Fn(usize, &mut [f32]) + Sync),
) {
    if work >= 2 * CONVOLUTION && out.len().div_ceil(size) >= 2 * rayon::current_num_threads() {
        return for_each_piece(out, size, f);
    }
    out.chunks_mut(size).enumerate().for_each(|(i, piece)| f(i, piece));
}

/// Calls `f` for every item of an iterator of so many, on this thread and on idle threads of the pool.
pub(crate) fn for_each_item<T>(count: usize, items: impl Iterator<Item = T> + Send, f: impl Fn(T) + Sync) {
    let items = Mutex::new(items);
    for_each_part(count, &|_| {
        let item = items.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).next();
        if let Some(item) = item {
            f(item);
        }
    });
}

/// What [`for_each_block_part`] calls: with the block, the rows in it, and their elements.
type BlockPart<'a> = dyn Fn(usize, Range<usize>, &mut [f32]) + Sync + 'a;

/// Calls `f(block, rows, part)` for parts of `out`, which consists of blocks of `rows` rows of `row` elements each: whole
/// blocks where there are enough of them, else some of a block's rows. `work` counts the multiply-adds of it all. `f`
/// must give the same elements however a block is cut.
pub(crate) fn for_each_block_part(out: &mut [f32], [rows, row]: [usize; 2], work: usize, f: &BlockPart<'_>) {
    if out.is_empty() {
        return;
    }
    let threads = rayon::current_num_threads();
    if work < 2 * CONVOLUTION || threads == 1 {
        return out.chunks_mut(rows * row).enumerate().for_each(|(i, block)| f(i, 0..rows, block));
    }
    // Two parts a thread even out the threads' loads; eight rows fill a kernel's registers.
    let blocks = out.len() / (rows * row);
    let each = rows.div_ceil((2 * threads).div_ceil(blocks)).next_multiple_of(8).min(rows);
    let parts = out.chunks_mut(rows * row).enumerate().flat_map(|(i, block)| {
        block.chunks_mut(each * row).enumerate().map(move |(k, part)| (i, k * each, part))
    });
    for_each_item(blocks * rows.div_ceil(each), parts, |(i, first, part)| {
        f(i, first..first + part.len() / row, part);
    });
}

/// Calls `f(runs, a's part, b's part)` for parts of two lists of as many runs of `run` elements, on all threads where the
/// work, in elements that are read, is worth it. `f` must give the same elements however the lists are cut.
pub(crate) fn for_each_run_pair<A: Send, B: Send>(
    (a, b): (&mut [A], &mut [B]),
    run: usize,
    work: usize,
    f: impl Fn(Range<usize>, &mut [A], &mut [B]) + Sync,
) {
    if a.is_empty() {
        return;
    }
    let runs = a.len() / run;
    let threads = rayon::current_num_threads();
    if work < 2 * ELEMENTWISE || threads == 1 {
        return f(0..runs, a, b);
    }
    let each = runs.div_ceil(threads);
    let parts = a.chunks_mut(each * run).zip(b.chunks_mut(each * run)).enumerate();
    for_each_item(runs.div_ceil(each), parts, |(i, (a, b))| f(i * each..i * each + a.len() / run, a, b));
}

/// Like [`for_each_chunk`], where each element of `out` stands for work on `weight` elements.
pub(crate) fn for_each_weighted_chunk(
    out: &mut [f32],
    weight: usize,
    grain: usize,
    f: &(dyn Fn(usize, &mut [f32]) + Sync),
) {
    match weighted_chunk(out.len(), weight, grain) {
        None => f(0, out),
        Some(n) => for_each_piece(out, n, &|i, piece| f(i * n, piece)),
    }
}

/// Like [`for_each_weighted_chunk`], for two results an element.
pub(crate) fn for_each_weighted_pair<A: Send, B: Send>(
    (a, b): (&mut [A], &mut [B]),
    weight: usize,
    grain: usize,
    f: impl Fn(usize, &mut [A], &mut [B]) + Sync,
) {
    match weighted_chunk(a.len(), weight, grain) {
        None => f(0, a, b),
        Some(n) => {
            let parts = a.len().div_ceil(n);
            let pairs = a.chunks_mut(n).zip(b.chunks_mut(n)).enumerate();
            for_each_item(parts, pairs, |(i, (a, b))| f(i * n, a, b));
        }
    }
}

/// How many of `len` elements make a thread's share, if there is more than one share.
fn weighted_chunk(len: usize, weight: usize, grain: usize) -> Option<usize> {
    let threads = rayon::current_num_threads();
    let fewest = grain.div_ceil(weight.max(1));
    if len < 2 * fewest || threads == 1 {
        return None;
    }
    let chunk = len.div_ceil(threads).max(fewest);
    // Whole cache lines where there are many.
    Some(if chunk > 64 { chunk.next_multiple_of(16) } else { chunk })
}

/// Calls `f(i, row)` for each row, which stands for work on `weight` elements.
pub(crate) fn for_each_row<T: Send>(
    rows: &mut [T],
    weight: usize,
    grain: usize,
    f: impl Fn(usize, &mut T) + Sync,
) {
    match weighted_chunk(rows.len(), weight, grain) {
        None => rows.iter_mut().enumerate().for_each(|(i, row)| f(i, row)),
        Some(n) => rows.par_iter_mut().with_min_len(n).enumerate().for_each(|(i, row)| f(i, row)),
    }
}
