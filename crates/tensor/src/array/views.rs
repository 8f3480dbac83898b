//! Views: other ways to see the same elements, without copying them.

use crate::{
    array::{
        Tensor,
        layout::{Layout, Slice, resolve_permutation},
        strided::Positions,
    },
    error::{OrFail, ShapeError},
    shape::{Shape, new_axis, resolve_axis, resolve_index},
};

impl Tensor {
    /// The same elements in row-major order under another shape; a view where strides can express it, else a copy.
    /// One size may be given as `usize::MAX` ([`Tensor::INFER`]) to be worked out from the others.
    ///
    /// # Panics
    /// When the number of elements differs.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let x = Tensor::arange(6);
    /// assert_eq!(x.reshape([2, Tensor::INFER]).shape(), &[2, 3]);
    /// ```
    #[track_caller]
    pub fn reshape(&self, shape: impl AsRef<[usize]>) -> Tensor {
        let shape = resolve_reshape(self.shape(), shape.as_ref()).or_fail();
        match self.layout.reshape(&shape) {
            Some(layout) => self.view(layout),
            None => {
                let copy = self.copied();
                Tensor { layout: Layout::contiguous(shape), ..copy }
            }
        }
    }

    /// In [`Tensor::reshape`]: the size that makes the number of elements right.
    pub const INFER: usize = usize::MAX;

    /// One axis with all elements, in row-major order.
    #[track_caller]
    pub fn flatten(&self) -> Tensor {
        self.reshape([self.numel()])
    }

    /// Swaps the last two axes of a matrix, or of each matrix in a batch.
    ///
    /// # Panics
    /// When there are fewer than two axes.
    #[track_caller]
    pub fn t(&self) -> Tensor {
        if self.rank() < 2 {
            let hint = "a vector has no transpose; unsqueeze gives it the axis of a column or row";
            ShapeError::new(format!("t: shape {} has fewer than two axes: {hint}", self.shape())).fail()
        }
        self.transpose(-2, -1)
    }

    /// Swaps two axes.
    ///
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Tensor {
        let a = resolve_axis("transpose", a, self.shape()).or_fail();
        let b = resolve_axis("transpose", b, self.shape()).or_fail();
        let mut axes: Vec<usize> = (0..self.rank()).collect();
        axes.swap(a, b);
        self.view(self.layout.permute(&axes))
    }

    /// Reorders the axes: axis `i` of the result is axis `axes[i]` of this.
    ///
    /// # Panics
    /// When `axes` does not name every axis once.
    #[track_caller]
    pub fn permute(&self, axes: impl AsRef<[isize]>) -> Tensor {
        let axes = resolve_permutation(axes.as_ref(), self.shape()).or_fail();
        self.view(self.layout.permute(&axes))
    }

    /// The elements of one axis that `slice` names: `1..3`, `..-1`, `2..`, `Slice::from(..).step(-2)`.
    ///
    /// # Panics
    /// When there is no such axis or the range leaves it.
    ///
    /// ```
    /// # use gradus_tensor::{Slice, Tensor};
    /// let x = Tensor::arange(5);
    /// assert_eq!(x.slice(0, 1..-1).to_vec(), [1.0, 2.0, 3.0]);
    /// assert_eq!(x.slice(0, Slice::from(..).step(-2)).to_vec(), [4.0, 2.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn slice(&self, axis: isize, slice: impl Into<Slice>) -> Tensor {
        let axis = resolve_axis("slice", axis, self.shape()).or_fail();
        self.view(self.layout.slice(axis, &slice.into()).or_fail())
    }

    /// Zeros, but for this tensor's elements at the places of an axis of length `size` that `slice` names: the reverse
    /// of [`Tensor::slice`].
    ///
    /// # Panics
    /// When there is no such axis, the range leaves it, or has another number of places.
    #[track_caller]
    pub fn unslice(&self, axis: isize, slice: impl Into<Slice>, size: usize) -> Tensor {
        let axis = resolve_axis("unslice", axis, self.shape()).or_fail();
        let whole = Layout::contiguous(self.shape().with(axis, size).checked("unslice").or_fail());
        let part = whole.slice(axis, &slice.into()).or_fail();
        if &part.shape != self.shape() {
            ShapeError::new(format!(
                "unslice: axis {axis} of shape {} has {} elements, the slice has {} places",
                self.shape(),
                self.shape()[axis],
                part.shape[axis]
            ))
            .fail()
        }
        Tensor::written(whole.shape, |out| {
            out.fill(0.0);
            Positions::new(&part).zip(self.iter()).for_each(|(at, x)| out[at] = x);
        })
    }

    /// The part at one index of an axis, without that axis.
    ///
    /// # Panics
    /// When there is no such axis or index.
    #[track_caller]
    pub fn select(&self, axis: isize, index: isize) -> Tensor {
        let axis = resolve_axis("select", axis, self.shape()).or_fail();
        let index = resolve_index("select", index, axis, self.shape()).or_fail();
        self.view(self.layout.select(axis, index))
    }

    /// Reverses an axis.
    ///
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn flip(&self, axis: isize) -> Tensor {
        let axis = resolve_axis("flip", axis, self.shape()).or_fail();
        self.view(self.layout.slice(axis, &Slice::from(..).step(-1)).or_fail())
    }

    /// Repeats axes of size 1, and new ones at the front, up to this shape.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl AsRef<[usize]>) -> Tensor {
        self.view(self.layout.broadcast_to(shape.as_ref()).or_fail())
    }

    /// Adds an axis of size 1 so that it stands at position `axis` of the result.
    ///
    /// # Panics
    /// When the result has no such position.
    #[track_caller]
    pub fn unsqueeze(&self, axis: isize) -> Tensor {
        let axis = new_axis("unsqueeze", axis, self.shape()).or_fail();
        self.view(self.layout.unsqueeze(axis))
    }

    /// Removes an axis of size 1.
    ///
    /// # Panics
    /// When there is no such axis, or its size is not 1.
    #[track_caller]
    pub fn squeeze(&self, axis: isize) -> Tensor {
        let axis = resolve_axis("squeeze", axis, self.shape()).or_fail();
        if self.shape()[axis] != 1 {
            ShapeError::new(format!(
                "squeeze: axis {axis} of shape {} has size {}, not 1",
                self.shape(),
                self.shape()[axis]
            ))
            .fail()
        }
        self.view(self.layout.select(axis, 0))
    }
}

/// The shape that a reshape to `shape` gives, with [`Tensor::INFER`] worked out.
pub fn resolve_reshape(from: &[usize], shape: &[usize]) -> Result<Shape, ShapeError> {
    let len: usize = from.iter().product();
    let wrong = |why: &str| ShapeError::new(format!("reshape: {from:?} has {len} elements: {why} {shape:?}"));
    let mut unknown = shape.iter().enumerate().filter(|&(_, &n)| n == Tensor::INFER).map(|(i, _)| i);
    let target = Shape::new(shape);
    let Some(axis) = unknown.next() else {
        return if target.checked_len() == Some(len) { Ok(target) } else { Err(wrong("they do not fill")) };
    };
    if unknown.next().is_some() {
        return Err(wrong("only one size may be left open in"));
    }
    match target.with(axis, 1).checked_len() {
        Some(rest) if rest > 0 && len.is_multiple_of(rest) => Ok(target.with(axis, len / rest)),
        _ => Err(wrong("no size fits the open axis of")),
    }
}
