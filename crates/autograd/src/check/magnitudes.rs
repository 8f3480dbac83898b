//! The law of magnitudes: what f32 can hold comes out right, however large or small the inputs are.
//!
//! A recorded program is run again in f64, where nothing overflows that f32 could hold in the end.

use super::laws::Violation;
use crate::{
    op::{
        Spec,
        examples::{Gen, Sample},
        reference::Array,
    },
    ops::reduce::Reduce,
    replay::{Replay, largest},
    sweep::Rule,
    tape::{Tape, var::Var},
};
use gradus_tensor::{Rng, Tensor};
use std::panic::Location;

/// What inputs of about 1 are multiplied with: powers of two from 1e-30 to 1e30.
const EXPONENTS: [i32; 6] = [-100, -67, -33, 33, 67, 100];
/// How far a result may be off, as a share of the largest: roundings, not overflows.
const ROUNDING: f64 = 1.0 / 2048.0;
/// Beyond these f32 has no numbers, or few digits.
const NARROW: [f64; 2] = [1e-36, 1e37];

/// Holds an operation to the law of magnitudes, on the samples of one seed: with all inputs multiplied by a power of two, and
/// with the first alone, its outputs and both its rules give what they give in f64, wherever f32 has such numbers.
///
/// # Errors
/// The first result that is off.
pub fn magnitudes(spec: &Spec, seed: u64, size: usize) -> Result<(), Violation> {
    let mut g = Gen::new(seed, size);
    for sample in (spec.samples)(&mut g) {
        for exponent in EXPONENTS {
            for all in [true, false] {
                let factor = 2f32.powi(exponent);
                let scaled = |(i, x): (usize, &Tensor)| if all || i == 0 { x * factor } else { x.clone() };
                let inputs: Vec<Tensor> = sample.inputs.iter().enumerate().map(scaled).collect();
                of_operation(&sample, &inputs, g.rng()).map_err(|detail| Violation {
                    op: format!("{} of {inputs:?}", sample.step.describe()),
                    law: "what f32 can hold is right at every magnitude",
                    detail,
                })?;
            }
        }
    }
    Ok(())
}

fn of_operation(sample: &Sample, inputs: &[Tensor], rng: &mut Rng) -> Result<(), String> {
    let tape = Tape::new();
    let vars: Vec<Var<'_>> = inputs.iter().map(|x| tape.var(x.clone())).collect();
    let references: Vec<&Var<'_>> = vars.iter().collect();
    let (_, first, outputs) = Tape::try_record_step(sample.step.fresh(), &references, Location::caller())
        .expect("the shape rule accepted these inputs before");
    let outputs: Vec<Var<'_>> = (0..outputs as u32).map(|k| Var::new(&tape, first + k)).collect();
    on_tape(&tape, &vars, &outputs, rng, false)
}

/// Holds a function to the law of [`magnitudes`], at inputs as they are, and with `twice` its second derivatives too.
///
/// # Errors
/// The first result that is off.
pub fn right_at(
    f: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>,
    inputs: &[Tensor],
    twice: bool,
) -> Result<(), String> {
    let tape = Tape::new();
    let vars: Vec<Var<'_>> = inputs.iter().map(|x| tape.var(x.clone())).collect();
    let y = f(&vars);
    on_tape(&tape, &vars, &[y], &mut Rng::seed(1), twice)
}

fn on_tape<'t>(
    tape: &'t Tape,
    inputs: &[Var<'t>],
    outputs: &[Var<'t>],
    rng: &mut Rng,
    twice: bool,
) -> Result<(), String> {
    let mut loss = tape.constant(0.0);
    for y in outputs {
        loss = loss + (*y * tape.constant(Tensor::randn(y.shape(), rng))).sum();
    }
    let first = loss.grad(inputs);
    let mut projection = tape.constant(0.0);
    if twice {
        for gradient in first.iter().flatten() {
            // Of about 1, so that the small gradients count beside the large ones.
            let direction = Tensor::randn(gradient.shape(), rng) / size_of(&gradient.value()).max(1e-30);
            projection = projection + (*gradient * tape.constant(direction)).sum();
        }
    }
    let second = projection.grad(inputs);
    let swept = loss.sweep(Tensor::scalar(1.0), Rule::Fused, false);
    let replay = Replay::new(tape);
    let mut size = 0.0f64;
    // Inputs are of one size each.
    let sizes: Vec<String> = inputs.iter().map(|x| format!("{:.1e}", size_of(&x.value()))).collect();
    let at = format!("with inputs of up to {}", sizes.join(" and "));
    for (k, y) in outputs.iter().enumerate() {
        let exact = replay.base(y.id());
        near(&y.value(), exact, 0.0).map_err(|e| format!("output {k} {at}, {e}"))?;
        size = size.max(largest(exact));
    }
    for (i, &x) in inputs.iter().enumerate() {
        // What is subtracted where a gradient is near 0: of a result by its input.
        let steepness = 1.0 / f64::from(size_of(&x.value()));
        if let Some(gradient) = first[i] {
            let exact = replay.base(gradient.id());
            let term = size * steepness;
            near(&gradient.value(), exact, term).map_err(|e| format!("gradient by input {i} {at}, {e}"))?;
            if let Some(swept) = swept.get(x) {
                near(swept, exact, term).map_err(|e| format!("fused gradient by input {i} {at}, {e}"))?;
            }
        }
        if let Some(gradient) = second[i] {
            near(&gradient.value(), replay.base(gradient.id()), steepness)
                .map_err(|e| format!("second derivative by input {i} {at}, {e}"))?;
        }
    }
    Ok(())
}

/// The largest finite magnitude; 1 where there is none.
fn size_of(x: &Tensor) -> f32 {
    let size = largest(&Array::from(x)) as f32;
    if size > 0.0 { size } else { 1.0 }
}

/// Compares what f32 can hold; `term` is as large as what was subtracted on the way.
fn near(found: &Tensor, exact: &Array, term: f64) -> Result<(), String> {
    let [least, most] = NARROW;
    // An infinite sum has no right parts; and of what cancels to nothing in f64, roundings remain in f32.
    if largest(exact) == 0.0 || !exact.data().iter().all(|exact| exact.abs() <= most) {
        return Ok(());
    }
    let allowed = ROUNDING * largest(exact) + 32.0 * f64::from(f32::EPSILON) * term + least;
    for (i, (found, &exact)) in found.iter().zip(exact.data()).enumerate() {
        let off = (f64::from(found) - exact).abs();
        if off.is_nan() || off > allowed {
            return Err(format!("element {i}: {found:e} is not {exact:e}"));
        }
    }
    Ok(())
}
