//! Values on the way that f32 could not hold, though the output is finite again: what is computed then is another function than
//! the one that was written.

use super::report::{Blame, Row, Verdict};
use crate::{op::reference::unflatten, replay::Replay, tape::var::Var};

/// By what part of itself the output may be another one.
const SMALL: f64 = 1e-6;

/// The operations up to an output at which numbers became infinite that f64 can hold. Infinities that are there in f64, too, such
/// as those of a mask, are meant.
pub(super) struct Overflow {
    /// By step.
    operations: Vec<(usize, Blame)>,
    /// Whether the output is another one than without.
    matters: bool,
}

impl Overflow {
    pub(super) fn of(replay: &Replay<'_>, output: Var<'_>) -> Overflow {
        let is_infinite = |id: u32| replay.is_infinite_in_f32_alone(id);
        if !(0..=output.id()).any(is_infinite) {
            return Overflow { operations: Vec::new(), matters: false };
        }
        let (found, mut origins) = replay.overflowing(output.id());
        let is_used = |node: usize| {
            node as u32 == output.id() || !replay.steps_between(&[node as u32], output.id()).is_empty()
        };
        origins.retain(|&(_, node, _)| is_used(node));
        let right = replay.base(output.id());
        let differs = |(found, right): (&f64, &f64)| {
            found != right
                && (found - right).abs().partial_cmp(&(SMALL * right.abs())) != Some(std::cmp::Ordering::Less)
        };
        let blame = |(id, node, flat): (usize, usize, usize)| {
            let (step, _, location) = replay.recorded(id);
            let exact = replay.base(node as u32);
            let blame = Blame {
                op: step.name(),
                attributes: step.describe(),
                line: format!("{}:{}", location.file(), location.line()),
                input: None,
                shape: exact.shape().to_vec(),
                worst: unflatten(flat, exact.shape()),
                found: replay.in_f32(node as u32, flat),
                right: exact.data()[flat],
                pattern: None,
            };
            (id, blame)
        };
        Overflow {
            operations: origins.into_iter().map(blame).collect(),
            matters: found.data().iter().zip(right.data()).any(differs),
        }
    }

    /// Lets a row fail on whose way to the output a number overflowed that matters, or whose f32 gradient is another one for it.
    pub(super) fn conclude(&self, way: &[usize], row: &mut Row) {
        let on_way = self.operations.iter().find(|(id, _)| way.contains(id));
        let is_unsure = matches!(row.verdict, Verdict::PoorPrecision | Verdict::Inconclusive);
        // Weights meet what overflowed before them.
        let off = (f64::from(row.tape) - row.judgement.given).abs();
        let beside = self.operations.first().filter(|_| is_unsure && off > row.rounding);
        let Some((_, blame)) = on_way.or(beside) else { return };
        if is_unsure || self.matters {
            (row.verdict, row.blame) = (Verdict::Overflow, Some(blame.clone()));
            (row.pattern, row.note) = (None, None);
        } else if row.verdict.is_fine() {
            let note =
                format!("{} at {} gives more than f32 can hold, which changes nothing", blame.op, blame.line);
            row.note = Some(row.note.take().map_or(note.clone(), |before| format!("{before}; {note}")));
        }
    }
}
