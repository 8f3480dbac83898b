//! Adam, and AdamW.

use super::{
    Base, Optimizer, Settings,
    base::{check, check_betas},
    has_base, has_betas, has_epsilon,
};
use crate::module::Module;
use gradus_autograd::Gradients;
use gradus_tensor::{
    kernels::update::UpdateFn,
    simd::{Lane, Simd},
};

/// Adam (D. Kingma and J. Ba, 2015): `g ← g + λ w`, `m ← β₁ m + (1 - β₁) g`, `v ← β₂ v + (1 - β₂) g²`,
/// `w ← w - lr m̂ / (√v̂ + ε)` with `m̂ = m / (1 - β₁ᵗ)` and `v̂ = v / (1 - β₂ᵗ)`.
///
/// The paper's and PyTorch's form and defaults. The book (section 6.1) adds its ε of 1e-7 to √v before the correction:
/// see [`Adam::book_epsilon`].
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Adam, Optimizer};
///
/// let mut w = Param::new([1.0, -1.0]);
/// let (_, gradients, ()) = Tape::new().step(|tape| (tape.param(&w).square().sum(), ()));
/// Adam::new(1e-3).step(&mut w, &gradients);
/// // The first step is lr long, whatever the gradient's size.
/// assert_eq!(w.value().to_vec(), [0.999, -0.999]);
/// ```
#[derive(Clone, Debug)]
pub struct Adam {
    /// β₁ and β₂, the decay of the two averages.
    pub betas: (f64, f64),
    /// ε, which keeps the division finite.
    pub epsilon: f64,
    /// Whether ε is added to √v, as in the book, and not to √v̂.
    pub epsilon_before_correction: bool,
    base: Base,
}

impl Adam {
    /// With β₁ = 0.9, β₂ = 0.999 and ε = 1e-8.
    ///
    /// # Panics
    /// When the learning rate is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> Adam {
        Adam {
            betas: (0.9, 0.999),
            epsilon: 1e-8,
            epsilon_before_correction: false,
            base: Base::new("adam", lr),
        }
    }

    has_betas!("adam");

    /// The book's form: `w ← w - lr √(1 - β₂ᵗ) / (1 - β₁ᵗ) m / (√v + ε)` with ε = 1e-7.
    pub fn book_epsilon(self) -> Adam {
        Adam { epsilon: 1e-7, epsilon_before_correction: true, ..self }
    }

    has_epsilon!();
}

impl Optimizer for Adam {
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients) {
        check_betas("adam", self.betas);
        check("epsilon", self.epsilon);
        let (betas, epsilon, before) = (self.betas, self.epsilon, self.epsilon_before_correction);
        self.base.update(AVERAGES, model, gradients, |settings| {
            let formula = AdamStep::new(settings, betas, epsilon);
            let decay = settings.weight_decay as f32;
            // √v + ε is √v̂ + ε / √(1 - β₂ᵗ), times a factor that the book's rate has too.
            let epsilon = if before { formula.epsilon * formula.root } else { formula.epsilon };
            AdamStep { decay, epsilon, ..formula }
        });
    }

    has_base!();
}

/// AdamW (I. Loshchilov and F. Hutter, 2019): Adam with a weight decay that stays out of the averages, `w ← w (1 - lr
/// λ)` before Adam's step.
///
/// PyTorch's form and defaults, λ = 0.01 among them.
///
/// ```
/// use gradus_nn::{AdamW, Optimizer, optim::Group};
///
/// // Weight decay for matrices and kernels, none for biases and the scales of norms.
/// let adam = AdamW::new(3e-4).weight_decay(0.1).group(Group::vectors().weight_decay(0.0));
/// assert_eq!(adam.lr(), 3e-4);
/// ```
#[derive(Clone, Debug)]
pub struct AdamW {
    /// β₁ and β₂, the decay of the two averages.
    pub betas: (f64, f64),
    /// ε, which keeps the division finite.
    pub epsilon: f64,
    base: Base,
}

impl AdamW {
    /// With β₁ = 0.9, β₂ = 0.999, ε = 1e-8 and λ = 0.01.
    ///
    /// # Panics
    /// When the learning rate is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> AdamW {
        let base = Base::new("adamw", lr);
        AdamW { betas: (0.9, 0.999), epsilon: 1e-8, base }.weight_decay(0.01)
    }

    has_betas!("adamw");

    has_epsilon!();
}

impl Optimizer for AdamW {
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients) {
        check_betas("adamw", self.betas);
        check("epsilon", self.epsilon);
        let (betas, epsilon) = (self.betas, self.epsilon);
        self.base.update(AVERAGES, model, gradients, |settings| AdamStep {
            shrink: (settings.lr * settings.weight_decay) as f32,
            ..AdamStep::new(settings, betas, epsilon)
        });
    }

    has_base!();
}

/// PyTorch's names of m and v.
pub(super) const AVERAGES: [&str; 2] = ["exp_avg", "exp_avg_sq"];

#[derive(Clone, Copy)]
struct AdamStep {
    /// β and 1 - β of each average.
    first: [f32; 2],
    second: [f32; 2],
    /// lr / (1 - β₁ᵗ)
    rate: f32,
    /// 1 / √(1 - β₂ᵗ)
    root: f32,
    epsilon: f32,
    /// λ, added to the gradient.
    decay: f32,
    /// lr λ: 1 - lr λ would be rounded to the same side at every step.
    shrink: f32,
}

impl AdamStep {
    /// Without weight decay. All constants are computed in f64: 1 - β₂ᵗ loses digits in f32 at the first steps.
    fn new(settings: Settings, (b1, b2): (f64, f64), epsilon: f64) -> AdamStep {
        let correction = |beta: f64| 1.0 - beta.powf(settings.step as f64);
        AdamStep {
            first: [b1 as f32, (1.0 - b1) as f32],
            second: [b2 as f32, (1.0 - b2) as f32],
            rate: (settings.lr / correction(b1)) as f32,
            root: (1.0 / correction(b2).sqrt()) as f32,
            epsilon: epsilon as f32,
            decay: 0.0,
            shrink: 0.0,
        }
    }
}

impl UpdateFn<2> for AdamStep {
    #[inline(always)]
    fn eval<S: Simd>(self, g: Lane<S>, w: Lane<S>, [m, v]: [Lane<S>; 2]) -> (Lane<S>, [Lane<S>; 2]) {
        let g = w.mul_add(self.decay, g);
        let m = m.mul_add(self.first[0], g * self.first[1]);
        let v = v.mul_add(self.second[0], g * g * self.second[1]);
        let step = m * self.rate / v.sqrt().mul_add(self.root, self.epsilon);
        (w - w.mul_add(self.shrink, step), [m, v])
    }
}
