//! The law of windows: an output depends on no element that lies outside the windows that its operation declares.

use super::Outcome;
use crate::op::examples::Gen;
use crate::op::examples::Sample;
use crate::op::window::{Along, Window};
use gradus_tensor::Tensor;

/// How many elements of each input are changed, one after the other.
const CHANGED: usize = 6;

/// Changes elements of the inputs and looks at which elements of the outputs change with them.
pub(super) fn windows(sample: &Sample, outputs: &[Tensor], g: &mut Gen) -> Outcome {
    let shapes: Vec<&[usize]> = sample.inputs.iter().map(|x| &x.shape()[..]).collect();
    for (input, x) in sample.inputs.iter().enumerate().filter(|(_, x)| !x.is_empty()) {
        for _ in 0..CHANGED.min(x.numel()) {
            let place = g.rng().below(x.numel());
            let mut values = x.to_vec();
            values[place] += g.rng().uniform(0.1, 1.0);
            let mut inputs: Vec<Tensor> = sample.inputs.clone();
            inputs[input] = Tensor::new(values, x.shape());
            let moved = sample.step.fresh().forward(&inputs.iter().collect::<Vec<_>>()).into_vec();
            for (output_number, (y, moved)) in outputs.iter().zip(&moved).enumerate() {
                for axis in 0..shapes[input].len() {
                    let output = y.shape();
                    let along = Along { inputs: &shapes, input, axis, output, output_number };
                    let Some(window) = sample.step.window(&along) else { continue };
                    outside(window, position(place, x.shape(), axis), y, moved).map_err(|e| {
                        let e = format!("output {output_number}, axis {axis} of input {input}: {e}");
                        ("an output depends on nothing outside its windows", e)
                    })?;
                }
            }
        }
    }
    Ok(())
}

/// Where along an axis the element at a row-major position lies.
fn position(place: usize, shape: &[usize], axis: usize) -> usize {
    place / shape[axis + 1..].iter().product::<usize>() % shape[axis]
}

/// An error if an element changed whose window does not have this element of the input in it.
fn outside(window: Window, changed: usize, y: &Tensor, moved: &Tensor) -> Result<(), String> {
    let Window { axis, first, reach, stride } = window;
    for (place, (before, after)) in y.iter().zip(moved.iter()).enumerate() {
        if before.to_bits() == after.to_bits() {
            continue;
        }
        let i = position(place, y.shape(), axis);
        let from = first + i as f64 * stride;
        if !(from - 1e-6..=from + reach + 1e-6).contains(&(changed as f64)) {
            return Err(format!("element {i} depends on element {changed}, its window is {window:?}"));
        }
    }
    Ok(())
}
