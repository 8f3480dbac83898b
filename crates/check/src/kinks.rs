//! Kinks that several elements share, as equal ones share a maximum.

use crate::{
    estimate::Estimate,
    ladder::Line,
    rng::Rng,
    search::{Direction, MOST_FOUND, Search, Task},
    slope::{self, Claim},
    verdict::{Judgement, Reason, Verdict},
};
use std::collections::BTreeMap;

/// Of how many kinks the elements that share them are searched for.
const MOST_SHARED: usize = 4;

impl Search<'_> {
    /// Where elements share a kink, as equal ones share a maximum, the gradient must lie between the slopes of both moved
    /// together, too.
    pub(crate) fn judge_kinks_together(&mut self) {
        // A jump is no kink.
        let between = |flat: &usize| self.judged[flat].reason == Reason::Between;
        let kinks: Vec<usize> = self.kinks.iter().copied().filter(between).take(MOST_FOUND).collect();
        let mut pairs: Vec<(usize, usize)> = kinks
            .iter()
            .enumerate()
            .flat_map(|(k, &a)| kinks[k + 1..].iter().map(move |&b| (a, b)))
            .collect();
        for &a in kinks.iter().take(MOST_SHARED) {
            let Some(b) = self.partner(a).filter(|b| !kinks.contains(b)) else { continue };
            let alone = self.judge_alone(&[self.task(b)]).swap_remove(0);
            // Where branches are not known, who shares a kink is at one.
            let agrees = alone.reason == Reason::Agrees && self.subject.knows_branches();
            if agrees || alone.reason == Reason::Between {
                pairs.push((a, b));
            }
            self.note(b, alone);
        }
        // By element: the slopes to both sides of it by itself.
        let mut alone: BTreeMap<usize, [Estimate; 2]> = BTreeMap::new();
        let mut together = Vec::new();
        for (a, b) in pairs {
            let (first, second) = (self.task(a), self.task(b));
            let mut line = first.line;
            line.scale = line.scale.max(second.line.scale);
            line.largest = line.largest.max(second.line.largest);
            line.smallest = line.smallest.max(second.line.smallest);
            let claim = Claim {
                value: first.claim.value + second.claim.value,
                slack: first.claim.slack + second.claim.slack,
                size: first.claim.size.max(second.claim.size),
            };
            let task = Task { direction: vec![(a, 1.0), (b, 1.0)], line, claim };
            let both = self.judge_with_kinks(&task);
            // Two kinks that have nothing to do with one another add up.
            let mut adds_up = || {
                let both = self.sides(&task.direction, line);
                let [first, second] = [(a, &first), (b, &second)].map(|(flat, task)| {
                    *alone.entry(flat).or_insert_with(|| self.sides(&task.direction, task.line))
                });
                (0..2).all(|side| {
                    let (both, a, b) = (both[side], first[side], second[side]);
                    (both.value - a.value - b.value).abs() <= 2.0 * (both.error + a.error + b.error)
                })
            };
            if both.verdict == Verdict::Wrong && !adds_up() {
                together.push((a, b, Judgement { reason: Reason::Outside, ..both }));
            }
        }
        self.together.extend(together);
    }

    /// The slopes of the function to both sides.
    fn sides(&self, direction: &[(usize, f64)], line: Line) -> [Estimate; 2] {
        slope::sides(&mut |t| self.subject.value(direction, t), &line)
    }

    /// An element that shares the kink of another one, if any does: moved together they do something else than both alone.
    fn partner(&self, kink: usize) -> Option<usize> {
        let scale = self.size(kink);
        let mut rng = Rng::seed(self.check.seed ^ kink as u64);
        let others: Direction = (0..self.given.x.len())
            .map(|i| (i, rng.normal().abs() * self.size(i) / scale))
            .filter(|&(i, _)| i != kink)
            .collect();
        let line = self.task(kink).line;
        let sides = |direction: &[(usize, f64)]| self.sides(direction, line);
        let alone = sides(&[(kink, 1.0)]);
        // By how much the slopes of both together are not the sum.
        let interplay = |part: &[(usize, f64)]| {
            let both: Direction = part.iter().copied().chain([(kink, 1.0)]).collect();
            let (part, both) = (sides(part), sides(&both));
            let off = (0..2).map(|side| {
                let (both, part, alone) = (both[side], part[side], alone[side]);
                (both.value - part.value - alone.value).abs() - 2.0 * (both.error + part.error + alone.error)
            });
            off.fold(0.0, f64::max)
        };
        let jump = (alone[0].value - alone[1].value).abs();
        let turned = |sign: f64| -> Direction { others.iter().map(|&(i, d)| (i, sign * d)).collect() };
        let shared = [1.0, -1.0].map(turned).into_iter().find(|all| interplay(all) > 0.01 * jump)?;
        self.halve(&shared, |_, half| interplay(half))
    }
}
