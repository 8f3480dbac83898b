//! Products of matrices.

mod affine;
mod cosine;
mod einsum;
mod matmul;
mod similarity;

pub use affine::Linear;
pub use cosine::CosineSimilarity;
pub use matmul::MatMul;
pub use similarity::Similarity;

use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::shape;

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
    #[doc(alias = "mm")]
    #[doc(alias = "bmm")]
    #[track_caller]
    fn matmul(&self, other: &Self) -> Self {
        let (a, b) = (self.shape(), other.shape());
        let result = shape::matmul(&a, &b).or_fail();
        match (a.rank(), b.rank()) {
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

    /// The sum of the products of two vectors' elements.
    ///
    /// # Panics
    /// When these are not two vectors of one length.
    #[track_caller]
    fn dot(&self, other: &Self) -> Self {
        let (a, b) = (self.shape(), other.shape());
        if a.rank() != 1 || a != b {
            ShapeError::new(format!("dot: {a} · {b}: both sides must be vectors, of one length")).fail()
        }
        self.matmul(other)
    }

    /// The products of each element of one vector with each of another: `y[i, j] = a[i] b[j]`.
    ///
    /// # Panics
    /// When these are not two vectors.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let (a, b) = (Tensor::from([1.0, 2.0]), Tensor::from([3.0, 4.0]));
    /// assert_eq!(a.outer(&b).to_vec(), [3.0, 4.0, 6.0, 8.0]);
    /// ```
    #[track_caller]
    fn outer(&self, other: &Self) -> Self {
        let (a, b) = (self.shape(), other.shape());
        if a.rank() != 1 || b.rank() != 1 {
            ShapeError::new(format!("outer: {a} and {b}: both sides must be vectors")).fail()
        }
        self.unsqueeze(1) * other
    }

    /// The products of each element of one matrix with the whole of another, block by block (L. Kronecker's product).
    ///
    /// # Panics
    /// When these are not two matrices.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let (a, b) = (Tensor::from([[1.0, 2.0]]), Tensor::from([[1.0], [10.0]]));
    /// assert_eq!(a.kron(&b), Tensor::from([[1.0, 2.0], [10.0, 20.0]]));
    /// ```
    #[track_caller]
    fn kron(&self, other: &Self) -> Self {
        let (a, b) = (self.shape(), other.shape());
        let (&[m, n], &[p, q]) = (&a[..], &b[..]) else {
            ShapeError::new(format!("kron: {a} and {b}: both sides must be matrices")).fail()
        };
        let whole = Shape::from([m.saturating_mul(p), n.saturating_mul(q)]).checked("kron").or_fail();
        (self.reshape([m, 1, n, 1]) * other.reshape([1, p, 1, q])).reshape(whole)
    }

    /// The vectors that stand upright on two others of three elements, on the last axis (the cross product).
    ///
    /// # Panics
    /// When the last axes are not of size 3, or the others do not broadcast.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let (x, y) = (Tensor::from([1.0, 0.0, 0.0]), Tensor::from([0.0, 1.0, 0.0]));
    /// assert_eq!(x.cross(&y).to_vec(), [0.0, 0.0, 1.0]);
    /// ```
    #[track_caller]
    fn cross(&self, other: &Self) -> Self {
        let (a, b) = (self.shape(), other.shape());
        if a.last() != Some(&3) || b.last() != Some(&3) {
            ShapeError::new(format!("cross: {a} and {b}: the last axes must have size 3")).fail()
        }
        (self * other.roll(-1, -1) - self.roll(-1, -1) * other).roll(-1, -1)
    }

    /// The sum of products that an equation describes, in which letters stand for axes (A. Einstein's convention): an axis
    /// of each operand for each letter, and after `->` those of the result. What the result does not name is summed over.
    ///
    /// - `"ij,jk->ik"` is the matrix product, `"bij,bjk->bik"` one for each `b`, `"i,j->ij"` the outer product.
    /// - A letter twice in one operand takes the diagonal: `"ii->"` is the trace.
    /// - `...` stands for any number of axes in front, between or behind, which broadcast: `"...ij,...jk->...ik"`.
    /// - Without `->` the result has the axes of the ellipsis and then the letters that stand once, in alphabetical order.
    ///
    /// Operands are joined from left to right, each step as a batched matrix product.
    ///
    /// # Panics
    /// When the equation is malformed, does not fit the number or the ranks of the operands, or a letter has two sizes.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let (a, b) = (tape.var([[1.0, 2.0], [3.0, 4.0]]), tape.var([1.0, -1.0]));
    /// let y = Var::einsum("ij,j->i", &[&a, &b]);
    /// assert_eq!(y.value().to_vec(), [-1.0, -1.0]);
    /// assert_eq!(y.sum().backward()[b].to_vec(), [4.0, 6.0]);
    /// ```
    #[track_caller]
    fn einsum(equation: &str, operands: &[&Self]) -> Self {
        einsum::einsum(equation, operands)
    }

    /// A form that is linear in this value, `[.., m]`, and in another, `[.., n]`, for a weight `[out, m, n]` and a bias
    /// `[out]`: `y[.., o] = Σ x[.., i] weight[o, i, j] other[.., j] + bias[o]`.
    ///
    /// # Panics
    /// When the shapes are not these.
    #[track_caller]
    fn bilinear(&self, other: &Self, weight: &Self, bias: Option<&Self>) -> Self {
        let y = Self::einsum("...i,oij,...j->...o", &[self, weight, other]);
        match bias {
            Some(bias) => y + bias,
            None => y,
        }
    }
}

impl<V: Value> Products for V {}
