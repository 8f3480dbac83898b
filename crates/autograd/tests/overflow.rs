//! Numbers on the way that f32 cannot hold, of functions that are finite again: told with operation and line where they change the
//! function, and no matter where they are masked, by infinities that are meant or by what follows.

use gradus_autograd::{
    check::{Report, Verdict, gradcheck},
    prelude::*,
};

type Formula = for<'t> fn(&[Var<'t>]) -> Var<'t>;

fn check(f: Formula, x: impl Into<Tensor>) -> Report {
    gradcheck(f, &[x.into()])
}

#[test]
fn what_overflows_and_matters_does_not_pass() {
    let cases: [(&str, Formula, Tensor, &str); 7] = [
        // 1/e^100 is 3.7e-44 and not 0.
        ("reciprocal", |v| v[0].exp().reciprocal() * 1e30, Tensor::from([100.0, 1.0]), "exp"),
        // 1e38 / e^90 is 0.08 and not 0.
        ("quotient", |v| (v[0].exp() + 1.0).reciprocal() * 1e38, Tensor::from([90.0]), "exp"),
        // A square of 1e40 under a root is 1e20.
        ("square", |v| (v[0].square() + 1.0).rsqrt(), Tensor::from([1e20]), "square"),
        ("product", |v| (v[0] * 1e30 * 1e-35 * 1e-5).tanh(), Tensor::from([1e10]), "mul_scalar"),
        ("sum of squares", |v| v[0].square().sum().rsqrt() * v[0], Tensor::from([3e19, 4e19]), "square"),
        (
            "softmax by hand",
            |v| v[0].exp().sum().reciprocal() * 1e38,
            Tensor::from([88.0, 88.5, 88.0]),
            "sum",
        ),
        ("power", |v| v[0].powf(9.0).log1p().reciprocal(), Tensor::from([1e5]), "powf"),
    ];
    for (name, f, x, operation) in cases {
        let report = check(f, x);
        assert!(!report.passed(), "{name}: {report}");
        let row = &report.rows[0];
        assert_eq!(row.verdict, Verdict::Overflow, "{name}: {report}");
        let blame = row.blame.as_ref().unwrap_or_else(|| panic!("{name}: {report}"));
        assert!(blame.op.contains(operation) && blame.line.contains(file!()), "{name}: {blame}");
        assert!(
            blame.found.is_infinite() && blame.right.abs() > 3.4e38 && blame.right.is_finite(),
            "{blame}"
        );
    }
}

#[test]
fn what_is_masked_or_saturates_passes() {
    let cases: [(&str, Formula, Tensor); 6] = [
        // An infinity that is meant.
        (
            "masked softmax",
            |v| v[0].masked_fill(&v[0].is_positive(), f32::NEG_INFINITY).softmax(-1).square(),
            Tensor::from([[-0.5, 1.0, -0.25, -2.0]]),
        ),
        // Beyond what they can hold they are as flat as in f64.
        ("tanh", |v| (v[0] * 1e30 * v[0]).tanh(), Tensor::from([1e10])),
        (
            "a bound",
            |v| (v[0].square() * 1e10).minimum(&v[0].place().constant(Tensor::from([5.0]))),
            Tensor::from([1e15]),
        ),
        ("sigmoid", |v| (v[0] * 1e30).sigmoid(), Tensor::from([1e10])),
        ("log of a sum", |v| v[0].logsumexp(), Tensor::from([100.0, 101.0])),
        ("softplus", |v| v[0].softplus(), Tensor::from([100.0])),
    ];
    for (name, f, x) in cases {
        let report = check(f, x);
        assert!(report.passed(), "{name}: {report}");
    }
}

#[test]
fn only_what_lies_behind_the_overflow_fails() {
    let report = gradcheck(
        |v| (v[0].exp().reciprocal() * 1e30).sum() + v[1].square().sum(),
        &[Tensor::from([100.0]), Tensor::from([1.5, 2.0])],
    );
    let verdicts: Vec<Verdict> = report.rows.iter().map(|row| row.verdict).collect();
    assert_eq!(verdicts, [Verdict::Overflow, Verdict::Pass], "{report}");
    let text = report.to_string();
    assert!(text.contains("OVERFLOW") && text.contains("inf for 2.688117e43"), "{text}");
}

#[test]
fn weights_that_meet_what_overflowed_fail_by_it() {
    // Their gradient is 1e30 / e^100, and 0 in f32.
    let report = gradcheck(
        |v| (v[0].exp().reciprocal() * 1e30) * v[1] + 1.0,
        &[Tensor::from([100.0]), Tensor::from([0.5])],
    );
    let row = &report.rows[1];
    assert_eq!(row.verdict, Verdict::Overflow, "{report}");
    let blame = row.blame.as_ref().unwrap_or_else(|| panic!("{report}"));
    assert!(blame.op == "exp" && blame.found.is_infinite(), "{blame}");
}
