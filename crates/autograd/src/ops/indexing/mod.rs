//! Elements named by indices: taking them out, and adding them back. Indices are attributes, never values.

mod gather;
mod index_select;

pub use gather::{Gather, ScatterAdd};
pub use index_select::{IndexAdd, IndexSelect};

use crate::{ops::shape::Shaping, value::Value};
use gradus_tensor::{Indices, OrFail, ShapeError, shape::resolve_axis};

/// Elements named by indices. An index counts from the front of its axis; one that is named twice gets the sum of the
/// gradients.
pub trait Indexing: Value {
    /// The parts of an axis that the indices name, in their order: the axis has as many parts as there are indices.
    ///
    /// `y[.., i, ..] = x[.., indices[i], ..]; dx` adds each part of g to the part that it came from
    ///
    /// # Panics
    /// When there is no such axis, an index is out of range, or the indices have more axes than one.
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
    /// `y[i, j] = x[i, indices[i, j]]`. The result has the indices' shape, which may be smaller than this one on the
    /// other axes.
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
        let &[_, width] = &shape[..] else {
            ShapeError::new(format!("embedding: the table must have shape [n, d], not {shape}")).fail()
        };
        let rows = self.index_select(0, &indices.reshape([indices.len()]));
        rows.reshape([&indices.shape()[..], &[width]].concat())
    }
}

impl<V: Value> Indexing for V {}

/// The position of an axis whose elements the indices name; an error for an index out of range.
fn check_indices(op: &str, axis: isize, shape: &[usize], indices: &Indices) -> Result<usize, ShapeError> {
    let axis = resolve_axis(op, axis, shape)?;
    let outside = |&index: &i32| usize::try_from(index).map_or(true, |index| index >= shape[axis]);
    match indices.as_slice().iter().position(outside) {
        None => Ok(axis),
        Some(at) => Err(ShapeError::new(format!(
            "{op}: index {} at position {at} is out of range for axis {axis} of shape {shape:?}",
            indices.as_slice()[at]
        ))),
    }
}

/// The position of an axis that a shape rule has accepted.
fn known_axis(axis: isize, shape: &[usize]) -> usize {
    resolve_axis("", axis, shape).or_fail()
}
