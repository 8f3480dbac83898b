//! L-BFGS: for models small enough to see all their data at every step.

use crate::{
    flat::{flatten, flatten_gradients, unflatten},
    module::{Module, update_buffers},
};
use gradus_autograd::{Gradients, Tape, Var, exact, op::reference::Array};
use gradus_tensor::Tensor;
use std::collections::VecDeque;

/// L-BFGS (J. Nocedal, 1980) with a line search for the strong Wolfe conditions (Nocedal and Wright, Numerical
/// Optimization, 2006, algorithms 3.5, 3.6 and 7.5).
///
/// It is for smooth losses without randomness, over all the data at once: where those hold it takes tens of steps for
/// thousands of another optimizer's. Frozen parameters stay: the loss has no gradient by them.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::optim::Lbfgs;
///
/// // Rosenbrock's function: a curved valley with its lowest point at (1, 1).
/// let mut x = Param::new([-1.2, 1.0]);
/// let found = Lbfgs::default().step(&mut x, |x| {
///     let (loss, gradients, ()) = Tape::new().step(|tape| {
///         let v = tape.param(x);
///         let (a, b) = (v.slice(0, 0..1), v.slice(0, 1..2));
///         (((b - a * a).square() * 100.0 + (1.0 - a).square()).sum(), ())
///     });
///     (loss, gradients)
/// });
/// assert!(found.loss < 1e-8 && found.iterations < 60, "{found:?}");
/// ```
#[doc(alias = "LBFGS")]
#[derive(Clone, Debug)]
pub struct Lbfgs {
    /// Iterations at most.
    pub max_iterations: usize,
    /// How many of the last steps the curvature is taken from.
    pub history: usize,
    /// It ends where no element of the gradient is greater than this.
    pub tolerance: f64,
}

impl Default for Lbfgs {
    /// 100 iterations, 10 remembered steps, a tolerance of 1e-7.
    fn default() -> Lbfgs {
        Lbfgs { max_iterations: 100, history: 10, tolerance: 1e-7 }
    }
}

/// Where a minimisation ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Minimum {
    /// The loss there.
    pub loss: f64,
    /// Iterations made.
    pub iterations: usize,
    /// How often the loss was computed.
    pub evaluations: usize,
    /// Whether the gradient is within the tolerance; if not, the iterations were used up, or rounding hides any
    /// further progress.
    pub converged: bool,
}

impl Lbfgs {
    /// Minimises a loss over the parameters of a model. `closure` computes the loss and its gradients; it is called
    /// several times an iteration, and buffers change at each, as in PyTorch.
    ///
    /// # Panics
    /// When the loss at the start is not finite; when the gradients are of a tape on which nobody decided whether it trains; when
    /// the tolerance is negative or NaN, or the history 0.
    #[track_caller]
    pub fn step<M: Module>(&self, model: &mut M, mut closure: impl FnMut(&M) -> (f32, Gradients)) -> Minimum {
        let mut x: Vec<f64> = flatten(model).iter().map(f64::from).collect();
        let found = self.minimize(&mut x, |x| {
            put(model, x);
            let (loss, gradients) = closure(model);
            gradients.check_mode();
            update_buffers(model, &gradients);
            (loss.into(), flatten_gradients(model, &gradients).iter().map(f64::from).collect())
        });
        put(model, &x);
        found
    }

    /// Like [`step`](Lbfgs::step), with the loss and its gradients [in f64](exact): where seven digits stop the search before the
    /// loss is as low as it gets. At the end the parameters are rounded to f32.
    ///
    /// `loss` is recorded on `tape`, anew for each of the points, whose mode decides how layers work; buffers stay. An
    /// evaluation is much slower than one of `step`: no kernel is in it.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// use gradus_nn::optim::Lbfgs;
    ///
    /// let mut x = Param::new([-1.2, 1.0]);
    /// let lbfgs = Lbfgs { tolerance: 1e-12, ..Lbfgs::default() };
    /// let found = lbfgs.step_exact(&mut Tape::evaluating(), &mut x, |tape, x| {
    ///     let v = tape.param(x);
    ///     let (a, b) = (v.slice(0, 0..1), v.slice(0, 1..2));
    ///     ((b - a * a).square() * 100.0 + (1.0 - a).square()).sum()
    /// });
    /// assert!(found.converged && found.loss < 1e-24, "{found:?}");
    /// ```
    ///
    /// # Panics
    /// When the loss at the start is not finite, or has more than one element; when nobody decided whether the tape trains; when the
    /// tolerance is negative or NaN, or the history 0.
    #[track_caller]
    pub fn step_exact<M: Module>(
        &self,
        tape: &mut Tape,
        model: &mut M,
        loss: impl for<'t> Fn(&'t Tape, &M) -> Var<'t>,
    ) -> Minimum {
        let mut x: Vec<f64> = flatten(model).iter().map(f64::from).collect();
        let found = self.minimize(&mut x, |x| {
            put(model, x);
            tape.clear();
            let loss = loss(tape, model);
            tape.check_mode();
            let (mut inputs, mut places, mut end) = (Vec::new(), Vec::new(), 0);
            for (_, param) in model.params().into_iter().filter(|(_, param)| !param.is_buffer()) {
                let place = end..end + param.value().numel();
                end = place.end;
                if !param.is_frozen() {
                    let elements = x[place.clone()].to_vec();
                    inputs.push((tape.param(param), Array::new(elements, param.value().shape())));
                    places.push(place);
                }
            }
            let (value, gradients) = exact::at(loss, &inputs);
            let mut gradient = vec![0.0; x.len()];
            for (place, by_param) in places.into_iter().zip(gradients) {
                gradient[place].copy_from_slice(by_param.data());
            }
            (value, gradient)
        });
        tape.clear();
        put(model, &x);
        found
    }

    /// Minimises a function of plain numbers, which gives its value and its gradient at `x`, from `x` on.
    ///
    /// ```
    /// use gradus_nn::optim::Lbfgs;
    ///
    /// let mut x = [5.0, -3.0];
    /// let bowl = |x: &[f64]| (x[0] * x[0] + 10.0 * x[1] * x[1], vec![2.0 * x[0], 20.0 * x[1]]);
    /// assert!(Lbfgs::default().minimize(&mut x, bowl).converged);
    /// assert!(x.iter().all(|x| x.abs() < 1e-7));
    /// ```
    ///
    /// # Panics
    /// When the function's value at the start is not finite; when the tolerance is negative or NaN, or the history 0.
    #[track_caller]
    pub fn minimize(&self, x: &mut [f64], f: impl FnMut(&[f64]) -> (f64, Vec<f64>)) -> Minimum {
        assert!(
            self.tolerance >= 0.0 && self.history > 0,
            "lbfgs: a tolerance of {} and a history of {} steps; it needs at least 0 and 1",
            self.tolerance,
            self.history
        );
        let mut search = LineSearch { f, evaluations: 0 };
        let mut here = search.at(x.to_vec(), 0.0, &vec![0.0; x.len()]);
        assert!(here.value.is_finite(), "lbfgs: the loss at the start is {}: it must be finite", here.value);
        let mut steps: VecDeque<Step> = VecDeque::new();
        let mut iterations = 0;
        while iterations < self.max_iterations && max_abs(&here.gradient) > self.tolerance {
            let mut direction = direction(&steps, &here.gradient);
            if dot(&direction, &here.gradient) >= 0.0 {
                // Rounding has spoilt the curvature: start it anew.
                steps.clear();
                direction = here.gradient.iter().map(|g| -g).collect();
            }
            // Without curvature nothing is known of a step's length: one of about 1 in all.
            let first = match steps.is_empty() {
                true => (1.0 / direction.iter().map(|d| d.abs()).sum::<f64>()).min(1.0),
                false => 1.0,
            };
            let Some(next) = search.along(&here, &direction, first) else { break };
            iterations += 1;
            let step = Step::new(&here, &next);
            let stuck = next.value >= here.value && max_abs(&step.s) == 0.0;
            // Only a positive curvature keeps the direction one of descent.
            if step.curvature > 1e-10 * dot(&step.y, &step.y) {
                steps.push_back(step);
                if steps.len() > self.history {
                    steps.pop_front();
                }
            }
            here = next;
            if stuck {
                break;
            }
        }
        x.copy_from_slice(&here.x);
        Minimum {
            loss: here.value,
            iterations,
            evaluations: search.evaluations,
            converged: max_abs(&here.gradient) <= self.tolerance,
        }
    }
}

fn put(model: &mut dyn Module, x: &[f64]) {
    let vector: Vec<f32> = x.iter().map(|&x| x as f32).collect();
    unflatten(model, &Tensor::new(&vector, [vector.len()]));
}

/// A point on a line, with the function's value, gradient and slope along the line there.
#[derive(Clone)]
struct Point {
    t: f64,
    x: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
    slope: f64,
}

/// A step s and the change y of the gradient over it.
struct Step {
    s: Vec<f64>,
    y: Vec<f64>,
    /// sᵀy
    curvature: f64,
}

impl Step {
    fn new(from: &Point, to: &Point) -> Step {
        let difference = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>();
        let (s, y) = (difference(&to.x, &from.x), difference(&to.gradient, &from.gradient));
        Step { curvature: dot(&s, &y), s, y }
    }
}

/// The negative gradient times the inverse Hessian that the last steps suggest.
fn direction(steps: &VecDeque<Step>, gradient: &[f64]) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut alphas = Vec::new();
    for step in steps.iter().rev() {
        let alpha = dot(&step.s, &q) / step.curvature;
        add_scaled(&mut q, -alpha, &step.y);
        alphas.push(alpha);
    }
    if let Some(last) = steps.back() {
        let scale = last.curvature / dot(&last.y, &last.y);
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for (step, alpha) in steps.iter().zip(alphas.into_iter().rev()) {
        let beta = dot(&step.y, &q) / step.curvature;
        add_scaled(&mut q, alpha - beta, &step.s);
    }
    q
}

struct LineSearch<F> {
    f: F,
    evaluations: usize,
}

/// Of the Wolfe conditions: how much of the first slope's promise the value must keep, and how much of the slope may be
/// left.
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;
/// More evaluations on one line find nothing that rounding does not hide.
const EVALUATIONS: usize = 25;

impl<F: FnMut(&[f64]) -> (f64, Vec<f64>)> LineSearch<F> {
    fn at(&mut self, x: Vec<f64>, t: f64, direction: &[f64]) -> Point {
        self.evaluations += 1;
        let (value, gradient) = (self.f)(&x);
        let slope = dot(&gradient, direction);
        Point { t, x, value, gradient, slope }
    }

    fn step(&mut self, from: &Point, direction: &[f64], t: f64) -> Point {
        let mut x = from.x.clone();
        add_scaled(&mut x, t, direction);
        self.at(x, t, direction)
    }

    /// A point along the direction with the strong Wolfe conditions, or at least a lower value.
    fn along(&mut self, from: &Point, direction: &[f64], first: f64) -> Option<Point> {
        let start = Point { t: 0.0, slope: dot(&from.gradient, direction), ..from.clone() };
        let (mut before, mut t) = (start.clone(), first);
        for i in 0..EVALUATIONS {
            let point = self.step(&start, direction, t);
            if !(point.value.is_finite() && point.slope.is_finite()) {
                t = 0.5 * (before.t + t);
                continue;
            }
            if point.value > start.value + DECREASE * t * start.slope || i > 0 && point.value >= before.value
            {
                return self.between(&start, direction, before, point);
            }
            if point.slope.abs() <= -CURVATURE * start.slope {
                return Some(point);
            }
            if point.slope >= 0.0 {
                return self.between(&start, direction, point, before);
            }
            before = point;
            t *= 2.0;
        }
        (before.t > 0.0).then_some(before)
    }

    /// Such a point between two, of which the first has the lower value and a slope towards the second.
    fn between(
        &mut self,
        start: &Point,
        direction: &[f64],
        mut low: Point,
        mut high: Point,
    ) -> Option<Point> {
        for _ in 0..EVALUATIONS {
            let point = self.step(start, direction, cubic_minimum(&low, &high));
            let too_high = point.value > start.value + DECREASE * point.t * start.slope;
            if !point.value.is_finite() || too_high || point.value >= low.value {
                high = point;
                continue;
            }
            if point.slope.abs() <= -CURVATURE * start.slope {
                return Some(point);
            }
            if point.slope * (high.t - low.t) >= 0.0 {
                high = low;
            }
            low = point;
        }
        (low.t > 0.0).then_some(low)
    }
}

/// Where the cubic through two points with their slopes is lowest, kept off the ends; their middle if there is no such
/// cubic.
fn cubic_minimum(a: &Point, b: &Point) -> f64 {
    let span = b.t - a.t;
    let d1 = a.slope + b.slope - 3.0 * (b.value - a.value) / span;
    let d2 = (d1 * d1 - a.slope * b.slope).sqrt().copysign(span);
    let t = b.t - span * (b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2);
    let share = (t - a.t) / span;
    // NaN falls to the middle too.
    a.t + span
        * if (0.1..=0.9).contains(&share) {
            share
        } else if share > 0.9 {
            0.9
        } else {
            0.5
        }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn max_abs(x: &[f64]) -> f64 {
    x.iter().fold(0.0, |max, x| x.abs().max(max))
}

fn add_scaled(x: &mut [f64], factor: f64, y: &[f64]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += factor * y);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rosenbrock(x: &[f64]) -> (f64, Vec<f64>) {
        let (valley, slope) = (x[1] - x[0] * x[0], 1.0 - x[0]);
        (100.0 * valley * valley + slope * slope, vec![-400.0 * x[0] * valley - 2.0 * slope, 200.0 * valley])
    }

    #[test]
    fn rosenbrocks_function_is_minimised() {
        for start in [[-1.2, 1.0], [0.0, 2.0], [3.0, -4.0]] {
            let mut x = start;
            let found = Lbfgs::default().minimize(&mut x, rosenbrock);
            assert!(found.converged && found.iterations <= 80, "{start:?}: {found:?}");
            assert!((x[0] - 1.0).abs() < 1e-6 && (x[1] - 1.0).abs() < 1e-6, "{start:?}: {x:?}");
        }
    }

    #[test]
    fn a_quadratic_of_many_scales_takes_few_steps() {
        let scales: Vec<f64> = (0..40).map(|i| 10f64.powf(i as f64 / 13.0)).collect();
        let f = |x: &[f64]| {
            let value = x.iter().zip(&scales).map(|(x, s)| 0.5 * s * x * x).sum();
            (value, x.iter().zip(&scales).map(|(x, s)| s * x).collect())
        };
        // Gradient descent with the best rate needs about κ/2 ln(1/ε) steps, here 8000.
        let mut x = vec![1.0; 40];
        let found = Lbfgs { max_iterations: 400, ..Lbfgs::default() }.minimize(&mut x, f);
        assert!(found.converged, "{found:?}");
    }

    #[test]
    fn infinite_values_are_stepped_back_from() {
        // -ln x + x has its minimum at 1, and no value at and below 0.
        let f =
            |x: &[f64]| (if x[0] > 0.0 { x[0] - x[0].ln() } else { f64::INFINITY }, vec![1.0 - 1.0 / x[0]]);
        let mut x = [30.0];
        assert!(Lbfgs::default().minimize(&mut x, f).converged);
        assert!((x[0] - 1.0).abs() < 1e-6);
    }

    #[test]
    fn limits_hold() {
        let mut x = [-1.2, 1.0];
        let found = Lbfgs { max_iterations: 3, ..Lbfgs::default() }.minimize(&mut x, rosenbrock);
        assert_eq!((found.iterations, found.converged), (3, false));
        let mut x = [1.0, 1.0];
        let found = Lbfgs::default().minimize(&mut x, rosenbrock);
        assert_eq!((found.iterations, found.evaluations, found.converged), (0, 1, true));
    }

    #[test]
    #[should_panic = "lbfgs: the loss at the start is NaN"]
    fn a_start_without_a_loss_panics() {
        Lbfgs::default().minimize(&mut [0.0], |_| (f64::NAN, vec![0.0]));
    }
}
