//! Functions in f64 that the standard library lacks, for references.

use std::f64::consts::FRAC_2_SQRT_PI;

/// The error function, to a few ulps.
pub(crate) fn erf(x: f64) -> f64 {
    if x.abs() < 2.0 { series(x) } else { x.signum() * (1.0 - erfc(x.abs())) }
}

/// 1 - erf(x), without cancellation for large x.
pub(crate) fn erfc(x: f64) -> f64 {
    if x < 2.0 { 1.0 - erf(x) } else { tail(x) }
}

/// erf x = 2/√π e^(-x²) Σ 2^n x^(2n+1) / (1·3·..·(2n+1)), n from 0: all terms have one sign.
fn series(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..80 {
        term *= 2.0 * x * x / (2 * n + 1) as f64;
        sum += term;
    }
    FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

/// erfc x by the continued fraction e^(-x²)/√π · 1/(x + (1/2)/(x + (2/2)/(x + (3/2)/(x + ..)))), from the inside.
fn tail(x: f64) -> f64 {
    let inner = (1..=120).rev().fold(x, |inner, k| x + 0.5 * k as f64 / inner);
    0.5 * FRAC_2_SQRT_PI * (-x * x).exp() / inner
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of M. Abramowitz, I. Stegun, "Handbook of mathematical functions", table 7.1, and of erfc by longer
    /// arithmetic.
    #[test]
    fn known_values() {
        let check = |found: f64, known: f64| {
            assert!((found - known).abs() <= 4e-15 * known.abs(), "{found:e} is not {known:e}");
        };
        check(erf(0.5), 0.5204998778130465);
        check(erf(1.0), 0.8427007929497149);
        check(erf(-1.0), -0.8427007929497149);
        check(erf(3.0), 0.9999779095030014);
        check(erfc(0.5), 0.4795001221869535);
        check(erfc(2.0), 4.677734981047266e-3);
        check(erfc(3.0), 2.209049699858544e-5);
        check(erfc(5.0), 1.537459794428035e-12);
        assert_eq!(erf(0.0), 0.0);
    }
}
