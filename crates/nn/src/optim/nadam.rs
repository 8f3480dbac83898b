//! NAdam.

use super::{
    Base, Optimizer,
    adam::AVERAGES,
    base::{check, check_betas},
    has_base, has_betas, has_epsilon,
};
use crate::module::Module;
use gradus_autograd::Gradients;
use gradus_tensor::{
    kernels::update::UpdateFn,
    simd::{Lane, Simd},
};

/// NAdam (T. Dozat, 2016), Adam with Nesterov's momentum: `g ← g + λ w`, m and v as in [`Adam`](super::Adam),
/// `μₜ = β₁ (1 - ½ 0.96^(t ψ))`, `w ← w - lr ((1 - μₜ) g / (1 - Πₜ) + μₜ₊₁ m / (1 - Πₜ₊₁)) / (√v̂ + ε)` with
/// `Πₜ = μ₁ ⋯ μₜ`.
///
/// PyTorch's form and defaults.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{NAdam, Optimizer};
///
/// let mut w = Param::new(3.0);
/// let (mut nadam, mut tape) = (NAdam::new(0.1), Tape::new());
/// for _ in 0..200 {
///     let (_, gradients, ()) = tape.step(|tape| (tape.param(&w).square(), ()));
///     nadam.step(&mut w, &gradients);
/// }
/// assert!(w.value().item().abs() < 0.05);
/// ```
#[derive(Clone, Debug)]
pub struct NAdam {
    /// β₁ and β₂, the decay of the two averages.
    pub betas: (f64, f64),
    /// ε, which keeps the division finite.
    pub epsilon: f64,
    /// ψ: how fast the momentum grows to β₁.
    pub momentum_decay: f64,
    base: Base,
    /// A number of steps t and Πₜ.
    product: (u64, f64),
}

impl NAdam {
    /// With β₁ = 0.9, β₂ = 0.999, ε = 1e-8 and ψ = 0.004.
    ///
    /// # Panics
    /// When the learning rate is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> NAdam {
        NAdam {
            betas: (0.9, 0.999),
            epsilon: 1e-8,
            momentum_decay: 0.004,
            base: Base::new("nadam", lr),
            product: (0, 1.0),
        }
    }

    has_betas!("nadam");

    has_epsilon!();
}

impl Optimizer for NAdam {
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients) {
        check_betas("nadam", self.betas);
        check("epsilon", self.epsilon);
        check("momentum_decay", self.momentum_decay);
        let ((b1, b2), epsilon, decay) = (self.betas, self.epsilon, self.momentum_decay);
        let momentum = |t: u64| b1 * (1.0 - 0.5 * 0.96f64.powf(t as f64 * decay));
        let product = &mut self.product;
        self.base.update(AVERAGES, model, gradients, |settings| {
            // As a rule one factor: all parameters are at the same step. After a restart it is taken up from the first.
            if product.0 > settings.step {
                *product = (0, 1.0);
            }
            while product.0 < settings.step {
                *product = (product.0 + 1, product.1 * momentum(product.0 + 1));
            }
            let (now, next) = (momentum(settings.step), momentum(settings.step + 1));
            NAdamStep {
                first: [b1 as f32, (1.0 - b1) as f32],
                second: [b2 as f32, (1.0 - b2) as f32],
                gradient: (settings.lr * (1.0 - now) / (1.0 - product.1)) as f32,
                average: (settings.lr * next / (1.0 - product.1 * next)) as f32,
                root: (1.0 / (1.0 - b2.powf(settings.step as f64)).sqrt()) as f32,
                epsilon: epsilon as f32,
                decay: settings.weight_decay as f32,
            }
        });
    }

    has_base!();
}

#[derive(Clone, Copy)]
struct NAdamStep {
    /// β and 1 - β of each average.
    first: [f32; 2],
    second: [f32; 2],
    /// What g and m are multiplied by.
    gradient: f32,
    average: f32,
    /// 1 / √(1 - β₂ᵗ)
    root: f32,
    epsilon: f32,
    decay: f32,
}

impl UpdateFn<2> for NAdamStep {
    #[inline(always)]
    fn eval<S: Simd>(self, g: Lane<S>, w: Lane<S>, [m, v]: [Lane<S>; 2]) -> (Lane<S>, [Lane<S>; 2]) {
        let g = w.mul_add(self.decay, g);
        let m = m.mul_add(self.first[0], g * self.first[1]);
        let v = v.mul_add(self.second[0], g * g * self.second[1]);
        let step = g.mul_add(self.gradient, m * self.average);
        (w - step / v.sqrt().mul_add(self.root, self.epsilon), [m, v])
    }
}
