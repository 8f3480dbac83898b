//! Numerical derivatives in f64 that know their own error.

/// A derivative and how far it may be off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The derivative.
    pub value: f64,
    /// A bound on its error, from truncation and rounding.
    pub error: f64,
}

/// The derivative of `f` at 0 by central differences, extrapolated to step 0 (C. J. F. Ridders, "Accurate computation
/// of F'(x) and F'(x)F''(x)", 1982).
///
/// `step` is the largest step to take, within which `f` must be smooth; `magnitude` is the size of the terms that `f`
/// adds up, whose rounding the differences cannot tell from a change.
pub(crate) fn derivative(step: f64, magnitude: f64, mut f: impl FnMut(f64) -> f64) -> Estimate {
    const SHRINK: f64 = 2.0;
    const LEVELS: usize = 6;
    let mut table = [[0.0; LEVELS]; LEVELS];
    let mut best = Estimate { value: f64::NAN, error: f64::INFINITY };
    let mut h = step;
    for level in 0..LEVELS {
        let (above, below) = (f(h), f(-h));
        table[0][level] = (above - below) / (2.0 * h);
        // Some ulps, as long sums have.
        let rounding = 8.0 * f64::EPSILON * magnitude / h;
        if level == 0 {
            best = Estimate { value: table[0][0], error: f64::INFINITY };
        }
        let mut power = 1.0;
        for order in 1..=level {
            power *= SHRINK * SHRINK;
            let (coarse, fine) = (table[order - 1][level - 1], table[order - 1][level]);
            let value = (fine * power - coarse) / (power - 1.0);
            table[order][level] = value;
            let error = (value - fine).abs().max((value - coarse).abs()) + rounding;
            if error <= best.error {
                best = Estimate { value, error };
            }
        }
        // Smaller steps only add rounding once the highest order has turned for the worse.
        if level > 0 && (table[level][level] - table[level - 1][level - 1]).abs() >= 2.0 * best.error {
            break;
        }
        h /= SHRINK;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_derivatives_lie_within_the_bound() {
        let check = |f: fn(f64) -> f64, x: f64, exact: f64| {
            let found = derivative(1e-2 * x.abs().max(0.1), f(x).abs(), |h| f(x + h));
            let off = (found.value - exact).abs();
            let fine = 1e-9 * exact.abs().max(1.0) + 1e-12 * f(x).abs();
            assert!(off <= found.error && found.error <= fine, "{found:?} is not {exact}");
        };
        check(f64::sin, 1.0, 1.0f64.cos());
        check(f64::exp, 2.0, 2.0f64.exp());
        check(f64::ln, 0.3, 1.0 / 0.3);
        check(|x| x * x, 3.0, 6.0);
        check(|_| 1.0, 3.0, 0.0);
        check(|x| 1e6 + x, 1.0, 1.0);
        check(|x| x.powi(7), -1.5, 7.0 * 1.5f64.powi(6));
    }
}
