//! Derivatives of the output by one input or parameter, along directions, by differences of the replay.

use super::ridders::{self, Estimate};
use crate::replay::Path;
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The work, in elements that a task may pass over, below which another thread is not worth waking.
const PARALLEL: usize = 1 << 15;

/// How uncertain a difference may be, relative to the largest gradient, to be worth judging by.
pub(super) const SURE: f64 = 1e-4;

/// The elements to move, and by how much each for a step of 1.
pub(super) type Direction = Vec<(usize, f64)>;

/// A derivative along a direction, and whether its steps crossed a kink.
#[derive(Clone, Copy, Debug)]
pub(super) struct Difference {
    pub(super) estimate: Estimate,
    pub(super) crossed: bool,
}

impl Difference {
    /// The exact derivative of what does not depend on the input.
    const ZERO: Difference = Difference { estimate: Estimate { value: 0.0, error: 0.0 }, crossed: false };
}

/// The weighted output as a function of one input, with the rule for its gradient.
pub(super) struct Differences<'a> {
    /// The way to the output; `None` where the output does not depend on the input.
    path: Option<Path<'a>>,
    point: Point<'a>,
}

/// Where differences are taken.
struct Point<'a> {
    x: &'a [f64],
    /// The size of the elements, for steps: their root mean square.
    scale: f64,
    /// The cotangent of the output.
    weights: Vec<f64>,
    /// The rounding error of the weighted output.
    noise: f64,
    /// The backward rules in f64.
    rule: &'a [f64],
}

impl<'a> Differences<'a> {
    /// `noise` is the rounding error of the output times `weights`; `rule` what differences are compared with.
    pub(super) fn new(
        path: Option<Path<'a>>,
        x: &'a [f64],
        rule: &'a [f64],
        weights: Vec<f64>,
        noise: f64,
    ) -> Differences<'a> {
        let squares: f64 = x.iter().map(|x| x * x).sum();
        let scale = (squares / x.len().max(1) as f64).sqrt();
        Differences {
            path,
            point: Point { x, scale: if scale > 0.0 { scale } else { 0.1 }, weights, noise, rule },
        }
    }

    /// The derivatives along these directions, on all threads where it is worth it, as sure as it takes to judge a rule
    /// whose largest element is `largest`.
    pub(super) fn along(&self, tasks: &[Direction], largest: f64) -> Vec<Difference> {
        let Some(path) = &self.path else { return vec![Difference::ZERO; tasks.len()] };
        let work = tasks.len() * path.len();
        let threads = if work < PARALLEL { 1 } else { rayon::current_num_threads().min(tasks.len()) };
        let (next, point) = (AtomicUsize::new(0), &self.point);
        // Tasks are handed out one by one; each leaves its path as it found it, so it does not matter who takes which.
        let run = |path: &mut Path<'_>| {
            let mut found = Vec::new();
            loop {
                let k = next.fetch_add(1, Ordering::Relaxed);
                let Some(task) = tasks.get(k) else { return found };
                found.push((k, point.difference(path, task, largest)));
            }
        };
        let mut paths: Vec<Path<'_>> = (0..threads).map(|_| path.fork()).collect();
        let mut found: Vec<(usize, Difference)> = match &mut paths[..] {
            [] => Vec::new(),
            [path] => run(path),
            paths => paths.par_iter_mut().flat_map_iter(run).collect(),
        };
        found.sort_unstable_by_key(|&(k, _)| k);
        found.into_iter().map(|(_, difference)| difference).collect()
    }

    /// The derivative by one element, as sure as it gets.
    pub(super) fn finest(&self, flat: usize) -> Estimate {
        let difference = |path: &Path<'_>| self.point.difference(&mut path.fork(), &[(flat, 1.0)], 0.0);
        self.path.as_ref().map_or(Difference::ZERO, difference).estimate
    }

    /// Whether the derivative by an element does not exist, and the rule lies between its two sides. Where other elements
    /// share the kink, as equal ones share a maximum, it must do so for both moved together too.
    pub(super) fn is_kink(&self, flat: usize, others: &[usize], largest: f64) -> bool {
        let Some(path) = &self.path else { return false };
        let mut path = path.fork().unfrozen();
        let mut sides = |elements: &[usize]| self.point.sides(&mut path, elements, largest);
        let alone = sides(&[flat]);
        alone.is_kink()
            && alone.hold(self.point.rule[flat])
            && others.iter().filter(|&&other| other != flat).all(|&other| {
                let (its, both) = (sides(&[other]), sides(&[flat, other]));
                // Two kinks that have nothing to do with one another add up.
                let shared = both.differs_from_sum(&alone, &its);
                !shared || both.hold(self.point.rule[flat] + self.point.rule[other])
            })
    }

    /// By how much differences along a direction contradict the rule: positive where they do.
    pub(super) fn contradiction(&self, direction: &[(usize, f64)], estimate: &Estimate, largest: f64) -> f64 {
        self.point.contradiction(direction, estimate, largest)
    }
}

/// The derivatives to the left and to the right.
struct Sides {
    left: f64,
    right: f64,
    error: f64,
}

impl Sides {
    fn is_kink(&self) -> bool {
        (self.left - self.right).abs() > self.error
    }

    /// Whether a derivative lies between them.
    fn hold(&self, rule: f64) -> bool {
        let (low, high) = (self.left.min(self.right), self.left.max(self.right));
        (low - self.error..=high + self.error).contains(&rule)
    }

    fn differs_from_sum(&self, a: &Sides, b: &Sides) -> bool {
        let error = self.error + a.error + b.error;
        (self.left - a.left - b.left).abs() > error || (self.right - a.right - b.right).abs() > error
    }
}

impl Point<'_> {
    /// The derivatives to both sides by these elements together, of the function with all its kinks.
    fn sides(&self, path: &mut Path<'_>, elements: &[usize], largest: f64) -> Sides {
        let direction: Direction = elements.iter().map(|&i| (i, 1.0)).collect();
        let start = path.moved(&direction, 0.0, &self.weights).change;
        let step = 1e-2 * self.step(&direction);
        let [left, right] =
            ridders::one_sided(step, self.noise, |h| path.moved(&direction, h, &self.weights).change - start);
        let error = 8.0 * (left.error + right.error) + 1e-6 * largest;
        Sides { left: left.value, right: right.value, error }
    }

    fn difference(&self, path: &mut Path<'_>, direction: &[(usize, f64)], largest: f64) -> Difference {
        let size = largest * (direction.len() as f64).sqrt();
        let enough = |e: &Estimate, again: bool| {
            let error = if again { SURE } else { 1e-6 } * size;
            e.error <= error && self.contradiction(direction, e, largest) <= 0.0
        };
        let mut crossed = false;
        let estimate = ridders::derivative(self.step(direction), self.noise, enough, |h| {
            let moved = path.moved(direction, h, &self.weights);
            crossed |= moved.flips > 0;
            moved.change
        });
        Difference { estimate, crossed }
    }

    /// The largest step. A direction over many elements goes a step of that size in all of them together.
    fn step(&self, direction: &[(usize, f64)]) -> f64 {
        let size = direction.iter().map(|&(i, _)| self.x[i].abs()).fold(self.scale, f64::max);
        1e-3 * size / (direction.len() as f64).sqrt()
    }

    /// By how much the rule is further from differences than their error and its own rounding allow. A rule that is NaN
    /// or infinite is further than any number where the differences are sure.
    fn contradiction(&self, direction: &[(usize, f64)], estimate: &Estimate, largest: f64) -> f64 {
        let rule: f64 = direction.iter().map(|&(i, d)| self.rule[i] * d).sum();
        let size = largest * (direction.len() as f64).sqrt();
        let off = (rule - estimate.value).abs() - (8.0 * estimate.error + 1e-9 * size);
        match rule.is_finite() {
            false if estimate.error <= SURE * size => f64::INFINITY,
            _ => off,
        }
    }
}
