//! An operation on many inputs at once: what it is told of them, and what it answers.

use super::{
    Op,
    step::{Recorded, Step},
};
use gradus_tensor::Shape;
use std::fmt;

/// The inputs of an operation, some of which have an axis more in front, along which there are as many as the batch has.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The size of the batch.
    pub size: usize,
    /// The shape of each input, without the batch.
    pub shapes: &'a [&'a [usize]],
    /// Which inputs have the batch; at least one.
    pub is_batched: &'a [bool],
}

/// An operation that computes a whole batch.
pub struct InBatch {
    pub(crate) step: Box<dyn Step>,
    pub(crate) inputs: Vec<Shape>,
}

impl InBatch {
    /// The operation, whose outputs have the elements of the whole batch, row-major, and for each input the shape under
    /// which it is given; those that do not have the batch keep theirs.
    pub fn new(op: impl Op, inputs: Vec<Shape>) -> InBatch {
        InBatch { step: Recorded::boxed(op), inputs }
    }
}

impl fmt::Debug for InBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of shapes {:?}", self.step.describe(), self.inputs)
    }
}

impl Batch<'_> {
    /// A shape with the batch in front.
    pub fn before(&self, shape: &[usize]) -> Shape {
        Shape::new(&[&[self.size], shape].concat())
    }

    /// An operation on the inputs with the batch in front of them.
    pub fn with(&self, op: impl Op) -> Option<InBatch> {
        self.aligned(op, 0)
    }

    /// An operation whose inputs broadcast, to at least so many axes: what has the batch gets axes of size 1 behind it, so that
    /// its other axes stay aligned at the back.
    pub fn aligned(&self, op: impl Op, rank: usize) -> Option<InBatch> {
        Some(InBatch::new(op, self.aligned_shapes(rank)))
    }

    fn aligned_shapes(&self, rank: usize) -> Vec<Shape> {
        let rank = self.shapes.iter().map(|shape| shape.len()).fold(rank, usize::max);
        let filled = |shape: &[usize]| self.before(&[&vec![1; rank - shape.len()], shape].concat());
        let inputs = self.shapes.iter().zip(self.is_batched);
        inputs
            .map(|(shape, is_batched)| if *is_batched { filled(shape) } else { Shape::new(shape) })
            .collect()
    }
}

/// The number of an axis when the batch stands before it.
pub(crate) fn behind_batch(axis: isize) -> isize {
    if axis < 0 { axis } else { axis + 1 }
}
