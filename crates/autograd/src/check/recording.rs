//! Whether a program recorded again at other inputs is the same one.
//!
//! A number that was taken out of the recording and put back is a constant there: to the rules and to differences alike. But
//! recorded at other inputs it is another number.

use super::rounding::magnitude;
use crate::{
    op::{
        Step,
        reference::{Array, Branches},
    },
    replay::{Replay, largest, recorded_inputs},
    tape::{Tape, node::Node, var::Var},
};
use gradus_tensor::{Rng, Tensor};
use std::{collections::BTreeSet, panic::Location};

/// By how much inputs are moved, in proportion: by a random part of it.
const MOVE: f32 = 1.0 / 256.0;
/// What part of the output's change may come from numbers that changed.
const SMALL: f64 = 1e-3;

/// These numbers, each moved a little.
pub(super) fn moved(x: &Tensor, rng: &mut Rng) -> Tensor {
    let factors = Tensor::uniform(x.shape(), 1.0 - MOVE, 1.0 + MOVE, rng);
    x * factors
}

/// A program as it was recorded: its variables and its output.
pub(super) struct Recording<'t> {
    pub(super) tape: &'t Tape,
    pub(super) vars: Vec<Var<'t>>,
    pub(super) output: Var<'t>,
}

/// What the second recording tells of the first.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Numbers that depend on the inputs, and with them the output.
    pub(super) broken: Vec<String>,
    /// Values detached on purpose.
    pub(super) notes: Vec<String>,
}

/// A leaf or an operation that is another one in the second recording.
struct Changed {
    id: usize,
    is_detached: bool,
    /// What is said of it.
    sentence: String,
}

/// Compares a program with the same recorded at other inputs. Where the operations themselves are others, it tells nothing.
pub(super) fn compare(first: &Recording<'_>, second: &Recording<'_>, weights: &[f64]) -> Told {
    [first.tape, second.tape].iter().for_each(|tape| tape.provide_all());
    let changed = changed(first, second);
    let mut told = Told::default();
    if changed.is_empty() {
        return told;
    }
    let (replay, again) = (Replay::new(first.tape), Replay::new(second.tape));
    let others = second.tape.nodes.read();
    let moved: Vec<(u32, Array)> =
        first.vars.iter().zip(&second.vars).map(|(a, b)| (a.id(), again.base(b.id()).clone())).collect();
    // The weighted output at the moved inputs, with some of what has changed.
    let at = |which: &dyn Fn(&Changed) -> bool| {
        let (mut leaves, mut steps) = (moved.clone(), Vec::new());
        for Changed { id, .. } in changed.iter().filter(|changed| which(changed)) {
            match &others[*id].step {
                Some(step) => steps.push((*id, &**step)),
                None => leaves.push((*id as u32, again.base(*id as u32).clone())),
            }
        }
        let y = replay.over_kinks(&leaves, &steps, first.output.id());
        y.data().iter().zip(weights).map(|(y, weight)| y * weight).sum::<f64>()
    };
    let base = replay.base(first.output.id()).data();
    let start: f64 = base.iter().zip(weights).map(|(y, weight)| y * weight).sum();
    let alone = at(&|_| false);
    let least = (SMALL * (alone - start).abs()).max(1e-9 * magnitude(base, weights));
    let matters = |which: &dyn Fn(&Changed) -> bool| (at(which) - alone).abs() > least;
    // Several may make up for one another, as where the largest element is subtracted twice.
    let together = matters(&|changed| !changed.is_detached);
    for one in &changed {
        let sentences = match one.is_detached {
            true => &mut told.notes,
            false if together => &mut told.broken,
            false => continue,
        };
        if !sentences.contains(&one.sentence) && matters(&|changed| changed.id == one.id) {
            sentences.push(one.sentence.clone());
        }
    }
    told
}

/// What is another number in the second recording.
fn changed(first: &Recording<'_>, second: &Recording<'_>) -> Vec<Changed> {
    let (nodes, others) = (first.tape.nodes.read(), second.tape.nodes.read());
    let last = first.output.id() as usize;
    let name = |node: &Node| node.step.as_ref().map(|step| step.name());
    let is_same = |(a, b): (&Node, &Node)| name(a) == name(b) && a.inputs == b.inputs;
    let is_alike = first.output.id() == second.output.id()
        && nodes.iter().zip(others.iter()).take(last + 1).all(is_same);
    if !is_alike || !second.output.value().iter().all(f32::is_finite) {
        return Vec::new();
    }
    let vars: BTreeSet<usize> = first.vars.iter().map(|var| var.id() as usize).collect();
    let differs = |id: usize| match (&nodes[id].step, &others[id].step) {
        (Some(step), Some(other)) => {
            floats(&step.describe()) != floats(&other.describe()) && {
                let inputs = recorded_inputs(&nodes, &nodes[id]);
                let run = |step: &dyn Step| {
                    step.reference(&inputs.iter().collect::<Vec<_>>(), &mut Branches::recording())
                };
                run(&**step).iter().zip(&run(&**other)).any(|(a, b)| is_smooth(a, b))
            }
        }
        _ => {
            let is_leaf = nodes[id].inputs.is_empty() && !vars.contains(&id);
            is_leaf && is_smooth(&Array::from(nodes[id].value()), &Array::from(others[id].value()))
        }
    };
    let tell = |id: usize| {
        let node = &nodes[id];
        let sentence = if node.is_detached { detached(node.location) } else { taken_out(node) };
        Changed { id, is_detached: node.is_detached, sentence }
    };
    (0..=last).filter(|&id| differs(id)).map(tell).collect()
}

/// The floating-point numbers among an operation's attributes. Whole ones are indices and sizes, which jump: the winner of a
/// maximum is another one at moved inputs, and no gradient is lost by it.
fn floats(attributes: &str) -> Vec<&str> {
    let words = attributes.split(|c: char| !(c.is_ascii_alphanumeric() || "._+-".contains(c)));
    words.filter(|word| word.parse::<f64>().is_ok() && word.parse::<i64>().is_err()).collect()
}

/// Whether numbers changed as those do that depend on others: some by a little. What jumps has no derivative to be lost.
fn is_smooth(before: &Array, after: &Array) -> bool {
    let size = largest(before);
    let (before, after) = (before.data(), after.data());
    before.len() == after.len()
        && before.iter().zip(after).any(|(a, b)| a != b && (a - b).abs() <= 0.1 * size)
}

fn detached(line: &Location<'_>) -> String {
    format!(
        "the value detached at {}:{} depends on the inputs; this part of the gradient is left out",
        line.file(),
        line.line()
    )
}

fn taken_out(node: &Node) -> String {
    let what =
        node.step.as_ref().map_or("the constant".into(), |step| format!("a number in {}", step.name()));
    let line = node.location;
    format!(
        "{what} at {}:{} changes with the inputs, but is recorded as a number, so this part of the gradient is lost: it was \
         taken out of the recording, as by item() or to_tensor(), and put back; keep it a variable, or say detach() if that \
         is meant",
        line.file(),
        line.line()
    )
}
