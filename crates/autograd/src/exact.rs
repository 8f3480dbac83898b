//! What a tape holds, in f64: values, and with the gradients recorded on it derivatives of any order.

use crate::{
    op::reference::Array,
    replay::Replay,
    tape::{Tape, var::Var},
};
use gradus_tensor::Tensor;

/// The values of a tape in f64, computed by each operation's reference: at the recorded inputs, or at others.
///
/// What is recorded counts, gradients too: [`Var::grad`] and the functions of [`functional`](crate::functional) record
/// derivatives by the rules that a backward sweep uses, and their values here are these rules' in f64. So a loss, its
/// gradient and its Hessian-vector product come out with 15 digits instead of 7.
///
/// ```
/// use gradus_autograd::{functional::hvp, op::reference::Array, prelude::*};
///
/// let tape = Tape::new();
/// let x = tape.var([1.0, 2.0]);
/// let y = x.exp().sum();
/// let slope = y.grad(&[x])[0].unwrap();
/// let curvature = hvp(|x| x.exp().sum(), x, tape.constant([0.0, 1.0]));
///
/// let mut exact = tape.exact();
/// let e = std::f64::consts::E;
/// assert!((exact.of(y).data()[0] - (e + e * e)).abs() < 1e-14);
/// assert!((exact.of(slope).data()[1] - e * e).abs() < 1e-14);
/// assert!((exact.of(curvature).data()[1] - e * e).abs() < 1e-14);
///
/// // A third lies between two f32s.
/// exact.move_to(&[(x, Array::new(vec![1.0 / 3.0, 0.0], [2]))]);
/// assert_eq!(exact.of(slope).data()[0], (1.0f64 / 3.0).exp());
/// ```
///
/// # What stays as it was recorded
/// The choices that the recorded f32 inputs made: the side of a kink, the winner of a maximum, masks of dropout, indices. So
/// a move may be as far as they hold; for other inputs record anew, as [`value_and_grad`] does for each.
///
/// It is slow, for no kernel is in it: for checks, and for models as small as those that L-BFGS is for.
pub struct Exact<'t> {
    tape: &'t Tape,
    replay: Replay<'t>,
    /// The values where the inputs were moved to.
    moved: Option<Vec<Array>>,
}

impl Tape {
    /// All that is recorded, in f64. Nothing can be recorded while this lives.
    pub fn exact(&self) -> Exact<'_> {
        Exact { tape: self, replay: Replay::new(self), moved: None }
    }
}

impl Exact<'_> {
    /// The value of a variable.
    ///
    /// # Panics
    /// When it is of another tape.
    #[track_caller]
    pub fn of(&self, var: Var<'_>) -> &Array {
        self.check(var);
        match &self.moved {
            Some(values) => &values[var.id() as usize],
            None => self.replay.base(var.id()),
        }
    }

    /// Gives inputs other values, and computes all that depends on them. Inputs that are not named have their recorded
    /// values.
    ///
    /// # Panics
    /// When one is no input (made with [`Tape::var`], [`Tape::constant`] or [`Tape::param`]) of this tape, or its value has
    /// another shape.
    #[track_caller]
    pub fn move_to(&mut self, inputs: &[(Var<'_>, Array)]) {
        for (var, value) in inputs {
            self.check(*var);
            assert!(
                self.replay.is_leaf(var.id()),
                "exact: {} was computed; only inputs can be given other values",
                var.describe()
            );
            let shape = self.replay.base(var.id()).shape();
            assert!(
                value.shape() == shape,
                "exact: {} is to become a value of shape {:?}",
                var.describe(),
                value.shape()
            );
        }
        let leaves: Vec<(u32, Array)> = inputs.iter().map(|(var, value)| (var.id(), value.clone())).collect();
        self.moved = Some(self.replay.at(&leaves));
    }

    #[track_caller]
    fn check(&self, var: Var<'_>) {
        assert!(std::ptr::eq(var.tape(), self.tape), "exact: {} is of another tape", var.describe());
    }
}

impl std::fmt::Debug for Exact<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Exact of {:?}", self.tape)
    }
}

/// The value of a function and its gradient in f64: for minimisers, and wherever seven digits are too few.
///
/// `f` is recorded at `x` rounded to f32, which decides on branches, and evaluated at `x` itself.
///
/// ```
/// use gradus_autograd::{exact::value_and_grad, prelude::*};
///
/// let (value, slope) = value_and_grad(|x| x.sigmoid().log().sum(), &[0.1]);
/// assert!((value + (1.0 + (-0.1f64).exp()).ln()).abs() < 1e-15);
/// assert!((slope[0] - 1.0 / (1.0 + 0.1f64.exp())).abs() < 1e-15);
/// ```
///
/// # Panics
/// When `f` gives more than one element, or a variable of another tape.
#[track_caller]
pub fn value_and_grad(f: impl for<'t> Fn(Var<'t>) -> Var<'t>, x: &[f64]) -> (f64, Vec<f64>) {
    let tape = Tape::new();
    let rounded: Vec<f32> = x.iter().map(|&x| x as f32).collect();
    let v = tape.var(Tensor::new(&rounded, [x.len()]));
    let y = f(v);
    let (value, mut gradients) = at(y, &[(v, Array::new(x.to_vec(), [x.len()]))]);
    let gradient = gradients.pop().expect("of the only input");
    (value, gradient.data().to_vec())
}

/// The value of a loss of one element and its gradients in f64 by inputs of its tape, at these values: 0 where the loss does
/// not depend on an input. The gradient is recorded on the tape.
///
/// # Panics
/// When the loss has more than one element; else like [`Exact::move_to`].
#[track_caller]
pub fn at<'t>(loss: Var<'t>, inputs: &[(Var<'t>, Array)]) -> (f64, Vec<Array>) {
    let shape = loss.shape();
    assert!(shape.numel() == 1, "exact: the loss has shape {shape}; a gradient is that of one number");
    let vars: Vec<Var<'t>> = inputs.iter().map(|(var, _)| *var).collect();
    let gradients = loss.grad(&vars);
    let mut exact = loss.tape().exact();
    exact.move_to(inputs);
    let gradient = |(gradient, (_, value)): (Option<Var<'t>>, &(Var<'t>, Array))| {
        gradient.map_or_else(|| Array::full(value.shape(), 0.0), |gradient| exact.of(gradient).clone())
    };
    let gradients = gradients.into_iter().zip(inputs).map(gradient).collect();
    (exact.of(loss).data()[0], gradients)
}
