//! Running a recorded tape again in f64, with other values at its leaves.

use crate::{
    op::{
        Precision, Step,
        reference::{Array, Branches, Changing, Update},
    },
    tape::{Tape, node::Node},
};
use gradus_tensor::{Rng, Tensor};
use smallvec::SmallVec;
use std::{borrow::Cow, cell::Ref, panic::Location};

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
    /// The nodes of steps whose references declare a surrogate.
    surrogates: Vec<usize>,
}

impl<'t> Replay<'t> {
    /// The tape as it stands now; what `tape.step` has not released is there, or is computed again. It cannot grow while this lives.
    pub(crate) fn new(tape: &'t Tape) -> Replay<'t> {
        tape.provide_all();
        let nodes = tape.nodes.read();
        let mut replay = Replay {
            choices: vec![Vec::new(); nodes.len()],
            base: Vec::new(),
            surrogates: Vec::new(),
            nodes,
        };
        for (id, node) in replay.nodes.iter().enumerate() {
            if node.is_later_output() {
                continue; // came with the first
            }
            let Some(step) = &node.step else {
                replay.base.push(Array::from(node.value()));
                continue;
            };
            let inputs: Vec<&Array> = node.inputs.iter().map(|&i| &replay.base[i as usize]).collect();
            let mut branches = Branches::recording();
            let mut outputs = step.reference(&inputs, &mut branches);
            if branches.is_surrogate() {
                replay.surrogates.push(id);
            }
            let natural = branches.into_choices();
            if !natural.is_empty() {
                // What the f32 inputs choose may be another side than f64 inputs, a rounding away, would.
                replay.choices[id] = recorded_choices(&replay.nodes, node, &**step);
                if replay.choices[id] != natural {
                    outputs = step.reference(&inputs, &mut Branches::frozen(&replay.choices[id]));
                }
            }
            replay.base.extend(outputs);
        }
        replay
    }

    /// The value of a node at the recorded leaves.
    pub(crate) fn base(&self, id: u32) -> &Array {
        &self.base[id as usize]
    }

    /// Whether a value has elements that are not finite as recorded, but in f64.
    pub(crate) fn is_infinite_in_f32_alone(&self, id: u32) -> bool {
        let Some(recorded) = &self.nodes[id as usize].value else { return false };
        recorded
            .iter()
            .zip(self.base(id).data())
            .any(|(recorded, base)| !recorded.is_finite() && base.is_finite())
    }

    /// An element of a value as it was recorded.
    pub(crate) fn in_f32(&self, id: u32, flat: usize) -> f64 {
        self.nodes[id as usize].value().iter().nth(flat).map_or(f64::NAN, f64::from)
    }

    /// Whether a node was put on the tape as it is.
    pub(crate) fn is_leaf(&self, id: u32) -> bool {
        let node = &self.nodes[id as usize];
        node.step.is_none() && !node.is_later_output()
    }

    /// A sentence for each step up to a node whose backward is deliberately not the derivative of its forward.
    pub(crate) fn surrogates(&self, last: u32) -> Vec<String> {
        let mut sentences: Vec<String> = Vec::new();
        for &id in self.surrogates.iter().filter(|&&id| id <= last as usize) {
            let (step, _, line) = self.recorded(id);
            let sentence = surrogate_note(step.name(), &format!(" at {}:{}", line.file(), line.line()));
            if !sentences.contains(&sentence) {
                sentences.push(sentence);
            }
        }
        sentences
    }

    /// Shows all values when each step's result is off by a random error: one of the results that arithmetic so good could
    /// have given.
    pub(crate) fn rounded(&self, errors: Errors, rng: &mut Rng, see: &mut dyn FnMut(u32, &Array)) {
        self.run(self.base.len(), Some(&[]), &mut |id, step, inputs| {
            let (mut outputs, precision, term) = match step {
                Some(step) => {
                    let outputs = step.reference(inputs, &mut Branches::frozen(&self.choices[id]));
                    let term = inputs.iter().take(2).map(|x| largest(x)).product();
                    (outputs, step.precision(), term)
                }
                None if errors == Errors::OfF32 => {
                    see(id as u32, &self.base[id]);
                    return vec![Cow::Borrowed(&self.base[id])];
                }
                None => (vec![self.base[id].clone()], Precision::Ulps(0.0), 0.0),
            };
            for y in &mut outputs {
                let term = f64::max(term, largest(y));
                for y in y.data_mut().iter_mut().filter(|y| y.is_finite()) {
                    let size = match (errors, precision) {
                        (Errors::OfF32, Precision::Ulps(ulps)) => f64::from(f32::EPSILON) * ulps * y.abs(),
                        (Errors::OfF32, Precision::UlpsOfLargest(ulps)) => {
                            f64::from(f32::EPSILON) * ulps * term
                        }
                        (Errors::OfF64, _) => 2.0 * f64::EPSILON * y.abs(),
                    };
                    *y += size * f64::from(rng.uniform(-1.0, 1.0));
                }
            }
            outputs.iter().enumerate().for_each(|(k, y)| see((id + k) as u32, y));
            outputs.into_iter().map(Cow::Owned).collect()
        });
    }

    /// The value of a node when what f32 could not hold on the way is infinite, as it was recorded; and where that begins: the
    /// step, the node of its output and an element of that.
    pub(crate) fn overflowing(&self, last: u32) -> (Array, Vec<(usize, usize, usize)>) {
        let mut origins = Vec::new();
        let mut values = self.run(last as usize + 1, Some(&[last]), &mut |id, step, inputs| {
            let Some(step) = step else { return vec![Cow::Borrowed(&self.base[id])] };
            let mut outputs = step.reference(inputs, &mut Branches::frozen(&self.choices[id]));
            for (node, y) in (id..).zip(&mut outputs) {
                let Some(recorded) = &self.nodes[node].value else { continue };
                let mut overflowed = None;
                for (i, (y, recorded)) in y.data_mut().iter_mut().zip(recorded.iter()).enumerate() {
                    if y.is_finite() && !recorded.is_finite() {
                        (*y, overflowed) = (recorded.into(), overflowed.or(Some(i)));
                    }
                }
                origins.extend(overflowed.map(|i| (id, node, i)));
            }
            outputs.into_iter().map(Cow::Owned).collect()
        });
        (values.swap_remove(last as usize).into_owned(), origins)
    }

    /// All values when leaves have other values.
    pub(crate) fn at(&self, leaves: &[(u32, Array)]) -> Vec<Array> {
        let leaf = |id: u32| self.leaf(leaves, id);
        self.frozen(self.base.len(), None, &leaf).into_iter().map(Cow::into_owned).collect()
    }

    /// The values of some nodes when leaves have the values that `leaf` gives; others are not kept longer than they are read.
    pub(crate) fn values_at<'a>(
        &'a self,
        leaf: &dyn Fn(u32) -> Cow<'a, Array>,
        nodes: &[u32],
    ) -> Vec<Cow<'a, Array>> {
        let last = nodes.iter().max().map_or(0, |&last| last as usize + 1);
        let mut values = self.frozen(last, Some(nodes), leaf);
        let none = || Cow::Owned(Array::full([0], 0.0));
        nodes.iter().map(|&id| std::mem::replace(&mut values[id as usize], none())).collect()
    }

    fn frozen<'a>(
        &'a self,
        count: usize,
        keep: Option<&[u32]>,
        leaf: &dyn Fn(u32) -> Cow<'a, Array>,
    ) -> Vec<Cow<'a, Array>> {
        self.run(count, keep, &mut |id, step, inputs| match step {
            Some(step) => {
                let outputs = step.reference(inputs, &mut Branches::frozen(&self.choices[id]));
                outputs.into_iter().map(Cow::Owned).collect()
            }
            None => vec![leaf(id as u32)],
        })
    }

    /// The value of a node when leaves have other values and steps at some nodes are others, by the branches that are theirs.
    pub(crate) fn over_kinks(
        &self,
        leaves: &[(u32, Array)],
        steps: &[(usize, &dyn Step)],
        last: u32,
    ) -> Array {
        let mut values = self.run(last as usize + 1, Some(&[last]), &mut |id, step, inputs| match step {
            Some(step) => {
                let step = steps.iter().find(|(other, _)| *other == id).map_or(step, |(_, step)| *step);
                let outputs = step.reference(inputs, &mut Branches::recording());
                outputs.into_iter().map(Cow::Owned).collect()
            }
            None => vec![self.leaf(leaves, id as u32)],
        });
        values.swap_remove(last as usize).into_owned()
    }

    /// The values of the first nodes, each step's and leaf's as `compute` gives them from position, step and inputs. All are
    /// kept, or these; of others nothing is left when the last that reads them has done so.
    fn run<'a>(
        &'a self,
        count: usize,
        keep: Option<&[u32]>,
        compute: &mut Compute<'_, 'a>,
    ) -> Vec<Cow<'a, Array>> {
        let mut values: Vec<Cow<'a, Array>> = Vec::with_capacity(count);
        // By node: the last that reads it, itself if none does.
        let mut last: Vec<usize> = (0..count).collect();
        for (id, node) in self.nodes.iter().enumerate().take(count) {
            node.inputs.iter().for_each(|&i| last[i as usize] = id);
        }
        keep.unwrap_or_default().iter().for_each(|&id| last[id as usize] = usize::MAX);
        for (id, node) in self.nodes.iter().enumerate().take(count) {
            if node.is_later_output() {
                continue; // came with the first
            }
            let inputs: Vec<&Array> = node.inputs.iter().map(|&i| &*values[i as usize]).collect();
            let computed = compute(id, node.step.as_deref(), &inputs);
            values.extend(computed);
            if keep.is_some() {
                let read = node.inputs.iter().map(|&i| i as usize).filter(|&i| last[i] == id);
                let unread = (id..values.len()).filter(|&k| last.get(k) == Some(&k));
                let done = read.chain(unread).collect::<SmallVec<[usize; 4]>>();
                done.into_iter().for_each(|k| values[k] = Cow::Owned(Array::full([0], 0.0)));
            }
        }
        values
    }

    /// The value of a leaf, which may be another than the recorded one.
    pub(crate) fn leaf(&self, others: &[(u32, Array)], id: u32) -> Cow<'_, Array> {
        match others.iter().find(|(leaf, _)| *leaf == id) {
            Some((_, value)) => Cow::Owned(value.clone()),
            None => Cow::Borrowed(self.base(id)),
        }
    }

    /// The way from a leaf to the node that depends on it; `None` where that does not.
    pub(crate) fn path(&self, leaf: u32, target: u32) -> Option<Path<'_>> {
        let needed = self.needed_by(target);
        let mut places: Vec<Option<u32>> = vec![None; target as usize + 1];
        let mut path = Path {
            base: &self.base,
            choices: &self.choices,
            places: Vec::new(),
            changing: Vec::new(),
            steps: Vec::new(),
            frozen: true,
        };
        if leaf > target {
            return None;
        }
        let mut add = |id: usize, changing: &mut Vec<Changing>| {
            places[id] = Some(changing.len() as u32);
            changing.push(Changing::new(self.base[id].clone()));
        };
        add(leaf as usize, &mut path.changing);
        let mut reached = vec![false; target as usize + 1];
        reached[leaf as usize] = true;
        for (id, node) in self.nodes.iter().enumerate().take(target as usize + 1).skip(leaf as usize + 1) {
            let Some(step) = &node.step else { continue };
            if !needed[id] || !node.inputs.iter().any(|&i| reached[i as usize]) {
                continue;
            }
            let outputs = id..(id + node.outputs as usize).min(target as usize + 1);
            for k in outputs.clone() {
                reached[k] = true;
                add(k, &mut path.changing);
            }
            let inputs = node.inputs.clone();
            path.steps.push(PathStep { id, step: step.fresh(), inputs, outputs: outputs.len() });
        }
        path.places = places;
        reached[target as usize].then_some(path)
    }

    /// The first nodes of the steps on the way from leaves to a target, each with the inputs of it that depend on them.
    pub(crate) fn steps_between(&self, leaves: &[u32], target: u32) -> Vec<(usize, Vec<bool>)> {
        let needed = self.needed_by(target);
        let mut reached = vec![false; self.nodes.len()];
        leaves.iter().for_each(|&leaf| reached[leaf as usize] = true);
        let mut steps = Vec::new();
        for (id, node) in self.nodes.iter().enumerate().take(target as usize + 1) {
            let wanted: Vec<bool> = node.inputs.iter().map(|&i| reached[i as usize]).collect();
            if node.step.is_some() && needed[id] && wanted.contains(&true) {
                reached[id..id + node.outputs as usize].fill(true);
                steps.push((id, wanted));
            }
        }
        steps
    }

    /// About how many multiplications, or what takes as long, a step's reference takes.
    pub(crate) fn work(&self, id: usize) -> u64 {
        let node = &self.nodes[id];
        let shape = |id: usize| self.base[id].shape();
        let inputs: Vec<&[usize]> = node.inputs.iter().map(|&i| shape(i as usize)).collect();
        let outputs: Vec<&[usize]> = (id..id + node.outputs as usize).map(shape).collect();
        let elements = inputs.iter().chain(&outputs).map(|shape| shape.iter().product::<usize>() as u64);
        let elements: u64 = elements.sum();
        node.step.as_ref().map_or(0, |step| step.flops(&inputs, &outputs)) / 2 + PASS * elements
    }

    /// A step as it was recorded: with the values of its inputs and its line.
    pub(crate) fn recorded(&self, id: usize) -> (&dyn Step, Vec<Tensor>, &'static Location<'static>) {
        let node = &self.nodes[id];
        let inputs = node.inputs.iter().map(|&i| self.nodes[i as usize].value().clone()).collect();
        (&**node.step.as_ref().expect("a node of a step"), inputs, node.location)
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

/// From a node's position, its step if it has one, and that step's inputs, to the values of its outputs.
type Compute<'f, 'a> = dyn FnMut(usize, Option<&dyn Step>, &[&Array]) -> Vec<Cow<'a, Array>> + 'f;

/// How many multiplications a pass over an element is as long as.
const PASS: u64 = 8;

/// What a report says of an operation whose backward is a surrogate.
pub(crate) fn surrogate_note(name: &str, place: &str) -> String {
    format!(
        "the backward of {name}{place} is a surrogate, checked against what it declares, not against its forward"
    )
}

/// The inputs of a step as they were recorded.
pub(crate) fn recorded_inputs(nodes: &[Node], node: &Node) -> Vec<Array> {
    node.inputs.iter().map(|&i| Array::from(nodes[i as usize].value())).collect()
}

fn recorded_choices(nodes: &[Node], node: &Node, step: &dyn Step) -> Vec<u32> {
    let recorded = recorded_inputs(nodes, node);
    let mut branches = Branches::recording();
    step.reference(&recorded.iter().collect::<Vec<_>>(), &mut branches);
    branches.into_choices()
}

/// The largest finite magnitude.
pub(crate) fn largest(x: &Array) -> f64 {
    largest_of(x.data())
}

pub(crate) fn largest_of(x: &[f64]) -> f64 {
    x.iter().filter(|x| x.is_finite()).fold(0.0f64, |m, x| m.max(x.abs()))
}

/// The part of a tape that lies between a leaf and a value that depends on it, to be run with the leaf moved, many
/// times. It computes anew only what a move reaches.
pub(crate) struct Path<'r> {
    base: &'r [Array],
    choices: &'r [Vec<u32>],
    /// By node: its position among the changing values, if the leaf reaches it.
    places: Vec<Option<u32>>,
    /// The leaf first, the target last.
    changing: Vec<Changing>,
    steps: Vec<PathStep>,
    /// Whether branches are those that were recorded.
    frozen: bool,
}

struct PathStep {
    id: usize,
    step: Box<dyn Step>,
    inputs: SmallVec<[u32; 3]>,
    outputs: usize,
}

/// The size of random errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errors {
    /// Those that the steps state for f32.
    OfF32,
    /// Those of every number in f64, leaves too: what sums lose then is what their terms are off by.
    OfF64,
}

/// What a move of the leaf did to the target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    /// The changes of the target's elements, multiplied by their weights and summed. Differences first, sums later: the
    /// base has cancelled before rounding can hide the change.
    pub(crate) change: f64,
    /// How many branches would have gone another way.
    pub(crate) flips: usize,
}

impl Path<'_> {
    /// The same way, for another thread.
    pub(crate) fn fork(&self) -> Self {
        let copy = |s: &PathStep| PathStep { step: s.step.fresh(), inputs: s.inputs.clone(), ..*s };
        Path {
            places: self.places.clone(),
            changing: self.changing.clone(),
            steps: self.steps.iter().map(copy).collect(),
            ..*self
        }
    }

    /// How many elements lie on the way.
    pub(crate) fn len(&self) -> usize {
        self.changing.iter().map(|changing| changing.value().data().len()).sum()
    }

    /// Moves the leaf's elements by `h` times the direction's, sees what that does to the target, and moves back.
    pub(crate) fn moved(&mut self, direction: &[(usize, f64)], h: f64, weights: &[f64]) -> Moved {
        let leaf = &mut self.changing[0];
        if direction.len() > leaf.value().data().len() / 4 {
            let mut value = leaf.value().clone();
            direction.iter().for_each(|&(i, d)| value.data_mut()[i] += h * d);
            leaf.replace(value);
        } else {
            direction.iter().for_each(|&(i, d)| leaf.set(i, leaf.value().data()[i] + h * d));
        }
        let flips = (0..self.steps.len()).map(|k| self.run(k)).sum();
        let target = self.changing.last().expect("the leaf at least");
        let change = target.weighted_change(weights);
        self.changing.iter_mut().for_each(Changing::restore);
        Moved { change, flips }
    }

    /// The change of the target where branches follow the moved values: that of the function itself, kinks and all.
    pub(crate) fn moved_over_kinks(&mut self, direction: &[(usize, f64)], h: f64, weights: &[f64]) -> f64 {
        self.frozen = false;
        let change = self.moved(direction, h, weights).change;
        self.frozen = true;
        change
    }

    /// Runs a step, if anything that it reads has changed; the number of flips.
    fn run(&mut self, k: usize) -> usize {
        let PathStep { id, step, inputs, outputs } = &self.steps[k];
        let first = self.places[*id].expect("the leaf reaches every step of the path") as usize;
        // What comes before on the tape stands before among the changing values.
        let (before, after) = self.changing.split_at_mut(first);
        let place = |&i: &u32| self.places[i as usize].map(|place| place as usize);
        let mut changed = inputs.iter().map(place).enumerate().filter_map(|(input, place)| {
            let changing = &before[place?];
            changing.is_changed().then_some((input, changing))
        });
        let Some((input, changing)) = changed.next() else { return 0 };
        let alone = self.frozen && changed.next().is_none() && *outputs == 1 && !changing.is_replaced();
        let values: SmallVec<[&Array; 3]> = inputs
            .iter()
            .map(|i| place(i).map_or(&self.base[*i as usize], |place| before[place].value()))
            .collect();
        let choices = &self.choices[*id];
        if alone {
            let mut update = Update::new(&values, input, changing, choices, &mut after[0]);
            if step.reference_update(&mut update) {
                return update.flips();
            }
        }
        let mut branches = if self.frozen { Branches::frozen(choices) } else { Branches::recording() };
        let results = step.reference(&values, &mut branches);
        for (slot, result) in after.iter_mut().zip(results).take(*outputs) {
            slot.replace(result);
        }
        branches.flips()
    }
}
