//! The gradient check of a user's function or model.

use super::{
    numeric::{self, Estimate},
    report::{Report, Row, Verdict},
};
use crate::{param::Param, reference::Array, replay::Replay, tape::Tape, var::Var};
use gradus_tensor::{Rng, Tensor};
use std::time::Instant;

/// Checks the gradients of `f` by all its inputs; see [`GradCheck`].
///
/// ```
/// use gradus_autograd::{check::gradcheck, prelude::*};
///
/// let report = gradcheck(|x| (x[0] * x[1]).tanh(), &[Tensor::from([0.5, -0.3]), Tensor::from([1.5, 2.0])]);
/// assert!(report.passed(), "{report}");
/// ```
///
/// # Panics
/// When there are no inputs.
#[track_caller]
pub fn gradcheck(f: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>, inputs: &[Tensor]) -> Report {
    GradCheck::default().function(f, inputs)
}

/// A gradient check with its settings.
///
/// The computation is recorded once, in f32, as in training; then the recording is run in f64 through the operations'
/// references. Two questions are asked of each input or parameter.
///
/// - Is the *formula* right? The backward rules, run in f64, are compared with differences of the forward, run in
///   f64, at chosen elements and along random directions, which see every element. Branches (sides of kinks, winners
///   of maxima) are those of the recorded f32 values, in both.
/// - Is the *arithmetic* right? The gradient that training would use, f32 and through the fused rules, is compared
///   with the rules in f64, at every element.
#[derive(Clone, Debug)]
pub struct GradCheck {
    /// Decides cotangents, chosen elements and directions.
    pub seed: u64,
    /// How many elements of each input are differenced one by one; an input that has no more is checked in full.
    pub elements: usize,
    /// Along how many random directions each larger input is differenced.
    pub directions: usize,
    /// How far the f32 gradient may be from the f64 one, relative to the input's largest gradient.
    pub tolerance: f64,
}

impl Default for GradCheck {
    fn default() -> GradCheck {
        GradCheck { seed: 0, elements: 24, directions: 3, tolerance: 1e-5 }
    }
}

impl GradCheck {
    /// Checks the gradients of `f` by all its inputs. An output with several elements is multiplied by random
    /// numbers and summed.
    ///
    /// # Panics
    /// When there are no inputs.
    #[track_caller]
    pub fn function(&self, f: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>, inputs: &[Tensor]) -> Report {
        assert!(!inputs.is_empty(), "gradcheck: there are no inputs to check");
        let start = Instant::now();
        let tape = Tape::new();
        let inputs: Vec<Var<'_>> = inputs.iter().map(|x| tape.var(x.clone())).collect();
        let output = f(&inputs);
        let named = inputs.iter().enumerate().map(|(i, &x)| (format!("input {i}"), x)).collect();
        self.run(&tape, named, output, start)
    }

    /// Checks the gradients of a loss by named parameters. `tape` decides whether the model trains or evaluates.
    ///
    /// # Panics
    /// When there are no parameters.
    #[track_caller]
    pub fn params(
        &self,
        params: &[(String, &Param)],
        tape: &Tape,
        loss: impl for<'t> FnOnce(&'t Tape) -> Var<'t>,
    ) -> Report {
        assert!(!params.is_empty(), "gradcheck: there are no parameters to check");
        let start = Instant::now();
        let named = params.iter().map(|(name, param)| (name.clone(), tape.param(param))).collect();
        self.run(tape, named, loss(tape), start)
    }

    fn run<'t>(
        &self,
        tape: &'t Tape,
        named: Vec<(String, Var<'t>)>,
        output: Var<'t>,
        start: Instant,
    ) -> Report {
        let mut rng = Rng::seed(self.seed);
        let cotangent = match output.shape().len() {
            1 => Tensor::ones(output.shape()),
            _ => Tensor::randn(output.shape(), &mut rng),
        };
        let trained = output.backward_from(cotangent.clone());
        let vars: Vec<Var<'t>> = named.iter().map(|(_, var)| *var).collect();
        let rules = output.grad_from(tape.constant(cotangent.clone()), &vars);
        let replay = Replay::new(tape);
        let rows = named.into_iter().zip(rules).map(|((name, var), rule)| {
            let leaf = Leaf {
                replay: &replay,
                cotangent: &cotangent,
                output,
                var,
                trained: trained.get(var).map_or_else(|| Tensor::zeros(var.shape()), Tensor::clone),
                rule: match rule {
                    Some(rule) => replay.base(rule.id()).clone(),
                    None => Array::full(var.shape(), 0.0),
                },
            };
            self.row(name, &leaf, &mut rng)
        });
        Report { rows: rows.collect(), seed: self.seed, seconds: start.elapsed().as_secs_f64() }
    }

    fn row(&self, name: String, leaf: &Leaf<'_, '_>, rng: &mut Rng) -> Row {
        let rule = leaf.rule.data();
        let n = rule.len();
        let (precision_worst, precision_off) = leaf.worst_of_trained();
        let mut checked: Vec<(usize, Estimate)> = Vec::new();
        let mut wrong: Option<(usize, Estimate)> = None;
        if n > 0 {
            for flat in self.chosen(n, precision_worst, rng) {
                let estimate = leaf.difference(&[(flat, 1.0)]);
                checked.push((flat, estimate));
            }
        }
        let differences = checked.iter().map(|(_, e)| e.value.abs());
        let largest = rule.iter().map(|d| d.abs()).chain(differences).fold(0.0, f64::max);
        // The worst of the elements whose rule the differences contradict.
        let contradiction = |flat: usize, e: &Estimate| (rule[flat] - e.value).abs() - allowance(e, largest);
        for &(flat, estimate) in &checked {
            let off = contradiction(flat, &estimate);
            if off > 0.0 && wrong.is_none_or(|(at, e)| off > contradiction(at, &e)) {
                wrong = Some((flat, estimate));
            }
        }
        if wrong.is_none() && n > self.elements {
            wrong = (0..self.directions).find_map(|_| leaf.contradicted_direction(largest, rng));
        }
        let at = |flat: usize| checked.iter().find(|(i, _)| *i == flat).map(|(_, e)| *e);
        let (worst, numeric) = match wrong {
            Some((flat, estimate)) => (flat, estimate),
            None => (precision_worst, at(precision_worst).unwrap_or(Estimate { value: 0.0, error: 0.0 })),
        };
        let uncertain = checked.iter().any(|(_, e)| e.error.is_nan() || e.error > 1e-4 * largest);
        let tape = leaf.trained.iter().nth(worst).unwrap_or(0.0);
        let verdict = match () {
            _ if wrong.is_some() => Verdict::WrongFormula,
            _ if !precision_off.is_finite() || precision_off > self.tolerance * largest => {
                Verdict::PoorPrecision
            }
            _ if largest == 0.0 => Verdict::NoGradient,
            _ if uncertain => Verdict::Inconclusive,
            _ => Verdict::Pass,
        };
        let off = (tape as f64 - numeric.value).abs();
        Row {
            name,
            shape: leaf.rule.shape().to_vec(),
            worst: unflatten(worst, leaf.rule.shape()),
            tape,
            rule: rule.get(worst).copied().unwrap_or(0.0),
            numeric,
            error: if off == 0.0 { 0.0 } else { off / largest },
            verdict,
            differenced: checked.len(),
        }
    }

    /// The elements to difference one by one: all, or both ends, the one whose f32 is furthest off, and random ones.
    fn chosen(&self, n: usize, worst: usize, rng: &mut Rng) -> Vec<usize> {
        if n <= self.elements {
            return (0..n).collect();
        }
        let random = (3..self.elements).map(|_| rng.below(n));
        let mut chosen: Vec<usize> = [0, n - 1, worst].into_iter().chain(random).collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }
}

/// How far a rule in f64 may be from differences in f64 that know their error.
fn allowance(estimate: &Estimate, largest: f64) -> f64 {
    8.0 * estimate.error + 1e-8 * largest
}

/// One input or parameter of the recorded computation.
struct Leaf<'a, 't> {
    replay: &'a Replay<'t>,
    cotangent: &'a Tensor,
    output: Var<'t>,
    var: Var<'t>,
    /// The gradient that training would use.
    trained: Tensor,
    /// The backward rules in f64.
    rule: Array,
}

impl Leaf<'_, '_> {
    /// The derivative along a direction, given by its nonzero elements.
    fn difference(&self, direction: &[(usize, f64)]) -> Estimate {
        let x = self.replay.base(self.var.id());
        // A direction over many elements goes a step of that size in all of them together.
        let size = direction.iter().map(|&(i, _)| x.data()[i].abs()).sum::<f64>() / direction.len() as f64;
        let step = 0.01 * size.max(0.1) / (direction.len() as f64).sqrt();
        let base = self.replay.base(self.output.id());
        let magnitude =
            base.data().iter().zip(self.cotangent.iter()).map(|(y, v)| (y * v as f64).abs()).sum();
        numeric::derivative(step, magnitude, |h| {
            let mut moved = x.clone();
            for &(i, d) in direction {
                moved.data_mut()[i] += h * d;
            }
            let y = self.replay.with(self.var.id(), &moved, self.output.id());
            // Differences first, sums later: the base has cancelled before rounding can hide it.
            let terms = y.data().iter().zip(base.data()).zip(self.cotangent.iter());
            terms.map(|((y, base), v)| (y - base) * v as f64).sum()
        })
    }

    /// Where the f32 gradient is furthest from the rules in f64, and how far.
    fn worst_of_trained(&self) -> (usize, f64) {
        let off = self.trained.iter().zip(self.rule.data()).map(|(t, r)| (t as f64 - r).abs());
        off.enumerate()
            .fold((0, 0.0), |worst, (i, off)| if off > worst.1 || off.is_nan() { (i, off) } else { worst })
    }

    /// Along a random direction, whether differences contradict the rule; then the element to blame, by halving.
    fn contradicted_direction(&self, largest: f64, rng: &mut Rng) -> Option<(usize, Estimate)> {
        let n = self.rule.data().len();
        let mut direction: Vec<(usize, f64)> =
            (0..n).map(|i| (i, if rng.bits() & 1 == 0 { 1.0 } else { -1.0 })).collect();
        let off = |direction: &[(usize, f64)]| {
            let estimate = self.difference(direction);
            let rule: f64 = direction.iter().map(|&(i, d)| self.rule.data()[i] * d).sum();
            // Rounding of n terms of the largest size, added up.
            let rounding = 1e-13 * largest * direction.len() as f64;
            ((rule - estimate.value).abs() - allowance(&estimate, largest) - rounding, estimate)
        };
        if off(&direction).0 <= 0.0 {
            return None;
        }
        while direction.len() > 1 {
            let right = direction.split_off(direction.len() / 2);
            if off(&right).0 > off(&direction).0 {
                direction = right;
            }
        }
        let (flat, sign) = direction[0];
        let (_, estimate) = off(&direction);
        Some((flat, Estimate { value: estimate.value * sign, ..estimate }))
    }
}

fn unflatten(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (i, &n) in index.iter_mut().zip(shape).rev() {
        *i = flat % n.max(1);
        flat /= n.max(1);
    }
    index
}

/// The gradient of a function of one tensor by central differences in f32, the book's way (chapter 4): two evaluations
/// an element, `(f(x + h) - f(x - h)) / 2h`.
///
/// In f32 this is rough: with values around 1 and the book's `h` of 1e-4 it is right to about three digits. To check a
/// gradient use [`gradcheck`].
///
/// ```
/// use gradus_autograd::{check::numerical_gradient, prelude::*};
///
/// let x = Tensor::from([3.0, 4.0]);
/// let gradient = numerical_gradient(|x| (x * x).sum().item(), &x, 1e-2);
/// assert!((gradient.get([0]) - 6.0).abs() < 1e-2 && (gradient.get([1]) - 8.0).abs() < 1e-2);
/// ```
pub fn numerical_gradient(mut f: impl FnMut(&Tensor) -> f32, x: &Tensor, h: f32) -> Tensor {
    let mut moved = x.clone();
    let values = x.to_vec();
    let mut gradient = Vec::with_capacity(values.len());
    for (i, &value) in values.iter().enumerate() {
        let mut at = |value: f32| {
            moved.as_mut_slice()[i] = value;
            f(&moved)
        };
        let (above, below) = (at(value + h), at(value - h));
        at(value);
        gradient.push((above - below) / (2.0 * h));
    }
    Tensor::new(gradient, x.shape())
}
