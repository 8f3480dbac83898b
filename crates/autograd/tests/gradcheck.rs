//! The gradient check: passes what is right, and names what is wrong.

use crate::common;

use common::crooked::Crooked;
use gradus_autograd::{
    check::{Differencing, GradCheck, Verdict, gradcheck, numerical_gradient},
    prelude::*,
};

#[test]
fn right_gradients_pass() {
    let mut rng = Rng::seed(1);
    let inputs =
        [Tensor::randn([4, 6], &mut rng), Tensor::randn([6, 3], &mut rng), Tensor::randn([3], &mut rng)];
    let report = gradcheck(|v| (v[0].matmul(&v[1]) + v[2]).tanh().square().mean(), &inputs);
    assert!(report.passed(), "{report}");
    assert_eq!(report.rows.len(), 3);
    assert!(report.rows.iter().all(|row| row.error <= 1e-5));
}

#[test]
fn a_rule_wrong_by_a_permille_is_named_with_parameter_and_index() {
    let mut rng = Rng::seed(2);
    let good = Param::new(Tensor::randn([8, 8], &mut rng));
    let bad = Param::new(Tensor::randn([40, 40], &mut rng));
    let params = [("good".to_string(), &good), ("layer.bad".to_string(), &bad)];
    let run = |crooked: Crooked| {
        let tape = Tape::new();
        GradCheck::default().params(&params, &tape, |tape| {
            let y = Var::apply(crooked.clone(), &[&tape.param(&bad)]);
            y.mean() + tape.param(&good).square().mean()
        })
    };

    let report = run(Crooked { factor: 1.0, only: None, fused: false });
    assert!(report.passed(), "{report}");

    // Everywhere, in the rule of record.
    let report = run(Crooked { factor: 1.001, only: None, fused: false });
    let failures: Vec<_> = report.failures().collect();
    assert_eq!((failures.len(), &failures[0].name[..]), (1, "layer.bad"), "{report}");
    assert_eq!(failures[0].verdict, Verdict::WrongFormula);

    // In one element of 1600, found by halving a direction.
    let report = run(Crooked { factor: 1.001, only: Some(777), fused: false });
    let failure = report.failures().next().expect("the fault is seen");
    assert_eq!((&failure.name[..], &failure.worst[..]), ("layer.bad", &[777 / 40, 777 % 40][..]), "{report}");

    // Only in the fused rule, which training uses.
    let report = run(Crooked { factor: 1.001, only: Some(1234), fused: true });
    let failure = report.failures().next().expect("the fault is seen");
    assert_eq!(failure.verdict, Verdict::PoorPrecision, "{report}");
    assert_eq!(
        (&failure.name[..], &failure.worst[..]),
        ("layer.bad", &[1234 / 40, 1234 % 40][..]),
        "{report}"
    );
}

#[test]
fn an_input_without_gradient_is_no_pass() {
    let report = gradcheck(|v| v[0].square().sum(), &[Tensor::from([1.0, 2.0]), Tensor::from([3.0])]);
    assert_eq!(report.rows[0].verdict, Verdict::Pass);
    assert_eq!(report.rows[1].verdict, Verdict::NoGradient);
    assert!(!report.passed());
}

#[test]
fn kinks_and_ties_do_not_alarm() {
    // At 0 and at equal maxima the branches of the recorded f32 values hold on both sides.
    let report = gradcheck(
        |v| v[0].relu() + v[0].max() * v[1],
        &[Tensor::from([0.5, -1.0, 2.0, 2.0]), Tensor::from([1.0])],
    );
    assert!(report.passed(), "{report}");
}

#[test]
fn numerical_differentiation_the_books_way() {
    let f = |x: &Tensor| 0.01 * x.item() * x.item() + 0.1 * x.item();
    for (x, slope) in [(5.0, 0.2), (10.0, 0.3)] {
        let found = numerical_gradient(f, &Tensor::scalar(x), 1e-2).item();
        assert!((found - slope).abs() < 1e-4, "{found}");
    }
    let x = Tensor::from([3.0, 4.0]);
    let found = numerical_gradient(|x| x.square().sum().item(), &x, 1e-2);
    assert!((found.get([0]) - 6.0).abs() < 2e-3 && (found.get([1]) - 8.0).abs() < 2e-3, "{found}");
}

#[test]
fn a_step_that_leads_nowhere_is_refused() {
    let message = |f: &dyn Fn()| {
        let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_err();
        *payload.downcast::<String>().unwrap()
    };
    let x = Tensor::scalar(1.0);
    for h in [0.0, -0.5, f32::NAN, f32::INFINITY] {
        let said = message(&|| drop(numerical_gradient(|x| x.item(), &x, h)));
        assert_eq!(said, format!("numerical gradient: the step must be positive and finite, not {h}"));
        for formula in Differencing::ALL {
            let said = message(&|| drop(formula.gradient(|x| x.item(), &x, h)));
            assert!(said.starts_with("numerical gradient: the step"), "{said}");
            let said = message(&|| drop(formula.gradient_f64(|x| x.square(), &x, h.into())));
            assert!(said.starts_with("numerical gradient: the step"), "{said}");
        }
    }
}
