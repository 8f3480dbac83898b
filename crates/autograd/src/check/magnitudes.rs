//! The law of magnitudes: what f32 can hold comes out right, however large or small the inputs are.

use super::{
    laws::Violation,
    sample::Gen,
    spec::{AnySample, Spec},
};
use crate::{
    ops::reduce::Reduce,
    reference::Array,
    replay::{Replay, largest},
    sweep::Rule,
    tape::Tape,
    var::Var,
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
/// with the first alone, its outputs, both its rules and its second derivatives are what they are in f64, wherever f32 has
/// such numbers.
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

fn of_operation(sample: &AnySample, inputs: &[Tensor], rng: &mut Rng) -> Result<(), String> {
    let tape = Tape::new();
    let vars: Vec<Var<'_>> = inputs.iter().map(|x| tape.var(x.clone())).collect();
    let references: Vec<&Var<'_>> = vars.iter().collect();
    let (_, first, outputs) = Tape::try_record_step(sample.step.fresh(), &references, Location::caller())
        .expect("the shape rule accepted these inputs before");
    let outputs: Vec<Var<'_>> = (0..outputs as u32).map(|k| Var::new(&tape, first + k)).collect();
    on_tape(&tape, &vars, &outputs, rng)
}

/// Holds a function to the law of [`magnitudes`], at inputs as they are.
///
/// # Errors
/// The first result that is off.
pub fn right_at(
    f: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>,
    inputs: &[Tensor],
    seed: u64,
) -> Result<(), String> {
    let tape = Tape::new();
    let vars: Vec<Var<'_>> = inputs.iter().map(|x| tape.var(x.clone())).collect();
    let y = f(&vars);
    on_tape(&tape, &vars, &[y], &mut Rng::seed(seed))
}

fn on_tape<'t>(tape: &'t Tape, inputs: &[Var<'t>], outputs: &[Var<'t>], rng: &mut Rng) -> Result<(), String> {
    let mut loss = tape.constant(0.0);
    for y in outputs {
        loss = loss + (*y * tape.constant(Tensor::randn(y.shape(), rng))).sum();
    }
    let first = loss.grad(inputs);
    let mut projection = tape.constant(0.0);
    for gradient in first.iter().flatten() {
        // Sums of large and small gradients would hide the small ones.
        let size = largest(&Array::from(&gradient.value()));
        let unit = if size > 0.0 && size.is_finite() { (1.0 / size) as f32 } else { 1.0 };
        let direction = Tensor::randn(gradient.shape(), rng) * unit.min(1e30);
        projection = projection + (*gradient * tape.constant(direction)).sum();
    }
    let second = projection.grad(inputs);
    let swept = loss.sweep(Tensor::scalar(1.0), Rule::Fused, false);
    let replay = Replay::new(tape);
    for (k, y) in outputs.iter().enumerate() {
        near(&y.value(), replay.base(y.id())).map_err(|e| format!("output {k}, {e}"))?;
    }
    for (i, &x) in inputs.iter().enumerate() {
        for (what, gradient) in [("gradient", &first[i]), ("second derivative", &second[i])] {
            let Some(gradient) = gradient else { continue };
            let exact = replay.base(gradient.id());
            near(&gradient.value(), exact).map_err(|e| format!("{what} by input {i}, {e}"))?;
            if what == "gradient"
                && let Some(swept) = swept.get(x)
            {
                near(swept, exact).map_err(|e| format!("fused gradient by input {i}, {e}"))?;
            }
        }
    }
    Ok(())
}

/// Compares what f32 can hold.
fn near(found: &Tensor, exact: &Array) -> Result<(), String> {
    let [least, most] = NARROW;
    // An infinite sum has no right parts.
    if !exact.data().iter().all(|exact| exact.abs() <= most) {
        return Ok(());
    }
    let allowed = ROUNDING * largest(exact) + least;
    for (i, (found, &exact)) in found.iter().zip(exact.data()).enumerate() {
        if !((f64::from(found) - exact).abs() <= allowed) {
            return Err(format!("element {i}: {found:e} is not {exact:e}"));
        }
    }
    Ok(())
}
