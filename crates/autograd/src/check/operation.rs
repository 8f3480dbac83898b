//! The check of an operation by itself.

use super::{
    gradcheck::GradCheck,
    laws::{Violation, laws},
    report::{Report, Row},
};
use crate::op::Spec;
use crate::op::examples::Gen;
use crate::replay::surrogate_note;
use std::{panic::Location, time::Instant};

/// How many seeds samples are drawn with, for each size of shapes.
const SEEDS: u64 = 3;

/// Checks an operation, such as one of your own, on its own samples: the gradient of every input, and the
/// [`laws`]. A row stands for an input; it is that of the sample where the check failed, or was furthest off.
///
/// ```
/// use gradus_autograd::{assert_gradcheck, check::{check_op}, op::Spec, ops::elementwise::Tanh};
///
/// assert_gradcheck!(check_op(&Spec::of::<Tanh>()));
/// ```
#[track_caller]
pub fn check_op(spec: &Spec) -> Report {
    let (start, line) = (Instant::now(), Location::caller());
    let mut rows: Vec<Row> = Vec::new();
    // Of each law that is broken the first sample, which is among the smallest.
    let mut broken: Vec<Violation> = Vec::new();
    let mut is_surrogate = false;
    for (seed, size) in (0..SEEDS).flat_map(|seed| (0..=5).map(move |size| (seed, size))) {
        if let Err(violation) = laws(spec, seed, size)
            && broken.iter().all(|other| other.law != violation.law)
        {
            broken.push(violation);
        }
        for sample in (spec.samples)(&mut Gen::new(seed, size)) {
            is_surrogate |= sample.is_surrogate();
            let check = GradCheck { seed, ..GradCheck::default() };
            let found = check.step(&*sample.step, &sample.inputs, line).unwrap_or_default();
            for (i, row) in found.into_iter().enumerate() {
                let row = Row { name: format!("{} input {i}", spec.name), ..row };
                match rows.get_mut(i) {
                    None => rows.push(row),
                    Some(worst) if rank(&row) > rank(worst) => *worst = row,
                    Some(_) => {}
                }
            }
        }
    }
    let mut broken: Vec<String> = broken.iter().map(Violation::to_string).collect();
    if rows.is_empty() {
        broken.push(format!("{} declares no samples with inputs, so there is nothing to check", spec.name));
    }
    let mut notes = vec![format!("{} samples of each of 6 sizes", SEEDS)];
    notes.extend(is_surrogate.then(|| surrogate_note(spec.name, "")));
    Report { rows, broken, notes, seed: 0, seconds: start.elapsed().as_secs_f64() }
}

/// Failures before passes, then by error; samples without a gradient last.
fn rank(row: &Row) -> (bool, f64) {
    let empty = row.differenced == 0 || row.verdict == super::Verdict::NoGradient;
    (!empty && !row.verdict.is_fine(), if empty { -1.0 } else { row.error })
}
