//! RMSprop.

use super::{
    Base, Optimizer, Settings,
    base::{check, check_share},
    has_base, has_epsilon,
};
use crate::module::Module;
use gradus_autograd::Gradients;
use gradus_tensor::{
    kernels::update::UpdateFn,
    simd::{Lane, Simd},
};

/// RMSprop (G. Hinton, 2012): `g ← g + λ w`, `h ← α h + (1 - α) g²`, `w ← w - lr g / (√h + ε)`.
///
/// With momentum μ: `b ← μ b + g / (√h + ε)`, `w ← w - lr b`. Centered (A. Graves, 2013): √v stands for √h, with the
/// gradient's mean and variance `v ← α v + α (1 - α) (g - a)²`, `a ← α a + (1 - α) g`. PyTorch keeps h and takes v = h - a²,
/// which is the same number where it does not cancel; the mean's square is far greater where gradients keep their sign.
///
/// PyTorch's form and defaults; the book's code has ε = 1e-7.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Optimizer, RmsProp};
///
/// let mut w = Param::new(1.0);
/// let (_, gradients, ()) = Tape::new().step(|tape| (tape.param(&w).square(), ()));
/// RmsProp::new(0.01).step(&mut w, &gradients);
/// assert!((w.value().item() - 0.9).abs() < 1e-6);
/// ```
#[doc(alias = "RMSprop")]
#[derive(Clone, Debug)]
pub struct RmsProp {
    /// α, the decay of the averages.
    pub alpha: f64,
    /// ε, which keeps the division finite.
    pub epsilon: f64,
    /// μ, from 0 (none) to below 1.
    pub momentum: f64,
    /// Whether the gradient's variance is taken, not its square.
    pub centered: bool,
    base: Base,
}

impl RmsProp {
    /// With α = 0.99 and ε = 1e-8, without momentum, not centered.
    ///
    /// # Panics
    /// When the learning rate is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> RmsProp {
        RmsProp { alpha: 0.99, epsilon: 1e-8, momentum: 0.0, centered: false, base: Base::new("rmsprop", lr) }
    }

    /// With this α.
    ///
    /// # Panics
    /// Unless 0 <= alpha < 1.
    #[track_caller]
    pub fn alpha(self, alpha: f64) -> RmsProp {
        check_share("rmsprop", "α", alpha);
        RmsProp { alpha, ..self }
    }

    /// With momentum.
    ///
    /// # Panics
    /// Unless 0 <= momentum < 1.
    #[track_caller]
    pub fn momentum(self, momentum: f64) -> RmsProp {
        check_share("rmsprop", "momentum", momentum);
        RmsProp { momentum, ..self }
    }

    /// With the gradient's variance for its square.
    pub fn centered(self) -> RmsProp {
        RmsProp { centered: true, ..self }
    }

    has_epsilon!();
}

impl Optimizer for RmsProp {
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients) {
        check_share("rmsprop", "α", self.alpha);
        check("epsilon", self.epsilon);
        check_share("rmsprop", "momentum", self.momentum);
        let RmsProp { alpha, epsilon, momentum, centered, .. } = *self;
        let formula = |settings: Settings| RmsPropStep {
            alpha: [alpha as f32, (1.0 - alpha) as f32],
            spread: (alpha * (1.0 - alpha)) as f32,
            lr: settings.lr as f32,
            epsilon: epsilon as f32,
            decay: settings.weight_decay as f32,
            momentum: momentum as f32,
        };
        if centered {
            // Not PyTorch's square_avg: its state would be taken for a variance.
            let names = ["grad_var", "momentum_buffer", "grad_avg"];
            self.base.update(names, model, gradients, |settings| Centered(formula(settings)));
        } else if momentum != 0.0 {
            let names = ["square_avg", "momentum_buffer"];
            self.base.update(names, model, gradients, |settings| WithMomentum(formula(settings)));
        } else {
            self.base.update(["square_avg"], model, gradients, formula);
        }
    }

    has_base!();
}

#[derive(Clone, Copy)]
struct RmsPropStep {
    /// α and 1 - α.
    alpha: [f32; 2],
    lr: f32,
    epsilon: f32,
    decay: f32,
    momentum: f32,
    /// α (1 - α)
    spread: f32,
}

impl UpdateFn<1> for RmsPropStep {
    #[inline(always)]
    fn eval<S: Simd>(self, g: Lane<S>, w: Lane<S>, [h]: [Lane<S>; 1]) -> (Lane<S>, [Lane<S>; 1]) {
        let g = w.mul_add(self.decay, g);
        let h = h.mul_add(self.alpha[0], g * g * self.alpha[1]);
        (w - g * self.lr / (h.sqrt() + self.epsilon), [h])
    }
}

#[derive(Clone, Copy)]
struct WithMomentum(RmsPropStep);

impl UpdateFn<2> for WithMomentum {
    #[inline(always)]
    fn eval<S: Simd>(self, g: Lane<S>, w: Lane<S>, [h, b]: [Lane<S>; 2]) -> (Lane<S>, [Lane<S>; 2]) {
        let rule = self.0;
        let g = w.mul_add(rule.decay, g);
        let h = h.mul_add(rule.alpha[0], g * g * rule.alpha[1]);
        let b = b.mul_add(rule.momentum, g / (h.sqrt() + rule.epsilon));
        (b.mul_add(-rule.lr, w), [h, b])
    }
}

/// With or without momentum.
#[derive(Clone, Copy)]
struct Centered(RmsPropStep);

impl UpdateFn<3> for Centered {
    #[inline(always)]
    fn eval<S: Simd>(self, g: Lane<S>, w: Lane<S>, [v, b, a]: [Lane<S>; 3]) -> (Lane<S>, [Lane<S>; 3]) {
        let rule = self.0;
        let g = w.mul_add(rule.decay, g);
        let far = g - a;
        let v = v.mul_add(rule.alpha[0], far * far * rule.spread);
        let a = far.mul_add(rule.alpha[1], a);
        let b = b.mul_add(rule.momentum, g / (v.sqrt() + rule.epsilon));
        (b.mul_add(-rule.lr, w), [v, b, a])
    }
}
