//! The check of a whole gradient: its elements one by one, or random directions through all of them and the search for the
//! elements to blame.

use crate::{
    check::Check,
    estimate::Estimate,
    ladder::Line,
    pattern::{Pair, Pattern, pattern, pattern_along},
    report::{Finding, Place, Report},
    rng::Rng,
    slope::{self, Claim},
    verdict::{Judgement, Reason, Verdict},
};
use std::collections::{BTreeMap, BTreeSet};

/// The elements to move, each only once, and by how much each for a step of 1.
pub type Direction = Vec<(usize, f64)>;

/// A derivative along a direction, to be judged.
#[derive(Clone, Debug)]
pub struct Task {
    /// The direction.
    pub direction: Direction,
    /// What is known of the line along it.
    pub line: Line,
    /// The derivative that was given.
    pub claim: Claim,
}

/// A function of many numbers near a point. Whoever can evaluate one can have its gradient checked by [`Check::search`].
pub trait Subject {
    /// Its value at `t` times this direction from the point, or the change from the point; NaN where there is none.
    fn value(&self, direction: &[(usize, f64)], t: f64) -> f64;

    /// The same by the branches that were taken at the point (sides of kinks, winners of maxima), where those are known: a
    /// smooth function, whose derivative the gradient is where branches are clear. Elsewhere it may be another one, which
    /// [`value`](Subject::value) decides about.
    fn on_branches(&self, direction: &[(usize, f64)], t: f64) -> f64 {
        self.value(direction, t)
    }

    /// Whether [`on_branches`](Subject::on_branches) is another function than [`value`](Subject::value).
    fn knows_branches(&self) -> bool {
        false
    }

    /// Judges several derivatives on the known branches, each by [`judge`](crate::judge()): a place to use several threads.
    fn judge(&self, tasks: &[Task]) -> Vec<Judgement> {
        let judge =
            |task: &Task| slope::judge(|t| self.on_branches(&task.direction, t), &task.line, &task.claim);
        tasks.iter().map(judge).collect()
    }

    /// Whether no more values will be given, as the limit was reached.
    fn is_exhausted(&self) -> bool {
        false
    }
}

/// A gradient at a point, to be checked.
#[derive(Clone, Debug)]
pub struct Given<'a> {
    /// What it is called in the report.
    pub what: &'static str,
    /// The point.
    pub x: &'a [f64],
    /// The gradient, as long as the point.
    pub gradient: &'a [f64],
    /// The shape of both.
    pub shape: &'a [usize],
    /// The distance from 1 to the next number in the function's arithmetic.
    pub epsilon: f64,
    /// The same of the gradient's.
    pub precision: f64,
    /// What is known of the noise of the function's values; 0 if nothing is.
    pub noise: f64,
    /// The size of the function's value, where the subject gives changes of it; else 0.
    pub size: f64,
    /// How far each element may be off by rounding, where that is known; else nothing.
    pub slack: &'a [f64],
}

/// A ratio of sizes of variables from which on directions move each in proportion, too.
const UNLIKE: f64 = 100.0;
/// How many wrong elements, and kinks, directions are searched for.
pub(crate) const MOST_FOUND: usize = 8;
/// How many elements are judged if there are too many for all.
const CHOSEN: usize = 48;
/// How many elements are judged before it is asked whether so many are wrong that no more need to be, and how many those are.
const PORTION: usize = 512;
const MOST_WRONG: usize = 64;

impl Check {
    /// Checks the gradient of anything that can be evaluated along lines through a point.
    ///
    /// # Panics
    /// When the gradient or the shape do not have as many elements as the point.
    #[track_caller]
    pub fn search(&self, subject: &dyn Subject, given: &Given<'_>) -> Report {
        let n = given.x.len();
        assert_eq!(given.gradient.len(), n, "Check::search: a gradient as long as the point");
        assert_eq!(
            given.shape.iter().product::<usize>(),
            n,
            "Check::search: a shape of as many elements as the point"
        );
        Search::new(self, subject, given).run()
    }

    /// The judgement of [`search`](Check::search) on one element.
    ///
    /// # Panics
    /// When there is no such element.
    #[track_caller]
    pub fn element(&self, subject: &dyn Subject, given: &Given<'_>, flat: usize) -> Judgement {
        assert!(flat < given.x.len(), "Check::element: element {flat} of {}", given.x.len());
        let search = Search::new(self, subject, given);
        search.judge_alone(&[search.task(flat)]).swap_remove(0)
    }
}

pub(crate) struct Search<'a> {
    pub(crate) check: &'a Check,
    pub(crate) subject: &'a dyn Subject,
    pub(crate) given: &'a Given<'a>,
    /// The size of a variable, where it is zero itself.
    typical: f64,
    /// The largest element of the gradient, and the largest in proportion to its variable.
    largest: f64,
    largest_effect: f64,
    /// By element: the gradient to compare directions with. Where an element was found wrong, the right one.
    expected: Vec<f64>,
    pub(crate) judged: BTreeMap<usize, Judgement>,
    pub(crate) together: Vec<(usize, usize, Judgement)>,
    /// Elements that directions leave out.
    pub(crate) kinks: BTreeSet<usize>,
    notes: Vec<String>,
}

fn finite_maximum(values: impl Iterator<Item = f64>) -> f64 {
    values.filter(|x| x.is_finite()).fold(0.0, |m, x| m.max(x.abs()))
}

impl<'a> Search<'a> {
    fn new(check: &'a Check, subject: &'a dyn Subject, given: &'a Given<'a>) -> Search<'a> {
        let squares: f64 = given.x.iter().map(|x| x * x).sum();
        let mean = (squares / given.x.len().max(1) as f64).sqrt();
        let typical = check.step.unwrap_or(if mean > 0.0 && mean.is_finite() { mean } else { 1.0 });
        let effect = |(g, x): (&f64, &f64)| g * if *x == 0.0 { typical } else { x.abs() };
        Search {
            check,
            subject,
            given,
            typical,
            largest: finite_maximum(given.gradient.iter().copied()),
            largest_effect: finite_maximum(given.gradient.iter().zip(given.x).map(effect)),
            expected: given.gradient.to_vec(),
            judged: BTreeMap::new(),
            together: Vec::new(),
            kinks: BTreeSet::new(),
            notes: Vec::new(),
        }
    }

    fn run(mut self) -> Report {
        let n = self.given.x.len();
        let mut rng = Rng::seed(self.check.seed);
        let chosen = self.chosen(&mut rng);
        self.judge_elements(&chosen);
        let mut directions: Vec<(Direction, Judgement)> = Vec::new();
        if chosen.len() < n {
            let off = |j: &&Judgement| j.verdict == Verdict::Wrong || j.reason == Reason::AgreesToF32;
            let is_widespread = self.judged.values().filter(off).count() > MOST_FOUND / 2;
            directions = self.judge_directions(&mut rng, is_widespread);
        }
        self.judge_kinks_together();
        self.report(&directions)
    }

    pub(crate) fn size(&self, flat: usize) -> f64 {
        let x = self.given.x[flat].abs();
        if x == 0.0 { self.typical } else { x }
    }

    /// By how much the computation of a gradient in its precision may be off.
    fn slack(&self, flat: usize) -> f64 {
        let own = self.check.slack(self.expected[flat], self.given.precision, self.largest);
        own + self.given.slack.get(flat).copied().unwrap_or(0.0)
    }

    pub(crate) fn task(&self, flat: usize) -> Task {
        let mut line = Line::through(self.given.x[flat], self.typical, self.given.epsilon);
        if let Some(step) = self.check.step {
            (line.scale, line.largest) = (step, 8.0 * step);
        }
        (line.noise, line.size) = (self.given.noise, self.given.size);
        let size = 1e-3 * self.largest.min(self.largest_effect / line.scale);
        let claim = Claim { value: self.expected[flat], slack: self.slack(flat), size };
        Task { direction: vec![(flat, 1.0)], line, claim }
    }

    fn judge(&self, tasks: &[Task]) -> Vec<Judgement> {
        let mut judged = self.subject.judge(tasks);
        for (task, judgement) in tasks.iter().zip(&mut judged) {
            self.settle(task, judgement);
        }
        judged
    }

    fn settle(&self, task: &Task, judgement: &mut Judgement) {
        self.check.settle(judgement, self.norm(&task.direction), self.subject.is_exhausted());
    }

    /// The judgement with all kinks.
    pub(crate) fn judge_with_kinks(&self, task: &Task) -> Judgement {
        let value = |t: f64| self.subject.value(&task.direction, t);
        let mut judgement = slope::judge(value, &task.line, &task.claim);
        self.settle(task, &mut judgement);
        judgement
    }

    /// The judgements of elements: where the branches that were taken at the point contradict one, the function itself may
    /// have a kink there.
    pub(crate) fn judge_alone(&self, tasks: &[Task]) -> Vec<Judgement> {
        let mut judged = self.judge(tasks);
        for (task, judgement) in tasks.iter().zip(&mut judged) {
            if self.subject.knows_branches() && judgement.verdict == Verdict::Wrong {
                let real = self.judge_with_kinks(task);
                if real.verdict == Verdict::Kink {
                    *judgement = real;
                }
            }
        }
        judged
    }

    /// The root of the sum of squares of what a direction's elements add to the derivative along it.
    fn norm(&self, direction: &[(usize, f64)]) -> f64 {
        direction.iter().map(|&(i, d)| (self.expected[i] * d).powi(2)).sum::<f64>().sqrt()
    }

    /// The elements to judge one by one: all, or the largest and smallest, both ends of every axis, and random ones.
    fn chosen(&self, rng: &mut Rng) -> Vec<usize> {
        let (n, g) = (self.given.x.len(), self.given.gradient);
        let affordable = self.check.evaluations / 16;
        if n <= self.check.elements.min(affordable) {
            return (0..n).collect();
        }
        let most = CHOSEN.min(self.check.elements).min(affordable / 2);
        let by_size = |a: &usize, b: &usize| g[*a].abs().total_cmp(&g[*b].abs());
        let mut chosen: Vec<usize> = (0..n).filter(|&i| !g[i].is_finite()).take(most).collect();
        chosen.extend((0..n).max_by(by_size));
        chosen.extend((0..n).filter(|&i| g[i] != 0.0).min_by(by_size));
        chosen.extend((0..n).find(|&i| g[i] == 0.0));
        chosen.extend([0, n - 1, n / 2]);
        for axis in 0..self.given.shape.len() {
            let inner: usize = self.given.shape[axis + 1..].iter().product();
            for end in [0, self.given.shape[axis] - 1] {
                let any = rng.below(n);
                chosen.push(any - any / inner % self.given.shape[axis] * inner + end * inner);
            }
        }
        chosen.truncate(most);
        let mut chosen: BTreeSet<usize> = chosen.into_iter().collect();
        while chosen.len() < most {
            chosen.insert(rng.below(n));
        }
        chosen.into_iter().collect()
    }

    fn judge_elements(&mut self, chosen: &[usize]) {
        let tasks: Vec<Task> = chosen.iter().map(|&flat| self.task(flat)).collect();
        let mut wrong = 0;
        for (chosen, tasks) in chosen.chunks(PORTION).zip(tasks.chunks(PORTION)) {
            for (&flat, judgement) in chosen.iter().zip(self.judge_alone(tasks)) {
                wrong += usize::from(judgement.verdict == Verdict::Wrong);
                self.note(flat, judgement);
            }
            if wrong >= MOST_WRONG && self.judged.len() < self.given.x.len() {
                self.notes.push(format!(
                    "after {} elements so many were wrong that no more were judged",
                    self.judged.len()
                ));
                break;
            }
        }
    }

    pub(crate) fn note(&mut self, flat: usize, judgement: Judgement) {
        if judgement.verdict == Verdict::Kink {
            self.kinks.insert(flat);
        }
        if judgement.verdict == Verdict::Wrong && judgement.estimate.value.is_finite() {
            self.expected[flat] = judgement.estimate.value;
        }
        self.judged.insert(flat, judgement);
    }

    /// The task along a direction of all elements but kinks.
    fn along(&self, direction: Direction) -> Task {
        let count = (direction.len().max(1) as f64).sqrt();
        let slacks = direction.iter().map(|&(i, d)| (self.slack(i) * d).powi(2)).sum::<f64>().sqrt();
        let value = direction.iter().map(|&(i, d)| self.expected[i] * d).sum();
        let scale = match self.check.step {
            Some(step) => step / self.typical,
            None => 1.0,
        };
        let epsilon = self.given.epsilon;
        let line = Line {
            scale,
            largest: 8.0 * scale * count,
            smallest: 2.0 * epsilon * scale,
            epsilon,
            noise: self.given.noise,
            point: epsilon * scale,
            size: self.given.size,
        };
        // The sum itself is rounded.
        let rounding = 4.0 * f64::EPSILON * self.norm(&direction) * count.sqrt();
        let claim = Claim { value, slack: 4.0 * slacks + rounding, size: self.norm(&direction) };
        Task { direction, line, claim }
    }

    /// Random numbers for all elements that are no kinks, in proportion to the variables' sizes or the same for all.
    fn random(&self, in_proportion: bool, rng: &mut Rng) -> Direction {
        let n = self.given.x.len();
        let count = (n as f64).sqrt();
        let size = |i: usize| if in_proportion { self.size(i) } else { self.typical };
        // A number is drawn for each, so that leaving some out changes no other.
        let all = (0..n).map(|i| (i, rng.normal() * size(i) / count));
        all.filter(|(i, _)| !self.kinks.contains(i)).collect()
    }

    /// Judges random directions, and where one is contradicted searches for the elements to blame.
    fn judge_directions(&mut self, rng: &mut Rng, is_widespread: bool) -> Vec<(Direction, Judgement)> {
        let sizes = || self.given.x.iter().map(|x| x.abs()).filter(|&x| x > 0.0);
        let (low, high) = (sizes().fold(f64::INFINITY, f64::min), sizes().fold(0.0, f64::max));
        let is_unlike = high > UNLIKE * low;
        let mut found: Vec<(Direction, Judgement)> = Vec::new();
        for k in 0..self.check.directions {
            let mut direction = self.random(is_unlike && k % 2 == 1, rng);
            // The right ones are put in the place of those found wrong, unless a pattern of all is looked for.
            if is_widespread {
                self.expected.copy_from_slice(self.given.gradient);
            }
            while let Some(judgement) = self.judge(&[self.along(direction.clone())]).pop() {
                let failed = judgement.verdict == Verdict::Wrong || judgement.reason == Reason::AgreesToF32;
                let blamed = match () {
                    // Where many are wrong what all have in common is asked for, no others.
                    _ if is_widespread || self.judged.len() > CHOSEN + 2 * MOST_FOUND => None,
                    _ if judgement.sides.is_some() => {
                        self.halve(&direction, |search, half| search.bend(half))
                    }
                    _ if failed => self.halve(&direction, |search, half| search.off(half)),
                    _ => None,
                };
                let Some(flat) = blamed.filter(|flat| !self.judged.contains_key(flat)) else {
                    found.push((direction, judgement));
                    break;
                };
                let alone = self.judge_alone(&[self.task(flat)]).swap_remove(0);
                self.note(flat, alone);
                direction.retain(|(i, _)| !self.kinks.contains(i));
            }
        }
        found
    }

    /// By how much the derivative along a direction is off, in units of what is allowed.
    fn off(&self, direction: &[(usize, f64)]) -> f64 {
        let Task { direction, line, claim } = self.along(direction.to_vec());
        let found = slope::rough(&mut |t| self.subject.on_branches(&direction, t), &line);
        let off = (claim.value - found.value).abs() / (found.error + claim.slack).max(f64::MIN_POSITIVE);
        if off.is_nan() { 0.0 } else { off }
    }

    /// How sharp the kink along a direction is.
    fn bend(&self, direction: &[(usize, f64)]) -> f64 {
        let line = self.along(direction.to_vec()).line;
        let step = line.scale * line.epsilon.sqrt().sqrt() * 0.01;
        let value = |t: f64| self.subject.value(direction, t);
        let bend = (value(step) + value(-step) - 2.0 * value(0.0)).abs() / step;
        if bend.is_nan() { 0.0 } else { bend }
    }

    /// The element of a direction whose half has more of something, again and again.
    pub(crate) fn halve(
        &self,
        direction: &[(usize, f64)],
        of: impl Fn(&Self, &[(usize, f64)]) -> f64,
    ) -> Option<usize> {
        let mut part = direction;
        while part.len() > 1 {
            let (left, right) = part.split_at(part.len() / 2);
            part = if of(self, right) > of(self, left) { right } else { left };
        }
        part.first().map(|&(flat, _)| flat)
    }

    fn report(self, directions: &[(Direction, Judgement)]) -> Report {
        let shape = self.given.shape;
        let mut findings: Vec<Finding> = Vec::new();
        let index = |flat: usize| unflatten(flat, shape);
        let elements = self.judged.iter();
        findings
            .extend(elements.map(|(&flat, j)| Finding { place: Place::Element(index(flat)), judgement: *j }));
        let together = self.together.iter();
        findings.extend(
            together.map(|(a, b, j)| Finding { place: Place::Together(index(*a), index(*b)), judgement: *j }),
        );
        let through = directions.iter().enumerate();
        findings.extend(through.map(|(k, (_, j))| Finding { place: Place::Direction(k), judgement: *j }));
        let pattern = self.pattern(directions);
        let failed = self.judged.values().filter(|j| !j.verdict.is_fine()).count();
        let mut report = Report {
            what: self.given.what,
            verdict: Verdict::Pass,
            broken: None,
            shape: shape.to_vec(),
            findings,
            pattern,
            elements: self.judged.len(),
            failed,
            directions: directions.len(),
            evaluations: 0,
            noise: None,
            notes: self.notes,
            seed: self.check.seed,
        };
        report.conclude(self.judged.len() < self.given.x.len());
        report
    }

    fn pattern(&self, directions: &[(Direction, Judgement)]) -> Option<Pattern> {
        let pair = |(&flat, j): (&usize, &Judgement)| Pair {
            flat,
            found: j.given,
            right: j.estimate.value,
            error: j.estimate.error,
            wrong: j.verdict == Verdict::Wrong,
        };
        let pairs: Vec<Pair> = self.judged.iter().map(pair).collect();
        let wrong = pairs.iter().filter(|pair| pair.wrong).count();
        let is_known = directions.iter().all(|(_, j)| j.sides.is_none() && j.estimate.value.is_finite());
        let is_part = self.judged.len() < self.given.x.len();
        if is_part && is_known && wrong > 2 {
            let n = self.given.x.len();
            let whole = |(direction, j): &(Direction, Judgement)| {
                let mut all = vec![0.0; n];
                direction.iter().for_each(|&(i, d)| all[i] = d);
                (all, j.estimate)
            };
            let along: Vec<(Vec<f64>, Estimate)> = directions.iter().map(whole).collect();
            let found = pattern_along(self.given.gradient, &along, self.given.shape, self.given.x);
            if found.is_some() {
                return found;
            }
        }
        pattern(&pairs, self.given.shape, self.given.x)
    }
}

impl Report {
    /// Draws the conclusion from all findings, and keeps those that decide it. Directions and elements judge the same thing
    /// where directions see all elements: then one that is uncertain does not matter if another is sure.
    pub(crate) fn conclude(&mut self, is_part: bool) {
        let is_direction = |finding: &Finding| matches!(finding.place, Place::Direction(_));
        let sure = self.findings.iter().any(|f| is_direction(f) && f.judgement.verdict == Verdict::Pass);
        if is_part && sure {
            let uncertain =
                |f: &Finding| matches!(f.judgement.verdict, Verdict::Inconclusive | Verdict::Noisy);
            self.findings.retain(|f| !(is_direction(f) && uncertain(f)));
        }
        let rank = |j: &Judgement| match j.verdict {
            Verdict::Pass if j.reason == Reason::AgreesToF32 => 1,
            Verdict::Pass | Verdict::Zero => 0,
            Verdict::Kink => 2,
            Verdict::Noisy => 3,
            Verdict::Inconclusive => 4,
            Verdict::Wrong => 5,
        };
        let is_nothing = |j: &Judgement| {
            let is_zero = |x: f64| x.abs() <= j.estimate.error;
            j.verdict == Verdict::Pass && is_zero(j.given) && is_zero(j.estimate.value)
        };
        let all_zero = !self.findings.is_empty() && self.findings.iter().all(|f| is_nothing(&f.judgement));
        // Elements before directions: they tell more.
        let order = |f: &Finding| (rank(&f.judgement), !is_direction(f));
        self.findings.sort_by(|a, b| {
            let size = |f: &Finding| f.judgement.contradiction();
            order(b).cmp(&order(a)).then(size(b).total_cmp(&size(a)))
        });
        let Some(worst) = self.findings.first() else { return };
        self.verdict = if all_zero { Verdict::Zero } else { worst.judgement.verdict };
        if all_zero {
            self.notes.push(
                "the gradient is zero, and so is the derivative: a wrong factor cannot be seen here, check another point too"
                    .into(),
            );
        }
        self.findings.truncate(Report::MOST_FINDINGS);
    }
}

/// The index of the element at a row-major position.
pub(crate) fn unflatten(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (i, &n) in index.iter_mut().zip(shape).rev() {
        *i = flat % n.max(1);
        flat /= n.max(1);
    }
    index
}
