//! Rematerialisation: values that a checkpoint dropped are computed again when a sweep needs them.

use crate::{
    op::Step,
    tape::{Tape, node::Node, var::Var},
    value::values::Values,
};
use gradus_tensor::Tensor;
use smallvec::SmallVec;
use std::ops::Range;

/// The parts of a tape that were recorded by checkpoints, in the order of their ends: what lies within another comes
/// before it.
#[derive(Default)]
pub(crate) struct Segments {
    segments: Vec<Segment>,
    /// Those whose values are there again.
    present: Vec<usize>,
}

struct Segment {
    nodes: Range<usize>,
    /// The values that the checkpoint gave, which stay.
    kept: Vec<u32>,
    dropped: bool,
}

impl Tape {
    /// Computes again what checkpoints dropped, for readers of all values; it stays until a sweep passes.
    pub(crate) fn provide_all(&self) {
        self.segments.borrow_mut().prepare_all(&mut self.nodes.write());
    }

    #[track_caller]
    pub(crate) fn checkpoint<'t, R: Values<Var<'t>>>(&'t self, f: impl FnOnce() -> R) -> R {
        let start = self.len();
        let result = f();
        let given = result.list();
        if let Some(other) = given.iter().find(|var| !std::ptr::eq(var.tape(), self)) {
            panic!("checkpoint: the result {} lives on another tape", other.describe());
        }
        self.inspect_from(start);
        let mut nodes = self.nodes.write();
        let kept = given.iter().map(|var| var.id()).collect();
        self.segments.borrow_mut().add(start..nodes.len(), kept, &mut nodes);
        result
    }
}

impl Segments {
    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.segments.clear();
        self.present.clear();
    }

    /// Forgets those that were recorded from a position on.
    pub(super) fn truncate(&mut self, start: usize) {
        let kept = self.segments.partition_point(|s| s.nodes.end <= start);
        self.segments.truncate(kept);
        self.present.retain(|&s| s < kept);
    }

    fn add(&mut self, range: Range<usize>, kept: Vec<u32>, nodes: &mut [Node]) {
        if !range.is_empty() {
            self.segments.push(Segment { nodes: range, kept, dropped: false });
            self.drop_values(self.segments.len() - 1, nodes);
        }
    }

    /// Makes sure that a sweep can run the rule of the step at `id`: its inputs, its outputs and what it saved.
    pub(crate) fn prepare(&mut self, id: usize, nodes: &mut [Node]) {
        while let Some(segment) = self.outermost_dropped(id) {
            self.compute_again(segment, nodes);
        }
        self.prepare_inputs(id, nodes);
    }

    /// Drops the values again that lie above `id`, where the sweep has come to.
    pub(crate) fn passed(&mut self, id: usize, nodes: &mut [Node]) {
        let passed = |s: &Segment| s.nodes.start >= id;
        while let Some(at) = self.present.iter().position(|&s| passed(&self.segments[s])) {
            let segment = self.present.swap_remove(at);
            self.drop_values(segment, nodes);
        }
    }

    fn prepare_all(&mut self, nodes: &mut [Node]) {
        // From the back: the outer one first, which drops the inner ones again.
        for segment in (0..self.segments.len()).rev() {
            if self.segments[segment].dropped {
                self.compute_again(segment, nodes);
            }
        }
    }

    fn outermost_dropped(&self, id: usize) -> Option<usize> {
        self.segments.iter().rposition(|s| s.dropped && s.nodes.contains(&id))
    }

    fn prepare_inputs(&mut self, id: usize, nodes: &mut [Node]) {
        for k in 0..nodes[id].inputs.len() {
            let input = nodes[id].inputs[k] as usize;
            while nodes[input].value.is_none() {
                let Some(segment) = self.outermost_dropped(input) else { return };
                self.compute_again(segment, nodes);
            }
        }
    }

    fn compute_again(&mut self, segment: usize, nodes: &mut [Node]) {
        self.segments[segment].dropped = false;
        let unfinished = Unfinished { segments: self, segment };
        unfinished.segments.compute_all(segment, nodes);
        std::mem::forget(unfinished);
        self.present.push(segment);
    }

    fn compute_all(&mut self, segment: usize, nodes: &mut [Node]) {
        let range = self.segments[segment].nodes.clone();
        let mut inner = self.segments[..segment].partition_point(|s| s.nodes.end <= range.start);
        for id in range {
            // A step that the sweep has released is not needed any more.
            if nodes[id].step.is_some() {
                self.prepare_inputs(id, nodes);
                run(id, nodes);
            }
            while inner < segment && self.segments[inner].nodes.end == id + 1 {
                self.present.retain(|&s| s != inner);
                self.drop_values(inner, nodes);
                inner += 1;
            }
        }
    }

    fn drop_values(&mut self, segment: usize, nodes: &mut [Node]) {
        let Segment { nodes: range, kept, dropped } = &mut self.segments[segment];
        *dropped = true;
        let range = range.clone();
        for (id, node) in nodes[range.clone()].iter_mut().enumerate() {
            // Leaves cannot be computed again.
            if let Some(step) = &mut node.step {
                step.forget();
            } else if !node.is_later_output() {
                continue;
            }
            if !kept.contains(&((range.start + id) as u32)) {
                node.value = None;
            }
        }
        let is_inner = |s: &Segment| s.nodes.start >= range.start;
        self.segments[..segment].iter_mut().rev().take_while(|s| is_inner(s)).for_each(|s| s.dropped = true);
        let segments = &self.segments;
        self.present.retain(|&s| !segments[s].dropped);
    }
}

/// A step that has left its node, to which it comes back, also after a panic in its forward.
struct Lent<'n> {
    nodes: &'n mut [Node],
    id: usize,
    step: Option<Box<dyn Step>>,
}

impl Lent<'_> {
    fn forward(&mut self) -> Vec<Tensor> {
        let (nodes, node) = (&*self.nodes, &self.nodes[self.id]);
        let Some(step) = &mut self.step else { return Vec::new() };
        let inputs = node.inputs.iter().map(|&i| nodes[i as usize].value());
        let outputs = step.forward(&inputs.collect::<SmallVec<[&Tensor; 3]>>()).into_vec();
        if !node.needs {
            step.forget();
        }
        outputs
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.nodes[self.id].step = self.step.take();
    }
}

/// A segment whose values are being computed; where that panics they are to be computed again.
struct Unfinished<'s> {
    segments: &'s mut Segments,
    segment: usize,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.segments.segments[self.segment].dropped = true;
    }
}

/// Runs the step at `id` again, which gives the bits that it gave before.
fn run(id: usize, nodes: &mut [Node]) {
    let Some(step) = nodes[id].step.take() else { return };
    let outputs = {
        let mut lent = Lent { nodes, id, step: Some(step) };
        lent.forward()
    };
    for (node, output) in nodes[id..].iter_mut().zip(outputs) {
        node.value.get_or_insert(output);
    }
}
