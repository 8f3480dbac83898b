//! Every operation of the list passes the check that a user has for one of his own, whatever the seed.

use gradus_autograd::{check::GradCheck, ops};

/// Seed 0 is that of `check_op`.
#[test]
fn every_operation_passes_its_own_check_with_any_seed() {
    let mut failed = Vec::new();
    for seed in 0..3 {
        for spec in ops::ALL {
            let report = GradCheck { seed, ..GradCheck::default() }.operation(spec);
            if !report.passed() {
                failed.push(format!("{} with seed {seed}\n{report}", spec.name));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}
