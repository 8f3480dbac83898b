//! The backward sweep: one loop down the tape, on tensors or, for higher orders, on variables of the same tape.

pub(crate) mod gradients;

use crate::{
    op::{Backward, Step},
    ops::shape::SumTo,
    sweep::gradients::Gradients,
    tape::{Tape, few::List, node::Node, var::Var},
    value::Value,
};
use gradus_tensor::{OrFail, ShapeError, Tensor};
use smallvec::{SmallVec, smallvec};
use std::panic::Location;

/// Which rule an ordinary sweep runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The fast one, where an operation has one.
    Fused,
    /// The rule of record, which higher orders use.
    OfRecord,
}

/// What looks on while a sweep runs. `()` sees nothing and costs nothing.
pub(crate) trait Watch {
    /// The gradient of the value at `id` is complete, if there is one; the rule of its step comes next.
    #[track_caller]
    fn complete(&mut self, _tape: &Tape, _id: usize, _gradient: &mut Option<Tensor>) {}

    /// Whether the gradient of the value at `id` is to be computed, if variables lie under it.
    fn wants(&self, _id: usize) -> bool {
        true
    }

    /// The rule of the step at `id` gave these gradients to its inputs.
    fn gave(&mut self, _nodes: &[Node], _id: usize, _results: &[Option<Tensor>]) {}
}

impl Watch for () {}

impl<W: Watch> Watch for Option<W> {
    #[track_caller]
    fn complete(&mut self, tape: &Tape, id: usize, gradient: &mut Option<Tensor>) {
        if let Some(watch) = self {
            watch.complete(tape, id, gradient);
        }
    }

    fn wants(&self, id: usize) -> bool {
        self.as_ref().is_none_or(|watch| watch.wants(id))
    }

    fn gave(&mut self, nodes: &[Node], id: usize, results: &[Option<Tensor>]) {
        if let Some(watch) = self {
            watch.gave(nodes, id, results);
        }
    }
}

impl<A: Watch, B: Watch> Watch for (A, B) {
    #[track_caller]
    fn complete(&mut self, tape: &Tape, id: usize, gradient: &mut Option<Tensor>) {
        self.0.complete(tape, id, gradient);
        self.1.complete(tape, id, gradient);
    }

    fn wants(&self, id: usize) -> bool {
        self.0.wants(id) && self.1.wants(id)
    }

    fn gave(&mut self, nodes: &[Node], id: usize, results: &[Option<Tensor>]) {
        self.0.gave(nodes, id, results);
        self.1.gave(nodes, id, results);
    }
}

/// The positions of values with their cotangents, from which a sweep begins.
pub(crate) type Seeds = SmallVec<[(u32, Tensor); 1]>;

/// The gradients of values whose cotangents are given, by every variable and parameter that they depend on.
#[track_caller]
pub(crate) fn sweep(
    tape: &Tape,
    seeds: Seeds,
    rule: Rule,
    release: bool,
    watch: &mut impl Watch,
) -> Gradients {
    let has_checkpoints = !tape.segments.borrow().is_empty();
    // What came after the last one cannot matter to them, but for outputs of its own step.
    let after = seeds.iter().map(|&(id, _)| id as usize + 1).max().unwrap_or(0);
    let end = after + tape.nodes.read()[after..].iter().take_while(|node| node.is_later_output()).count();
    let mut gradients: Vec<Option<Tensor>> = vec![None; end];
    for (id, cotangent) in seeds {
        accumulate(&mut gradients[id as usize], cotangent);
    }
    if release {
        tape.nodes.write()[end..].iter_mut().for_each(Node::release);
    }
    for id in (0..gradients.len()).rev() {
        watch.complete(tape, id, &mut gradients[id]);
        if has_checkpoints && reached(tape, id, &gradients) {
            tape.segments.borrow_mut().prepare(id, &mut tape.nodes.write());
        }
        sweep_node(&tape.nodes.read(), id, &mut gradients, (rule, tape.checked.get()), watch);
        if release {
            release_passed(&mut tape.nodes.write(), id);
        }
        if has_checkpoints {
            tape.segments.borrow_mut().passed(id, &mut tape.nodes.write());
        }
    }
    collect(tape, gradients)
}

/// The gradients of `y`, whose cotangent is given, as variables: by position on the tape, on the way to the wanted ones.
pub(crate) fn sweep_recorded<'t>(y: Var<'t>, cotangent: Var<'t>, wrt: &[Var<'t>]) -> Vec<Option<Var<'t>>> {
    let tape = y.tape();
    // Only the way from the wanted values to this one is worth going.
    let wanted = reached_from(tape, wrt, y.id());
    let mut gradients: Vec<Option<Var<'t>>> = vec![None; y.id() as usize + 1];
    gradients[y.id() as usize] = Some(cotangent);
    let has_checkpoints = !tape.segments.borrow().is_empty();
    for id in (0..gradients.len()).rev() {
        if has_checkpoints && reached(tape, id, &gradients) {
            tape.segments.borrow_mut().prepare(id, &mut tape.nodes.write());
        }
        record_node(tape, id, &wanted, &mut gradients);
        if has_checkpoints {
            tape.segments.borrow_mut().passed(id, &mut tape.nodes.write());
        }
    }
    gradients
}

impl Node {
    fn release(&mut self) {
        self.value = None;
        self.step = None;
    }
}

/// Gives back the values that the sweep does not need below `id`. The later outputs of a step wait for its first.
fn release_passed(nodes: &mut [Node], id: usize) {
    if !nodes[id].is_later_output() {
        let end = id + nodes[id].outputs.max(1) as usize;
        nodes[id..end].iter_mut().for_each(Node::release);
    }
}

/// Whether a cotangent has come to the step at `id`.
fn reached<G>(tape: &Tape, id: usize, gradients: &[Option<G>]) -> bool {
    let node = &tape.nodes.read()[id];
    gradients[id..].iter().take(node.outputs as usize).any(Option::is_some)
}

/// What failed in the backward rule of a step that was recorded at this line, such as an allocation.
#[cold]
fn of_rule(step: &dyn Step, line: &Location<'_>, error: &ShapeError) -> ShapeError {
    ShapeError::new(format!("backward of {} at {}:{}: {error}", step.name(), line.file(), line.line()))
}

/// Runs the backward rule of the step at `id`, if there is one and a cotangent has come to it.
#[track_caller]
fn sweep_node(
    nodes: &[Node],
    id: usize,
    gradients: &mut [Option<Tensor>],
    (rule, checked): (Rule, bool),
    watch: &mut impl Watch,
) {
    let node = &nodes[id];
    let Some(step) = node.step.as_ref().filter(|_| node.needs) else { return };
    // Inputs come before outputs. The rule takes the cotangents from where they were added up.
    let (before, cotangents) = gradients.split_at_mut(id);
    let outputs = node.outputs as usize;
    let cotangents = &mut cotangents[..outputs];
    if cotangents.iter().all(Option::is_none) {
        return;
    }
    let input = |k: usize| &nodes[node.inputs[k] as usize];
    let count = node.inputs.len();
    let inputs = List::new(count, input(0).value(), |k| input(k).value());
    let values = List::new(outputs, nodes[id].value(), |k| nodes[id + k].value());
    let needs = List::new(count, false, |k| input(k).needs && watch.wants(node.inputs[k] as usize));
    // A tensor is a hundred bytes: what holds it is made and emptied in place, not moved.
    let (mut few, mut many) = ([const { None }; 3], Vec::new());
    let results: &mut [Option<Tensor>] = match few.get_mut(..count) {
        Some(few) => few,
        None => {
            many.resize(count, None);
            &mut many
        }
    };
    let (inputs, outputs) = (inputs.as_slice(), values.as_slice());
    let mut cx = Backward { inputs, outputs, cotangents, needs: needs.as_slice(), results, checked };
    let done = ShapeError::catch(|| step.backward_tensors(&mut cx, rule == Rule::Fused));
    done.map_err(|error| of_rule(&**step, node.location, &error)).or_fail();
    for cotangent in cotangents {
        *cotangent = None;
    }
    watch.gave(nodes, id, results);
    for ((&input, result), value) in node.inputs.iter().zip(results).zip(inputs) {
        let Some(result) = result.take() else { continue };
        let result = if result.shape() == value.shape() { result } else { result.sum_to(value.shape()) };
        accumulate(&mut before[input as usize], result);
    }
}

/// Moves the first contribution, adds later ones in place.
fn accumulate(slot: &mut Option<Tensor>, gradient: Tensor) {
    match slot {
        None => *slot = Some(gradient),
        Some(sum) => *sum += &gradient,
    }
}

/// Runs the rule of record of the step at `id` on variables, so that the gradient is recorded too.
#[track_caller]
fn record_node<'t>(tape: &'t Tape, id: usize, wanted: &[bool], gradients: &mut [Option<Var<'t>>]) {
    let (step, ids, outputs, location) = {
        let mut nodes = tape.nodes.write();
        let node = &mut nodes[id];
        let outputs = id..(id + node.outputs as usize);
        let reached = outputs.clone().any(|k| gradients.get(k).is_some_and(Option::is_some));
        if !reached || !node.inputs.iter().any(|&i| wanted[i as usize]) {
            return;
        }
        // The rule pushes onto the tape, so the step has to leave it while it runs.
        let Some(step) = node.step.take() else { return };
        (Lent { tape, id, step: Some(step) }, node.inputs.clone(), outputs, node.location)
    };
    let var = |id: usize| Var::new(tape, id as u32);
    let input_vars: SmallVec<[Var<'t>; 3]> = ids.iter().map(|&i| var(i as usize)).collect();
    let output_vars: SmallVec<[Var<'t>; 2]> = outputs.clone().map(var).collect();
    let inputs: SmallVec<[&Var<'t>; 3]> = input_vars.iter().collect();
    let values: SmallVec<[&Var<'t>; 2]> = output_vars.iter().collect();
    let needs: SmallVec<[bool; 3]> = ids.iter().map(|&i| wanted[i as usize]).collect();
    // A wanted value keeps its gradient, for the caller; it passes on a copy of the handle.
    let mut cotangents: SmallVec<[Option<Var<'t>>; 2]> =
        outputs.map(|k| gradients.get(k).copied().flatten()).collect();
    let mut results: SmallVec<[Option<Var<'t>>; 3]> = smallvec![None; inputs.len()];
    let mut cx = Backward {
        inputs: &inputs,
        outputs: &values,
        cotangents: &mut cotangents,
        needs: &needs,
        results: &mut results,
        checked: tape.checked.get(),
    };
    let _line = tape.at_line(location);
    let done = match &step.step {
        Some(rule) => ShapeError::catch(|| rule.backward_vars(&mut cx))
            .map_err(|error| of_rule(&**rule, location, &error)),
        None => Ok(()),
    };
    drop(step);
    done.or_fail();
    for ((&input, result), value) in ids.iter().zip(results).zip(&input_vars) {
        let Some(result) = result else { continue };
        let shape = value.shape();
        let result = if result.shape() == shape { result } else { Var::apply(SumTo(shape), &[&result]) };
        let slot = &mut gradients[input as usize];
        *slot = Some(slot.map_or(result, |sum| sum + result));
    }
}

/// A step that has left its node, to which it comes back, also after a panic in its rule.
struct Lent<'t> {
    tape: &'t Tape,
    id: usize,
    step: Option<Box<dyn Step>>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.tape.nodes.write()[self.id].step = self.step.take();
    }
}

/// Which nodes up to `last` depend on one of these variables, themselves included.
fn reached_from(tape: &Tape, wrt: &[Var<'_>], last: u32) -> Vec<bool> {
    let nodes = tape.nodes.read();
    let mut reached = vec![false; last as usize + 1];
    for var in wrt {
        if let Some(flag) = reached.get_mut(var.id() as usize) {
            *flag = true;
        }
    }
    for id in 0..reached.len() {
        if nodes[id].step.is_some() && nodes[id].inputs.iter().any(|&i| reached[i as usize]) {
            let end = (id + nodes[id].outputs as usize).min(reached.len());
            reached[id..end].fill(true);
        }
    }
    reached
}

/// Sorts what is left after the sweep, the gradients of leaves, by variable and by parameter.
fn collect(tape: &Tape, mut gradients: Vec<Option<Tensor>>) -> Gradients {
    let updates = tape.updates.borrow().clone();
    let mut found = Gradients {
        tape: Some(tape.id_and_generation()),
        scopes: tape.scopes.ended(),
        updates,
        weight: tape.weight.get(),
        undecided: tape.undecided(),
        ..Gradients::default()
    };
    for (param, id) in tape.params() {
        let gradient = gradients.get(id as usize).cloned().flatten();
        let sum = found.by_param.entry(param).or_default();
        match gradient {
            // A parameter that changed while recording is on the tape more than once.
            Some(gradient) => accumulate(sum, gradient),
            None => continue,
        }
    }
    let nodes = tape.nodes.read();
    let variables = nodes.iter().enumerate().filter(|(_, node)| node.needs && node.inputs.is_empty());
    found.by_var =
        variables.map(|(id, _)| (id as u32, gradients.get_mut(id).and_then(Option::take))).collect();
    found
}
