//! Random programs: their right gradients are never called wrong, and hardly ever left undecided; planted errors are found.

use crate::support;

use gradus_check::{Check, Place, Verdict};
use support::{Dual, Function, Random, c, gradient, value};

/// Instructions of which each takes two of the values before it.
fn program(random: &mut Random, variables: usize) -> Function {
    let count = 2 + random.below(10);
    let instructions: Vec<(usize, usize, usize, f64)> = (0..count)
        .map(|k| {
            (random.below(16), random.below(variables + k), random.below(variables + k), random.number())
        })
        .collect();
    Box::new(move |x| {
        let mut values = x.to_vec();
        for &(operation, a, b, number) in &instructions {
            let (a, b) = (values[a], values[b]);
            values.push(match operation {
                0 => a + b,
                1 => a * b,
                2 => a / (b * b + 0.1),
                3 => a.sin(),
                4 => a.tanh(),
                5 => (a * a + 1e-3).ln(),
                6 => (a * a + b * b + 1e-6).sqrt(),
                7 => a.max(b),
                8 => a.relu() - b,
                9 => a.abs() * b,
                10 => a * number,
                11 => a + number,
                12 => (-(a * a)).exp() + b,
                13 => a.powi(3) - b,
                14 => a - b * number,
                _ => c(1.0) / ((-a).exp() + 1.0) * b,
            });
        }
        // What swallows all other terms, and is taken away again, leaves another function than the one that was written.
        if values.iter().any(|value| value.v.abs() > 1e12) {
            return c(f64::NAN);
        }
        // Something of everything, so that no variable is left out.
        values.iter().skip(x.len()).fold(x[0] * 0.1, |sum: Dual, &value| sum + value * 0.3)
    })
}

#[test]
fn right_gradients_of_random_programs_pass_and_errors_are_found() {
    let mut random = Random(2026);
    let (mut undecided, mut planted, mut unsure, mut checked) = (Vec::new(), 0, 0, 0);
    for number in 0..3000 {
        let variables = 1 + random.below(6);
        let f = program(&mut random, variables);
        let x: Vec<f64> = (0..variables).map(|_| random.number()).collect();
        let right = gradient(&f, &x);
        if !value(&f, &x).is_finite() || right.iter().any(|g| !g.is_finite()) {
            continue;
        }
        checked += 1;
        let check = |given: &[f64]| Check::default().gradient(|x| value(&f, x), &x, given);
        let report = check(&right);
        assert_ne!(report.verdict, Verdict::Wrong, "program {number} at {x:?}: {report}");
        if !report.passed() {
            undecided.push(format!("program {number} at {x:?}: {report}"));
            continue;
        }
        let at = random.below(variables);
        let finding = report.findings.iter().find(|f| f.place == Place::Element(vec![at]));
        let bar = finding.map_or(f64::INFINITY, |f| f.judgement.estimate.error);
        let mut wrong = right.clone();
        wrong[at] *= [1.0 + 1e-6, 1.01, -1.0, 0.0][number % 4];
        if (wrong[at] - right[at]).abs() > 2.0 * bar && report.verdict == Verdict::Pass {
            planted += 1;
            let report = check(&wrong);
            let again = report.findings.iter().find(|f| f.place == Place::Element(vec![at]));
            let bar = again.map_or(0.0, |f| f.judgement.estimate.error);
            let is_found = report.verdict == Verdict::Wrong || (wrong[at] - right[at]).abs() <= 2.0 * bar;
            // The other failures are those of functions whose rounding hides the variable, unless it moves far.
            unsure += usize::from(!is_found && !report.passed());
            assert!(
                is_found || !report.passed(),
                "program {number} at {x:?}, {} for {}: {report}",
                wrong[at],
                right[at]
            );
        }
    }
    assert!(undecided.len() <= checked / 500, "{} of {checked}\n{}", undecided.len(), undecided.join("\n\n"));
    assert!(unsure <= planted / 200, "{unsure} of {planted}");
    assert!(checked > 2500 && planted > 2000, "{checked} checked, {planted} planted");
}
