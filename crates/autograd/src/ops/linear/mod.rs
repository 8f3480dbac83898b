//! Products of matrices.

mod affine;
mod matmul;

pub use affine::Linear;
pub use matmul::MatMul;

use crate::{ops::shape::Shaping, value::Value};
use gradus_tensor::{OrFail, shape};

/// Products of matrices.
pub trait Products: Value {
    /// The matrix product: `[.., m, k] · [.., k, n] = [.., m, n]`, batch axes broadcast. A vector on the left is a
    /// row, on the right a column, and its axis goes away.
    ///
    /// # Panics
    /// When the inner sizes differ or the batch axes do not broadcast.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let (a, b) = (tape.var([[1.0, 2.0], [3.0, 4.0]]), tape.var([1.0, -1.0]));
    /// let y = a.matmul(&b);
    /// assert_eq!(y.value().to_vec(), [-1.0, -1.0]);
    /// assert_eq!(y.sum().backward()[b].to_vec(), [4.0, 6.0]);
    /// ```
    #[track_caller]
    fn matmul(&self, other: &Self) -> Self {
        let (a, b) = (self.shape(), other.shape());
        let result = shape::matmul(&a, &b).or_fail();
        match (a[..].len(), b[..].len()) {
            (1, 1) => Self::apply(MatMul, &[&self.unsqueeze(0), &other.unsqueeze(1)]).reshape(result),
            (1, _) => Self::apply(MatMul, &[&self.unsqueeze(0), other]).reshape(result),
            (_, 1) => Self::apply(MatMul, &[self, &other.unsqueeze(1)]).reshape(result),
            _ => Self::apply(MatMul, &[self, other]),
        }
    }

    /// The linear layer's function: `y = x Wᵀ + b` for x `[.., in]`, a weight `[out, in]`, as in PyTorch, and a bias
    /// `[out]`; y is `[.., out]`. The book's Affine, whose W is this one transposed.
    ///
    /// `dX = G W; dW = Gᵀ X; db = Σ G` over the rows
    ///
    /// # Panics
    /// When the shapes are not these.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let (w, b) = (tape.var([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), tape.var([0.5, 0.5, 0.5]));
    /// let y = tape.constant([[1.0, 2.0]]).linear(&w, Some(&b));
    /// assert_eq!(y.value().to_vec(), [5.5, 11.5, 17.5]);
    /// assert_eq!(y.sum().backward()[w].to_vec(), [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
    /// ```
    #[track_caller]
    fn linear(&self, weight: &Self, bias: Option<&Self>) -> Self {
        match bias {
            Some(bias) => Self::apply(Linear, &[self, weight, bias]),
            None => Self::apply(Linear, &[self, weight]),
        }
    }
}

impl<V: Value> Products for V {}
