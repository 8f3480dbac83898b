//! The matrix product of tensors of any rank and layout.

use crate::{error::OrFail, shape, tensor::Tensor};

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
        let (m, k, n) = (a.size(-2), a.size(-1), b.size(-1));
        let batch_of = |t: &Tensor| t.shape()[..t.rank() - 2].to_vec();
        let batch = shape::broadcast("matmul: batch axes", &batch_of(&a), &batch_of(&b)).or_fail();
        let full = |t: &Tensor, rows: usize, columns: usize| {
            let mut sizes = batch.to_vec();
            sizes.extend([rows, columns]);
            t.broadcast_to(sizes).contiguous()
        };
        let (a, b) = (full(&a, m, k), full(&b, k, n));
        let (x, y) = (a.as_slice().unwrap_or(&[]), b.as_slice().unwrap_or(&[]));
        Tensor::written(shape, |out| {
            out.fill(0.0);
            if n == 0 {
                return;
            }
            for (i, row) in out.chunks_mut(n).enumerate() {
                let y = &y[i / m * k * n..];
                for p in 0..k {
                    let scale = x[i * k + p];
                    row.iter_mut().zip(&y[p * n..][..n]).for_each(|(c, &b)| *c += scale * b);
                }
            }
        })
    }
}
