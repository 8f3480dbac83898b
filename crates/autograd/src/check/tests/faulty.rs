//! Operations with faults planted into their rules, and the record of which faults a check finds.

use crate::check::{GradCheck, Report, Verdict};
use crate::op::examples::{ErrorCase, Gen, Sample};
use crate::{
    op::{
        Backward, Op, Outputs, Precision, Shapes,
        reference::{Array, Branches},
    },
    ops::methods::*,
    tape::var::Var,
    value::Value,
};
use gradus_tensor::{Rng, ShapeError, Tensor};

/// What is done to the gradient of one input.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    Factor(f32),
    /// By index and shape: a factor for each element.
    Weights(fn(&[usize], &[usize]) -> f32),
    Offset(f32),
    Lost,
    Transposed,
    Rolled,
    Flipped,
    /// The gradient of another input in its place.
    Swapped(usize),
    /// The rule for a cotangent of ones.
    IgnoresCotangent,
    /// The rule for the square of the cotangent.
    SquaredCotangent,
    /// The rule at inputs and outputs that are this much larger.
    Stale(f32),
    Clipped(f32),
    NotANumber,
    /// Inputs and outputs are constants to the rule.
    Detached,
    /// Only the fused rule is off, by this factor.
    Fused(f32),
    /// The rule at the cotangent with a factor for each element: terms of a sum left out, or overwritten.
    Cotangent(fn(&[usize], &[usize]) -> f32),
    /// The rule at the first two inputs taken for one another.
    SwappedInputs,
    /// The gradient of the first of what broadcasting has repeated, instead of the sum.
    Unsummed,
    /// The rule reads everything as if it lay in memory the other way round (its last two axes).
    IgnoresStride,
    /// The rule reads everything from one element before its beginning.
    IgnoresOffset,
    /// The rule reads inputs and outputs of a forward of the inputs in reverse.
    StaleInputs,
    /// What was saved comes from such a forward.
    StaleSaved,
}

/// An operation with a fault in its rule for one of its inputs.
#[derive(Clone, Debug)]
pub(super) struct Faulty<O> {
    pub(super) op: O,
    pub(super) input: usize,
    pub(super) fault: Fault,
}

// What does not depend on the operation is compiled once.
impl Fault {
    /// What the rule of the operation itself gives, at other inputs, outputs and cotangents if the fault asks for them.
    fn gradients<V: Value>(
        self,
        cx: &mut Backward<'_, V>,
        rule: &mut dyn FnMut(&mut Backward<'_, V>),
    ) -> Vec<Option<V>> {
        let other = |x: &&V| match self {
            Fault::Stale(factor) => (*x).clone() * factor,
            Fault::Detached => x.place().constant(x.to_tensor()),
            Fault::IgnoresStride | Fault::IgnoresOffset => misread(*x, self),
            Fault::StaleInputs => (0..x.shape().rank() as isize).fold((*x).clone(), |x, axis| x.flip(axis)),
            _ => (*x).clone(),
        };
        let mut inputs: Vec<V> = cx.inputs.iter().map(other).collect();
        let outputs: Vec<V> = cx.outputs.iter().map(other).collect();
        if matches!(self, Fault::SwappedInputs)
            && let [a, b, ..] = &mut inputs[..]
            && a.shape() == b.shape()
        {
            std::mem::swap(a, b);
        }
        let cotangent = |g: &Option<V>| match (g, self) {
            (Some(g), Fault::IgnoresCotangent) => Some(g.place().constant(Tensor::ones(g.shape()))),
            (Some(g), Fault::SquaredCotangent) => Some(g * g),
            (Some(g), Fault::Cotangent(weight)) => Some(weighted(g, weight)),
            (Some(g), Fault::IgnoresStride | Fault::IgnoresOffset) => Some(misread(g, self)),
            _ => g.clone(),
        };
        let mut cotangents: Vec<Option<V>> = cx.cotangents.iter().map(cotangent).collect();
        let mut results: Vec<Option<V>> = vec![None; inputs.len()];
        rule(&mut Backward {
            inputs: &inputs.iter().collect::<Vec<_>>(),
            outputs: &outputs.iter().collect::<Vec<_>>(),
            cotangents: &mut cotangents,
            needs: &vec![true; inputs.len()],
            results: &mut results,
            checked: cx.checked,
        });
        results
    }

    fn put<V: Value>(
        self,
        cx: &mut Backward<'_, V>,
        input: usize,
        right: Vec<Option<V>>,
        other: Vec<Option<V>>,
        fused: bool,
    ) {
        for (i, right) in right.into_iter().enumerate().filter(|(i, _)| cx.needs[*i]) {
            cx.results[i] = match &other[i] {
                Some(wrong) if i == input => self.wrong(cx.inputs[i], wrong, &other, fused),
                _ => right,
            };
        }
    }

    fn wrong<V: Value>(self, input: &V, right: &V, all: &[Option<V>], fused: bool) -> Option<V> {
        Some(match self {
            Fault::Factor(factor) => right * factor,
            Fault::Weights(weight) => weighted(right, weight),
            Fault::Offset(offset) => right + offset,
            Fault::Lost => return None,
            Fault::Transposed if right.shape().rank() > 1 => right.t().reshape(right.shape()),
            Fault::Rolled => right.roll(1, -1),
            Fault::Flipped => right.flip(-1),
            Fault::Swapped(other) => return all[other].clone(),
            Fault::Clipped(most) => right.clamp(-most, most),
            Fault::NotANumber => right * f32::NAN,
            Fault::Fused(factor) if fused => right * factor,
            Fault::Unsummed => (0..right.shape().rank() - input.shape().rank())
                .fold(right.clone(), |first, _| first.select(0, 0)),
            Fault::IgnoresCotangent
            | Fault::SquaredCotangent
            | Fault::Transposed
            | Fault::Stale(_)
            | Fault::Detached
            | Fault::Fused(_)
            | Fault::Cotangent(_)
            | Fault::SwappedInputs
            | Fault::IgnoresStride
            | Fault::IgnoresOffset
            | Fault::StaleInputs
            | Fault::StaleSaved => right.clone(),
        })
    }
}

fn weighted<V: Value>(x: &V, weight: fn(&[usize], &[usize]) -> f32) -> V {
    let shape = x.shape();
    x * x.place().constant(Tensor::from_fn(&shape, |index| weight(index, &shape)))
}

/// The elements that a rule finds which takes memory to be laid out otherwise.
fn misread<V: Value>(x: &V, fault: Fault) -> V {
    let shape = x.shape();
    match fault {
        Fault::IgnoresStride if shape.rank() > 1 => x.t().reshape(&shape),
        Fault::IgnoresOffset => x.reshape([shape.numel()]).roll(1, 0).reshape(&shape),
        _ => x.clone(),
    }
}

impl<O: Op> Op for Faulty<O> {
    const NAME: &'static str = O::NAME;
    const FORMULA: &'static str = O::FORMULA;
    const PRECISION: Precision = O::PRECISION;
    /// What the operation saved, and what it would have saved of other inputs, for a fault that reads this.
    type Saved = (O::Saved, Option<O::Saved>);

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        self.op.infer(inputs)
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, Self::Saved) {
        let (outputs, saved) = self.op.forward(inputs);
        let stale = matches!(self.fault, Fault::StaleSaved).then(|| {
            let reverse = |x: &&Tensor| (0..x.rank() as isize).fold((*x).clone(), |x, axis| x.flip(axis));
            let reversed: Vec<Tensor> = inputs.iter().map(reverse).collect();
            self.op.forward(&reversed.iter().collect::<Vec<_>>()).1
        });
        (outputs, (saved, stale))
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, (saved, stale): &Self::Saved) {
        let right = Fault::Factor(1.0).gradients(cx, &mut |inner| self.op.backward(inner, saved));
        let read = stale.as_ref().unwrap_or(saved);
        let other = self.fault.gradients(cx, &mut |inner| self.op.backward(inner, read));
        self.fault.put(cx, self.input, right, other, false);
    }

    fn backward_fused(&self, cx: &mut Backward<'_, Tensor>, (saved, stale): &Self::Saved) {
        let right = Fault::Factor(1.0).gradients(cx, &mut |inner| self.op.backward_fused(inner, saved));
        let read = stale.as_ref().unwrap_or(saved);
        let other = self.fault.gradients(cx, &mut |inner| self.op.backward_fused(inner, read));
        self.fault.put(cx, self.input, right, other, true);
    }

    fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array> {
        self.op.reference(inputs, branches)
    }

    fn samples(_: &mut Gen) -> Vec<Sample> {
        vec![]
    }

    fn error_cases() -> Vec<ErrorCase> {
        vec![]
    }
}

/// A program around an operation: its inputs are no leaves, and its output is not the last one.
pub(super) fn program<'t, O: Op>(faulty: &Faulty<O>, inputs: &[Var<'t>]) -> Var<'t> {
    let moved: Vec<Var<'_>> = inputs.iter().map(|&x| x * 1.0).collect();
    Var::apply(faulty.clone(), &moved.iter().collect::<Vec<_>>()).sin()
}

/// The check of a program, with this fault in the gradient of one input of an operation.
pub(super) fn check<O: Op>(op: O, inputs: &[Tensor], input: usize, fault: Fault) -> Report {
    let faulty = Faulty { op, input, fault };
    let check =
        GradCheck { order: 1 + usize::from(matches!(fault, Fault::Detached)), ..GradCheck::default() };
    check.function(|vars| program(&faulty, vars), inputs)
}

/// Faults planted, and what the checks said that did not find them.
#[derive(Default)]
pub(super) struct Found {
    pub(super) faults: usize,
    pub(super) missed: Vec<String>,
}

impl Found {
    /// The fault must be found in this input's row and in no other's, with this verdict, blamed on this operation's
    /// input, and described by this pattern.
    pub(super) fn planted<O: Op>(
        &mut self,
        op: O,
        inputs: &[Tensor],
        (input, fault, verdict): (usize, Fault, Verdict),
        pattern: &str,
    ) {
        let report = check(op.clone(), inputs, input, fault);
        self.note(O::NAME, &format!("{op:?}, {fault:?}"), &report, input, verdict, pattern);
    }

    /// Counts a fault and notes what is wrong with the report on it.
    pub(super) fn note(
        &mut self,
        op: &str,
        what: &str,
        report: &Report,
        input: usize,
        verdict: Verdict,
        pattern: &str,
    ) {
        self.faults += 1;
        let name = format!("input {input}");
        let row = report.rows.iter().find(|row| row.name == name && !row.verdict.is_fine());
        let mut wrong = Vec::new();
        match row {
            Some(row) => {
                if row.verdict != verdict {
                    wrong.push(format!("verdict {}", row.verdict));
                }
                match &row.blame {
                    Some(blame) => {
                        let said = blame.pattern.as_ref().map_or("nothing".into(), |p| p.to_string());
                        if blame.op != op || blame.input != Some(input) || !blame.line.contains("check/") {
                            wrong.push(format!("blames {blame}"));
                        }
                        if !said.contains(pattern) {
                            wrong.push(format!("pattern: {said}"));
                        }
                    }
                    None => wrong.push("nobody to blame".into()),
                }
            }
            None => wrong.push("not found".into()),
        }
        let innocent = report.failures().any(|row| row.name != name && row.verdict != Verdict::NoGradient);
        if innocent {
            wrong.push("alarm for another input".into());
        }
        if report.passed() || !wrong.is_empty() {
            self.missed.push(format!("{what}: {}\n{report}", wrong.join(", ")));
        }
    }

    pub(super) fn assert_all(self, least: usize) {
        let missed = self.missed.join("\n\n");
        assert!(self.missed.is_empty(), "{} of {} missed\n{missed}", self.missed.len(), self.faults);
        assert!(self.faults >= least, "{} faults", self.faults);
    }
}

pub(super) fn normal<const N: usize>(seed: u64, shape: [usize; N]) -> Tensor {
    Tensor::randn(shape, &mut Rng::seed(seed))
}
