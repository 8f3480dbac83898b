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

#[test]
#[ignore = "debug"]
fn debug_ops() {
    for seed in 0..3 {
        for spec in ops::ALL {
            let start = std::time::Instant::now();
            let report = GradCheck { seed, ..GradCheck::default() }.operation(spec);
            let took = start.elapsed().as_secs_f64();
            if took > 1.0 {
                println!("SLOW {} {took:.2}", spec.name);
            }
            if !report.passed() {
                println!("FAILED {} seed {seed}", spec.name);
                for b in &report.broken {
                    println!("   {}", b.chars().take(700).collect::<String>().replace('\n', " "));
                }
                if report.failures().next().is_some() {
                    println!("{report}");
                }
            }
        }
    }
}
