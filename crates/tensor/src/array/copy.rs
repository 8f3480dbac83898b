//! Contiguous copies of tensors of any layout.
//!
//! Where neighbours of the copy lie far apart in memory, as in a transposed matrix, both are walked in tiles: a tile is
//! read along the source's rows and written along the copy's, so neither takes a cache line for each element.

use crate::{
    Isa,
    array::{
        Tensor,
        strided::{Positions, merge_axes},
    },
    kernels::transpose::transpose,
    ops::elementwise::gather,
    threads::share,
};
use smallvec::SmallVec;

/// Rows and columns of a tile.
const TILE: usize = 8;
/// Rows and columns of a block of tiles: the pages that it touches fit the processor's table of pages.
const BLOCK: usize = 512;

impl Tensor {
    /// A contiguous copy.
    #[track_caller]
    pub(crate) fn copied(&self) -> Tensor {
        let axes = merge_axes(self.shape().iter().copied().zip(self.layout.strides.iter().copied()));
        Tensor::written(self.shape().clone(), |out| {
            if out.is_empty() {
                return;
            }
            let (n, stride) = axes[0];
            share::for_each_run_chunk(out, out.len() / n, share::ELEMENTWISE, &|range, out| {
                let mut axes = axes.clone();
                axes[0].0 = range.len();
                let offset = self.layout.offset.wrapping_add_signed(stride * range.start as isize);
                copy(self.data(), offset, &axes, out);
            });
        })
    }
}

/// Copies the elements of axes, given as sizes and strides from `offset` on, to `out`, row-major.
fn copy(data: &[f32], offset: usize, axes: &[(usize, isize)], out: &mut [f32]) {
    let last = axes.len() - 1;
    let (columns, column_stride) = axes[last];
    // The axis along which the source runs on most closely, if that is not the last one.
    let closest = (0..last)
        .filter(|&i| axes[i].1 != 0 && axes[i].1.unsigned_abs() < column_stride.unsigned_abs())
        .min_by_key(|&i| axes[i].1.unsigned_abs());
    let Some(closest) = closest else {
        let starts = Positions::from(&axes[..last], offset, 0);
        for (at, out) in starts.zip(out.chunks_exact_mut(columns)) {
            gather(data, at, column_stride, out);
        }
        return;
    };
    let mut steps: SmallVec<[usize; 4]> = SmallVec::from_elem(1, axes.len());
    for i in (0..last).rev() {
        steps[i] = steps[i + 1] * axes[i + 1].0;
    }
    let others = || (0..last).filter(|&i| i != closest);
    let from: SmallVec<[(usize, isize); 4]> = others().map(|i| axes[i]).collect();
    let to: SmallVec<[(usize, isize); 4]> = others().map(|i| (axes[i].0, steps[i] as isize)).collect();
    let (rows, row_stride) = axes[closest];
    let matrix = Matrix { data, row_stride, column_stride };
    for (from, to) in Positions::from(&from, offset, 0).zip(Positions::from(&to, 0, 0)) {
        for first_row in (0..rows).step_by(BLOCK) {
            for first_column in (0..columns).step_by(BLOCK) {
                let from = matrix.position(from, first_row, first_column);
                let to = &mut out[to + first_row * steps[closest] + first_column..];
                let (height, width) = (BLOCK.min(rows - first_row), BLOCK.min(columns - first_column));
                matrix.copy_block(from, [height, width], to, steps[closest]);
            }
        }
    }
}

/// Elements `row_stride` and `column_stride` apart, the first of which is the smaller.
struct Matrix<'a> {
    data: &'a [f32],
    row_stride: isize,
    column_stride: isize,
}

impl Matrix<'_> {
    fn position(&self, at: usize, row: usize, column: usize) -> usize {
        at.wrapping_add_signed(self.row_stride * row as isize + self.column_stride * column as isize)
    }

    /// Copies a block that starts at `from`; its rows go `out_step` apart.
    fn copy_block(&self, from: usize, [height, width]: [usize; 2], out: &mut [f32], out_step: usize) {
        if self.row_stride == 1 && self.column_stride > 0 {
            let stride = self.column_stride as usize;
            return transpose(Isa::current(), &self.data[from..], stride, [width, height], out, out_step);
        }
        for column in (0..width).step_by(TILE) {
            for row in (0..height).step_by(TILE) {
                let size = [TILE.min(height - row), TILE.min(width - column)];
                let from = self.position(from, row, column);
                self.copy_tile(from, size, &mut out[row * out_step + column..], out_step);
            }
        }
    }

    /// Copies a tile that starts at `from`; its rows go `out_step` apart. It is turned round in a block of its own,
    /// because the rows of `out` may fall into one set of the cache all together.
    fn copy_tile(&self, from: usize, [height, width]: [usize; 2], out: &mut [f32], out_step: usize) {
        let mut tile = [[0.0; TILE]; TILE];
        let mut line = [0.0; TILE];
        for column in 0..width {
            let at = self.position(from, 0, column);
            gather(self.data, at, self.row_stride, &mut line[..height]);
            for (row, &x) in tile.iter_mut().zip(&line) {
                row[column] = x;
            }
        }
        for (row, tile) in tile[..height].iter().enumerate() {
            out[row * out_step..][..width].copy_from_slice(&tile[..width]);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;

    #[test]
    fn large_copies_of_turned_axes_have_every_element_in_its_place() {
        // Beyond one block in one axis, whole squares and a rest in the others; some of them out of a larger matrix.
        for (rows, columns) in [(40, 700), (700, 40), (513, 35)] {
            let x = Tensor::from_fn([2, rows + 1, columns + 2], |at| {
                (at[0] * 500_000 + at[1] * 712 + at[2]) as f32
            });
            let part = x.slice(1, 1..).slice(2, ..-2);
            for flipped in [false, true] {
                let part = if flipped { part.flip(2) } else { part.clone() };
                let copy = part.permute([2, 0, 1]).contiguous();
                assert_eq!(copy.shape(), &[columns, 2, rows]);
                for (i, found) in copy.iter().enumerate() {
                    let (column, block, row) = (i / (2 * rows), i / rows % 2, i % rows);
                    let column = if flipped { columns - 1 - column } else { column };
                    assert_eq!(
                        found,
                        (block * 500_000 + (row + 1) * 712 + column) as f32,
                        "{rows} x {columns}"
                    );
                }
            }
        }
    }
}
