//! The matrix product of tensors of any rank and layout.

use crate::{
    ShapeError,
    array::{Tensor, layout::Layout, strided::Positions},
    error::OrFail,
    kernels::matmul::{Epilogue, Mat, MatMut, Packed, batched_matmul, matmul},
    limit::refusal,
    shape::{self, Shape},
};
use std::fmt;

impl Tensor {
    /// The matrix product: `[.., m, k] · [.., k, n] = [.., m, n]`, batch axes broadcast. A vector on the left is a
    /// row, on the right a column, and its axis goes away.
    ///
    /// # Panics
    /// When the inner sizes differ or the batch axes do not broadcast.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.matmul(&Tensor::from([1.0, 1.0])).to_vec(), [3.0, 7.0]);
    /// ```
    #[track_caller]
    pub fn matmul(&self, other: &Tensor) -> Tensor {
        let shape = shape::matmul(self.shape(), other.shape()).or_fail();
        let a = if self.rank() == 1 { self.unsqueeze(0) } else { self.clone() };
        let b = if other.rank() == 1 { other.unsqueeze(1) } else { other.clone() };
        let (a, b) = (Batch::new(&a), Batch::new(&b));
        let batch = shape::broadcast("matmul: batch axes", &a.batch.shape, &b.batch.shape).or_fail();
        let (m, n) = (a.sizes[0], b.sizes[1]);
        Tensor::written(shape, |out| {
            if batch.is_empty() || m == 0 || n == 0 {
                return;
            }
            if batch.numel() == 1 {
                let out = MatMut::new(out, [m, n], n);
                return matmul(a.matrix(a.batch.offset), b.matrix(b.batch.offset), out, Epilogue::NONE);
            }
            let (a_at, b_at) = (a.offsets(&batch), b.offsets(&batch));
            let out = MatMut::new(out, [batch.numel() * m, n], n);
            batched_matmul(batch.numel(), |i| (a.matrix(a_at[i]), b.matrix(b_at[i])), out, Epilogue::NONE);
        })
    }

    /// `x Wᵀ + b` for rows `x`: `[.., in]` times a weight `[out, in]`, plus a bias `[out]` if there is one.
    ///
    /// # Panics
    /// When the sizes do not fit.
    #[track_caller]
    pub fn linear(&self, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
        let bias_shape = bias.map(|b| b.shape());
        let shape = shape::linear(self.shape(), weight.shape(), bias_shape.map(|s| &s[..])).or_fail();
        let (inputs, outputs) = (weight.shape()[1], weight.shape()[0]);
        let rows = self.reshape([self.shape()[..self.rank() - 1].iter().product(), inputs]);
        let bias = bias.map(|b| b.contiguous());
        let (x, w) = (Batch::new(&rows), Batch::new(weight));
        let epilogue = Epilogue { bias: bias.as_ref().and_then(Tensor::as_slice), ..Epilogue::NONE };
        Tensor::written(shape, |out| {
            if !out.is_empty() {
                let out = MatMut::new(out, [x.sizes[0], outputs], outputs);
                matmul(x.matrix(x.batch.offset), w.matrix(w.batch.offset).transposed(), out, epilogue);
            }
        })
    }
}

/// A matrix that many others are multiplied with, one after the other, as the weight of a recurrence is: brought once to the
/// form that the product reads.
///
/// ```
/// # use gradus_tensor::{PackedMatrix, Tensor};
/// let weight = PackedMatrix::new(&Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
/// let x = Tensor::from([[1.0, 1.0], [0.0, 2.0]]);
/// assert_eq!(weight.product(&x, None), Tensor::from([[4.0, 6.0], [6.0, 8.0]]));
/// assert_eq!(weight.product(&x, Some(&Tensor::from([0.5, 0.0]))), Tensor::from([[4.5, 6.0], [6.5, 8.0]]));
/// ```
pub struct PackedMatrix(Packed);

impl PackedMatrix {
    /// Packs a matrix `[k, n]`.
    ///
    /// # Panics
    /// When it is no matrix, or there is no memory for it.
    #[track_caller]
    pub fn new(matrix: &Tensor) -> PackedMatrix {
        let shape = matrix.shape();
        if shape.rank() != 2 {
            ShapeError::new(format!("packed matrix: shape {shape} is not that of a matrix")).fail()
        }
        let matrix = Batch::new(matrix);
        let packed = Packed::new(matrix.matrix(matrix.batch.offset));
        PackedMatrix(packed.unwrap_or_else(|| refusal("packed matrix", shape, shape.numel()).fail()))
    }

    /// `x` times this matrix, plus a bias if there is one: of `[m, k]` and `[n]` it makes `[m, n]`. The bits are those of
    /// [`Tensor::matmul`] by a matrix whose rows are contiguous, and a sum, but for a single row or column, of which that makes dot products.
    ///
    /// # Panics
    /// When the shapes are not these.
    #[track_caller]
    pub fn product(&self, x: &Tensor, bias: Option<&Tensor>) -> Tensor {
        let ([k, n], shape) = (self.0.size(), x.shape());
        let fits = shape.rank() == 2 && shape[1] == k && bias.is_none_or(|bias| bias.shape()[..] == [n]);
        if !fits {
            let bias = bias.map_or(String::new(), |bias| format!(" and a bias {}", bias.shape()));
            ShapeError::new(format!("packed matrix: rows {shape}{bias} do not fit the matrix [{k}, {n}]"))
                .fail()
        }
        let bias = bias.map(Tensor::contiguous);
        let (x, rows) = (Batch::new(x), shape[0]);
        Tensor::written(Shape::from([rows, n]), |out| {
            if !out.is_empty() {
                let out = MatMut::new(out, [rows, n], n);
                self.0.product(x.matrix(x.batch.offset), &out, bias.as_ref().and_then(Tensor::as_slice));
            }
        })
    }
}

impl fmt::Debug for PackedMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PackedMatrix({:?})", self.0.size())
    }
}

/// A tensor as a batch of matrices: the last two axes, and the layout of those before them.
pub(super) struct Batch<'a> {
    data: &'a [f32],
    batch: Layout,
    sizes: [usize; 2],
    strides: [isize; 2],
}

impl Batch<'_> {
    pub(super) fn new(x: &Tensor) -> Batch<'_> {
        let axes = x.rank() - 2;
        let layout = &x.layout;
        Batch {
            data: x.data(),
            batch: Layout::new(
                Shape::new(&layout.shape[..axes]),
                layout.strides[..axes].into(),
                layout.offset,
            ),
            sizes: [layout.shape[axes], layout.shape[axes + 1]],
            strides: [layout.strides[axes], layout.strides[axes + 1]],
        }
    }

    pub(super) fn matrix(&self, offset: usize) -> Mat<'_> {
        Mat::new(self.data, offset, self.sizes, self.strides)
    }

    /// Where each matrix starts when the batch axes are broadcast to this shape.
    pub(super) fn offsets(&self, batch: &Shape) -> Vec<usize> {
        Positions::new(&self.batch.broadcast_to(batch).or_fail()).collect()
    }
}
