//! Operations of one's own in the light form, and such whose backward is deliberately not the derivative.

use gradus_autograd::{
    assert_gradcheck,
    check::{GradCheck, Report, Verdict, check_op, gradcheck},
    op::prelude::*,
    prelude::*,
};

/// `scale · x³`, with a rule and an f32 forward that are off by factors.
#[derive(Clone, Debug)]
struct Cube<const RULE: i32, const FORWARD: i32>;

impl<const RULE: i32, const FORWARD: i32> Pointwise for Cube<RULE, FORWARD> {
    const NAME: &'static str = "cube";
    const EXAMPLES: &'static [Self] = &[Cube];

    fn forward(&self, x: &[&Tensor]) -> Tensor {
        x[0].map(|x| x * x * x * (1.0 + FORWARD as f32 * 1e-5))
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>) {
        cx.send(|[x], _, g| [g * (x * x * RULE as f32)]);
    }

    fn reference(&self, x: &[f64], _: &mut Branches<'_>) -> f64 {
        x[0].powi(3)
    }
}

fn verdicts(report: &Report) -> Vec<Verdict> {
    report.rows.iter().map(|row| row.verdict).collect()
}

#[test]
fn a_light_operation_is_an_operation() {
    assert_gradcheck!(check_op(&Spec::of::<Cube<3, 0>>()));
    let tape = Tape::new();
    let x = tape.var([1.0, -2.0]);
    let y = Var::apply(Cube::<3, 0>, &[&x]);
    assert_eq!(y.value().to_vec(), [1.0, -8.0]);
    let first = y.sum().grad(&[x])[0].unwrap();
    assert_eq!(first.value().to_vec(), [3.0, 12.0]);
    assert_eq!(first.sum().backward()[x].to_vec(), [6.0, -12.0]);
    let report = check_op(&Spec::of::<Cube<2, 0>>());
    assert_eq!(verdicts(&report), [Verdict::WrongFormula], "{report}");
}

#[test]
fn what_misses_the_default_precision_is_told_how_to_state_another() {
    let report = check_op(&Spec::of::<Cube<3, 1>>());
    let said = report.broken.join("\n");
    assert!(said.contains("the default precision, Ulps(2.0), is not met"), "{report}");
    assert!(said.contains("const PRECISION: Precision = .."), "{report}");
    assert_eq!(format!("{:?}", Spec::of::<Cube<3, 1>>()), "cube"); // no formula, no colon
}

/// `a b c` of three inputs, which broadcast.
#[derive(Clone, Debug)]
struct Triple<const RIGHT: bool>;

impl<const RIGHT: bool> Pointwise for Triple<RIGHT> {
    const NAME: &'static str = "triple";
    const INPUTS: usize = 3;
    const EXAMPLES: &'static [Self] = &[Triple];

    fn forward(&self, x: &[&Tensor]) -> Tensor {
        x[0] * x[1] * x[2]
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>) {
        cx.send(|[a, b, c], _, g| [&g * (b * c), &g * (a * c), if RIGHT { g * (a * b) } else { g * b }]);
    }

    fn reference(&self, x: &[f64], _: &mut Branches<'_>) -> f64 {
        x[0] * x[1] * x[2]
    }
}

#[test]
fn a_light_operation_of_three_inputs_broadcasts() {
    assert_gradcheck!(check_op(&Spec::of::<Triple<true>>()));
    let report = check_op(&Spec::of::<Triple<false>>());
    assert_eq!(verdicts(&report), [Verdict::Pass, Verdict::Pass, Verdict::WrongFormula], "{report}");
    let y =
        Tensor::apply(Triple::<true>, &[&Tensor::ones([2, 1]), &Tensor::full([3], 2.0), &Tensor::from(3.0)]);
    assert_eq!((&y.shape()[..], y.get([1, 2])), (&[2, 3][..], 6.0));
}

#[derive(Clone, Debug)]
struct Unsampled;

impl Pointwise for Unsampled {
    const NAME: &'static str = "unsampled";

    fn forward(&self, x: &[&Tensor]) -> Tensor {
        x[0].clone()
    }

    fn backward<V: Value>(&self, _: &mut Backward<'_, V>) {}

    fn reference(&self, x: &[f64], _: &mut Branches<'_>) -> f64 {
        x[0]
    }
}

#[test]
fn an_operation_without_samples_does_not_pass() {
    let report = check_op(&Spec::of::<Unsampled>());
    assert!(!report.passed() && report.broken[0].starts_with("unsampled declares no samples"), "{report}");
}

/// The sign, with the derivative of `clamp(x, -1, 1)`: declared or not, and right or as that of the identity.
#[derive(Clone, Debug)]
struct Binarize<const DECLARED: bool, const RIGHT: bool>;

impl<const DECLARED: bool, const RIGHT: bool> Pointwise for Binarize<DECLARED, RIGHT> {
    const NAME: &'static str = "binarize";
    const EXAMPLES: &'static [Self] = &[Binarize];

    fn forward(&self, x: &[&Tensor]) -> Tensor {
        x[0].map(|x| if x < 0.0 { -1.0 } else { 1.0 })
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        let inside = x.abs().lt(&x.place().constant(1.0));
        cx.add(0, || if RIGHT { g * inside } else { g });
    }

    fn reference(&self, x: &[f64], branches: &mut Branches<'_>) -> f64 {
        let sign = branches.hold(if x[0] < 0.0 { -1.0 } else { 1.0 });
        match branches.choose(if x[0] < -1.0 {
            0
        } else if x[0] < 1.0 {
            1
        } else {
            2
        }) {
            _ if !DECLARED => sign,
            0 => branches.surrogate(sign, -1.0),
            1 => branches.surrogate(sign, x[0]),
            _ => branches.surrogate(sign, 1.0),
        }
    }
}

#[test]
fn a_declared_surrogate_is_held_to_what_it_declares() {
    let report = check_op(&Spec::of::<Binarize<true, true>>());
    assert!(report.passed(), "{report}");
    let note =
        "the backward of binarize is a surrogate, checked against what it declares, not against its forward";
    assert!(report.notes.iter().any(|n| n == note), "{report}");
    let report = check_op(&Spec::of::<Binarize<true, false>>());
    assert_eq!(verdicts(&report), [Verdict::WrongFormula], "{report}");
    // What declares nothing is held to its forward, and nothing is noted.
    let report = check_op(&Spec::of::<Binarize<false, true>>());
    assert_eq!(verdicts(&report), [Verdict::WrongFormula], "{report}");
    assert_eq!(report.notes.len(), 1, "{report}");
}

#[test]
fn a_function_with_surrogates_passes_with_notes() {
    let x = Tensor::from([0.3, -1.2, 2.6, 0.9]);
    let check = GradCheck { order: 2, ..GradCheck::default() };
    let line = line!() + 2;
    let report = check.function(
        |v| (v[0] * 2.0).tanh().round().straight_through(&v[0].exp()).square() * v[0].reverse_gradient(0.5),
        std::slice::from_ref(&x),
    );
    assert!(report.passed(), "{report}");
    for name in ["straight_through", "scale_gradient"] {
        let start = format!("the backward of {name} at {}:{line} is a surrogate", file!());
        assert_eq!(report.notes.iter().filter(|note| note.starts_with(&start)).count(), 1, "{report}");
    }
    // A wrong rule beside surrogates is found, and they are not to blame.
    let report = gradcheck(
        |v| {
            Var::apply(Cube::<2, 0>, &[&v[0].reverse_gradient(0.5)]).clip_gradient(0.01)
                * v[0].round().straight_through(&v[0])
        },
        &[x],
    );
    assert_eq!(verdicts(&report), [Verdict::WrongFormula], "{report}");
    assert_eq!(report.rows[0].blame.as_ref().unwrap().op, "cube", "{report}");
}

#[test]
fn a_bound_on_gradients_binds_outside_of_checks_alone() {
    fn bounded(x: Var<'_>) -> Var<'_> {
        x.clip_gradient(0.5).square().sum()
    }
    let tape = Tape::new();
    let x = tape.var([0.1, -3.0, f32::NAN, 3.0]);
    let clipped = |g: &Tensor| g.to_vec().map_nan();
    assert_eq!(clipped(&bounded(x).backward()[x]), [0.2, -0.5, 99.0, 0.5]);
    let recorded = bounded(x).grad(&[x])[0].unwrap();
    assert_eq!(clipped(&recorded.value()), [0.2, -0.5, 99.0, 0.5]);
    assert_eq!(recorded.slice(0, 0..2).sum().backward()[x].to_vec()[..2], [0.5, 0.0]); // 2, bounded in its turn; flat where it binds
    let w = Param::new([0.1, -3.0]);
    let report = GradCheck::default().params(&[("w".into(), &w)], &tape, |tape| bounded(tape.param(&w)));
    assert!(report.passed() && report.notes[0].contains("clip_gradient at"), "{report}");
    assert_eq!(bounded(x).backward()[x].get([3]), 0.5); // and again, on the same tape
}

trait MapNan {
    fn map_nan(self) -> Vec<f32>;
}

impl MapNan for Vec<f32> {
    /// NaN as 99, which can be compared.
    fn map_nan(self) -> Vec<f32> {
        self.into_iter().map(|x| if x.is_nan() { 99.0 } else { x }).collect()
    }
}

#[test]
fn a_wrong_bound_is_refused() {
    for most in [-1.0, f32::NAN] {
        let refused = std::panic::catch_unwind(|| Tensor::ones([2]).clip_gradient(most));
        assert!(refused.is_err(), "{most}");
    }
}

#[test]
fn values_of_any_kind_detach() {
    fn half<V: Value>(x: &V) -> V {
        x * x.detach()
    }
    let tape = Tape::new();
    let x = tape.var([3.0, -1.0]);
    assert_eq!(half(&x).sum().backward()[x].to_vec(), [3.0, -1.0]);
    assert_eq!(half(&Tensor::from([3.0, -1.0])).to_vec(), [9.0, 1.0]);
}

/// The light form stays light: the example in the docs, which the doc tests run, has at most 15 lines.
#[test]
fn the_light_form_takes_fifteen_lines() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/custom-ops.md");
    let page = std::fs::read_to_string(page).unwrap();
    let start = page.find("#[derive(Clone, Debug)]\nstruct Cube;").expect("the example");
    let end = start + page[start..].find("\n}\n").expect("its end") + 2;
    let lines = page[start..end].lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 15, "{lines} lines:\n{}", &page[start..end]);
}
