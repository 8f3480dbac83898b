//! Derivatives of the output by one input or parameter, along directions, by differences of the replay.

use super::numeric::{self, Estimate};
use crate::replay::Path;
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The work, in elements that a task may pass over, below which another thread is not worth waking.
const PARALLEL: usize = 1 << 15;

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

    /// Whether the derivative by an element does not exist, and the rule lies between its two sides.
    pub(super) fn is_kink(&self, flat: usize, largest: f64) -> bool {
        let (Some(path), point) = (&self.path, &self.point) else { return false };
        let (mut path, direction) = (path.fork().unfrozen(), [(flat, 1.0)]);
        let start = path.moved(&direction, 0.0, &point.weights).change;
        let step = 1e-2 * point.step(&direction);
        let [left, right] = numeric::one_sided(step, point.noise, |h| {
            path.moved(&direction, h, &point.weights).change - start
        });
        let error = 8.0 * (left.error + right.error) + 1e-6 * largest;
        let (low, high) = (left.value.min(right.value) - error, left.value.max(right.value) + error);
        (left.value - right.value).abs() > error && (low..=high).contains(&point.rule[flat])
    }

    /// By how much differences along a direction contradict the rule: positive where they do.
    pub(super) fn contradiction(&self, direction: &[(usize, f64)], estimate: &Estimate, largest: f64) -> f64 {
        self.point.contradiction(direction, estimate, largest)
    }
}

impl Point<'_> {
    fn difference(&self, path: &mut Path<'_>, direction: &[(usize, f64)], largest: f64) -> Difference {
        let size = largest * (direction.len() as f64).sqrt();
        let enough = |e: &Estimate, again: bool| {
            let error = if again { 1e-4 } else { 1e-6 } * size;
            e.error <= error && self.contradiction(direction, e, largest) <= 0.0
        };
        let mut crossed = false;
        let estimate = numeric::derivative(self.step(direction), self.noise, enough, |h| {
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

    /// By how much the rule is further from differences than their error and its own rounding allow.
    fn contradiction(&self, direction: &[(usize, f64)], estimate: &Estimate, largest: f64) -> f64 {
        let rule: f64 = direction.iter().map(|&(i, d)| self.rule[i] * d).sum();
        let rounding = 1e-9 * largest * (direction.len() as f64).sqrt();
        (rule - estimate.value).abs() - (8.0 * estimate.error + rounding)
    }
}
