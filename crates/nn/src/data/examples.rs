//! What a data set has of each example: numbers, labels or words, or several of these.

use gradus_tensor::{Indices, Shape, Tensor};
use std::{fmt::Debug, ops::Range};

mod sealed {
    pub trait Sealed {}
    impl Sealed for gradus_tensor::Indices {}
    impl Sealed for gradus_tensor::Tensor {}
    impl<A: Sealed, B: Sealed> Sealed for (A, B) {}
    impl<A: Sealed, B: Sealed, C: Sealed> Sealed for (A, B, C) {}
}

/// The inputs or the targets of a [`Dataset`](super::Dataset): `[n, ...]`, numbers as a [`Tensor`], labels or words as
/// [`Indices`], or two or three of these in a tuple, for models of several inputs or outputs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no inputs or targets of a data set",
    note = "they are a `Tensor`, `Indices`, or a tuple of two or three of these"
)]
pub trait Examples: Clone + Debug + Send + Sync + sealed::Sealed {
    /// The sizes of the axes, of which the first counts the examples; of a tuple those of each part.
    fn shapes(&self) -> Vec<Shape>;

    /// Those at these positions, which are in range, in this order.
    fn select(&self, positions: &Indices) -> Self;

    /// Those of a range.
    fn range(&self, range: Range<usize>) -> Self;

    /// The same, each example in one run of elements.
    fn contiguous(self) -> Self {
        self
    }

    /// The number of examples, if every part has axes and the same number of them.
    fn count(&self) -> Option<usize> {
        let shapes = self.shapes();
        let first = *shapes.first()?.first()?;
        shapes.iter().all(|shape| shape.first() == Some(&first)).then_some(first)
    }

    /// The shapes as a text.
    fn describe(&self) -> String {
        let shapes: Vec<String> = self.shapes().iter().map(Shape::to_string).collect();
        shapes.join(" and ")
    }
}

impl Examples for Indices {
    fn shapes(&self) -> Vec<Shape> {
        vec![self.shape().clone()]
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

impl Examples for Tensor {
    fn shapes(&self) -> Vec<Shape> {
        vec![self.shape().clone()]
    }

    fn select(&self, positions: &Indices) -> Tensor {
        self.index_select(0, positions)
    }

    fn range(&self, range: Range<usize>) -> Tensor {
        self.slice(0, range)
    }

    fn contiguous(self) -> Tensor {
        Tensor::contiguous(&self)
    }
}

macro_rules! tuples {
    ($($Part:ident $k:tt),+) => {
        impl<$($Part: Examples),+> Examples for ($($Part,)+) {
            fn shapes(&self) -> Vec<Shape> {
                [$(self.$k.shapes()),+].concat()
            }

            fn select(&self, positions: &Indices) -> Self {
                ($(self.$k.select(positions),)+)
            }

            fn range(&self, range: Range<usize>) -> Self {
                ($(self.$k.range(range.clone()),)+)
            }

            fn contiguous(self) -> Self {
                ($(self.$k.contiguous(),)+)
            }
        }
    };
}

tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
