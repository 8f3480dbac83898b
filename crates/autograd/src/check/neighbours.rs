//! Whether recorded rules hold beside the point where they were recorded, as they must to be differentiated again.
//!
//! Differences of a recorded gradient cannot see that a rule read a number where it should have read a variable: in the
//! recording it is a constant, to the rule's own derivative and to differences alike. At other values of the inputs the
//! rule with that constant is no longer the gradient.

use super::ridders::{self, Estimate};
use crate::{op::reference::Array, replay::Replay};
use gradus_tensor::Rng;

/// A gradient of the weighted output, as recorded.
pub(super) struct Recorded<'a> {
    pub(super) replay: &'a Replay<'a>,
    /// All variables.
    pub(super) vars: &'a [u32],
    pub(super) output: u32,
    pub(super) weights: &'a [f64],
    /// The rounding error of the weighted output.
    pub(super) noise: f64,
}

impl Recorded<'_> {
    /// The derivative along a random direction in one variable, by its rule and by differences, where they contradict each
    /// other beside the recorded point.
    pub(super) fn contradiction(&self, var: u32, rule: u32, rng: &mut Rng) -> Option<(f64, Estimate)> {
        let replay = self.replay;
        // In proportion, so that no element leaves the side of zero that it is on.
        let beside = |id: u32, rng: &mut Rng| {
            (id, replay.base(id).map(|x| x * (1.0 + 0.02 * f64::from(rng.uniform(-1.0, 1.0)))))
        };
        let mut point: Vec<(u32, Array)> = self.vars.iter().map(|&id| beside(id, rng)).collect();
        let place = self.vars.iter().position(|&id| id == var)?;
        let values = replay.at(&point, rule.max(self.output));
        let start = values[self.output as usize].clone();
        let direction: Vec<f64> =
            (0..point[place].1.data().len()).map(|_| if rng.bits() & 1 == 0 { 1.0 } else { -1.0 }).collect();
        let found: f64 = values[rule as usize].data().iter().zip(&direction).map(|(r, d)| r * d).sum();
        let x = point[place].1.clone();
        let size = x.data().iter().map(|x| x.abs()).fold(0.0, f64::max);
        let step = 1e-3 * if size > 0.0 { size } else { 0.1 } / (direction.len().max(1) as f64).sqrt();
        let largest = values[rule as usize].data().iter().fold(0.0f64, |m, r| m.max(r.abs()));
        let terms = largest * (direction.len() as f64).sqrt();
        let enough = |e: &Estimate, again: bool| e.error <= if again { 1e-4 } else { 1e-7 } * terms;
        let estimate = ridders::derivative(step, self.noise, enough, |h| {
            for ((to, x), d) in point[place].1.data_mut().iter_mut().zip(x.data()).zip(&direction) {
                *to = x + h * d;
            }
            let y = replay.at(&point, self.output).swap_remove(self.output as usize);
            let changes = y.data().iter().zip(start.data()).map(|(y, start)| y - start);
            changes.zip(self.weights).map(|(change, weight)| change * weight).sum()
        });
        // A constant of the rule may have been rounded to f32 where it was recorded: that is no fault here.
        let allowed = 8.0 * estimate.error + 1e-6 * terms;
        ((found - estimate.value).abs() > allowed).then_some((found, estimate))
    }
}
