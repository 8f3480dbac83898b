//! Other shapes for the same elements, parts of a value, and values put together.

mod broadcast;
mod permute;
mod reshape;
mod slice;

pub use broadcast::{BroadcastTo, SumTo};
pub use permute::Permute;
pub use reshape::Reshape;
pub use slice::{SliceAxis, Unslice};

use crate::value::Value;
use gradus_tensor::{OrFail, Shape, Slice, Tensor, resolve_reshape, shape::resolve_axis};

/// Other shapes for the same elements, parts of a value, and values put together.
pub trait Shaping: Value {
    /// The same elements in row-major order under another shape. One size may be [`Tensor::INFER`].
    ///
    /// # Panics
    /// When the number of elements differs.
    #[track_caller]
    fn reshape(&self, shape: impl AsRef<[usize]>) -> Self {
        let shape = resolve_reshape(&self.shape(), shape.as_ref()).or_fail();
        Self::apply(Reshape(shape), &[self])
    }

    /// One axis with all elements, in row-major order.
    #[track_caller]
    fn flatten(&self) -> Self {
        self.reshape([Tensor::INFER])
    }

    /// Reorders the axes: axis `i` of the result is axis `axes[i]` of this.
    ///
    /// # Panics
    /// When `axes` does not name every axis once.
    #[track_caller]
    fn permute(&self, axes: impl AsRef<[isize]>) -> Self {
        Self::apply(Permute(axes.as_ref().to_vec()), &[self])
    }

    /// Swaps two axes.
    ///
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    fn transpose(&self, a: isize, b: isize) -> Self {
        let shape = self.shape();
        let a = resolve_axis("transpose", a, &shape).or_fail();
        let b = resolve_axis("transpose", b, &shape).or_fail();
        let mut axes: Vec<isize> = (0..shape[..].len() as isize).collect();
        axes.swap(a, b);
        self.permute(axes)
    }

    /// Swaps the last two axes.
    ///
    /// # Panics
    /// When there are fewer than two axes.
    #[track_caller]
    fn t(&self) -> Self {
        self.transpose(-2, -1)
    }

    /// The elements of one axis that `slice` names: `1..3`, `..-1`, `Slice::from(..).step(-2)`.
    ///
    /// # Panics
    /// When there is no such axis or the range leaves it.
    #[track_caller]
    fn slice(&self, axis: isize, slice: impl Into<Slice>) -> Self {
        Self::apply(SliceAxis { axis, slice: slice.into() }, &[self])
    }

    /// The part at one index of an axis, without that axis.
    ///
    /// # Panics
    /// When there is no such axis or index.
    #[track_caller]
    fn select(&self, axis: isize, index: isize) -> Self {
        let range = if index == -1 { Slice::from(-1isize..) } else { Slice::from(index..index + 1) };
        self.slice(axis, range).squeeze(axis)
    }

    /// Reverses an axis.
    ///
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    fn flip(&self, axis: isize) -> Self {
        self.slice(axis, Slice::from(..).step(-1))
    }

    /// Repeats axes of size 1, and new ones at the front, up to this shape.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    #[track_caller]
    fn broadcast_to(&self, shape: impl AsRef<[usize]>) -> Self {
        Self::apply(BroadcastTo(Shape::new(shape.as_ref())), &[self])
    }

    /// The reverse of [`broadcast_to`](Shaping::broadcast_to): elements that came from one are added up.
    ///
    /// # Panics
    /// When `shape` does not broadcast to this shape.
    #[track_caller]
    fn sum_to(&self, shape: impl AsRef<[usize]>) -> Self {
        Self::apply(SumTo(Shape::new(shape.as_ref())), &[self])
    }

    /// Adds an axis of size 1 so that it stands at position `axis` of the result.
    ///
    /// # Panics
    /// When the result has no such position.
    #[track_caller]
    fn unsqueeze(&self, axis: isize) -> Self {
        let shape = self.shape();
        let axis = resolve_axis("unsqueeze", axis, &shape.insert(0, 1)).or_fail();
        self.reshape(shape.insert(axis, 1))
    }

    /// Removes an axis of size 1.
    ///
    /// # Panics
    /// When there is no such axis, or its size is not 1.
    #[track_caller]
    fn squeeze(&self, axis: isize) -> Self {
        let shape = self.shape();
        let axis = resolve_axis("squeeze", axis, &shape).or_fail();
        if shape[axis] != 1 {
            gradus_tensor::ShapeError::new(format!("squeeze: axis {axis} of shape {shape} has not size 1"))
                .fail()
        }
        self.reshape(shape.remove(axis))
    }
}

impl<V: Value> Shaping for V {}
