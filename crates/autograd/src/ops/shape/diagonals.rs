//! Diagonals of matrices, and what lies beside them. Diagonals above the main one, number 0, have positive numbers.

use super::Unslice;
use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::{Slice, shape::resolve_axis};

/// Diagonals of matrices, and the triangles beside them. Diagonals above the main one, number 0, have positive numbers.
pub trait Diagonals: Value {
    /// The upper triangle of a matrix, or of each matrix in a batch: elements `[i, j]` with `j >= i + diagonal`, and 0
    /// for the others, which get the gradient 0.
    ///
    /// # Panics
    /// When there are fewer than two axes.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// assert_eq!(Tensor::ones([2, 2]).triu(1).to_vec(), [0.0, 1.0, 0.0, 0.0]);
    /// ```
    #[track_caller]
    fn triu(&self, diagonal: isize) -> Self {
        triangle("triu", self, |above| above >= diagonal)
    }

    /// The lower triangle of a matrix, or of each matrix in a batch: elements `[i, j]` with `j <= i + diagonal`, and 0
    /// for the others, which get the gradient 0.
    ///
    /// # Panics
    /// When there are fewer than two axes.
    #[track_caller]
    fn tril(&self, diagonal: isize) -> Self {
        triangle("tril", self, |above| above <= diagonal)
    }

    /// The elements `[.., i, .., i + offset, ..]` of two axes, which go away: the diagonal becomes the last axis.
    ///
    /// # Panics
    /// When there are no such axes, both are one, or there is no such diagonal.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(x.diagonal(1, 0, 1).to_vec(), [2.0, 6.0]);
    /// ```
    #[track_caller]
    fn diagonal(&self, offset: isize, row_axis: isize, column_axis: isize) -> Self {
        let shape = self.shape();
        let row_axis = resolve_axis("diagonal", row_axis, &shape).or_fail();
        let column_axis = resolve_axis("diagonal", column_axis, &shape).or_fail();
        let (rows, columns) = (shape[row_axis] as isize, shape[column_axis] as isize);
        if row_axis == column_axis || !(-rows..=columns).contains(&offset) {
            ShapeError::new(format!(
                "diagonal: axes {row_axis} and {column_axis} of shape {shape} have no diagonal {offset}"
            ))
            .fail()
        }
        let mut axes: Vec<isize> = (0..shape.rank() as isize).collect();
        axes.retain(|&axis| axis != row_axis as isize && axis != column_axis as isize);
        axes.extend([row_axis as isize, column_axis as isize]);
        let mut flat: Vec<usize> = axes[..axes.len() - 2].iter().map(|&axis| shape[axis as usize]).collect();
        flat.push((rows * columns) as usize);
        let length = rows.min(columns).min(rows + offset).min(columns - offset);
        self.permute(axes).reshape(flat).slice(-1, places(offset, columns, length))
    }

    /// A diagonal of a matrix, as a vector; or a matrix with this vector on a diagonal and zeros elsewhere.
    ///
    /// # Panics
    /// When this is neither a vector nor a matrix, or has no such diagonal.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var([1.0, 2.0]);
    /// let y = x.diag(0);
    /// assert_eq!(y.value().to_vec(), [1.0, 0.0, 0.0, 2.0]);
    /// assert_eq!(y.diag(0).sum().backward()[x].to_vec(), [1.0, 1.0]);
    /// ```
    #[track_caller]
    fn diag(&self, diagonal: isize) -> Self {
        let shape = self.shape();
        match shape[..] {
            [n] => {
                let size = n.saturating_add(diagonal.unsigned_abs());
                let square = Shape::from([size, size]).checked("diag").or_fail();
                let slice = places(diagonal, size as isize, n as isize);
                Self::apply(Unslice { axis: 0, slice, size: square.numel() }, &[self]).reshape(square)
            }
            [_, _] => self.diagonal(diagonal, 0, 1),
            _ => ShapeError::new(format!("diag: shape {shape} is neither a vector nor a matrix")).fail(),
        }
    }

    /// The sum of the main diagonal of a matrix, or of each matrix in a batch.
    ///
    /// # Panics
    /// When there are fewer than two axes.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// assert_eq!(Tensor::from([[1.0, 2.0], [3.0, 4.0]]).trace().item(), 5.0);
    /// ```
    #[track_caller]
    fn trace(&self) -> Self {
        matrix("trace", self);
        self.diagonal(0, -2, -1).sum_axes(-1, false)
    }
}

impl<V: Value> Diagonals for V {}

/// The elements whose distance above the main diagonal is one to keep, and 0 for the others.
#[track_caller]
fn triangle<V: Value>(op: &str, x: &V, keep: impl Fn(isize) -> bool) -> V {
    let inside = Tensor::from_fn(matrix(op, x), |i| f32::from(keep(i[1] as isize - i[0] as isize)));
    x.place().constant(inside).select_where(x, &x.place().constant(0.0))
}

/// The sizes of the last two axes.
#[track_caller]
fn matrix<V: Value>(op: &str, x: &V) -> [usize; 2] {
    match x.shape()[..] {
        [.., rows, columns] => [rows, columns],
        ref shape => ShapeError::new(format!("{op}: shape {shape:?} has fewer than two axes")).fail(),
    }
}

/// Where a diagonal of this length lies among the elements of a matrix of so many columns, row after row.
fn places(diagonal: isize, columns: isize, length: isize) -> Slice {
    if length == 0 {
        return Slice::from(0..0isize);
    }
    let first = if diagonal < 0 { -diagonal * columns } else { diagonal };
    Slice::from(first..first + (length - 1) * (columns + 1) + 1).step(columns + 1)
}
