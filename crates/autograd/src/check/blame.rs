//! Who is to blame for a wrong gradient: each operation on the way is checked alone.

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

/// The first operation on the way from a leaf to the output whose own check, at the values it was recorded with, fails as
/// this row does.
pub(super) fn blame(
    check: &GradCheck,
    replay: &Replay<'_>,
    known: &mut Known,
    (leaf, output): (Var<'_>, Var<'_>),
    wrong: &Row,
) -> Option<Blame> {
    // In full where that is quick: the more elements, the clearer the pattern.
    let check = GradCheck { elements: check.elements.max(512), order: wrong.order, ..check.clone() };
    replay.steps_between(&[leaf.id()], output.id()).into_iter().find_map(|(id, _)| {
        let (step, inputs, location) = replay.recorded(id);
        let all = vec![true; inputs.len()];
        let own = || check.step(step, &inputs, &all, location);
        let rows = known.entry((id, wrong.order)).or_insert_with(own).as_ref()?;
        let failed = rows.iter().find(|(_, row)| row.verdict == wrong.verdict);
        failed.map(|(input, row)| Blame::of(step, location, *input, row))
    })
}

/// Whether the own checks of all these operations, which were asked for before, find them right, and away from kinks: several
/// may share those.
pub(super) fn all_right(known: &Known, ids: &[usize]) -> bool {
    let is_right = |(_, row): &(usize, Row)| matches!(row.verdict, Verdict::Pass | Verdict::Zero);
    ids.iter().all(|&id| matches!(known.get(&(id, 1)), Some(Some(rows)) if rows.iter().all(is_right)))
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
