//! The blocked product: loops that keep a panel of B and one of A close to the processor, a block of A in the
//! second cache level and a block of B in the third, around the register tile.

use std::ops::Range;

use super::arena::Scratch;
use super::operand::Right;
use super::panels::{Lines, Panels, pieces};
use super::tile::Tile;
use super::{Activation, Product};

/// The sizes of the blocks, in elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocking {
    /// Steps of the inner dimension in a block. The more there are, the less often the output is read and
    /// written again.
    pub(super) k: usize,
    /// Rows of A in a block, which takes up to a half of a second cache level of one megabyte.
    pub(super) m: usize,
    /// Columns of B in a block, which stays in the third cache level.
    pub(super) n: usize,
}

impl Default for Blocking {
    fn default() -> Self {
        Blocking { k: 512, m: 252, n: 2048 }
    }
}

/// Rows of A are packed for a product with more columns than so many tiles: below, the copy is not used often
/// enough.
const IN_PLACE_COLUMN_TILES: usize = 8;

/// Rows of A that lie a multiple of so many floats apart, 4 KiB, fall into one set of the first cache level, which holds eight lines:
/// each is fetched again for each of its elements, and packing pays from the second tile on.
const ONE_SET: isize = 1024;

/// Columns of B are packed for a product with more rows than so many tiles, or twice as many if B is small
/// enough to stay in the cache: each tile reads again what does not stay there.
const IN_PLACE_ROW_TILES: usize = 3;
const SMALL_B: usize = 1 << 15;

/// Computes the given rows and columns of the product on this thread.
///
/// # Safety
/// The rows and columns lie within the output, and nothing else uses that part of it during the call.
pub(super) unsafe fn product(product: &Product<'_>, rows: Range<usize>, cols: Range<usize>) {
    let Product { kernels, blocking, a, b, .. } = product;
    let k = a.cols();
    let (tile_rows, tile_cols) = (even(rows.len(), kernels.tile_rows), kernels.tile_cols());
    let k_block = even(k, blocking.k);
    let m_block = even(rows.len(), blocking.m).next_multiple_of(tile_rows);
    let n_block = even(cols.len(), blocking.n).next_multiple_of(tile_cols);

    let in_one_set = a.row_stride() != 0 && a.row_stride() % ONE_SET == 0;
    let pack_a = cols.len() > if in_one_set { 1 } else { IN_PLACE_COLUMN_TILES } * tile_cols;
    let row_tiles = rows.len().div_ceil(kernels.tile_rows);
    let often = if k * b.cols() <= SMALL_B { 2 * IN_PLACE_ROW_TILES } else { IN_PLACE_ROW_TILES };
    let pack_b = match b {
        Right::Matrix(b) => b.effective_col_stride() != 1 || row_tiles > often,
        Right::Rows(_) => true,
    };

    let a_memory = Panels::memory(m_block.min(rows.len()), k_block, tile_rows, pack_a);
    let b_memory = Panels::memory(n_block.min(cols.len()), k_block, tile_cols, pack_b);
    let mut scratch = Scratch::take(a_memory + b_memory);
    let (a_memory, b_memory) = scratch.split_at_mut(a_memory);
    let mut a_panels = Panels::new(kernels, Lines::Strided(**a), (tile_rows, 1), pack_a, a_memory);
    let columns = match b {
        Right::Matrix(b) => Lines::Strided(b.transposed()),
        Right::Rows(b) => Lines::Shifted(*b),
    };
    let mut b_panels = Panels::new(kernels, columns, (tile_cols, kernels.lanes), pack_b, b_memory);

    for js in pieces(cols, n_block) {
        // An empty inner dimension is one empty block: the product is then zero, and the epilogue still
        // applies.
        for p in (0..k.max(1)).step_by(k_block) {
            let ks = p..k.min(p + k_block);
            b_panels.prepare(js.clone(), ks.clone());
            for is in pieces(rows.clone(), m_block) {
                a_panels.prepare(is.clone(), ks.clone());
                for j in pieces(js.clone(), tile_cols) {
                    for i in pieces(is.clone(), tile_rows) {
                        // SAFETY: the tile lies within this call's part of the output, and its lines are
                        // prepared.
                        unsafe { tile(product, &a_panels, &b_panels, i, j.clone(), ks.clone()) };
                    }
                }
            }
        }
    }
}

/// Computes one tile over one block of the inner dimension.
///
/// # Safety
/// The rows and columns make at most one tile that nothing else uses, and elements `ks` of them are prepared.
unsafe fn tile(
    product: &Product<'_>,
    a: &Panels<'_>,
    b: &Panels<'_>,
    rows: Range<usize>,
    cols: Range<usize>,
    ks: Range<usize>,
) {
    let Product { kernels, out, epilogue, .. } = product;
    let last = ks.end == product.a.cols();
    let (a, a_row_stride) = a.walk(&rows, ks.start);
    let (b, _) = b.walk(&cols, ks.start);
    let tile = Tile {
        k: ks.len(),
        a,
        a_row_stride,
        b,
        out: out.at(rows.start, cols.start),
        out_row_stride: out.row_stride(),
        cols: cols.len(),
        accumulate: epilogue.accumulate || ks.start > 0,
        bias: match epilogue.bias {
            Some(bias) if last => bias[cols.clone()].as_ptr(),
            _ => std::ptr::null(),
        },
        relu: last && matches!(epilogue.activation, Activation::Relu),
    };
    let tiles = if a_row_stride == 1 { &kernels.adjacent_tiles } else { &kernels.tiles };
    let kernel = tiles[rows.len() - 1][cols.len().div_ceil(kernels.lanes) - 1];
    // SAFETY: the walks cover `ks` of the operands, and the caller vouches for the tile.
    unsafe { kernel(&tile) };
    if let (Activation::Map(map), true) = (epilogue.activation, last) {
        for i in rows {
            // SAFETY: a part of a row of the tile.
            map(unsafe { std::slice::from_raw_parts_mut(out.at(i, cols.start), cols.len()) });
        }
    }
}

/// The size that cuts `len` into nearly equal pieces, as few as there can be of at most `max`.
pub(super) fn even(len: usize, max: usize) -> usize {
    len.div_ceil(len.div_ceil(max).max(1)).max(1)
}
