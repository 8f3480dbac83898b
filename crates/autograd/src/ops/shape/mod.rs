//! Other shapes for the same elements, parts of a value, and values put together.

mod broadcast;
mod concat;
mod diagonals;
mod pad;
mod parts;
mod permute;
mod reshape;
mod slice;

pub use broadcast::{BroadcastTo, SumTo};
pub use concat::Concat;
pub use diagonals::Diagonals;
pub use pad::Padding;
pub use parts::Parts;
pub use permute::Permute;
pub use reshape::Reshape;
pub use slice::{SliceAxis, Unslice};

use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::{Slice, list, resolve_reshape, shape::resolve_axis};

/// Other shapes for the same elements, parts of a value, and values put together.
pub trait Shaping: Value {
    /// The same elements in row-major order under another shape. One size may be [`Tensor::INFER`].
    ///
    /// # Panics
    /// When the number of elements differs.
    #[doc(alias = "view")]
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
        let mut axes: Vec<isize> = (0..shape.rank() as isize).collect();
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

    /// Moves an axis to another position; the others keep their order.
    ///
    /// # Panics
    /// When there is no such axis or position.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// assert_eq!(Tensor::zeros([2, 3, 4]).movedim(0, -1).shape(), &[3, 4, 2]);
    /// ```
    #[track_caller]
    fn movedim(&self, from: isize, to: isize) -> Self {
        let shape = self.shape();
        let from = resolve_axis("movedim", from, &shape).or_fail();
        let to = resolve_axis("movedim", to, &shape).or_fail();
        let mut axes: Vec<isize> = (0..shape.rank() as isize).collect();
        let moved = axes.remove(from);
        axes.insert(to, moved);
        self.permute(axes)
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
    #[doc(alias = "expand")]
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
            ShapeError::new(format!("squeeze: axis {axis} of shape {shape} has not size 1")).fail()
        }
        self.reshape(shape.remove(axis))
    }

    /// Values one after the other along an axis, on which their sizes may differ.
    ///
    /// # Panics
    /// When there is no value, or the shapes differ on another axis.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let (a, b) = (Tensor::from([1.0]), Tensor::from([2.0, 3.0]));
    /// assert_eq!(Tensor::concat(&[&a, &b, &a], 0).to_vec(), [1.0, 2.0, 3.0, 1.0]);
    /// ```
    #[doc(alias = "cat")]
    #[track_caller]
    fn concat(parts: &[&Self], axis: isize) -> Self {
        Self::apply(Concat { axis }, parts)
    }

    /// Values of one shape side by side along a new axis, at position `axis` of the result.
    ///
    /// # Panics
    /// When there is no value, the shapes differ, or the result has no such position.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let (a, b) = (Tensor::from([1.0, 2.0]), Tensor::from([3.0, 4.0]));
    /// assert_eq!(Tensor::stack(&[&a, &b], 1).to_vec(), [1.0, 3.0, 2.0, 4.0]);
    /// ```
    #[track_caller]
    fn stack(parts: &[&Self], axis: isize) -> Self {
        let first = parts.first().map(|part| part.shape());
        if let Some(other) = parts.iter().find(|part| Some(part.shape()) != first) {
            ShapeError::new(format!(
                "stack: shapes {} and {} must be equal",
                first.expect("there is a first before another"),
                other.shape()
            ))
            .fail()
        }
        let mut wider = Vec::with_capacity(parts.len());
        for part in parts {
            wider.push(part.unsqueeze(axis));
        }
        Self::concat(&wider.iter().collect::<Vec<_>>(), axis)
    }

    /// Vectors spread over the grid that they span: the i-th result varies along axis i with the i-th vector (PyTorch's
    /// indexing "ij").
    ///
    /// # Panics
    /// When one of them is no vector.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let grid = Tensor::meshgrid(&[&Tensor::from([1.0, 2.0]), &Tensor::from([3.0, 4.0])]);
    /// assert_eq!(grid[0].to_vec(), [1.0, 1.0, 2.0, 2.0]);
    /// ```
    #[track_caller]
    fn meshgrid(vectors: &[&Self]) -> Vec<Self> {
        let mut sizes = Vec::with_capacity(vectors.len());
        for vector in vectors {
            match vector.shape()[..] {
                [n] => sizes.push(n),
                ref shape => {
                    ShapeError::new(format!("meshgrid: shape {shape:?} is not that of a vector")).fail()
                }
            }
        }
        let mut grids = Vec::with_capacity(vectors.len());
        for (axis, vector) in vectors.iter().enumerate() {
            let mut alone = vec![1; sizes.len()];
            alone[axis] = sizes[axis];
            grids.push(vector.reshape(alone).broadcast_to(&sizes));
        }
        grids
    }

    /// The pieces of these sizes that an axis consists of, one after the other. The reverse of
    /// [`concat`](Shaping::concat).
    ///
    /// # Panics
    /// When there is no such axis, or the sizes do not add up to its length.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let pieces = Tensor::arange(5).split(&[2, 3], 0);
    /// assert_eq!(pieces[1].to_vec(), [2.0, 3.0, 4.0]);
    /// ```
    #[track_caller]
    fn split(&self, sizes: &[usize], axis: isize) -> Vec<Self> {
        let shape = self.shape();
        let position = resolve_axis("split", axis, &shape).or_fail();
        if sizes.iter().try_fold(0usize, |sum, &size| sum.checked_add(size)) != Some(shape[position]) {
            ShapeError::new(format!("split: sizes {sizes:?} do not add up to axis {axis} of shape {shape}"))
                .fail()
        }
        let (mut pieces, mut end) = (Vec::with_capacity(sizes.len()), 0);
        for &size in sizes {
            let start = end;
            end += size as isize;
            pieces.push(self.slice(axis, start..end));
        }
        pieces
    }

    /// The `N` parts of one size that an axis consists of: queries, keys and values that one product has computed, or the
    /// gates of a cell. Their number is known when the program is compiled; otherwise take [`chunk`](Shaping::chunk).
    ///
    /// # Panics
    /// When there is no such axis, or N does not divide its length.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let [a, b] = Tensor::arange(4).parts(0);
    /// assert_eq!((a.to_vec(), b.to_vec()), (vec![0.0, 1.0], vec![2.0, 3.0]));
    /// ```
    #[track_caller]
    fn parts<const N: usize>(&self, axis: isize) -> [Self; N] {
        Self::apply_n(Parts { axis, count: N }, &[self])
    }

    /// Up to `chunks` pieces of an axis, of equal size but for the last, which may be smaller.
    ///
    /// # Panics
    /// When there is no such axis, or `chunks` is 0.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let pieces = Tensor::arange(5).chunk(2, 0);
    /// assert_eq!((pieces[0].numel(), pieces[1].numel()), (3, 2));
    /// ```
    #[track_caller]
    fn chunk(&self, chunks: usize, axis: isize) -> Vec<Self> {
        let shape = self.shape();
        let n = shape[resolve_axis("chunk", axis, &shape).or_fail()];
        assert!(chunks > 0, "chunk: an axis cannot be cut into 0 pieces");
        let size = n.div_ceil(chunks).max(1);
        let mut sizes: Vec<usize> = list("chunk", n.div_ceil(size)).or_fail();
        sizes.extend((0..n.max(1)).step_by(size).map(|start| size.min(n - start)));
        self.split(&sizes, axis)
    }

    /// The parts at each index of an axis, without that axis. The reverse of [`stack`](Shaping::stack).
    ///
    /// # Panics
    /// When there is no such axis.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let rows = Tensor::from([[1.0, 2.0], [3.0, 4.0]]).unbind(0);
    /// assert_eq!(rows[1].to_vec(), [3.0, 4.0]);
    /// ```
    #[track_caller]
    fn unbind(&self, axis: isize) -> Vec<Self> {
        let shape = self.shape();
        let n = shape[resolve_axis("unbind", axis, &shape).or_fail()];
        let mut parts = list("unbind", n).or_fail();
        for index in 0..n as isize {
            parts.push(self.select(axis, index));
        }
        parts
    }

    /// A border around the elements: for each axis how many places before and after it.
    ///
    /// What lies in a constant border gets no gradient back; mirrored or repeated elements add theirs up.
    ///
    /// # Panics
    /// When there is not one pair of widths for each axis; when a reflection is to be as long as its axis or longer;
    /// when there is no element to replicate or go around.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var([1.0, 2.0, 3.0]);
    /// let y = x.pad([(1, 2)], Padding::Reflect);
    /// assert_eq!(y.value().to_vec(), [2.0, 1.0, 2.0, 3.0, 2.0, 1.0]);
    /// assert_eq!(y.sum().backward()[x].to_vec(), [2.0, 3.0, 1.0]);
    /// ```
    #[track_caller]
    fn pad(&self, widths: impl AsRef<[(usize, usize)]>, padding: Padding) -> Self {
        pad::pad(self, widths.as_ref(), padding)
    }

    /// The elements of the row-major order that begin at `offset` and go on by `strides` along the axes of `shape`:
    /// `y[i, j] = x.flatten()[offset + i strides[0] + j strides[1]]`. Windows may overlap; what is read several times gets
    /// the sum of the gradients.
    ///
    /// In PyTorch the strides are those of memory; here, whatever the layout, those of a contiguous tensor, and they may
    /// be negative.
    ///
    /// # Panics
    /// When there is not one stride for each axis, or a place lies outside.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var([1.0, 2.0, 3.0, 4.0]);
    /// let windows = x.as_strided([3, 2], [1, 1], 0);
    /// assert_eq!(windows.value().to_vec(), [1.0, 2.0, 2.0, 3.0, 3.0, 4.0]);
    /// assert_eq!(windows.sum().backward()[x].to_vec(), [1.0, 2.0, 2.0, 1.0]);
    /// ```
    #[track_caller]
    fn as_strided(&self, shape: impl AsRef<[usize]>, strides: impl AsRef<[isize]>, offset: usize) -> Self {
        let (own, shape, strides) = (self.shape(), Shape::new(shape.as_ref()), strides.as_ref());
        if strides.len() != shape.rank() {
            ShapeError::new(format!(
                "as_strided: shape {shape} needs a stride for each axis, not {strides:?}"
            ))
            .fail()
        }
        let mut places = Vec::new();
        if !shape.contains(&0) {
            // The smallest and the largest place, before there is a list of all.
            let ends = shape.iter().zip(strides).map(|(&n, &stride)| (n as i128 - 1) * stride as i128);
            let reach = |(low, high): (i128, i128), end: i128| (low + end.min(0), high + end.max(0));
            let (low, high) = ends.fold((offset as i128, offset as i128), reach);
            if low < 0 || high >= own.numel() as i128 {
                let at = if low < 0 { low } else { high };
                ShapeError::new(format!(
                    "as_strided: shape {shape}, strides {strides:?} and offset {offset} reach place {at} of shape {own}"
                ))
                .fail()
            }
            places.push(offset);
        }
        let shape = shape.affordable("as_strided").or_fail();
        for (&size, &stride) in shape.iter().zip(strides) {
            let steps = |&at: &usize| (0..size as isize).map(move |i| at.wrapping_add_signed(i * stride));
            places = places.iter().flat_map(steps).collect();
        }
        self.flatten().index_select(0, &places.into()).reshape(shape)
    }

    /// The differences of neighbours along an axis: `y_i = x_(i+1) - x_i`. The axis becomes shorter by one.
    ///
    /// # Panics
    /// When there is no such axis.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// assert_eq!(Tensor::from([1.0, 4.0, 9.0]).diff(0).to_vec(), [3.0, 5.0]);
    /// ```
    #[track_caller]
    fn diff(&self, axis: isize) -> Self {
        let shape = self.shape();
        let n = shape[resolve_axis("diff", axis, &shape).or_fail()] as isize;
        self.slice(axis, n.min(1)..n) - self.slice(axis, 0..(n - 1).max(0))
    }

    /// Moves the elements of an axis by `shift` places, forwards if it is positive; those that leave it at one end
    /// come back at the other.
    ///
    /// # Panics
    /// When there is no such axis.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// assert_eq!(Tensor::arange(4).roll(1, 0).to_vec(), [3.0, 0.0, 1.0, 2.0]);
    /// ```
    #[track_caller]
    fn roll(&self, shift: isize, axis: isize) -> Self {
        let shape = self.shape();
        let n = shape[resolve_axis("roll", axis, &shape).or_fail()] as isize;
        if n == 0 {
            return self.clone();
        }
        let cut = n - shift.rem_euclid(n);
        Self::concat(&[&self.slice(axis, cut..n), &self.slice(axis, ..cut)], axis)
    }

    /// The whole value several times over: as often as `counts` says along each axis. More counts than axes
    /// make new axes at the front.
    ///
    /// # Panics
    /// When there are fewer counts than axes.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[1.0, 2.0]]);
    /// assert_eq!(x.repeat([2, 2]).to_vec(), [1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
    /// ```
    #[track_caller]
    fn repeat(&self, counts: impl AsRef<[usize]>) -> Self {
        let (shape, counts) = (self.shape(), counts.as_ref());
        let Some(new) = counts.len().checked_sub(shape.rank()) else {
            ShapeError::new(format!("repeat: {counts:?} has fewer entries than shape {shape} has axes"))
                .fail()
        };
        let sizes = [&vec![1; new][..], &shape].concat();
        let pairs = || counts.iter().zip(&sizes);
        let apart: Vec<usize> = pairs().flat_map(|(_, &n)| [1, n]).collect();
        let repeated: Vec<usize> = pairs().flat_map(|(&count, &n)| [count, n]).collect();
        let whole: Shape = pairs().map(|(&count, &n)| count.saturating_mul(n)).collect();
        let whole = whole.checked("repeat").or_fail();
        self.reshape(apart).broadcast_to(repeated).reshape(whole)
    }

    /// [`repeat`](Shaping::repeat), as NumPy's `tile`: fewer counts than axes are those of the last axes.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// assert_eq!(Tensor::zeros([2, 3]).tile([2]).shape(), &[2, 6]);
    /// ```
    #[track_caller]
    fn tile(&self, counts: impl AsRef<[usize]>) -> Self {
        let counts = counts.as_ref();
        let missing = self.shape().rank().saturating_sub(counts.len());
        self.repeat([&vec![1; missing][..], counts].concat())
    }

    /// Each element of an axis `count` times, one beside the other.
    ///
    /// # Panics
    /// When there is no such axis.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// assert_eq!(Tensor::from([1.0, 2.0]).repeat_interleave(2, 0).to_vec(), [1.0, 1.0, 2.0, 2.0]);
    /// ```
    #[track_caller]
    fn repeat_interleave(&self, count: usize, axis: isize) -> Self {
        let shape = self.shape();
        let axis = resolve_axis("repeat_interleave", axis, &shape).or_fail();
        let repeated = shape.insert(axis + 1, count);
        let whole = shape.with(axis, shape[axis].saturating_mul(count));
        let whole = whole.checked("repeat_interleave").or_fail();
        self.unsqueeze(axis as isize + 1).broadcast_to(repeated).reshape(whole)
    }
}

impl<V: Value> Shaping for V {}
