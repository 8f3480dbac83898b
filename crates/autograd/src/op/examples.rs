//! Examples for the laws: random shapes and values, attributes and inputs.

use super::{
    Op,
    reference::{Array, Branches},
    step::{Recorded, Step},
};
use gradus_tensor::{Axes, Indices, Rng, Tensor};
use std::fmt;

/// One example of an operation: its attributes and inputs that fit them. The type of the operation is forgotten, so that what
/// the laws do with examples is compiled once.
pub struct Sample {
    pub(crate) step: Box<dyn Step>,
    /// Its inputs.
    pub inputs: Vec<Tensor>,
}

impl Sample {
    /// An example.
    pub fn new(op: impl Op, inputs: impl Into<Vec<Tensor>>) -> Sample {
        Sample { step: Recorded::boxed(op), inputs: inputs.into() }
    }

    /// Whether the reference declares a surrogate.
    pub(crate) fn is_surrogate(&self) -> bool {
        let inputs: Vec<Array> = self.inputs.iter().map(Array::from).collect();
        let mut branches = Branches::recording();
        self.step.reference(&inputs.iter().collect::<Vec<_>>(), &mut branches);
        branches.is_surrogate()
    }
}

impl fmt::Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {:?}", self.step.describe(), self.inputs)
    }
}

/// Inputs that an operation must refuse.
pub struct ErrorCase {
    pub(crate) step: Box<dyn Step>,
    /// The shapes of the inputs.
    pub shapes: Vec<Vec<usize>>,
    /// How the message begins.
    pub message: String,
}

impl ErrorCase {
    /// The operation with its attributes, the shapes of its inputs, and how the message begins.
    pub fn new(op: impl Op, shapes: &[&[usize]], message: impl Into<String>) -> ErrorCase {
        ErrorCase { step: Recorded::boxed(op), shapes: owned(shapes), message: message.into() }
    }
}

fn owned(shapes: &[&[usize]]) -> Vec<Vec<usize>> {
    shapes.iter().map(|shape| shape.to_vec()).collect()
}

impl fmt::Debug for ErrorCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of shapes {:?}: {}", self.step.describe(), self.shapes, self.message)
    }
}

/// A source of random shapes and values. Its size bounds the ranks and lengths, so that a failing case can be tried
/// again smaller.
#[derive(Debug)]
pub struct Gen {
    rng: Rng,
    size: usize,
    /// Whether shapes are of so many elements that kernels share their work.
    is_large: bool,
}

/// Lengths that kernels treat alike are of no use: around vector widths, and primes.
const LENGTHS: [usize; 14] = [1, 2, 3, 0, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33];
/// Samples are differenced element by element, so they stay small.
const MOST_ELEMENTS: usize = 600;
/// About how many elements a large shape has, and up to how many axes.
const LARGE: usize = 100_000;
const MOST_AXES: usize = 6;

impl Gen {
    /// The generator of a seed; sizes run from 0, the smallest cases, to 5.
    pub fn new(seed: u64, size: usize) -> Gen {
        Gen { rng: Rng::seed(seed), size: size.min(5), is_large: false }
    }

    /// The generator of samples whose shapes have some 100 000 elements and up to six axes; the lengths of single axes stay as
    /// they are.
    pub(crate) fn large(seed: u64) -> Gen {
        Gen { rng: Rng::seed(seed), size: 5, is_large: true }
    }

    /// The random generator beneath.
    pub fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// An integer from `low..=high`.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.rng.below(high - low + 1)
    }

    /// The length of an axis, 0 and 1 included.
    pub fn length(&mut self) -> usize {
        let most = [2, 4, 6, 9, 12, 14][self.size];
        LENGTHS[self.rng.below(most)]
    }

    /// The length of an axis, at least 1.
    pub fn positive_length(&mut self) -> usize {
        self.length().max(1)
    }

    /// A shape of rank 0 to 5.
    pub fn shape(&mut self) -> Vec<usize> {
        let rank = if self.is_large { 1 + self.rng.below(MOST_AXES) } else { self.rng.below(self.size + 1) };
        self.shape_of_rank(rank)
    }

    /// A shape without a zero.
    pub fn positive_shape(&mut self) -> Vec<usize> {
        self.shape().iter().map(|&n| n.max(1)).collect()
    }

    /// A shape with so many axes.
    pub fn shape_of_rank(&mut self, rank: usize) -> Vec<usize> {
        if self.is_large && rank > 0 {
            let mut shape: Vec<usize> = (0..rank).map(|_| self.between(1, 5)).collect();
            let long = self.rng.below(rank);
            shape[long] = 1;
            shape[long] = LARGE.div_ceil(shape.iter().product());
            return shape;
        }
        let mut left = MOST_ELEMENTS;
        let mut length = || {
            let n = self.length().min(left);
            left /= n.max(1);
            n
        };
        (0..rank).map(|_| length()).collect()
    }

    /// Two shapes that broadcast to one.
    pub fn broadcast_pair(&mut self) -> (Vec<usize>, Vec<usize>) {
        let whole = self.shape();
        let part = |rng: &mut Rng| -> Vec<usize> {
            let skip = if rng.below(3) == 0 { rng.below(whole.len() + 1) } else { 0 };
            whole[skip..].iter().map(|&n| if rng.below(4) == 0 { 1 } else { n }).collect()
        };
        let pair = (part(&mut self.rng), part(&mut self.rng));
        if self.rng.below(2) == 0 { pair } else { (whole, pair.1) }
    }

    /// An axis of a shape that has one, counted from the front or from the back.
    pub fn axis(&mut self, rank: usize) -> isize {
        self.rng.below(2 * rank) as isize - rank as isize
    }

    /// Some of the axes, in any order.
    pub fn axes(&mut self, rank: usize) -> Vec<isize> {
        let mut axes: Vec<isize> = (0..rank as isize).collect();
        self.rng.shuffle(&mut axes);
        axes.truncate(self.rng.below(rank + 1));
        axes.into_iter().map(|a| if self.rng.below(2) == 0 { a } else { a - rank as isize }).collect()
    }

    /// Every axis, or some of them.
    pub fn some_axes(&mut self, rank: usize) -> Axes {
        if self.rng.below(3) == 0 { Axes::all() } else { self.axes(rank).into() }
    }

    /// Values spread evenly over `low..high`.
    pub fn values(&mut self, shape: impl AsRef<[usize]>, low: f32, high: f32) -> Tensor {
        Tensor::uniform(shape, low, high, &mut self.rng)
    }

    /// Normally distributed values.
    pub fn normal(&mut self, shape: impl AsRef<[usize]>) -> Tensor {
        Tensor::randn(shape, &mut self.rng)
    }

    /// Values of either sign, at least `gap` away from zero.
    pub fn nonzero(&mut self, shape: impl AsRef<[usize]>, gap: f32) -> Tensor {
        self.normal(shape).map(|x| if x < 0.0 { x - gap } else { x + gap })
    }

    /// Values of which several are equal.
    pub fn tied(&mut self, shape: impl AsRef<[usize]>) -> Tensor {
        self.normal(shape).map(|x| (x * 2.0).round() / 2.0)
    }

    /// Indices into an axis of length `n`, of up to two axes, with repeats, some of them counted from the back.
    pub fn indices_into(&mut self, n: usize) -> Indices {
        let rank = self.between(0, 2);
        let mut shape: Vec<usize> = self.shape_of_rank(rank).into_iter().map(|n| n.min(5)).collect();
        if n == 0 {
            shape = vec![0];
        }
        let from_front = self.indices(&shape, n.max(1));
        let either = |i: &i32| if self.rng.below(3) == 0 { i - n as i32 } else { *i };
        let elements: Vec<i32> = from_front.as_slice().iter().map(either).collect();
        Indices::new(elements, shape)
    }

    /// Indices in `0..n`, with repeats.
    pub fn indices(&mut self, shape: impl AsRef<[usize]>, n: usize) -> Indices {
        let len = shape.as_ref().iter().product();
        let elements: Vec<i32> = (0..len).map(|_| self.rng.below(n) as i32).collect();
        Indices::new(elements, shape)
    }
}
