//! Integers beside the floating-point tensors: labels, positions of maxima, rows of an embedding.

use crate::{
    array::{layout::Layout, strided::Positions, views::resolve_reshape},
    error::{OrFail, ShapeError},
    shape::{Shape, resolve_axis},
};
use std::sync::Arc;

/// An n-dimensional array of integers, row-major. Cloning is cheap.
///
/// ```
/// # use gradus_tensor::Indices;
/// let labels = Indices::from([3, 1, 4]);
/// assert_eq!(labels.get([2]), 4);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Indices {
    elements: Arc<[i32]>,
    shape: Shape,
}

impl Indices {
    /// Indices of this shape, row-major.
    ///
    /// # Panics
    /// When the number of elements is not the product of the sizes.
    #[track_caller]
    pub fn new(elements: impl Into<Arc<[i32]>>, shape: impl AsRef<[usize]>) -> Indices {
        let (elements, shape) = (elements.into(), Shape::new(shape.as_ref()));
        if shape.checked_len() != Some(elements.len()) {
            ShapeError::new(format!("indices: {} elements do not fill shape {shape}", elements.len())).fail()
        }
        Indices { elements, shape }
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.elements.len()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// The elements, row-major.
    pub fn as_slice(&self) -> &[i32] {
        &self.elements
    }

    /// The elements, row-major.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = i32> + '_ {
        self.elements.iter().copied()
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
        self.elements[index.iter().zip(&self.shape[..]).fold(0, |flat, (i, n)| flat * n + i)]
    }

    /// The same elements under another shape.
    ///
    /// # Panics
    /// When the number of elements differs.
    #[track_caller]
    pub fn reshape(&self, shape: impl AsRef<[usize]>) -> Indices {
        let shape = resolve_reshape(&self.shape, shape.as_ref()).or_fail();
        Indices { elements: self.elements.clone(), shape }
    }

    /// Axes of size 1, and new ones at the front, repeated up to this shape, by a copy.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// ```
    /// # use gradus_tensor::Indices;
    /// assert_eq!(Indices::from([1, 2]).broadcast_to([2, 2]).as_slice(), [1, 2, 1, 2]);
    /// ```
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl AsRef<[usize]>) -> Indices {
        let layout = Layout::contiguous(self.shape.clone()).broadcast_to(shape.as_ref()).or_fail();
        let elements: Vec<i32> = Positions::new(&layout).map(|at| self.elements[at]).collect();
        Indices::new(elements, &layout.shape)
    }

    /// Swaps two axes, by a copy.
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
        let layout = Layout::contiguous(self.shape.clone()).permute(&axes);
        let elements: Vec<i32> = Positions::new(&layout).map(|at| self.elements[at]).collect();
        Indices::new(elements, &layout.shape)
    }
}

impl<const N: usize> From<[i32; N]> for Indices {
    fn from(elements: [i32; N]) -> Indices {
        Indices::new(elements, [N])
    }
}

impl From<Vec<i32>> for Indices {
    fn from(elements: Vec<i32>) -> Indices {
        let shape = [elements.len()];
        Indices::new(elements, shape)
    }
}

impl From<&[i32]> for Indices {
    fn from(elements: &[i32]) -> Indices {
        Indices::new(elements, [elements.len()])
    }
}

impl From<Vec<usize>> for Indices {
    /// # Panics
    /// When an element does not fit an `i32`.
    #[track_caller]
    fn from(elements: Vec<usize>) -> Indices {
        Indices::from(&elements[..])
    }
}

impl From<&[usize]> for Indices {
    /// # Panics
    /// When an element does not fit an `i32`.
    #[track_caller]
    fn from(elements: &[usize]) -> Indices {
        if let Some(large) = elements.iter().find(|&&i| i > i32::MAX as usize) {
            ShapeError::new(format!("indices: {large} does not fit an i32")).fail()
        }
        elements.iter().map(|&i| i as i32).collect()
    }
}

impl FromIterator<i32> for Indices {
    fn from_iter<I: IntoIterator<Item = i32>>(elements: I) -> Indices {
        Indices::from(elements.into_iter().collect::<Vec<i32>>())
    }
}
