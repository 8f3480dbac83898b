//! The list of recorded values. Nobody else borrows it.

use crate::op::Step;
use gradus_tensor::Tensor;
use smallvec::SmallVec;
use std::{
    cell::{Ref, RefCell, RefMut},
    panic::Location,
};

/// The values of a tape, each after what it was computed from.
#[derive(Default)]
pub(crate) struct Nodes(RefCell<Vec<Node>>);

impl Nodes {
    pub(crate) fn read(&self) -> Ref<'_, Vec<Node>> {
        self.0.borrow()
    }

    /// For sweeps and checkpoints, which drop values and compute them again.
    pub(crate) fn write(&self) -> RefMut<'_, Vec<Node>> {
        self.0.borrow_mut()
    }

    /// The position of the new node.
    pub(crate) fn push(&self, node: Node) -> u32 {
        push(&mut self.0.borrow_mut(), node)
    }

    pub(crate) fn clear(&mut self) {
        self.0.get_mut().clear();
    }

    /// Drops the values from a position on, unless somebody reads the list.
    pub(super) fn truncate(&self, start: usize) -> bool {
        self.0.try_borrow_mut().map(|mut nodes| nodes.truncate(start)).is_ok()
    }
}

/// [`Nodes::push`] for who has borrowed the list already.
pub(crate) fn push(nodes: &mut Vec<Node>, node: Node) -> u32 {
    let id = u32::try_from(nodes.len()).expect("a tape holds at most 2^32 values");
    nodes.push(node);
    id
}

/// One value on a tape: a leaf, or an output of a step.
pub(crate) struct Node {
    /// `None` once it has been released.
    pub(crate) value: Option<Tensor>,
    /// What computed it, at its first output; leaves have none.
    pub(crate) step: Option<Box<dyn Step>>,
    /// The nodes that the step reads; for a later output of a step, the first one; for leaves, nothing.
    pub(crate) inputs: SmallVec<[u32; 3]>,
    /// How many outputs the step has; they are consecutive nodes. 0 where there is no step.
    pub(crate) outputs: u32,
    /// Whether a variable or a parameter lies under it.
    pub(crate) needs: bool,
    /// Whether it is a constant that `detach` has made of another value.
    pub(crate) is_detached: bool,
    /// The user's line.
    pub(crate) location: &'static Location<'static>,
}

impl Node {
    /// Whether it is an output of a step that stands at an earlier node.
    pub(crate) fn is_later_output(&self) -> bool {
        self.step.is_none() && !self.inputs.is_empty()
    }

    #[track_caller]
    pub(crate) fn value(&self) -> &Tensor {
        self.value.as_ref().expect(
            "the value is gone: the sweep of tape.step gives values back, and a checkpoint keeps only what it returns",
        )
    }
}
