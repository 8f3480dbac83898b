//! The check of a computation so long that its inputs cannot all be moved by themselves: each operation once, at the values it
//! was recorded with, and the whole along directions through all inputs.

use super::{
    blame::Own,
    gradcheck::{GradCheck, Prepared, Subject},
    report::{Blame, Row, Verdict},
    rounding::magnitude,
};
use crate::{
    op::{Step, reference::Array},
    replay::Replay,
    tape::var::Var,
};
use gradus_check::{Claim, Line, Verdict as Found, judge_quickly};
use gradus_tensor::{Rng, Tensor};
use rayon::prelude::*;
use std::{borrow::Cow, collections::BTreeMap, panic::Location};

/// How much work it may be to run the replay once from each input to the output, in multiplications, to be called short.
const LONG: u64 = 1 << 26;
/// How much work the elements of one operation may be that are moved one by one.
const ELEMENTS: u64 = 1 << 25;
/// From how much work on an operation's inputs are moved along a single direction.
const ONE_DIRECTION: u64 = 1 << 22;

/// Whether it would take long to move each input by itself, again and again.
pub(super) fn is_long(replay: &Replay<'_>, vars: &[Var<'_>], output: Var<'_>) -> bool {
    let way = |var: &Var<'_>| replay.steps_between(&[var.id()], output.id());
    let work = vars.iter().flat_map(way).map(|(id, _)| replay.work(id));
    work.sum::<u64>() > LONG
}

/// An operation, to be checked by itself.
struct Job {
    id: usize,
    step: Box<dyn Step>,
    inputs: Vec<Tensor>,
    wanted: Vec<bool>,
    location: &'static Location<'static>,
    check: GradCheck,
}

/// The rows of all orders, each with the number of its variable.
pub(super) fn rows<'t>(
    check: &GradCheck,
    prepared: &Prepared<'t>,
    vars: &[Var<'t>],
    output: Var<'t>,
    notes: &mut Vec<String>,
) -> Vec<(usize, Row)> {
    let replay = &prepared.replay;
    let ids: Vec<u32> = vars.iter().map(|var| var.id()).collect();
    let jobs: Vec<Job> = replay
        .steps_between(&ids, output.id())
        .into_iter()
        .map(|(id, wanted)| {
            let (step, inputs, location) = replay.recorded(id);
            Job { id, step: step.fresh(), inputs, wanted, location, check: sampled(check, replay.work(id)) }
        })
        .collect();
    notes.push(format!(
        "checked by operations: {} of them, each once at its recorded values, along random directions through each input and \
         element by element where that is quick; and the whole along random directions through all inputs",
        jobs.len()
    ));
    let own = |job: Job| {
        let Job { id, step, inputs, wanted, location, check } = job;
        (id, check.step(&*step, &inputs, &wanted, location).unwrap_or_default())
    };
    let own: BTreeMap<usize, Own> = jobs.into_par_iter().with_max_len(1).map(own).collect();
    let mut rows = Vec::new();
    for subject in &prepared.subjects {
        let found: Vec<Way<'_>> =
            vars.iter().map(|var| Way::of(replay, &own, var.id(), output, subject.order)).collect();
        // Differences of the whole can say nothing new of what is wrong.
        let rest: Vec<usize> = (0..vars.len()).filter(|&i| found[i].verdict.is_fine()).collect();
        let whole = Whole { check, prepared, subject, vars, which: &rest };
        let (agrees, directions) = if rest.is_empty() { (true, 0) } else { whole.agrees() };
        if directions == 0 && !rest.is_empty() {
            notes
                .push("differences of the whole are too uncertain to say more than the operations do".into());
        }
        for (i, way) in found.iter().enumerate() {
            let is_contradicted = !agrees && way.verdict.is_fine();
            let verdict = if is_contradicted { Verdict::Inconclusive } else { way.verdict };
            let leaf = prepared.leaf(subject, i, vars[i]);
            let mut row = leaf.row_by_operations(check, verdict, way.operations, directions);
            if is_contradicted {
                row.note = Some(CONTRADICTED.into());
            }
            row.blame = way.failed.filter(|_| row.verdict == way.verdict).map(|(id, input, own)| {
                let (step, _, location) = replay.recorded(id);
                Blame::of(step, location, input, own)
            });
            rows.push((i, row));
        }
    }
    rows
}

/// What is said where differences of the whole contradict rules that are all right.
const CONTRADICTED: &str = "no operation on the way is wrong by itself, at the values that it was recorded with, but differences of the whole \
     along a direction through all inputs contradict the rules: they are deceived, or gradients are lost between operations; \
     check a smaller part, or at another point";

/// The settings for an operation of so much work.
fn sampled(check: &GradCheck, work: u64) -> GradCheck {
    let elements = usize::try_from(ELEMENTS / (32 * work.max(1))).unwrap_or(usize::MAX);
    let directions = if work > ONE_DIRECTION { 1 } else { check.directions.max(1) };
    GradCheck { elements: elements.min(check.elements), directions, ..check.clone() }
}

/// What is known of the operations on the way from a variable to the output.
struct Way<'a> {
    operations: usize,
    verdict: Verdict,
    /// The operation that decided, if it failed, with its input.
    failed: Option<(usize, usize, &'a Row)>,
}

impl<'a> Way<'a> {
    fn of(
        replay: &Replay<'_>,
        own: &'a BTreeMap<usize, Own>,
        var: u32,
        output: Var<'_>,
        order: usize,
    ) -> Way<'a> {
        let steps = replay.steps_between(&[var], output.id());
        let rows = steps.iter().flat_map(|(id, wanted)| {
            let rows = own[id].iter().filter(move |(input, row)| wanted[*input] && row.order == order);
            rows.map(move |(input, row)| (*id, *input, row))
        });
        let rank = |verdict: Verdict| match verdict {
            Verdict::Pass
            | Verdict::Zero
            | Verdict::NoGradient
            | Verdict::WrongForward
            | Verdict::Overflow => 0,
            Verdict::Kink => 1,
            Verdict::Noisy => 2,
            Verdict::Inconclusive => 3,
            Verdict::PoorPrecision => 4,
            Verdict::WrongFormula => 5,
        };
        // Of several the first one.
        let worst = rows.reduce(|a, b| if rank(b.2.verdict) > rank(a.2.verdict) { b } else { a });
        let verdict = match worst.filter(|worst| rank(worst.2.verdict) > 0) {
            Some((_, _, row)) => row.verdict,
            // An operation that refused to run again has no rows.
            None if steps.iter().any(|(id, _)| own[id].is_empty()) => Verdict::Inconclusive,
            None => Verdict::Pass,
        };
        Way { operations: steps.len(), verdict, failed: worst.filter(|_| !verdict.is_fine()) }
    }
}

/// The weighted output as a function of some of the inputs, moved together.
struct Whole<'a, 't> {
    check: &'a GradCheck,
    prepared: &'a Prepared<'t>,
    subject: &'a Subject<'t>,
    vars: &'a [Var<'t>],
    /// The numbers of those that move.
    which: &'a [usize],
}

impl Whole<'_, '_> {
    /// Whether differences along random directions do not contradict the rules, and how many were judged.
    fn agrees(&self) -> (bool, usize) {
        let mut rng = Rng::seed(self.check.seed);
        // One that passes has seen every element.
        for k in 1..=self.check.directions.max(1) {
            match self.judge(&mut rng) {
                Found::Pass => return (true, k),
                Found::Wrong => return (false, k),
                _ => {}
            }
        }
        (true, 0)
    }

    fn judge(&self, rng: &mut Rng) -> Found {
        let Whole { prepared, subject, vars, which, .. } = self;
        let replay = &prepared.replay;
        let base = |i: usize| replay.base(vars[i].id()).data();
        let count = (which.iter().map(|&i| base(i).len()).sum::<usize>().max(1) as f64).sqrt();
        let mut claim = Claim { value: 0.0, slack: 0.0, size: 0.0 };
        let (mut weights, mut noise) = (Vec::new(), 0.0);
        let mut directions: BTreeMap<u32, Tensor> = BTreeMap::new();
        for &i in *which {
            let leaf = prepared.leaf(subject, i, vars[i]);
            let mean = (base(i).iter().map(|x| x * x).sum::<f64>() / base(i).len().max(1) as f64).sqrt();
            let size = if mean > 0.0 { mean } else { 1.0 } / count;
            let direction = Tensor::randn(vars[i].shape(), rng) * size as f32;
            let part = leaf.along(&direction.iter().map(f64::from).collect::<Vec<_>>());
            claim.value += part.value;
            (claim.slack, claim.size) = (claim.slack.hypot(part.slack), claim.size.hypot(part.size));
            directions.insert(vars[i].id(), direction);
            (weights, noise) = leaf.into_output();
        }
        let id = subject.output.id();
        let start = replay.base(id).data();
        claim.slack = 4.0 * claim.slack + 4.0 * f64::EPSILON * claim.size * count.sqrt();
        let line = Line {
            scale: 1.0,
            largest: 8.0 * count,
            smallest: 2.0 * f64::EPSILON,
            epsilon: f64::EPSILON,
            noise,
            point: f64::EPSILON,
            size: magnitude(start, &weights).max(noise / (8.0 * f64::EPSILON)),
        };
        let change = |t: f64| {
            let leaf = |id: u32| match directions.get(&id) {
                Some(direction) => {
                    let x = replay.base(id);
                    let moved = x.data().iter().zip(direction.iter()).map(|(x, d)| x + t * f64::from(d));
                    Cow::Owned(Array::new(moved.collect(), x.shape()))
                }
                None => Cow::Borrowed(replay.base(id)),
            };
            let y = replay.values_at(&leaf, &[id]);
            let changes = y[0].data().iter().zip(start).map(|(y, start)| y - start);
            changes.zip(&weights).map(|(change, weight)| change * weight).sum()
        };
        judge_quickly(change, &line, &claim).verdict
    }
}
