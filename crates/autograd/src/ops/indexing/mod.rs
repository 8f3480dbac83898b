//! Elements named by indices: taking them out, and adding them back. Indices are attributes, never values.

mod gather;
mod index_select;

pub use gather::{Gather, ScatterAdd};
pub use index_select::{IndexAdd, IndexSelect};

use crate::value::Value;
use gradus_tensor::{Indices, ShapeError, shape::resolve_index};

/// Elements named by indices. A negative index counts from the back; an element that is named twice gets the sum of
/// the gradients.
pub trait Indexing: Value {
    /// The parts of an axis that the indices name, in their order. The axes of the indices stand in the place of the
    /// axis: rows of `[n, d]` by indices `[a, b]` are `[a, b, d]`.
    ///
    /// `y[.., i, ..] = x[.., indices[i], ..]; dx` adds each part of g to the part that it came from
    ///
    /// # Panics
    /// When there is no such axis or an index is out of range.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var([10.0, 20.0, 30.0]);
    /// let y = x.index_select(0, &Indices::from([2, 0, 2]));
    /// assert_eq!(y.value().to_vec(), [30.0, 10.0, 30.0]);
    /// assert_eq!(y.sum().backward()[x].to_vec(), [1.0, 0.0, 2.0]);
    /// ```
    #[track_caller]
    fn index_select(&self, axis: isize, indices: &Indices) -> Self {
        Self::apply(IndexSelect { axis, indices: indices.clone() }, &[self])
    }

    /// One element for each index, which replaces the element's own position along an axis: with axis 1,
    /// `y[i, j] = x[i, indices[i, j]]`. The result has the indices' shape, which differs from this one on that axis only.
    ///
    /// `dx` adds each element of g to the element that it came from
    ///
    /// # Panics
    /// When there is no such axis, an index is out of range, or the indices' shape does not fit.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let scores = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// let chosen = scores.gather(1, &Indices::new([1, 0], [2, 1]));
    /// assert_eq!(chosen.to_vec(), [2.0, 3.0]);
    /// ```
    #[track_caller]
    fn gather(&self, axis: isize, indices: &Indices) -> Self {
        Self::apply(Gather { axis, indices: indices.clone() }, &[self])
    }

    /// This value with elements of `source` added, each where its index says: with axis 1,
    /// `y[i, indices[i, j]] += source[i, j]`. The reverse of [`gather`](Indexing::gather).
    ///
    /// `dx = g; dsource[i, j] = g[i, indices[i, j]]`
    ///
    /// # Panics
    /// When there is no such axis, an index is out of range, the shapes of indices and source differ or do not fit.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let counts = Tensor::zeros([3]).scatter_add(0, &Indices::from([2, 0, 2]), &Tensor::ones([3]));
    /// assert_eq!(counts.to_vec(), [1.0, 0.0, 2.0]);
    /// ```
    #[track_caller]
    fn scatter_add(&self, axis: isize, indices: &Indices, source: &Self) -> Self {
        let op = ScatterAdd { axis, indices: indices.clone(), shape: self.shape() };
        self + Self::apply(op, &[source])
    }

    /// A row of this table, `[n, d]`, for each index: indices of any shape `[..]` give `[.., d]`.
    ///
    /// `y[.., :] = weight[indices[..], :]; dweight` adds each row of g to the row that it came from
    ///
    /// # Panics
    /// When the table has not two axes or an index is out of range.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let table = Tensor::from([[0.0, 0.1], [1.0, 1.1]]);
    /// let words = Indices::new([1, 0, 1, 1], [2, 2]);
    /// assert_eq!(table.embedding(&words).shape(), &[2, 2, 2]);
    /// ```
    #[track_caller]
    fn embedding(&self, indices: &Indices) -> Self {
        let shape = self.shape();
        if shape[..].len() != 2 {
            ShapeError::new(format!("embedding: the table must have shape [n, d], not {shape}")).fail()
        }
        self.index_select(0, indices)
    }
}

impl<V: Value> Indexing for V {}

/// The positions on an axis that indices name; an error for an index out of range.
fn positions(op: &str, axis: usize, shape: &[usize], indices: &Indices) -> Result<Vec<usize>, ShapeError> {
    indices.as_slice().iter().map(|&i| resolve_index(op, i as isize, axis, shape)).collect()
}
