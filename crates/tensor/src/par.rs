//! When work is worth sharing between threads: the only place with such thresholds.

use rayon::prelude::*;

/// Elements below which an elementwise pass stays on its thread: waking a worker costs more than it saves.
pub(crate) const ELEMENTWISE: usize = 32 << 10;
/// Multiply-adds of a convolution below which it stays on its thread.
pub(crate) const CONVOLUTION: usize = 128 << 10;

/// Calls `f(start, chunk)` for pieces of `out` of at least `grain` elements, on all threads when there is more than
/// one piece. `f` must give the same elements however `out` is cut.
pub(crate) fn for_each_chunk(out: &mut [f32], grain: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    let threads = rayon::current_num_threads();
    if out.len() < 2 * grain || threads == 1 {
        return f(0, out);
    }
    // Multiples of 1024 elements keep two threads off one cache line.
    let chunk = out.len().div_ceil(threads).max(grain).next_multiple_of(1024);
    out.par_chunks_mut(chunk).enumerate().for_each(|(i, piece)| f(i * chunk, piece));
}

/// Like [`for_each_chunk`], in whole runs of `run` elements; `f` gets the numbers of its runs.
pub(crate) fn for_each_run_chunk(
    out: &mut [f32],
    run: usize,
    grain: usize,
    f: impl Fn(std::ops::Range<usize>, &mut [f32]) + Sync,
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
    out.par_chunks_mut(each * run).enumerate().for_each(|(i, piece)| {
        f(i * each..i * each + piece.len() / run, piece);
    });
}

/// Calls `f(block, rows, part)` for parts of `out`, which consists of blocks of `rows` rows of `row` elements each: whole
/// blocks where there are enough of them, else some of a block's rows. `work` counts the multiply-adds of it all. `f`
/// must give the same elements however a block is cut.
pub(crate) fn for_each_part(
    out: &mut [f32],
    [rows, row]: [usize; 2],
    work: usize,
    f: impl Fn(usize, std::ops::Range<usize>, &mut [f32]) + Sync,
) {
    if out.is_empty() {
        return;
    }
    let threads = rayon::current_num_threads();
    if work < 2 * CONVOLUTION || threads == 1 {
        return out.chunks_mut(rows * row).enumerate().for_each(|(i, block)| f(i, 0..rows, block));
    }
    // Two parts a thread even out the threads' loads; eight rows fill a kernel's registers.
    let parts = (2 * threads).div_ceil(out.len() / (rows * row));
    let each = rows.div_ceil(parts).next_multiple_of(8).min(rows);
    out.par_chunks_mut(rows * row).enumerate().for_each(|(i, block)| {
        block.par_chunks_mut(each * row).enumerate().for_each(|(k, part)| {
            f(i, k * each..k * each + part.len() / row, part);
        });
    });
}

/// Calls `f(runs, a's part, b's part)` for parts of two lists of as many runs of `run` elements, on all threads where the
/// work, in elements that are read, is worth it. `f` must give the same elements however the lists are cut.
pub(crate) fn for_each_run_pair<A: Send, B: Send>(
    (a, b): (&mut [A], &mut [B]),
    run: usize,
    work: usize,
    f: impl Fn(std::ops::Range<usize>, &mut [A], &mut [B]) + Sync,
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
    let parts = a.par_chunks_mut(each * run).zip(b.par_chunks_mut(each * run));
    parts.enumerate().for_each(|(i, (a, b))| f(i * each..i * each + a.len() / run, a, b));
}
