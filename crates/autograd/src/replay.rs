//! Running a recorded tape again in f64, with other values at its leaves.

use crate::{
    reference::{Array, Branches},
    tape::{Node, Tape},
};
use std::cell::Ref;

/// A tape as a function of its leaves, in f64 through each operation's reference.
///
/// The branches (sides of kinks, winners of maxima) are those that each node's recorded f32 inputs choose; they stay
/// frozen, so the function is smooth around the recorded point.
pub(crate) struct Replay<'t> {
    nodes: Ref<'t, Vec<Node>>,
    /// By node: the choices of its step.
    choices: Vec<Vec<u32>>,
    /// By node: the value at the recorded leaves. Constants and leaves are the recorded f32s.
    base: Vec<Array>,
}

impl<'t> Replay<'t> {
    /// The tape as it stands now; what `tape.step` has not released is there, or is computed again. It cannot grow while this lives.
    pub(crate) fn new(tape: &'t Tape) -> Replay<'t> {
        tape.segments.borrow_mut().prepare_all(&mut tape.nodes.borrow_mut());
        let nodes = tape.nodes.borrow();
        let mut replay = Replay { choices: vec![Vec::new(); nodes.len()], base: Vec::new(), nodes };
        for (id, node) in replay.nodes.iter().enumerate() {
            if node.is_later_output() {
                continue; // came with the first
            }
            let Some(step) = &node.step else {
                replay.base.push(Array::from(node.value()));
                continue;
            };
            let recorded: Vec<Array> =
                node.inputs.iter().map(|&i| Array::from(replay.nodes[i as usize].value())).collect();
            let mut branches = Branches::recording();
            step.reference(&recorded.iter().collect::<Vec<_>>(), &mut branches);
            replay.choices[id] = branches.into_choices();
            let inputs: Vec<&Array> = node.inputs.iter().map(|&i| &replay.base[i as usize]).collect();
            let outputs = step.reference(&inputs, &mut Branches::frozen(&replay.choices[id]));
            replay.base.extend(outputs);
        }
        replay
    }

    /// The value of a node at the recorded leaves.
    pub(crate) fn base(&self, id: u32) -> &Array {
        &self.base[id as usize]
    }

    /// The value of a node when one leaf has another value.
    pub(crate) fn with(&self, leaf: u32, value: &Array, target: u32) -> Array {
        // What the leaf does not reach, or the target does not need, stays as it is.
        let mut changed: Vec<Option<Array>> = vec![None; target as usize + 1];
        let needed = self.needed_by(target);
        if let Some(slot) = changed.get_mut(leaf as usize) {
            *slot = Some(value.clone());
        }
        for id in leaf as usize + 1..=target as usize {
            let node = &self.nodes[id];
            let Some(step) = &node.step else { continue };
            if !needed[id] || !node.inputs.iter().any(|&i| changed[i as usize].is_some()) {
                continue;
            }
            let inputs: Vec<&Array> = node
                .inputs
                .iter()
                .map(|&i| changed[i as usize].as_ref().unwrap_or(&self.base[i as usize]))
                .collect();
            let outputs = step.reference(&inputs, &mut Branches::frozen(&self.choices[id]));
            for (slot, output) in changed[id..].iter_mut().zip(outputs) {
                *slot = Some(output);
            }
        }
        changed.pop().flatten().unwrap_or_else(|| self.base[target as usize].clone())
    }

    fn needed_by(&self, target: u32) -> Vec<bool> {
        let mut needed = vec![false; target as usize + 1];
        needed[target as usize] = true;
        for id in (0..needed.len()).rev() {
            let node = &self.nodes[id];
            let any_output = (id..needed.len().min(id + node.outputs.max(1) as usize)).any(|k| needed[k]);
            if any_output {
                // A later output needs its step's first node, whose inputs are the step's.
                needed[id] = true;
                node.inputs.iter().for_each(|&i| needed[i as usize] = true);
            }
        }
        needed
    }
}
