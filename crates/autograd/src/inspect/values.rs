//! The values of a tape as plain data: what made each, of what shape, with how much arithmetic.

use crate::{
    op::Op,
    tape::{Tape, node::Node, var::Var},
    value::param::ParamId,
};
use gradus_tensor::Shape;
use std::{collections::HashMap, panic::Location};

/// What a tape knows of one of its values: see [`Tape::values`].
#[derive(Clone, Debug)]
pub struct ValueInfo {
    /// The operation whose first output it is; `None` for a leaf and for a later output.
    pub op: Option<&'static str>,
    /// The parameter that it is the value of.
    pub param: Option<ParamId>,
    /// The positions of what the operation reads; of a later output that of the first; of a leaf nothing.
    pub inputs: Vec<usize>,
    /// The sizes of its axes.
    pub shape: Shape,
    /// How many floating-point operations the forward takes, as [`Op::flops`](crate::Op::flops) counts them: 2 for a
    /// multiplication with an addition, 1 for any other function of an element, 0 for moving elements.
    pub flops: u64,
    /// The line of the program that recorded it.
    pub location: &'static Location<'static>,
}

impl Tape {
    /// Everything that is recorded, in order.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// let tape = Tape::new();
    /// let (x, w) = (tape.constant(Tensor::ones([32, 784])), tape.var(Tensor::ones([784, 10])));
    /// let y = x.matmul(&w).relu();
    /// let values = tape.values();
    /// assert_eq!((values[2].op, values[2].flops), (Some("matmul"), 2 * 32 * 784 * 10));
    /// assert_eq!((values[3].op, values[3].flops), (Some("relu"), 320));
    /// ```
    pub fn values(&self) -> Vec<ValueInfo> {
        self.provide_all();
        let params: HashMap<u32, ParamId> =
            self.params().into_iter().map(|(param, id)| (id, param)).collect();
        let nodes = self.nodes.read();
        let info = |(id, node): (usize, &Node)| ValueInfo {
            op: node.step.as_ref().map(|step| step.name()),
            param: params.get(&(id as u32)).copied(),
            inputs: node.inputs.iter().map(|&i| i as usize).collect(),
            shape: node.value().shape().clone(),
            flops: node.flops(&nodes, id),
            location: node.location,
        };
        nodes.iter().enumerate().map(info).collect()
    }
}

impl Tape {
    /// The value at a position of [`values`](Tape::values).
    ///
    /// # Panics
    /// When there are not so many.
    #[track_caller]
    pub fn value_at(&self, position: usize) -> Var<'_> {
        assert!(position < self.len(), "value_at: there is no value {position}, the tape has {}", self.len());
        Var::new(self, position as u32)
    }

    /// The operation that computed the value at a position of [`values`](Tape::values), with its attributes, where it is an `O` and the
    /// value its first output.
    ///
    /// ```
    /// use gradus_autograd::{ops::normalize::Softmax, prelude::*};
    ///
    /// let tape = Tape::new();
    /// let y = tape.constant([[1.0, 2.0]]).softmax(-1);
    /// assert_eq!(tape.op_at::<Softmax>(y.position()).unwrap().axis, -1);
    /// ```
    pub fn op_at<O: Op>(&self, position: usize) -> Option<O> {
        self.nodes.read().get(position)?.step.as_ref()?.op().downcast_ref::<O>().cloned()
    }
}

impl Var<'_> {
    /// Its position among the [values](Tape::values) of its tape.
    pub fn position(self) -> usize {
        self.id() as usize
    }
}

impl Node {
    /// How many floating-point operations its step takes.
    fn flops(&self, nodes: &[Node], id: usize) -> u64 {
        let Some(step) = &self.step else { return 0 };
        step.flops(&self.input_shapes(nodes), &self.output_shapes(nodes, id))
    }

    pub(crate) fn input_shapes<'a>(&self, nodes: &'a [Node]) -> Vec<&'a [usize]> {
        self.inputs.iter().map(|&i| &nodes[i as usize].value().shape()[..]).collect()
    }

    fn output_shapes<'a>(&self, nodes: &'a [Node], id: usize) -> Vec<&'a [usize]> {
        nodes[id..][..self.outputs as usize].iter().map(|node| &node.value().shape()[..]).collect()
    }
}
