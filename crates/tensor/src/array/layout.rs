//! Where the elements of a tensor lie in its buffer: pure arithmetic on shapes and strides.

use crate::{
    error::ShapeError,
    shape::{Shape, resolve_axis, short},
};
use smallvec::SmallVec;
use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

/// Element `[i, j, ..]` lies at `offset + i * strides[0] + j * strides[1] + ..`. A stride may be 0 (broadcast) or
/// negative (reversed).
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) shape: Shape,
    pub(crate) strides: Strides,
    pub(crate) offset: usize,
    /// Found out once: every operation asks.
    contiguous: bool,
}

pub(crate) type Strides = SmallVec<[isize; 4]>;

impl Clone for Layout {
    #[inline]
    fn clone(&self) -> Layout {
        Layout {
            shape: self.shape.clone(),
            strides: short(&self.strides),
            offset: self.offset,
            contiguous: self.contiguous,
        }
    }
}

impl Layout {
    /// With one stride for each axis of the shape.
    pub(crate) fn new(shape: Shape, strides: Strides, offset: usize) -> Layout {
        let contiguous = is_row_major(&shape, &strides);
        Layout { shape, strides, offset, contiguous }
    }

    /// Row-major, from the start of a buffer.
    #[inline]
    pub(crate) fn contiguous(shape: Shape) -> Layout {
        let mut strides: Strides = match shape.rank() {
            axes @ 0..=4 => SmallVec::from_buf_and_len([1; 4], axes),
            axes => SmallVec::from_elem(1, axes),
        };
        let mut step = 1;
        for (stride, &size) in strides.iter_mut().zip(&shape[..]).rev() {
            *stride = step;
            step *= size as isize;
        }
        Layout { shape, strides, offset: 0, contiguous: true }
    }

    /// Whether the elements lie one after the other in row-major order. Axes of size 1 may have any stride.
    #[inline]
    pub(crate) fn is_contiguous(&self) -> bool {
        self.contiguous
    }

    /// The number of elements. It cannot overflow: the shape was checked when the tensor was made.
    #[inline]
    pub(crate) fn numel(&self) -> usize {
        self.shape.iter().product()
    }

    /// The range of buffer positions that hold the elements, row-major, if they are contiguous.
    #[inline]
    pub(crate) fn contiguous_range(&self) -> Option<Range<usize>> {
        if !self.contiguous {
            return None;
        }
        match self.numel() {
            0 => Some(0..0), // an empty view may start past the end of its buffer
            len => Some(self.offset..self.offset + len),
        }
    }

    /// The buffer position of the element at `index`, which has one entry an axis, each in range.
    pub(crate) fn position(&self, index: &[usize]) -> usize {
        let shift: isize = index.iter().zip(&self.strides).map(|(&i, &s)| i as isize * s).sum();
        self.offset.wrapping_add_signed(shift)
    }

    /// The lowest and highest buffer positions that the elements use; `None` when there are no elements.
    pub(crate) fn bounds(&self) -> Option<(usize, usize)> {
        if self.shape.is_empty() {
            return None;
        }
        let (mut low, mut high) = (self.offset as isize, self.offset as isize);
        for (&n, &stride) in self.shape.iter().zip(&self.strides) {
            let reach = (n as isize - 1) * stride;
            if reach < 0 {
                low += reach;
            } else {
                high += reach;
            }
        }
        Some((low as usize, high as usize))
    }

    /// Repeats axes of size 1, and new ones at the front, with stride 0.
    pub(crate) fn broadcast_to(&self, shape: &[usize]) -> Result<Layout, ShapeError> {
        let missing = shape.len().checked_sub(self.shape.rank());
        let fits = missing.is_some_and(|missing| {
            self.shape.iter().zip(&shape[missing..]).all(|(&from, &to)| from == to || from == 1)
        });
        if !fits {
            return Err(ShapeError::new(format!(
                "broadcast_to: shape {:?} does not broadcast to {shape:?}: aligned at the back, each size must be equal or 1",
                self.shape
            )));
        }
        let target = Shape::new(shape).checked("broadcast_to")?;
        let missing = missing.unwrap_or(0);
        let mut strides: Strides = SmallVec::from_elem(0, shape.len());
        for (i, (&n, &stride)) in self.shape.iter().zip(&self.strides).enumerate() {
            if n == shape[missing + i] {
                strides[missing + i] = stride;
            }
        }
        Ok(Layout::new(target, strides, self.offset))
    }

    /// Axis `i` of the result is axis `axes[i]` of this.
    pub(crate) fn permute(&self, axes: &[usize]) -> Layout {
        let shape = axes.iter().map(|&a| self.shape[a]).collect();
        let strides = axes.iter().map(|&a| self.strides[a]).collect();
        Layout::new(shape, strides, self.offset)
    }

    /// Keeps the elements of one axis that the slice names.
    pub(crate) fn slice(&self, axis: usize, slice: &Slice) -> Result<Layout, ShapeError> {
        let range = slice.resolve(axis, &self.shape)?;
        let shape = self.shape.with(axis, range.len);
        let mut strides = short(&self.strides);
        // A single element keeps the stride: times a step that leads nowhere it could overflow.
        if range.len > 1 {
            strides[axis] *= range.step;
        }
        let offset = self.start(axis, range.first, &shape);
        Ok(Layout::new(shape, strides, offset))
    }

    /// The part at one index of an axis, without that axis.
    pub(crate) fn select(&self, axis: usize, index: usize) -> Layout {
        let shape = self.shape.remove(axis);
        let mut strides = short(&self.strides);
        strides.remove(axis);
        let offset = self.start(axis, index, &shape);
        Layout::new(shape, strides, offset)
    }

    /// An axis of size 1 more, before position `axis`. It may have any stride.
    pub(crate) fn unsqueeze(&self, axis: usize) -> Layout {
        let mut strides = short(&self.strides);
        strides.insert(axis, 1);
        Layout::new(self.shape.insert(axis, 1), strides, self.offset)
    }

    /// Where a part of this shape starts that goes from index `first` of an axis on.
    fn start(&self, axis: usize, first: usize, part: &Shape) -> usize {
        match part.is_empty() {
            true => self.offset, // the first element would lie outside the buffer
            false => self.offset.wrapping_add_signed(first as isize * self.strides[axis]),
        }
    }

    /// The same elements in row-major order under another shape of equal length, if strides can express it.
    pub(crate) fn reshape(&self, shape: &Shape) -> Option<Layout> {
        if self.is_contiguous() {
            let layout = Layout::contiguous(shape.clone());
            return Some(Layout { offset: self.offset, ..layout });
        }
        // Walk both shapes from the back; every group of new axes must lie within a group of old axes that are
        // evenly spaced among themselves.
        let old: SmallVec<[(usize, isize); 4]> =
            self.shape.iter().copied().zip(self.strides.iter().copied()).filter(|&(n, _)| n != 1).collect();
        let mut strides: Strides = SmallVec::from_elem(0, shape.rank());
        let mut new_axis = shape.rank();
        let mut old_axis = old.len();
        while old_axis > 0 {
            let (mut size, stride) = old[old_axis - 1];
            let mut reach = stride * size as isize;
            old_axis -= 1;
            while old_axis > 0 && old[old_axis - 1].1 == reach {
                size *= old[old_axis - 1].0;
                reach *= old[old_axis - 1].0 as isize;
                old_axis -= 1;
            }
            let mut step = stride;
            let mut left = size;
            while left > 1 {
                new_axis = new_axis.checked_sub(1)?;
                if left % shape[new_axis] != 0 {
                    return None;
                }
                strides[new_axis] = step;
                step *= shape[new_axis] as isize;
                left /= shape[new_axis];
            }
        }
        Some(Layout::new(shape.clone(), strides, self.offset))
    }
}

/// Whether elements with these strides lie one after the other in row-major order.
fn is_row_major(shape: &Shape, strides: &[isize]) -> bool {
    let mut step = 1;
    for (&n, &stride) in shape.iter().zip(strides).rev() {
        if n != 1 {
            if stride != step {
                return shape.is_empty();
            }
            step *= n as isize;
        }
    }
    true
}

/// Which elements of an axis to keep: a range, whose ends count from the back when negative, and a step.
///
/// `1..3`, `1..=2`, `..-1`, `..=-2`, `2..` and `..` are slices; [`step`](Slice::step) takes every n-th element of the range, and
/// walks it from its end when negative, so `Slice::from(..).step(-1)` reverses an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slice {
    start: isize,
    end: Option<isize>,
    step: isize,
}

/// A slice of an axis of known size: elements `first`, `first + step`, ..., `len` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolvedSlice {
    /// The index of the first element.
    pub first: usize,
    /// From one element to the next; negative walks backwards.
    pub step: isize,
    /// The number of elements.
    pub len: usize,
}

impl Slice {
    /// The same range with another step.
    ///
    /// # Panics
    /// When `step` is 0.
    #[track_caller]
    pub fn step(self, step: isize) -> Slice {
        assert!(step != 0, "slice: the step must not be 0");
        Slice { step, ..self }
    }

    /// First element, step and length on `axis` of a tensor of this shape.
    pub fn resolve(&self, axis: usize, shape: &[usize]) -> Result<ResolvedSlice, ShapeError> {
        let size = shape[axis] as isize;
        let from_front = |i: isize| if i < 0 { i.saturating_add(size) } else { i };
        let (start, end) = (from_front(self.start), self.end.map_or(size, from_front));
        if !(0 <= start && start <= end && end <= size) {
            let end = self.end.map_or(String::new(), |e| e.to_string());
            return Err(ShapeError::new(format!(
                "slice: {}..{end} is out of range for axis {axis} of shape {shape:?}, which has {size} elements",
                self.start
            )));
        }
        let len = ((end - start) as usize).div_ceil(self.step.unsigned_abs());
        let first = if self.step > 0 { start } else { (end - 1).max(0) };
        Ok(ResolvedSlice { first: first as usize, step: self.step, len })
    }
}

impl From<RangeFull> for Slice {
    fn from(_: RangeFull) -> Slice {
        Slice { start: 0, end: None, step: 1 }
    }
}

/// A bound of a range as an `isize`; a size that is none stays out of range.
fn bound<I: TryInto<isize>>(i: I) -> isize {
    i.try_into().unwrap_or(isize::MAX)
}

/// The end of a range that includes `last`, which may be the last index, -1, of any axis.
fn past(last: isize) -> Option<isize> {
    (last != -1).then(|| last.saturating_add(1))
}

// Three integer types, so that literals, sizes and signed arithmetic all work without casts.
macro_rules! slice_from {
    ($($int:ty),*) => {$(
        impl From<Range<$int>> for Slice {
            fn from(range: Range<$int>) -> Slice {
                Slice { start: bound(range.start), end: Some(bound(range.end)), step: 1 }
            }
        }
        impl From<RangeFrom<$int>> for Slice {
            fn from(range: RangeFrom<$int>) -> Slice {
                Slice { start: bound(range.start), end: None, step: 1 }
            }
        }
        impl From<RangeTo<$int>> for Slice {
            fn from(range: RangeTo<$int>) -> Slice {
                Slice { start: 0, end: Some(bound(range.end)), step: 1 }
            }
        }
        impl From<RangeInclusive<$int>> for Slice {
            fn from(range: RangeInclusive<$int>) -> Slice {
                Slice { start: bound(*range.start()), end: past(bound(*range.end())), step: 1 }
            }
        }
        impl From<RangeToInclusive<$int>> for Slice {
            fn from(range: RangeToInclusive<$int>) -> Slice {
                Slice { start: 0, end: past(bound(range.end)), step: 1 }
            }
        }
    )*};
}
slice_from!(i32, isize, usize);

/// Checks that `axes` names every axis of `shape` once and gives their positions.
pub fn resolve_permutation(axes: &[isize], shape: &[usize]) -> Result<SmallVec<[usize; 4]>, ShapeError> {
    let mut found: SmallVec<[usize; 4]> = SmallVec::new();
    for &axis in axes {
        let position = resolve_axis("permute", axis, shape)?;
        if found.contains(&position) {
            return Err(ShapeError::new(format!(
                "permute: axis {axis} of shape {shape:?} is named twice in {axes:?}"
            )));
        }
        found.push(position);
    }
    if found.len() != shape.len() {
        return Err(ShapeError::new(format!(
            "permute: {axes:?} must name each axis of shape {shape:?} once"
        )));
    }
    Ok(found)
}
