//! A part of a tape recorded again, for a whole batch of values in place of one.

use crate::{
    op::{Batch, InBatch, Step},
    ops::{linear::MatMul, shape::Shaping},
    tape::{Tape, var::Var},
};
use gradus_tensor::{OrFail, Shape};
use std::{collections::HashMap, panic::Location};

/// What some values, which were recorded from a position on, are for each of a batch of values of `x`, which stands before
/// them: with the batch as an axis in front. `None` for what does not depend on `x`. The batch are tensors with a 1 at one
/// place and 0 elsewhere, the first of them at `first`, each later one at the next place.
pub(crate) fn record_batch<'t>(
    (x, batch): (Var<'t>, Var<'t>),
    first: usize,
    start: usize,
    wanted: &[Option<Var<'t>>],
) -> Vec<Option<Var<'t>>> {
    let tape = x.tape();
    let end = wanted.iter().flatten().map(|y| y.id() as usize + 1).max().unwrap_or(0);
    let mut found = HashMap::from([(x.id(), batch)]);
    for id in start..end {
        let (step, ids, outputs, location) = {
            let nodes = tape.nodes.read();
            let node = &nodes[id];
            let Some(step) = &node.step else { continue };
            if !node.inputs.iter().any(|input| found.contains_key(input)) {
                continue;
            }
            let outputs: Vec<Shape> =
                (id..id + node.outputs as usize).map(|k| nodes[k].value().shape().clone()).collect();
            (step.fresh(), node.inputs.clone(), outputs, node.location)
        };
        let inputs: Vec<Input<'t>> = ids
            .iter()
            .map(|&id| {
                let one = Var::new(tape, id);
                Input { shape: one.shape(), one, all: found.get(&id).copied() }
            })
            .collect();
        let _line = tape.at_line(location);
        let size = batch.shape()[0];
        let values = rows(&*step, &inputs, batch, first, &outputs)
            .or_else(|| together(&*step, &inputs, (size, &outputs), location))
            .unwrap_or_else(|| one_by_one(&*step, &inputs, (size, outputs.len()), location));
        found.extend(values.into_iter().enumerate().map(|(k, value)| ((id + k) as u32, value)));
    }
    wanted.iter().map(|y| found.get(&y.as_ref()?.id()).copied()).collect()
}

/// An input of a step: a value that is the same for all, or one for each of the batch.
struct Input<'t> {
    shape: Shape,
    one: Var<'t>,
    all: Option<Var<'t>>,
}

/// Where the batch itself, in whatever shape, is multiplied with a matrix: rows of the matrix.
fn rows<'t>(
    step: &dyn Step,
    inputs: &[Input<'t>],
    units: Var<'t>,
    first: usize,
    outputs: &[Shape],
) -> Option<Vec<Var<'t>>> {
    step.op().downcast_ref::<MatMul>()?;
    let (given, units) = (inputs[0].all?.value(), units.value());
    let [size, numel] = [units.shape()[0], units.numel() / units.shape()[0]];
    let is_units = given.shares_buffer(&units) && given.is_contiguous();
    // Transposed ones have another number of columns.
    let is_product = inputs[0].shape.last() == Some(&numel) && inputs[1].all.is_none();
    if !is_units || !is_product || inputs[1].shape.len() != 2 {
        return None;
    }
    let rows = inputs[1].one.slice(0, first as isize..(first + size) as isize);
    Some(vec![under(rows, Shape::new(&[&[size], &outputs[0][..]].concat()))])
}

/// The outputs by one operation, where there is one.
fn together<'t>(
    step: &dyn Step,
    inputs: &[Input<'t>],
    (size, outputs): (usize, &[Shape]),
    line: &'static Location<'static>,
) -> Option<Vec<Var<'t>>> {
    let shapes: Vec<&[usize]> = inputs.iter().map(|input| &input.shape[..]).collect();
    let is_batched: Vec<bool> = inputs.iter().map(|input| input.all.is_some()).collect();
    let batch = Batch { size, shapes: &shapes, is_batched: &is_batched };
    let InBatch { step, inputs: shapes } = step.batched(&batch)?;
    let given: Vec<Var<'t>> = inputs
        .iter()
        .zip(shapes)
        .map(|(input, shape)| under(input.all.unwrap_or(input.one), shape))
        .collect();
    let values = record(step, &given, line);
    Some(values.into_iter().zip(outputs).map(|(y, shape)| under(y, batch.before(shape))).collect())
}

/// The outputs of each of the batch by itself, stacked.
fn one_by_one<'t>(
    step: &dyn Step,
    inputs: &[Input<'t>],
    (size, outputs): (usize, usize),
    line: &'static Location<'static>,
) -> Vec<Var<'t>> {
    let each: Vec<Vec<Var<'t>>> = (0..size as isize)
        .map(|i| {
            let of = |input: &Input<'t>| input.all.map_or(input.one, |all| all.select(0, i));
            record(step.fresh(), &inputs.iter().map(of).collect::<Vec<_>>(), line)
        })
        .collect();
    (0..outputs).map(|k| Var::stack(&each.iter().map(|values| &values[k]).collect::<Vec<_>>(), 0)).collect()
}

fn record<'t>(step: Box<dyn Step>, inputs: &[Var<'t>], line: &'static Location<'static>) -> Vec<Var<'t>> {
    let inputs: Vec<&Var<'t>> = inputs.iter().collect();
    let (tape, first, count) = Tape::try_record_step(step, &inputs, line).or_fail();
    (0..count as u32).map(|k| Var::new(tape, first + k)).collect()
}

fn under(x: Var<'_>, shape: Shape) -> Var<'_> {
    if x.shape() == shape { x } else { x.reshape(shape) }
}
