//! What operations that are checked alone say of a whole: who is to blame for a wrong gradient, and that it is right where
//! differences of the whole cannot tell.

use super::{
    gradcheck::GradCheck,
    report::{Blame, Row, Verdict},
};
use crate::{
    op::Step,
    ops::reduce::Reduce,
    replay::Replay,
    tape::{Tape, var::Var},
};
use gradus_tensor::{Rng, Tensor};
use std::{collections::HashMap, panic::Location};

/// The rows of an operation's own check, each with the input that it is of.
pub(super) type Own = Vec<(usize, Row)>;

/// By operation and order: the rows of its own check, for whoever asks next; `None` if it refuses its inputs.
pub(super) type Known = HashMap<(usize, usize), Option<Own>>;

/// What is said where a whole is called wrong none of whose parts is.
const ALL_RIGHT: &str = "no operation on the way is wrong by itself, at the values that it was recorded with, so differences of \
     the whole are deceived: it changes too much over too little; check at another point";
/// What is said where a whole is imprecise none of whose parts is.
const ALL_EXACT: &str = "the f32 gradient is further off than random roundings show, though every operation on the way is as exact \
     as it states: the function makes large what it rounds; check at another point";
/// How far from all others a number is put that stands for an infinite one.
const FAR: f32 = 32.0;
/// How many error bars off a whole may be if none of its parts is wrong.
const CLOSE: f64 = 10.0;

/// Looks for the operation to blame where a row failed; and where differences of the whole could not tell, lets it pass by the
/// chain rule if every operation on the way is right. `is_finite` says whether all of the rule is.
pub(super) fn conclude(
    check: &GradCheck,
    replay: &Replay<'_>,
    known: &mut Known,
    ends: (Var<'_>, Var<'_>),
    is_finite: bool,
    row: &mut Row,
) {
    // In full where that is quick: the more elements, the clearer the pattern.
    let check_own = GradCheck { elements: check.elements.max(512), order: row.order, ..check.clone() };
    let mut way = Way { check: check_own, replay, known, ends };
    match row.verdict {
        Verdict::WrongFormula | Verdict::PoorPrecision => {
            row.blame = way.blame(row.verdict);
            let is_formula = row.order == 1 && row.verdict == Verdict::WrongFormula;
            // By the chain rule the whole is right, too; and without anybody to blame a close call is none.
            if is_formula && row.blame.is_none() && (way.is_right() || row.judgement.contradiction() < CLOSE)
            {
                (row.verdict, row.note) = (Verdict::Inconclusive, Some(ALL_RIGHT.into()));
            }
            if row.verdict == Verdict::PoorPrecision && row.blame.is_none() && !check.strict {
                (row.verdict, row.note) = (Verdict::Inconclusive, Some(ALL_EXACT.into()));
            }
        }
        Verdict::Inconclusive | Verdict::Noisy if row.order == 1 && is_finite && way.is_right() => {
            row.note = Some(format!(
                "differences of the whole cannot tell, for {}; but every operation on the way is right by itself, at the \
                 values that it was recorded with, and so is the whole by the chain rule",
                row.judgement.reason
            ));
            row.verdict = Verdict::Pass;
        }
        _ => {}
    }
}

/// The way from a leaf to the output, by the operations' own checks at the values that they were recorded with.
struct Way<'a, 't> {
    check: GradCheck,
    replay: &'a Replay<'t>,
    known: &'a mut Known,
    ends: (Var<'a>, Var<'a>),
}

impl Way<'_, '_> {
    fn ids(&self) -> Vec<usize> {
        let (leaf, output) = self.ends;
        self.replay.steps_between(&[leaf.id()], output.id()).into_iter().map(|(id, _)| id).collect()
    }

    /// The rows of an operation's own check.
    fn own(&mut self, id: usize) -> Option<&Own> {
        let (step, inputs, location) = self.replay.recorded(id);
        let own = || self.check.step(step, &inputs, &vec![true; inputs.len()], location);
        self.known.entry((id, self.check.order)).or_insert_with(own).as_ref()
    }

    /// The first operation whose own check fails as the whole does.
    fn blame(&mut self, verdict: Verdict) -> Option<Blame> {
        self.ids().into_iter().find_map(|id| {
            let (step, _, location) = self.replay.recorded(id);
            let failed = self.own(id)?.iter().find(|(_, row)| row.verdict == verdict);
            failed.map(|(input, row)| Blame::of(step, location, *input, row))
        })
    }

    /// Whether every operation is right, and away from kinks: several may share those.
    fn is_right(&mut self) -> bool {
        let is_right = |(_, row): &(usize, Row)| matches!(row.verdict, Verdict::Pass | Verdict::Zero);
        self.ids().into_iter().all(|id| self.own(id).is_some_and(|rows| rows.iter().all(is_right)))
    }
}

impl Blame {
    /// Of an operation, for what its own check says of one of its inputs.
    pub(super) fn of(step: &dyn Step, location: &Location<'_>, input: usize, row: &Row) -> Blame {
        let is_formula = row.verdict == Verdict::WrongFormula;
        Blame {
            op: step.name(),
            attributes: step.describe(),
            line: format!("{}:{}", location.file(), location.line()),
            input: Some(input),
            shape: row.shape.clone(),
            worst: row.worst.clone(),
            found: if is_formula { row.judgement.given } else { row.tape.into() },
            right: if is_formula { row.judgement.estimate.value } else { row.judgement.given },
            pattern: row.pattern.clone(),
        }
    }
}

impl GradCheck {
    /// The rows of one operation at these inputs, of a random cotangent, by the inputs that are wanted; `None` if it refuses
    /// them.
    pub(super) fn step(
        &self,
        step: &dyn Step,
        inputs: &[Tensor],
        wanted: &[bool],
        location: &'static Location<'static>,
    ) -> Option<Own> {
        let tape = Tape::of_check();
        let place = |(x, &wanted): (&Tensor, &bool)| match wanted {
            true => tape.var(x.clone()),
            false => tape.constant(x.clone()),
        };
        let inputs: Vec<Tensor> = inputs.iter().map(finite).collect();
        let vars: Vec<Var<'_>> = inputs.iter().zip(wanted).map(place).collect();
        let references: Vec<&Var<'_>> = vars.iter().collect();
        let (_, first, outputs) = Tape::try_record_step(step.fresh(), &references, location).ok()?;
        let mut rng = Rng::seed(self.seed);
        let of = |k: usize| Var::new(&tape, first + k as u32);
        let output = match outputs {
            1 => of(0),
            // One value of them all: each output times random numbers, summed.
            _ => (0..outputs)
                .map(|k| (of(k) * tape.constant(Tensor::randn(of(k).shape(), &mut rng))).sum())
                .reduce(|a, b| a + b)?,
        };
        let places: Vec<usize> = (0..inputs.len()).filter(|&i| wanted[i]).collect();
        let vars: Vec<Var<'_>> = places.iter().map(|&i| vars[i]).collect();
        let rows = self.rows_alone(&vars, output, &mut rng);
        Some(places.into_iter().cycle().zip(rows).collect())
    }
}

/// The numbers with one far from all others in place of each infinite one: differences cannot be taken at an infinity, such as
/// that of a mask.
fn finite(x: &Tensor) -> Tensor {
    let numbers = || x.iter().filter(|x| x.is_finite());
    if x.iter().all(f32::is_finite) {
        return x.clone();
    }
    let (low, high) = (numbers().fold(0.0, f32::min), numbers().fold(0.0, f32::max));
    x.map(|x| match x {
        f32::NEG_INFINITY => low - FAR,
        f32::INFINITY => high + FAR,
        _ => x,
    })
}
