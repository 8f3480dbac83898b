//! Lion.

use super::{Base, Optimizer, base::check_betas, has_base, has_betas};
use crate::module::Module;
use gradus_autograd::Gradients;
use gradus_tensor::{
    kernels::update::UpdateFn,
    simd::{Lane, Simd},
};

/// Lion (X. Chen and others, 2023): `w ← w (1 - lr λ) - lr sign(β₁ m + (1 - β₁) g)`, `m ← β₂ m + (1 - β₂) g`.
///
/// All steps are lr long, so that lr is three to ten times smaller than Adam's, and λ as much greater. sign(0) = 0.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Lion, Optimizer};
///
/// let mut w = Param::new([1.0, -3.0]);
/// let (_, gradients, ()) = Tape::new().step(|tape| (tape.param(&w).square().sum(), ()));
/// Lion::new(0.25).step(&mut w, &gradients);
/// assert_eq!(w.value().to_vec(), [0.75, -2.75]);
/// ```
#[derive(Clone, Debug)]
pub struct Lion {
    /// β₁ and β₂: how much of the average stays in the step, and in the average.
    pub betas: (f64, f64),
    base: Base,
}

impl Lion {
    /// With β₁ = 0.9, β₂ = 0.99 and no weight decay, as in the paper.
    ///
    /// # Panics
    /// When the learning rate is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> Lion {
        Lion { betas: (0.9, 0.99), base: Base::new("lion", lr) }
    }

    has_betas!("lion");
}

impl Optimizer for Lion {
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients) {
        check_betas("lion", self.betas);
        let (b1, b2) = self.betas;
        self.base.update(["exp_avg"], model, gradients, |settings| LionStep {
            first: [b1 as f32, (1.0 - b1) as f32],
            second: [b2 as f32, (1.0 - b2) as f32],
            lr: settings.lr as f32,
            shrink: (settings.lr * settings.weight_decay) as f32,
        });
    }

    has_base!();
}

#[derive(Clone, Copy)]
struct LionStep {
    /// β and 1 - β, of the step and of the average.
    first: [f32; 2],
    second: [f32; 2],
    lr: f32,
    /// lr λ
    shrink: f32,
}

impl UpdateFn<1> for LionStep {
    #[inline(always)]
    fn eval<S: Simd>(self, g: Lane<S>, w: Lane<S>, [m]: [Lane<S>; 1]) -> (Lane<S>, [Lane<S>; 1]) {
        let direction = m.mul_add(self.first[0], g * self.first[1]).sign();
        let m = m.mul_add(self.second[0], g * self.second[1]);
        (w - w.mul_add(self.shrink, direction * self.lr), [m])
    }
}
