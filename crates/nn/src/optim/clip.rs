//! Clipping of gradients, before an optimizer's step.

use crate::{
    group::{blocks, elements, filled},
    module::Module,
};
use gradus_autograd::Gradients;
use gradus_tensor::{Shape, Tensor};
use std::ops::Range;

/// The Euclidean norm of the gradients of all parameters that are not frozen, taken as one vector. Parameters that the
/// loss does not reach count as zeros.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Linear, optim::grad_norm};
///
/// let layer = Linear { weight: Param::new([[0.0, 0.0]]), bias: None };
/// let (_, gradients, ()) = Tape::training(0).step(|tape| {
///     let w = tape.param(&layer.weight);
///     ((w * tape.constant([[3.0, 4.0]])).sum(), ())
/// });
/// assert_eq!(grad_norm(&layer, &gradients), 5.0);
/// ```
pub fn grad_norm(model: &dyn Module, gradients: &Gradients) -> f64 {
    let mut sum = 0.0;
    // In the model's order, so that the same gradients have the same norm to the last bit.
    for (_, param) in model.params() {
        if let Some(gradient) = gradients.of(param).filter(|_| !param.is_frozen()) {
            square_sums(gradient, gradient.shape(), blocks(0, 1)).for_each(|square| sum += square);
        }
    }
    sum.sqrt()
}

/// The sums of the squares of a tensor of this shape, or of the part of it that these blocks are: one for each block that
/// has elements. Added in their order they are the square of its norm, and have the same bits whoever computed which.
pub(crate) fn square_sums(part: &Tensor, shape: &Shape, blocks: Range<usize>) -> impl Iterator<Item = f64> {
    let part = part.contiguous();
    let start = elements(shape, blocks.clone()).start;
    filled(shape, blocks).map(move |range| {
        let numbers = part.as_slice().expect("made contiguous");
        square_sum(&numbers[range.start - start..range.end - start])
    })
}

/// Clips by global norm (R. Pascanu, T. Mikolov and Y. Bengio, 2013): where the norm of all gradients together is above
/// `max_norm`, each is multiplied by `max_norm / (norm + 1e-6)`; as PyTorch and the book's second volume do it. Returns the
/// norm from before, a worthwhile thing to log.
///
/// A norm that is not finite leaves the gradients as they are: the returned value tells.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Optimizer, Sgd, optim::clip_grad_norm};
///
/// let mut w = Param::new([3.0, 4.0, 12.0]);
/// let (_, mut gradients, ()) = Tape::new().step(|tape| (tape.param(&w).square().sum() * 0.5, ()));
/// assert_eq!(clip_grad_norm(&w, &mut gradients, 5.0), 13.0);
/// Sgd::new(1.0).step(&mut w, &gradients);
/// assert!((w.value().get([0]) - (3.0 - 3.0 * 5.0 / 13.0)).abs() < 1e-6);
/// ```
///
/// # Panics
/// When `max_norm` is not positive.
#[doc(alias = "clip_grad_norm_")]
#[track_caller]
pub fn clip_grad_norm(model: &dyn Module, gradients: &mut Gradients, max_norm: f64) -> f64 {
    assert!(max_norm > 0.0, "clip_grad_norm: the greatest norm is {max_norm}; it must be positive");
    let norm = grad_norm(model, gradients);
    clip_by_norm(model, gradients, norm, max_norm);
    norm
}

/// Clips gradients whose norm is known.
pub(crate) fn clip_by_norm(model: &dyn Module, gradients: &mut Gradients, norm: f64, max_norm: f64) {
    let ratio = max_norm / (norm + 1e-6);
    if norm.is_finite() && ratio < 1.0 {
        for (_, param) in model.params() {
            if let Some(gradient) = gradients.of_mut(param) {
                gradient.as_mut_slice().iter_mut().for_each(|g| *g *= ratio as f32);
            }
        }
    }
}

/// Clips by value: every element of every gradient is moved into `-bound..=bound`. NaN stays NaN.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::optim::clip_grad_value;
///
/// let w = Param::new([3.0, -0.5]);
/// let (_, mut gradients, ()) = Tape::new().step(|tape| (tape.param(&w).square().sum(), ()));
/// clip_grad_value(&w, &mut gradients, 2.0);
/// assert_eq!(gradients[&w].to_vec(), [2.0, -1.0]);
/// ```
///
/// # Panics
/// When `bound` is not positive.
#[doc(alias = "clip_grad_value_")]
#[track_caller]
pub fn clip_grad_value(model: &dyn Module, gradients: &mut Gradients, bound: f64) {
    assert!(bound > 0.0, "clip_grad_value: the bound is {bound}; it must be positive");
    for (_, param) in model.params() {
        if let Some(gradient) = gradients.of_mut(param) {
            gradient.as_mut_slice().iter_mut().for_each(|g| *g = g.clamp(-bound as f32, bound as f32));
        }
    }
}

/// Eight sums side by side, which the processor's vectors hold.
fn square_sum(x: &[f32]) -> f64 {
    let mut sums = [0.0; 8];
    let (eights, rest) = x.as_chunks::<8>();
    for eight in eights {
        sums.iter_mut().zip(eight).for_each(|(sum, &x)| *sum += f64::from(x) * f64::from(x));
    }
    sums.iter_mut().zip(rest).for_each(|(sum, &x)| *sum += f64::from(x) * f64::from(x));
    sums.iter().sum()
}
