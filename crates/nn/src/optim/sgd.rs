//! Stochastic gradient descent, with momentum.

use super::{Optimizer, trained};
use crate::module::Module;
use gradus_autograd::Gradients;
use std::collections::HashMap;

/// Stochastic gradient descent: `w ← w - lr g`; with momentum `v ← momentum v + g`, `w ← w - lr v` (book, section
/// 6.1, in PyTorch's form: the book's v is ours times -lr).
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Optimizer, Sgd};
///
/// let mut w = Param::new(1.0);
/// let mut sgd = Sgd::new(0.1);
/// let (_, gradients, ()) = Tape::new().step(|tape| (tape.param(&w).square(), ()));
/// sgd.step(&mut w, &gradients);
/// assert_eq!(w.value().item(), 0.8);
/// ```
#[derive(Clone, Debug)]
pub struct Sgd {
    /// The learning rate.
    pub lr: f32,
    /// How much of the last step's velocity stays, from 0 (none) to below 1.
    pub momentum: f32,
    /// By parameter name.
    velocity: HashMap<String, Vec<f32>>,
}

impl Sgd {
    /// Plain gradient descent.
    pub fn new(lr: f32) -> Sgd {
        Sgd { lr, momentum: 0.0, velocity: HashMap::new() }
    }

    /// With momentum, 0.9 as a rule.
    pub fn momentum(self, momentum: f32) -> Sgd {
        Sgd { momentum, ..self }
    }
}

impl Optimizer for Sgd {
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients) {
        for (name, param, gradient) in trained(model, gradients) {
            let w = param.value_mut().as_mut_slice();
            if self.momentum == 0.0 {
                w.iter_mut().zip(&*gradient).for_each(|(w, g)| *w -= self.lr * g);
                continue;
            }
            let v = self.velocity.entry(name).or_insert_with(|| vec![0.0; w.len()]);
            for ((w, v), g) in w.iter_mut().zip(v).zip(&*gradient) {
                *v = self.momentum * *v + g;
                *w -= self.lr * *v;
            }
        }
    }
}
