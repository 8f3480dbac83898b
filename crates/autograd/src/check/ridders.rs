//! Numerical derivatives in f64 that know their own error.

/// A derivative and how far it may be off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The derivative.
    pub value: f64,
    /// A bound on its error, from truncation and rounding.
    pub error: f64,
}

/// How the error of a difference quotient falls with its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Series {
    /// h², h⁴, h⁶, ..: differences around the point.
    Even,
    /// h, h², h³, ..: differences to one side.
    All,
}

/// How often a step is halved, and a run of halvings tried again with steps that begin where it ended.
const LEVELS: usize = 6;
const RUNS: usize = 4;

/// The derivative at 0 of `f`, which is 0 there, by central differences.
///
/// `step` is the largest step to take; `noise` is the rounding error of f. It stops as soon as an estimate is `enough`:
/// as good as is wished (`false`), or not worth starting again with smaller steps (`true`).
pub(crate) fn derivative(
    step: f64,
    noise: f64,
    enough: impl Fn(&Estimate, bool) -> bool,
    mut f: impl FnMut(f64) -> f64,
) -> Estimate {
    let mut best = Estimate { value: f64::NAN, error: f64::INFINITY };
    for run in 0..RUNS {
        let step = step / ((1 << (LEVELS - 1)) as f64).powi(run as i32);
        let found = limit(Series::Even, step, noise, |e| enough(e, false), |h| (f(h) - f(-h)) / (2.0 * h));
        if found.error < best.error || best.value.is_nan() {
            best = found;
        }
        if enough(&best, true) {
            break;
        }
    }
    best
}

/// The derivatives at 0 of `f`, which is 0 there, to the left and to the right.
pub(crate) fn one_sided(step: f64, noise: f64, mut f: impl FnMut(f64) -> f64) -> [Estimate; 2] {
    [-1.0, 1.0].map(|side| limit(Series::All, step, noise, |_| false, |h| f(side * h) / (side * h)))
}

/// The limit of a difference quotient as its step goes to 0, extrapolated (C. J. F. Ridders, "Accurate computation of
/// F'(x) and F'(x)F''(x)", 1982).
fn limit(
    series: Series,
    step: f64,
    noise: f64,
    enough: impl Fn(&Estimate) -> bool,
    mut quotient: impl FnMut(f64) -> f64,
) -> Estimate {
    let mut table = [[0.0; LEVELS]; LEVELS];
    let mut best = Estimate { value: f64::NAN, error: f64::INFINITY };
    let mut h = step;
    for level in 0..LEVELS {
        table[0][level] = quotient(h);
        let rounding = noise / h;
        if level == 0 {
            best.value = table[0][0];
        }
        let mut power: f64 = 1.0;
        for order in 1..=level {
            power *= if series == Series::Even { 4.0 } else { 2.0 };
            let (coarse, fine) = (table[order - 1][level - 1], table[order - 1][level]);
            let value = (fine * power - coarse) / (power - 1.0);
            table[order][level] = value;
            let error = (value - fine).abs().max((value - coarse).abs()) + rounding;
            if error <= best.error {
                best = Estimate { value, error };
            }
        }
        if level > 0 {
            // Smaller steps only add rounding once the highest order has turned for the worse.
            let worse = (table[level][level] - table[level - 1][level - 1]).abs() >= 2.0 * best.error;
            if worse || enough(&best) {
                break;
            }
        }
        h /= 2.0;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_derivatives_lie_within_the_bound() {
        let check = |f: fn(f64) -> f64, x: f64, exact: f64| {
            let noise = 2.0 * f64::EPSILON * f(x).abs();
            let found = derivative(1e-2 * x.abs().max(0.1), noise, |_, _| false, |h| f(x + h) - f(x));
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

    #[test]
    fn a_step_that_leaves_the_domain_is_made_smaller() {
        let enough = |e: &Estimate, _: bool| e.error <= 1e-6 * e.value.abs();
        let found = derivative(1e-2, 1e-16, enough, |h| (1e-4f64 + h).ln() - 1e-4f64.ln());
        assert!((found.value - 1e4).abs() <= found.error && found.error < 1e-2, "{found:?}");
    }

    #[test]
    fn the_two_sides_of_a_kink() {
        let [left, right] = one_sided(1e-5, 1e-16, |h: f64| h.abs() + h * h + 2.0 * h);
        assert!((left.value - 1.0).abs() <= left.error && left.error < 1e-8, "{left:?}");
        assert!((right.value - 3.0).abs() <= right.error && right.error < 1e-8, "{right:?}");
    }
}
