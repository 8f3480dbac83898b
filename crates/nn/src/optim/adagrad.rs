//! AdaGrad.

use super::{Base, Optimizer, base::check, has_base, has_epsilon};
use crate::module::Module;
use gradus_autograd::Gradients;
use gradus_tensor::{
    kernels::update::UpdateFn,
    simd::{Lane, Simd},
};

/// AdaGrad (J. Duchi, E. Hazan and Y. Singer, 2011; book, section 6.1): `g ← g + λ w`, `h ← h + g²`,
/// `w ← w - lr / (1 + (t - 1) lr_decay) g / (√h + ε)`.
///
/// PyTorch's form and defaults; the book's ε is 1e-7.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{AdaGrad, Optimizer};
///
/// let mut w = Param::new(1.0);
/// let (_, gradients, ()) = Tape::new().step(|tape| (tape.param(&w).square(), ()));
/// AdaGrad::new(0.1).step(&mut w, &gradients);
/// assert_eq!(w.value().item(), 0.9);
/// ```
#[doc(alias = "Adagrad")]
#[derive(Clone, Debug)]
pub struct AdaGrad {
    /// How fast the learning rate falls.
    pub lr_decay: f64,
    /// ε, which keeps the division finite.
    pub epsilon: f64,
    base: Base,
}

impl AdaGrad {
    /// With ε = 1e-10 and no decay of the learning rate.
    ///
    /// # Panics
    /// When the learning rate is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> AdaGrad {
        AdaGrad { lr_decay: 0.0, epsilon: 1e-10, base: Base::new("adagrad", lr) }
    }

    has_epsilon!();

    /// With a learning rate that falls with the steps.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[track_caller]
    pub fn lr_decay(self, lr_decay: f64) -> AdaGrad {
        check("lr_decay", lr_decay);
        AdaGrad { lr_decay, ..self }
    }
}

impl Optimizer for AdaGrad {
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients) {
        check("lr_decay", self.lr_decay);
        check("epsilon", self.epsilon);
        let (lr_decay, epsilon) = (self.lr_decay, self.epsilon);
        self.base.update(["sum"], model, gradients, |settings| AdaGradStep {
            rate: (settings.lr / (1.0 + (settings.step - 1) as f64 * lr_decay)) as f32,
            epsilon: epsilon as f32,
            decay: settings.weight_decay as f32,
        });
    }

    has_base!();
}

#[derive(Clone, Copy)]
struct AdaGradStep {
    rate: f32,
    epsilon: f32,
    decay: f32,
}

impl UpdateFn<1> for AdaGradStep {
    #[inline(always)]
    fn eval<S: Simd>(self, g: Lane<S>, w: Lane<S>, [h]: [Lane<S>; 1]) -> (Lane<S>, [Lane<S>; 1]) {
        let g = w.mul_add(self.decay, g);
        let h = g.mul_add(g, h);
        (w - g * self.rate / (h.sqrt() + self.epsilon), [h])
    }
}
