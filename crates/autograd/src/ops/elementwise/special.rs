//! Functions in f64 that the standard library lacks, for references.

use std::f64::consts::{FRAC_2_SQRT_PI, PI};

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

/// The inverse of the error function: ±inf at ±1, NaN beyond.
pub(crate) fn erf_inv(y: f64) -> f64 {
    if y.is_nan() || y.abs() >= 1.0 {
        return if y.abs() == 1.0 { y * f64::INFINITY } else { f64::NAN };
    }
    // erfc x lies near e^(-x²) / (x √π) far out, erf x near 2x/√π about 0; E. Halley's method does the rest, on erfc
    // where erf is flat.
    let (target, tail) = (y.abs(), 1.0 - y.abs());
    let mut x = if target < 0.7 { target / FRAC_2_SQRT_PI } else { (-tail.ln()).sqrt() - 0.2 };
    for _ in 0..20 {
        let off = if x < 0.5 { erf(x) - target } else { tail - erfc(x) };
        let slope = FRAC_2_SQRT_PI * (-x * x).exp();
        // The second derivative is -2x times the first.
        let step = off / slope;
        let step = step / (1.0 + x * step);
        x -= step;
        // The error is the cube of the last one.
        if step.abs() <= 1e-6 * x {
            break;
        }
    }
    x.copysign(y)
}

/// sin πx, exactly 0 at whole numbers.
fn sin_pi(x: f64) -> f64 {
    // The turn that is left of the whole ones, and from there the nearest zero: both differences are exact.
    let turn = x - 2.0 * (x / 2.0).round();
    let beside = if turn.abs() > 0.5 { turn.signum() - turn } else { turn };
    (PI * beside).sin()
}

/// The derivative of an order n of sin in πx, sin(πx + nπ/2); exactly 0 at its zeros, for huge x too.
fn sin_pi_derivative(n: i32, x: f64) -> f64 {
    // Beside so large a number a quarter would be lost; whole turns may be left out before.
    let x = if x.abs() < 1e15 { x } else { x - 2.0 * (x / 2.0).round() };
    sin_pi(x + 0.5 * f64::from(n))
}

/// The derivative of an order n of sin(πx) / (πx).
pub(crate) fn sinc(order: u32, x: f64) -> f64 {
    if x.is_infinite() {
        return 0.0;
    }
    let (n, z) = (order as i32, PI * x);
    let of_z = if z.abs() <= 2.0 + f64::from(n) {
        // Σ (-1)^k z^m / (m! (m + n + 1)) over the m = 2k - n that are not negative.
        let mut term = 1.0; // z^m / m!
        let mut sum = 0.0;
        for m in 0..60 {
            if (m + n) % 2 == 0 {
                let sign = if (m + n) / 2 % 2 == 0 { 1.0 } else { -1.0 };
                sum += sign * term / f64::from(m + n + 1);
            }
            term *= z / f64::from(m + 1);
        }
        sum
    } else {
        // (z f)⁽ⁿ⁾ = z f⁽ⁿ⁾ + n f⁽ⁿ⁻¹⁾, and z f is the sine, whose derivatives are sines a quarter turn on.
        (0..=n).fold(0.0, |before, n| (sin_pi_derivative(n, x) - f64::from(n) * before) / z)
    };
    of_z * PI.powi(n)
}

/// B_2, B_4, .. of J. Bernoulli.
const BERNOULLI: [f64; 7] =
    [1.0 / 6.0, -1.0 / 30.0, 1.0 / 42.0, -1.0 / 30.0, 5.0 / 66.0, -691.0 / 2730.0, 7.0 / 6.0];
/// From here on the asymptotic series with these numbers is as good as f64.
const FAR: f64 = 20.0;

/// ln |Γ(x)|, inf at its poles, and at -inf as in C.
pub(crate) fn ln_gamma(x: f64) -> f64 {
    if x == f64::INFINITY || x <= 0.0 && x == x.floor() {
        return f64::INFINITY;
    }
    if x < 0.0 {
        return (PI / sin_pi(x).abs()).ln() - ln_gamma(1.0 - x);
    }
    // Γ(x + 1) = x Γ(x), up to where Stirling's series holds.
    let (mut far, mut product) = (x, 1.0);
    while far < FAR {
        product *= far;
        far += 1.0;
    }
    let series =
        (1i32..).zip(BERNOULLI).map(|(k, b)| b / (f64::from(2 * k * (2 * k - 1)) * far.powi(2 * k - 1)));
    (far - 0.5) * far.ln() - far + 0.5 * (2.0 * PI).ln() + series.sum::<f64>() - product.ln()
}

/// The derivative of an order n of the digamma function ψ = (ln Γ)'. At a pole it is inf where n is odd; where n is even, and
/// the sides differ, that of the side of ±0, and NaN at negative whole numbers; NaN at -inf.
pub(crate) fn polygamma(order: u32, x: f64) -> f64 {
    let n = order as i32;
    if x == 0.0 && n % 2 == 0 {
        return (-f64::INFINITY).copysign(-x);
    }
    if x < 0.0 {
        return match x == x.floor() {
            true if x.is_infinite() || n % 2 == 0 => f64::NAN,
            true => f64::INFINITY,
            // ψ⁽ⁿ⁾(x) = (-1)ⁿ ψ⁽ⁿ⁾(1 - x) - π (d/dx)ⁿ cot πx.
            false => (if n % 2 == 0 { 1.0 } else { -1.0 }) * polygamma(order, 1.0 - x) - cotangent(n, x),
        };
    }
    let factorial = |k: i32| (1..=k).map(f64::from).product::<f64>();
    let sign = if n % 2 == 0 { -1.0 } else { 1.0 };
    // ψ⁽ⁿ⁾(x) = ψ⁽ⁿ⁾(x + 1) + (-1)ⁿ⁺¹ n! / xⁿ⁺¹, up to where the asymptotic series holds.
    let (mut far, mut sum) = (x, 0.0);
    while far < FAR {
        sum += factorial(n) / far.powi(n + 1);
        far += 1.0;
    }
    let first = if n == 0 { -far.ln() } else { factorial(n - 1) / far.powi(n) };
    let ratio = |k: i32| {
        (2 * k + 1..2 * k + n).map(f64::from).product::<f64>() / if n == 0 { f64::from(2 * k) } else { 1.0 }
    };
    let series = (1i32..).zip(BERNOULLI).map(|(k, b)| b * ratio(k) / far.powi(2 * k + n));
    sign * (sum + first + 0.5 * factorial(n) / far.powi(n + 1) + series.sum::<f64>())
}

/// The derivative of an order n of π cot πx.
fn cotangent(n: i32, x: f64) -> f64 {
    let c = sin_pi_derivative(1, x) / sin_pi(x);
    // A polynomial P in c = cot πx: (d/dx) P(c) = -π (1 + c²) P'(c). All terms of one have one sign at a c.
    let mut polynomial = vec![0.0, 1.0];
    for _ in 0..n {
        let mut next = vec![0.0; polynomial.len() + 1];
        for (k, &p) in polynomial.iter().enumerate().skip(1) {
            next[k - 1] -= p * k as f64;
            next[k + 1] -= p * k as f64;
        }
        polynomial = next;
    }
    PI.powi(n + 1) * polynomial.iter().rev().fold(0.0, |sum, p| sum * c + p)
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

    #[test]
    fn the_inverse_of_erf() {
        for x in [0.0, 1e-10, 0.1, 0.4, 0.5, 0.8, 1.5, 2.5, 3.5] {
            // What erf's own rounding lets through.
            let lost = 4.0 * f64::EPSILON * erf(x).abs() / (FRAC_2_SQRT_PI * (-x * x).exp());
            for sign in [1.0, -1.0] {
                let found = erf_inv(erf(sign * x));
                assert!((found - sign * x).abs() <= lost + 4.0 * f64::EPSILON * x, "{found:e} is not {x:e}");
            }
        }
        close(erf_inv(0.5), 0.476_936_276_204_469_9);
        assert_eq!((erf_inv(1.0), erf_inv(-1.0)), (f64::INFINITY, f64::NEG_INFINITY));
        assert!(erf_inv(1.1).is_nan());
        // The f32s beside 1.
        assert!((erf_inv(1.0 - 2f64.powi(-24)) - 3.832_506_856_900_711).abs() < 1e-9);
    }

    #[track_caller]
    fn close(found: f64, known: f64) {
        assert!((found - known).abs() <= 1e-13 * known.abs().max(0.1), "{found:e} is not {known:e}");
    }

    #[test]
    fn sinc_and_its_derivatives() {
        close(sinc(0, 0.0), 1.0);
        close(sinc(0, 0.5), 2.0 / PI);
        close(sinc(0, -2.5), 2.0 / (5.0 * PI));
        assert_eq!(sinc(0, 3.0), 0.0);
        assert_eq!(sinc(0, 1e6 + 1.0), 0.0);
        // At 0 the derivatives of even order are ±πⁿ / (n + 1), at whole numbers the first is ±1/x.
        close(sinc(1, 0.0), 0.0);
        close(sinc(2, 0.0), -PI.powi(2) / 3.0);
        close(sinc(4, 0.0), PI.powi(4) / 5.0);
        close(sinc(1, 2.0), 0.5);
        close(sinc(1, -3.0), 1.0 / 3.0);
        close(sinc(2, 5.0), 2.0 / 25.0);
        // The two ways to compute it agree where they meet.
        for n in 0..6 {
            let meet = (2.0 + f64::from(n)) / PI;
            close(sinc(n, meet * (1.0 - 1e-15)) / sinc(n, meet * (1.0 + 1e-15)), 1.0);
        }
    }

    /// Closed forms at whole and half arguments, with Euler's and Apéry's constants.
    #[test]
    fn gamma_and_its_derivatives() {
        const EULER: f64 = 0.577_215_664_901_532_9;
        const APERY: f64 = 1.202_056_903_159_594_3;
        close(ln_gamma(1.0), 0.0);
        close(ln_gamma(2.0), 0.0);
        close(ln_gamma(0.5), 0.5 * PI.ln());
        close(ln_gamma(-0.5), (2.0 * PI.sqrt()).ln());
        close(ln_gamma(11.0), 3_628_800f64.ln());
        close(ln_gamma(101.0), (1..=100).map(|k| f64::from(k).ln()).sum());
        assert_eq!(
            (ln_gamma(0.0), ln_gamma(-3.0), ln_gamma(f64::INFINITY)),
            (f64::INFINITY, f64::INFINITY, f64::INFINITY)
        );
        close(polygamma(0, 1.0), -EULER);
        close(polygamma(0, 0.5), -EULER - 4f64.ln());
        close(polygamma(0, -0.5), 2.0 - EULER - 4f64.ln());
        close(polygamma(0, 30.0), (1..30).map(|k| 1.0 / f64::from(k)).sum::<f64>() - EULER);
        close(polygamma(1, 1.0), PI * PI / 6.0);
        close(polygamma(1, 0.5), PI * PI / 2.0);
        close(polygamma(2, 1.0), -2.0 * APERY);
        close(polygamma(3, 1.0), PI.powi(4) / 15.0);
        assert_eq!(polygamma(0, 0.0), f64::NEG_INFINITY);
    }

    /// Values of mpmath 1.3, `mp.dps = 40; psi(n, x)`.
    #[test]
    fn derivatives_of_gamma_left_of_zero() {
        for (n, x, known) in [
            (0, -0.5, 0.036489973978576521),
            (0, -1.25, 3.7141391202135278),
            (0, -100.3125, 6.7124115557624199),
            (0, -1000000.5, 13.815511557963816),
            (0, -8388607.5, 15.942385152878743),
            (0, -4194303.75, 12.107645378333649),
            (0, 2f64.powi(-24) - 1.0, -16777215.577215507),
            (0, -1e-30, 1e30),
            (1, -0.5, 8.9348022005446793),
            (1, -2.75, 19.433868949488464),
            (1, -1000000.25, 19.739207802179467),
            (1, -1e-30, 1e60),
            (2, -0.375, 29.057344543766246),
            (2, -1000.25, 124.02510572269784),
            (3, -3.625, 345.69728338593405),
            (3, -8388607.5, 194.81818206800487),
            (4, -0.25, 24473.199394184583),
            (5, -10.4375, 20923.810130414269),
        ] {
            close(polygamma(n, x), known);
        }
    }

    #[test]
    fn poles_and_infinities() {
        // The side of a zero; where the sides differ, nothing; where they agree, their limit.
        assert_eq!((polygamma(0, 0.0), polygamma(0, -0.0)), (f64::NEG_INFINITY, f64::INFINITY));
        assert_eq!((polygamma(2, 0.0), polygamma(2, -0.0)), (f64::NEG_INFINITY, f64::INFINITY));
        for x in [-1.0, -3.0, -1e8, -1e10, -3e38, f64::MIN] {
            assert!(polygamma(0, x).is_nan() && polygamma(2, x).is_nan(), "{x:e}");
            assert_eq!((polygamma(1, x), polygamma(3, x)), (f64::INFINITY, f64::INFINITY));
            assert_eq!(ln_gamma(x), f64::INFINITY);
        }
        for n in 0..4 {
            assert!(polygamma(n, f64::NEG_INFINITY).is_nan() && polygamma(n, f64::NAN).is_nan());
            let limit = if n == 0 { f64::INFINITY } else { 0.0 };
            assert_eq!(polygamma(n, f64::INFINITY), limit);
            assert_eq!((sinc(n, f64::INFINITY), sinc(n, f64::NEG_INFINITY)), (0.0, 0.0));
        }
        // cos πx / x at whole numbers, so large that half of one is lost beside them.
        assert_eq!(sinc(0, 1e17), 0.0);
        close(sinc(1, 1e17) * 1e17, 1.0);
    }
}
