//! The laws checked: every backward rule of the list, with a fault planted in it, must be refused.

use crate::check::laws::{laws_of_sample, other_layout};
use crate::op::examples::Gen;
use crate::op::{Spec, examples::Sample};
use crate::{
    op::{
        Backward, Outputs, Precision, Shapes, Step,
        reference::{Array, Branches, Update},
        window::{Along, Window},
    },
    ops::{self, methods::*},
    sweep::Rule,
    tape::{Tape, var::Var},
    value::Value,
};
use gradus_tensor::{ShapeError, Tensor};
use std::{
    panic::{AssertUnwindSafe, Location, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// What is wrong with a rule.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// 1.001 times what it should be.
    Factor,
    /// The other sign.
    Sign,
    /// Zeros.
    Zero,
    /// The gradient of one input is not given at all.
    Lost,
    /// The first two inputs, where they have one shape, are taken for one another.
    SwappedInputs,
    /// The gradients of the first two inputs, where they have one shape, are given to one another.
    SwappedResults,
    /// Of what broadcasting repeated only the first is taken, instead of the sum.
    Unsummed,
    /// The last two axes are exchanged: the same shape is made of other elements.
    Transposed,
    /// The last element is forgotten, as by a loop over whole vectors.
    Tail,
    /// Inputs and cotangents are read in the order in which they are stored.
    IgnoredStride,
    /// What was saved is of another forward, of the inputs in reverse.
    StaleSaved,
}

const FAULTS: [Fault; 11] = [
    Fault::Factor,
    Fault::Sign,
    Fault::Zero,
    Fault::Lost,
    Fault::SwappedInputs,
    Fault::SwappedResults,
    Fault::Unsummed,
    Fault::Transposed,
    Fault::Tail,
    Fault::IgnoredStride,
    Fault::StaleSaved,
];

/// Faults that the laws cannot see, each with the reason.
const SURVIVORS: &[(&str, Fault, &str)] = &[];

/// A step whose rule has a fault.
struct Mutant {
    step: Box<dyn Step>,
    /// The same step, with what it saved of other inputs.
    stale: Box<dyn Step>,
    fault: Fault,
    /// Whether the fault has changed any gradient: where it cannot, there is nothing to find.
    changed: Arc<AtomicBool>,
}

impl Mutant {
    fn run<V: Value>(&self, cx: &mut Backward<'_, V>, rule: impl Fn(&dyn Step, &mut Backward<'_, V>)) {
        let given: Vec<Option<V>> = cx.cotangents.iter_mut().map(Option::take).collect();
        let (outputs, needs, checked) = (cx.outputs, cx.needs, cx.checked);
        let gradients = |step: &dyn Step, inputs: &[&V], cotangents: &[Option<V>]| {
            let mut results = vec![None; inputs.len()];
            let mut cotangents = cotangents.to_vec();
            let (cotangents, results_of) = (&mut cotangents[..], &mut results[..]);
            rule(step, &mut Backward { inputs, outputs, cotangents, needs, results: results_of, checked });
            results
        };
        let right = gradients(&*self.step, cx.inputs, &given);
        let wrong = match self.fault {
            Fault::StaleSaved => gradients(&*self.stale, cx.inputs, &given),
            Fault::SwappedInputs => {
                let mut inputs = cx.inputs.to_vec();
                if let [a, b, ..] = &mut inputs[..]
                    && a.shape() == b.shape()
                {
                    std::mem::swap(a, b);
                }
                gradients(&*self.step, &inputs, &given)
            }
            Fault::IgnoredStride => {
                let inputs: Vec<V> = cx.inputs.iter().map(|x| as_stored(*x)).collect();
                let given: Vec<Option<V>> = given.iter().map(|g| g.as_ref().map(as_stored)).collect();
                gradients(&*self.step, &inputs.iter().collect::<Vec<_>>(), &given)
            }
            Fault::SwappedResults => {
                let mut wrong = right.clone();
                if let [Some(a), Some(b), ..] = &mut wrong[..]
                    && a.shape() == b.shape()
                {
                    std::mem::swap(a, b);
                }
                wrong
            }
            _ => (0..right.len()).map(|i| self.wrong(cx.inputs[i], right[i].as_ref()?)).collect(),
        };
        for (i, (right, wrong)) in right.iter().zip(&wrong).enumerate() {
            // Compared under the input's shape, to which the engine sums.
            let shape = cx.inputs[i].shape();
            let numbers = |g: &Option<V>| g.as_ref().map(|g| g.to_tensor().sum_to(&shape));
            if let Some(right) = numbers(right) {
                let wrong = numbers(wrong).unwrap_or_else(|| Tensor::zeros(&shape));
                if right.iter().zip(wrong.iter()).any(|(a, b)| a != b && !(a.is_nan() && b.is_nan())) {
                    self.changed.store(true, Relaxed);
                }
            }
        }
        cx.results.iter_mut().zip(wrong).for_each(|(result, wrong)| *result = wrong);
    }

    fn wrong<V: Value>(&self, input: &V, right: &V) -> Option<V> {
        let shape = right.shape();
        let last_axes = shape.rank().saturating_sub(2);
        Some(match self.fault {
            Fault::Factor => right * 1.001,
            Fault::Sign => -right,
            Fault::Zero => right * 0.0,
            Fault::Lost => return None,
            Fault::Unsummed if shape != input.shape() => {
                let to = input.shape();
                let mut first = right.clone();
                while first.shape().rank() > to.rank() {
                    first = if first.shape()[0] == 0 { first.sum_axes(0, false) } else { first.select(0, 0) };
                }
                for (axis, &n) in to[..].iter().enumerate() {
                    if n == 1 && first.shape()[axis] > 1 {
                        first = first.slice(axis as isize, 0..1);
                    }
                }
                first
            }
            Fault::Transposed if shape[last_axes..].len() == 2 => right.t().reshape(&shape),
            Fault::Tail if !shape.is_empty() => {
                let mut mask = Tensor::ones(&shape);
                if let Some(last) = mask.as_mut_slice().last_mut() {
                    *last = 0.0;
                }
                right * right.place().constant(mask)
            }
            _ => right.clone(),
        })
    }
}

/// The elements in the order in which they lie in memory, under the same shape.
fn as_stored<V: Value>(x: &V) -> V {
    let tensor = x.to_tensor();
    if tensor.is_contiguous() {
        return x.clone();
    }
    let mut axes: Vec<isize> = (0..tensor.rank() as isize).collect();
    axes.sort_by_key(|&axis| std::cmp::Reverse(tensor.strides()[axis as usize].unsigned_abs()));
    let mut stored = tensor.clone();
    for (axis, &stride) in tensor.strides().iter().enumerate() {
        if stride < 0 {
            stored = stored.flip(axis as isize);
        }
    }
    x.place().constant(stored.permute(axes).contiguous().reshape(tensor.shape()))
}

impl Step for Mutant {
    fn name(&self) -> &'static str {
        self.step.name()
    }

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        self.step.infer(inputs)
    }

    fn forward(&mut self, inputs: &[&Tensor]) -> Outputs {
        if self.fault == Fault::StaleSaved {
            let reverse = |x: &Tensor| (0..x.rank() as isize).fold(x.clone(), |x, axis| x.flip(axis));
            let reversed: Vec<Tensor> = inputs.iter().map(|x| reverse(x)).collect();
            self.stale.forward(&reversed.iter().collect::<Vec<_>>());
        }
        self.step.forward(inputs)
    }

    fn backward_tensors(&self, cx: &mut Backward<'_, Tensor>, fused: bool) {
        self.run(cx, |step, cx| step.backward_tensors(cx, fused));
    }

    fn backward_vars<'t>(&self, cx: &mut Backward<'_, Var<'t>>) {
        self.run(cx, |step, cx| step.backward_vars(cx));
    }

    fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array> {
        self.step.reference(inputs, branches)
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        self.step.flops(inputs, outputs)
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        self.step.window(along)
    }

    fn reference_update(&self, update: &mut Update<'_>) -> bool {
        self.step.reference_update(update)
    }

    fn precision(&self) -> Precision {
        self.step.precision()
    }

    fn op(&self) -> &dyn std::any::Any {
        self.step.op()
    }

    fn fresh(&self) -> Box<dyn Step> {
        Box::new(Mutant {
            step: self.step.fresh(),
            stale: self.stale.fresh(),
            fault: self.fault,
            changed: self.changed.clone(),
        })
    }

    fn describe(&self) -> String {
        self.step.describe()
    }

    fn forget(&mut self) {
        self.step.forget();
        self.stale.forget();
    }

    fn saved_bytes(&self) -> usize {
        self.step.saved_bytes()
    }
}

#[derive(PartialEq)]
enum Outcome {
    Refused,
    Survived,
    /// The fault changed no gradient of any sample.
    NotApplicable,
}

fn outcome(spec: &Spec, fault: Fault) -> Outcome {
    let mut outcome = Outcome::NotApplicable;
    for seed in 0..48 {
        let mut g = Gen::new(seed, 2 + seed as usize % 4);
        for Sample { step, inputs } in (spec.samples)(&mut g) {
            let changed = Arc::new(AtomicBool::new(false));
            let mutant = Mutant { stale: step.fresh(), step, fault, changed: changed.clone() };
            let sample = Sample { step: Box::new(mutant), inputs };
            // A single sweep tells whether there is anything to find; the laws take many.
            let swept = catch_unwind(AssertUnwindSafe(|| sweep(&sample, &mut g)));
            if swept.is_ok() && !changed.load(Relaxed) {
                continue;
            }
            let verdict = catch_unwind(AssertUnwindSafe(|| laws_of_sample(&sample, &mut g).is_ok()));
            if !verdict.unwrap_or(false) {
                return Outcome::Refused;
            }
            outcome = Outcome::Survived;
        }
    }
    outcome
}

/// The gradients of all inputs, in another layout, for random cotangents, by both rules.
fn sweep(sample: &Sample, g: &mut Gen) {
    let tape = Tape::new();
    let inputs: Vec<Var<'_>> = sample.inputs.iter().map(|x| tape.var(other_layout(x, g))).collect();
    let inputs: Vec<&Var<'_>> = inputs.iter().collect();
    let (_, first, outputs) = Tape::try_record_step(sample.step.fresh(), &inputs, Location::caller())
        .expect("the shape rule accepts its samples");
    for k in 0..outputs as u32 {
        let y = Var::new(&tape, first + k);
        for rule in [Rule::Fused, Rule::OfRecord] {
            y.sweep(other_layout(&g.normal(y.shape()), g), rule, false);
        }
    }
}

#[test]
fn the_laws_refuse_every_planted_fault() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ())); // a rule may fall over its fault: that is a refusal
    let mut refused = 0;
    let mut surprises = Vec::new();
    for spec in ops::ALL {
        for fault in FAULTS {
            let known = SURVIVORS.iter().any(|(name, f, _)| *name == spec.name && *f == fault);
            match outcome(spec, fault) {
                Outcome::Refused if !known => refused += 1,
                Outcome::Refused => {
                    surprises.push(format!("{} {fault:?}: is no survivor any more", spec.name))
                }
                Outcome::Survived if !known => surprises.push(format!("{} {fault:?}: survived", spec.name)),
                _ => {}
            }
        }
    }
    std::panic::set_hook(before);
    assert!(surprises.is_empty(), "{refused} faults refused, but\n{}", surprises.join("\n"));
    assert!(refused > 6 * ops::ALL.len(), "only {refused} faults for {} operations", ops::ALL.len());
}
