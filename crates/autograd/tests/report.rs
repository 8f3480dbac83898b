//! What the gradient check says: reports, bad input, and the tools beside it.

use crate::common;

use common::crooked::{Crooked, Ramp};
use gradus_autograd::{
    assert_gradcheck,
    check::{GradCheck, Report, Verdict, check_op, gradcheck, precision_audit, step_sweep},
    op::Spec,
    ops::elementwise::Tanh,
    prelude::*,
};
use serde_json::{Value as Json, json};
use std::cell::Cell;

/// What a report prints, with other people's time and lines.
fn shown(mut report: Report) -> String {
    report.seconds = 0.0;
    let text = report.to_string();
    let here = format!("{}:", file!());
    let mut parts = text.split(&here);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shown, rest| {
        shown + "src/model.rs:17" + rest.trim_start_matches(|c: char| c.is_ascii_digit())
    })
}

/// Whole numbers from -3 to 3, so that every digit of a report is the same on every machine.
fn whole<const N: usize>(shape: [usize; N]) -> Tensor {
    Tensor::from_fn(shape, |index| (index.iter().fold(1, |sum, i| 5 * sum + 3 * i) % 7) as f32 - 3.0)
}

#[track_caller]
fn assert_shown(report: Report, expected: &str) {
    let text = shown(report);
    let expected = expected.strip_prefix('\n').expect("it begins on a line of its own");
    assert!(text == expected, "the report is\n{text}\n");
}

#[test]
fn the_report_of_a_pass() {
    let report = gradcheck(|v| v[0].matmul(&v[1]).square().sum(), &[whole([2, 3]), whole([3, 30])]);
    assert_shown(
        report,
        r"
         shape    checked      worst at         tape    numerical  error  verdict
input 0  [2, 3]   all          [0, 0]     2.800000e1   2.800000e1  0.0e0  pass
input 1  [3, 30]  48 + 3 dir.  [0, 0]    -6.000000e0  -6.000000e0  0.0e0  pass
2 of 2 pass, seed 0, 0.00 s",
    );
}

#[test]
fn the_report_of_a_lost_gradient() {
    let report = gradcheck(|v| v[0].square() * 3.0, &[Tensor::from([1.0, 2.0]), Tensor::from([[1.0]])]);
    assert_shown(
        report,
        r"
         shape   checked  worst at        tape   numerical   error  verdict
input 0  [2]     all      [0]       5.891262e0  5.891261e0  2.0e-8  pass
input 1  [1, 1]  all      [0, 0]    0.000000e0  0.000000e0   0.0e0  NO GRADIENT
1 of 2 pass, seed 0, 0.00 s

input 1 at [0, 0]: NO GRADIENT
  f32 gradient  0.000000000e0, which rounding may put off by 0.0e0
  why           the output does not depend on it: a lost or detached value
",
    );
}

#[test]
fn the_report_of_a_wrong_factor() {
    let crooked = Crooked { factor: 1.001, only: None, fused: false };
    let report =
        gradcheck(|v| (Var::apply(crooked.clone(), &[&v[0]]) * v[1]).sum(), &[whole([2, 4]), whole([4])]);
    assert_shown(
        report,
        r"
         shape   checked  worst at         tape    numerical   error  verdict
input 0  [2, 4]  all      [0, 3]    -1.801800e1  -1.800000e1  1.0e-3  WRONG FORMULA
input 1  [4]     all      [0]        5.000000e0   5.000000e0   0.0e0  pass
1 of 2 pass, seed 0, 0.00 s

input 0 at [0, 3]: WRONG FORMULA
  f32 gradient  -1.801800156e1, which rounding may put off by 6.6e-6
  rule in f64   -1.801800084114e1
  differences   -1.800000000000e1 ± 1.2e-12
  why           it contradicts differences that agree at two scales
  what to do    correct the gradient; the pattern, if there is one, says what kind of mistake makes it
  pattern       1.001000 times the right one
  to blame      crooked at src/model.rs:17, its input 0 [2, 4]: 5.154806e0 for 5.149656e0 at [1, 1], 1.001000 times the right one
",
    );
}

#[test]
fn the_report_of_one_wrong_element() {
    let crooked = Crooked { factor: -1.0, only: Some(777), fused: false };
    let report = gradcheck(|v| Var::apply(crooked.clone(), &[&(v[0] * 2.0)]).sum(), &[whole([40, 40])]);
    assert_shown(
        report,
        r"
         shape     checked      worst at         tape   numerical   error  verdict
input 0  [40, 40]  49 + 3 dir.  [19, 17]  -8.000000e0  8.000000e0  6.7e-1  WRONG FORMULA
0 of 1 pass, seed 0, 0.00 s

input 0 at [19, 17]: WRONG FORMULA
  f32 gradient  -8.000000000e0, which rounding may put off by 1.1e-5
  rule in f64   -8.000000000000e0
  differences   8.000000000000e0 ± 1.3e-10
  why           it contradicts differences that agree at two scales
  what to do    correct the gradient; the pattern, if there is one, says what kind of mistake makes it
  pattern       one element alone is wrong
  to blame      crooked at src/model.rs:17, its input 0 [40, 40]: 4.558638e0 for -4.558638e0 at [19, 17], one element alone is wrong
",
    );
}

#[test]
fn the_report_of_a_kernel_that_is_off() {
    let crooked = Crooked { factor: 1.001, only: None, fused: true };
    let report = gradcheck(|v| Var::apply(crooked.clone(), &[&v[0]]).sum(), &[whole([3, 3])]);
    assert_shown(
        report,
        r"
         shape   checked  worst at        tape   numerical   error  verdict
input 0  [3, 3]  all      [2, 0]    6.006001e0  6.000000e0  1.0e-3  POOR PRECISION
0 of 1 pass, seed 0, 0.00 s

input 0 at [2, 0]: POOR PRECISION
  f32 gradient  6.006000519e0, which rounding may put off by 1.6e-6
  rule in f64   6.000000000e0
  why           rounding does not explain it: a kernel, or a fused rule
  pattern       1.001000 times the right one
  to blame      crooked at src/model.rs:17, its input 0 [3, 3]: -1.488489e1 for -1.487002e1 at [2, 0], 1.001000 times the right one
",
    );
}

#[test]
fn the_report_of_a_kink() {
    let report = gradcheck(|v| Var::apply(Ramp, &[&v[0]]).sum(), &[Tensor::from([-1.0, 0.0, 2.0])]);
    assert_eq!(report.rows[0].verdict, Verdict::Kink);
    assert_shown(
        report,
        r"
         shape  checked  worst at         tape    numerical  error  verdict
input 0  [3]    all      [1]       5.000000e-1  5.000000e-1  0.0e0  kink
1 of 1 pass, seed 0, 0.00 s; 1 step crossed a kink
note: input 0: at a kink, with slopes of 0.000000e0 to the left and 1.000000e0 to the right; what lies between is right by some convention",
    );
}

#[test]
fn the_report_of_what_cannot_be_judged() {
    let report = gradcheck(|v| v[0].sqrt().sum(), &[Tensor::from([1.0, 0.0, 4.0])]);
    assert_shown(
        report,
        r"
         shape  checked  worst at  tape  numerical  error  verdict
input 0  [3]    all      [1]        inf        NaN    NaN  INCONCLUSIVE
0 of 1 pass, seed 0, 0.00 s

input 0 at [1]: INCONCLUSIVE
  f32 gradient  inf, which rounding may put off by 1.5e-7
  rule in f64   inf
  why           the slope grows without end towards this point
  what to do    move the point away from it, or add a small number under the root or the logarithm
",
    );
}

#[test]
fn the_report_of_a_function_that_is_not_one() {
    let calls = Cell::new(0.0);
    let report = gradcheck(
        |v| {
            calls.set(calls.get() + 1.0);
            (v[0] * v[1] * calls.get()).sum()
        },
        &[Tensor::from([1.0, 2.0]), Tensor::from(3.0)],
    );
    assert_shown(
        report,
        r"
         shape  checked  worst at        tape   numerical  error  verdict
input 0  [2]    all      [0]       3.000000e0  3.000000e0  0.0e0  pass
input 1  []     all      []        3.000000e0  3.000000e0  0.0e0  pass
2 of 2 pass, seed 0, 0.00 s
broken: the function is not the same twice: its output is 9e0, then 1.8e1 at []; seed what is random in it",
    );
}

#[test]
fn a_report_is_json_too() {
    let crooked = Crooked { factor: 1.001, only: None, fused: false };
    let report = gradcheck(
        |v| Var::apply(crooked.clone(), &[&v[0]]).log().sum() / v[1],
        &[whole([2, 2]), Tensor::from([2.0, 0.5])],
    );
    let json: Json = serde_json::from_str(&report.to_json()).expect("it is JSON");
    assert_eq!(json["passed"], false);
    assert_eq!((&json["seed"], json["rows"].as_array().map(Vec::len)), (&json!(0), Some(2)));
    let (row, found) = (&json["rows"][0], &report.rows[0]);
    assert_eq!((&row["name"], &row["verdict"]), (&json!("input 0"), &json!("wrong formula")));
    assert_eq!((&row["shape"], &row["worst"]), (&json!([2, 2]), &json!(found.worst)));
    // To the last digit but one, which the reader of JSON may round.
    let near = |name: &str, number: f64| {
        let read = row["judgement"][name].as_f64().expect("a number");
        assert!((read / number - 1.0).abs() < 1e-15, "{name}: {read:e} {number:e}");
    };
    near("numeric", found.judgement.estimate.value);
    near("error", found.judgement.estimate.error);
    assert_eq!((&row["blame"]["op"], &row["blame"]["input"]), (&json!("crooked"), &json!(0)));
    assert_eq!(json["rows"][1]["blame"], Json::Null);
    // Numbers that JSON has no words for are null, and quotes in names do no harm.
    let w = Param::new([0.0]);
    let report = GradCheck::default()
        .params(&[("a \"name\"\n".into(), &w)], &Tape::new(), |tape| tape.param(&w).sqrt());
    let json: Json = serde_json::from_str(&report.to_json()).expect("it is JSON");
    assert_eq!(
        (&json["rows"][0]["name"], &json["rows"][0]["judgement"]["given"]),
        (&json!("a \"name\"\n"), &Json::Null)
    );
}

#[test]
#[should_panic(expected = "gradcheck: there are no inputs to check")]
fn no_inputs() {
    gradcheck(|v| v[0], &[]);
}

#[test]
#[should_panic(expected = "gradcheck: no elements and no directions, so nothing would be checked")]
fn nothing_to_check() {
    let check = GradCheck { elements: 0, directions: 0, ..GradCheck::default() };
    check.function(|v| v[0].square(), &[Tensor::from([1.0])]);
}

#[test]
#[should_panic(expected = "gradcheck: there are no parameters to check")]
fn no_parameters() {
    GradCheck::default().params(&[], &Tape::new(), |tape| tape.constant(1.0));
}

#[test]
#[should_panic(expected = "gradcheck: all parameters are frozen, so there is nothing to check")]
fn frozen_parameters_alone() {
    let mut w = Param::new([1.0, 2.0]);
    w.set_frozen(true);
    GradCheck::default().params(&[("w".into(), &w)], &Tape::new(), |tape| tape.param(&w).sum());
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
    let x = [Tensor::from([1e-4, 2e-4])];
    let report = gradcheck(|v| ((v[0].square() + 1.0).log() * 1e8).sin(), &x);
    assert!(report.passed() && report.to_string().contains("rounding explains it"), "{report}");
    let strict = GradCheck { strict: true, ..GradCheck::default() };
    let report = strict.function(|v| ((v[0].square() + 1.0).log() * 1e8).sin(), &x);
    assert_eq!(report.rows[0].verdict, Verdict::PoorPrecision, "{report}");
    assert!(report.to_string().contains("cancels digits"), "{report}");
}

#[test]
fn the_second_order() {
    let check = GradCheck { order: 2, ..GradCheck::default() };
    let mut rng = Rng::seed(1);
    let report = check.function(
        |v| v[0].matmul(&v[1]).tanh().softmax(-1),
        &[Tensor::randn([3, 4], &mut rng), Tensor::randn([4, 5], &mut rng)],
    );
    assert!(report.passed(), "{report}");
    assert_eq!(report.rows.iter().map(|row| row.order).collect::<Vec<_>>(), [1, 1, 2, 2]);
}

#[test]
fn the_third_order() {
    let check = GradCheck { order: 3, ..GradCheck::default() };
    let report =
        check.function(|v| (v[0] * v[1]).tanh(), &[Tensor::from([0.5, -0.3]), Tensor::from([1.5, 2.0])]);
    assert!(report.passed(), "{report}");
    assert_eq!(report.rows.iter().map(|row| row.order).collect::<Vec<_>>(), [1, 1, 2, 2, 3, 3]);
    assert!(report.to_string().contains("input 1 ‴"), "{report}");
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
