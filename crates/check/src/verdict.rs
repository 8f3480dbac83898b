//! Judgements, with their reasons and what to do about them.

use crate::estimate::Estimate;
use std::fmt;

/// A judgement on a gradient, or on one element of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is the derivative.
    Pass,
    /// It is zero, and so is the derivative.
    Zero,
    /// The derivative does not exist, and what was given lies between those to the left and to the right, or is the one to
    /// the only side there is.
    Kink,
    /// It may be right, but the function is too rough to tell more.
    Noisy,
    /// Differences are too uncertain to judge.
    Inconclusive,
    /// It is not the derivative.
    Wrong,
}

impl Verdict {
    /// Whether it is no failure: right, zero or at a kink.
    pub fn is_fine(self) -> bool {
        matches!(self, Verdict::Pass | Verdict::Zero | Verdict::Kink)
    }

    /// Its name in reports: `pass`, `zero`, `kink`, `noisy`, `inconclusive`, `wrong`.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Zero => "zero",
            Verdict::Kink => "kink",
            Verdict::Noisy => "noisy",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Wrong => "wrong",
        }
    }
}

impl fmt::Display for Verdict {
    /// Its name, in capitals where it is a failure.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_fine() {
            true => f.pad(self.name()),
            false => f.pad(&self.name().to_uppercase()),
        }
    }
}

/// Why a judgement was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    /// It agrees with differences.
    Agrees,
    /// It is the derivative to the precision of f32, but not to that of f64.
    AgreesToF32,
    /// It contradicts differences at two scales.
    Differs,
    /// It is NaN or infinite, and the derivative is not.
    NotFinite,
    /// It lies between the derivatives to the left and to the right.
    Between,
    /// The derivatives to the left and to the right differ, and it lies outside of both.
    Outside,
    /// There are values to one side alone, and it agrees with the derivative to that side.
    Edge,
    /// The function jumps at the point, and it is the derivative to the side where it does not.
    BesideJump,
    /// The function jumps at the point, by so much.
    Jump(f64),
    /// The derivative is infinite.
    Infinite,
    /// There are no finite values around the point.
    NoValues,
    /// The rounding of the function's values hides it.
    Rounding,
    /// Noise of this size, far above the rounding of the values, hides it.
    Noise(f64),
    /// It is zero as the function is around the point, but over larger steps that is a staircase.
    Rough,
    /// Differences do not settle on a number at any scale.
    Unsettled,
    /// The limit of evaluations was reached.
    Limit,
}

impl Reason {
    /// What to do about it; empty where nothing is to be done.
    pub fn advice(&self) -> &'static str {
        match self {
            Reason::Agrees | Reason::Between | Reason::Edge | Reason::BesideJump => "",
            Reason::AgreesToF32 => {
                "look for an f32 constant (0.1 is not 0.1f32) or a cast on the way; `strict` makes this a failure"
            }
            Reason::Differs => {
                "correct the gradient; the pattern, if there is one, says what kind of mistake makes it"
            }
            Reason::NotFinite => "look for 0/0, 0·∞, a root or a logarithm of zero in the gradient's formula",
            Reason::Outside => {
                "a tie or a bound shared by several variables must share the gradient among them; none may get more \
                 than the steeper side"
            }
            Reason::Jump(_) => {
                "a function that jumps has no gradient there: move the point, or smooth the jump"
            }
            Reason::Infinite => {
                "move the point away from it, or add a small number under the root or the logarithm"
            }
            Reason::NoValues => {
                "move the point into the domain of the function, or look for NaN in the function"
            }
            Reason::Rounding => {
                "leave out what is added to the function and does not depend on the variable, scale it, or compute it \
                 in f64"
            }
            Reason::Noise(_) => {
                "make the function smoother: tighter tolerances of inner solvers, f64 for f32, a fixed seed; or check \
                 a smaller part of it"
            }
            Reason::Rough => "look for rounding to f32 or to integers inside the function",
            Reason::Unsettled => "check at another point, or a smaller part of the function",
            Reason::Limit => "allow more evaluations, or check fewer elements",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Agrees => "it agrees with differences",
            Reason::AgreesToF32 => "it agrees with differences to the precision of f32, not of f64",
            Reason::Differs => "it contradicts differences that agree at two scales",
            Reason::NotFinite => "it is not finite, and the derivative is",
            Reason::Between => "the function has a kink here, and it lies between the slopes to both sides",
            Reason::Outside => {
                "the function has a kink here, and it lies outside of the slopes to both sides"
            }
            Reason::Edge => "the function ends here, and it is the slope to the side that there is",
            Reason::BesideJump => {
                "the function jumps here, and it is the slope to the side where it does not"
            }
            Reason::Jump(size) => return write!(f, "the function jumps here, by {size:.3e}"),
            Reason::Infinite => "the slope grows without end towards this point",
            Reason::NoValues => "the function has no finite values around this point",
            Reason::Rounding => "the rounding of the function's values hides it",
            Reason::Noise(level) => return write!(f, "the function is rough: noise of {level:.1e} hides it"),
            Reason::Rough => "the function is a staircase: it is the slope of a tread, not of the stairs",
            Reason::Unsettled => "differences do not settle on a number at any scale",
            Reason::Limit => "the limit of evaluations was reached",
        })
    }
}

/// What was found for one element or along one direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// The judgement.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// The derivative that was given.
    pub given: f64,
    /// The derivative by differences.
    pub estimate: Estimate,
    /// The derivatives to the left and to the right, where they differ.
    pub sides: Option<[Estimate; 2]>,
    /// The noise of the function's values along this line, where it was measured.
    pub noise: Option<f64>,
}

impl Judgement {
    /// How far what was given is from the derivative, in units of what is allowed: above 1 where it contradicts it.
    pub fn contradiction(&self) -> f64 {
        let off = (self.given - self.estimate.value).abs();
        match off == 0.0 {
            true => 0.0,
            false if off.is_nan() => f64::INFINITY,
            false => off / self.estimate.error.max(f64::MIN_POSITIVE),
        }
    }
}
