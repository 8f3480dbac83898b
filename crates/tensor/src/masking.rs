//! Elements chosen by masks, and the parts of matrices beside a diagonal.
//!
//! A mask is a tensor: an element that is not 0 means yes.

use crate::{
    ShapeError, error::OrFail, layout::Layout, par, shape::broadcast, strided::Coalesced, tensor::Tensor,
};

impl Tensor {
    /// The element of `a` where this mask is not 0, else that of `b`; all three broadcast to one shape.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let mask = Tensor::from([1.0, 0.0, 1.0]);
    /// let chosen = mask.select_where(&Tensor::from([1.0, 2.0, 3.0]), &Tensor::scalar(-1.0));
    /// assert_eq!(chosen.to_vec(), [1.0, -1.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn select_where(&self, a: &Tensor, b: &Tensor) -> Tensor {
        let shape = broadcast("select_where", a.shape(), b.shape()).or_fail();
        let shape = broadcast("select_where", self.shape(), &shape).or_fail();
        let layouts = [self, a, b].map(|t| t.layout.broadcast_to(&shape).or_fail());
        let result = Layout::contiguous(shape.clone());
        let loops = Coalesced::new([&result, &layouts[0], &layouts[1], &layouts[2]]);
        let (n, [_, mask_step, a_step, b_step]) = loops.inner();
        let (mask, a, b) = (self.data(), a.data(), b.data());
        Tensor::written(shape, |out| {
            par::for_each_run_chunk(out, n, par::ELEMENTWISE, &|runs, out| {
                let first = runs.start;
                loops.for_each_run(runs, |run, [_, mask_at, a_at, b_at]| {
                    let at =
                        |start: usize, i: usize, step: isize| start.wrapping_add_signed(i as isize * step);
                    for (i, y) in out[(run - first) * n..][..n].iter_mut().enumerate() {
                        let chosen = mask[at(mask_at, i, mask_step)] != 0.0;
                        *y = if chosen { a[at(a_at, i, a_step)] } else { b[at(b_at, i, b_step)] };
                    }
                });
            });
        })
    }

    /// `value` where the mask is not 0, else this tensor's element. The mask broadcasts to this tensor's shape.
    ///
    /// # Panics
    /// When the mask does not broadcast to this shape.
    #[track_caller]
    pub fn masked_fill(&self, mask: &Tensor, value: f32) -> Tensor {
        let fits = broadcast("masked_fill", self.shape(), mask.shape()).or_fail() == *self.shape();
        if !fits {
            let (found, shape) = (mask.shape(), self.shape());
            ShapeError::new(format!("masked_fill: a mask of shape {found} does not broadcast to {shape}"))
                .fail()
        }
        mask.select_where(&Tensor::scalar(value), self)
    }

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
