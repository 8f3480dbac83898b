//! What an operation is: everything about it declared in one place.

pub(crate) mod batch;
pub mod examples;
pub(crate) mod loops;
mod pointwise;
pub mod prelude;
pub mod reference;
mod rule;
pub(crate) mod spec;
mod step;
pub(crate) mod window;

pub use pointwise::Pointwise;
pub use rule::Backward;
pub use spec::Spec;
pub(crate) use step::{Recorded, Step};

use crate::value::Value;
pub use batch::{Batch, InBatch};
use examples::{ErrorCase, Gen, Sample};
use gradus_tensor::{Indices, Shape, ShapeError, Tensor};
use reference::{Array, Branches, Update};
use smallvec::{SmallVec, smallvec};
use std::fmt::Debug;
use window::{Along, Window, elements};

/// An operation: shape rule, forward, backward rule, f64 reference, samples, error cases and formula.
///
/// Attributes (axes, strides, seeds, indices) are fields of the type; the operation is cloned when a tape runs it
/// again. The laws of [`check`](crate::check) hold an operation to all that it declares.
#[doc(alias = "Function")]
pub trait Op: Debug + Clone + Send + 'static {
    /// The name in error messages and printed tapes; snake case, the name of the method.
    const NAME: &'static str;

    /// The formula of the forward and the backward, in plain text: `y = ..; dx = ..`. Nothing, if not declared.
    const FORMULA: &'static str = "";

    /// How far the f32 result may be from the f64 reference.
    const PRECISION: Precision = Precision::DEFAULT;

    /// What the forward keeps for the backward beside inputs and outputs; often `()`.
    type Saved: Saved;

    /// The shapes of the outputs, or why the inputs do not fit.
    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError>;

    /// Computes the outputs. The shapes have been checked by [`infer`](Op::infer).
    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, Self::Saved);

    /// The rule of record: adds to each input's gradient what the outputs' cotangents send there.
    ///
    /// Written in operations, so that it can be recorded and differentiated again. From `saved` it may read only
    /// what has derivative zero (masks, indices): a saved statistic would be a constant to the second derivative.
    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, saved: &Self::Saved);

    /// The same on plain tensors, where speed asks for it; may read all that was saved. A law holds the two equal.
    fn backward_fused(&self, cx: &mut Backward<'_, Tensor>, saved: &Self::Saved) {
        self.backward(cx, saved);
    }

    /// The outputs in f64, by naive loops over logical indices. Every choice that the value of an input decides
    /// goes through `branches`, so that it can be frozen.
    fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array>;

    /// Brings the reference's only output up to date after some elements of one input have changed, where that is
    /// less work than computing it anew; `false` where it is not. A law holds it to the reference.
    ///
    /// Gradient checks difference by one element at a time: with this they are faster, without it no less right.
    fn reference_update(&self, _: &mut Update<'_>) -> bool {
        false
    }

    /// How many floating-point operations the forward takes, of inputs and outputs of these shapes: a multiplication and an
    /// addition count one each, and so does any other function of an element, such as an exponential or a comparison;
    /// moving elements counts nothing. What is not declared is one for each element of the outputs.
    ///
    /// Summaries and profiles show it ([`Tape::values`](crate::Tape::values)); nothing is decided by it.
    fn flops(&self, _: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        elements(outputs)
    }

    /// Which elements along an axis of an input an element of an output depends on; `None` for all of them, which is said
    /// of what is not declared. Receptive fields are made of it ([`Var::receptive_field`](crate::Var::receptive_field)). A law holds it to the forward.
    ///
    /// Elementwise operations declare [`along.same()`](Along::same).
    fn window(&self, _: &Along<'_>) -> Option<Window> {
        None
    }

    /// The operation that does the same to a whole batch at once, with some inputs having the batch as an axis in front; `None`
    /// where there is none, and each of the batch is computed by itself. A law holds it to that.
    ///
    /// Jacobians run the backward rules for many cotangents so: with this they are faster, without it no less right.
    fn batched(&self, _: &Batch<'_>) -> Option<InBatch> {
        None
    }

    /// Examples for the laws: attributes and inputs over the shapes and values where the operation is defined.
    fn samples(g: &mut Gen) -> Vec<Sample>;

    /// Inputs that the shape rule must refuse, each with the beginning of its message. None, if not declared.
    fn error_cases() -> Vec<ErrorCase> {
        Vec::new()
    }
}

/// What an operation may save for its backward.
pub trait Saved: Send + Sized + 'static {
    /// Where it stands from the forward to the backward: an `Option` of it.
    type Slot: Slot<Self>;

    /// How much memory its tensors and lists hold, for reports.
    fn bytes(&self) -> usize;
}

/// A place for what an operation saves, empty at first.
pub trait Slot<S>: Default + Send {
    /// Puts it there.
    fn put(&mut self, saved: S);
    /// What is there.
    fn get(&self) -> Option<&S>;
}

impl<S: Send> Slot<S> for Option<S> {
    fn put(&mut self, saved: S) {
        *self = Some(saved);
    }

    fn get(&self) -> Option<&S> {
        self.as_ref()
    }
}

/// Nothing takes no place, so that to record an operation without attributes allocates nothing.
impl Slot<()> for () {
    fn put(&mut self, (): ()) {}

    fn get(&self) -> Option<&()> {
        Some(&())
    }
}

impl Saved for () {
    type Slot = ();

    fn bytes(&self) -> usize {
        0
    }
}

impl Saved for Tensor {
    type Slot = Option<Tensor>;

    fn bytes(&self) -> usize {
        self.buffer_len() * size_of::<f32>()
    }
}

impl Saved for Indices {
    type Slot = Option<Indices>;

    fn bytes(&self) -> usize {
        size_of_val(self.as_slice())
    }
}

impl<S: Saved> Saved for Option<S> {
    type Slot = Option<Self>;

    fn bytes(&self) -> usize {
        self.as_ref().map_or(0, S::bytes)
    }
}

impl<S: Saved, const N: usize> Saved for [S; N] {
    type Slot = Option<Self>;

    fn bytes(&self) -> usize {
        self.iter().map(S::bytes).sum()
    }
}

impl<S: Saved> Saved for Vec<S> {
    type Slot = Option<Self>;

    fn bytes(&self) -> usize {
        self.iter().map(S::bytes).sum()
    }
}

impl<A: Saved, B: Saved> Saved for (A, B) {
    type Slot = Option<Self>;

    fn bytes(&self) -> usize {
        self.0.bytes() + self.1.bytes()
    }
}

impl<A: Saved, B: Saved, C: Saved> Saved for (A, B, C) {
    type Slot = Option<Self>;

    fn bytes(&self) -> usize {
        self.0.bytes() + self.1.bytes() + self.2.bytes()
    }
}

/// How far an f32 result may be from the f64 reference at the same inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Precision {
    /// In units in the last place of each element.
    Ulps(f64),
    /// In units in the last place of the largest term: for sums of many terms, which may cancel. The largest term is
    /// the largest element of the result, or the product of the largest elements of the inputs where that is larger.
    UlpsOfLargest(f64),
}

impl Precision {
    /// That of an operation which states none.
    pub const DEFAULT: Precision = Precision::Ulps(2.0);
}

/// The outputs of a forward.
#[derive(Debug)]
pub enum Outputs {
    /// Nearly always. A tensor is a hundred bytes and moves from here to the tape: no list is worth making for it.
    One(Tensor),
    /// Of an operation with several outputs, or with one.
    Many(Vec<Tensor>),
}

impl Outputs {
    pub(crate) fn into_vec(self) -> Vec<Tensor> {
        match self {
            Outputs::One(y) => vec![y],
            Outputs::Many(outputs) => outputs,
        }
    }

    /// The only output, of an operation that has no more.
    #[track_caller]
    pub(crate) fn only(self, name: &str) -> Tensor {
        match self {
            Outputs::One(y) => y,
            outputs => {
                let [y] = outputs.into_array(name);
                y
            }
        }
    }

    #[track_caller]
    pub(crate) fn into_array<const M: usize>(self, name: &str) -> [Tensor; M] {
        let outputs = self.into_vec();
        match <[Tensor; M]>::try_from(outputs) {
            Ok(outputs) => outputs,
            Err(outputs) => panic!("{name}: has {} outputs, {M} were asked for", outputs.len()),
        }
    }
}

impl From<Tensor> for Outputs {
    fn from(y: Tensor) -> Outputs {
        Outputs::One(y)
    }
}

impl From<Vec<Tensor>> for Outputs {
    fn from(outputs: Vec<Tensor>) -> Outputs {
        Outputs::Many(outputs)
    }
}

/// The shapes of an operation's outputs.
#[derive(Debug)]
pub struct Shapes(pub(crate) SmallVec<[Shape; 1]>);

/// Refuses what a shape rule gave when an output has more elements than any memory can hold: here ends the shape rule of every
/// operation.
#[inline]
pub(crate) fn check_inferred(
    inferred: &Result<Shapes, ShapeError>,
    op: impl Fn() -> &'static str,
) -> Result<(), ShapeError> {
    match inferred {
        Ok(shapes) => match shapes.0.iter().find(|shape| shape.checked_len().is_none()) {
            None => Ok(()),
            Some(shape) => shape.clone().checked(op()).map(|_| ()),
        },
        Err(error) => Err(error.clone()),
    }
}

/// What failed in the forward of the operation `op` on inputs of these shapes, such as an allocation.
#[cold]
pub(crate) fn of_forward(op: &str, inputs: &[&[usize]], error: &ShapeError) -> ShapeError {
    let text = error.to_string();
    if text.starts_with(op) {
        return error.clone();
    }
    let shapes: Vec<String> = inputs.iter().map(|shape| format!("{shape:?}")).collect();
    ShapeError::new(format!("{op} of {}: {text}", shapes.join(" and ")))
}

impl From<Shape> for Shapes {
    #[inline]
    fn from(shape: Shape) -> Shapes {
        Shapes(smallvec![shape])
    }
}

impl From<Vec<Shape>> for Shapes {
    fn from(shapes: Vec<Shape>) -> Shapes {
        Shapes(shapes.into())
    }
}

/// The shapes of the inputs of operation `O`, which always takes `N`: `let [a, b] = arity::<Self, _>(inputs)`.
///
/// # Panics
/// When it was given another number of inputs: a mistake of the code that applies it, not of shapes.
#[track_caller]
pub fn arity<'a, O: Op, const N: usize>(inputs: &[&'a [usize]]) -> [&'a [usize]; N] {
    match inputs.try_into() {
        Ok(inputs) => inputs,
        Err(_) => panic!("{}: takes {N} inputs, was given {}", O::NAME, inputs.len()),
    }
}
