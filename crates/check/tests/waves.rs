//! Waves of very many periods between 0 and the variable, whose slope may be tiny beside their values: right gradients are never
//! called wrong, and wrong ones are found where rounding leaves enough of the wave.

use crate::support::{Dual, Random, c};
use gradus_check::{Check, Verdict};

type Wave = (&'static str, fn(Dual) -> Dual);

const WAVES: [Wave; 20] = [
    ("sin", |x| x.sin()),
    ("tan", |x| x.sin() / x.cos()),
    ("sin over x", |x| x.sin() / x),
    ("cos over x", |x| x.cos() / x),
    ("sin over x²", |x| x.sin() / x / x),
    ("sin over x³", |x| x.sin() / x / x / x),
    ("x sin", |x| x * x.sin()),
    ("small sin beside 1", |x| x.sin() * 1e-7 + 1.0),
    ("sin beside x", |x| x.sin() + x),
    ("square of sin", |x| x.sin().powi(2)),
    ("sin of the square", |x| (x * x).sin()),
    ("sin of the root", |x| x.sqrt().sin()),
    ("chirp", |x| (x * x.ln()).sin()),
    ("beat", |x| x.sin() * (x * 1.01).sin()),
    ("difference of near waves", |x| x.sin() - (x * 1.0001).sin()),
    ("fading", |x| (x * -1e-5).exp() * (x * 3.0).sin()),
    ("wave of a wave", |x| (x.sin() * 5.0).sin()),
    ("logarithm of a wave", |x| (x.sin() + 2.0).ln()),
    ("exponential of a wave over x", |x| x.sin().exp() / x),
    ("resonance", |x| c(1.0) / (x.sin().powi(2) + 1e-2)),
];

/// What is added to a wave of one variable: nothing, or the same of an ordinary variable, times this.
const BESIDE: [f64; 4] = [0.0, 1.0, 1e3, 1e-3];
const SIZES: [f64; 6] = [30.0, 4096.0, 65_536.0, 1e6, 1.7e7, 1e9];
/// What wrong gradients are multiplied with.
const FACTORS: [f64; 4] = [-1.0, 1.001, 1.0001, 1.000_001];

fn check_waves(points: usize) {
    let (mut random, mut alarms) = (Random(65_536), Vec::new());
    let (mut checked, mut undecided, mut planted, mut found) = (0, 0, [0; FACTORS.len()], [0; FACTORS.len()]);
    for point in 0..points {
        let (name, f) = WAVES[point % WAVES.len()];
        let beside = BESIDE[random.below(BESIDE.len())];
        let size = SIZES[random.below(SIZES.len())];
        // In f32, so that differences of the variable's neighbours are exact.
        let x = [f64::from((size * (0.7 + 0.6 * random.unit())) as f32), 0.3 + 2.0 * random.unit()];
        let value = |x: &[f64]| match beside {
            0.0 => f(c(x[0])).v,
            _ => f(c(x[0])).v + beside * f(c(x[1])).v,
        };
        let slope = |x: f64| f(Dual { v: x, d: 1.0 }).d;
        let right = [slope(x[0]), beside * slope(x[1])];
        if !value(&x).is_finite() || right.iter().any(|g| !g.is_finite()) {
            continue;
        }
        checked += 1;
        let of = |given: [f64; 2]| Check::default().gradient(value, &x, given);
        let report = of(right);
        if report.verdict == Verdict::Wrong {
            alarms.push(format!("{name} beside {beside} at {x:?}: {report}"));
        }
        undecided += usize::from(!report.passed());
        if point % 5 == 0 && report.verdict == Verdict::Pass && size <= 1e6 {
            let k = random.below(FACTORS.len());
            planted[k] += 1;
            found[k] += usize::from(of([right[0] * FACTORS[k], right[1]]).verdict == Verdict::Wrong);
        }
    }
    assert!(alarms.is_empty(), "{} of {checked} called wrong\n{}", alarms.len(), alarms.join("\n"));
    // Of a wave that rounding covers nothing can be said.
    assert!(checked > points * 9 / 10 && undecided < checked / 3, "{undecided} of {checked}");
    let least = [0.95, 0.7, 0.6, 0.3];
    for k in 0..FACTORS.len() {
        let share = found[k] as f64 / planted[k] as f64;
        assert!(share >= least[k], "{} times: {} of {}", FACTORS[k], found[k], planted[k]);
    }
}

#[test]
fn no_wave_raises_an_alarm() {
    check_waves(1500);
}

/// `cargo test --release -p gradus-check --test suite waves:: -- --ignored`
#[test]
#[ignore = "it is long"]
fn no_wave_raises_an_alarm_at_forty_thousand_points() {
    check_waves(40_000);
}
