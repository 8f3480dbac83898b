//! Optimizers, a file each, and how parameters follow their gradients.
//!
//! In the formulas `w` is the parameter, `g` its gradient, `t` the number of the step from 1, `lr` the learning rate and
//! λ the weight decay. Those that the book (chapter 6) describes say how its form differs from PyTorch's, which is ours.
//!
//! | | λ | remembers | source |
//! | --- | --- | --- | --- |
//! | [`Sgd`] | `g + λ w` | nothing, or a velocity | H. Robbins and S. Monro, 1951; B. Polyak, 1964; Y. Nesterov, 1983 |
//! | [`AdaGrad`] | `g + λ w` | Σ g² | J. Duchi, E. Hazan and Y. Singer, 2011 |
//! | [`RmsProp`] | `g + λ w` | average of g² | G. Hinton, lecture 6e of his course, 2012 |
//! | [`AdaDelta`] | `g + λ w` | averages of g² and of steps² | M. Zeiler, 2012 |
//! | [`Adam`] | `g + λ w` | averages of g and g² | D. Kingma and J. Ba, 2015 |
//! | [`AdamW`] | `w (1 - lr λ)` | averages of g and g² | I. Loshchilov and F. Hutter, 2019 |
//! | [`NAdam`] | `g + λ w` | averages of g and g² | T. Dozat, 2016 |
//! | [`Lion`] | `w (1 - lr λ)` | average of g | X. Chen and others, 2023 |
//! | [`Lbfgs`] | none | the last steps, within one call | J. Nocedal, 1980 |

mod base;
mod clip;

pub use base::{Base, Group, ParamStep, Settings};
pub(crate) use clip::{clip_by_norm, square_sums};
pub use clip::{clip_grad_norm, clip_grad_value, grad_norm};

/// Each file of this folder with the optimizers in it. What stands here is also in `gradus_nn` and in the prelude.
macro_rules! optimizers {
    ($($file:ident: $($Name:ident),+;)*) => {
        $(mod $file;)*

        /// The optimizers, for `use gradus_nn::optim::optimizers::*`.
        pub mod optimizers {
            $(#[doc(no_inline)] pub use super::$file::{$($Name),+};)*
        }

        $(pub use $file::{$($Name),+};)*
    };
}

optimizers! {
    adadelta: AdaDelta;
    adagrad: AdaGrad;
    adam: Adam, AdamW;
    lbfgs: Lbfgs;
    lion: Lion;
    nadam: NAdam;
    rmsprop: RmsProp;
    sgd: Sgd;
}

pub use lbfgs::Minimum;

use crate::{
    module::Module,
    save::{State, StateError},
};
use gradus_autograd::Gradients;

/// A rule that changes parameters by their gradients.
///
/// All parameters are changed in place, in one parallel pass. An optimizer of your own is a formula and a [`Base`]; one that
/// is not elementwise takes parameter by parameter, see [`Base::each`]. In gradus it is a file of this folder and a line in
/// `optim/mod.rs`.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Module, optim::{Base, Optimizer}};
/// use gradus_tensor::{kernels::update::UpdateFn, simd::{Lane, Simd}};
///
/// /// w ← w - lr sign(g)
/// struct SignSgd {
///     base: Base,
/// }
///
/// #[derive(Clone, Copy)]
/// struct Step {
///     lr: f32,
/// }
///
/// impl UpdateFn<0> for Step {
///     #[inline(always)]
///     fn eval<S: Simd>(self, g: Lane<S>, w: Lane<S>, state: [Lane<S>; 0]) -> (Lane<S>, [Lane<S>; 0]) {
///         (w - g.sign() * self.lr, state)
///     }
/// }
///
/// impl Optimizer for SignSgd {
///     fn step(&mut self, model: &mut dyn Module, gradients: &Gradients) {
///         self.base.update([], model, gradients, |settings| Step { lr: settings.lr as f32 });
///     }
///
///     fn base(&self) -> &Base {
///         &self.base
///     }
///
///     fn base_mut(&mut self) -> &mut Base {
///         &mut self.base
///     }
/// }
///
/// let mut w = Param::new([1.0, -2.0]);
/// let (_, gradients, ()) = Tape::new().step(|tape| (tape.param(&w).square().sum(), ()));
/// SignSgd { base: Base::new("sign_sgd", 0.5) }.step(&mut w, &gradients);
/// assert_eq!(w.value().to_vec(), [0.5, -1.5]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no optimizer",
    note = "an optimizer is a value such as `Adam::new(0.001)`, or a `Box<dyn Optimizer>`; one of your own implements \
            `gradus_nn::Optimizer` with a `Base`. `Lbfgs`, which computes the loss several times a step, is none"
)]
pub trait Optimizer {
    /// One step: changes every parameter of the model that is not frozen, in place, and makes the changes of buffers that
    /// the forward pass asked for.
    ///
    /// # Panics
    /// When the loss does not reach a parameter: it would silently never be trained. Freeze it, or leave it out of
    /// the module that is given here. When the gradients are of a tape on which nobody decided whether it trains, and the
    /// model needs to know: see [`Tape::new`](gradus_autograd::Tape::new).
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients);

    /// What all optimizers have.
    fn base(&self) -> &Base;

    /// What all optimizers have, for changing.
    fn base_mut(&mut self) -> &mut Base;

    /// The learning rate.
    fn lr(&self) -> f64 {
        self.base().lr
    }

    /// Sets the learning rate, as a schedule does.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[track_caller]
    fn set_lr(&mut self, lr: f64) {
        base::check("lr", lr);
        self.base_mut().lr = lr;
    }

    /// The same optimizer with this factor of weight decay.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[track_caller]
    fn weight_decay(mut self, weight_decay: f64) -> Self
    where
        Self: Sized,
    {
        base::check("weight_decay", weight_decay);
        self.base_mut().weight_decay = weight_decay;
        self
    }

    /// The same optimizer with other settings for a group of parameters. Of several groups that choose a parameter the
    /// last one holds.
    ///
    /// ```
    /// use gradus_nn::{AdamW, Optimizer, optim::Group};
    ///
    /// let adam = AdamW::new(1e-3)
    ///     .weight_decay(0.01)
    ///     .group(Group::vectors().weight_decay(0.0))
    ///     .group(Group::new(|name, _| name.starts_with("embedding")).lr_factor(0.1));
    /// # let _ = adam;
    /// ```
    fn group(mut self, group: Group) -> Self
    where
        Self: Sized,
    {
        self.base_mut().groups.push(group);
        self
    }

    /// What is to be saved for going on later: learning rate, weight decay, and what is remembered of each parameter,
    /// by its name. Hyperparameters and groups are not in it: they are in the program.
    ///
    /// # Panics
    /// While a trainer has split the state over the ranks of a group, see
    /// [`Trainer::zero_redundancy`](crate::train::Trainer::zero_redundancy): in its callbacks, and after a fit that ended with
    /// an error.
    #[track_caller]
    fn state(&self) -> State {
        self.base().state()
    }

    /// Goes on from a saved state. When it fails nothing is changed.
    ///
    /// # Errors
    /// When the state is that of another kind of optimizer, its learning rate or weight decay is negative or not finite,
    /// its names and shapes are not the model's, or part of what was saved is missing; all that does not fit is named.
    fn restore(&mut self, state: &State, model: &dyn Module) -> Result<(), StateError> {
        self.base_mut().restore(state, model)
    }
}

impl<O: Optimizer + ?Sized> Optimizer for Box<O> {
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients) {
        (**self).step(model, gradients);
    }

    fn base(&self) -> &Base {
        (**self).base()
    }

    fn base_mut(&mut self) -> &mut Base {
        (**self).base_mut()
    }

    fn lr(&self) -> f64 {
        (**self).lr()
    }

    #[track_caller]
    fn set_lr(&mut self, lr: f64) {
        (**self).set_lr(lr);
    }

    fn state(&self) -> State {
        (**self).state()
    }

    fn restore(&mut self, state: &State, model: &dyn Module) -> Result<(), StateError> {
        (**self).restore(state, model)
    }
}

/// The builder of β₁ and β₂.
macro_rules! has_betas {
    ($name:literal) => {
        /// With these β₁ and β₂.
        ///
        /// # Panics
        /// Unless both are in 0..1.
        #[track_caller]
        pub fn betas(self, b1: f64, b2: f64) -> Self {
            $crate::optim::base::check_betas($name, (b1, b2));
            Self { betas: (b1, b2), ..self }
        }
    };
}
use has_betas;

/// The builder of ε.
macro_rules! has_epsilon {
    () => {
        /// With this ε.
        ///
        /// # Panics
        /// When it is negative or not finite.
        #[track_caller]
        pub fn epsilon(self, epsilon: f64) -> Self {
            $crate::optim::base::check("epsilon", epsilon);
            Self { epsilon, ..self }
        }
    };
}
use has_epsilon;

/// The accessors that every optimizer with a field `base` writes alike.
macro_rules! has_base {
    () => {
        fn base(&self) -> &$crate::optim::Base {
            &self.base
        }

        fn base_mut(&mut self) -> &mut $crate::optim::Base {
            &mut self.base
        }
    };
}
use has_base;
