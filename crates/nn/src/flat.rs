//! All parameters of a model as one vector, and back.

use crate::module::Module;
use gradus_autograd::Gradients;
use gradus_tensor::Tensor;

/// The elements of all parameters in the model's order, without buffers, `[n]`: a copy, which later changes of the model do
/// not reach.
///
/// ```
/// use gradus_nn::{Linear, Module, flatten, unflatten};
/// use gradus_tensor::Rng;
///
/// // The two layers of a well-known exercise, each with its bias: 25 x 401 and 10 x 26.
/// let mut rng = Rng::seed(0);
/// let mut net = vec![Linear::new(400, 25, &mut rng), Linear::new(25, 10, &mut rng)];
/// let vector = flatten(&net);
/// assert_eq!(vector.shape(), &[10285]);
/// unflatten(&mut net, &(&vector * 2.0));
/// assert_eq!(flatten(&net), vector * 2.0);
/// ```
pub fn flatten(model: &dyn Module) -> Tensor {
    let mut elements = Vec::with_capacity(model.param_count());
    for (_, param) in model.params().into_iter().filter(|(_, param)| !param.is_buffer()) {
        elements.extend(param.value().iter());
    }
    Tensor::new(&elements, [elements.len()])
}

/// The gradients in the same order and form; zeros for parameters that the loss does not reach.
pub fn flatten_gradients(model: &dyn Module, gradients: &Gradients) -> Tensor {
    let mut elements = Vec::with_capacity(model.param_count());
    for (_, param) in model.params().into_iter().filter(|(_, param)| !param.is_buffer()) {
        match gradients.of(param) {
            Some(gradient) => elements.extend(gradient.iter()),
            None => elements.resize(elements.len() + param.value().numel(), 0.0),
        }
    }
    Tensor::new(&elements, [elements.len()])
}

/// Sets all parameters from a vector, as [`flatten`] makes it.
///
/// # Panics
/// When the vector has not as many elements as the parameters together, or more axes than one.
#[track_caller]
pub fn unflatten(model: &mut dyn Module, vector: &Tensor) {
    let count = model.param_count();
    assert!(
        vector.shape()[..] == [count],
        "unflatten: a vector {} for a model of {count} parameters: it must be [{count}]",
        vector.shape()
    );
    let vector = vector.contiguous();
    let mut rest = vector.as_slice().expect("made contiguous above");
    for (_, param) in model.params_mut().into_iter().filter(|(_, param)| !param.is_buffer()) {
        let (first, after) = rest.split_at(param.value().numel());
        param.value_mut().as_mut_slice().copy_from_slice(first);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_autograd::prelude::*;

    #[test]
    fn the_round_trip_is_exact_and_shares_nothing() {
        let mut model = vec![
            Param::new(Tensor::arange(6).reshape([2, 3]).t()),
            Param::new(7.5),
            Param::new(Tensor::zeros([0, 4])),
        ];
        let vector = flatten(&model);
        assert_eq!(vector.to_vec(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0, 7.5]);
        let mut changed = vector.clone();
        changed.set([6], -1.0);
        unflatten(&mut model, &changed);
        assert_eq!((model[1].value().item(), vector.get([6])), (-1.0, 7.5));
        model[1].value_mut().set([], 3.0);
        assert_eq!(changed.get([6]), -1.0);
    }

    #[test]
    fn gradients_stand_at_their_parameters_places() {
        let model = vec![Param::new([1.0, 2.0]), Param::new(5.0), Param::new([3.0])];
        let (_, gradients, ()) = Tape::new()
            .step(|tape| (tape.param(&model[0]).square().sum() + tape.param(&model[2]).square().sum(), ()));
        assert_eq!(flatten_gradients(&model, &gradients).to_vec(), [2.0, 4.0, 0.0, 6.0]);
    }

    #[test]
    #[should_panic = "unflatten: a vector [3] for a model of 2 parameters"]
    fn the_length_must_fit() {
        unflatten(&mut Param::new([1.0, 2.0]), &Tensor::zeros([3]));
    }
}
