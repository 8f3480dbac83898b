//! Products of matrices.

mod matmul;

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
}

impl<V: Value> Products for V {}
