//! Integers beside the floating-point tensors: labels, positions of maxima, rows of an embedding.

use crate::{
    array::{
        layout::{Layout, Slice, resolve_permutation},
        strided::Positions,
        views::resolve_reshape,
    },
    error::{OrFail, ShapeError},
    limit,
    memory::buffer::Buffer,
    ops::shape::concat::{concat_shape, stack_axis},
    shape::{Shape, new_axis, resolve_axis, resolve_index},
};

/// An n-dimensional array of integers, row-major. Cloning is cheap.
///
/// It is made from arrays of up to four axes, lists and iterators of `i32`, `i64`, `u8` or `usize`, and has those of a
/// tensor's methods that choose and move elements. All of them copy.
///
/// ```
/// # use gradus_tensor::Indices;
/// let labels = Indices::from([3, 1, 4]);
/// assert_eq!(labels.get([2]), 4);
/// let pairs = Indices::from([[0, 1], [2, 3], [4, 5]]);
/// assert_eq!(pairs.slice(0, 1..).select(1, -1).to_vec(), [3, 5]);
/// ```
#[doc(alias = "LongTensor")]
#[derive(Clone)]
pub struct Indices {
    elements: Buffer,
    shape: Shape,
}

/// An integer that [`Indices`] are made from: `i32`, `i64`, `u8` or `usize`.
#[diagnostic::on_unimplemented(
    message = "`Indices` are not made from `{Self}`",
    label = "not `i32`, `i64`, `u8` or `usize`",
    note = "of floats write `.map(|x| x as i32)`; an empty list has the type of its elements: `[0; 0]`"
)]
pub trait Integer: Copy + std::fmt::Display + TryInto<i32> {}

impl Integer for i32 {}
impl Integer for i64 {}
impl Integer for u8 {}
impl Integer for usize {}

impl Indices {
    /// Indices of this shape, row-major.
    ///
    /// # Panics
    /// When the number of elements is not the product of the sizes, or an element does not fit an `i32`.
    #[track_caller]
    pub fn new<T: Integer>(elements: impl AsRef<[T]>, shape: impl AsRef<[usize]>) -> Indices {
        let (elements, shape) = (elements.as_ref(), Shape::new(shape.as_ref()));
        if shape.checked_len() != Some(elements.len()) {
            ShapeError::new(format!("indices: {} elements do not fill shape {shape}", elements.len())).fail()
        }
        if let Some(large) = elements.iter().find(|&&i| i.try_into().is_err()) {
            ShapeError::new(format!("indices: {large} does not fit an i32")).fail()
        }
        let whole = elements.iter().map(|&i| i.try_into().unwrap_or_default());
        Indices::written(shape, |out| out.iter_mut().zip(whole).for_each(|(out, i)| *out = i))
    }

    /// All elements equal.
    ///
    /// # Panics
    /// When memory cannot hold so many.
    ///
    /// ```
    /// # use gradus_tensor::Indices;
    /// assert_eq!(Indices::full([2, 2], 7), Indices::from([[7, 7], [7, 7]]));
    /// ```
    #[track_caller]
    pub fn full(shape: impl AsRef<[usize]>, value: i32) -> Indices {
        Indices::written(Shape::new(shape.as_ref()), |out| out.fill(value))
    }

    /// All zeros.
    ///
    /// # Panics
    /// When memory cannot hold so many.
    #[track_caller]
    pub fn zeros(shape: impl AsRef<[usize]>) -> Indices {
        Indices::full(shape, 0)
    }

    /// 0, 1, 2, ..., n - 1.
    ///
    /// # Panics
    /// When n does not fit an `i32`.
    ///
    /// ```
    /// # use gradus_tensor::Indices;
    /// assert_eq!(Indices::arange(6).reshape([2, 3]), Indices::from([[0, 1, 2], [3, 4, 5]]));
    /// ```
    #[track_caller]
    pub fn arange(n: usize) -> Indices {
        let Ok(end) = i32::try_from(n) else {
            ShapeError::new(format!("indices: {n} does not fit an i32")).fail()
        };
        Indices::written(Shape::new(&[n]), |out| out.iter_mut().zip(0..end).for_each(|(out, i)| *out = i))
    }

    /// Indices whose elements `write` sets, every one of them: they start with unspecified values.
    #[track_caller]
    pub(crate) fn written(shape: Shape, write: impl FnOnce(&mut [i32])) -> Indices {
        let shape = shape.checked("indices").or_fail();
        let Some(mut elements) = Buffer::new(shape.numel()) else {
            limit::refusal("indices", &shape, shape.numel()).fail()
        };
        write(elements.get_mut_i32s().expect("a new buffer has one owner"));
        Indices { elements, shape }
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.shape.numel()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.numel() == 0
    }

    /// The elements, row-major.
    pub fn as_slice(&self) -> &[i32] {
        self.elements.as_i32s()
    }

    /// The elements, row-major, copied.
    pub fn to_vec(&self) -> Vec<i32> {
        self.as_slice().to_vec()
    }

    /// The elements, row-major.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = i32> + '_ {
        self.as_slice().iter().copied()
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.shape.rank()
    }

    /// The element at `index`, one entry an axis.
    ///
    /// # Panics
    /// When the index is out of range or has the wrong number of entries.
    #[track_caller]
    pub fn get(&self, index: impl AsRef<[usize]>) -> i32 {
        let index = index.as_ref();
        if index.len() != self.shape.rank() || index.iter().zip(&self.shape[..]).any(|(i, n)| i >= n) {
            ShapeError::new(format!("get: index {index:?} is out of range for shape {}", self.shape)).fail()
        }
        self.as_slice()[index.iter().zip(&self.shape[..]).fold(0, |flat, (i, n)| flat * n + i)]
    }

    /// The size of one axis; negative axes count from the back.
    ///
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn size(&self, axis: isize) -> usize {
        self.shape[resolve_axis("size", axis, &self.shape).or_fail()]
    }

    /// The sizes of the axes, taken apart: see [`Tensor::dims`](crate::Tensor::dims).
    ///
    /// # Panics
    /// When there are not N axes.
    #[track_caller]
    pub fn dims<const N: usize>(&self) -> [usize; N] {
        self.shape.dims()
    }

    /// The one element of indices that have just one.
    ///
    /// # Panics
    /// When there are more elements, or none.
    #[track_caller]
    pub fn item(&self) -> i32 {
        let &[element] = self.as_slice() else {
            let (shape, count) = (&self.shape, self.numel());
            ShapeError::new(format!("item: shape {shape} has {count} elements, not one")).fail()
        };
        element
    }

    /// The largest element.
    ///
    /// # Panics
    /// When there are none.
    ///
    /// ```
    /// # use gradus_tensor::Indices;
    /// let labels = Indices::from([2, 0, 1]);
    /// assert_eq!((labels.min(), labels.max()), (0, 2));
    /// ```
    #[track_caller]
    pub fn max(&self) -> i32 {
        match self.iter().max() {
            Some(max) => max,
            None => ShapeError::new(format!("max: shape {} has no elements", self.shape)).fail(),
        }
    }

    /// The smallest element.
    ///
    /// # Panics
    /// When there are none.
    #[track_caller]
    pub fn min(&self) -> i32 {
        match self.iter().min() {
            Some(min) => min,
            None => ShapeError::new(format!("min: shape {} has no elements", self.shape)).fail(),
        }
    }

    /// The same elements under another shape. One size may be given as
    /// [`Tensor::INFER`](crate::Tensor::INFER) to be worked out from the others.
    ///
    /// # Panics
    /// When the number of elements differs.
    #[track_caller]
    pub fn reshape(&self, shape: impl AsRef<[usize]>) -> Indices {
        let shape = resolve_reshape(&self.shape, shape.as_ref()).or_fail();
        Indices { elements: self.elements.clone(), shape }
    }

    /// One axis with all elements, in row-major order.
    pub fn flatten(&self) -> Indices {
        Indices { elements: self.elements.clone(), shape: Shape::new(&[self.numel()]) }
    }

    /// Adds an axis of size 1 so that it stands at position `axis` of the result.
    ///
    /// # Panics
    /// When the result has no such position.
    #[track_caller]
    pub fn unsqueeze(&self, axis: isize) -> Indices {
        let axis = new_axis("unsqueeze", axis, &self.shape).or_fail();
        Indices { elements: self.elements.clone(), shape: self.shape.insert(axis, 1) }
    }

    /// Removes an axis of size 1.
    ///
    /// # Panics
    /// When there is no such axis, or its size is not 1.
    #[track_caller]
    pub fn squeeze(&self, axis: isize) -> Indices {
        let axis = resolve_axis("squeeze", axis, &self.shape).or_fail();
        if self.shape[axis] != 1 {
            let (shape, size) = (&self.shape, self.shape[axis]);
            ShapeError::new(format!("squeeze: axis {axis} of shape {shape} has size {size}, not 1")).fail()
        }
        Indices { elements: self.elements.clone(), shape: self.shape.remove(axis) }
    }

    /// The elements of one axis that `slice` names: `1..3`, `..-1`, `2..=4`, `Slice::from(..).step(-2)`.
    ///
    /// # Panics
    /// When there is no such axis or the range leaves it.
    #[track_caller]
    pub fn slice(&self, axis: isize, slice: impl Into<Slice>) -> Indices {
        let axis = resolve_axis("slice", axis, &self.shape).or_fail();
        self.copied(&self.layout().slice(axis, &slice.into()).or_fail())
    }

    /// The part at one index of an axis, without that axis.
    ///
    /// # Panics
    /// When there is no such axis or index.
    #[track_caller]
    pub fn select(&self, axis: isize, index: isize) -> Indices {
        let axis = resolve_axis("select", axis, &self.shape).or_fail();
        let index = resolve_index("select", index, axis, &self.shape).or_fail();
        self.copied(&self.layout().select(axis, index))
    }

    /// Axes of size 1, and new ones at the front, repeated up to this shape: PyTorch's `expand`.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// ```
    /// # use gradus_tensor::Indices;
    /// assert_eq!(Indices::from([1, 2]).broadcast_to([2, 2]).as_slice(), [1, 2, 1, 2]);
    /// ```
    #[doc(alias = "expand")]
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl AsRef<[usize]>) -> Indices {
        self.copied(&self.layout().broadcast_to(shape.as_ref()).or_fail())
    }

    /// Swaps two axes.
    ///
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Indices {
        let a = resolve_axis("transpose", a, &self.shape).or_fail();
        let b = resolve_axis("transpose", b, &self.shape).or_fail();
        if a == b {
            return self.clone();
        }
        let mut axes: Vec<usize> = (0..self.rank()).collect();
        axes.swap(a, b);
        self.copied(&self.layout().permute(&axes))
    }

    /// Reorders the axes: axis `i` of the result is axis `axes[i]` of this.
    ///
    /// # Panics
    /// When `axes` does not name every axis once.
    #[track_caller]
    pub fn permute(&self, axes: impl AsRef<[isize]>) -> Indices {
        let axes = resolve_permutation(axes.as_ref(), &self.shape).or_fail();
        self.copied(&self.layout().permute(&axes))
    }

    /// Indices one after the other along an axis, on which alone their sizes may differ: PyTorch's `cat`.
    ///
    /// # Panics
    /// When there are none, there is no such axis, or their sizes differ elsewhere.
    ///
    /// ```
    /// # use gradus_tensor::Indices;
    /// let (a, b) = (Indices::from([[1], [2]]), Indices::from([[3, 4], [5, 6]]));
    /// assert_eq!(Indices::concat(&[&a, &b], 1), Indices::from([[1, 3, 4], [2, 5, 6]]));
    /// ```
    #[doc(alias = "cat")]
    #[track_caller]
    pub fn concat(parts: &[&Indices], axis: isize) -> Indices {
        let shapes: Vec<&Shape> = parts.iter().map(|part| &part.shape).collect();
        let (axis, shape) = concat_shape(&shapes, axis).or_fail();
        let (before, after): (usize, usize) =
            (shape[..axis].iter().product(), shape[axis + 1..].iter().product());
        Indices::written(shape, |mut out| {
            for row in 0..before {
                for part in parts {
                    let len = part.shape[axis] * after;
                    let (to, rest) = out.split_at_mut(len);
                    to.copy_from_slice(&part.as_slice()[row * len..][..len]);
                    out = rest;
                }
            }
        })
    }

    /// Indices of one shape one after the other along a new axis, which stands at position `axis` of the result.
    ///
    /// # Panics
    /// When there are none, the result has no such position, or the shapes differ.
    ///
    /// ```
    /// # use gradus_tensor::Indices;
    /// let (a, b) = (Indices::from([1, 2]), Indices::from([3, 4]));
    /// assert_eq!(Indices::stack(&[&a, &b], 1), Indices::from([[1, 3], [2, 4]]));
    /// ```
    #[track_caller]
    pub fn stack(parts: &[&Indices], axis: isize) -> Indices {
        let shapes: Vec<&Shape> = parts.iter().map(|part| &part.shape).collect();
        let axis = stack_axis(&shapes, axis).or_fail() as isize;
        let parts: Vec<Indices> = parts.iter().map(|part| part.unsqueeze(axis)).collect();
        Indices::concat(&parts.iter().collect::<Vec<_>>(), axis)
    }

    fn layout(&self) -> Layout {
        Layout::contiguous(self.shape.clone())
    }

    /// The elements where a layout sees them.
    fn copied(&self, layout: &Layout) -> Indices {
        let elements = self.as_slice();
        Indices::written(layout.shape.clone(), |out| {
            out.iter_mut().zip(Positions::new(layout)).for_each(|(out, at)| *out = elements[at]);
        })
    }
}

impl PartialEq for Indices {
    fn eq(&self, other: &Indices) -> bool {
        self.shape == other.shape && self.as_slice() == other.as_slice()
    }
}

impl Eq for Indices {}

/// The same elements.
impl From<&Indices> for Indices {
    fn from(indices: &Indices) -> Indices {
        indices.clone()
    }
}

/// From nested arrays of one to four axes.
///
/// # Panics
/// All conversions: when an element does not fit an `i32`.
impl<T: Integer, const N: usize> From<[T; N]> for Indices {
    #[track_caller]
    fn from(row: [T; N]) -> Indices {
        Indices::new(row, [N])
    }
}

impl<T: Integer, const N: usize, const M: usize> From<[[T; N]; M]> for Indices {
    #[track_caller]
    fn from(rows: [[T; N]; M]) -> Indices {
        Indices::new(rows.as_flattened(), [M, N])
    }
}

impl<T: Integer, const N: usize, const M: usize, const L: usize> From<[[[T; N]; M]; L]> for Indices {
    #[track_caller]
    fn from(blocks: [[[T; N]; M]; L]) -> Indices {
        Indices::new(blocks.as_flattened().as_flattened(), [L, M, N])
    }
}

impl<T: Integer, const N: usize, const M: usize, const L: usize, const K: usize> From<[[[[T; N]; M]; L]; K]>
    for Indices
{
    #[track_caller]
    fn from(images: [[[[T; N]; M]; L]; K]) -> Indices {
        Indices::new(images.as_flattened().as_flattened().as_flattened(), [K, L, M, N])
    }
}

impl<T: Integer> From<Vec<T>> for Indices {
    #[track_caller]
    fn from(elements: Vec<T>) -> Indices {
        Indices::from(&elements[..])
    }
}

impl<T: Integer> From<&Vec<T>> for Indices {
    #[track_caller]
    fn from(elements: &Vec<T>) -> Indices {
        Indices::from(&elements[..])
    }
}

impl<T: Integer> From<&[T]> for Indices {
    #[track_caller]
    fn from(elements: &[T]) -> Indices {
        Indices::new(elements, [elements.len()])
    }
}

impl<T: Integer> FromIterator<T> for Indices {
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Indices {
        Indices::from(elements.into_iter().collect::<Vec<T>>())
    }
}
