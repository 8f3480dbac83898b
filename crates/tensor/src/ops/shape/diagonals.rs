//! The parts of matrices on and beside a diagonal.

use crate::{ShapeError, array::Tensor, error::OrFail};

impl Tensor {
    /// The upper triangle of a matrix, or of each matrix in a batch: elements `[i, j]` with `j >= i + diagonal`, and 0
    /// for the others.
    ///
    /// # Panics
    /// When there are fewer than two axes.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::ones([2, 3]).triu(1), Tensor::from([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]));
    /// ```
    #[track_caller]
    pub fn triu(&self, diagonal: isize) -> Tensor {
        self.triangle("triu", |i, j| j >= i.saturating_add(diagonal))
    }

    /// The lower triangle of a matrix, or of each matrix in a batch: elements `[i, j]` with `j <= i + diagonal`, and 0
    /// for the others.
    ///
    /// # Panics
    /// When there are fewer than two axes.
    #[track_caller]
    pub fn tril(&self, diagonal: isize) -> Tensor {
        self.triangle("tril", |i, j| j <= i.saturating_add(diagonal))
    }

    #[track_caller]
    fn triangle(&self, op: &str, keep: impl Fn(isize, isize) -> bool) -> Tensor {
        if self.rank() < 2 {
            ShapeError::new(format!("{op}: shape {} has fewer than two axes", self.shape())).fail()
        }
        let (rows, columns) = (self.size(-2), self.size(-1));
        let mut result = self.clone();
        if !self.is_empty() {
            for (k, row) in result.as_mut_slice().chunks_exact_mut(columns).enumerate() {
                for (j, y) in row.iter_mut().enumerate() {
                    *y = if keep((k % rows) as isize, j as isize) { *y } else { 0.0 };
                }
            }
        }
        result
    }

    /// A diagonal of a matrix, as a vector; or a matrix with this vector on a diagonal and zeros elsewhere. Diagonals
    /// above the main one, number 0, have positive numbers.
    ///
    /// # Panics
    /// When this is neither a vector nor a matrix, or has no such diagonal.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.diag(0).to_vec(), [1.0, 4.0]);
    /// assert_eq!(x.diag(1).to_vec(), [2.0]);
    /// assert_eq!(Tensor::from([5.0]).diag(-1), Tensor::from([[0.0, 0.0], [5.0, 0.0]]));
    /// ```
    #[track_caller]
    pub fn diag(&self, diagonal: isize) -> Tensor {
        let (down, right) = (diagonal.min(0).unsigned_abs(), diagonal.max(0) as usize);
        match self.shape()[..] {
            [n] => {
                let size = n.saturating_add(diagonal.unsigned_abs());
                let matrix = crate::Shape::new(&[size, size]).checked("diag").or_fail();
                Tensor::written(matrix, |out| {
                    out.fill(0.0);
                    for (i, x) in self.iter().enumerate() {
                        out[(i + down) * size + i + right] = x;
                    }
                })
            }
            [rows, columns] if down <= rows && right <= columns => {
                let n = (rows - down).min(columns - right);
                Tensor::from_fn([n], |i| self.get([i[0] + down, i[0] + right]))
            }
            [_, _] => {
                ShapeError::new(format!("diag: shape {} has no diagonal {diagonal}", self.shape())).fail()
            }
            _ => ShapeError::new(format!("diag: shape {} is neither a vector nor a matrix", self.shape()))
                .fail(),
        }
    }
}
