//! The check of one input or parameter: its row in the report.

use super::{
    directions::Replayed,
    gradcheck::{GradCheck, Subject},
    neighbours::Recorded,
    report::{Row, Verdict},
    rounding::{Rounding, magnitude},
};
use crate::{
    op::reference::{Array, unflatten},
    replay::{Replay, largest_of},
    tape::var::Var,
};
use gradus_check::{
    Check, Claim, Estimate, Finding, Given, Judgement, Pair, Pattern, Place, Reason, Report,
    Verdict as Found, pattern,
};
use gradus_tensor::Rng;
use std::borrow::Cow;

/// One input or parameter of the recorded computation.
pub(super) struct Leaf<'a> {
    replay: &'a Replay<'a>,
    subject: &'a Subject<'a>,
    var: Var<'a>,
    x: &'a Array,
    /// The cotangent of the output.
    weights: Vec<f64>,
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
    /// How far the rules in f64 may be off by their own rounding.
    slack: Vec<f64>,
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
        let rule_id = subject.rules[i].map(|rule| rule.id());
        let (rule, bounds, slack): (Cow<'a, [f64]>, _, _) = match rule_id {
            Some(id) => (replay.base(id).data().into(), rounding.in_f32(id), rounding.in_f64(id)),
            None => (vec![0.0; n].into(), vec![0.0; n], vec![0.0; n]),
        };
        let trained = match &subject.trained[i] {
            Some(gradient) => gradient.iter().map(f64::from).collect(),
            None => vec![0.0; n],
        };
        let weights = subject.weights();
        let noise = rounding.noise(replay, subject.output.id(), &weights);
        Leaf { replay, subject, var, x, weights, noise, trained, rule_id, rule, bounds, slack }
    }

    pub(super) fn row(&self, check: &GradCheck, name: String, rng: &mut Rng) -> Row {
        let n = self.rule.len();
        let path = self.replay.path(self.var.id(), self.subject.output.id());
        let replayed = Replayed::new(path, &self.weights);
        let is_connected = !replayed.is_constant() || self.rule_id.is_some();
        let output = self.replay.base(self.subject.output.id()).data();
        // Of what cancels, noise tells the size of the terms.
        let size = magnitude(output, &self.weights).max(self.noise / (8.0 * f64::EPSILON));
        let given = Given {
            what: "gradient",
            x: self.x.data(),
            gradient: &self.rule,
            shape: self.x.shape(),
            epsilon: f64::EPSILON,
            precision: f64::EPSILON,
            noise: self.noise,
            size,
            slack: &self.slack,
        };
        let settings = Check {
            seed: rng.bits(),
            elements: check.elements,
            directions: check.directions,
            evaluations: usize::MAX,
            strict: check.strict,
            ..Check::default()
        };
        let imprecise = self.least_precise();
        let report = (n > 0).then(|| settings.search(&replayed, &given));
        let largest = largest_of(&self.rule);
        let precision = imprecise.map_or(Precision::Good, |at| self.precision(check, at, largest));
        let verdict = self.verdict(check, report.as_ref(), is_connected, precision);
        // What decided, if it was an element; else the one whose f32 is furthest off.
        let decisive = report.as_ref().and_then(|report| report.findings.first());
        let decisive = decisive.filter(|_| {
            verdict != Verdict::PoorPrecision && !matches!(verdict, Verdict::Pass | Verdict::Zero)
        });
        let worst = match decisive.map(|finding| &finding.place) {
            Some(Place::Element(at) | Place::Together(at, _)) => flatten(at, self.x.shape()),
            _ => imprecise.unwrap_or(0),
        };
        // Before the worst element is looked at once more.
        let crossed = replayed.crossed();
        let judgement = match decisive {
            Some(finding) => finding.judgement,
            None if n > 0 => settings.element(&replayed, &given, worst),
            None => NOTHING,
        };
        let pattern = match verdict {
            Verdict::PoorPrecision => {
                let pairs: Vec<Pair> =
                    (0..n).map(|flat| self.precision_pair(flat, check.tolerance * largest)).collect();
                pattern(&pairs, self.x.shape(), &[])
            }
            _ if verdict.is_fine() => None,
            _ => report.as_ref().and_then(|report| report.pattern.clone()),
        };
        let largest = if judgement.estimate.value.is_finite() {
            largest.max(judgement.estimate.value.abs())
        } else {
            largest
        };
        let tape = self.trained.get(worst).copied().unwrap_or(0.0);
        let off = (tape - judgement.estimate.value).abs();
        Row {
            tape: tape as f32,
            judgement,
            error: if off == 0.0 { 0.0 } else { off / largest },
            verdict,
            differenced: report.as_ref().map_or(0, |report| report.elements),
            directions: report.as_ref().map_or(0, |report| report.directions),
            crossed,
            pattern,
            note: self.note(report.as_ref(), verdict, precision, &judgement),
            ..self.blank(name, worst)
        }
    }

    /// The row of an input of which no elements were differenced, but the operations on the way to the output, and the whole
    /// along so many directions: `found` is what that says of the formula.
    pub(super) fn row_by_operations(
        &self,
        check: &GradCheck,
        found: Verdict,
        operations: usize,
        directions: usize,
    ) -> Row {
        let imprecise = self.least_precise();
        let largest = largest_of(&self.rule);
        let precision = imprecise.map_or(Precision::Good, |at| self.precision(check, at, largest));
        let verdict = match found {
            Verdict::WrongFormula => found,
            _ if self.rule.iter().any(|r| !r.is_finite()) => Verdict::Inconclusive,
            _ if operations == 0 && self.rule_id.is_none() && self.subject.order == 1 => Verdict::NoGradient,
            _ if precision == Precision::Poor => Verdict::PoorPrecision,
            Verdict::Pass if self.is_zero() => Verdict::Zero,
            _ => found,
        };
        let worst = imprecise.unwrap_or(0);
        let given = self.rule.get(worst).copied().unwrap_or(0.0);
        let tape = self.trained.get(worst).copied().unwrap_or(0.0);
        let off = (tape - given).abs();
        let judgement = Judgement { given, estimate: Estimate::UNKNOWN, ..NOTHING };
        Row {
            tape: tape as f32,
            judgement,
            error: if off == 0.0 { 0.0 } else { off / largest },
            verdict,
            directions,
            operations,
            note: self.note(None, verdict, precision, &judgement),
            ..self.blank(String::new(), worst)
        }
    }

    /// A row that says nothing yet, with this element to look at.
    fn blank(&self, name: String, worst: usize) -> Row {
        Row {
            name,
            shape: self.x.shape().to_vec(),
            order: self.subject.order,
            worst: unflatten(worst, self.x.shape()),
            tape: 0.0,
            judgement: NOTHING,
            rounding: self.bounds.get(worst).copied().unwrap_or(0.0),
            error: 0.0,
            verdict: Verdict::Pass,
            differenced: 0,
            directions: 0,
            operations: 0,
            crossed: 0,
            pattern: None,
            blame: None,
            note: None,
        }
    }

    /// What a step of 1 along a direction adds to the weighted output by the rule, how large its terms are together, and how far
    /// it may be off by rounding.
    pub(super) fn along(&self, direction: &[f64]) -> Claim {
        let terms = || self.rule.iter().zip(direction).map(|(r, d)| r * d);
        let norm = |terms: &mut dyn Iterator<Item = f64>| terms.map(|term| term * term).sum::<f64>().sqrt();
        let slack = norm(&mut self.slack.iter().zip(direction).map(|(slack, d)| slack * d));
        Claim { value: terms().sum(), slack, size: norm(&mut terms()) }
    }

    /// The weights of the output, and the rounding error of the weighted output.
    pub(super) fn into_output(self) -> (Vec<f64>, f64) {
        (self.weights, self.noise)
    }

    /// Lets a row of the second order fail if the rule is the gradient only at the recorded point.
    pub(super) fn is_gradient_beside(&self, vars: &[Var<'_>], row: &mut Row, rng: &mut Rng) {
        let ids: Vec<u32> = vars.iter().map(|var| var.id()).collect();
        let output = self.subject.output.id();
        let recorded =
            Recorded { replay: self.replay, vars: &ids, output, weights: &self.weights, noise: self.noise };
        let Some(rule) = self.rule_id else { return };
        if let Some(judgement) = recorded.contradiction(self.var.id(), rule, rng) {
            row.verdict = Verdict::WrongFormula;
            (row.judgement, row.pattern) = (judgement, Some(Pattern::Constant));
        }
    }

    fn verdict(
        &self,
        check: &GradCheck,
        report: Option<&Report>,
        is_connected: bool,
        precision: Precision,
    ) -> Verdict {
        let Some(report) = report else { return Verdict::Pass };
        let is_zero = report.verdict.is_fine() && self.is_zero();
        match report.verdict {
            Found::Wrong if check.strict || !self.is_right_to_f32(report) => Verdict::WrongFormula,
            _ if self.rule.iter().any(|r| !r.is_finite()) => Verdict::Inconclusive,
            // Of what is linear the gradient depends on nothing.
            _ if !is_connected && self.subject.order == 1 => Verdict::NoGradient,
            _ if precision == Precision::Poor => Verdict::PoorPrecision,
            Found::Inconclusive => Verdict::Inconclusive,
            Found::Noisy => Verdict::Noisy,
            Found::Kink => Verdict::Kink,
            _ if is_zero => Verdict::Zero,
            Found::Pass | Found::Zero | Found::Wrong => Verdict::Pass,
        }
    }

    /// Whether a rule is off as one is that reads numbers rounded to f32: by less than f32 arithmetic, and in no regular way.
    fn is_right_to_f32(&self, report: &Report) -> bool {
        let is_within = |finding: &Finding| {
            let off = (finding.judgement.given - finding.judgement.estimate.value).abs();
            match &finding.place {
                // What is lost altogether was not rounded.
                Place::Element(_) if finding.judgement.given == 0.0 => {
                    finding.judgement.verdict != Found::Wrong
                }
                Place::Element(at) => off <= 0.25 * self.bounds[flatten(at, self.x.shape())],
                _ => finding.judgement.verdict != Found::Wrong,
            }
        };
        let is_irregular = matches!(
            report.pattern,
            None | Some(Pattern::Irregular | Pattern::OneElement | Pattern::Some { zero: false, .. })
        );
        is_irregular && report.findings.iter().all(is_within)
    }

    /// Whether there is no gradient but the rounding of f64, as of the sum of a softmax.
    fn is_zero(&self) -> bool {
        largest_of(&self.rule) <= 16.0 * largest_of(&self.slack)
            && largest_of(&self.trained) <= largest_of(&self.bounds)
    }

    fn note(
        &self,
        report: Option<&Report>,
        verdict: Verdict,
        precision: Precision,
        judgement: &Judgement,
    ) -> Option<String> {
        // What the search says of zeros says the verdict, too.
        let told = report.filter(|_| verdict == Verdict::WrongFormula);
        let mut notes = told.map_or(Vec::new(), |report| report.notes.clone());
        let is_f32 =
            |report: &Report| report.findings.iter().any(|f| f.judgement.reason == Reason::AgreesToF32);
        if verdict.is_fine() && report.is_some_and(is_f32) {
            let advice = Reason::AgreesToF32.advice();
            notes.push(format!("the rule is right to the precision of f32, not of f64; {advice}"));
        }
        if verdict == Verdict::Kink
            && let Some([left, right]) = judgement.sides
        {
            notes.push(format!(
                "at a kink, with slopes of {:.6e} to the left and {:.6e} to the right; what lies between is right by some \
                 convention",
                left.value, right.value
            ));
        }
        if let Precision::Explained(off) = precision
            && verdict.is_fine()
        {
            notes.push(format!(
                "its f32 gradient is off by {off:.1e} of the largest, as the formula cancels digits that f32 does not \
                 have; rounding explains it, and `strict` makes it a failure"
            ));
        }
        (!notes.is_empty()).then(|| notes.join("; "))
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

    /// The judgement on the f32 gradients: `at` is where they are furthest off, in units of what rounding explains.
    fn precision(&self, check: &GradCheck, at: usize, largest: f64) -> Precision {
        if self.precision_pair(at, f64::INFINITY).wrong {
            return Precision::Poor;
        }
        let off = |flat: usize| (self.trained[flat] - self.rule[flat]).abs();
        let most = (0..self.rule.len()).map(off).filter(|off| off.is_finite()).fold(0.0, f64::max);
        match () {
            _ if self.is_zero() || most <= check.tolerance * largest => Precision::Good,
            _ if check.strict => Precision::Poor,
            _ => Precision::Explained(most / largest),
        }
    }

    /// The f32 gradient at an element beside the rule in f64.
    fn precision_pair(&self, flat: usize, most: f64) -> Pair {
        let (found, right) = (self.trained[flat], self.rule[flat]);
        let close = (found - right).abs() <= self.bounds[flat].min(most);
        Pair { flat, found, right, error: 0.0, wrong: !close && found != right }
    }
}

/// How good an f32 gradient is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Precision {
    Good,
    /// It is off by this much of the largest gradient, as rounding explains.
    Explained(f64),
    Poor,
}

/// The judgement on an input without elements.
const NOTHING: Judgement = Judgement {
    verdict: Found::Pass,
    reason: Reason::Agrees,
    given: 0.0,
    estimate: Estimate::ZERO,
    sides: None,
    noise: None,
};

fn flatten(index: &[usize], shape: &[usize]) -> usize {
    index.iter().zip(shape).fold(0, |flat, (i, n)| flat * n + i)
}
