//! A right operand that is packed once, for many products.

use super::blocked::{Blocking, even};
use super::kernels::Kernels;
use super::operand::{Mat, MatMut};
use super::panels::{Lines, Panels, pieces};
use super::tile::{Tile, Walk};
use crate::{Isa, memory::buffer::Buffer, threads::share};
use std::ops::Range;

/// A matrix in panels, as the register tile reads it.
pub(crate) struct Packed {
    kernels: &'static Kernels,
    rows: usize,
    cols: usize,
    /// Rows in a block, as in products that pack anew: sums have the same bits.
    block: usize,
    /// The floats between the blocks in `memory`.
    pitch: usize,
    memory: Buffer,
}

impl Packed {
    /// `None` when there is no memory for it.
    pub(crate) fn new(b: Mat<'_>) -> Option<Packed> {
        let kernels = Kernels::of(Isa::current());
        let (rows, cols, width) = (b.rows(), b.cols(), kernels.tile_cols());
        let block = even(rows, Blocking::default().k);
        let pitch = Panels::memory(cols, block, width, true);
        let mut memory = Buffer::new(rows.div_ceil(block).max(1) * pitch)?;
        let room = memory.get_mut().expect("a new buffer has one owner");
        for (ks, room) in blocks(rows, block).zip(room.chunks_mut(pitch.max(1))) {
            let lines = Lines::Strided(b.transposed());
            Panels::new(kernels, lines, (width, kernels.lanes), true, room).prepare(0..cols, ks);
        }
        Some(Packed { kernels, rows, cols, block, pitch, memory })
    }

    pub(crate) fn size(&self) -> [usize; 2] {
        [self.rows, self.cols]
    }

    /// Writes `a` times this matrix to `out`, plus the bias if there is one, on the pool's threads.
    ///
    /// # Panics
    /// When the sizes do not fit together.
    pub(crate) fn product(&self, a: Mat<'_>, out: &MatMut<'_>, bias: Option<&[f32]>) {
        assert_eq!(a.cols(), self.rows, "product by a packed matrix: inner dimensions differ");
        assert_eq!(
            [out.rows(), out.cols()],
            [a.rows(), self.cols],
            "product by a packed matrix: size of the output"
        );
        if let Some(bias) = bias {
            assert_eq!(bias.len(), self.cols, "product by a packed matrix: length of the bias");
        }
        let (width, work) = (self.kernels.tile_cols(), a.rows() * self.rows * self.cols);
        let panels = self.cols.div_ceil(width);
        let parts = match work < share::MATMUL_MIN_WORK {
            true => 1,
            false => rayon::current_num_threads().min(work / share::MATMUL_MIN_PART).min(panels),
        };
        share::for_each_part(parts, &|part| {
            let edge = |part: usize| (panels * part / parts * width).min(self.cols);
            for columns in pieces(edge(part)..edge(part + 1), width) {
                // SAFETY: the caller lends the output, and each part of it has columns of its own.
                unsafe { self.panel(a, &columns, out, bias) };
            }
        });
    }

    /// The columns of one panel.
    ///
    /// # Safety
    /// Nothing else uses these columns of the output, which exist.
    unsafe fn panel(&self, a: Mat<'_>, columns: &Range<usize>, out: &MatMut<'_>, bias: Option<&[f32]>) {
        let (kernels, memory) = (self.kernels, self.memory.as_slice());
        let stride = columns.len().next_multiple_of(kernels.lanes);
        for (ks, memory) in blocks(self.rows, self.block).zip(memory.chunks(self.pitch)) {
            let start = memory[Panels::place(columns.start, ks.len(), kernels.tile_cols())..].as_ptr();
            for rows in pieces(0..a.rows(), even(a.rows(), kernels.tile_rows)) {
                let tile = Tile {
                    k: ks.len(),
                    a: Walk { start: a.at(rows.start, ks.start), stride: a.col_stride() },
                    a_row_stride: a.row_stride(),
                    b: Walk { start, stride: stride as isize },
                    out: out.at(rows.start, columns.start),
                    out_row_stride: out.row_stride(),
                    cols: columns.len(),
                    accumulate: ks.start > 0,
                    bias: match bias {
                        Some(bias) if ks.end == self.rows => bias[columns.clone()].as_ptr(),
                        _ => std::ptr::null(),
                    },
                    relu: false,
                };
                // SAFETY: `of` has found the instruction set; the tile's rows and steps are those of the operand, the panel has
                // `ks.len()` rows of whole vectors, and the caller vouches for the output.
                unsafe { kernels.tiles[rows.len() - 1][columns.len().div_ceil(kernels.lanes) - 1](&tile) };
            }
        }
    }
}

/// The blocks of so many rows. Without rows there is an empty one: the product is then zero, and the bias is added to it.
fn blocks(rows: usize, block: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows.max(1)).step_by(block).map(move |start| start..rows.min(start + block))
}
