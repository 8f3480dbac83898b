//! The law of batches: an operation on many inputs at once gives what it gives each of them by itself.

use super::{Outcome, within};
use crate::{
    op::{Batch, InBatch, Step, examples::Sample, reference::Array},
    replay::largest,
};
use gradus_tensor::Tensor;

/// The sample's inputs, the same in reverse, and again as they are; all inputs as a batch, and each one alone.
pub(super) fn batches(sample: &Sample, outputs: &[Tensor]) -> Outcome {
    let count = sample.inputs.len();
    let alone = (0..count).filter(|_| count > 1).map(|k| (0..count).map(|i| i == k).collect());
    for is_batched in [vec![true; count]].into_iter().chain(alone) {
        batch(sample, outputs, &is_batched).map_err(|e| {
            (
                "the batched form gives what each of the batch gives by itself",
                format!("batch of {is_batched:?}: {e}"),
            )
        })?;
    }
    Ok(())
}

fn batch(sample: &Sample, outputs: &[Tensor], is_batched: &[bool]) -> Result<(), String> {
    let shapes: Vec<&[usize]> = sample.inputs.iter().map(|x| &x.shape()[..]).collect();
    let Some(InBatch { mut step, inputs: given }) =
        sample.step.batched(&Batch { size: 3, shapes: &shapes, is_batched })
    else {
        return Ok(());
    };
    let other = |(x, is_batched): (&Tensor, &bool)| if *is_batched { reversed(x) } else { x.clone() };
    let others: Vec<Tensor> = sample.inputs.iter().zip(is_batched).map(other).collect();
    let middle = forward(&mut *sample.step.fresh(), &others);
    let inputs: Vec<Tensor> = (0..shapes.len())
        .map(|k| match is_batched[k] {
            true => stack(&sample.inputs[k], &others[k]).reshape(&given[k]),
            false => sample.inputs[k].reshape(&given[k]),
        })
        .collect();
    let inferred = step.infer(&inputs.iter().map(|x| &x.shape()[..]).collect::<Vec<_>>());
    inferred.map_err(|e| format!("the shape rule refuses it: {e}"))?;
    let all = forward(&mut *step, &inputs);
    let term = inputs.iter().map(|x| largest(&Array::from(x)).max(1.0)).product();
    for (k, ((y, first), middle)) in all.iter().zip(outputs).zip(&middle).enumerate() {
        let each = stack(first, middle);
        if y.numel() != each.numel() {
            return Err(format!(
                "output {k} is_batched shape {}, which is not that of {}",
                y.shape(),
                each.shape()
            ));
        }
        within(sample.step.precision(), term, &y.reshape(each.shape()), &Array::from(&each))
            .map_err(|e| format!("output {k} {e}"))?;
    }
    Ok(())
}

fn forward(step: &mut dyn Step, inputs: &[Tensor]) -> Vec<Tensor> {
    step.forward(&inputs.iter().collect::<Vec<_>>()).into_vec()
}

fn reversed(x: &Tensor) -> Tensor {
    (0..x.rank() as isize).fold(x.clone(), |x, axis| x.flip(axis))
}

fn stack(first: &Tensor, middle: &Tensor) -> Tensor {
    Tensor::concat(&[first, middle, first].map(|x| x.unsqueeze(0)).each_ref(), 0)
}
