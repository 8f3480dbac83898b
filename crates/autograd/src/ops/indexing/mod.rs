//! Elements named by indices: taking them out, and adding them back. Indices are attributes, never values.

mod embedding;
mod gather;
mod index_select;
mod order;
mod scatter_reduce;

pub use embedding::{BagMode, EmbeddingBagOptions};
pub use gather::{Gather, ScatterAdd};
pub use index_select::{IndexAdd, IndexSelect};
pub use order::Order;
pub use scatter_reduce::{ScatterExtremum, ScatterReduction};

use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::{
    Indices,
    shape::{broadcast, resolve_axis},
};

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

    /// [`gather`](Indexing::gather) of a value and indices that broadcast against each other on all axes but this one:
    /// NumPy's `take_along_axis`, for what [`sort`](crate::ops::indexing::Order::sort) or an `argmax` with its axis kept has found.
    ///
    /// # Panics
    /// When there is no such axis, an index is out of range, the numbers of axes differ, or other axes do not broadcast.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(x.take_along_dim(1, &Indices::new([2, 0], [1, 2])), Tensor::from([[3.0, 1.0], [6.0, 4.0]]));
    /// ```
    #[track_caller]
    fn take_along_dim(&self, axis: isize, indices: &Indices) -> Self {
        let (shape, own) = (self.shape(), indices.shape());
        let position = resolve_axis("take_along_dim", axis, &shape).or_fail();
        if own.rank() != shape.rank() {
            ShapeError::new(format!(
                "take_along_dim: indices of shape {own} have not the axes of shape {shape}"
            ))
            .fail()
        }
        let [a, b] = [&shape, own].map(|shape| shape.with(position, 1));
        let others = broadcast("take_along_dim", &a, &b).or_fail();
        let [from, to] = [&shape, own].map(|shape| others.with(position, shape[position]));
        let x = if from == shape { self.clone() } else { self.broadcast_to(from) };
        x.gather(axis, &indices.broadcast_to(to))
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

    /// This value with elements replaced by those of `source`, each where its index says: with axis 1,
    /// `y[i, indices[i, j]] = source[i, j]`. Of several for one place the last wins, and has the gradient alone.
    ///
    /// `dx = g` where nothing was replaced, else 0; `dsource[i, j] = g[i, indices[i, j]]` where it stayed, else 0
    ///
    /// # Panics
    /// When there is no such axis, an index is out of range, the shapes of indices and source differ or do not fit.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let y = Tensor::zeros([3]).scatter(0, &Indices::from([2, 0, 2]), &Tensor::from([1.0, 2.0, 3.0]));
    /// assert_eq!(y.to_vec(), [2.0, 0.0, 3.0]);
    /// ```
    #[track_caller]
    fn scatter(&self, axis: isize, indices: &Indices, source: &Self) -> Self {
        let places = gather::places("scatter", axis, &self.shape(), indices, &source.shape()).or_fail();
        overwrite(self, places.into_iter(), source)
    }

    /// This value with elements of `source` joined to it, each where its index says: with axis 1, `y[i, k]` is the sum, the
    /// product, the mean, the largest or the smallest of `x[i, k]` and all `source[i, j]` with `indices[i, j] = k`.
    ///
    /// Without `include_self`, an element to whose place others are sent is left out; where none are sent it stays.
    ///
    /// sum: `dx = g; dsource[i, j] = g[i, k]`; mean: the same divided by their number; product: times the product of the
    /// others, right to every order where elements are 0; largest and smallest: `g / n` for each of the n that are equal to
    /// it. What is left out gets 0. A NaN makes NaN of its place.
    ///
    /// # Panics
    /// When there is no such axis, an index is out of range, the shapes of indices and source differ or do not fit.
    ///
    /// ```
    /// use gradus_autograd::{ops::indexing::ScatterReduction, prelude::*};
    /// let tape = Tape::new();
    /// let (x, source) = (tape.var([1.0, 2.0, 3.0]), tape.var([4.0, 0.0, 0.0]));
    /// let indices = Indices::from([1, 1, 2]);
    /// let largest = x.scatter_reduce(0, &indices, &source, ScatterReduction::Amax, false);
    /// assert_eq!(largest.value().to_vec(), [1.0, 4.0, 0.0]);
    /// let product = x.scatter_reduce(0, &indices, &source, ScatterReduction::Prod, true);
    /// assert_eq!(product.sum().backward()[source].to_vec(), [0.0, 8.0, 3.0]);
    /// ```
    #[track_caller]
    fn scatter_reduce(
        &self,
        axis: isize,
        indices: &Indices,
        source: &Self,
        how: ScatterReduction,
        include_self: bool,
    ) -> Self {
        scatter_reduce::scatter_reduce(self, axis, indices, source, how, include_self)
    }

    /// This value with parts of `source` added along an axis, each where its index says:
    /// `y[.., indices[i], ..] += source[.., i, ..]`. The reverse of [`index_select`](Indexing::index_select).
    ///
    /// `dx = g; dsource[.., i, ..] = g[.., indices[i], ..]`
    ///
    /// # Panics
    /// When there is no such axis, an index is out of range, or the source has not the shape of the selected parts.
    #[track_caller]
    fn index_add(&self, axis: isize, indices: &Indices, source: &Self) -> Self {
        let shape = self.shape();
        let axis = resolve_axis("index_add", axis, &shape).or_fail();
        self + Self::apply(IndexAdd { axis, indices: indices.clone(), shape }, &[source])
    }

    /// This value with parts of an axis replaced by those of `source`, each where its index says:
    /// `y[.., indices[i], ..] = source[.., i, ..]`. Of several for one place the last wins, and has the gradient alone.
    ///
    /// # Panics
    /// When there is no such axis, an index is out of range, or the source has not the shape of the selected parts.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let y = Tensor::zeros([3, 2]).index_copy(0, &Indices::from([-1]), &Tensor::from([[1.0, 2.0]]));
    /// assert_eq!(y.to_vec(), [0.0, 0.0, 0.0, 0.0, 1.0, 2.0]);
    /// ```
    #[track_caller]
    fn index_copy(&self, axis: isize, indices: &Indices, source: &Self) -> Self {
        let shape = self.shape();
        let axis = resolve_axis("index_copy", axis, &shape).or_fail();
        let positions = indices.positions("index_copy", axis, &shape).or_fail();
        let parts = index_select::selected(&shape, axis, indices);
        if source.shape() != parts {
            ShapeError::new(format!(
                "index_copy: parts of axis {axis} of shape {shape} must have shape {parts}, not {}",
                source.shape()
            ))
            .fail()
        }
        let (n, inner) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
        let block = positions.len() * inner;
        let place = |k: usize| (k / block * n + positions[k % block / inner]) * inner + k % inner;
        overwrite(self, (0..parts.numel()).map(place), source)
    }

    /// The elements, or parts, at indices along each of the first axes: NumPy's `x[i, j]`. With lists of one shape `[..]`
    /// for `k` axes it has the shape `[..]` followed by the other axes.
    ///
    /// `y[..] = x[i[..], j[..]]; dx` adds each part of g to the part that it came from
    ///
    /// # Panics
    /// When there are no lists or more than axes, their shapes differ, or an index is out of range.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.index(&[&[0, 1, 0].into(), &[1, -1, 1].into()]).to_vec(), [2.0, 4.0, 2.0]);
    /// ```
    #[track_caller]
    fn index(&self, indices: &[&Indices]) -> Self {
        let shape = self.shape();
        let places = combined("index", &shape, indices).or_fail();
        leading_as_one(self, indices.len()).index_select(0, &places)
    }

    /// This value with the elements, or parts, that [`index`](Indexing::index) gives replaced by `values`; with `accumulate`
    /// the values are added to them instead. Of several for one place the last wins, and has the gradient alone; added
    /// ones all count.
    ///
    /// # Panics
    /// As [`index`](Indexing::index), and when the values have not the shape that it gives.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let (rows, columns) = (Indices::from([0, 0]), Indices::from([1, 1]));
    /// let (x, values) = (Tensor::ones([1, 2]), Tensor::from([5.0, 7.0]));
    /// assert_eq!(x.index_put(&[&rows, &columns], &values, false).to_vec(), [1.0, 7.0]);
    /// assert_eq!(x.index_put(&[&rows, &columns], &values, true).to_vec(), [1.0, 13.0]);
    /// ```
    #[track_caller]
    fn index_put(&self, indices: &[&Indices], values: &Self, accumulate: bool) -> Self {
        let shape = self.shape();
        let places = combined("index_put", &shape, indices).or_fail();
        let parts = [&places.shape()[..], &shape[indices.len()..]].concat();
        if values.shape()[..] != parts {
            ShapeError::new(format!(
                "index_put: the values have shape {}, the places {parts:?}",
                values.shape()
            ))
            .fail()
        }
        let x = leading_as_one(self, indices.len());
        let y = if accumulate { x.index_add(0, &places, values) } else { x.index_copy(0, &places, values) };
        y.reshape(shape)
    }

    /// The elements where a mask is not 0, in row-major order, as a vector. The mask broadcasts to this shape.
    ///
    /// The shape of the result depends on the mask's numbers as they are now: no gradient flows to the mask.
    ///
    /// # Panics
    /// When the mask does not broadcast to this shape.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([1.0, -2.0, 3.0]);
    /// assert_eq!(x.masked_select(&x.is_positive()).to_vec(), [1.0, 3.0]);
    /// ```
    #[track_caller]
    fn masked_select(&self, mask: &Self) -> Self {
        let (shape, found) = (self.shape(), mask.shape());
        if broadcast("masked_select", &shape, &found).or_fail() != shape {
            ShapeError::new(format!("masked_select: a mask of shape {found} does not broadcast to {shape}"))
                .fail()
        }
        let mask = mask.to_tensor().broadcast_to(&shape);
        let places: Indices = (0..).zip(mask.iter()).filter(|&(_, x)| x != 0.0).map(|(i, _)| i).collect();
        self.flatten().index_select(0, &places)
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
        if shape.rank() != 2 {
            ShapeError::new(format!("embedding: the table must have shape [n, d], not {shape}")).fail()
        }
        self.index_select(0, indices)
    }

    /// One row for each bag of indices: the mean of the rows of this table, `[n, d]`, that they name: `[bags, d]`. Indices
    /// `[bags, size]` are a bag a row. Of a list of indices a bag begins at its offset and ends where the next one begins. An
    /// empty bag gives 0.
    ///
    /// `y[b, :] = Σ weight[i, :] / count` over the indices i of bag b; `dweight` adds to each row its shares of g
    ///
    /// # Panics
    /// When the table has not two axes, an index is out of range, the indices have not one axis with offsets and two without,
    /// or the offsets do not rise from 0 to at most the number of indices.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let table = Tensor::from([[1.0, 2.0], [3.0, 6.0]]);
    /// let means = table.embedding_bag(&Indices::from([0, 1, 1]), Some(&[0, 2]));
    /// assert_eq!(means, Tensor::from([[2.0, 4.0], [3.0, 6.0]]));
    /// assert_eq!(table.embedding_bag(&Indices::new([0, 1, 1, 1], [2, 2]), None), means);
    /// ```
    #[track_caller]
    fn embedding_bag(&self, indices: &Indices, offsets: Option<&[usize]>) -> Self {
        self.embedding_bag_with(indices, offsets, EmbeddingBagOptions::default())
    }

    /// [`embedding_bag`](Indexing::embedding_bag) with sums, weighted or not, or the largest elements instead of means, or with
    /// a row that fills bags up; or with only a choice of [`BagMode`].
    ///
    /// Indices of the padding count for nothing, and send no gradient. Equal largest elements share theirs; NaN is larger than
    /// every number.
    ///
    /// # Panics
    /// As [`embedding_bag`](Indexing::embedding_bag); when the weights have not the indices' shape, or the rows are not summed,
    /// or the table has no row for padding.
    ///
    /// ```
    /// use gradus_autograd::{ops::indexing::{BagMode, EmbeddingBagOptions}, prelude::*};
    /// let tape = Tape::new();
    /// let (table, weights) = (tape.var([[1.0, 9.0], [3.0, 6.0]]), tape.var([[2.0, 0.5]]));
    /// let words = Indices::new([0, 1], [1, 2]);
    /// let largest = table.embedding_bag_with(&words, None, BagMode::Max);
    /// assert_eq!(largest.value().to_vec(), [3.0, 9.0]);
    /// let per_sample_weights = Some(&weights);
    /// let options = EmbeddingBagOptions { mode: BagMode::Sum, per_sample_weights, ..Default::default() };
    /// let y = table.embedding_bag_with(&words, None, options);
    /// assert_eq!(y.value().to_vec(), [3.5, 21.0]);
    /// assert_eq!(y.sum().backward()[weights].to_vec(), [10.0, 9.0]);
    /// let options = EmbeddingBagOptions { padding_index: Some(1), ..Default::default() };
    /// assert_eq!(table.embedding_bag_with(&words, None, options).value().to_vec(), [1.0, 9.0]);
    /// ```
    #[track_caller]
    fn embedding_bag_with<'a>(
        &self,
        indices: &Indices,
        offsets: Option<&[usize]>,
        options: impl Into<EmbeddingBagOptions<'a, Self>>,
    ) -> Self
    where
        Self: 'a,
    {
        embedding::bags(self, indices, offsets, options.into())
    }

    /// [`embedding`](Indexing::embedding) with a row that fills up: indices of row `padding` give it, but send no gradient
    /// to it. Both count from the back where they are negative, so -1 and `n - 1` name one row.
    ///
    /// # Panics
    /// As `embedding`, and when there is no such row.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let table = tape.var([[0.0], [1.0]]);
    /// let y = table.embedding_with_padding(&Indices::from([1, 0, 0]), 0);
    /// assert_eq!(y.sum().backward()[table].to_vec(), [0.0, 1.0]);
    /// ```
    #[track_caller]
    fn embedding_with_padding(&self, indices: &Indices, padding: i32) -> Self {
        let (rows, shape) = (self.embedding(indices), self.shape());
        let padding = embedding::padding_row("embedding", padding, &shape).or_fail();
        let positions = indices.positions("embedding", 0, &shape).or_fail();
        let is_padding: Vec<f32> = positions.into_iter().map(|row| f32::from(row == padding)).collect();
        let mask = Tensor::new(is_padding, indices.shape()).unsqueeze(-1);
        let at = self.place();
        at.constant(mask).select_where(&at.constant(rows.to_tensor()), &rows)
    }
}

impl<V: Value> Indexing for V {}

/// For one list of indices for each of the first axes, the positions on all of them taken as one axis.
fn combined(op: &str, shape: &Shape, indices: &[&Indices]) -> Result<Indices, ShapeError> {
    if indices.is_empty() || indices.len() > shape.rank() {
        let lists = indices.len();
        return Err(ShapeError::new(format!("{op}: {lists} lists of indices do not fit shape {shape}")));
    }
    if let Some(other) = indices.iter().find(|other| other.shape() != indices[0].shape()) {
        let (first, other) = (indices[0].shape(), other.shape());
        return Err(ShapeError::new(format!("{op}: the indices have the shapes {first} and {other}")));
    }
    let mut places = vec![0; indices[0].as_slice().len()];
    for (axis, of_axis) in indices.iter().enumerate() {
        let positions = of_axis.positions(op, axis, shape)?;
        places.iter_mut().zip(positions).for_each(|(place, p)| *place = *place * shape[axis] + p);
    }
    Ok(Indices::from(places).reshape(indices[0].shape()))
}

/// The value with its first `axes` axes taken as one.
#[track_caller]
fn leading_as_one<V: Value>(x: &V, axes: usize) -> V {
    let shape = x.shape();
    let leading: usize = shape[..axes].iter().product();
    x.reshape([&[leading], &shape[axes..]].concat())
}

/// The value with the elements at these places, counted row-major, replaced by those of the source, row-major too.
#[track_caller]
fn overwrite<V: Value>(x: &V, places: impl Iterator<Item = usize>, source: &V) -> V {
    let shape = x.shape();
    let mut from: Vec<usize> = (0..shape.numel()).collect();
    places.enumerate().for_each(|(k, place)| from[place] = shape.numel() + k);
    V::concat(&[&x.flatten(), &source.flatten()], 0).index_select(0, &from.into()).reshape(shape)
}
