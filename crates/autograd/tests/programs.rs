//! No false alarm: random programs, kinks and ties included, pass the gradient check; and gradients known in closed form.

use crate::common::alarms::Unsure;
use gradus_autograd::{
    check::{GradCheck, Report, Row, Verdict, gradcheck},
    prelude::*,
};
use std::ops::Range;

const OPERATIONS: usize = 34;

/// A random program over values of shape [3, 4]: by step, the operation and the earlier values that it takes.
struct Program(Vec<(usize, usize, usize)>);

impl Program {
    fn new(inputs: usize, steps: usize, rng: &mut Rng) -> Program {
        Program(
            (0..steps)
                .map(|k| (rng.below(OPERATIONS), rng.below(inputs + k), rng.below(inputs + k)))
                .collect(),
        )
    }

    fn run<'t>(&self, inputs: &[Var<'t>]) -> Var<'t> {
        let mut values = inputs.to_vec();
        for &(op, a, b) in &self.0 {
            let (a, b) = (values[a], values[b]);
            values.push(match op {
                0 => a + b,
                1 => a - b * 0.5,
                2 => (a * b).tanh(),
                3 => a / (b.square() + 1.0),
                4 => a.tanh(),
                5 => a.sigmoid(),
                6 => a.relu(),
                7 => a.abs() - 0.5,
                8 => a.sin(),
                9 => (-a.square()).exp(),
                10 => (a.square() + 0.1).sqrt(),
                11 => (a.abs() + 1.0).log(),
                12 => a.softmax(-1) * b,
                13 => a - a.max_axes(-1, true),
                14 => a.min_axes(0, true) + b,
                15 => a.maximum(&b),
                16 => a.minimum(&b) + 0.1,
                17 => a.clamp(-0.5, 0.5),
                18 => (a.matmul(&b.t()) * 0.3).tanh().matmul(&a) * 0.3,
                19 => a + b.sum_axes(0, true) * 0.2,
                20 => Var::concat(&[&a.slice(1, 2..4), &b.slice(1, ..2)], 1),
                21 => a.is_positive().select_where(&a, &(b * 0.3)),
                22 => a.cumsum(1) * 0.3,
                23 => a.softmax(-1).sum_axes(-1, true) * 0.5 + b,
                24 => {
                    let masked =
                        a.slice(1, 1..).masked_fill(&b.slice(1, 1..).is_positive(), f32::NEG_INFINITY);
                    Var::concat(&[&a.slice(1, ..1), &masked], 1).softmax(-1)
                }
                25 => (a - a.mean_axes(0, true)) / (a.var_axes(0, 0, true) + 0.1).sqrt(),
                26 => (a - 3.0).relu() + b * 1e-3,
                27 => a * 0.0 + b,
                28 => a.square() * 1e-6 + b,
                29 => (a * 1e3).tanh() + b,
                30 => a / (a.square().sum_axes(1, true) + 1e-18).sqrt(),
                31 => (0..12).fold(a, |h, _| (h * 0.3 + b * 0.1).tanh()),
                32 => a + 1e3,
                _ => a.leaky_relu(0.1) - a.var_axes(1, 0, true),
            });
        }
        let last = values[values.len() - 1];
        last + values[values.len() / 2] * 0.1
    }
}

/// The program of a seed, of so many operations, and its inputs, of which many are zero or equal, and some huge or tiny.
fn drawn(seed: u64, operations: Range<usize>) -> (Program, Vec<Tensor>) {
    let mut rng = Rng::seed(seed);
    let inputs: Vec<Tensor> = (0..1 + rng.below(3))
        .map(|_| {
            let x = Tensor::randn([3, 4], &mut rng);
            // Halves, so that programs stand on kinks and among ties.
            let x = if rng.below(2) == 0 { x.map(|x| (x * 2.0).round() / 2.0) } else { x };
            if rng.below(4) == 0 { x * 10f32.powi(rng.below(13) as i32 - 6) } else { x }
        })
        .collect();
    let steps = operations.start + rng.below(operations.len());
    (Program::new(inputs.len(), steps, &mut rng), inputs)
}

fn check(seed: u64, operations: Range<usize>) -> Report {
    let (program, inputs) = drawn(seed, operations);
    GradCheck { seed, ..GradCheck::default() }.function(|v| program.run(v), &inputs)
}

/// By input, whether the output of the program of a seed depends on it, as the tape has it.
fn is_used(seed: u64, operations: Range<usize>) -> Vec<bool> {
    let (program, inputs) = drawn(seed, operations);
    let tape = Tape::new();
    let vars: Vec<Var<'_>> = inputs.iter().map(|x| tape.var(x)).collect();
    program.run(&vars).sum().grad(&vars).iter().map(Option::is_some).collect()
}

/// No alarm: nothing wrong, nothing lost that is used; and in at most one of a thousand programs a gradient that nothing can be said of.
fn no_alarms(seeds: Range<u64>) {
    let (mut crossed, mut unsure) = (0, Unsure::default());
    for seed in seeds.clone() {
        let report = check(seed, 2..14);
        crossed += report.rows.iter().map(|row| row.crossed).sum::<usize>();
        let used = is_used(seed, 2..14);
        unsure.add(&format!("seed {seed}"), &report, |k| !used[k], || false);
    }
    let programs = (seeds.end - seeds.start) as usize;
    assert!(crossed > programs, "{crossed} kinks in {programs}");
    unsure.check(programs);
}

#[test]
fn no_alarm_in_random_programs() {
    no_alarms(0..400);
}

/// Programs with infinities, of masks, on the way: differences of the whole cannot tell, and operations cannot be checked at an
/// infinity. With others in place of those they are right, and so is the whole.
#[test]
fn masks_do_not_keep_the_chain_rule_from_deciding() {
    for seed in [1720, 2709, 4399, 20_213] {
        let report = check(seed, 2..14);
        let is_unsure = |row: &Row| matches!(row.verdict, Verdict::Inconclusive | Verdict::Noisy);
        assert!(!report.rows.iter().any(is_unsure), "seed {seed}: {report}");
    }
}

/// Up to 40 operations, any earlier value as operand, most values unused in the end: the swept gradient is that of the f64
/// replay, as closely as the rounding of the operations lets it be, and that is the derivative by differences.
#[test]
fn long_programs_agree_with_the_replay() {
    let (mut compared, mut large) = (0, 0);
    for seed in 20_000..20_120 {
        let report = check(seed, 1..41);
        for row in &report.rows {
            let fine = row.verdict == Verdict::NoGradient || row.verdict.is_fine();
            assert!(fine, "seed {seed}: {report}");
            compared += usize::from(row.verdict != Verdict::NoGradient);
            // The digits that a long formula cancels are not the rules' fault: the check notes them.
            large += usize::from(row.note.is_some());
        }
        assert!(report.broken.is_empty(), "seed {seed}: {report}");
    }
    assert!(compared > 100 && large < compared / 4, "{compared} gradients, {large} of them cancelled");
}

/// `cargo test --release -p gradus-autograd --test suite programs:: -- --ignored`
#[test]
#[ignore = "it is long"]
fn no_alarm_in_twenty_thousand_random_programs() {
    no_alarms(1_000..21_000);
}

#[test]
fn closed_forms() {
    // By formula: rule and differences both.
    let known = |f: fn(Var<'_>) -> Var<'_>, x: f64, slope: f64| {
        let report = gradcheck(|v| f(v[0]), &[Tensor::scalar(x as f32)]);
        let row = &report.rows[0];
        assert!(report.passed(), "{report}");
        assert!((row.judgement.given - slope).abs() <= 1e-12 * slope.abs(), "{report}");
        assert!((row.judgement.estimate.value - slope).abs() <= row.judgement.estimate.error, "{report}");
    };
    known(|x| x.exp(), 1.5, 1.5f64.exp());
    known(|x| x.sin() * x, 0.75, 0.75 * 0.75f64.cos() + 0.75f64.sin());
    known(|x| x.tanh(), 0.5, 1.0 - 0.5f64.tanh().powi(2));
    known(|x| x.log(), 0.25, 4.0);
    known(|x| x.sqrt(), 2.25, 1.0 / 3.0);
    known(|x| c(1.0) / (x.square() + 1.0), 2.0, -4.0 / 25.0);
    known(|x| x * x * x - x * 2.0, 3.0, 25.0);
}
