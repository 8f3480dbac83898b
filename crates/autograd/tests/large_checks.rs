//! Computations too large to move each input by itself are checked by operations.
//!
//! `cargo test --release -p gradus-autograd --test suite large_checks:: -- --ignored`

use crate::{common::crooked::Crooked, numbers::normal};
use gradus_autograd::{
    check::{GradCheck, Report, Verdict},
    prelude::*,
};

/// Two layers, with a crooked square between them if `factor` is not 1.
fn check(factor: f32) -> Report {
    let inputs = [normal(1, [64, 512]), normal(2, [512, 512]) * 0.05, normal(3, [512, 512]) * 0.05];
    let crooked = Crooked { factor, only: None, fused: false };
    GradCheck::default().function(
        |v| {
            let hidden = Var::apply(crooked.clone(), &[&v[0].matmul(&v[1]).tanh()]);
            hidden.matmul(&v[2]).tanh().mean()
        },
        &inputs,
    )
}

#[test]
#[ignore = "it is long without optimisation"]
fn a_large_computation_is_checked_by_operations() {
    let report = check(1.0);
    assert!(report.passed(), "{report}");
    let operations: Vec<usize> = report.rows.iter().map(|row| row.operations).collect();
    // A mean is a sum and a division.
    assert_eq!(operations, [7, 7, 4], "{report}");
    assert!(report.rows.iter().all(|row| row.differenced == 0 && row.directions > 0), "{report}");
    assert!(report.notes.iter().any(|note| note.starts_with("checked by operations: 7 of them")), "{report}");
}

/// What lies in front of the wrong rule is wrong; what lies behind it is not.
#[test]
#[ignore = "it is long without optimisation"]
fn a_wrong_rule_in_a_large_computation_is_found_with_its_place() {
    let report = check(1.0001);
    let verdicts: Vec<Verdict> = report.rows.iter().map(|row| row.verdict).collect();
    assert_eq!(verdicts, [Verdict::WrongFormula, Verdict::WrongFormula, Verdict::Pass], "{report}");
    for row in &report.rows[..2] {
        let blame = row.blame.as_ref().expect("an operation to blame");
        assert_eq!((blame.op, blame.input), ("crooked", Some(0)), "{report}");
        assert!(blame.line.contains("large_checks.rs"), "{report}");
    }
}
