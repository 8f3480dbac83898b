//! What the gradient check says: reports, bad input, and the tools beside it.

use gradus_autograd::{
    assert_gradcheck,
    check::{GradCheck, Report, Spec, Verdict, check_op, gradcheck, precision_audit, step_sweep},
    ops::elementwise::Tanh,
    prelude::*,
};
use std::cell::Cell;

fn without_time(mut report: Report) -> Report {
    report.seconds = 0.0;
    report
}

#[test]
fn a_report_reads_well() {
    let report = gradcheck(|v| v[0].square() * 3.0, &[Tensor::from([1.0, 2.0]), Tensor::from([[1.0]])]);
    assert_eq!(report.rows[1].verdict, Verdict::NoGradient);
    let text = without_time(report).to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("         shape   checked  worst at"), "{text}");
    assert!(lines[1].starts_with("input 0  [2]     all      [") && lines[1].ends_with("pass"), "{text}");
    assert_eq!(lines[2], "input 1  [1, 1]  all      [0, 0]    0.000000e0  0.000000e0   0.0e0  NO GRADIENT");
    assert_eq!(
        lines[3..],
        [
            "1 of 2 pass, seed 0, 0.00 s",
            "",
            "input 1 at [0, 0]: NO GRADIENT",
            "  f32 gradient  0.000000000e0",
            "  rule in f64   0.000000000e0, which f32 may miss by 0.0e0",
            "  differences   0.000000000e0 ± 0.0e0",
            "  the output does not depend on it: a lost or detached value",
        ]
    );
}

#[test]
fn a_report_is_json_too() {
    let report = gradcheck(|v| v[0].square(), &[Tensor::from([1.0, 2.0])]);
    let json = report.to_json();
    for part in [r#""passed": true"#, r#""name": "input 0""#, r#""verdict": "pass""#, r#""blame": null"#] {
        assert!(json.contains(part), "{json}");
    }
}

#[test]
#[should_panic(expected = "gradcheck: there are no inputs to check")]
fn no_inputs() {
    gradcheck(|v| v[0], &[]);
}

#[test]
#[should_panic(expected = "gradcheck: the loss must have one element")]
fn a_model_has_a_scalar_loss() {
    let w = Param::new([1.0, 2.0]);
    GradCheck::default().params(&[("w".into(), &w)], &Tape::new(), |tape| tape.param(&w) * 2.0);
}

#[test]
#[should_panic(expected = "the gradient check failed")]
fn the_assertion_fails_with_the_report() {
    assert_gradcheck!(|v| v[0].square(), &[Tensor::from([1.0]), Tensor::from([2.0])]);
}

#[test]
fn a_function_that_is_not_one() {
    let calls = Cell::new(0.0);
    let report = gradcheck(
        |v| {
            calls.set(calls.get() + 1.0);
            v[0] * calls.get()
        },
        &[Tensor::from([1.0])],
    );
    let sentence =
        "the function is not the same twice: its output is 1e0, then 2e0 at [0]; seed what is random in it";
    assert_eq!(report.broken, [sentence]);
    assert!(!report.passed());
    let report = gradcheck(
        |v| {
            calls.set(calls.get() + 1.0);
            v[0].slice(0, ..calls.get() as isize - 2)
        },
        &[Tensor::ones([4])],
    );
    assert_eq!(report.broken, ["the function is not the same twice: its output has shape [1], then [2]"]);
}

#[test]
fn values_that_are_not_finite() {
    let report = gradcheck(|v| (v[0] - 2.0).log() * 2.0, &[Tensor::from([1.0, 3.0])]);
    assert!(!report.passed() && report.rows.is_empty());
    assert!(report.broken[0].starts_with("the output is not finite; it begins with log at "), "{report}");
    assert!(report.broken[0].ends_with("which has NaN at [0]"), "{report}");
    let report = gradcheck(|v| v[0] * 2.0, &[Tensor::from([1.0, f32::INFINITY])]);
    assert!(report.broken[0].contains("begins with an input at"), "{report}");
    // A finite value with an infinite slope is never a pass.
    let report = gradcheck(|v| v[0].sqrt(), &[Tensor::from([0.0, 1.0])]);
    assert!(!report.passed(), "{report}");
}

#[test]
fn a_kink_is_no_failure() {
    let report = gradcheck(
        |v| v[0].abs() + v[0].relu() + v[0].max() + v[0].minimum(&-v[0]),
        &[Tensor::from([0.0, 1.0, -2.0, 1.0])],
    );
    assert!(report.passed() && report.rows[0].crossed > 0, "{report}");
}

#[test]
fn frozen_parameters_are_left_out_and_named() {
    let (w, mut frozen) = (Param::new([1.0, 2.0]), Param::new(3.0));
    frozen.set_frozen(true);
    let params = [("w".to_string(), &w), ("frozen".to_string(), &frozen)];
    let report = GradCheck::default()
        .params(&params, &Tape::new(), |tape| (tape.param(&w) * tape.param(&frozen)).square().sum());
    assert!(report.passed() && report.rows.len() == 1, "{report}");
    assert_eq!(report.notes, ["frozen is frozen and was not checked"]);
}

#[test]
fn cancelled_digits_are_poor_precision_that_rounding_explains() {
    // (1 + x²) - 1 for a small x: nothing is left of it in f32.
    let report = gradcheck(|v| ((v[0].square() + 1.0).log() * 1e8).sin(), &[Tensor::from([1e-4, 2e-4])]);
    assert_eq!(report.rows[0].verdict, Verdict::PoorPrecision, "{report}");
    assert!(report.to_string().contains("rounding explains it"), "{report}");
}

#[test]
fn the_second_order() {
    let check = GradCheck { second_order: true, ..GradCheck::default() };
    let mut rng = Rng::seed(1);
    let report = check.function(
        |v| v[0].matmul(&v[1]).tanh().softmax(-1),
        &[Tensor::randn([3, 4], &mut rng), Tensor::randn([4, 5], &mut rng)],
    );
    assert!(report.passed(), "{report}");
    assert_eq!(report.rows.iter().map(|row| row.order).collect::<Vec<_>>(), [1, 1, 2, 2]);
}

#[test]
fn an_operation_by_itself() {
    assert_gradcheck!(check_op(&Spec::of::<Tanh>()));
}

#[test]
fn the_audit_finds_the_line() {
    let tape = Tape::new();
    let x = tape.var([1.0e4, 1.0e4 + 1.0]);
    let line = line!() + 1;
    let _lost = x.square() - 1.0e8;
    let audit = precision_audit(&tape);
    assert_eq!(audit.rows.len(), 2);
    assert!(audit.rows.iter().all(|row| row.line.ends_with(&format!("report.rs:{line}"))), "{audit}");
}

#[test]
fn the_v_of_truncation_and_rounding() {
    let sweep = step_sweep(|x| x.exp(), &Tensor::from([0.5, 1.0]));
    for formula in 0..4 {
        let [f32_best, f64_best] = sweep.best(formula);
        let ends = [&sweep.rows[0], sweep.rows.last().unwrap()];
        // Worse at both ends than in the middle, and f64 better than f32, with a smaller step.
        assert!(ends.iter().all(|row| row.f32[formula] > 2.0 * f32_best.1), "{sweep}");
        assert!(ends.iter().all(|row| row.f64[formula] > 2.0 * f64_best.1), "{sweep}");
        assert!(f64_best.1 < f32_best.1 && f64_best.0 <= f32_best.0, "{sweep}");
    }
}
