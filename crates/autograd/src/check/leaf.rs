//! The check of one input or parameter: its row in the report.

use super::{
    directions::{Difference, Differences, Direction, SURE},
    gradcheck::{GradCheck, Subject},
    neighbours::Recorded,
    pattern::{Pair, Pattern, pattern},
    report::{Row, Verdict},
    ridders::Estimate,
    rounding::Rounding,
};
use crate::{
    op::reference::{Array, unflatten},
    replay::Replay,
    tape::var::Var,
};
use gradus_tensor::Rng;
use std::{borrow::Cow, collections::BTreeSet};

/// How many kinks a random direction may be freed of before it is given up; how many elements may share one.
const MOST_KINKS: usize = 16;

/// One input or parameter of the recorded computation.
pub(super) struct Leaf<'a> {
    replay: &'a Replay<'a>,
    subject: &'a Subject<'a>,
    var: Var<'a>,
    x: &'a Array,
    /// The rounding error of the weighted output.
    noise: f64,
    /// The gradient that training would use.
    trained: Vec<f64>,
    /// The node of the recorded rule.
    rule_id: Option<u32>,
    /// The backward rules in f64.
    rule: Cow<'a, [f64]>,
    /// How far the one may be from the other by rounding.
    bounds: Vec<f64>,
}

impl<'a> Leaf<'a> {
    /// The `i`-th variable of a subject.
    pub(super) fn new(
        replay: &'a Replay<'a>,
        rounding: &Rounding,
        subject: &'a Subject<'a>,
        i: usize,
        var: Var<'a>,
    ) -> Leaf<'a> {
        let x = replay.base(var.id());
        let n = x.data().len();
        let (rule, bounds) = match subject.rules[i] {
            Some(rule) => (replay.base(rule.id()).data().into(), rounding.bounds(replay, rule.id())),
            None => (vec![0.0; n].into(), vec![0.0; n]),
        };
        let trained = match &subject.trained[i] {
            Some(gradient) => gradient.iter().map(f64::from).collect(),
            None => vec![0.0; n],
        };
        let noise = rounding.noise(replay, subject.output.id(), &subject.weights());
        let rule_id = subject.rules[i].map(|rule| rule.id());
        Leaf { replay, subject, var, x, noise, trained, rule_id, rule, bounds }
    }

    pub(super) fn row(&self, check: &GradCheck, name: String, rng: &mut Rng) -> Row {
        let n = self.rule.len();
        let (x, weights) = (self.x.data(), self.subject.weights());
        let path = self.replay.path(self.var.id(), self.subject.output.id());
        let differences = Differences::new(path, x, &self.rule, weights, self.noise);
        let imprecise = self.least_precise();
        let chosen: Vec<usize> = match imprecise {
            Some(imprecise) => self.chosen(check.elements, imprecise, rng),
            None => Vec::new(),
        };
        let largest_rule = finite_maximum(self.rule.iter());
        let tasks: Vec<Direction> = chosen.iter().map(|&flat| vec![(flat, 1.0)]).collect();
        let found = differences.along(&tasks, largest_rule);
        let largest = largest_rule.max(finite_maximum(found.iter().map(|d| &d.estimate.value)));
        let crossed = chosen.iter().zip(&found).filter(|(_, d)| d.crossed).map(|(&flat, _)| flat);
        let near_kinks = crossed.take(MOST_KINKS).collect();
        let mut search = Search { differences, largest, near_kinks, kinks: BTreeSet::new() };

        let pairs: Vec<Pair> =
            chosen.iter().zip(&found).map(|(&flat, d)| self.pair(&mut search, flat, d)).collect();
        let off = |pair: &&Pair| (pair.found - pair.right).abs();
        let mut wrong = pairs.iter().filter(|pair| pair.wrong).copied().collect::<Vec<_>>();
        wrong.sort_by(|a, b| off(&b).total_cmp(&off(&a)));
        let mut wrong = wrong.first().map(|pair| pair.flat);
        let mut pairs = pairs;
        let mut directions = 0;
        if wrong.is_none() && chosen.len() < n {
            directions = check.directions;
            wrong = search.contradicted(n, directions, rng);
            if let Some(flat) = wrong {
                let right = search.differences.finest(flat).value;
                pairs.push(Pair { flat, found: self.rule[flat], right, wrong: true });
            }
        }
        let verdict = self.verdict(check, &search, wrong.is_some(), imprecise, &found);
        let worst = match verdict {
            Verdict::Inconclusive => self.least_certain(&chosen, &found),
            _ => wrong.or(search.kinks.first().copied()).or(imprecise),
        };
        let worst = worst.unwrap_or(0);
        let numeric = match n {
            0 => Estimate { value: 0.0, error: 0.0 },
            _ => search.differences.finest(worst),
        };
        if verdict == Verdict::PoorPrecision {
            let most = check.tolerance * largest;
            pairs = (0..n).map(|flat| self.precision_pair(flat, most)).collect();
        }
        let tape = self.trained.get(worst).copied().unwrap_or(0.0);
        let off = (tape - numeric.value).abs();
        Row {
            name,
            shape: self.x.shape().to_vec(),
            order: self.subject.order,
            worst: unflatten(worst, self.x.shape()),
            tape: tape as f32,
            rule: self.rule.get(worst).copied().unwrap_or(0.0),
            numeric,
            rounding: self.bounds.get(worst).copied().unwrap_or(0.0),
            error: if off == 0.0 { 0.0 } else { off / largest },
            verdict,
            differenced: chosen.len(),
            directions,
            crossed: found.iter().filter(|d| d.crossed).count(),
            pattern: pattern(&pairs, self.x.shape()),
            blame: None,
        }
    }

    /// Lets a row of the second order fail if the rule is the gradient only at the recorded point.
    pub(super) fn is_gradient_beside(&self, vars: &[Var<'_>], row: &mut Row, rng: &mut Rng) {
        let ids: Vec<u32> = vars.iter().map(|var| var.id()).collect();
        let weights = self.subject.weights();
        let output = self.subject.output.id();
        let recorded =
            Recorded { replay: self.replay, vars: &ids, output, weights: &weights, noise: self.noise };
        let Some(rule) = self.rule_id else { return };
        if let Some((rule, numeric)) = recorded.contradiction(self.var.id(), rule, rng) {
            row.verdict = Verdict::WrongFormula;
            (row.rule, row.numeric, row.pattern) = (rule, numeric, Some(Pattern::Constant));
        }
    }

    fn verdict(
        &self,
        check: &GradCheck,
        search: &Search<'_>,
        wrong: bool,
        imprecise: Option<usize>,
        found: &[Difference],
    ) -> Verdict {
        let largest = search.largest;
        let precise = imprecise.is_none_or(|at| !self.precision_pair(at, check.tolerance * largest).wrong);
        let uncertain = |e: f64| e.is_nan() || e > SURE * largest;
        match () {
            _ if self.rule.is_empty() => Verdict::Pass,
            _ if wrong => Verdict::WrongFormula,
            _ if self.rule.iter().any(|r| !r.is_finite()) => Verdict::Inconclusive,
            _ if self.is_zero(found) && self.subject.order == 1 => Verdict::NoGradient,
            _ if self.is_zero(found) => Verdict::Pass,
            _ if !precise => Verdict::PoorPrecision,
            _ if found.iter().any(|d| uncertain(d.estimate.error)) => Verdict::Inconclusive,
            _ if !search.kinks.is_empty() => Verdict::Kink,
            _ => Verdict::Pass,
        }
    }

    /// Whether there is no gradient but the rounding of f64, as of the sum of a softmax.
    fn is_zero(&self, found: &[Difference]) -> bool {
        let bound = finite_maximum(self.bounds.iter());
        let rounding = 16.0 * bound * f64::EPSILON / f64::from(f32::EPSILON);
        let within = |e: &Estimate| e.value.abs() <= 8.0 * e.error;
        finite_maximum(self.rule.iter()) <= rounding
            && finite_maximum(self.trained.iter()) <= bound
            && found.iter().all(|d| within(&d.estimate))
    }

    /// The rule at an element beside the differences there; what is a kink is noted and not wrong.
    fn pair(&self, search: &mut Search<'_>, flat: usize, difference: &Difference) -> Pair {
        let estimate = &difference.estimate;
        let contradicted = search.differences.contradiction(&[(flat, 1.0)], estimate, search.largest) > 0.0;
        Pair {
            flat,
            found: self.rule[flat],
            right: estimate.value,
            wrong: contradicted && !search.is_kink(flat),
        }
    }

    /// The element whose f32 gradient is furthest from the rule in f64, in units of what rounding explains.
    fn least_precise(&self) -> Option<usize> {
        let off = |i: usize| {
            let off = (self.trained[i] - self.rule[i]).abs() / self.bounds[i];
            // NaN is furthest, unless both are exact.
            if self.trained[i] == self.rule[i] {
                0.0
            } else if off.is_nan() {
                f64::INFINITY
            } else {
                off
            }
        };
        (0..self.rule.len()).map(|i| (i, off(i))).reduce(|a, b| if b.1 > a.1 { b } else { a }).map(|(i, _)| i)
    }

    /// The element that cannot be judged: where the rule is not finite, or else where differences are least sure.
    fn least_certain(&self, chosen: &[usize], found: &[Difference]) -> Option<usize> {
        let errors = chosen.iter().zip(found).map(|(&flat, d)| (flat, d.estimate.error));
        let least = errors.reduce(|a, b| if b.1 > a.1 || b.1.is_nan() { b } else { a });
        self.rule.iter().position(|r| !r.is_finite()).or(least.map(|(flat, _)| flat))
    }

    /// The f32 gradient at an element beside the rule in f64.
    fn precision_pair(&self, flat: usize, most: f64) -> Pair {
        let (found, right) = (self.trained[flat], self.rule[flat]);
        let close = (found - right).abs() <= self.bounds[flat].min(most);
        Pair { flat, found, right, wrong: !close && found != right }
    }

    /// The elements to difference one by one: all, or both ends of every axis, the last lanes of vectors, borders between
    /// threads, the one whose f32 is furthest off, and random ones.
    fn chosen(&self, elements: usize, imprecise: usize, rng: &mut Rng) -> Vec<usize> {
        let n = self.rule.len();
        if n <= elements {
            return (0..n).collect();
        }
        let shape = self.x.shape();
        let mut chosen = vec![imprecise, 0, n - 1, n / 2, n / 2 - 1];
        let last = shape.last().copied().unwrap_or(1);
        chosen.extend([8, 16].iter().map(|lanes| last / lanes * lanes).filter(|&at| at < last));
        for axis in 0..shape.len() {
            let inner: usize = shape[axis + 1..].iter().product();
            for end in [0, shape[axis] - 1] {
                let any = rng.below(n);
                chosen.push(any - any / inner % shape[axis] * inner + end * inner);
            }
        }
        chosen.truncate(elements);
        let mut chosen: BTreeSet<usize> = chosen.into_iter().collect();
        while chosen.len() < elements {
            chosen.insert(rng.below(n));
        }
        chosen.into_iter().collect()
    }
}

/// The search for an element that only random directions have seen.
struct Search<'a> {
    differences: Differences<'a>,
    /// The largest gradient of this input.
    largest: f64,
    /// Some elements whose move crosses a kink.
    near_kinks: Vec<usize>,
    /// Elements where the derivative does not exist and the rule lies between its two sides.
    kinks: BTreeSet<usize>,
}

impl Search<'_> {
    fn is_kink(&mut self, flat: usize) -> bool {
        let is_kink = self.differences.is_kink(flat, &self.near_kinks, self.largest);
        if is_kink {
            self.kinks.insert(flat);
        }
        is_kink
    }

    /// Whether differences along random directions over `n` elements contradict the rule; then the element to blame. What
    /// turns out to be a kink is left out.
    fn contradicted(&mut self, n: usize, directions: usize, rng: &mut Rng) -> Option<usize> {
        let sign = |rng: &mut Rng| if rng.bits() & 1 == 0 { 1.0 } else { -1.0 };
        let mut tasks: Vec<Direction> = (0..directions)
            .map(|_| (0..n).map(|i| (i, sign(rng))).filter(|(i, _)| !self.kinks.contains(i)).collect())
            .collect();
        for _ in 0..=MOST_KINKS {
            let found = self.differences.along(&tasks, self.largest);
            let wrong = (0..tasks.len()).find(|&k| self.off(&tasks[k], &found[k]) > 0.0)?;
            let flat = self.halve(tasks[wrong].clone());
            if !self.is_kink(flat) {
                return Some(flat);
            }
            tasks.iter_mut().for_each(|task| task.retain(|&(i, _)| i != flat));
        }
        None
    }

    fn off(&self, direction: &[(usize, f64)], difference: &Difference) -> f64 {
        self.differences.contradiction(direction, &difference.estimate, self.largest)
    }

    /// The element of a contradicted direction whose half is contradicted more, again and again.
    fn halve(&self, mut direction: Direction) -> usize {
        while direction.len() > 1 {
            let right = direction.split_off(direction.len() / 2);
            let halves = [direction, right];
            let found = self.differences.along(&halves, self.largest);
            let off = [0, 1].map(|k| self.off(&halves[k], &found[k]));
            let [left, right] = halves;
            direction = if off[1] > off[0] { right } else { left };
        }
        direction[0].0
    }
}

fn finite_maximum<'a>(values: impl Iterator<Item = &'a f64>) -> f64 {
    values.filter(|x| x.is_finite()).fold(0.0, |m, x| m.max(x.abs()))
}
