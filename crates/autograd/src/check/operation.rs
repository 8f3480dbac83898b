//! The check of an operation by itself.

use super::{
    gradcheck::GradCheck,
    laws::{Violation, laws, laws_beyond_samples},
    report::{Report, Row, Verdict},
};
use crate::{
    op::{
        Spec,
        examples::{Gen, Sample},
    },
    replay::surrogate_note,
    tape::{Tape, var::Var},
};
use gradus_tensor::{Rng, Tensor};
use std::{panic::Location, time::Instant};

/// How many samples of each size of shapes are drawn and held to the laws, and at most how many where those say nothing of
/// some input.
const SAMPLES: u64 = 3;
const MOST_SAMPLES: u64 = 24;

/// Checks an operation, such as one of your own, on its own samples: the gradient of every input, and the
/// [`laws`]. A row stands for an input; it is that of the sample where the check failed, or was furthest off.
///
/// If all that holds, special values are put into samples (0 and -0, whole numbers, ties, huge and tiny ones), and samples of some
/// 100 000 elements and up to six axes are drawn, for which the fused rule is compared with the rule of record.
///
/// A sample without elements, or whose every gradient is zero because it holds padding alone, says nothing of an input; where
/// there are no others more are drawn. An input to which the rule never sends a gradient, as those of steps, passes if
/// differences find none either.
///
/// ```
/// use gradus_autograd::{assert_gradcheck, check::{check_op}, op::Spec, ops::elementwise::Tanh};
///
/// assert_gradcheck!(check_op(&Spec::of::<Tanh>()));
/// ```
#[track_caller]
pub fn check_op(spec: &Spec) -> Report {
    GradCheck::default().operation(spec)
}

impl GradCheck {
    /// [`check_op`] with these settings; the seed decides the samples too.
    ///
    /// ```
    /// use gradus_autograd::{assert_gradcheck, check::GradCheck, op::Spec, ops::elementwise::Tanh};
    ///
    /// assert_gradcheck!(GradCheck { seed: 7, ..GradCheck::default() }.operation(&Spec::of::<Tanh>()));
    /// ```
    #[track_caller]
    pub fn operation(&self, spec: &Spec) -> Report {
        let (start, line) = (Instant::now(), Location::caller());
        let mut rows: Vec<Row> = Vec::new();
        // Of each law that is broken the first sample, which is among the smallest.
        let mut laws_broken: Vec<Violation> = Vec::new();
        let mut seeds = Rng::seed(self.seed);
        let (mut drawn, mut is_surrogate) = (0, false);
        while drawn < SAMPLES || drawn < MOST_SAMPLES && !rows.iter().all(says_something) {
            for size in 0..=5 {
                let seed = seeds.bits();
                if drawn < SAMPLES
                    && let Err(violation) = laws(spec, seed, size)
                    && laws_broken.iter().all(|other| other.law != violation.law)
                {
                    laws_broken.push(violation);
                }
                for sample in (spec.samples)(&mut Gen::new(seed, size)) {
                    is_surrogate |= sample.is_surrogate();
                    let check = GradCheck { seed, ..self.clone() };
                    let all = vec![true; sample.inputs.len()];
                    let found = check.step(&*sample.step, &sample.inputs, &all, line).unwrap_or_default();
                    for (place, (i, row)) in found.into_iter().enumerate() {
                        let mut row = Row { name: format!("{} input {i}", spec.name), ..row };
                        if row.verdict == Verdict::Zero && sends_nothing(&sample, i) {
                            row.verdict = Verdict::Pass;
                        }
                        match rows.get_mut(place) {
                            None => rows.push(row),
                            Some(worst) if rank(&row) > rank(worst) => *worst = row,
                            Some(_) => {}
                        }
                    }
                }
            }
            drawn += 1;
        }
        // What is wrong everywhere is wrong there, too.
        if laws_broken.is_empty() && rows.iter().all(|row| row.verdict.is_fine()) {
            for violation in laws_beyond_samples(spec, self, seeds.bits()) {
                if laws_broken.iter().all(|other| other.law != violation.law) {
                    laws_broken.push(violation);
                }
            }
        }
        let mut broken: Vec<String> = laws_broken.iter().map(Violation::to_string).collect();
        broken.extend(rows.iter().filter(|row| !says_something(row)).map(|row| match row.differenced {
            0 => format!("{}: no sample has an element of it", row.name),
            _ => format!("{}: every gradient of every sample is zero, which tells nothing", row.name),
        }));
        if rows.is_empty() {
            broken
                .push(format!("{} declares no samples with inputs, so there is nothing to check", spec.name));
        }
        let mut notes = vec![format!("{drawn} samples of each of 6 sizes")];
        notes.extend(is_surrogate.then(|| surrogate_note(spec.name, "")));
        Report { rows, broken, notes, seed: self.seed, seconds: start.elapsed().as_secs_f64() }
    }
}

/// Whether the rule adds nothing to the gradient of an input: not even zeros.
fn sends_nothing(sample: &Sample, input: usize) -> bool {
    let tape = Tape::new();
    let vars: Vec<Var<'_>> = sample.inputs.iter().map(|x| tape.var(x)).collect();
    let references: Vec<&Var<'_>> = vars.iter().collect();
    let Ok((_, first, outputs)) = Tape::try_record_step(sample.step.fresh(), &references, Location::caller())
    else {
        return false;
    };
    (0..outputs as u32).all(|k| {
        let output = Var::new(&tape, first + k);
        let ones = tape.constant(Tensor::ones(output.shape()));
        output.grad_from(ones, &vars[input..=input])[0].is_none()
    })
}

fn says_something(row: &Row) -> bool {
    row.differenced > 0 && row.verdict != Verdict::Zero
}

/// Failures before passes, then by error; samples without a gradient last, and of these the empty ones.
fn rank(row: &Row) -> (bool, f64) {
    match says_something(row) {
        true => (!row.verdict.is_fine(), row.error),
        false if row.differenced > 0 => (false, -1.0),
        false => (false, -2.0),
    }
}
