//! Whether recorded rules hold beside the point where they were recorded, as they must to be differentiated again.
//!
//! Differences of a recorded gradient cannot see that a rule read a number where it should have read a variable: in the
//! recording it is a constant, to the rule's own derivative and to differences alike. At other values of the inputs the
//! rule with that constant is no longer the gradient.

use crate::{op::reference::Array, replay::Replay};
use gradus_check::{Claim, Judgement, Line, Verdict, judge};
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
    /// The judgement on the derivative along a random direction in one variable by its rule, beside the recorded point, where
    /// differences contradict it.
    pub(super) fn contradiction(&self, var: u32, rule: u32, rng: &mut Rng) -> Option<Judgement> {
        let replay = self.replay;
        // In proportion, so that no element leaves the side of zero that it is on.
        let beside = |id: u32, rng: &mut Rng| {
            (id, replay.base(id).map(|x| x * (1.0 + 0.02 * f64::from(rng.uniform(-1.0, 1.0)))))
        };
        let mut point: Vec<(u32, Array)> = self.vars.iter().map(|&id| beside(id, rng)).collect();
        let place = self.vars.iter().position(|&id| id == var)?;
        let values = replay.values_at(&|id| replay.leaf(&point, id), &[self.output, rule]);
        let (start, gradient) = (values[0].clone(), &values[1]);
        let x = point[place].1.clone();
        let size = x.data().iter().map(|x| x.abs()).fold(0.0, f64::max);
        let scale = if size > 0.0 { size } else { 1.0 } / (x.data().len().max(1) as f64).sqrt();
        let direction: Vec<f64> = x.data().iter().map(|_| f64::from(rng.normal())).collect();
        let terms = gradient.data().iter().zip(&direction).map(|(r, d)| r * d);
        let magnitude: f64 =
            start.data().iter().zip(self.weights).map(|(y, weight)| (y * weight).abs()).sum();
        let spread = terms.clone().map(|term| term * term).sum::<f64>().sqrt();
        // A constant of the rule may have been rounded to f32 where it was recorded: that is no fault here.
        let claim = Claim { value: terms.sum(), slack: 1e-6 * spread, size: spread };
        let mut line = Line::through(scale, scale, f64::EPSILON);
        (line.noise, line.size, line.largest) =
            (self.noise, magnitude.max(self.noise / (8.0 * f64::EPSILON)), 0.1 * scale);
        let change = |t: f64| {
            for ((to, x), d) in point[place].1.data_mut().iter_mut().zip(x.data()).zip(&direction) {
                *to = x + t * d;
            }
            let y = replay.values_at(&|id| replay.leaf(&point, id), &[self.output]).swap_remove(0);
            let changes = y.data().iter().zip(start.data()).map(|(y, start)| y - start);
            changes.zip(self.weights).map(|(change, weight)| change * weight).sum()
        };
        Some(judge(change, &line, &claim)).filter(|judgement| judgement.verdict == Verdict::Wrong)
    }
}
