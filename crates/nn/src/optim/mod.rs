//! Optimizers: how parameters follow their gradients.

mod adam;
mod sgd;

pub use adam::Adam;
pub use sgd::Sgd;

use crate::module::Module;
use gradus_autograd::{Gradients, Param};
use gradus_tensor::Tensor;

/// A rule that changes parameters by their gradients.
pub trait Optimizer {
    /// One step: changes every parameter of the model that is not frozen, in place.
    ///
    /// # Panics
    /// When the loss does not reach a parameter: it would silently never be trained. Freeze it, or leave it out of
    /// the module that is given here.
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients);
}

/// The parameters to change, each with its gradient.
#[track_caller]
fn trained<'m, 'g>(
    model: &'m mut dyn Module,
    gradients: &'g Gradients,
) -> Vec<(String, &'m mut Param, std::borrow::Cow<'g, [f32]>)> {
    let mut unreached = Vec::new();
    let mut found = Vec::new();
    for (name, param) in model.params_mut() {
        if param.is_frozen() {
            continue;
        }
        match gradients.of(param) {
            Some(gradient) => found.push((name, param, elements(gradient))),
            None => unreached.push(name),
        }
    }
    assert!(
        unreached.is_empty(),
        "optimizer: the loss does not reach {}; freeze what is not to be trained, or step only the part of the model \
         that is",
        unreached.join(", ")
    );
    found
}

fn elements(tensor: &Tensor) -> std::borrow::Cow<'_, [f32]> {
    match tensor.as_slice() {
        Some(elements) => elements.into(),
        None => tensor.to_vec().into(),
    }
}
