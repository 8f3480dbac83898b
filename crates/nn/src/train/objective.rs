//! What is minimised: how the loss of a batch is recorded.

use crate::layer::Layer;
use gradus_autograd::{Tape, Var};
use gradus_tensor::Tensor;

/// Records the loss of a model on a batch. A trait and no closure, so that panics name the line of whoever trains.
pub(super) trait Objective<M, I, T>: Sync {
    #[track_caller]
    fn record<'t>(&self, model: &M, tape: &'t Tape, inputs: &I, targets: &T) -> Var<'t>;
}

/// The loss of what a layer gives for one tensor of inputs.
pub(super) struct OfOutputs<F>(pub(super) F);

impl<M, T, F> Objective<M, Tensor, T> for OfOutputs<F>
where
    M: Layer,
    F: for<'t> Fn(Var<'t>, &T) -> Var<'t> + Sync,
{
    #[track_caller]
    fn record<'t>(&self, model: &M, tape: &'t Tape, inputs: &Tensor, targets: &T) -> Var<'t> {
        let outputs = model.forward(tape.constant(inputs));
        (self.0)(outputs, targets)
    }
}

/// The loss of a model that is called in a way of its own.
pub(super) struct OfModel<F>(pub(super) F);

impl<M, I, T, F> Objective<M, I, T> for OfModel<F>
where
    F: for<'t> Fn(&M, &'t Tape, &I, &T) -> Var<'t> + Sync,
{
    #[track_caller]
    fn record<'t>(&self, model: &M, tape: &'t Tape, inputs: &I, targets: &T) -> Var<'t> {
        (self.0)(model, tape, inputs, targets)
    }
}

/// The closure that it is given, for one that is kept in a variable before [`Trainer::fit`](super::Trainer::fit) has it: by
/// itself a closure there is one for variables of a single tape, and the compiler says that its type must be known or that
/// it "is not general enough". A function needs nothing.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Adam, Linear, data::digits, train::{self, Trainer}};
///
/// let digits = digits::load().map_inputs(|images| images.reshape([1797, 64]));
/// let mut net = Linear::new(64, 10, &mut Rng::seed(0));
/// let loss = train::loss(|scores, labels: &Indices| scores.cross_entropy(labels));
/// Trainer::new(Adam::new(0.01), 100, 1).fit(&mut net, &digits, 1, loss, &mut []);
/// ```
///
/// Without it this does not compile:
///
/// ```compile_fail
/// # use gradus_autograd::prelude::*;
/// # use gradus_nn::{Adam, Linear, data::digits, train::{self, Trainer}};
/// # let digits = digits::load().map_inputs(|images| images.reshape([1797, 64]));
/// # let mut net = Linear::new(64, 10, &mut Rng::seed(0));
/// let loss = |scores, labels: &Indices| scores.cross_entropy(labels);
/// Trainer::new(Adam::new(0.01), 100, 1).fit(&mut net, &digits, 1, loss, &mut []);
/// ```
pub fn loss<T, F: for<'t> Fn(Var<'t>, &T) -> Var<'t>>(loss: F) -> F {
    loss
}
