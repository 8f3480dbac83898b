//! The gradient check of a model.

use crate::module::Module;
use gradus_autograd::{
    Tape, Var,
    check::{GradCheck, Report},
};

/// Checks the gradients of a loss by every parameter of a model, as it stands; see [`GradCheck`].
///
/// The report has a row for each parameter, by name; frozen ones are left out. The tape is in evaluation mode. For another mode or other settings call [`GradCheck::params`] with
/// [`Module::params`].
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Layer, Linear, gradcheck_model};
///
/// let layer = Linear::new(3, 2, &mut Rng::seed(0));
/// let report = gradcheck_model(&layer, |tape| {
///     layer.forward(tape.constant([[0.1, -0.2, 0.3], [1.0, 0.5, -1.5]])).tanh().square().mean()
/// });
/// assert!(report.passed(), "{report}");
/// ```
///
/// # Panics
/// When the model has no parameters, or the loss has more than one element.
#[track_caller]
pub fn gradcheck_model(model: &dyn Module, loss: impl for<'t> Fn(&'t Tape) -> Var<'t>) -> Report {
    GradCheck::default().params(&model.params(), &Tape::new(), loss)
}
