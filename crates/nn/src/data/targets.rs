//! What examples are to be told apart by, or to be predicted: labels or numbers.

use gradus_tensor::{Indices, Shape, Tensor};
use std::{fmt::Debug, ops::Range};

mod sealed {
    pub trait Sealed {}
    impl Sealed for gradus_tensor::Indices {}
    impl Sealed for gradus_tensor::Tensor {}
}

/// The targets of a [`Dataset`](super::Dataset): `[n, ...]`, labels as [`Indices`] or numbers as a [`Tensor`].
pub trait Targets: Clone + Debug + Send + Sync + sealed::Sealed {
    /// The sizes of the axes, of which the first counts the examples.
    fn shape(&self) -> &Shape;

    /// Those at these positions, which are in range, in this order.
    fn select(&self, positions: &Indices) -> Self;

    /// Those of a range.
    fn range(&self, range: Range<usize>) -> Self;
}

impl Targets for Indices {
    fn shape(&self) -> &Shape {
        self.shape()
    }

    fn select(&self, positions: &Indices) -> Indices {
        self.index_select(0, positions)
    }

    fn range(&self, range: Range<usize>) -> Indices {
        let mut shape = self.shape().to_vec();
        let each: usize = shape[1..].iter().product();
        shape[0] = range.len();
        Indices::new(&self.as_slice()[range.start * each..range.end * each], shape)
    }
}

impl Targets for Tensor {
    fn shape(&self) -> &Shape {
        self.shape()
    }

    fn select(&self, positions: &Indices) -> Tensor {
        self.index_select(0, positions)
    }

    fn range(&self, range: Range<usize>) -> Tensor {
        self.slice(0, range)
    }
}
