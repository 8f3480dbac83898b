//! The blocked product: loops that keep a panel of B in the first cache level, a block of A in the second and a block of B
//! in the third, around the register tile.

use super::arena::Scratch;
use super::kernels::{Kernels, TILE_VECTORS};
use super::operand::{Mat, MatMut};
use super::pack::Lines;
use super::tile::{TileOut, Walk};
use super::{Activation, Epilogue};
use std::ops::Range;

/// The sizes of the blocks, in elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocking {
    /// Steps of the inner dimension in a block: a panel of B with so many rows stays in the first cache level.
    pub(super) k: usize,
    /// Rows of A in a block, which stays in the second cache level.
    pub(super) m: usize,
    /// Columns of B in a block, which stays in the third cache level.
    pub(super) n: usize,
}

impl Default for Blocking {
    fn default() -> Self {
        Blocking { k: 256, m: 504, n: 4096 }
    }
}

/// How the blocks of a product are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Whether A is packed, or read in place.
    pub(super) pack_a: bool,
    /// Whether all of B is packed, or only the last columns if they do not fill a tile.
    pub(super) pack_b: bool,
}

impl Plan {
    /// Packs what is used often enough to earn the copy, and what cannot be read in place.
    pub(super) fn of(a: &Mat<'_>, b: &Mat<'_>, kernels: &Kernels) -> Plan {
        let pack_a = b.cols() > 3 * kernels.tile_cols();
        let pack_b = b.effective_col_stride() != 1 || a.rows() > 3 * kernels.tile_rows();
        Plan { pack_a, pack_b }
    }
}

/// The largest size of at most `max` that cuts `len` into pieces of nearly the same size.
pub(super) fn even(len: usize, max: usize) -> usize {
    len.div_ceil(len.div_ceil(max).max(1)).max(1)
}

/// Cuts a range into pieces of `size` and a last one.
fn pieces(range: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(size).map(move |start| start..end.min(start + size))
}

/// Computes the given rows and columns of the product on this thread.
///
/// # Safety
/// The rows and columns lie within `out`, whose size fits `a` and `b`, and no other thread uses that part of it.
pub(super) unsafe fn product(
    kernels: &Kernels,
    blocking: &Blocking,
    plan: Plan,
    (a, b): (&Mat<'_>, &Mat<'_>),
    out: &MatMut<'_>,
    (rows, cols): (Range<usize>, Range<usize>),
    epilogue: &Epilogue<'_>,
) {
    let k = a.cols();
    let tile_rows = even(rows.len(), kernels.tile_rows());
    let tile_cols = kernels.tile_cols();
    let k_block = even(k, blocking.k);
    let m_block = (blocking.m / tile_rows).max(1) * tile_rows;
    let n_block = (blocking.n / tile_cols).max(1) * tile_cols;

    let a_size = if plan.pack_a { m_block.min(rows.len()) * k_block } else { 0 };
    let b_cols = n_block.min(cols.len());
    let b_size = k_block * if plan.pack_b { b_cols.next_multiple_of(tile_cols) } else { tile_cols };
    // Panels of A are written with up to a vector too much; B's start on a cache line.
    let b_from = (a_size + kernels.lanes).next_multiple_of(16);
    let mut scratch = Scratch::take(b_from + b_size + kernels.lanes);
    let (a_packed, b_packed) = scratch.split_at_mut(b_from);
    let (a_packed, b_packed) = (a_packed.as_mut_ptr(), b_packed.as_mut_ptr());

    for js in pieces(cols, n_block) {
        // Panels that start before this column are read in place.
        let packed_from = if plan.pack_b { js.start } else { js.end - js.len() % tile_cols };
        // The loop runs once for an empty inner dimension too: the product is then zero, and the epilogue still applies.
        for p in (0..k.max(1)).step_by(k_block) {
            let depth = k_block.min(k - p);
            for panel in pieces(packed_from..js.end, tile_cols) {
                let lines = Lines {
                    start: b.at(p, panel.start),
                    lines: panel.len(),
                    k: depth,
                    line_stride: b.effective_col_stride(),
                    k_stride: b.effective_row_stride(),
                };
                let width = panel.len().next_multiple_of(kernels.lanes);
                // SAFETY: the lines are part of B; the panels before this one fill `depth` floats per column.
                unsafe {
                    (kernels.pack)(&lines, width, b_packed.add((panel.start - packed_from) * depth));
                }
            }
            for is in pieces(rows.clone(), m_block) {
                if plan.pack_a {
                    for panel in pieces(is.clone(), tile_rows) {
                        let lines = Lines {
                            start: a.at(panel.start, p),
                            lines: panel.len(),
                            k: depth,
                            line_stride: a.effective_row_stride(),
                            k_stride: a.effective_col_stride(),
                        };
                        // SAFETY: as for B; there is room for another vector behind the last panel.
                        unsafe {
                            (kernels.pack)(
                                &lines,
                                panel.len(),
                                a_packed.add((panel.start - is.start) * depth),
                            );
                        }
                    }
                }
                for j in pieces(js.clone(), tile_cols) {
                    let vectors = j.len().div_ceil(kernels.lanes);
                    debug_assert!(vectors <= TILE_VECTORS);
                    let b_walk = if j.start >= packed_from {
                        Walk {
                            start: b_packed.wrapping_add((j.start - packed_from) * depth),
                            stride: (vectors * kernels.lanes) as isize,
                        }
                    } else {
                        Walk { start: b.at(p, j.start), stride: b.row_stride() }
                    };
                    for i in pieces(is.clone(), tile_rows) {
                        let (a_walk, a_row_stride) = if plan.pack_a {
                            let start = a_packed.wrapping_add((i.start - is.start) * depth);
                            (Walk { start, stride: i.len() as isize }, 1)
                        } else {
                            (Walk { start: a.at(i.start, p), stride: a.col_stride() }, a.row_stride())
                        };
                        let last = p + depth == k;
                        let tile_out = TileOut {
                            start: out.at(i.start, j.start),
                            row_stride: out.row_stride(),
                            cols: j.len(),
                            accumulate: epilogue.accumulate || p > 0,
                            bias: match epilogue.bias {
                                Some(bias) if last => bias[j.clone()].as_ptr(),
                                _ => std::ptr::null(),
                            },
                            relu: last && matches!(epilogue.activation, Activation::Relu),
                        };
                        let tile = kernels.tiles[i.len() - 1][vectors - 1];
                        // SAFETY: the walks stay within the operands or within what was packed above, and the tile
                        // within this call's part of the output.
                        unsafe { tile(depth, a_walk, a_row_stride, b_walk, &tile_out) };
                        if let (Activation::Map(map), true) = (epilogue.activation, last) {
                            for i in i {
                                // SAFETY: a part of a row that belongs to this call.
                                map(unsafe { std::slice::from_raw_parts_mut(out.at(i, j.start), j.len()) });
                            }
                        }
                    }
                }
            }
        }
    }
}
