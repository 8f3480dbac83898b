//! What a formula is computed on: tensors, or variables of a tape.

pub(crate) mod param;
mod place;
pub(crate) mod values;

pub use place::{Place, eager};

use crate::{
    op::{Op, Outputs, Recorded, Shapes, check_inferred, of_forward},
    tape::{Tape, few::List, var::Var},
    value::{
        param::{BufferUpdate, Param},
        values::Values,
    },
};
use gradus_tensor::{OrFail, Shape, ShapeError, Tensor};
use std::{
    fmt::Debug,
    ops::{Add, Div, Mul, Neg, Sub},
};

/// Bounds on references, implied wherever [`Value`] is named.
///
/// A `where` clause on a trait's references is not implied at its uses; a bound on an associated type is. So
/// `&V: Mul<&V>` is asked for as `V: Imply<&V, T: Mul<&V>>`, and formulas may write `&a * &b` for any `V: Value`.
pub trait Imply<X>: Is<X, T = X> {}

/// Says that a type `T` is `X` itself; see [`Imply`].
pub trait Is<X> {
    /// `X`.
    type T;
}

impl<S, X> Is<X> for S {
    type T = X;
}

impl<S, X> Imply<X> for S {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for gradus_tensor::Tensor {}
    impl Sealed for crate::tape::var::Var<'_> {}
}

/// A value, or a reference to one: what stands on the right of a [`Scalar`].
pub trait Operand {
    /// The kind of value.
    type Kind;

    /// The value itself.
    fn as_value(&self) -> &Self::Kind;
}

macro_rules! operand {
    ($(<$($t:lifetime)?> $Value:ty),*) => {$(
        impl<$($t)?> Operand for $Value {
            type Kind = Self;
            fn as_value(&self) -> &Self {
                self
            }
        }

        impl<$($t)?> Operand for &$Value {
            type Kind = $Value;
            fn as_value(&self) -> &$Value {
                self
            }
        }
    )*};
}

operand!(<> Tensor, <'t> Var<'t>);

/// The four operators with an `R` on the right and an `O` for the result.
pub trait Arithmetic<R, O>:
    Add<R, Output = O> + Sub<R, Output = O> + Mul<R, Output = O> + Div<R, Output = O>
{
}

impl<T, R, O> Arithmetic<R, O> for T where
    T: Add<R, Output = O> + Sub<R, Output = O> + Mul<R, Output = O> + Div<R, Output = O>
{
}

/// What a formula can be computed on: a [`Tensor`], where it is evaluated at once and nothing is kept, or a
/// [`Var`], where it is recorded on a tape and can be differentiated.
///
/// A model, a layer and a backward rule are functions of any `V: Value`; the same text serves prediction,
/// training and higher derivatives. Operators take values or references, and f32s on the right; on the left a
/// scalar of generic code is written with [`c`]: `c(1.0) - y`.
///
/// ```
/// use gradus_autograd::prelude::*;
///
/// fn swish<V: Value>(x: &V) -> V {
///     x * x.sigmoid()
/// }
///
/// let x = Tensor::from([1.0, 2.0]);
/// let plain = swish(&x);                         // evaluated
/// let tape = Tape::new();
/// let recorded = swish(&tape.var(x));            // recorded
/// assert_eq!(plain, recorded.value());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no value that a formula can be computed on",
    label = "neither a `Tensor` nor a `Var`, by value",
    note = "a layer takes its input by value: for `&x` write `x.clone()`, a handle to the same numbers, or just `x` for a `Var`",
    note = "numbers are made values by `Tensor::from(..)`, `tape.var(..)` and `tape.constant(..)`"
)]
pub trait Value:
    Sized
    + Clone
    + Debug
    + sealed::Sealed
    + Neg<Output = Self>
    + Operand<Kind = Self>
    + Arithmetic<Self, Self>
    + Arithmetic<f32, Self>
    + for<'a> Arithmetic<&'a Self, Self>
    + for<'a> Imply<
        &'a Self,
        T: Neg<Output = Self>
               + Operand<Kind = Self>
               + Arithmetic<Self, Self>
               + Arithmetic<f32, Self>
               + for<'b> Arithmetic<&'b Self, Self>,
    >
{
    /// Where values of this kind live, as the tape or nothing.
    #[doc(hidden)]
    type Tape: Copy;

    /// The place where this value lives: it brings parameters and constants there.
    fn place(&self) -> Place<Self>;

    /// The sizes of the axes.
    #[track_caller]
    fn shape(&self) -> Shape;

    /// The number of axes.
    #[doc(alias = "dim")]
    #[track_caller]
    fn rank(&self) -> usize {
        self.shape().rank()
    }

    /// The number of elements.
    #[track_caller]
    fn numel(&self) -> usize {
        self.shape().numel()
    }

    /// The sizes of the axes, taken apart: `let [n, features] = x.dims();`.
    ///
    /// # Panics
    /// When there are not N axes.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// fn pixels<V: Value>(images: &V) -> usize {
    ///     let [_, _, height, width] = images.dims();
    ///     height * width
    /// }
    ///
    /// assert_eq!(pixels(&Tape::new().var(Tensor::zeros([8, 3, 28, 28]))), 784);
    /// ```
    #[track_caller]
    fn dims<const N: usize>(&self) -> [usize; N] {
        self.shape().dims()
    }

    /// The numbers.
    #[track_caller]
    fn to_tensor(&self) -> Tensor;

    /// The same numbers as a constant: no gradient flows through it.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// fn square_of_a_half<V: Value>(x: &V) -> V {
    ///     x * x.detach()
    /// }
    ///
    /// let tape = Tape::new();
    /// let x = tape.var(3.0);
    /// assert_eq!(square_of_a_half(&x).backward()[x].item(), 3.0); // not 6
    /// assert_eq!(square_of_a_half(&Tensor::from(3.0)).item(), 9.0);
    /// ```
    #[track_caller]
    fn detach(&self) -> Self {
        self.place().constant(self.to_tensor())
    }

    /// Applies an operation with `M` outputs.
    ///
    /// # Panics
    /// When the shapes do not fit the operation, or the inputs live on different tapes.
    #[track_caller]
    fn apply_n<O: Op, const M: usize>(op: O, inputs: &[&Self]) -> [Self; M];

    /// Applies an operation with one output.
    ///
    /// # Panics
    /// When the shapes do not fit the operation, or the inputs live on different tapes.
    #[track_caller]
    fn apply<O: Op>(op: O, inputs: &[&Self]) -> Self;

    /// Applies a formula that is known only at run time, as a boxed layer is.
    #[track_caller]
    fn through(self, formula: &dyn Formula) -> Self;

    #[doc(hidden)]
    #[track_caller]
    fn constant_at(place: Self::Tape, value: Tensor) -> Self;

    #[doc(hidden)]
    #[track_caller]
    fn param_at(place: Self::Tape, param: &Param) -> Self;

    #[doc(hidden)]
    #[track_caller]
    fn is_training_at(place: Self::Tape) -> bool;

    #[doc(hidden)]
    #[track_caller]
    fn draw_at(place: Self::Tape) -> Option<u64>;

    #[doc(hidden)]
    fn weigh_at(place: Self::Tape, weight: f64);

    #[doc(hidden)]
    #[track_caller]
    fn update_buffer_at(place: Self::Tape, buffer: &Param, keep: f32, add: Tensor);

    #[doc(hidden)]
    #[track_caller]
    fn checkpoint_at<R: Values<Self>>(place: Self::Tape, f: impl FnOnce() -> R) -> R;
}

/// A function from value to value that a `dyn` can hold: generic methods cannot be called through one.
pub trait Formula {
    /// The function on tensors.
    #[track_caller]
    fn on_tensor(&self, x: Tensor) -> Tensor;

    /// The same function on variables.
    #[track_caller]
    fn on_var<'t>(&self, x: Var<'t>) -> Var<'t>;
}

impl Value for Tensor {
    type Tape = ();

    fn place(&self) -> Place<Tensor> {
        eager()
    }

    fn shape(&self) -> Shape {
        Tensor::shape(self).clone()
    }

    fn to_tensor(&self) -> Tensor {
        self.clone()
    }

    #[track_caller]
    fn apply_n<O: Op, const M: usize>(op: O, inputs: &[&Tensor]) -> [Tensor; M] {
        run(op, inputs).into_array(O::NAME)
    }

    #[track_caller]
    fn apply<O: Op>(op: O, inputs: &[&Tensor]) -> Tensor {
        run(op, inputs).only(O::NAME)
    }

    #[track_caller]
    fn through(self, formula: &dyn Formula) -> Tensor {
        formula.on_tensor(self)
    }

    fn constant_at(_: (), value: Tensor) -> Tensor {
        value
    }

    fn param_at(_: (), param: &Param) -> Tensor {
        param.value().clone()
    }

    fn is_training_at(_: ()) -> bool {
        false
    }

    fn draw_at(_: ()) -> Option<u64> {
        None
    }

    fn weigh_at(_: (), _: f64) {}

    fn update_buffer_at(_: (), _: &Param, _: f32, _: Tensor) {}

    fn checkpoint_at<R: Values<Tensor>>(_: (), f: impl FnOnce() -> R) -> R {
        f()
    }
}

#[track_caller]
fn run<O: Op>(op: O, inputs: &[&Tensor]) -> Outputs {
    run_forward(O::NAME, inputs, &|shapes| op.infer(shapes), &|| op.forward(inputs).0)
}

/// What a shape rule says.
type Inferred = Result<Shapes, ShapeError>;

/// What is left of [`run`] is short, for it is compiled for each operation.
#[track_caller]
fn run_forward(
    name: &'static str,
    inputs: &[&Tensor],
    infer: &dyn Fn(&[&[usize]]) -> Inferred,
    forward: &dyn Fn() -> Outputs,
) -> Outputs {
    let shapes = shapes(inputs);
    let shapes = shapes.as_slice();
    check_inferred(&infer(shapes), || name).or_fail();
    if ShapeError::is_caught() {
        return forward(); // whoever catches it says where
    }
    ShapeError::catch(forward).map_err(|error| of_forward(name, shapes, &error)).or_fail()
}

fn shapes<'a>(inputs: &[&'a Tensor]) -> List<&'a [usize]> {
    List::new(inputs.len(), &[], |k| &inputs[k].shape()[..])
}

impl<'t> Value for Var<'t> {
    type Tape = &'t Tape;

    fn place(&self) -> Place<Var<'t>> {
        self.tape().place()
    }

    #[track_caller]
    fn shape(&self) -> Shape {
        (*self).shape()
    }

    #[track_caller]
    fn to_tensor(&self) -> Tensor {
        self.value()
    }

    #[track_caller]
    fn apply_n<O: Op, const M: usize>(op: O, inputs: &[&Var<'t>]) -> [Var<'t>; M] {
        Tape::record(Recorded::boxed(op), inputs)
    }

    #[track_caller]
    fn apply<O: Op>(op: O, inputs: &[&Var<'t>]) -> Var<'t> {
        let [y] = Tape::record(Recorded::boxed(op), inputs);
        y
    }

    #[track_caller]
    fn through(self, formula: &dyn Formula) -> Var<'t> {
        formula.on_var(self)
    }

    #[track_caller]
    fn detach(&self) -> Var<'t> {
        self.tape().detached(self.value())
    }

    #[track_caller]
    fn constant_at(tape: &'t Tape, value: Tensor) -> Var<'t> {
        tape.constant(value)
    }

    #[track_caller]
    fn param_at(tape: &'t Tape, param: &Param) -> Var<'t> {
        tape.param(param)
    }

    #[track_caller]
    fn is_training_at(tape: &'t Tape) -> bool {
        tape.ask();
        tape.is_training()
    }

    #[track_caller]
    fn draw_at(tape: &'t Tape) -> Option<u64> {
        tape.ask();
        tape.draw()
    }

    fn weigh_at(tape: &'t Tape, weight: f64) {
        tape.weight.set(Some(tape.weight.get().unwrap_or(0.0) + weight));
    }

    #[track_caller]
    fn update_buffer_at(tape: &'t Tape, buffer: &Param, keep: f32, add: Tensor) {
        tape.ask();
        if tape.is_training() {
            let (id, generation) = tape.id_and_generation();
            let recording = (id, generation, tape.scopes.ended());
            tape.updates.borrow_mut().push(BufferUpdate { buffer: buffer.id(), keep, add, recording });
        }
    }

    #[track_caller]
    fn checkpoint_at<R: Values<Var<'t>>>(tape: &'t Tape, f: impl FnOnce() -> R) -> R {
        tape.checkpoint(f)
    }
}

/// A scalar on the left of an operator in generic code: see [`c`].
#[derive(Clone, Copy, Debug)]
pub struct Scalar(pub(crate) f64);

/// A scalar for the left of an operator: `c(1.0) - y`, `c(2.0) * x`, `c(1.0) / &x` for any `V: Value`.
///
/// It is rounded to f32 where tensors are computed and keeps its digits where a tape is replayed in f64. A constant
/// that f32 cannot hold is therefore written with `c`: `c(std::f64::consts::PI) * x`.
pub fn c(value: impl Into<f64>) -> Scalar {
    Scalar(value.into())
}
