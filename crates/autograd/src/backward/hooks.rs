//! Hooks: what a user wants done with gradients while a sweep runs.

use crate::{
    sweep::Watch,
    tape::{Tape, var::Var},
};
use gradus_tensor::{ShapeError, Tensor};
use std::fmt;

/// Functions that a sweep calls with the gradients of values in between, for [`Var::backward_with`].
///
/// A hook runs once in a sweep, when the gradient of its value is complete: every use of the value has added its part,
/// and nothing has passed through the value yet. Hooks of one value run in the order in which they were given. The
/// hook of a value that the loss does not depend on does not run.
///
/// ```
/// use gradus_autograd::prelude::*;
///
/// let tape = Tape::new();
/// let x = tape.var([1.0, -2.0]);
/// let h = x * 3.0;
/// let mut norm = 0.0;
/// let hooks = Hooks::new()
///     .retain(h)                                                // keep the gradient of a computed value,
///     .read(h, |gradient| norm = gradient.norm().item())        // look at it,
///     .replace(h, |gradient| gradient.clamp(-1.0, 1.0));        // or change what flows on
/// let gradients = h.square().sum().backward_with(hooks);
/// assert_eq!(gradients[h].to_vec(), [6.0, -12.0]);
/// assert_eq!(norm, 180f32.sqrt());
/// assert_eq!(gradients[x].to_vec(), [3.0, -3.0]);
/// ```
#[doc(alias = "register_hook")]
#[derive(Default)]
pub struct Hooks<'h> {
    hooks: Vec<Hook<'h>>,
}

struct Hook<'h> {
    id: u32,
    tape: (u64, u64),
    /// How many scopes of the tape had ended.
    scopes: u32,
    action: Action<'h>,
}

enum Action<'h> {
    Read(Box<dyn FnMut(&Tensor) + 'h>),
    Replace(Box<dyn FnMut(Tensor) -> Tensor + 'h>),
    Retain(Option<Tensor>),
}

impl<'h> Hooks<'h> {
    /// No hooks.
    pub fn new() -> Hooks<'h> {
        Hooks::default()
    }

    /// Calls `f` with the gradient of `var`.
    ///
    /// # Panics
    /// When `var` is a constant.
    #[track_caller]
    pub fn read(self, var: Var<'_>, f: impl FnMut(&Tensor) + 'h) -> Hooks<'h> {
        self.with(var, Action::Read(Box::new(f)))
    }

    /// Puts what `f` makes of the gradient of `var` in its place, for all that lies below and for the result.
    ///
    /// # Panics
    /// When `var` is a constant; in the sweep, when what `f` gives has another shape.
    #[track_caller]
    pub fn replace(self, var: Var<'_>, f: impl FnMut(Tensor) -> Tensor + 'h) -> Hooks<'h> {
        self.with(var, Action::Replace(Box::new(f)))
    }

    /// Keeps the gradient of `var`, a value that was computed: the [`Gradients`](crate::Gradients) have it then. What
    /// later hooks of the value replace is not what is kept.
    ///
    /// # Panics
    /// When `var` is a constant.
    #[track_caller]
    pub fn retain(self, var: Var<'_>) -> Hooks<'h> {
        self.with(var, Action::Retain(None))
    }

    #[track_caller]
    fn with(mut self, var: Var<'_>, action: Action<'h>) -> Hooks<'h> {
        assert!(
            var.needs_gradient(),
            "hooks: no gradient flows to the constant {}; make it with tape.var(..)",
            var.describe()
        );
        let scopes = var.tape().scopes.ended();
        self.hooks.push(Hook { id: var.id(), tape: var.tape_and_generation(), scopes, action });
        self
    }

    /// Checks that every hook belongs to the tape.
    #[track_caller]
    pub(crate) fn check_tape(&self, tape: &Tape) {
        assert!(
            self.hooks.iter().all(|hook| hook.tape == tape.id_and_generation()),
            "backward: a hook is for a variable of another tape, or of an earlier use of this tape"
        );
        assert!(
            self.hooks.iter().all(|hook| tape.scopes.keep(hook.id, hook.scopes)),
            "backward: a hook is for a variable of a tape.scope that has ended"
        );
    }

    /// The gradients that were asked for with [`retain`](Hooks::retain).
    pub(crate) fn into_retained(self) -> impl Iterator<Item = (u32, Option<Tensor>)> {
        self.hooks.into_iter().filter_map(|hook| match hook.action {
            Action::Retain(gradient) => Some((hook.id, gradient)),
            _ => None,
        })
    }
}

impl Watch for Hooks<'_> {
    #[track_caller]
    fn complete(&mut self, tape: &Tape, id: usize, gradient: &mut Option<Tensor>) {
        for hook in self.hooks.iter_mut().filter(|hook| hook.id as usize == id) {
            let Some(given) = gradient.take() else { return };
            *gradient = Some(match &mut hook.action {
                Action::Read(f) => {
                    f(&given);
                    given
                }
                Action::Retain(kept) => kept.insert(given).clone(),
                Action::Replace(f) => {
                    let shape = given.shape().clone();
                    let new = f(given);
                    if new.shape() != &shape {
                        ShapeError::new(format!(
                            "backward: a hook gave a gradient of shape {} for {}",
                            new.shape(),
                            Var::new(tape, id as u32).describe()
                        ))
                        .fail()
                    }
                    new
                }
            });
        }
    }
}

impl fmt::Debug for Hooks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} hooks", self.hooks.len())
    }
}
