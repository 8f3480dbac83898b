//! How far every elementary function is from the true value, on every instruction set that this processor has.
//!
//! The normal run takes every 997th bit pattern and the neighbourhoods of all special places; the ignored tests take all
//! 2³² inputs:
//! `cargo test --release -p gradus-tensor --test accuracy -- --ignored --nocapture --test-threads 1`

use gradus_tensor::Isa;
use gradus_tensor::kernels::functions::*;
use gradus_tensor::kernels::map::map;
use rayon::prelude::*;

mod reference;

/// A function, what it should be, and how far it may be off, in ulps.
struct Case {
    name: &'static str,
    run: fn(Isa, &[f32], &mut [f32]),
    reference: fn(f64) -> f64,
    bound: f64,
    /// Places where the function or its computation changes character.
    special: &'static [f32],
}

macro_rules! case {
    ($f:expr, $reference:expr, $bound:expr, $special:expr) => {
        Case {
            name: stringify!($f),
            run: |isa, x, out| map(isa, $f, x, out),
            reference: $reference,
            bound: $bound,
            special: &$special,
        }
    };
}

/// Every function but those of two arguments.
static CASES: &[Case] = &[
    case!(Exp, f64::exp, 2.0, [88.722839, -87.33655, -103.97208, -103.27893, 89.0, -120.0]),
    case!(Exp2, f64::exp2, 4.0, [128.0, -126.0, -149.0, -150.0, 130.0, -152.0]),
    case!(Expm1, f64::exp_m1, 4.0, [88.722839, -17.328679, -20.0, 89.0]),
    case!(Log, f64::ln, 2.0, [1.5, 0.75, f32::MIN_POSITIVE]),
    case!(Tanh, f64::tanh, 4.0, [9.02, -9.02]),
    case!(Sigmoid, reference::sigmoid, 4.0, [-87.33655, -103.97208, 16.635532]),
    case!(Sqrt, f64::sqrt, 0.5, []),
    case!(Relu, |x| if x < 0.0 { 0.0 } else { x }, 0.0, []),
    case!(Abs, f64::abs, 0.0, []),
    case!(Floor, f64::floor, 0.0, [8388608.0, 4194304.0]),
    case!(Ceil, f64::ceil, 0.0, [8388608.0, 4194304.0]),
    case!(Round, f64::round_ties_even, 0.0, [8388608.0, 4194304.0, 0.5, 1.5, 2.5]),
    case!(Trunc, f64::trunc, 0.0, [8388608.0, 4194304.0]),
];

/// The distance of `got` from `want`, in units of the spacing of f32 at `want`; infinite where the kind of number is wrong:
/// NaN or the sign of zero.
fn ulps(got: f32, want: f64) -> f64 {
    if want.is_nan() || got.is_nan() {
        return if want.is_nan() && got.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if want == 0.0 || want.is_infinite() || got == want as f32 {
        let same = got == want as f32 && got.is_sign_negative() == want.is_sign_negative();
        return if same { 0f64.max(distance(got, want)) } else { f64::INFINITY };
    }
    if got.is_sign_negative() != want.is_sign_negative() {
        return f64::INFINITY;
    }
    distance(got, want)
}

fn distance(got: f32, want: f64) -> f64 {
    if want.is_infinite() || want == 0.0 {
        return 0.0;
    }
    if got.is_infinite() && (want as f32).is_infinite() {
        return 0.0;
    }
    // Where only one of them overflows, infinity counts as the next number after the greatest.
    let got = if got.is_infinite() { 2f64.powi(128).copysign(got as f64) } else { f64::from(got) };
    let exponent = ((want.abs().to_bits() >> 52) as i32 - 1023).clamp(-126, 127);
    (got - want).abs() / 2f64.powi(exponent - 23)
}

/// The worst error over some inputs, and where it is.
#[derive(Clone, Copy)]
struct Worst {
    ulps: f64,
    input: f32,
    got: f32,
}

const NONE: Worst = Worst { ulps: -1.0, input: 0.0, got: 0.0 };

impl Worst {
    fn or(self, other: Worst) -> Worst {
        if other.ulps > self.ulps { other } else { self }
    }
}

/// The worst error of a case over the given inputs on each instruction set.
fn worst(case: &Case, isas: &[Isa], inputs: &[f32]) -> Vec<Worst> {
    let want: Vec<f64> = inputs.iter().map(|&x| (case.reference)(f64::from(x))).collect();
    let mut got = vec![0.0; inputs.len()];
    let mut all = Vec::new();
    for &isa in isas {
        (case.run)(isa, inputs, &mut got);
        let mut worst = NONE;
        for i in 0..inputs.len() {
            worst = worst.or(Worst { ulps: ulps(got[i], want[i]), input: inputs[i], got: got[i] });
        }
        all.push(worst);
    }
    all
}

fn isas() -> Vec<Isa> {
    [Isa::Portable, Isa::Avx2, Isa::Avx512].into_iter().filter(|&isa| isa <= Isa::detect()).collect()
}

/// Every 997th bit pattern, and 400 neighbours of every special place.
fn sample(special: &[f32]) -> Vec<f32> {
    let mut inputs: Vec<f32> = (0..=u32::MAX).step_by(997).map(f32::from_bits).collect();
    let everywhere =
        [0.0, -0.0, 1.0, -1.0, f32::MIN_POSITIVE, f32::MAX, f32::MIN, f32::INFINITY, -f32::INFINITY];
    for &place in everywhere.iter().chain(special) {
        for place in [place, -place] {
            inputs.extend(
                (0..400u32).map(|i| f32::from_bits(place.to_bits().wrapping_add(i).wrapping_sub(200))),
            );
        }
    }
    inputs
}

fn check(case: &Case, isas: &[Isa], all: &[Worst]) -> Vec<String> {
    let mut failures = Vec::new();
    for (isa, worst) in isas.iter().zip(all) {
        if worst.ulps > case.bound {
            failures.push(format!(
                "{} on {isa:?}: {:.3} ulp at {:e} ({:#010x}): got {:e}, want {:e}; the bound is {}",
                case.name,
                worst.ulps,
                worst.input,
                worst.input.to_bits(),
                worst.got,
                (case.reference)(f64::from(worst.input)),
                case.bound
            ));
        }
    }
    failures
}

#[test]
fn every_function_is_within_its_bound_on_a_sample() {
    let isas = isas();
    let mut failures: Vec<String> = Vec::new();
    for case in CASES {
        let inputs = sample(case.special);
        let all = inputs
            .par_chunks(1 << 14)
            .map(|inputs| worst(case, &isas, inputs))
            .reduce(|| vec![NONE; isas.len()], |a, b| a.iter().zip(b).map(|(a, b)| a.or(b)).collect());
        eprintln!(
            "{:40} {}",
            case.name,
            all.iter().map(|w| format!("{:.3} at {:e}", w.ulps, w.input)).collect::<Vec<_>>().join("  ")
        );
        failures.extend(check(case, &isas, &all));
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
