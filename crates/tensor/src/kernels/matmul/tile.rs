//! The register tile: the innermost loop of the matrix product.

use crate::kernels::lanes::Lanes;

/// A walk over a part of an operand in equal steps: an address, and the distance of one step.
#[derive(Clone, Copy)]
pub(super) struct Walk {
    pub(super) start: *const f32,
    pub(super) stride: isize,
}

impl Walk {
    /// The rest of the walk after some steps.
    #[inline(always)]
    pub(super) fn from(self, steps: usize) -> Walk {
        Walk { start: self.start.wrapping_offset(steps as isize * self.stride), ..self }
    }
}

/// Where a tile's results go, and what becomes of them on the way.
#[derive(Clone, Copy)]
pub(super) struct TileOut {
    pub(super) start: *mut f32,
    pub(super) row_stride: usize,
    /// The number of columns that exist; the tile computes up to the next whole vector.
    pub(super) cols: usize,
    /// Whether the results are added to what stands there.
    pub(super) accumulate: bool,
    /// A bias for each column, or null.
    pub(super) bias: *const f32,
    pub(super) relu: bool,
}

/// Computes one tile of `MR` rows and `NV` vectors of columns: `out = a * b` over `k` steps. The rows of `a`
/// lie `a_row_stride` apart; a tile for adjacent rows takes that to be 1.
///
/// # Safety
/// * The processor has the instruction set.
/// * For every `p < k`: `MR` floats can be read, `a_row_stride` apart, from `a.start + p * a.stride`, and
///   `NV` vectors of contiguous floats from `b.start + p * b.stride`.
/// * `(NV - 1) * COUNT < out.cols <= NV * COUNT`, and that many floats of `MR` rows may be read and written
///   at `out` (by this thread only), and read at a non-null `out.bias`.
pub(super) type Tile = unsafe fn(k: usize, a: Walk, a_row_stride: isize, b: Walk, out: &TileOut);

/// How many steps ahead the elements of B are fetched: a panel of many steps is larger than the first cache
/// level.
const PREFETCH_STEPS: usize = 8;

/// The body of a [`Tile`], to be inlined into a function that enables the instruction set.
///
/// # Safety
/// See [`Tile`].
#[inline(always)]
pub(super) unsafe fn tile<L: Lanes, const MR: usize, const NV: usize, const ADJACENT: bool>(
    k: usize,
    mut a: Walk,
    a_row_stride: isize,
    mut b: Walk,
    out: &TileOut,
) {
    // With a stride that is not known the address of each row hangs on that of the row before: an addition
    // for each, in a chain that would take longer than the multiplications of two FMA units.
    let a_row_stride = if ADJACENT { 1 } else { a_row_stride };
    // SAFETY: all addresses are those that the caller promised; those formed after the last step are not
    // read.
    unsafe {
        for i in 0..MR {
            for j in 0..NV {
                L::prefetch(out.start.wrapping_add(i * out.row_stride + j * L::COUNT));
            }
        }
        let mut sums = [[L::zero(); NV]; MR];
        for _ in 0..k {
            let mut columns = [L::zero(); NV];
            for (j, column) in columns.iter_mut().enumerate() {
                *column = L::load(b.start.add(j * L::COUNT));
                L::prefetch(b.from(PREFETCH_STEPS).start.wrapping_add(j * L::COUNT));
            }
            for (i, row) in sums.iter_mut().enumerate() {
                let x = L::splat(*a.start.wrapping_offset(i as isize * a_row_stride));
                for (sum, column) in row.iter_mut().zip(columns) {
                    *sum = x.mul_add(column, *sum);
                }
            }
            (a, b) = (a.from(1), b.from(1));
        }
        if out.cols == NV * L::COUNT {
            finish::<L, MR, NV, true>(&mut sums, out);
        } else {
            finish::<L, MR, NV, false>(&mut sums, out);
        }
    }
}

/// Adds to the sums what `out` asks for and writes them. One short loop per task, so that every loop unrolls
/// and no sum ever needs an address: that would put all of them into memory throughout the loop over k.
///
/// # Safety
/// See [`Tile`]; `WHOLE` says that the last vector is whole.
#[inline(always)]
unsafe fn finish<L: Lanes, const MR: usize, const NV: usize, const WHOLE: bool>(
    sums: &mut [[L; NV]; MR],
    out: &TileOut,
) {
    let last = out.cols - (NV - 1) * L::COUNT;
    // SAFETY: the caller's promise covers all full vectors and the first `last` floats of the last one.
    unsafe {
        let load = |p: *const f32, j: usize| {
            if WHOLE || j + 1 < NV { L::load(p) } else { L::load_first(p, last) }
        };
        let at = |i: usize, j: usize| out.start.wrapping_add(i * out.row_stride + j * L::COUNT);
        if out.accumulate {
            for (i, row) in sums.iter_mut().enumerate() {
                for (j, sum) in row.iter_mut().enumerate() {
                    *sum = sum.add(load(at(i, j), j));
                }
            }
        }
        if !out.bias.is_null() {
            for j in 0..NV {
                let bias = load(out.bias.wrapping_add(j * L::COUNT), j);
                for row in sums.iter_mut() {
                    row[j] = row[j].add(bias);
                }
            }
        }
        if out.relu {
            for row in sums.iter_mut() {
                for sum in row {
                    *sum = sum.relu();
                }
            }
        }
        for (i, row) in sums.iter().enumerate() {
            for (j, sum) in row.iter().enumerate() {
                if WHOLE || j + 1 < NV {
                    sum.store(at(i, j));
                } else {
                    sum.store_first(at(i, j), last);
                }
            }
        }
    }
}
