//! Adam.

use super::{Optimizer, trained};
use crate::module::Module;
use gradus_autograd::Gradients;
use std::collections::HashMap;

/// Adam (D. Kingma and J. Ba, 2015): `m ← β₁ m + (1 - β₁) g`, `v ← β₂ v + (1 - β₂) g²`,
/// `w ← w - lr m̂ / (√v̂ + ε)` with `m̂ = m / (1 - β₁ᵗ)` and `v̂ = v / (1 - β₂ᵗ)`.
///
/// The paper's and PyTorch's form and defaults. The book (section 6.1) adds its ε of 1e-7 to √v before the correction.
#[derive(Clone, Debug)]
pub struct Adam {
    /// The learning rate.
    pub lr: f32,
    /// β₁ and β₂, the decay of the two averages.
    pub betas: (f32, f32),
    /// ε, which keeps the division finite.
    pub epsilon: f32,
    /// By parameter name.
    state: HashMap<String, State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    steps: i32,
    m: Vec<f32>,
    v: Vec<f32>,
}

impl Adam {
    /// With β₁ = 0.9, β₂ = 0.999 and ε = 1e-8.
    pub fn new(lr: f32) -> Adam {
        Adam { lr, betas: (0.9, 0.999), epsilon: 1e-8, state: HashMap::new() }
    }
}

impl Optimizer for Adam {
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients) {
        let (b1, b2) = self.betas;
        for (name, param, gradient) in trained(model, gradients) {
            let w = param.value_mut().as_mut_slice();
            let state = self.state.entry(name).or_default();
            state.steps += 1;
            state.m.resize(w.len(), 0.0);
            state.v.resize(w.len(), 0.0);
            // In f64: 1 - β₂ᵗ loses digits in f32 at the first steps.
            let correction = |beta: f32| 1.0 - (beta as f64).powi(state.steps);
            let rate = (self.lr as f64 / correction(b1)) as f32;
            let root = correction(b2).sqrt() as f32;
            for (((w, g), m), v) in w.iter_mut().zip(&*gradient).zip(&mut state.m).zip(&mut state.v) {
                *m = b1 * *m + (1.0 - b1) * g;
                *v = b2 * *v + (1.0 - b2) * g * g;
                *w -= rate * *m / (v.sqrt() / root + self.epsilon);
            }
        }
    }
}
