//! Checks gradients, Jacobians and Hessians that somebody computed, by hand or by a program, against differences of the
//! function's values. It needs nothing but the function.
//!
//! ```
//! use gradus_check::check_gradient;
//!
//! let f = |x: &[f64]| x[0].sin() * x[1].exp();
//! let gradient = |x: &[f64]| [x[0].cos() * x[1].exp(), x[0].sin()]; // a factor is missing
//! let report = check_gradient(f, &[0.5, 2.0], gradient);
//! assert!(!report.passed());
//! println!("{report}");
//! ```
//!
//! ```text
//! gradient [2]: WRONG; all 2 elements, 276 evaluations, seed 0; 1 failed
//!   pattern       one element alone is wrong
//! at [1]: WRONG
//!   given         4.794255386042e-1
//!   differences   3.542482315497e0 ± 5.1e-12
//!   why           it contradicts differences that agree at two scales
//!   what to do    correct the gradient; the pattern, if there is one, says what kind of mistake makes it
//! ```
//!
//! There is no tolerance to choose. Every difference knows how far it may be off, and a gradient is wrong when it lies beyond
//! that, at two scales that share no value. What cannot be told is said so, with the reason: see [`Verdict`] and [`Reason`].
//!
//! | You have | You call |
//! |---|---|
//! | a function of a slice and its gradient, as numbers or as a function | [`check_gradient`], [`assert_gradient!`] |
//! | the same in f32 | [`check_gradient_f32`] |
//! | points of `ndarray` or `nalgebra` (by features) | [`check_gradient_of`] |
//! | a problem of `argmin` (by feature) | `check_problem` |
//! | several outputs | [`check_jacobian`], [`check_jvp`], [`check_vjp`] |
//! | second derivatives | [`check_hessian`], [`check_hvp`] |
//! | other settings: seed, limits, steps, shape | [`Check`] |
//! | something that is no function of a slice, such as a recorded program | [`Subject`], [`judge`], [`derivative`] |
//!
//! Up to 256 variables are checked one by one. Of more the check takes some, and moves all of them together along random
//! directions, with numbers from a normal distribution: an error in any variable shows along every direction, and errors do
//! not cancel, as they may where all numbers are 1 or -1. A direction that is contradicted is halved until the variable is
//! found. A right gradient of any size takes about 1000 evaluations, more where the function is rough.
//!
//! # Numerical differentiation in two pages
//!
//! **Differences.** A derivative is the limit of `(f(x + h) - f(x)) / h`. Stopping at some `h` is off by `h f''/2`, the
//! *truncation*: ten times smaller for a step ten times smaller. The *central difference* `(f(x + h) - f(x - h)) / 2h` is off
//! by `h² f'''/6`: a hundred times smaller. Formulas of more points are off by h⁴ or h⁶ ([Numerical
//! Recipes](http://numerical.recipes), section 5.7; Fornberg 1988).
//!
//! **The step.** Values are rounded: `f(x)` is off by about ε|f|, with ε = 2e-16 in f64 and 1e-7 in f32. Divided by the step
//! that is ε|f|/h, the *rounding*: ten times *larger* for a step ten times smaller. The sum of both is a V in h. Its bottom is
//! at h ≈ √ε for one-sided differences, where half of the digits are right, and at ∛ε for central ones, with two thirds: 1e-5
//! and 1e-10 in f64, 5e-3 and 2e-5 in f32. Both are multiples of the scale over which the function bends, which nobody tells
//! us: 1e9 x inside of a tanh makes all of that a billion times smaller. And `x + h` is rounded, too, so steps should be
//! powers of two.
//!
//! ```
//! let error = |h: f64| (((1.0 + h).sin() - (1.0 - h).sin()) / (2.0 * h) - 1f64.cos()).abs();
//! assert!(error(1e-5) < 1e-10);                           // the bottom of the V
//! assert!(error(1e-2) > 1e-6 && error(1e-12) > 1e-6);     // and both of its arms
//! ```
//!
//! **Extrapolation.** The truncation of central differences is a series in h². From the quotients at h and h/2 the first term
//! can be removed: `(4 D(h/2) - D(h)) / 3`; from three of them two terms, and so on. This is Richardson's idea of 1911, and
//! Ridders (1982) made of it a table whose neighbours tell the error: if the next column hardly differs, it is right. Large
//! steps, where rounding is small, give twelve digits that way.
//!
//! **Error bars.** This crate's [`Estimate`] is the best entry of such a table with three times the distance to its
//! neighbours, and what rounding the steps let through. How large that is cannot be read off the values: a sum of a million
//! terms, or an inner solver that stops at 1e-8, is far rougher than ε|f|. [`noise`] measures it by the differences of
//! equally spaced values (ECnoise, Moré and Wild 2011), at spacings of all sizes, as what is noise to a large step may be the
//! function to a small one.
//!
//! **False convergence.** A table may settle on a wrong number. `exp(-(1e5 x)²)` at 3e-6 is 0 as far as steps of 1e-3 see,
//! very surely so; a staircase, as rounding to f32 makes of any function, is flat as far as steps of 1e-12 see. So an
//! estimate counts only when a second one agrees, from steps eight times as small or smaller that share no value with it; of
//! two such pairs the one with smaller steps has the last word; unless the function changes all of a sudden on the way there,
//! and is rough above: then that is a staircase, and the slope of the stairs counts. [`derivative`] does all of this.
//!
//! ```
//! use gradus_check::{Line, derivative};
//!
//! let found = derivative(|t| (-(1e5f64 * (3e-6 + t)).powi(2)).exp(), &Line::through(3e-6, 1.0, f64::EPSILON));
//! let right = -2.0 * 1e10 * 3e-6 * (-(0.3f64 * 0.3)).exp();
//! assert!((found.value - right).abs() <= found.error && found.error < 1e-6 * right.abs());
//! ```
//!
//! **Kinks.** At a kink, as of |x| at 0, there is no derivative: the slopes to the left and to the right differ, and the
//! central difference is their mean, in all peace. The sign is `(f(h) - 2 f(0) + f(-h)) / h`, which goes to 0 with h where the
//! function is smooth and to the difference of the slopes at a kink. Programs give one of the slopes or a number between
//! them, all of which are right by some convention (Lee, Yu, Rival and Yang 2020). What lies outside is wrong, as is a number
//! inside if it cannot be for two variables together: the gradient of a maximum must not go to both winners in full.
//!
//! **Exact ways.** A function that can be evaluated at complex numbers gives its derivative without any difference, and so
//! without cancellation: `Im f(x + ih) / h` with h = 1e-100 (Squire and Trapp 1998). Dual numbers do the same with a number
//! whose square is zero. Both need the function's text rather than its values, differentiate the branch that is taken without
//! seeing that there is a kink, and are wrong with whatever takes no complex numbers, such as |x|. If you have them, check
//! them as well.
//!
//! **What a check cannot see.** One point is one point: a wrong factor on a term that is zero there passes, as does all that
//! is wrong in a branch not taken. Check at several points, none of them special: no zeros, no ties, no optimum, where all
//! gradients are zero, wrong ones too. And the sum of a softmax is constant: project several outputs on random numbers, not on
//! ones.
//!
//! Sources: L. F. Richardson, "The approximate arithmetical solution by finite differences", 1911. C. J. F. Ridders, "Accurate
//! computation of F'(x) and F'(x)F''(x)", *Advances in Engineering Software* 4, 1982. B. Fornberg, "Generation of finite
//! difference formulas on arbitrarily spaced grids", 1988. W. Squire and G. Trapp, "Using complex variables to estimate
//! derivatives of real functions", *SIAM Review* 40, 1998. W. H. Press et al., *Numerical Recipes*, 2007. J. J. Moré and S. M.
//! Wild, "Estimating computational noise", *SIAM Journal on Scientific Computing* 33, 2011, and "Estimating derivatives of
//! noisy simulations", 2012. W. Lee, H. Yu, X. Rival and H. Yang, "On correctness of automatic differentiation for
//! non-differentiable functions", 2020.

#![forbid(unsafe_code)]

#[cfg(feature = "argmin")]
mod argmin;
mod calls;
mod check;
mod estimate;
mod functions;
mod given;
mod jacobian;
mod json;
mod kinks;
mod ladder;
#[cfg(feature = "nalgebra")]
mod nalgebra;
#[cfg(feature = "ndarray")]
mod ndarray;
mod noise;
mod pattern;
mod report;
mod rng;
mod roughness;
mod scan;
mod search;
mod slope;
mod unseen;
mod verdict;

#[cfg(feature = "argmin")]
pub use argmin::check_problem;
pub use check::Check;
pub use estimate::Estimate;
pub use functions::{
    check_gradient, check_gradient_f32, check_gradient_of, check_hessian, check_hvp, check_jacobian,
    check_jvp, check_vjp,
};
pub use given::{Derivative, Number, Numbers, Point};
pub use json::Json;
pub use ladder::Line;
pub use noise::{Noise, noise};
pub use pattern::{Pair, Pattern, pattern, pattern_along};
pub use report::{Finding, Place, Report};
pub use search::{Direction, Given, Subject, Task};
pub use slope::{Claim, derivative, judge, judge_quickly};
pub use verdict::{Judgement, Reason, Verdict};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
