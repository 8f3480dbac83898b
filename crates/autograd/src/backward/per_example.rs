//! Gradients of each example of a batch: what a sweep adds up, kept apart.

use crate::{
    op::window::{Along, Window},
    ops::linear::Linear,
    sweep::{Rule, Seeds, Watch, gradients::Gradients, sweep},
    tape::{Tape, node::Node, var::Var},
};
use gradus_tensor::{OrFail, Shape, ShapeError, Tensor};
use std::collections::{BTreeMap, HashMap};

impl<'t> Var<'t> {
    /// The gradients of each of these losses `[n]`, one for each example, by every variable and parameter: each has an axis more
    /// in front, along which they lie.
    ///
    /// `G[i] = ∂ loss[i] / ∂ w`, so that their sum over i is the gradient of `losses.sum()`. `examples` are the leaves of the tape whose
    /// first axis counts the examples; labels and indices, which are no values, come in the same order. A variable that is one of
    /// the examples has its own gradient for each, of its own shape. Nothing is recorded, and buffers do not change.
    ///
    /// One sweep goes down the tape; where an operation reads a parameter its rule runs for each example. Of linear layers they are one
    /// product for all. All operations in between must keep the examples apart, along the first axis: what the others do is refused.
    /// Random operations draw for the batch as it is.
    ///
    /// To clip the gradient of each example by itself, for one:
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// let w = Param::new([[0.5, -0.5]]);
    /// let tape = Tape::new();
    /// let x = tape.constant([[1.0, 2.0], [3.0, 4.0], [0.25, 0.0]]);
    /// let losses = x.linear(&tape.param(&w), None).square().sum_axes(1, false);
    /// let gradients = losses.per_example_gradients(&[x]);
    /// let each = &gradients[&w]; // [3, 1, 2]: 2 (w · x) x
    /// assert_eq!(each.to_vec(), [-1.0, -2.0, -3.0, -4.0, 0.0625, 0.0]);
    /// let norms = each.square().sum_axes([1, 2], true).sqrt();
    /// let clipped = (each / norms.clamp(1.0, f32::INFINITY)).mean_axes(0, false);
    /// assert!(clipped.norm().item() <= 1.0);
    /// ```
    ///
    /// # Panics
    /// When the losses are not `[n]`, an example is no leaf of this tape with n along its first axis, or the losses do not depend on them. When an
    /// operation mixes examples, as a batch normalisation in training does, or moves them to another axis: its name and line are told.
    #[doc(alias = "vmap")]
    #[track_caller]
    pub fn per_example_gradients(self, examples: &[Var<'t>]) -> Gradients {
        let tape = self.tape();
        let &[n] = &self.shape()[..] else {
            ShapeError::new(format!(
                "per_example_gradients: the losses must be [n], one for each example, not {}; Reduction::None keeps them apart",
                self.describe()
            ))
            .fail()
        };
        for x in examples {
            assert!(
                std::ptr::eq(tape, x.tape()),
                "per_example_gradients: {} lives on another tape",
                x.describe()
            );
            if x.shape().first() != Some(&n) || !tape.nodes.read()[x.id() as usize].inputs.is_empty() {
                ShapeError::new(format!(
                    "per_example_gradients: {} must be a leaf of the tape with the {n} examples along its first axis",
                    x.describe()
                ))
                .fail()
            }
        }
        tape.provide_all();
        let of_examples = of_examples(tape, self.id() as usize, examples).or_fail();
        if !of_examples[self.id() as usize] {
            ShapeError::new("per_example_gradients: the losses do not depend on the examples that were named")
                .fail()
        }
        let mut apart =
            Apart { of_examples, n, cotangents: HashMap::new(), found: BTreeMap::new(), failed: None };
        let mut gradients = sweep(tape, self.seed(Tensor::ones([n])), Rule::Fused, false, &mut apart);
        if let Some(error) = apart.failed {
            error.fail()
        }
        apart.into_gradients(tape, &mut gradients);
        gradients
    }
}

/// Which values have the examples along their first axis; the others are common to all of them.
fn of_examples(tape: &Tape, last: usize, examples: &[Var<'_>]) -> Result<Vec<bool>, ShapeError> {
    let nodes = tape.nodes.read();
    let mut found = vec![false; nodes.len()];
    examples.iter().for_each(|x| found[x.id() as usize] = true);
    for (id, node) in nodes.iter().enumerate().take(last + 1) {
        let Some(step) = &node.step else { continue };
        let shapes = node.input_shapes(&nodes);
        for (input, &position) in node.inputs.iter().enumerate() {
            if !found[position as usize] {
                continue;
            }
            for output_number in 0..node.outputs as usize {
                let output = &nodes[id + output_number].value().shape()[..];
                let along = Along { inputs: &shapes, input, axis: 0, output, output_number };
                let stays = step.window(&along) == Some(Window::same(0)) && output[0] == shapes[input][0];
                if !stays {
                    let (from, to) = (Shape::new(shapes[input]), Shape::new(output));
                    return Err(refusal(node, &format!("takes examples {from} to {to}")));
                }
                found[id + output_number] = true;
            }
        }
    }
    Ok(found)
}

fn refusal(node: &Node, why: &str) -> ShapeError {
    let (name, line) = (node.step.as_ref().map_or("", |step| step.name()), node.location);
    ShapeError::new(format!(
        "per_example_gradients: {name} at {}:{} {why}, which does not keep them apart along the first axis",
        line.file(),
        line.line()
    ))
}

/// Looks on while a sweep runs, and computes for each example by itself what goes to values that are common to all.
struct Apart {
    of_examples: Vec<bool>,
    n: usize,
    /// Of steps that read what is common, by output.
    cotangents: HashMap<usize, Tensor>,
    /// By position of a common value, `[n, ...]`.
    found: BTreeMap<u32, Tensor>,
    failed: Option<ShapeError>,
}

impl Watch for Apart {
    fn complete(&mut self, tape: &Tape, id: usize, gradient: &mut Option<Tensor>) {
        if !self.of_examples[id] || self.failed.is_some() {
            return;
        }
        let nodes = tape.nodes.read();
        let Some(gradient) = gradient else { return };
        let first = if nodes[id].is_later_output() { nodes[id].inputs[0] as usize } else { id };
        let node = &nodes[first];
        if node.inputs.iter().any(|&input| self.is_wanted(&nodes, input)) {
            self.cotangents.insert(id, gradient.clone());
        }
    }

    /// What is common gets its gradients here, one of each example: their sum is of no use.
    fn wants(&self, id: usize) -> bool {
        self.of_examples[id]
    }

    fn gave(&mut self, nodes: &[Node], id: usize, _: &[Option<Tensor>]) {
        let node = &nodes[id];
        let outputs = id..id + node.outputs as usize;
        let cotangents: Vec<(usize, Tensor)> =
            outputs.filter_map(|k| Some((k - id, self.cotangents.remove(&k)?))).collect();
        if cotangents.is_empty() || self.failed.is_some() {
            return;
        }
        let gradients = self
            .of_linear(nodes, node, &cotangents[0].1)
            .map_or_else(|| self.of_each(nodes, node, &cotangents), Ok);
        match gradients {
            Ok(gradients) => gradients.into_iter().for_each(|(input, gradient)| self.add(input, gradient)),
            Err(error) => self.failed = Some(error),
        }
    }
}

impl Apart {
    /// Whether it is common to all examples, and variables lie under it.
    fn is_wanted(&self, nodes: &[Node], id: u32) -> bool {
        !self.of_examples[id as usize] && nodes[id as usize].needs
    }

    fn add(&mut self, id: u32, gradient: Tensor) {
        match self.found.get_mut(&id) {
            Some(sum) => *sum += &gradient,
            None => {
                self.found.insert(id, gradient);
            }
        }
    }

    /// Of a linear layer whose weight is common: `dW[i] = G[i]ᵀ X[i]`, `db[i] = Σ G[i]`.
    fn of_linear(&self, nodes: &[Node], node: &Node, cotangent: &Tensor) -> Option<Vec<(u32, Tensor)>> {
        node.step.as_ref()?.op().downcast_ref::<Linear>()?;
        let (x, rest) = node.inputs.split_first()?;
        if !self.of_examples[*x as usize] || rest.iter().any(|&input| self.of_examples[input as usize]) {
            return None;
        }
        let x = nodes[*x as usize].value();
        let rows = |y: &Tensor| {
            let columns = y.size(-1);
            y.reshape([self.n, y.numel() / (self.n * columns).max(1), columns])
        };
        let (x, g) = (rows(x), rows(cotangent));
        let gradient = |(k, &input): (usize, &u32)| {
            let gradient = match k {
                // Of one row each it is a product of a column with a row, element by element.
                0 if x.size(1) == 1 => g.transpose(1, 2) * &x,
                0 => g.transpose(1, 2).matmul(&x),
                _ => g.sum_axes(1, false),
            };
            (input, gradient)
        };
        Some(
            rest.iter()
                .enumerate()
                .filter(|(_, input)| self.is_wanted(nodes, **input))
                .map(gradient)
                .collect(),
        )
    }

    /// Of any operation: it runs again on each example, forward and backward.
    fn of_each(
        &self,
        nodes: &[Node],
        node: &Node,
        cotangents: &[(usize, Tensor)],
    ) -> Result<Vec<(u32, Tensor)>, ShapeError> {
        let Some(step) = &node.step else { return Ok(Vec::new()) };
        let wanted: Vec<u32> =
            node.inputs.iter().copied().filter(|&input| self.is_wanted(nodes, input)).collect();
        let mut each: Vec<Vec<Tensor>> = vec![Vec::new(); wanted.len()];
        for i in 0..self.n {
            let tape = Tape::new();
            let input = |&id: &u32| {
                let value = nodes[id as usize].value();
                match (self.of_examples[id as usize], self.is_wanted(nodes, id)) {
                    (true, _) => tape.constant(value.slice(0, i..i + 1)),
                    (false, true) => tape.var(value),
                    (false, false) => tape.constant(value),
                }
            };
            let inputs: Vec<Var<'_>> = node.inputs.iter().map(input).collect();
            let of_one =
                Tape::try_record_step(step.fresh(), &inputs.iter().collect::<Vec<_>>(), node.location);
            let (_, first, _) =
                of_one.map_err(|error| refusal(node, &format!("refuses one example alone ({error})")))?;
            let mut seeds = Seeds::new();
            for (output, cotangent) in cotangents {
                let (id, cotangent) = (first + *output as u32, cotangent.slice(0, i..i + 1));
                let shape = Var::new(&tape, id).shape();
                if &shape != cotangent.shape() {
                    return Err(refusal(
                        node,
                        &format!("makes {shape} of one example for {}", cotangent.shape()),
                    ));
                }
                seeds.push((id, cotangent));
            }
            let gradients = sweep(&tape, seeds, Rule::Fused, false, &mut ());
            for (list, (id, gradient)) in each.iter_mut().zip(gradients.by_var) {
                list.push(gradient.unwrap_or_else(|| Tensor::zeros(Var::new(&tape, id).shape())));
            }
        }
        let stacked = |(id, list): (u32, Vec<Tensor>)| {
            let shape = [&[self.n], &nodes[id as usize].value().shape()[..]].concat();
            (id, if list.is_empty() { Tensor::zeros(shape) } else { stack(&list) })
        };
        Ok(wanted.into_iter().zip(each).map(stacked).collect())
    }

    /// Puts what was found into the place of the sums; through what is common to the variables under it by a sweep an example.
    fn into_gradients(mut self, tape: &Tape, gradients: &mut Gradients) {
        let is_computed = |id: &u32| !tape.nodes.read()[*id as usize].inputs.is_empty();
        let computed: Vec<u32> = self.found.keys().copied().filter(is_computed).collect();
        for id in computed {
            let Some(all) = self.found.remove(&id) else { continue };
            let sweep = |i: isize| Var::new(tape, id).sweep(all.select(0, i), Rule::Fused, false);
            let sweeps: Vec<Gradients> = (0..self.n as isize).map(sweep).collect();
            for k in 0..sweeps.first().map_or(0, |one| one.by_var.len()) {
                let each: Vec<Tensor> = sweeps.iter().filter_map(|one| one.by_var[k].1.clone()).collect();
                if !each.is_empty() {
                    self.add(sweeps[0].by_var[k].0, stack(&each));
                }
            }
        }
        for (id, gradient) in &mut gradients.by_var {
            if !self.of_examples[*id as usize] {
                *gradient = self.found.get(id).cloned();
            }
        }
        gradients.by_param.values_mut().for_each(|gradient| *gradient = None);
        for (param, id) in tape.params() {
            let Some(found) = self.found.get(&id) else { continue };
            // One that changed while recording is on the tape more than once.
            let sum = gradients.by_param.entry(param).or_default();
            *sum = Some(sum.take().map_or_else(|| found.clone(), |sum| sum + found));
        }
        gradients.updates.clear();
        gradients.weight = None;
    }
}

fn stack(each: &[Tensor]) -> Tensor {
    Tensor::concat(&each.iter().map(|one| one.unsqueeze(0)).collect::<Vec<_>>().iter().collect::<Vec<_>>(), 0)
}
