//! How far every elementary function is from the true value, on every instruction set that this processor has.
//!
//! The normal run takes every 997th bit pattern and the neighbourhoods of all special places; the ignored tests take all
//! 2³² inputs:
//! `cargo test --release -p gradus-tensor --test suite accuracy -- --ignored --nocapture --test-threads 1`

use gradus_tensor::Isa;
use gradus_tensor::functions::*;
use gradus_tensor::kernels::map::{map, zip};
use rayon::prelude::*;
use std::f32::consts::{FRAC_PI_2, FRAC_PI_4, PI, TAU};

use crate::reference;

/// A function, what it should be, and how far it may be off, in ulps.
struct Case {
    name: &'static str,
    run: fn(Isa, &[f32], &mut [f32]),
    reference: fn(f64) -> f64,
    bound: f64,
    /// Places where the function or its computation changes character.
    special: &'static [f32],
}

/// Declares the table of cases, and for each a test over all inputs.
macro_rules! cases {
    ($($test:ident: $f:expr, $reference:expr, $bound:expr, $special:expr;)*) => {
        /// Every function of one argument.
        static CASES: &[Case] = &[$(Case {
            name: stringify!($f),
            run: |isa, x, out| map(isa, $f, x, out),
            reference: $reference,
            bound: $bound,
            special: &$special,
        }),*];

        mod all_inputs {
            $(
                #[test]
                #[ignore = "takes about a minute"]
                fn $test() {
                    super::check_all_inputs(super::CASES.iter().find(|case| case.name == stringify!($f)).unwrap());
                }
            )*
        }
    };
}

cases! {
    exp: Exp, f64::exp, 1.1, [88.72284, -87.33655, -103.97208, -103.27893, 89.0, -120.0];
    exp2: Exp2, f64::exp2, 1.2, [128.0, -126.0, -149.0, -150.0, 130.0, -152.0];
    expm1: Expm1, f64::exp_m1, 1.6, [88.72284, -17.328678, -20.0, 89.0, 1e-8];
    log: Log, f64::ln, 0.9, [1.5, 0.75, f32::MIN_POSITIVE];
    log2: Log2, f64::log2, 0.51, [1.5, 0.75, f32::MIN_POSITIVE];
    log10: Log10, f64::log10, 0.51, [1.5, 0.75, f32::MIN_POSITIVE];
    log1p: Log1p, f64::ln_1p, 0.6, [1e-4, 0.5];
    sqrt: Sqrt, f64::sqrt, 0.5, [];
    rsqrt: Rsqrt, |x| x.sqrt().recip(), 1.5, [];
    reciprocal: Reciprocal, f64::recip, 0.5, [2.938736e-39];
    square: Square, |x| x * x, 0.5, [1.8446743e19, 1.0842022e-19, 2.646978e-23];
    sin: Sin, f64::sin, 1.6, [FRAC_PI_4, FRAC_PI_2, PI, TAU, 2e5, 7.729179e28];
    cos: Cos, f64::cos, 1.6, [FRAC_PI_4, FRAC_PI_2, PI, TAU, 2e5, 7.729179e28];
    tan: Tan, f64::tan, 3.8, [FRAC_PI_4, FRAC_PI_2, PI, TAU, 2e5, 7.729179e28];
    asin: Asin, f64::asin, 2.4, [0.5];
    acos: Acos, f64::acos, 1.2, [0.5];
    atan: Atan, f64::atan, 1.6, [];
    sinh: Sinh, f64::sinh, 1.7, [89.41599, 91.0, 88.72284];
    cosh: Cosh, f64::cosh, 1.5, [89.41599, 91.0, 88.72284];
    tanh: Tanh, f64::tanh, 2.7, [9.02, 0.17];
    asinh: Asinh, f64::asinh, 0.51, [1e-4];
    acosh: Acosh, f64::acosh, 0.51, [];
    atanh: Atanh, f64::atanh, 0.51, [1e-4];
    erf: Erf, reference::erf, 0.6, [3.94, 3.8325067];
    normal_cdf: NormalCdf, reference::normal_cdf, 2.2, [14.7, -13.0, -14.17, 5.0];
    sigmoid: Sigmoid, reference::sigmoid, 2.5, [-87.33655, -103.97208, 16.635532];
    gelu: Gelu, reference::gelu, 2.9, [14.7, -13.0, -14.37, 5.0];
    gelu_tanh: GeluTanh, reference::gelu_tanh, 2.9, [12.0, -10.0, -10.4];
    silu: Silu, reference::silu, 2.9, [-87.0, -108.0, -120.0, 16.6];
    softplus: Softplus, reference::softplus, 2.4, [-87.0, -104.0, 17.0];
    softplus_with: SoftplusWith(0.5, 20.0), |x| if 0.5 * x > 20.0 { x } else { 2.0 * reference::softplus(0.5 * x) }, 2.4, [-174.0, -208.0, 34.0, 40.0];
    mish: Mish, reference::mish, 0.51, [-87.0, -108.0, -120.0, 9.0];
    relu: Relu, |x| if x < 0.0 { 0.0 } else { x }, 0.0, [];
    leaky_relu: LeakyRelu(0.25), |x| if x < 0.0 { 0.25 * x } else { x }, 0.5, [];
    elu: Elu(0.5), |x| if x < 0.0 { 0.5 * x.exp_m1() } else { x }, 1.0, [-20.0, -1e-8];
    neg: Neg, |x| -x, 0.0, [];
    abs: Abs, f64::abs, 0.0, [];
    sign: Sign, |x| if x == 0.0 || x.is_nan() { x } else { x.signum() }, 0.0, [];
    floor: Floor, f64::floor, 0.0, [8388608.0, 4194304.0];
    ceil: Ceil, f64::ceil, 0.0, [8388608.0, 4194304.0];
    round: Round, f64::round_ties_even, 0.0, [8388608.0, 4194304.0, 0.5, 1.5, 2.5];
    trunc: Trunc, f64::trunc, 0.0, [8388608.0, 4194304.0];
}

/// The distance of `got` from `want`, in units of the spacing of f32 at `want`. Infinite where the kind of number is wrong:
/// NaN or not, the sign, also that of zero, and an infinity that is none.
fn ulps(got: f32, want: f64) -> f64 {
    if got.is_nan() || want.is_nan() {
        return if got.is_nan() && want.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if got.is_sign_negative() != want.is_sign_negative() {
        return f64::INFINITY;
    }
    if got.is_infinite() && (want as f32).is_infinite() {
        return 0.0;
    }
    // Where only one of them overflows, infinity counts as the next number after the greatest.
    let got = if got.is_infinite() { 2f64.powi(128).copysign(want) } else { f64::from(got) };
    (got - want).abs() * ulps_per_one(want)
}

/// How many spacings of f32 at `x` there are in 1.
fn ulps_per_one(x: f64) -> f64 {
    let exponent = ((x.to_bits() >> 52 & 0x7ff) as i32 - 1023).clamp(-126, 127);
    f64::from_bits(((1023 + 23 - exponent) as u64) << 52)
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

/// The worst error over many inputs, found in parallel.
fn worst_of(case: &Case, isas: &[Isa], blocks: impl IndexedParallelIterator<Item = Vec<f32>>) -> Vec<Worst> {
    blocks
        .map(|inputs| worst(case, isas, &inputs))
        .reduce(|| vec![NONE; isas.len()], |a, b| a.iter().zip(b).map(|(a, b)| a.or(b)).collect())
}

#[expect(clippy::print_stdout, reason = "the measured errors are what the test is run for")]
fn check_all_inputs(case: &Case) {
    let isas = isas();
    let blocks = (0..1u32 << 16)
        .into_par_iter()
        .map(|high| (0..1u32 << 16).map(|low| f32::from_bits(high << 16 | low)).collect());
    let all = worst_of(case, &isas, blocks);
    let list: Vec<_> = isas
        .iter()
        .zip(&all)
        .map(|(isa, worst)| format!("{isa:?} {:.3} at {:e}", worst.ulps, worst.input))
        .collect();
    println!("{}: {}", case.name, list.join(", "));
    let failures = check(case, &isas, &all);
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn every_function_is_within_its_bound_on_a_sample() {
    let isas = isas();
    let mut failures: Vec<String> = Vec::new();
    for case in CASES {
        let inputs = sample(case.special);
        let all = worst_of(case, &isas, inputs.par_chunks(1 << 14).map(<[f32]>::to_vec));
        failures.extend(check(case, &isas, &all));
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// Derivatives of activations, as the two terms whose sum they are: where these cancel, errors are counted in units of the
/// last place of the greater one.
#[test]
fn slopes_are_within_their_bounds_on_a_sample() {
    type Terms = fn(f64) -> [f64; 2];
    type Run = fn(Isa, &[f32], &mut [f32]);
    let gelu: Terms = |x| {
        let density = (-0.5 * x * x).exp() / f64::from(TAU).sqrt();
        [reference::normal_cdf(x), if density == 0.0 { 0.0 } else { x * density }]
    };
    /// s and x s (1 - s) z', with s = sigmoid(z).
    fn gate(x: f64, z: f64, change: f64) -> [f64; 2] {
        let tail = reference::sigmoid(z) * reference::sigmoid(-z);
        [reference::sigmoid(z), if tail == 0.0 { 0.0 } else { x * tail * change }]
    }
    let silu: Terms = |x| gate(x, x, 1.0);
    let gelu_tanh: Terms = |x| {
        let scale = (8.0 / std::f64::consts::PI).sqrt();
        gate(x, scale * (x + 0.044715 * x * x * x), scale * (1.0 + 3.0 * 0.044715 * x * x))
    };
    let cases: [(&str, Run, Terms, f64); 3] = [
        ("gelu", |isa, x, out| zip(isa, GeluGrad, 1.0, x, out), gelu, 3.0),
        ("silu", |isa, x, out| zip(isa, SiluGrad, 1.0, x, out), silu, 4.0),
        ("gelu_tanh", |isa, x, out| zip(isa, GeluTanhGrad, 1.0, x, out), gelu_tanh, 5.0),
    ];
    let inputs = sample(&[14.7, 13.0, 12.0, 0.75, 87.0, 108.0, 120.0]);
    let mut got = vec![0.0; inputs.len()];
    for (name, run, terms, bound) in cases {
        for isa in isas() {
            run(isa, &inputs, &mut got);
            let mut worst = NONE;
            for (&input, &got) in inputs.iter().zip(&got) {
                let [a, b] = terms(f64::from(input));
                let off = (f64::from(got) - (a + b)).abs() * ulps_per_one(a.abs().max(b.abs()));
                let error = if off.is_nan() != input.is_nan() { f64::INFINITY } else { off };
                worst = worst.or(Worst { ulps: error, input, got });
            }
            let Worst { ulps, input, got } = worst;
            assert!(ulps <= bound, "{name} on {isa:?}: {ulps:.3} ulp at {input:e}: got {got:e}");
        }
    }
}

#[test]
fn pow_is_within_its_bound_on_a_grid() {
    // Bases over all magnitudes and close to 1; powers that keep the result finite, and some that do not.
    let mut bases: Vec<f32> = (0..=u32::MAX >> 1).step_by(1_234_567).map(f32::from_bits).collect();
    bases.extend((0..100u32).map(|i| f32::from_bits(1f32.to_bits() - 50 + i)));
    bases.extend((1..100).map(|i| -0.02 * i as f32));
    let mut powers: Vec<f32> = (-60..60).map(|i| 0.25 * i as f32).collect();
    powers.extend((0..200).map(|i| (0.7 * i as f32 - 70.0).sinh() * 1e-20));
    for isa in isas() {
        let mut got = vec![0.0; bases.len()];
        for &power in &powers {
            zip(isa, Pow, bases.as_slice(), power, &mut got);
            for (&base, &got) in bases.iter().zip(&got) {
                let want = f64::from(base).powf(f64::from(power));
                let ulps = ulps(got, want);
                assert!(
                    ulps <= 0.51,
                    "{base:e} to the power {power:e} on {isa:?}: got {got:e}, want {want:e}"
                );
            }
        }
    }
}
