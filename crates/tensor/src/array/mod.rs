//! The tensor itself: shared buffer plus layout, and how its elements are read and written.

mod construct;
pub(crate) mod copy;
mod format;
pub(crate) mod layout;
#[cfg(feature = "ndarray")]
mod ndarray;
pub(crate) mod strided;
pub(crate) mod views;

use crate::{
    array::{layout::Layout, strided::Positions},
    error::{OrFail, ShapeError},
    limit::{self, list},
    memory::buffer::Buffer,
    shape::Shape,
};

/// An n-dimensional array of f32s.
///
/// Cloning is cheap: clones and views share one buffer. Writing is copy-on-write: a tensor whose buffer is shared
/// copies it first, so a value that somebody else holds never changes.
#[doc(alias = "tensor")]
#[doc(alias = "no_grad")]
#[derive(Clone)]
pub struct Tensor {
    pub(crate) buffer: Buffer,
    pub(crate) layout: Layout,
}

impl Tensor {
    /// A tensor of these elements, row-major.
    ///
    /// # Panics
    /// When the number of elements is not the product of the sizes.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let x = Tensor::new([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3]);
    /// assert_eq!(x.get([1, 0]), 4.0);
    /// ```
    #[track_caller]
    pub fn new(elements: impl AsRef<[f32]>, shape: impl AsRef<[usize]>) -> Tensor {
        Tensor::try_new(elements, shape).or_fail()
    }

    /// Like [`Tensor::new`], for elements and shapes that come from outside.
    ///
    /// # Errors
    /// When the number of elements is not the product of the sizes, or there is no memory for them.
    pub fn try_new(elements: impl AsRef<[f32]>, shape: impl AsRef<[usize]>) -> Result<Tensor, ShapeError> {
        let (elements, shape) = (elements.as_ref(), Shape::new(shape.as_ref()));
        if shape.checked_len() != Some(elements.len()) {
            return Err(ShapeError::new(format!(
                "tensor: {} elements do not fill shape {shape}",
                elements.len()
            )));
        }
        Tensor::try_filled(shape, |out| {
            out.copy_from_slice(elements);
            Ok(())
        })
    }

    /// A tensor of this shape whose elements, row-major, `fill` sets, as they arrive from outside: nothing is copied afterwards.
    /// Before that they are numbers of any kind.
    ///
    /// # Errors
    /// What `fill` returns; when there is no memory for so many elements.
    ///
    /// ```
    /// # use gradus_tensor::{ShapeError, Tensor};
    /// use std::{error::Error, io::Read};
    ///
    /// let mut bytes: &[u8] = &[7, 8];
    /// let x = Tensor::try_filled([2], |out| {
    ///     for x in out {
    ///         let mut byte = [0];
    ///         bytes.read_exact(&mut byte)?;
    ///         *x = byte[0].into();
    ///     }
    ///     Ok::<_, Box<dyn Error>>(())
    /// })?;
    /// assert_eq!(x.to_vec(), [7.0, 8.0]);
    /// # Ok::<(), Box<dyn Error>>(())
    /// ```
    pub fn try_filled<E: From<ShapeError>>(
        shape: impl AsRef<[usize]>,
        fill: impl FnOnce(&mut [f32]) -> Result<(), E>,
    ) -> Result<Tensor, E> {
        let shape = Shape::new(shape.as_ref());
        let Some(len) = shape.checked_len() else { return Err(shape.too_large("tensor").into()) };
        let Some(mut buffer) = Buffer::new(len) else {
            return Err(limit::refusal("tensor", &shape, len).into());
        };
        fill(buffer.get_mut().expect("a new buffer has one owner"))?;
        Ok(Tensor { buffer, layout: Layout::contiguous(shape) })
    }

    /// A contiguous tensor whose elements `write` sets, every one of them: they start with unspecified values.
    #[track_caller]
    pub(crate) fn written(shape: Shape, write: impl FnOnce(&mut [f32])) -> Tensor {
        let written = Tensor::try_filled(shape, |out| {
            write(out);
            Ok::<_, ShapeError>(())
        });
        written.or_fail()
    }

    /// The same buffer seen through another layout, whose positions all lie in the buffer.
    pub(crate) fn view(&self, layout: Layout) -> Tensor {
        debug_assert!(layout.bounds().is_none_or(|(_, high)| high < self.buffer.as_slice().len()));
        Tensor { buffer: self.buffer.clone(), layout }
    }

    /// The sizes of the axes; empty for a scalar.
    #[inline]
    pub fn shape(&self) -> &Shape {
        &self.layout.shape
    }

    /// From one element to the next along each axis, counted in elements.
    pub fn strides(&self) -> &[isize] {
        &self.layout.strides
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.layout.shape.rank()
    }

    /// The number of elements.
    #[inline]
    pub fn numel(&self) -> usize {
        self.layout.numel()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.layout.shape.is_empty()
    }

    /// The size of one axis; negative axes count from the back.
    ///
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn size(&self, axis: isize) -> usize {
        self.layout.shape[crate::shape::resolve_axis("size", axis, self.shape()).or_fail()]
    }

    /// The sizes of the axes, taken apart: `let [n, features] = x.dims();`.
    ///
    /// # Panics
    /// When there are not N axes.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let [n, features] = Tensor::zeros([32, 10]).dims();
    /// assert_eq!((n, features), (32, 10));
    /// ```
    #[track_caller]
    pub fn dims<const N: usize>(&self) -> [usize; N] {
        self.shape().dims()
    }

    /// The one element of a tensor that has just one.
    ///
    /// # Panics
    /// When there are more elements, or none.
    #[track_caller]
    pub fn item(&self) -> f32 {
        if self.numel() != 1 {
            ShapeError::new(format!("item: shape {} has {} elements, not one", self.shape(), self.numel()))
                .fail()
        }
        self.buffer.as_slice()[self.layout.offset]
    }

    /// The element at `index`, one entry an axis.
    ///
    /// # Panics
    /// When the index is out of range or has the wrong number of entries.
    #[track_caller]
    pub fn get(&self, index: impl AsRef<[usize]>) -> f32 {
        self.buffer.as_slice()[self.checked_position("get", index.as_ref())]
    }

    /// Sets the element at `index`, one entry an axis.
    ///
    /// # Panics
    /// When the index is out of range or has the wrong number of entries.
    #[track_caller]
    pub fn set(&mut self, index: impl AsRef<[usize]>, value: f32) {
        self.checked_position("set", index.as_ref());
        let flat = index.as_ref().iter().zip(&self.shape()[..]).fold(0, |flat, (&i, &n)| flat * n + i);
        self.as_mut_slice()[flat] = value;
    }

    #[track_caller]
    fn checked_position(&self, op: &str, index: &[usize]) -> usize {
        let shape = &self.shape()[..];
        if index.len() != shape.len() || index.iter().zip(shape).any(|(i, n)| i >= n) {
            ShapeError::new(format!("{op}: index {index:?} is out of range for shape {shape:?}")).fail()
        }
        self.layout.position(index)
    }

    /// The elements in row-major order, copied.
    #[doc(alias = "numpy")]
    #[doc(alias = "tolist")]
    #[track_caller]
    pub fn to_vec(&self) -> Vec<f32> {
        match self.as_slice() {
            Some(elements) => elements.to_vec(),
            None => {
                let mut elements = list("to_vec", self.numel()).or_fail();
                elements.extend(self.iter());
                elements
            }
        }
    }

    /// The elements in row-major order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = f32> + '_ {
        let elements = self.buffer.as_slice();
        Positions::new(&self.layout).map(move |at| elements[at])
    }

    /// The elements in row-major order as they lie in memory, if they lie so.
    #[inline]
    pub fn as_slice(&self) -> Option<&[f32]> {
        Some(&self.buffer.as_slice()[self.layout.contiguous_range()?])
    }

    /// The elements for writing, in row-major order. Copies them first when the buffer is shared or they do not lie
    /// in that order.
    #[track_caller]
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        if !(self.buffer.is_unique() && self.layout.is_contiguous()) {
            *self = self.copied();
        }
        let range = self.layout.contiguous_range().expect("made contiguous above");
        &mut self.buffer.get_mut().expect("made unique above")[range]
    }

    /// Whether the elements lie in row-major order without gaps.
    pub fn is_contiguous(&self) -> bool {
        self.layout.is_contiguous()
    }

    /// Whether no other tensor shares the buffer: writing will not copy it.
    pub fn is_unique(&self) -> bool {
        self.buffer.is_unique()
    }

    /// Whether the two share one buffer, whatever part of it each sees.
    pub fn shares_buffer(&self, other: &Tensor) -> bool {
        self.buffer.address() == other.buffer.address()
    }

    /// A number that is equal for tensors that share a buffer, and different for buffers that are alive at one time.
    pub fn buffer_id(&self) -> usize {
        self.buffer.address()
    }

    /// The number of elements of its buffer, whatever part of it this tensor sees.
    pub fn buffer_len(&self) -> usize {
        self.buffer.as_slice().len()
    }

    /// The same elements in row-major order without gaps: this tensor if it is so already, else a copy.
    #[track_caller]
    pub fn contiguous(&self) -> Tensor {
        if self.is_contiguous() { self.clone() } else { self.copied() }
    }

    /// The whole buffer, for kernels that do their own index arithmetic.
    pub(crate) fn data(&self) -> &[f32] {
        self.buffer.as_slice()
    }
}

/// Equal shapes and equal elements; NaN differs from itself.
impl PartialEq for Tensor {
    fn eq(&self, other: &Tensor) -> bool {
        self.shape() == other.shape() && self.iter().eq(other.iter())
    }
}
