//! Laws where random samples never come: at 0 and -0, whole numbers, ties, huge and tiny values, and in sizes at which kernels
//! share their work.

use super::{Outcome, Recording, Violation, forward_laws, near, term_of, within};
use crate::{
    check::{
        gradcheck::GradCheck,
        report::{Row, Verdict},
    },
    op::{
        Spec,
        examples::{Gen, Sample},
        reference::{Array, Branches},
    },
    replay::largest,
    sweep::Rule,
    tape::Tape,
};
use gradus_tensor::{Rng, Tensor};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};

/// What is made of the values of a sample.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Zeros,
    Whole,
    Ties,
    Huge,
    Tiny,
}

/// Every kind with its law.
const KINDS: [(Kind, &str); 5] = [
    (Kind::Zeros, "what holds of ordinary values holds of 0 and -0"),
    (Kind::Whole, "what holds of ordinary values holds of whole numbers"),
    (Kind::Ties, "what holds of ordinary values holds of equal ones"),
    (Kind::Huge, "what holds of ordinary values holds of huge ones"),
    (Kind::Tiny, "what holds of ordinary values holds of tiny ones"),
];
/// What huge and tiny values are multiplied with.
const FAR: f32 = 65_536.0;
/// How far a rule may be off, in proportion: what is rounded to f32 on the way, such as a quotient that is then cut off, may be large.
const ROUNDED: f64 = 1e-5;

/// The sizes of samples that special values are put into.
const SPECIAL_SIZES: [usize; 2] = [1, 3];
/// From how many elements on a sample is large.
const MANY: usize = 50_000;

/// Holds an operation to laws where random samples never come: at special values, and in shapes of many elements and axes.
pub(in crate::check) fn laws_beyond_samples(spec: &Spec, check: &GradCheck, seed: u64) -> Vec<Violation> {
    let mut broken = Vec::new();
    let mut note = |sample: &Sample, outcome: Outcome| {
        broken.extend(outcome.err().map(|broken| Violation::of(sample, broken)));
    };
    for size in SPECIAL_SIZES {
        let mut g = Gen::new(seed, size);
        for sample in (spec.samples)(&mut g) {
            note(&sample, special_values(&sample, check, &mut g));
        }
    }
    let mut g = Gen::large(seed);
    for sample in (spec.samples)(&mut g) {
        note(&sample, large(&sample, &mut g));
    }
    broken
}

impl Kind {
    fn of(self, x: &Tensor, rng: &mut Rng) -> Tensor {
        let values = x.to_vec();
        let make = |&x: &f32| match self {
            Kind::Zeros => [x, 0.0, -0.0, x][rng.below(4)],
            Kind::Whole => x.round(),
            Kind::Ties => values[rng.below(values.len().min(3))],
            Kind::Huge => [x, x * FAR][rng.below(2)],
            Kind::Tiny => [x, x / FAR][rng.below(2)],
        };
        Tensor::new(values.iter().map(make).collect::<Vec<f32>>(), x.shape())
    }
}

/// The forward and both rules at special values, where the operation has finite results there. Which derivative an operation has
/// at a kink is its own affair.
fn special_values(sample: &Sample, check: &GradCheck, g: &mut Gen) -> Outcome {
    if sample.is_surrogate() {
        return Ok(()); // its rule is not the derivative, and where its path bends is its own affair
    }
    for (kind, law) in KINDS {
        let inputs: Vec<Tensor> = sample.inputs.iter().map(|x| kind.of(x, g.rng())).collect();
        let sample = Sample { step: sample.step.fresh(), inputs };
        if !is_defined(&sample) {
            continue;
        }
        forward_laws(&sample, g)
            .map_err(|(other, e)| (law, format!("{other}: {e}; inputs {:?}", sample.inputs)))?;
        let wanted = vec![true; sample.inputs.len()];
        let rows = check.step(&*sample.step, &sample.inputs, &wanted, Location::caller());
        let is_wrong = |row: &Row| {
            let (given, right) = (row.judgement.given, row.judgement.estimate.value);
            let is_close = (given - right).abs() <= ROUNDED * given.abs().max(right.abs());
            row.verdict == Verdict::WrongFormula && !is_close || row.verdict == Verdict::PoorPrecision
        };
        if let Some((i, row)) = rows.unwrap_or_default().into_iter().find(|(_, row)| is_wrong(row)) {
            return Err((
                law,
                format!(
                    "input {i} at {:?}: {}; the f32 gradient is {:e}, the rule in f64 {:e}, differences {:e} ± {:.1e}; inputs {:?}",
                    row.worst,
                    row.verdict,
                    row.tape,
                    row.judgement.given,
                    row.judgement.estimate.value,
                    row.judgement.estimate.error,
                    sample.inputs
                ),
            ));
        }
    }
    Ok(())
}

/// Whether all results are finite, and there are any. What panics is not defined there.
fn is_defined(sample: &Sample) -> bool {
    let inputs: Vec<Array> = sample.inputs.iter().map(Array::from).collect();
    let is_finite = || {
        let exact = sample.step.reference(&inputs.iter().collect::<Vec<_>>(), &mut Branches::recording());
        let found = sample.step.fresh().forward(&sample.inputs.iter().collect::<Vec<_>>()).into_vec();
        exact.iter().all(|y| y.data().iter().all(|y| y.is_finite()))
            && found.iter().all(|y| y.iter().all(f32::is_finite))
    };
    inputs.iter().all(|x| !x.data().is_empty()) && catch_unwind(AssertUnwindSafe(is_finite)).unwrap_or(false)
}

/// The forward, and the fused rule beside the rule of record, of shapes of many elements and axes. `Ok` for an operation whose
/// samples do not grow.
fn large(sample: &Sample, g: &mut Gen) -> Outcome {
    let inputs: Vec<&Tensor> = sample.inputs.iter().collect();
    if inputs.iter().all(|x| x.numel() < MANY) {
        return Ok(());
    }
    let outputs = sample.step.fresh().forward(&inputs).into_vec();
    let arrays: Vec<Array> = inputs.iter().map(|&x| Array::from(x)).collect();
    let exact = sample.step.reference(&arrays.iter().collect::<Vec<_>>(), &mut Branches::recording());
    let largest_term = arrays.iter().map(|x| largest(x).max(1.0)).product();
    for (k, (y, exact)) in outputs.iter().zip(&exact).enumerate() {
        within(sample.step.precision(), largest_term, y, exact).map_err(|e| {
            ("of many elements, too, the outputs equal the f64 reference", format!("output {k} {e}"))
        })?;
    }
    let cotangents: Vec<Tensor> = outputs.iter().map(|y| g.normal(y.shape())).collect();
    let tape = Tape::of_check();
    let recording = Recording::of(&tape, sample, &cotangents);
    let (rule, fused) = (recording.gradients(1.0, Rule::OfRecord), recording.gradients(1.0, Rule::Fused));
    let term = term_of(sample, &cotangents);
    for (i, (rule, fused)) in rule.iter().zip(&fused).enumerate() {
        let law = "of many elements, too, the fused rule equals the rule of record";
        near(rule.as_ref(), fused.as_ref(), term).map_err(|e| (law, format!("input {i}: {e}")))?;
    }
    Ok(())
}
