//! Which way a product is computed, and how it is shared between threads.

use super::blocked::{self, Blocking, Plan};
use super::kernels::Kernels;
use super::operand::{Mat, MatMut};
use super::{Epilogue, check_sizes, vector};
use crate::{Isa, par};

/// Computes a product, on up to `threads` threads.
///
/// # Safety
/// The sizes of `a`, `b`, `out` and the bias fit together, and nothing else uses `out` during the call.
pub(super) unsafe fn product(
    kernels: &Kernels,
    blocking: &Blocking,
    a: &Mat<'_>,
    b: &Mat<'_>,
    out: &MatMut<'_>,
    epilogue: &Epilogue<'_>,
    threads: usize,
) {
    let (m, n, k) = (a.rows(), b.cols(), a.cols());
    if m == 0 || n == 0 {
        return;
    }
    // SAFETY: the sizes fit; each part of the output is given to one call.
    unsafe {
        if (m == 1 || n == 1) && vector::product(kernels, a, b, out, epilogue, threads) {
            return;
        }
        let plan = Plan::of(a, b, kernels);
        let grid = grid([m, n, k], kernels, threads);
        let piece = |axis: usize, len: usize, unit: usize, index: usize| {
            // Whole tiles, as evenly as they go.
            let tiles = len.div_ceil(unit);
            let edge = |i: usize| (tiles * i / grid[axis] * unit).min(len);
            edge(index)..edge(index + 1)
        };
        par::for_each_part(grid[0] * grid[1], |part| {
            let rows = piece(0, m, kernels.tile_rows(), part / grid[1]);
            let cols = piece(1, n, kernels.tile_cols(), part % grid[1]);
            blocked::product(kernels, blocking, plan, (a, b), out, (rows, cols), epilogue);
        });
    }
}

/// Into how many parts the rows and the columns of the output are cut, so that the slowest part takes the least time.
fn grid([m, n, k]: [usize; 3], kernels: &Kernels, threads: usize) -> [usize; 2] {
    let work = m * n * k;
    if threads == 1 || work < par::MATMUL_MIN_WORK {
        return [1, 1];
    }
    let parts = threads.min(work / par::MATMUL_MIN_PART);
    let tiles = [m.div_ceil(kernels.tile_rows()), n.div_ceil(kernels.tile_cols())];
    let time = |grid: [usize; 2]| {
        let rows = tiles[0].div_ceil(grid[0]) * kernels.tile_rows();
        let cols = tiles[1].div_ceil(grid[1]) * kernels.tile_cols();
        // Packing an element costs about as much as eight multiply-adds.
        rows * cols + 8 * (rows + cols)
    };
    (1..=parts)
        .map(|rows| [rows, parts / rows])
        .filter(|grid| grid[0] <= tiles[0] && grid[1] <= tiles[1])
        .min_by_key(|&grid| time(grid))
        .unwrap_or([1, 1])
}

/// Computes `batch` products of one size: `item(i)` names the operands of product `i`, which goes to rows `i * m` to
/// `(i + 1) * m` of `out`. Operands may repeat; the bias is the same for all.
///
/// # Panics
/// When the sizes do not fit together.
pub(crate) fn batched_matmul<'m>(
    batch: usize,
    item: impl Fn(usize) -> (Mat<'m>, Mat<'m>) + Sync,
    out: MatMut<'_>,
    epilogue: Epilogue<'_>,
) {
    batched_matmul_with(Isa::current(), &Blocking::default(), batch, item, &out, &epilogue);
}

/// [`batched_matmul`] with a choice of instruction set and block sizes.
pub(super) fn batched_matmul_with<'m>(
    isa: Isa,
    blocking: &Blocking,
    batch: usize,
    item: impl Fn(usize) -> (Mat<'m>, Mat<'m>) + Sync,
    out: &MatMut<'_>,
    epilogue: &Epilogue<'_>,
) {
    if batch == 0 {
        return;
    }
    let kernels = Kernels::of(isa);
    let threads = rayon::current_num_threads();
    assert_eq!(out.rows() % batch, 0, "batched matrix product: {} rows for {batch} products", out.rows());
    let m = out.rows() / batch;
    let run = |i: usize, threads: usize| {
        let (a, b) = item(i);
        check_sizes(&a, &b, [m, out.cols()], epilogue);
        // SAFETY: the sizes fit, and rows i * m to (i + 1) * m belong to item i alone.
        unsafe { product(kernels, blocking, &a, &b, &out.row_block(i * m, m), epilogue, threads) }
    };

    let (first_a, first_b) = item(0);
    if let Some(a) = first_a.stacked(batch, |i| item(i).0)
        && (1..batch).all(|i| item(i).1.is_same(&first_b))
    {
        check_sizes(&a, &first_b, [out.rows(), out.cols()], epilogue);
        // SAFETY: the sizes fit, and the caller lends the output to this call alone.
        return unsafe { product(kernels, blocking, &a, &first_b, out, epilogue, threads) };
    }

    let work = m * first_a.cols() * out.cols();
    if batch < 4 * threads && work >= par::MATMUL_MIN_WORK {
        return (0..batch).for_each(|i| run(i, threads));
    }
    let chunk = if work.saturating_mul(batch) < par::MATMUL_MIN_WORK {
        batch
    } else {
        par::MATMUL_MIN_PART.div_ceil(work.max(1)).min(batch.div_ceil(threads))
    };
    par::for_each_part(batch.div_ceil(chunk), |part| {
        (part * chunk..batch.min((part + 1) * chunk)).for_each(|i| run(i, 1));
    });
}
