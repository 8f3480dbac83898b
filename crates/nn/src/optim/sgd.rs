//! Stochastic gradient descent, with momentum.

use super::{Base, Optimizer, base::check_share, has_base};
use crate::module::Module;
use gradus_autograd::Gradients;
use gradus_tensor::{
    kernels::update::UpdateFn,
    simd::{Lane, Simd},
};

/// Stochastic gradient descent: `g ← g + λ w`, `w ← w - lr g`.
///
/// With momentum μ (B. Polyak, 1964) `v ← μ v + (1 - dampening) g`, `w ← w - lr v`, where the first `v` is `g`. With
/// Nesterov's momentum (1983) `w ← w - lr (g + μ v)` with the new `v`.
///
/// This is PyTorch's form. The book's (section 6.1) has the learning rate in the velocity, `v ← μ v - lr g`, `w ← w + v`:
/// its v is ours times -lr, and the two give the same weights as long as the learning rate stays; when it changes, here
/// the whole velocity counts with the new one, there only the new gradient does. The same holds for its Nesterov, `w ← w +
/// μ² v - (1 + μ) lr g`, `v ← μ v - lr g`. The code of the book's second volume changes `v` first, which is another step
/// (0.458 for 0.62 after the first on w² from 1 with lr 0.1); neither PyTorch nor this does so.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Optimizer, Sgd};
///
/// let mut w = Param::new(1.0);
/// let mut sgd = Sgd::new(0.1).momentum(0.9);
/// let mut tape = Tape::new();
/// for expected in [0.8, 0.46, 0.062] {
///     let (_, gradients, ()) = tape.step(|tape| (tape.param(&w).square(), ()));
///     sgd.step(&mut w, &gradients);
///     assert!((w.value().item() - expected).abs() < 1e-6);
/// }
/// ```
#[doc(alias = "SGD")]
#[derive(Clone, Debug)]
pub struct Sgd {
    /// μ: how much of the last step's velocity stays, from 0 (none, and nothing is remembered) to below 1.
    pub momentum: f64,
    /// How much less than wholly a gradient enters the velocity, from 0 to 1.
    pub dampening: f64,
    /// Whether the momentum is Nesterov's.
    pub nesterov: bool,
    base: Base,
}

impl Sgd {
    /// Plain gradient descent.
    ///
    /// # Panics
    /// When the learning rate is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> Sgd {
        Sgd { momentum: 0.0, dampening: 0.0, nesterov: false, base: Base::new("sgd", lr) }
    }

    /// With momentum, 0.9 as a rule.
    ///
    /// # Panics
    /// Unless 0 <= momentum < 1.
    #[track_caller]
    pub fn momentum(self, momentum: f64) -> Sgd {
        check_share("sgd", "momentum", momentum);
        Sgd { momentum, ..self }
    }

    /// With Nesterov's momentum, 0.9 as a rule.
    ///
    /// # Panics
    /// Unless 0 <= momentum < 1.
    #[track_caller]
    pub fn nesterov(self, momentum: f64) -> Sgd {
        Sgd { nesterov: true, ..self.momentum(momentum) }
    }

    /// With dampened momentum. PyTorch has none with Nesterov's.
    ///
    /// # Panics
    /// Unless 0 <= dampening <= 1.
    #[track_caller]
    pub fn dampening(self, dampening: f64) -> Sgd {
        check_dampening(dampening);
        Sgd { dampening, ..self }
    }
}

#[track_caller]
fn check_dampening(dampening: f64) {
    assert!((0.0..=1.0).contains(&dampening), "sgd: dampening is {dampening}; it must be in 0..=1");
}

impl Optimizer for Sgd {
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients) {
        check_share("sgd", "momentum", self.momentum);
        check_dampening(self.dampening);
        let Sgd { momentum, dampening, nesterov, .. } = *self;
        if momentum == 0.0 {
            return self.base.update([], model, gradients, |settings| Descent {
                lr: settings.lr as f32,
                decay: settings.weight_decay as f32,
            });
        }
        self.base.update(["momentum_buffer"], model, gradients, |settings| Momentum {
            lr: settings.lr as f32,
            decay: settings.weight_decay as f32,
            momentum: momentum as f32,
            fresh: if settings.step == 1 { 1.0 } else { (1.0 - dampening) as f32 },
            // g + μ v, or v alone.
            ahead: if nesterov { [1.0, momentum as f32] } else { [0.0, 1.0] },
        });
    }

    has_base!();
}

#[derive(Clone, Copy)]
struct Descent {
    lr: f32,
    decay: f32,
}

impl UpdateFn<0> for Descent {
    #[inline(always)]
    fn eval<S: Simd>(self, g: Lane<S>, w: Lane<S>, state: [Lane<S>; 0]) -> (Lane<S>, [Lane<S>; 0]) {
        let g = w.mul_add(self.decay, g);
        (g.mul_add(-self.lr, w), state)
    }
}

#[derive(Clone, Copy)]
struct Momentum {
    lr: f32,
    decay: f32,
    momentum: f32,
    fresh: f32,
    ahead: [f32; 2],
}

impl UpdateFn<1> for Momentum {
    #[inline(always)]
    fn eval<S: Simd>(self, g: Lane<S>, w: Lane<S>, [v]: [Lane<S>; 1]) -> (Lane<S>, [Lane<S>; 1]) {
        let g = w.mul_add(self.decay, g);
        let v = v.mul_add(self.momentum, g * self.fresh);
        let step = v.mul_add(self.ahead[1], g * self.ahead[0]);
        (step.mul_add(-self.lr, w), [v])
    }
}
