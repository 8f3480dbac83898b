//! The laws that every operation obeys, built in or a user's own.

mod batches;
mod special;
mod stress;
mod windows;

pub(super) use special::laws_beyond_samples;

use super::{
    laws::{batches::batches, stress::stress, windows::windows},
    neighbours::Recorded,
};
use crate::{
    op::{
        Precision, Spec, Step,
        examples::{Gen, Sample},
        reference::{Array, Branches, Changing, Update},
    },
    ops::reduce::Reduce,
    replay::{Replay, largest},
    sweep::Rule,
    tape::{Tape, var::Var},
};
use gradus_check::{Claim, Line, judge};
use gradus_tensor::{Slice, Tensor};
use std::{fmt, panic::Location};

/// A law that an operation breaks.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The operation, with its attributes and the shapes of its inputs.
    pub op: String,
    /// The law.
    pub law: &'static str,
    /// What was expected and what came out, where.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} breaks a law: {}\n  {}", self.op, self.law, self.detail)
    }
}

impl std::error::Error for Violation {}

pub(super) type Outcome = Result<(), (&'static str, String)>;

/// Holds an operation to the laws, on the samples of one seed. Sizes run from 0, the smallest shapes, to 5.
///
/// - Samples and error cases are of the operation itself.
/// - The shape rule gives the shapes of the outputs, and refuses the error cases with their messages.
/// - The outputs equal the f64 reference within the stated precision, for any layout of the inputs.
/// - The update of the reference, where there is one, equals the reference of the changed inputs.
/// - An output depends on no element outside the windows that the operation declares.
/// - The batched form, where there is one, gives what each of the batch gives by itself.
/// - The backward rule is the derivative of the reference, to the second order, by differences in f64.
/// - The rule holds beside the sample's values too: it keeps no constant that should depend on the inputs.
/// - The fused rule equals the rule of record.
/// - The gradients do not depend on the layout of inputs and cotangents.
/// - The backward is linear in the cotangent; zero gives exactly zero.
/// - It is so under stress: cotangents of one element, of equal ones, of stride 0, times 2^30 and 2^-30, of each output alone.
/// - An input used twice gets the sum; gradients do not depend on which others are wanted, for every choice of them.
///
/// # Errors
/// The first law that is broken.
pub fn laws(spec: &Spec, seed: u64, size: usize) -> Result<(), Violation> {
    let mut g = Gen::new(seed, size);
    let samples = (spec.samples)(&mut g);
    let cases = (spec.error_cases)();
    for step in samples.iter().map(|sample| &sample.step).chain(cases.iter().map(|case| &case.step)) {
        if !(spec.is_own)(&**step) {
            let detail = format!("{} is given with {}", step.describe(), spec.name);
            return Err(Violation {
                op: step.describe(),
                law: "samples and error cases are of the operation itself",
                detail,
            });
        }
    }
    for case in cases {
        let shapes: Vec<&[usize]> = case.shapes.iter().map(|s| &s[..]).collect();
        let said = match case.step.infer(&shapes) {
            Ok(shapes) => format!("accepted, with shapes {:?}", shapes.0),
            Err(error) if error.to_string().starts_with(&case.message) => continue,
            Err(error) => error.to_string(),
        };
        let detail = format!("inputs {shapes:?} should say {:?}; they said {said:?}", case.message);
        let op = case.step.describe();
        return Err(Violation { op, law: "bad shapes are refused with their message", detail });
    }
    for sample in samples {
        laws_of_sample(&sample, &mut g).map_err(|broken| Violation::of(&sample, broken))?;
    }
    Ok(())
}

impl Violation {
    fn of(sample: &Sample, (law, detail): (&'static str, String)) -> Violation {
        let shapes: Vec<String> = sample.inputs.iter().map(|x| x.shape().to_string()).collect();
        Violation { op: format!("{} of {}", sample.step.describe(), shapes.join(", ")), law, detail }
    }
}

pub(super) fn laws_of_sample(sample: &Sample, g: &mut Gen) -> Outcome {
    let outputs = forward_laws(sample, g)?;
    windows(sample, &outputs, g)?;
    batches(sample, &outputs)?;
    backward_laws(sample, &outputs, g)
}

fn forward_laws(sample: &Sample, g: &mut Gen) -> Result<Vec<Tensor>, (&'static str, String)> {
    let inputs: Vec<&Tensor> = sample.inputs.iter().collect();
    let shapes: Vec<&[usize]> = inputs.iter().map(|x| &x.shape()[..]).collect();
    let law = "the shape rule gives the shapes of the outputs";
    let inferred = sample.step.infer(&shapes).map_err(|e| (law, format!("refused a sample: {e}")))?.0;
    let outputs = sample.step.fresh().forward(&inputs).into_vec();
    let found: Vec<_> = outputs.iter().map(|y| y.shape().clone()).collect();
    if inferred[..] != found[..] {
        return Err((law, format!("inferred {inferred:?}, computed {found:?}")));
    }

    let law = "the outputs equal the f64 reference within the stated precision";
    let arrays: Vec<Array> = inputs.iter().map(|&x| Array::from(x)).collect();
    let reference = sample.step.reference(&arrays.iter().collect::<Vec<_>>(), &mut Branches::recording());
    if reference.len() != outputs.len() {
        return Err((law, format!("{} outputs, {} references", outputs.len(), reference.len())));
    }
    let precision = sample.step.precision();
    let term: f64 = arrays.iter().map(|x| largest(x).max(1.0)).product();
    for (k, (y, exact)) in outputs.iter().zip(&reference).enumerate() {
        if y.shape()[..] != *exact.shape() {
            return Err((
                law,
                format!("output {k} has shape {}, its reference {:?}", y.shape(), exact.shape()),
            ));
        }
        within(precision, term, y, exact).map_err(|e| (law, format!("output {k} {e}")))?;
    }

    let law = "the update of the reference equals the reference";
    updates(sample, &arrays, g).map_err(|e| (law, e))?;

    let law = "strided inputs give what contiguous ones give";
    let strided: Vec<Tensor> = inputs.iter().map(|x| other_layout(x, g)).collect();
    let again = sample.step.fresh().forward(&strided.iter().collect::<Vec<_>>()).into_vec();
    for (k, (y, z)) in outputs.iter().zip(&again).enumerate() {
        match precision {
            Precision::Ulps(_) => same_bits(y, z),
            Precision::UlpsOfLargest(_) => within(precision, term, z, &reference[k]),
        }
        .map_err(|e| (law, format!("output {k} {e}")))?;
    }
    Ok(outputs)
}

/// What `reference_update` makes of a few changed elements of each input is what the reference makes of them.
fn updates(sample: &Sample, arrays: &[Array], g: &mut Gen) -> Result<(), String> {
    let reference = |arrays: &[Array], branches: &mut Branches<'_>| {
        sample.step.reference(&arrays.iter().collect::<Vec<_>>(), branches)
    };
    let mut branches = Branches::recording();
    let base = reference(arrays, &mut branches);
    let choices = branches.into_choices();
    let [base] = &base[..] else { return Ok(()) };
    for (input, x) in arrays.iter().enumerate().filter(|(_, x)| !x.data().is_empty()) {
        let (mut changed, mut moved) = (Changing::new(x.clone()), arrays.to_vec());
        for _ in 0..3 {
            let at = g.rng().below(x.data().len());
            changed.set(at, x.data()[at] + 0.01 * f64::from(g.rng().uniform(-1.0, 1.0)));
        }
        moved[input] = changed.value().clone();
        let inputs: Vec<&Array> = moved.iter().collect();
        let mut updated = Changing::new(base.clone());
        if !sample.step.reference_update(&mut Update::new(&inputs, input, &changed, &choices, &mut updated)) {
            continue;
        }
        let [exact] = &reference(&moved, &mut Branches::frozen(&choices))[..] else { continue };
        let allowed = 1e-13 * largest(exact).max(largest(x)).max(1.0);
        let differ = |(a, b): (&f64, &f64)| (a - b).abs() > allowed || a.is_nan() != b.is_nan();
        if let Some(i) = updated.value().data().iter().zip(exact.data()).position(differ) {
            let (found, exact) = (updated.value().data()[i], exact.data()[i]);
            return Err(format!("input {input} changed, element {i}: {found:e} is not {exact:e}"));
        }
    }
    Ok(())
}

/// The sample on a tape, with a random cotangent for every output: the scalar that the derivatives are taken of.
struct Recording<'t> {
    inputs: Vec<Var<'t>>,
    loss: Var<'t>,
}

impl<'t> Recording<'t> {
    fn new(tape: &'t Tape, step: &dyn Step, inputs: Vec<Var<'t>>, cotangents: &[Tensor]) -> Recording<'t> {
        let references: Vec<&Var<'t>> = inputs.iter().collect();
        let (_, first, _) = Tape::try_record_step(step.fresh(), &references, Location::caller())
            .expect("the shape rule accepted these inputs before");
        let mut loss = tape.constant(0.0);
        for (k, cotangent) in cotangents.iter().enumerate() {
            let y = Var::new(tape, first + k as u32);
            loss = loss + (y * tape.constant(cotangent.clone())).sum();
        }
        Recording { inputs, loss }
    }

    fn of(tape: &'t Tape, sample: &Sample, cotangents: &[Tensor]) -> Recording<'t> {
        let inputs = sample.inputs.iter().map(|x| tape.var(x.clone())).collect();
        Recording::new(tape, &*sample.step, inputs, cotangents)
    }

    fn gradients(&self, cotangent: f32, rule: Rule) -> Vec<Option<Tensor>> {
        let gradients = self.loss.sweep(Tensor::scalar(cotangent), rule, false);
        self.inputs.iter().map(|&x| gradients.get(x).cloned()).collect()
    }
}

fn backward_laws(sample: &Sample, outputs: &[Tensor], g: &mut Gen) -> Outcome {
    let cotangents: Vec<Tensor> = outputs.iter().map(|y| g.normal(y.shape())).collect();
    let tape = Tape::of_check();
    let recording = Recording::of(&tape, sample, &cotangents);

    let first = recording.loss.grad(&recording.inputs);
    differences(&tape, &recording.inputs, recording.loss, &first, g)
        .map_err(|e| ("the rule is the derivative of the reference", e))?;
    beside(&tape, &recording, &first, g)?;
    second_order(&tape, &recording, &first, g)?;

    let rule = recording.gradients(1.0, Rule::OfRecord);
    let fused = recording.gradients(1.0, Rule::Fused);
    let term = term_of(sample, &cotangents);
    for (i, (rule, fused)) in rule.iter().zip(&fused).enumerate() {
        let law = "the fused rule equals the rule of record";
        near(rule.as_ref(), fused.as_ref(), term).map_err(|e| (law, format!("input {i}: {e}")))?;
    }
    for (i, (scaled, once)) in recording.gradients(-2.0, Rule::Fused).iter().zip(&fused).enumerate() {
        let law = "the backward is linear in the cotangent";
        let expected = once.as_ref().map(|g| g * -2.0);
        equal(scaled.as_ref(), expected.as_ref()).map_err(|e| (law, format!("input {i}: {e}")))?;
    }
    for (i, zero) in recording.gradients(0.0, Rule::Fused).iter().enumerate() {
        if zero.as_ref().is_some_and(|g| g.iter().any(|x| x != 0.0)) {
            return Err((
                "zero in, exact zero out",
                format!("input {i} has a gradient for a zero cotangent"),
            ));
        }
    }
    strided(sample, &cotangents, term, g)?;
    wanted_alone(sample, &cotangents, &fused)?;
    stress(sample, &cotangents, &fused, term, g)?;
    used_twice(sample, g)
}

/// How large the terms of gradients are that are sums, which may cancel: they have products of inputs and cotangents in them.
fn term_of(sample: &Sample, cotangents: &[Tensor]) -> f64 {
    match sample.step.precision() {
        Precision::Ulps(_) => 0.0,
        Precision::UlpsOfLargest(_) => {
            let cotangent = cotangents.iter().map(|g| largest(&Array::from(g))).fold(1.0, f64::max);
            sample.inputs.iter().map(|x| largest(&Array::from(x)).max(1.0)).product::<f64>() * cotangent
        }
    }
}

/// The recorded gradient is that of other values of the inputs too.
fn beside<'t>(tape: &'t Tape, recording: &Recording<'t>, first: &[Option<Var<'t>>], g: &mut Gen) -> Outcome {
    let replay = Replay::new(tape);
    let vars: Vec<u32> = recording.inputs.iter().map(|x| x.id()).collect();
    let output = recording.loss.id();
    let noise = 8.0 * f64::EPSILON * replay.base(output).data()[0].abs();
    let recorded = Recorded { replay: &replay, vars: &vars, output, weights: &[1.0], noise };
    for (i, (&var, gradient)) in vars.iter().zip(first).enumerate() {
        let Some(gradient) = gradient else { continue };
        if let Some(judgement) = recorded.contradiction(var, gradient.id(), g.rng()) {
            let (rule, numeric) = (judgement.given, judgement.estimate);
            return Err((
                "the rule reads no constants that should depend on the inputs",
                format!(
                    "input {i}: at other values it gives {rule:.9e} along a direction, differences {:.9e} ± {:.1e}; \
                     or the reference has a kink that does not go through branches",
                    numeric.value, numeric.error
                ),
            ));
        }
    }
    Ok(())
}

/// The gradient of the gradient, projected on a random direction.
fn second_order<'t>(
    tape: &'t Tape,
    recording: &Recording<'t>,
    first: &[Option<Var<'t>>],
    g: &mut Gen,
) -> Outcome {
    let mut projection = tape.constant(0.0);
    for gradient in first.iter().flatten() {
        projection = projection + (*gradient * tape.constant(g.normal(gradient.shape()))).sum();
    }
    let second = projection.grad(&recording.inputs);
    differences(tape, &recording.inputs, projection, &second, g)
        .map_err(|e| ("the rule's own derivative is the second derivative of the reference", e))
}

/// Compares recorded gradients of `loss`, replayed in f64, with differences of `loss`, replayed in f64.
fn differences<'t>(
    tape: &'t Tape,
    inputs: &[Var<'t>],
    loss: Var<'t>,
    gradients: &[Option<Var<'t>>],
    g: &mut Gen,
) -> Result<(), String> {
    const MOST_ELEMENTS: usize = 24;
    let replay = Replay::new(tape);
    for (i, (&input, gradient)) in inputs.iter().zip(gradients).enumerate() {
        let x = replay.base(input.id());
        let n = x.data().len();
        let zeros = Array::full(x.shape(), 0.0);
        let rule = gradient.map_or(&zeros, |gradient| replay.base(gradient.id()));
        let scale = rule.data().iter().fold(0.0f64, |m, d| m.max(d.abs()));
        let chosen: Vec<usize> = match n {
            _ if n <= MOST_ELEMENTS => (0..n).collect(),
            _ => [0, n - 1].into_iter().chain((2..MOST_ELEMENTS).map(|_| g.rng().below(n))).collect(),
        };
        let mut path = replay.path(input.id(), loss.id());
        let size = replay.base(loss.id()).data()[0].abs();
        for flat in chosen {
            let claim = Claim { value: rule.data()[flat], slack: 1e-8 * scale.max(1e-2), size: scale };
            let mut line = Line::through(x.data()[flat], 1.0, f64::EPSILON);
            (line.noise, line.size) = (8.0 * f64::EPSILON * size, size);
            let moved =
                |t: f64| path.as_mut().map_or(0.0, |path| path.moved(&[(flat, 1.0)], t, &[1.0]).change);
            let judgement = judge(moved, &line, &claim);
            if !judgement.verdict.is_fine() {
                return Err(format!(
                    "input {i}, element {flat} of {:?}: the rule gives {:.9e}, differences {:.9e} ± {:.1e}: {}",
                    x.shape(),
                    judgement.given,
                    judgement.estimate.value,
                    judgement.estimate.error,
                    judgement.reason
                ));
            }
        }
    }
    Ok(())
}

/// What each output alone sends back for its cotangent, by output, then by input.
fn one_by_one(
    sample: &Sample,
    inputs: &[Tensor],
    cotangents: &[Tensor],
    rule: Rule,
) -> Vec<Vec<Option<Tensor>>> {
    let tape = Tape::of_check();
    let inputs: Vec<Var<'_>> = inputs.iter().map(|x| tape.var(x.clone())).collect();
    let references: Vec<&Var<'_>> = inputs.iter().collect();
    let (_, first, _) = Tape::try_record_step(sample.step.fresh(), &references, Location::caller())
        .expect("the shape rule accepted these inputs before");
    let sweep = |(k, cotangent): (usize, &Tensor)| {
        let found = Var::new(&tape, first + k as u32).sweep(cotangent.clone(), rule, false);
        inputs.iter().map(|&x| found.get(x).cloned()).collect()
    };
    cotangents.iter().enumerate().map(sweep).collect()
}

/// Inputs and cotangents of other layouts give the same gradients, by both rules. The cotangents come to the rule as they
/// are, output by output: a product on the way would make them contiguous.
fn strided(sample: &Sample, cotangents: &[Tensor], term: f64, g: &mut Gen) -> Outcome {
    let inputs: Vec<Tensor> = sample.inputs.iter().map(|x| other_layout(x, g)).collect();
    let others: Vec<Tensor> = cotangents.iter().map(|x| other_layout(x, g)).collect();
    for rule in [Rule::OfRecord, Rule::Fused] {
        let expected = one_by_one(sample, &sample.inputs, cotangents, rule);
        let found = one_by_one(sample, &inputs, &others, rule);
        for (k, (expected, found)) in expected.iter().zip(&found).enumerate() {
            for (i, (expected, found)) in expected.iter().zip(found).enumerate() {
                let law = "gradients do not depend on the layout of inputs and cotangents";
                near(expected.as_ref(), found.as_ref(), term)
                    .map_err(|e| (law, format!("output {k}, input {i}: {e}")))?;
            }
        }
    }
    Ok(())
}

/// Each input alone is a variable, the others are constants: its gradient keeps its bits.
fn wanted_alone(sample: &Sample, cotangents: &[Tensor], all: &[Option<Tensor>]) -> Outcome {
    for (wanted, expected) in all.iter().enumerate() {
        let tape = Tape::of_check();
        let place = |(i, x): (usize, &Tensor)| {
            if i == wanted { tape.var(x.clone()) } else { tape.constant(x.clone()) }
        };
        let inputs: Vec<Var<'_>> = sample.inputs.iter().enumerate().map(place).collect();
        let x = inputs[wanted];
        let recording = Recording::new(&tape, &*sample.step, inputs, cotangents);
        let gradients = recording.loss.sweep(Tensor::scalar(1.0), Rule::Fused, false);
        equal(gradients.get(x), expected.as_ref()).map_err(|e| {
            ("a gradient does not depend on which others are wanted", format!("input {wanted}: {e}"))
        })?;
    }
    Ok(())
}

/// One variable given as the first two inputs gets the sum of what two variables get.
fn used_twice(sample: &Sample, g: &mut Gen) -> Outcome {
    let [a, b, ..] = &sample.inputs[..] else { return Ok(()) };
    if a.shape() != b.shape() {
        return Ok(());
    }
    let mut values = sample.inputs.clone();
    values[0] = values[1].clone();
    let outputs = sample.step.fresh().forward(&values.iter().collect::<Vec<_>>()).into_vec();
    let cotangents: Vec<Tensor> = outputs.iter().map(|y| g.normal(y.shape())).collect();
    let run = |shared: bool| {
        let tape = Tape::of_check();
        let mut inputs: Vec<Var<'_>> = values.iter().map(|x| tape.var(x.clone())).collect();
        if shared {
            inputs[0] = inputs[1];
        }
        Recording::new(&tape, &*sample.step, inputs, &cotangents).gradients(1.0, Rule::Fused)
    };
    let (apart, shared) = (run(false), run(true));
    let sum = match (&apart[0], &apart[1]) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.clone().or(b.clone()),
    };
    near(sum.as_ref(), shared[1].as_ref(), 0.0).map_err(|e| ("an input used twice gets the sum", e))
}

/// Equal numbers, or no gradient at all where the other is zero.
fn equal(a: Option<&Tensor>, b: Option<&Tensor>) -> Result<(), String> {
    match (a, b) {
        (Some(a), Some(b)) => same_bits(a, b),
        (None, None) => Ok(()),
        _ => Err(format!("{a:?} is not {b:?}")),
    }
}

fn same_bits(a: &Tensor, b: &Tensor) -> Result<(), String> {
    if a.shape() != b.shape() {
        return Err(format!("shapes {} and {} differ", a.shape(), b.shape()));
    }
    let differ = |(x, y): &(f32, f32)| x != y && !(x.is_nan() && y.is_nan());
    match a.iter().zip(b.iter()).position(|pair| differ(&pair)) {
        None => Ok(()),
        Some(i) => Err(format!("element {i}: {:e} is not {:e}", a.to_vec()[i], b.to_vec()[i])),
    }
}

/// Equal but for the rounding of a few operations, on sums whose largest term is `term`.
fn near(a: Option<&Tensor>, b: Option<&Tensor>, term: f64) -> Result<(), String> {
    match (a, b) {
        (Some(a), Some(b)) => within(Precision::UlpsOfLargest(32.0), term, a, &Array::from(b)),
        (None, None) => Ok(()),
        _ => Err(format!("{a:?} is not {b:?}")),
    }
}

/// Whether `y` equals `exact` within a precision, where the largest term of its sums is `term`.
fn within(precision: Precision, term: f64, y: &Tensor, exact: &Array) -> Result<(), String> {
    if y.shape()[..] != *exact.shape() {
        return Err(format!("has shape {}, not {:?}", y.shape(), exact.shape()));
    }
    let term = term.max(largest(exact));
    for (i, (y, &exact)) in y.iter().map(f64::from).zip(exact.data()).enumerate() {
        if !is_within(precision, term, y, exact) {
            let off = (y - exact).abs() / ulp(exact);
            let found = format!("element {i}: {y:e} is not {exact:e}: {off:.2} ulps");
            return Err(match precision {
                Precision::DEFAULT => format!(
                    "{found}; the default precision, {precision:?}, is not met: if the forward is as good as f32 allows, \
                     state another, `const PRECISION: Precision = ..`: Ulps(..) of each element, \
                     UlpsOfLargest(..) where sums may cancel"
                ),
                _ => format!("{found}, {precision:?} is stated"),
            });
        }
    }
    Ok(())
}

/// Whether a number equals an exact one within a precision, where the largest term of its sums is `term`.
pub(super) fn is_within(precision: Precision, term: f64, found: f64, exact: f64) -> bool {
    let allowed = match precision {
        // A reference rounded in f64 may sit a hair beyond half an ulp.
        Precision::Ulps(ulps) => ulps * 1.000001 * ulp(exact),
        Precision::UlpsOfLargest(ulps) => ulps * ulp(term),
    };
    found == f64::from(exact as f32) || found.is_nan() && exact.is_nan() || (found - exact).abs() <= allowed
}

/// The distance between f32s around `x`.
fn ulp(x: f64) -> f64 {
    let exponent = x.abs().max(f32::MIN_POSITIVE as f64).log2().floor();
    (exponent - 23.0).exp2()
}

/// The same numbers in another layout: axes stored in another order, reversed, apart from each other, at an offset.
pub(crate) fn other_layout(x: &Tensor, g: &mut Gen) -> Tensor {
    let rank = x.rank();
    let mut order: Vec<isize> = (0..rank as isize).collect();
    g.rng().shuffle(&mut order);
    let mut back = vec![0; rank];
    order.iter().enumerate().for_each(|(i, &axis)| back[axis as usize] = i as isize);
    let mut y = x.permute(&order).contiguous();
    for axis in 0..rank as isize {
        let n = y.size(axis);
        match g.between(0, 3) {
            0 => y = y.flip(axis).contiguous().flip(axis),
            // Every second place of an axis twice as long, with a margin in front.
            1 => {
                let places = Slice::from(1..2 * n + 1).step(2);
                y = y.unslice(axis, places, 2 * n + 1).slice(axis, places);
            }
            _ => {}
        }
    }
    y.permute(back)
}
