//! Elements picked and added by index: rows of an embedding, the score of each label.

mod order;

use crate::{
    Indices, ShapeError,
    array::{Tensor, strided::AxisView},
    error::OrFail,
    shape::{Shape, resolve_axis, resolve_index},
    threads::share,
};
use std::sync::atomic::{AtomicBool, Ordering};

impl Tensor {
    /// The parts at these indices of an axis, in their order: `y[.., i, ..] = x[.., indices[i], ..]`. The axis is
    /// replaced by the axes of `indices`, so a table of shape `[v, d]` and indices of shape `[b, t]` give `[b, t, d]`.
    /// Negative indices count from the back.
    ///
    /// # Panics
    /// When there is no such axis, or an index is out of range.
    ///
    /// ```
    /// # use gradus_tensor::{Indices, Tensor};
    /// let table = Tensor::from([[0.0, 1.0], [10.0, 11.0], [20.0, 21.0]]);
    /// let rows = table.index_select(0, &Indices::from([2, 0, -1]));
    /// assert_eq!(rows.to_vec(), [20.0, 21.0, 0.0, 1.0, 20.0, 21.0]);
    /// ```
    #[track_caller]
    pub fn index_select(&self, axis: isize, indices: &Indices) -> Tensor {
        let axis = resolve_axis("index_select", axis, self.shape()).or_fail();
        let rows = indices.positions("index_select", axis, self.shape()).or_fail();
        let mut shape = self.shape()[..axis].to_vec();
        shape.extend_from_slice(indices.shape());
        shape.extend_from_slice(&self.shape()[axis + 1..]);
        self.take_rows(axis, &rows).reshape(shape)
    }

    /// [`Tensor::index_select`] with indices that are in range.
    #[track_caller]
    pub(crate) fn take_rows(&self, axis: usize, rows: &[usize]) -> Tensor {
        let AxisView { n, inner, .. } = AxisView::new(self.shape(), axis);
        let source = self.contiguous();
        let x = source.as_slice().expect("made contiguous");
        Tensor::written(self.shape().with(axis, rows.len()), |out| {
            share::for_each_run_chunk(out, inner, share::ELEMENTWISE, &|range, out| {
                for (k, out) in range.zip(out.chunks_exact_mut(inner)) {
                    let row = k / rows.len() * n + rows[k % rows.len()];
                    out.copy_from_slice(&x[row * inner..][..inner]);
                }
            });
        })
    }

    /// This tensor with the parts of `source` added at these indices of an axis; the reverse of
    /// [`Tensor::index_select`], whose result has the shape of `source`. Parts with one index are added in order.
    /// In place when nobody shares this tensor's buffer.
    ///
    /// # Panics
    /// When there is no such axis, an index is out of range, or the shape of `source` is another.
    ///
    /// ```
    /// # use gradus_tensor::{Indices, Tensor};
    /// let sums = Tensor::zeros([3]).index_add(0, &Indices::from([2, 0, 2]), &Tensor::from([1.0, 2.0, 3.0]));
    /// assert_eq!(sums.to_vec(), [2.0, 0.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn index_add(mut self, axis: isize, indices: &Indices, source: &Tensor) -> Tensor {
        let axis = resolve_axis("index_add", axis, self.shape()).or_fail();
        let rows = indices.positions("index_add", axis, self.shape()).or_fail();
        let (before, after) = (&self.shape()[..axis], &self.shape()[axis + 1..]);
        let expected: Shape = [before, indices.shape(), after].concat().into_iter().collect();
        if source.shape() != &expected {
            let found = source.shape();
            ShapeError::new(format!("index_add: the source has shape {found}, not {expected}")).fail()
        }
        let AxisView { n, inner, .. } = AxisView::new(self.shape(), axis);
        let source = source.contiguous();
        let x = source.as_slice().expect("made contiguous");
        // Each thread owns some rows of the result and adds what falls on them, in order.
        share::for_each_run_chunk(self.as_mut_slice(), inner, share::ELEMENTWISE, &|own, out| {
            for block in own.start / n..own.end.div_ceil(n) {
                for (k, &row) in rows.iter().enumerate() {
                    let to = block * n + row;
                    if own.contains(&to) {
                        let out = &mut out[(to - own.start) * inner..][..inner];
                        let x = &x[(block * rows.len() + k) * inner..][..inner];
                        out.iter_mut().zip(x).for_each(|(y, x)| *y += x);
                    }
                }
            }
        });
        self
    }

    /// The element at an index of its own for each place: `y[i, j, k] = x[i, indices[i, j, k], k]` for axis 1. The
    /// result has the shape of `indices`. Negative indices count from the back.
    ///
    /// # Panics
    /// When there is no such axis, an index is out of range, or `indices` has another size on another axis.
    ///
    /// ```
    /// # use gradus_tensor::{Indices, Tensor};
    /// let scores = Tensor::from([[0.1, 0.9], [0.7, 0.3]]);
    /// let labels = Indices::from([1, 0]).reshape([2, 1]);
    /// assert_eq!(scores.gather(1, &labels).to_vec(), [0.9, 0.7]);
    /// ```
    #[track_caller]
    pub fn gather(&self, axis: isize, indices: &Indices) -> Tensor {
        let axis = resolve_axis("gather", axis, self.shape()).or_fail();
        indices.check_along("gather", axis, self.shape()).or_fail();
        indices.check_range("gather", axis, self.shape()).or_fail();
        let AxisView { n, inner, .. } = AxisView::new(self.shape(), axis);
        let own = indices.shape()[axis] * inner;
        let source = self.contiguous();
        let x = source.as_slice().expect("made contiguous");
        Tensor::written(indices.shape().clone(), |out| {
            share::for_each_chunk(out, share::ELEMENTWISE, &|start, mut out| {
                let mut k = start;
                while !out.is_empty() {
                    let (block, within) = (k / own, k % own);
                    let (now, later) = out.split_at_mut(out.len().min(own - within));
                    let x = &x[block * n * inner..][..n * inner];
                    let rows = &indices.as_slice()[k..][..now.len()];
                    for_each_place(rows, now.iter_mut(), [n, inner], within, |y, at| *y = x[at]);
                    (k, out) = (k + rows.len(), later);
                }
            });
        })
    }

    /// This tensor with each element of `source` added at an index of its own:
    /// `y[i, indices[i, j, k], k] += source[i, j, k]` for axis 1; the reverse of [`Tensor::gather`]. Elements with one
    /// index are added in order. In place when nobody shares this tensor's buffer.
    ///
    /// # Panics
    /// When there is no such axis, an index is out of range, or the shapes of `indices` and `source` differ from each
    /// other or, beside this axis, from this tensor's.
    #[track_caller]
    pub fn scatter_add(mut self, axis: isize, indices: &Indices, source: &Tensor) -> Tensor {
        let axis = resolve_axis("scatter_add", axis, self.shape()).or_fail();
        indices.check_along("scatter_add", axis, self.shape()).or_fail();
        indices.check_range("scatter_add", axis, self.shape()).or_fail();
        if source.shape() != indices.shape() {
            let (found, expected) = (source.shape(), indices.shape());
            ShapeError::new(format!("scatter_add: the source has shape {found}, the indices {expected}"))
                .fail()
        }
        let AxisView { n, inner, .. } = AxisView::new(self.shape(), axis);
        let own = indices.shape()[axis] * inner;
        let source = source.contiguous();
        let x = source.as_slice().expect("made contiguous");
        share::for_each_run_chunk(self.as_mut_slice(), n * inner, share::ELEMENTWISE, &|blocks, out| {
            for (block, out) in blocks.zip(out.chunks_exact_mut(n * inner)) {
                let (x, rows) = (&x[block * own..][..own], &indices.as_slice()[block * own..][..own]);
                for_each_place(rows, x.iter(), [n, inner], 0, |x, at| out[at] += x);
            }
        });
        self
    }

    /// How often each of `classes` is among the indices, as a vector.
    ///
    /// # Panics
    /// When an index is not one of the classes.
    ///
    /// ```
    /// use gradus_tensor::{Indices, Tensor};
    /// assert_eq!(Tensor::bincount(&Indices::from([2, 0, 2]), 4).to_vec(), [1.0, 0.0, 2.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn bincount(indices: &Indices, classes: usize) -> Tensor {
        let shape = crate::Shape::new(&[classes]);
        let places = indices.positions("bincount", 0, &shape).or_fail();
        Tensor::written(shape, |out| {
            out.fill(0.0);
            places.into_iter().for_each(|place| out[place] += 1.0);
        })
    }

    /// A new last axis of size `classes` with 1 at each index and 0 elsewhere.
    ///
    /// # Panics
    /// When an index is not one of the classes.
    ///
    /// ```
    /// # use gradus_tensor::{Indices, Tensor};
    /// let y = Tensor::one_hot(&Indices::from([2, 0]), 3);
    /// assert_eq!(y, Tensor::from([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]));
    /// ```
    #[track_caller]
    pub fn one_hot(indices: &Indices, classes: usize) -> Tensor {
        let shape = indices.shape().insert(indices.shape().rank(), classes);
        let places = indices.positions("one_hot", shape.rank() - 1, &shape).or_fail();
        Tensor::written(shape, |out| {
            out.fill(0.0);
            for (k, place) in places.into_iter().enumerate() {
                out[k * classes + place] = 1.0;
            }
        })
    }
}

/// The place on an axis of this size that an index in its range names.
#[inline(always)]
fn position(index: i32, size: usize) -> usize {
    if index < 0 { (i64::from(index) + size as i64) as usize } else { index as usize }
}

/// Gives `each` the items of a block, and where in `n` rows of `inner` columns the element lies that has an item's row and the
/// column in which it stands; the first item is number `within` of the block's.
#[inline(always)]
fn for_each_place<T>(
    rows: &[i32],
    items: impl Iterator<Item = T>,
    [n, inner]: [usize; 2],
    within: usize,
    mut each: impl FnMut(T, usize),
) {
    // Counting columns takes as long as all the rest.
    if inner == 1 {
        return rows.iter().zip(items).for_each(|(&row, item)| each(item, position(row, n)));
    }
    let mut column = within % inner;
    for (&row, item) in rows.iter().zip(items) {
        each(item, position(row, n) * inner + column);
        column = if column + 1 == inner { 0 } else { column + 1 };
    }
}

impl Indices {
    /// The parts at these indices of an axis: as [`Tensor::index_select`], for labels that follow a shuffled batch.
    ///
    /// # Panics
    /// When there is no such axis, or an index is out of range.
    #[track_caller]
    pub fn index_select(&self, axis: isize, indices: &Indices) -> Indices {
        let axis = resolve_axis("index_select", axis, self.shape()).or_fail();
        let rows = indices.positions("index_select", axis, self.shape()).or_fail();
        let AxisView { outer, n, inner } = AxisView::new(self.shape(), axis);
        let row = |block: usize, row: usize| &self.as_slice()[(block * n + row) * inner..][..inner];
        let elements: Vec<i32> =
            (0..outer).flat_map(|block| rows.iter().flat_map(move |&r| row(block, r))).copied().collect();
        let (before, after) = (&self.shape()[..axis], &self.shape()[axis + 1..]);
        Indices::new(elements, [before, indices.shape(), after].concat())
    }

    /// The positions on an axis of a tensor of this shape that these indices name, row-major; an error that begins with `op`
    /// when one is out of range. Negative indices count from the back.
    ///
    /// ```
    /// # use gradus_tensor::Indices;
    /// assert_eq!(Indices::from([2, -1]).positions("op", 0, &[4]).unwrap(), [2, 3]);
    /// assert!(Indices::from([4]).positions("op", 0, &[4]).is_err());
    /// ```
    pub fn positions(&self, op: &str, axis: usize, shape: &[usize]) -> Result<Vec<usize>, ShapeError> {
        self.check_range(op, axis, shape)?;
        Ok(self.iter().map(|i| position(i, shape[axis])).collect())
    }

    /// An error that begins with `op` when one of these indices is out of range on an axis of a tensor of this shape.
    pub fn check_range(&self, op: &str, axis: usize, shape: &[usize]) -> Result<(), ShapeError> {
        // The smallest and the largest are found several at a time; the offender itself is searched only if there is one.
        let size = shape[axis] as i64;
        let is_outside = AtomicBool::new(false);
        let parts: Vec<&[i32]> = self.as_slice().chunks(share::ELEMENTWISE).collect();
        share::for_each_part(parts.len(), &|part| {
            let (low, high) = parts[part].iter().fold((0, -1), |(low, high), &i| (i.min(low), i.max(high)));
            if i64::from(low) < -size || i64::from(high) >= size {
                is_outside.store(true, Ordering::Relaxed);
            }
        });
        if !is_outside.into_inner() {
            return Ok(());
        }
        self.iter().try_for_each(|i| resolve_index(op, i as isize, axis, shape).map(drop))
    }

    /// An error that begins with `op` unless these indices lie along an axis of a tensor of this shape: as many axes, and of
    /// all but this one the sizes.
    pub fn check_along(&self, op: &str, axis: usize, shape: &[usize]) -> Result<(), ShapeError> {
        let own = self.shape();
        if own.rank() == shape.len() && own.with(axis, shape[axis])[..] == *shape {
            return Ok(());
        }
        Err(ShapeError::new(format!(
            "{op}: indices of shape {own} do not fit shape {shape:?}: only axis {axis} may differ"
        )))
    }
}
