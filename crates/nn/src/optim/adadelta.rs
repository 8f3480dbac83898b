//! AdaDelta.

use super::{
    Base, Optimizer,
    base::{check, check_share},
    has_base, has_epsilon,
};
use crate::module::Module;
use gradus_autograd::Gradients;
use gradus_tensor::{
    kernels::update::UpdateFn,
    simd::{Lane, Simd},
};

/// AdaDelta (M. Zeiler, 2012): `g ← g + λ w`, `h ← ρ h + (1 - ρ) g²`, `Δ = √(a + ε) / √(h + ε) g`,
/// `a ← ρ a + (1 - ρ) Δ²`, `w ← w - lr Δ`.
///
/// The learning rate is 1 in the paper and as a rule. PyTorch's form and defaults.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{AdaDelta, Optimizer};
///
/// let mut w = Param::new(1.0);
/// let (_, gradients, ()) = Tape::new().step(|tape| (tape.param(&w).square(), ()));
/// AdaDelta::new(1.0).rho(0.95).step(&mut w, &gradients);
/// assert!((w.value().item() - 0.9955278753).abs() < 1e-6);
/// ```
#[doc(alias = "Adadelta")]
#[derive(Clone, Debug)]
pub struct AdaDelta {
    /// ρ, the decay of the two averages.
    pub rho: f64,
    /// ε, which keeps the division finite and starts the steps.
    pub epsilon: f64,
    base: Base,
}

impl AdaDelta {
    /// With ρ = 0.9 and ε = 1e-6.
    ///
    /// # Panics
    /// When the learning rate is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> AdaDelta {
        AdaDelta { rho: 0.9, epsilon: 1e-6, base: Base::new("adadelta", lr) }
    }

    /// With this ρ.
    ///
    /// # Panics
    /// Unless 0 <= rho < 1.
    #[track_caller]
    pub fn rho(self, rho: f64) -> AdaDelta {
        check_share("adadelta", "ρ", rho);
        AdaDelta { rho, ..self }
    }

    has_epsilon!();
}

impl Optimizer for AdaDelta {
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients) {
        check_share("adadelta", "ρ", self.rho);
        check("epsilon", self.epsilon);
        let (rho, epsilon) = (self.rho, self.epsilon);
        self.base.update(["square_avg", "acc_delta"], model, gradients, |settings| AdaDeltaStep {
            rho: [rho as f32, (1.0 - rho) as f32],
            lr: settings.lr as f32,
            epsilon: epsilon as f32,
            decay: settings.weight_decay as f32,
        });
    }

    has_base!();
}

#[derive(Clone, Copy)]
struct AdaDeltaStep {
    /// ρ and 1 - ρ.
    rho: [f32; 2],
    lr: f32,
    epsilon: f32,
    decay: f32,
}

impl UpdateFn<2> for AdaDeltaStep {
    #[inline(always)]
    fn eval<S: Simd>(self, g: Lane<S>, w: Lane<S>, [h, a]: [Lane<S>; 2]) -> (Lane<S>, [Lane<S>; 2]) {
        let g = w.mul_add(self.decay, g);
        let h = h.mul_add(self.rho[0], g * g * self.rho[1]);
        let delta = (a + self.epsilon).sqrt() / (h + self.epsilon).sqrt() * g;
        let a = a.mul_add(self.rho[0], delta * delta * self.rho[1]);
        (delta.mul_add(-self.lr, w), [h, a])
    }
}
