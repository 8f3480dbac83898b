//! Sweeps as users ask for them, with what they want to look on: hooks, and the search for NaN and infinities.

mod handed_out;
pub(crate) mod hooks;
mod per_example;

use crate::{
    inspect::refuse,
    sweep::{Rule, Seeds, gradients::Gradients, sweep, sweep_recorded},
    tape::{Tape, undecided_at, var::Var},
};
use gradus_tensor::{ShapeError, Tensor};
use hooks::Hooks;
use smallvec::smallvec;

impl<'t> Var<'t> {
    /// The gradients of this loss by every variable and parameter that it depends on.
    ///
    /// All values stay on the tape: read them, sweep again, sweep another loss.
    ///
    /// # Panics
    /// When the loss has more than one element: sum it, take its mean, or give a cotangent to
    /// [`backward_from`](Var::backward_from).
    #[track_caller]
    pub fn backward(self) -> Gradients {
        let ones = Tensor::ones(self.scalar_loss().shape());
        self.sweep(ones, Rule::Fused, false)
    }

    /// The gradients of the sum of this value's elements, each multiplied by an element of `cotangent`.
    ///
    /// # Panics
    /// When the cotangent has another shape than this value.
    #[track_caller]
    pub fn backward_from(self, cotangent: impl Into<Tensor>) -> Gradients {
        let cotangent = cotangent.into();
        self.check_cotangent(&cotangent);
        self.sweep(cotangent, Rule::Fused, false)
    }

    /// Like [`Var::backward`], with hooks on the gradients of values in between: to read, keep or replace them.
    ///
    /// # Panics
    /// When the loss has more than one element, or a hook is for another tape.
    #[track_caller]
    pub fn backward_with(self, hooks: Hooks<'_>) -> Gradients {
        self.backward_hooked(hooks, false)
    }

    #[track_caller]
    fn backward_hooked(self, hooks: Hooks<'_>, release: bool) -> Gradients {
        let ones = Tensor::ones(self.scalar_loss().shape());
        hooks.check_tape(self.tape());
        self.tape().inspect_from(0);
        let mut watch = (self.tape().anomaly_watch(), hooks);
        let mut gradients = sweep(self.tape(), self.seed(ones), Rule::Fused, release, &mut watch);
        refuse(watch.0);
        for (id, gradient) in watch.1.into_retained() {
            // A leaf is there already.
            if let Err(place) = gradients.by_var.binary_search_by_key(&id, |&(id, _)| id) {
                gradients.by_var.insert(place, (id, gradient));
            }
        }
        gradients
    }

    /// Like [`Var::backward`], giving back every value that the sweep has passed: [`Tape::step`] without its closure, which
    /// would hide the line of whoever called a function that trains.
    #[doc(hidden)]
    #[track_caller]
    pub fn backward_releasing(self) -> Gradients {
        let ones = Tensor::ones(self.scalar_loss().shape());
        self.sweep(ones, Rule::Fused, true)
    }

    #[track_caller]
    pub(crate) fn scalar_loss(self) -> Tensor {
        let value = self.value();
        if value.numel() != 1 {
            ShapeError::new(format!(
                "backward: the loss must have one element, {} has {}; call .sum() or .mean() first",
                self.describe(),
                value.numel()
            ))
            .fail()
        }
        value
    }

    #[track_caller]
    fn check_cotangent(self, cotangent: &Tensor) {
        if cotangent.shape() != &self.shape() {
            ShapeError::new(format!(
                "backward: the cotangent has shape {}, the value {}",
                cotangent.shape(),
                self.describe()
            ))
            .fail()
        }
    }

    #[track_caller]
    pub(crate) fn sweep(self, cotangent: Tensor, rule: Rule, release: bool) -> Gradients {
        self.tape().sweep(self.seed(cotangent), rule, release)
    }

    /// What a sweep from this value alone begins with.
    pub(crate) fn seed(self, cotangent: Tensor) -> Seeds {
        smallvec![(self.id(), cotangent)]
    }

    /// The gradients of the sum of this value's elements by other values of the tape, as variables that can be
    /// differentiated again. `None` where this value does not depend on the other.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// let tape = Tape::new();
    /// let x = tape.var(1.0);
    /// let mut y = x.tanh();
    /// for order in [0.4199743416, -0.6397000084, 0.6216266808] {
    ///     y = y.grad(&[x])[0].unwrap();
    ///     assert!((y.item() - order).abs() < 1e-6);
    /// }
    /// ```
    ///
    /// # Panics
    /// When a variable lives on another tape or is a constant.
    #[track_caller]
    pub fn grad(self, wrt: &[Var<'t>]) -> Vec<Option<Var<'t>>> {
        let ones = self.tape().constant(Tensor::ones(self.shape()));
        self.grad_from(ones, wrt)
    }

    /// Like [`Var::grad`], of the sum of this value's elements, each multiplied by an element of `cotangent`.
    ///
    /// # Panics
    /// When the cotangent has another shape than this value, or a variable lives on another tape or is a constant.
    #[track_caller]
    pub fn grad_from(self, cotangent: Var<'t>, wrt: &[Var<'t>]) -> Vec<Option<Var<'t>>> {
        let tape = self.tape();
        for var in wrt.iter().chain([&cotangent]) {
            var.check_alive();
            assert!(std::ptr::eq(tape, var.tape()), "grad: {} lives on another tape", var.describe());
        }
        if let Some(constant) = wrt.iter().find(|var| !tape.nodes.read()[var.id() as usize].needs) {
            panic!(
                "grad: no gradient flows to the constant {}; make it with tape.var(..)",
                constant.describe()
            );
        }
        self.check_cotangent(&cotangent.value());
        let gradients = sweep_recorded(self, cotangent, wrt);
        wrt.iter().map(|var| gradients.get(var.id() as usize).copied().flatten()).collect()
    }
}

impl Tape {
    /// Records `f`, sweeps from the loss it returns, and clears: one training step.
    ///
    /// Values are released as the sweep passes them, and parameters are held by nobody else when it returns, so an
    /// optimizer changes them in place. What else `f` computes comes back as the third result.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// let w = Param::new([0.5, -0.5]);
    /// let mut tape = Tape::new();
    /// let (loss, gradients, prediction) = tape.step(|tape| {
    ///     let y = tape.param(&w) * 2.0;
    ///     (y.square().sum(), y.value())
    /// });
    /// assert_eq!(loss, 2.0);
    /// assert_eq!(gradients[&w].to_vec(), [4.0, -4.0]);
    /// assert_eq!(prediction.to_vec(), [1.0, -1.0]);
    /// ```
    ///
    /// What was recorded before, such as by a step that panicked, is forgotten; the random state goes on.
    ///
    /// # Panics
    /// When the loss has more than one element; when `f` uses a layer that works otherwise in training, on a tape that was
    /// made with [`Tape::new`].
    #[track_caller]
    pub fn step<R>(&mut self, f: impl for<'t> FnOnce(&'t Tape) -> (Var<'t>, R)) -> (f32, Gradients, R) {
        self.clear();
        let (loss, rest) = f(self);
        self.check_mode();
        let value = loss.scalar_loss().item();
        let gradients = loss.backward_releasing();
        self.clear();
        (value, gradients, rest)
    }

    /// Like [`Tape::step`], with hooks on the gradients of values that `f` computes.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// let w = Param::new([3.0, -4.0]);
    /// let (mut tape, mut norm) = (Tape::new(), 0.0);
    /// let (loss, gradients, ()) = tape.step_with(|tape| {
    ///     let h = tape.param(&w) * 2.0;
    ///     let hooks = Hooks::new()
    ///         .read(h, |gradient| norm = gradient.norm().item())
    ///         .replace(h, |gradient| gradient.clamp(-1.0, 1.0));
    ///     (h.square().sum(), hooks, ())
    /// });
    /// assert_eq!((loss, norm), (100.0, 20.0));
    /// assert_eq!(gradients[&w].to_vec(), [2.0, -2.0]);
    /// ```
    ///
    /// # Panics
    /// As [`Tape::step`], and when a hook is for another tape.
    #[track_caller]
    pub fn step_with<'h, R>(
        &mut self,
        f: impl for<'t> FnOnce(&'t Tape) -> (Var<'t>, Hooks<'h>, R),
    ) -> (f32, Gradients, R) {
        self.clear();
        let (loss, hooks, rest) = f(self);
        self.check_mode();
        let value = loss.scalar_loss().item();
        let gradients = loss.backward_hooked(hooks, true);
        self.clear();
        (value, gradients, rest)
    }

    /// The gradients of the sum of several outputs' elements, each multiplied by an element of its cotangent, in one
    /// sweep: `Σ uₖᵀ Jₖ`. An output that comes twice counts twice.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// let tape = Tape::new();
    /// let x = tape.var([1.0, 2.0]);
    /// let (y, z) = (x.square(), x.sum());
    /// let gradients = tape.backward(&[(y, [1.0, 10.0].into()), (z, 100.0.into())]);
    /// assert_eq!(gradients[x].to_vec(), [102.0, 140.0]);
    /// ```
    ///
    /// # Panics
    /// When there are no outputs, one is of another tape, or a cotangent has another shape than its output.
    #[track_caller]
    pub fn backward<'t>(&'t self, outputs: &[(Var<'t>, Tensor)]) -> Gradients {
        assert!(!outputs.is_empty(), "backward: there are no outputs to begin with");
        for (output, cotangent) in outputs {
            assert!(
                std::ptr::eq(self, output.tape()),
                "backward: {} lives on another tape",
                output.describe()
            );
            output.check_cotangent(cotangent);
        }
        self.sweep(
            outputs.iter().map(|(y, cotangent)| (y.id(), cotangent.clone())).collect(),
            Rule::Fused,
            false,
        )
    }

    /// Refuses a recording that is not fit for training, as [`step`](Tape::step) does: for what trains without it.
    ///
    /// # Panics
    /// When the tape was made with [`Tape::new`], and the recording used a layer that works otherwise in training.
    #[track_caller]
    pub fn check_mode(&self) {
        if let Some(place) = self.undecided() {
            panic!("step: {}", undecided_at(place));
        }
    }

    #[track_caller]
    fn sweep(&self, seeds: Seeds, rule: Rule, release: bool) -> Gradients {
        let Some(mut watch) = self.anomaly_watch() else {
            return sweep(self, seeds, rule, release, &mut ());
        };
        self.inspect_from(0);
        let gradients = sweep(self, seeds, rule, release, &mut watch);
        refuse(Some(watch));
        gradients
    }
}
