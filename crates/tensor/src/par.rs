//! When work is worth sharing between threads: the only place with such thresholds.

use rayon::prelude::*;

/// Elements below which an elementwise pass stays on its thread: waking a worker costs more than it saves.
pub(crate) const ELEMENTWISE: usize = 32 << 10;

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
