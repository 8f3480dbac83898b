//! The register tile: the innermost loop of the matrix product.

use crate::simd::{Kernel, Lane, Simd};

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

/// One tile to compute: `out = a * b` over `k` steps, with what becomes of the results on the way.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    pub(super) k: usize,
    pub(super) a: Walk,
    /// The distance between rows of `a`; a kernel for adjacent rows takes that to be 1.
    pub(super) a_row_stride: isize,
    pub(super) b: Walk,
    pub(super) out: *mut f32,
    pub(super) out_row_stride: usize,
    /// The number of columns that exist; the tile computes up to the next whole vector.
    pub(super) cols: usize,
    /// Whether the results are added to what stands there.
    pub(super) accumulate: bool,
    /// A bias for each column, or null.
    pub(super) bias: *const f32,
    pub(super) relu: bool,
}

/// Computes a tile of `MR` rows and `NV` vectors of columns.
///
/// # Safety
/// * The processor has the instruction set.
/// * For every `p < k`: `MR` floats can be read, `a_row_stride` apart, from `a.start + p * a.stride`, and
///   `NV` vectors of contiguous floats from `b.start + p * b.stride`.
/// * `(NV - 1) * LANES < cols <= NV * LANES`, and that many floats of `MR` rows may be read and written
///   at `out` (by this thread only), and read at a non-null `bias`.
pub(super) type TileKernel = unsafe fn(&Tile);

/// The [`TileKernel`] of an instruction set; `ADJACENT` says that the rows of `a` are.
///
/// # Safety
/// See [`TileKernel`].
pub(super) unsafe fn kernel<S: Simd, const MR: usize, const NV: usize, const ADJACENT: bool>(tile: &Tile) {
    // SAFETY: the caller's promise.
    unsafe { S::run(Compute::<MR, NV, ADJACENT>(tile)) }
}

/// A tile whose maker has kept the conditions of [`TileKernel`].
struct Compute<'a, const MR: usize, const NV: usize, const ADJACENT: bool>(&'a Tile);

/// How many steps ahead the elements of B are fetched: a panel of many steps is larger than the first cache
/// level.
const PREFETCH_STEPS: usize = 8;

/// The floats of a cache line, which is fetched once.
const CACHE_LINE: usize = 16;

impl<const MR: usize, const NV: usize, const ADJACENT: bool> Kernel for Compute<'_, MR, NV, ADJACENT> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Compute(tile) = self;
        let Tile { k, a, b, out, out_row_stride, .. } = *tile;
        // With a stride that is not known the address of each row hangs on that of the row before: an addition
        // for each, in a chain that would take longer than the multiplications of two FMA units.
        let a_row_stride = if ADJACENT { 1 } else { tile.a_row_stride };
        for i in 0..MR {
            for j in 0..NV {
                simd.prefetch(out.wrapping_add(i * out_row_stride + j * S::LANES));
            }
        }
        let mut sums = [[Lane::splat(simd, 0.0); NV]; MR];
        let mut at = (a, b);
        // SAFETY: there are `k` steps to read.
        unsafe {
            for _ in 0..k / S::TILE_STEPS {
                for _ in 0..S::TILE_STEPS {
                    at = step(simd, &mut sums, at, a_row_stride);
                }
            }
            for _ in 0..k % S::TILE_STEPS {
                at = step(simd, &mut sums, at, a_row_stride);
            }
        }
        // SAFETY: the promise to `kernel`.
        unsafe {
            if tile.cols == NV * S::LANES {
                finish::<S, MR, NV, true>(simd, &mut sums, tile);
            } else {
                finish::<S, MR, NV, false>(simd, &mut sums, tile);
            }
        }
    }
}

/// Adds the products of one step of both walks, and gives the walks from the next step on.
///
/// # Safety
/// There is a step to read, as [`TileKernel`] says of each.
#[inline(always)]
unsafe fn step<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    sums: &mut [[Lane<S>; NV]; MR],
    (a, b): (Walk, Walk),
    a_row_stride: isize,
) -> (Walk, Walk) {
    let mut columns = [Lane::splat(simd, 0.0); NV];
    for (j, column) in columns.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *column = unsafe { Lane::load(simd, b.start.add(j * S::LANES)) };
        if (j * S::LANES).is_multiple_of(CACHE_LINE) {
            simd.prefetch(b.from(PREFETCH_STEPS).start.wrapping_add(j * S::LANES));
        }
    }
    for (i, row) in sums.iter_mut().enumerate() {
        // SAFETY: as above.
        let x = Lane::splat(simd, unsafe { *a.start.wrapping_offset(i as isize * a_row_stride) });
        for (sum, column) in row.iter_mut().zip(columns) {
            *sum = x.mul_add(column, *sum);
        }
    }
    (a.from(1), b.from(1))
}

/// Adds to the sums what the tile asks for and writes them. One short loop per task, so that every loop unrolls
/// and no sum ever needs an address: that would put all of them into memory throughout the loop over k.
///
/// # Safety
/// See [`TileKernel`]; `WHOLE` says that the last vector is whole.
#[inline(always)]
unsafe fn finish<S: Simd, const MR: usize, const NV: usize, const WHOLE: bool>(
    simd: S,
    sums: &mut [[Lane<S>; NV]; MR],
    tile: &Tile,
) {
    let last = tile.cols - (NV - 1) * S::LANES;
    // SAFETY: the caller's promise covers all full vectors and the first `last` floats of the last one.
    unsafe {
        let load = |p: *const f32, j: usize| {
            if WHOLE || j + 1 < NV { Lane::load(simd, p) } else { Lane::load_partial(simd, p, last) }
        };
        let at = |i: usize, j: usize| tile.out.wrapping_add(i * tile.out_row_stride + j * S::LANES);
        if tile.accumulate {
            for (i, row) in sums.iter_mut().enumerate() {
                for (j, sum) in row.iter_mut().enumerate() {
                    *sum = *sum + load(at(i, j), j);
                }
            }
        }
        if !tile.bias.is_null() {
            for j in 0..NV {
                let bias = load(tile.bias.wrapping_add(j * S::LANES), j);
                for row in sums.iter_mut() {
                    row[j] = row[j] + bias;
                }
            }
        }
        if tile.relu {
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
                    sum.store_partial(at(i, j), last);
                }
            }
        }
    }
}
