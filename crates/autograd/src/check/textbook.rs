//! Numerical differentiation as one learns it: formulas, steps, and how far each is off.

use crate::{
    op::reference::Array,
    replay::Replay,
    tape::{Tape, var::Var},
};
use gradus_tensor::Tensor;
use std::fmt;

/// The gradient of a function of one tensor by central differences in f32, the book's way (chapter 4): two evaluations
/// an element, `(f(x + h) - f(x - h)) / 2h`.
///
/// In f32 this is rough: with values around 1 and the book's `h` of 1e-4 it is right to about three digits. Other formulas,
/// and f64, are methods of [`Differencing`]. To check a gradient use [`gradcheck`](super::gradcheck()).
///
/// # Panics
/// Unless `h` is positive and finite.
///
/// ```
/// use gradus_autograd::{check::numerical_gradient, prelude::*};
///
/// let x = Tensor::from([3.0, 4.0]);
/// let gradient = numerical_gradient(|x| (x * x).sum().item(), &x, 1e-2);
/// assert!((gradient.get([0]) - 6.0).abs() < 1e-2 && (gradient.get([1]) - 8.0).abs() < 1e-2);
/// ```
#[track_caller]
pub fn numerical_gradient(f: impl FnMut(&Tensor) -> f32, x: &Tensor, h: f32) -> Tensor {
    Differencing::Central.gradient(f, x, h)
}

/// A formula for the derivative of a function of which only values are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Differencing {
    /// `(f(x + h) - f(x)) / h`, off by a multiple of h.
    Forward,
    /// `(f(x + h) - f(x - h)) / 2h`, off by a multiple of h².
    Central,
    /// Four values, from x - 2h to x + 2h: off by a multiple of h⁴.
    Central4,
    /// Six values, from x - 3h to x + 3h: off by a multiple of h⁶.
    Central6,
}

impl Differencing {
    /// All of them, from the coarsest to the finest.
    pub const ALL: [Differencing; 4] =
        [Differencing::Forward, Differencing::Central, Differencing::Central4, Differencing::Central6];

    /// Where values are taken, in steps from x, and what each is multiplied by.
    fn terms(self) -> &'static [(f64, f64)] {
        match self {
            Differencing::Forward => &[(1.0, 1.0), (0.0, -1.0)],
            Differencing::Central => &[(1.0, 0.5), (-1.0, -0.5)],
            Differencing::Central4 => {
                &[(1.0, 2.0 / 3.0), (-1.0, -2.0 / 3.0), (2.0, -1.0 / 12.0), (-2.0, 1.0 / 12.0)]
            }
            Differencing::Central6 => &[
                (1.0, 0.75),
                (-1.0, -0.75),
                (2.0, -0.15),
                (-2.0, 0.15),
                (3.0, 1.0 / 60.0),
                (-3.0, -1.0 / 60.0),
            ],
        }
    }

    /// The gradient of `f` at `x` in f32.
    ///
    /// # Panics
    /// Unless `h` is positive and finite.
    ///
    /// ```
    /// use gradus_autograd::{check::Differencing, prelude::*};
    ///
    /// let x = Tensor::from([1.0]);
    /// let off = |formula: Differencing, h| (formula.gradient(|x| x.exp().item(), &x, h).item() - 1f32.exp()).abs();
    /// assert!(off(Differencing::Forward, 1e-3) > 1e-3);
    /// assert!(off(Differencing::Central6, 0.1) < 1e-4);
    /// ```
    #[track_caller]
    pub fn gradient(self, mut f: impl FnMut(&Tensor) -> f32, x: &Tensor, h: f32) -> Tensor {
        check_step(h.into());
        let mut moved = x.clone();
        let values = x.to_vec();
        let mut gradient = Vec::with_capacity(values.len());
        for (i, &value) in values.iter().enumerate() {
            let mut at = |steps: f64| {
                moved.as_mut_slice()[i] = value + steps as f32 * h;
                f(&moved)
            };
            let sum: f32 = self.terms().iter().map(|&(steps, factor)| factor as f32 * at(steps)).sum();
            gradient.push(sum / h);
            moved.as_mut_slice()[i] = value;
        }
        Tensor::new(gradient, x.shape())
    }

    /// The gradient of `f` at `x` in f64, through the references of its operations. An output with several elements is
    /// summed.
    ///
    /// # Panics
    /// Unless `h` is positive and finite.
    ///
    /// ```
    /// use gradus_autograd::{check::Differencing, prelude::*};
    ///
    /// let gradient = Differencing::Central6.gradient_f64(|x| x.exp(), &Tensor::from([1.0]), 1e-2);
    /// assert!((gradient.data()[0] - 1f64.exp()).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn gradient_f64(self, f: impl for<'t> Fn(Var<'t>) -> Var<'t>, x: &Tensor, h: f64) -> Array {
        check_step(h);
        let tape = Tape::new();
        let var = tape.var(x.clone());
        let output = f(var);
        let replay = Replay::new(&tape);
        self.replayed(&replay, var, output, h)
    }

    fn replayed(self, replay: &Replay<'_>, x: Var<'_>, output: Var<'_>, h: f64) -> Array {
        let n = replay.base(x.id()).data().len();
        let weights = vec![1.0; replay.base(output.id()).data().len()];
        let gradient = match replay.path(x.id(), output.id()) {
            None => vec![0.0; n],
            Some(mut path) => {
                let mut at = |i: usize, steps: f64| path.moved_over_kinks(&[(i, 1.0)], steps * h, &weights);
                let mut element = |i: usize| -> f64 {
                    self.terms().iter().map(|&(steps, factor)| factor * at(i, steps)).sum::<f64>() / h
                };
                (0..n).map(&mut element).collect()
            }
        };
        Array::new(gradient, replay.base(x.id()).shape())
    }
}

#[track_caller]
fn check_step(h: f64) {
    assert!(h > 0.0 && h.is_finite(), "numerical gradient: the step must be positive and finite, not {h}");
}

impl fmt::Display for Differencing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Differencing::Forward => "forward",
            Differencing::Central => "central",
            Differencing::Central4 => "4th order",
            Differencing::Central6 => "6th order",
        })
    }
}

/// How far numerical gradients are off, by step: the V of truncation and rounding.
///
/// Large steps are off by the curvature of the function between the points, small ones because the values hardly differ
/// and their rounding is divided by the step. Its `Display` is a table in which the best of each column has a star.
#[derive(Clone, Debug)]
pub struct StepSweep {
    /// From the largest step to the smallest.
    pub rows: Vec<StepErrors>,
}

/// The errors of numerical gradients with one step: the largest over all elements, relative to the largest gradient.
#[derive(Clone, Debug)]
pub struct StepErrors {
    /// The step.
    pub h: f64,
    /// In f32, by formula in the order of [`Differencing::ALL`].
    pub f32: [f64; 4],
    /// In f64, likewise.
    pub f64: [f64; 4],
}

/// Compares numerical gradients of `f` at `x` with the automatic one in f64, for steps from 1 to 1e-13. An output with
/// several elements is summed.
///
/// ```
/// use gradus_autograd::{check::step_sweep, prelude::*};
///
/// let sweep = step_sweep(|x| x.sin(), &Tensor::from([1.0]));
/// let [f32_best, f64_best] = sweep.best(1); // of central differences
/// assert!((1e-3..1e-1).contains(&f32_best.0) && f32_best.1 < 1e-4);
/// assert!((1e-6..1e-4).contains(&f64_best.0) && f64_best.1 < 1e-9);
/// ```
pub fn step_sweep(f: impl for<'t> Fn(Var<'t>) -> Var<'t>, x: &Tensor) -> StepSweep {
    let tape = Tape::new();
    let var = tape.var(x.clone());
    let output = f(var);
    let rule = output.grad_from(tape.constant(Tensor::ones(output.shape())), &[var])[0];
    let replay = Replay::new(&tape);
    let exact = match rule {
        Some(rule) => replay.base(rule.id()).clone(),
        None => Array::full(x.shape(), 0.0),
    };
    let largest = exact.data().iter().fold(f64::MIN_POSITIVE, |m, d| m.max(d.abs()));
    let error = |found: &mut dyn Iterator<Item = f64>| {
        found.zip(exact.data()).map(|(found, exact)| (found - exact).abs() / largest).fold(0.0, f64::max)
    };
    let in_f32 = |x: &Tensor| {
        let tape = Tape::new();
        f(tape.var(x.clone())).value().iter().sum::<f32>()
    };
    let row = |half_decades: i32| {
        let h = 10f64.powf(-0.5 * f64::from(half_decades));
        StepErrors {
            h,
            f32: Differencing::ALL
                .map(|formula| error(&mut formula.gradient(in_f32, x, h as f32).iter().map(f64::from))),
            f64: Differencing::ALL
                .map(|formula| error(&mut formula.replayed(&replay, var, output, h).data().iter().copied())),
        }
    };
    StepSweep { rows: (0..=26).map(row).collect() }
}

impl StepSweep {
    /// The best step and its error in f32 and in f64, of the formula at this place of [`Differencing::ALL`].
    pub fn best(&self, formula: usize) -> [(f64, f64); 2] {
        let best = |error: &dyn Fn(&StepErrors) -> f64| {
            let pairs = self.rows.iter().map(|row| (row.h, error(row)));
            pairs.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((f64::NAN, f64::NAN))
        };
        [best(&|row| row.f32[formula]), best(&|row| row.f64[formula])]
    }
}

impl fmt::Display for StepSweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Differencing::ALL.map(|formula| format!("{formula:>10} "));
        writeln!(f, "         |{:^44}|{:^44}", "f32", "f64")?;
        writeln!(f, "{:>8} |{}|{}", "h", names.concat(), names.concat())?;
        let best: [[(f64, f64); 2]; 4] = std::array::from_fn(|formula| self.best(formula));
        for row in &self.rows {
            let cell = |formula: usize, half: usize| {
                let error = if half == 0 { row.f32[formula] } else { row.f64[formula] };
                let star = if best[formula][half].0 == row.h { '*' } else { ' ' };
                format!("{error:>10.1e}{star}")
            };
            let half = |half: usize| (0..4).map(|formula| cell(formula, half)).collect::<String>();
            writeln!(f, "{:>8.1e} |{}|{}", row.h, half(0), half(1))?;
        }
        Ok(())
    }
}
