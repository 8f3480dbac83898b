//! The functions that std does not have, in f64, by other means than the library's: series, a continued fraction, and
//! definitions.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// 1 / (1 + e⁻ˣ)
pub(crate) fn sigmoid(x: f64) -> f64 {
    if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }
}

/// x sigmoid(x), and its limit 0 at -∞.
pub(crate) fn silu(x: f64) -> f64 {
    if x == f64::NEG_INFINITY { 0.0 } else { x * sigmoid(x) }
}

/// ln(1 + eˣ)
pub(crate) fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

/// x tanh(softplus(x)), and its limit 0 at -∞.
pub(crate) fn mish(x: f64) -> f64 {
    if x == f64::NEG_INFINITY { 0.0 } else { x * softplus(x).tanh() }
}

/// x sigmoid(2 √(2/π) (x + 0.044715 x³)), and its limit 0 at -∞.
pub(crate) fn gelu_tanh(x: f64) -> f64 {
    if x == f64::NEG_INFINITY {
        0.0
    } else {
        x * sigmoid(2.0 * (2.0 / PI).sqrt() * (x + 0.044715 * x * x * x))
    }
}

/// x Φ(x), and its limit 0 at -∞.
pub(crate) fn gelu(x: f64) -> f64 {
    if x == f64::NEG_INFINITY { 0.0 } else { x * normal_cdf(x) }
}

/// Φ(x) = erfc(-x / √2) / 2
pub(crate) fn normal_cdf(x: f64) -> f64 {
    let z = x * FRAC_1_SQRT_2;
    if z < -2.5 { 0.5 * upper_erfc(-z) } else { 0.5 + 0.5 * erf(z) }
}

/// The error function.
pub(crate) fn erf(x: f64) -> f64 {
    if x.is_nan() || x == 0.0 {
        x
    } else if x.abs() < 2.5 {
        // 2/√π e^(-x²) Σ 2ⁿ x²ⁿ⁺¹ / (1·3·…·(2n+1)): all terms have one sign.
        let mut term = x;
        let mut sum = x;
        let mut n = 1.0;
        while term.abs() > 1e-18 * sum.abs() {
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
            n += 1.0;
        }
        2.0 / PI.sqrt() * (-x * x).exp() * sum
    } else {
        (1.0 - upper_erfc(x.abs())).copysign(x)
    }
}

/// 1 - erf x for x >= 2.5, by Laplace's continued fraction x + ½ / (x + 1 / (x + 3/2 / (x + …))).
fn upper_erfc(x: f64) -> f64 {
    if x > 30.0 {
        return 0.0;
    }
    let depth = (10.0 + 320.0 / (x * x)) as u32;
    let fraction = (1..=depth).rev().fold(x, |rest, k| x + 0.5 * f64::from(k) / rest);
    (-x * x).exp() / (PI.sqrt() * fraction)
}

#[test]
fn erf_agrees_with_published_digits() {
    for (x, want) in [
        (0.1, 0.112_462_916_018_284_89),
        (0.5, 0.520_499_877_813_046_5),
        (1.0, 0.842_700_792_949_714_9),
        (2.0, 0.995_322_265_018_952_7),
        (3.0, 0.999_977_909_503_001_4),
    ] {
        assert!((erf(x) - want).abs() < 4e-16, "erf {x}");
    }
    for (x, want) in [(3.0, 2.209_049_699_858_544e-5), (5.0, 1.537_459_794_428_035e-12)] {
        assert!((upper_erfc(x) / want - 1.0).abs() < 1e-14, "erfc {x}");
    }
    // Both ways meet.
    let (below, above) = (1.0 - erf(2.5f64.next_down()), upper_erfc(2.5));
    assert!((below / above - 1.0).abs() < 1e-11);
}
