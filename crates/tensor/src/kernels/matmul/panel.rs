//! Products by a few columns that stand in a panel already, as the register tile reads them: for an operand that many
//! products share.

use super::blocked::even;
use super::kernels::Kernels;
use super::operand::{Mat, MatMut};
use super::panels::pieces;
use super::tile::{Tile, Walk};
use crate::Isa;

/// Columns of a panel.
pub(crate) fn panel_width() -> usize {
    Kernels::of(Isa::current()).tile_cols()
}

/// Writes `a * b` to `out`, on this thread: element (p, j) of b is `panel[p * panel_width() + j]`, and there are as many
/// columns as `out` has.
///
/// # Panics
/// When the sizes do not fit together.
pub(crate) fn by_panel(a: Mat<'_>, panel: &[f32], out: MatMut<'_>) {
    let kernels = Kernels::of(Isa::current());
    let (width, k, cols) = (kernels.tile_cols(), a.cols(), out.cols());
    assert_eq!(out.rows(), a.rows(), "product by a panel: rows of the output");
    assert!((1..=width).contains(&cols), "product by a panel: {cols} columns, a panel has {width}");
    assert!(panel.len() >= k * width, "product by a panel: the panel has fewer than {k} rows");
    let vectors = cols.div_ceil(kernels.lanes);
    for rows in pieces(0..a.rows(), even(a.rows(), kernels.tile_rows)) {
        let tile = Tile {
            k,
            a: Walk { start: a.at(rows.start, 0), stride: a.col_stride() },
            a_row_stride: a.row_stride(),
            b: Walk { start: panel.as_ptr(), stride: width as isize },
            out: out.at(rows.start, 0),
            out_row_stride: out.row_stride(),
            cols,
            accumulate: false,
            bias: std::ptr::null(),
            relu: false,
        };
        // SAFETY: `of` has found the instruction set; rows and steps are those of the operand, whose elements lie in its
        // memory; the panel has k rows of whole vectors; and the output, which is this call's alone, has these rows and
        // columns.
        unsafe { kernels.tiles[rows.len() - 1][vectors - 1](&tile) };
    }
}
