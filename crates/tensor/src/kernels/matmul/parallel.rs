//! Which way a product is computed, and how it is shared between threads.

use super::blocked::{self, Blocking};
use super::kernels::Kernels;
use super::operand::{Mat, MatMut, Right};
use super::vector::{self, MAX_VECTORS};
use super::{Epilogue, Product};
use crate::{Isa, threads::share};

/// Computes a product, on up to `threads` threads.
///
/// # Safety
/// Nothing else uses the output during the call.
pub(super) unsafe fn product(product: &Product<'_>, threads: usize) {
    let [m, n, k] = product.sizes();
    if m == 0 || n == 0 {
        return;
    }
    // Dot products pay when they are long: each ends with summing up a register, which costs as much as some
    // ten steps, while the other way packs the larger operand, which costs the less the more vectors it
    // serves.
    let few = |b: &Mat<'_>| match (product.a.effective_col_stride(), b.effective_row_stride()) {
        (1, 1) => (k / 32).clamp(1, MAX_VECTORS),
        _ => 1,
    };
    // SAFETY: each part of the output is given to one call.
    unsafe {
        if let Right::Matrix(b) = product.b
            && m.min(n) <= few(&b)
            && vector::product(product, b, threads)
        {
            return;
        }
        let units = [product.kernels.tile_rows, product.kernels.tile_cols()];
        let grid = grid([m, n, k], units, threads);
        let piece = |axis: usize, len: usize, index: usize| {
            // Whole tiles, as evenly as they go.
            let tiles = len.div_ceil(units[axis]);
            let edge = |i: usize| (tiles * i / grid[axis] * units[axis]).min(len);
            edge(index)..edge(index + 1)
        };
        share::for_each_part(grid[0] * grid[1], &|part| {
            blocked::product(product, piece(0, m, part / grid[1]), piece(1, n, part % grid[1]));
        });
    }
}

/// Into how many parts the rows and the columns of the output are cut, so that the slowest part takes the
/// least time. `units` is the size of a tile.
fn grid([m, n, k]: [usize; 3], units: [usize; 2], threads: usize) -> [usize; 2] {
    let work = (m * n).saturating_mul(k);
    if threads == 1 || work < share::MATMUL_MIN_WORK {
        return [1, 1];
    }
    let parts = threads.min(work / share::MATMUL_MIN_PART);
    let tiles = [m.div_ceil(units[0]), n.div_ceil(units[1])];
    let time = |grid: [usize; 2]| {
        let [rows, cols] = [0, 1].map(|axis| tiles[axis].div_ceil(grid[axis]) * units[axis]);
        // Packing an element costs about as much as eight multiply-adds.
        rows * cols + 8 * (rows + cols)
    };
    (1..=parts)
        .map(|rows| [rows, parts / rows])
        .filter(|grid| grid[0] <= tiles[0] && grid[1] <= tiles[1])
        .min_by_key(|&grid| time(grid))
        .unwrap_or([1, 1])
}

/// Computes `batch` products of one size: `item(i)` names the operands of product `i`, which goes to rows `i
/// * m` to `(i + 1) * m` of `out`. Operands may repeat; the bias is the same for all.
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
        // SAFETY: rows i * m to (i + 1) * m belong to item i alone.
        unsafe {
            let rows = out.row_block(i * m, m);
            product(&Product::new(kernels, blocking, &a, b.into(), &rows, epilogue), threads);
        }
    };

    let (first_a, first_b) = item(0);
    if let Some(a) = first_a.stacked(batch, |i| item(i).0)
        && (1..batch).all(|i| item(i).1.is_same(&first_b))
    {
        let whole = Product::new(kernels, blocking, &a, first_b.into(), out, epilogue);
        // SAFETY: the caller lends the output to this call alone.
        return unsafe { product(&whole, threads) };
    }

    let work = (m * out.cols()).saturating_mul(first_a.cols());
    if batch < 4 * threads && work >= share::MATMUL_MIN_WORK {
        return (0..batch).for_each(|i| run(i, threads));
    }
    let chunk = if work.saturating_mul(batch) < share::MATMUL_MIN_WORK {
        batch
    } else {
        share::MATMUL_MIN_PART.div_ceil(work.max(1)).min(batch.div_ceil(threads))
    };
    share::for_each_part(batch.div_ceil(chunk), &|part| {
        (part * chunk..batch.min((part + 1) * chunk)).for_each(|i| run(i, 1));
    });
}
