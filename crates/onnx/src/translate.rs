//! From the values of a tape to the nodes of a graph: each operation by the file of its family.

use crate::{
    ExportError, elementwise,
    graph::{Graph, Name},
    layers,
    proto::{self, FLOAT, INT64, value_info},
    structure,
};
use gradus_autograd::{Op, ParamId, Tape, Value, Var, inspect::ValueInfo};
use gradus_nn::Module;
use gradus_tensor::{Indices, Shape};
use std::collections::{HashMap, HashSet};

/// An operation on its way into the graph.
pub(crate) struct Step<'a> {
    pub(crate) graph: &'a mut Graph,
    pub(crate) name: &'static str,
    /// The names of its inputs.
    pub(crate) inputs: Vec<Name>,
    /// The shapes of its inputs.
    pub(crate) shapes: Vec<Shape>,
    /// The shape of its first output.
    pub(crate) shape: Shape,
    /// How many outputs it has.
    pub(crate) outputs: usize,
    /// The inputs of whole numbers.
    indices: &'a [(String, Indices)],
    tape: &'a Tape,
    position: usize,
}

/// The names of the outputs; `None` where ONNX has no counterpart, or a reason.
pub(crate) type Translated = Result<Option<Vec<Name>>, &'static str>;

impl Step<'_> {
    /// The operation with its attributes.
    pub(crate) fn op<O: Op>(&self) -> O {
        self.tape.op_at(self.position).expect("the name is that of the type")
    }

    pub(crate) fn input(&self, k: usize) -> &str {
        &self.inputs[k]
    }

    /// Indices that an operation reads: the input that they are, or constants.
    pub(crate) fn indices(&mut self, indices: &Indices) -> Name {
        let same = |other: &Indices| {
            std::ptr::eq(other.as_slice(), indices.as_slice()) && other.shape() == indices.shape()
        };
        let flat = |other: &Indices| std::ptr::eq(other.as_slice(), indices.as_slice());
        if let Some((name, _)) = self.indices.iter().find(|(_, other)| same(other)) {
            return name.clone();
        }
        match self.indices.iter().find(|(_, other)| flat(other)) {
            Some((name, _)) => self.graph.reshape(name, indices.shape()),
            None => self.graph.indices(indices),
        }
    }
}

/// The longest message of protobuf.
const MOST_BYTES: usize = i32::MAX as usize;

pub(crate) fn graph(
    tape: &Tape,
    model: &dyn Module,
    inputs: &[(String, Var<'_>)],
    indices: &[(String, Indices)],
    outputs: &[(String, Var<'_>)],
) -> Result<proto::Graph, ExportError> {
    let values = tape.values();
    let mut graph = Graph::default();
    let mut names: HashMap<usize, Name> =
        inputs.iter().map(|(name, var)| (var.position(), name.clone())).collect();
    let mut bytes = 0usize;
    let params: HashMap<ParamId, String> =
        model.params().into_iter().map(|(name, param)| (param.id(), name)).collect();
    for position in ancestors(&values, &names, outputs) {
        let value = &values[position];
        let Some(name) = value.op else {
            // A later output of an operation has its name with the first one's.
            if value.inputs.is_empty() {
                let of_param = value.param.and_then(|id| params.get(&id));
                let tensor = tape.value_at(position).value();
                bytes = tensor.numel().saturating_mul(size_of::<f32>()).saturating_add(bytes);
                if bytes > MOST_BYTES {
                    return Err(ExportError(format!(
                        "the parameters and constants take more than {MOST_BYTES} bytes, which no reader of ONNX takes in one file"
                    )));
                }
                let name = match of_param {
                    Some(name) => graph.named_tensor(name, &tensor),
                    None => graph.tensor(&tensor),
                };
                names.insert(position, name);
            }
            continue;
        };
        let of_first = |other: &ValueInfo| other.op.is_none() && other.inputs == [position];
        let count = 1 + values[position + 1..].iter().take_while(|value| of_first(value)).count();
        let mut step = Step {
            graph: &mut graph,
            name,
            inputs: value.inputs.iter().map(|input| names[input].clone()).collect(),
            shapes: value.inputs.iter().map(|&input| values[input].shape.clone()).collect(),
            shape: value.shape.clone(),
            outputs: count,
            indices,
            tape,
            position,
        };
        let (file, line) = (value.location.file(), value.location.line());
        let refuse = |why: &str| Err(ExportError(format!("{name} ({file}:{line}) {why}")));
        let translated = match translated(&mut step) {
            Ok(Some(translated)) => translated,
            Ok(None) => return refuse("has no counterpart in ONNX: write it with operations that have one"),
            Err(why) => return refuse(why),
        };
        translated.into_iter().enumerate().for_each(|(k, name)| {
            // An input that is computed from another one stays what it is.
            names.entry(position + k).or_insert(name);
        });
    }
    let of_var = |(name, var): &(String, Var<'_>)| value_info(name, FLOAT, &var.shape());
    let of_indices = |(name, indices): &(String, Indices)| value_info(name, INT64, indices.shape());
    for (name, var) in outputs {
        // Under the name that it was asked for.
        let of = names[&var.position()].clone();
        let output = graph.node("Identity", &[&of], vec![]);
        let node = graph.nodes.last_mut().expect("just made");
        debug_assert_eq!(node.output, [output]);
        node.output = vec![name.clone()];
    }
    // What is only a shape to an operation, as zeros to a sum may be, is read by no node.
    let read: HashSet<&String> = graph.nodes.iter().flat_map(|node| &node.input).collect();
    graph.constants.retain(|tensor| read.contains(&tensor.name));
    // What a model read in place of an input would stand in the file as a constant.
    let of_inputs = inputs.iter().map(|(name, _)| name).chain(indices.iter().map(|(name, _)| name));
    if let Some(unread) = of_inputs.into_iter().find(|name| !read.contains(name)) {
        return Err(ExportError(format!(
            "no output is computed from the input {unread:?}: name the very variable, or the very indices, that the model read"
        )));
    }
    Ok(proto::Graph {
        node: graph.nodes,
        name: "gradus".into(),
        initializer: graph.constants,
        input: inputs.iter().map(of_var).chain(indices.iter().map(of_indices)).collect(),
        output: outputs.iter().map(of_var).collect(),
    })
}

fn translated(step: &mut Step<'_>) -> Translated {
    for family in [elementwise::translate, structure::translate, layers::translate] {
        if let Some(names) = family(step)? {
            return Ok(Some(names));
        }
    }
    Ok(None)
}

/// What the outputs are computed from, up to the inputs, in order.
fn ancestors(
    values: &[ValueInfo],
    inputs: &HashMap<usize, Name>,
    outputs: &[(String, Var<'_>)],
) -> Vec<usize> {
    let mut found = HashSet::new();
    let mut open: Vec<usize> = outputs.iter().map(|(_, var)| var.position()).collect();
    while let Some(position) = open.pop() {
        if !inputs.contains_key(&position) && found.insert(position) {
            open.extend(&values[position].inputs);
        }
    }
    let mut found: Vec<usize> = found.into_iter().collect();
    found.sort_unstable();
    found
}
