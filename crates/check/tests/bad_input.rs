//! What cannot be checked is said in a sentence, and settings that make no sense are refused.

use crate::messages::Messages;
use gradus_check::{
    Check, Given, Report, Subject, Verdict, assert_gradient, check_gradient, check_jvp, check_vjp,
};
use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
};

fn square(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum()
}

#[track_caller]
fn says(said: &mut Messages, report: &Report, verdict: Verdict, sentence: &str) {
    said.add(sentence);
    assert_eq!(report.broken.as_deref(), Some(sentence));
    assert_eq!(report.verdict, verdict);
    assert!(!report.passed() && report.to_string().contains(sentence));
}

#[test]
fn points_and_gradients_that_cannot_be_judged() {
    let mut messages = Messages::of("check", module_path!(), "points_and_gradients_that_cannot_be_judged");
    let said = &mut messages;
    let inconclusive = Verdict::Inconclusive;
    says(
        said,
        &check_gradient(square, &[1.0, 2.0], [2.0, 4.0, 6.0]),
        Verdict::Wrong,
        "the gradient has 3 elements, it should have 2",
    );
    says(
        said,
        &check_gradient(square, &[], [0.0; 0]),
        inconclusive,
        "the point has no elements: there is nothing to check",
    );
    says(
        said,
        &check_gradient(square, &[1.0, f64::NAN], [2.0, 4.0]),
        inconclusive,
        "element 1 of the point is NaN: nothing can be differenced there",
    );
    says(
        said,
        &check_gradient(|x| x[0].ln(), &[-1.0], [-1.0]),
        inconclusive,
        "the function's value 0 at the point is NaN: it must be finite",
    );
    says(
        said,
        &check_jvp(|x: &[f64]| [x[0]], &[1.0], &[1.0, 2.0], [1.0]),
        inconclusive,
        "the direction has 2 elements, the point 1",
    );
    let check = Check { shape: vec![2, 3], ..Check::default() };
    says(
        said,
        &check.gradient(square, &[1.0; 4], [2.0; 4]),
        inconclusive,
        "the shape [2, 3] does not have the 4 elements of the point",
    );
    said.check();
}

#[test]
fn functions_that_panic_or_change() {
    let mut messages = Messages::of("check", module_path!(), "functions_that_panic_or_change");
    let said = &mut messages;
    let inconclusive = Verdict::Inconclusive;
    says(
        said,
        &check_gradient(|_| panic!("no value"), &[1.0], [1.0]),
        inconclusive,
        "the function panics at the point: no value",
    );
    says(
        said,
        &check_gradient(square, &[1.0], |x: &[f64]| vec![x[7]]),
        inconclusive,
        "what computes the gradient panics: index out of bounds: the len is 1 but the index is 7",
    );
    let report = check_vjp(|x: &[f64]| [x[0]], &[1.0], &[1.0, 2.0], [1.0]);
    assert!(
        report
            .broken
            .is_some_and(|sentence| sentence.contains("a cotangent with one number for each output"))
    );

    let calls = Cell::new(0.0);
    let count = || calls.replace(calls.get() + 1.0);
    let report = check_gradient(|x| x[0] + count(), &[1.0], [1.0]);
    says(
        said,
        &report,
        Verdict::Noisy,
        "the function gives another value on another call at the same point, 1e0 and 2e0: fix the seed of what is random, \
         and keep no state between calls",
    );
    let report = check_gradient(square, &[1.0], |x: &[f64]| [2.0 * x[0] + count()]);
    says(
        said,
        &report,
        Verdict::Noisy,
        "what computes the gradient gives other numbers on a second call: fix the seed of what is random",
    );
    // Only after a while.
    calls.set(0.0);
    let report = check_gradient(|x| x[0] * x[0] + if count() > 5.0 { 1.0 } else { 0.0 }, &[1.0], [2.0]);
    assert!(report.verdict == Verdict::Noisy && report.broken.is_some(), "{report}");
    said.check();
}

#[test]
fn a_panic_beside_the_point_is_the_end_of_the_domain() {
    let root = |x: &[f64]| {
        assert!(x[0] > 0.0, "roots of positive numbers alone");
        x[0].sqrt()
    };
    let report = check_gradient(root, &[1e-10], [5e4]);
    assert!(report.passed(), "{report}");
    let report = Check { step: Some(1.0), ..Check::default() }.gradient(root, &[1e-10], [5e4]);
    assert!(report.passed() && report.notes.iter().any(|note| note.contains("panicked")), "{report}");
}

#[test]
fn gradients_that_are_not_finite() {
    let report = check_gradient(square, &[1.0, 2.0], [2.0, f64::NAN]);
    assert_eq!(report.verdict, Verdict::Wrong, "{report}");
    assert!(report.to_string().contains("it is not finite, and the derivative is"), "{report}");
    let report = check_gradient(|x| x[0].sqrt(), &[0.0], [f64::INFINITY]);
    assert_eq!(report.verdict, Verdict::Inconclusive, "{report}");
}

#[test]
fn evaluations_are_counted_and_limited() {
    let calls = Cell::new(0);
    let f = |x: &[f64]| {
        calls.set(calls.get() + 1);
        square(x)
    };
    let x: Vec<f64> = (1..500).map(f64::from).collect();
    let report = Check { evaluations: 400, ..Check::default() }
        .gradient(f, &x, |x: &[f64]| -> Vec<f64> { x.iter().map(|x| 2.0 * x).collect() });
    assert_eq!(report.evaluations, calls.get());
    assert!(report.evaluations <= 402 && report.elements < 30, "{report}");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let mut messages = Messages::of("check", module_path!(), "settings_that_make_no_sense_are_refused");
    let said = &mut messages;
    let refused = |check: Check| {
        let panic = catch_unwind(AssertUnwindSafe(|| check.gradient(square, &[1.0], [2.0])))
            .map(|report| report.verdict);
        panic.map_err(|panic| {
            panic.downcast_ref::<String>().cloned().or(panic.downcast_ref::<&str>().map(|s| s.to_string()))
        })
    };
    let mut says = |check: Check, sentence: &str| {
        said.add(sentence);
        assert_eq!(refused(check), Err(Some(sentence.to_string())));
    };
    let check = Check::default;
    says(Check { step: Some(0.0), ..check() }, "Check: a step of 0; it must be positive and finite");
    says(Check { tolerance: Some(-1.0), ..check() }, "Check: a tolerance of -1; it must be from 0 to 1");
    says(Check { evaluations: 5, ..check() }, "Check: 5 evaluations are too few, 100 the least");
    says(
        Check { elements: 0, directions: 0, ..check() },
        "Check: no elements and no directions: nothing would be checked",
    );
    said.check();
}

/// x², given as a subject.
struct Square;

impl Subject for Square {
    fn value(&self, direction: &[(usize, f64)], t: f64) -> f64 {
        let x = 1.0 + direction.iter().map(|(_, step)| step * t).sum::<f64>();
        x * x
    }
}

#[test]
fn searches_and_assertions_say_what_failed() {
    let mut said = Messages::of("check", module_path!(), "searches_and_assertions_say_what_failed");
    let mut says = |f: &dyn Fn()| {
        let panic = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string())).unwrap();
        // The first line: a report follows, or the two sides that differ.
        said.add(text.lines().next().unwrap());
    };
    let given = |gradient: &'static [f64], shape: &'static [usize]| Given {
        what: "square",
        x: &[1.0],
        gradient,
        shape,
        epsilon: f64::EPSILON,
        precision: f64::EPSILON,
        noise: 0.0,
        size: 0.0,
        slack: &[],
    };
    let check = Check::default();
    says(&|| drop(check.search(&Square, &given(&[2.0, 2.0], &[1]))));
    says(&|| drop(check.search(&Square, &given(&[2.0], &[2]))));
    says(&|| _ = check.element(&Square, &given(&[2.0], &[1]), 1));
    says(&|| assert_gradient!(square, &[1.0], |_: &[f64]| [3.0]));
    let report = check_vjp(|x: &[f64]| [x[0], x[0]], &[1.0], &[1.0], [1.0]);
    said.add(report.broken.unwrap().lines().next().unwrap());
    said.check();
}
