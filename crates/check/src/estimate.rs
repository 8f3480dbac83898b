//! A derivative with its error, and the extrapolation that makes it from difference quotients.

/// A derivative and how far it may be off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The derivative.
    pub value: f64,
    /// A bound on its error, from truncation and rounding together.
    pub error: f64,
    /// The part of the error that comes from the rounding, or other noise, of the function's values.
    pub rounding: f64,
    /// The largest step that it was made from.
    pub step: f64,
}

impl Estimate {
    /// The exact derivative of what does not depend on the variable.
    pub const ZERO: Estimate = Estimate { value: 0.0, error: 0.0, rounding: 0.0, step: 0.0 };
    /// Nothing is known.
    pub const UNKNOWN: Estimate =
        Estimate { value: f64::NAN, error: f64::INFINITY, rounding: f64::INFINITY, step: 0.0 };

    /// Whether another number, itself off by up to `slack`, may be the derivative.
    pub fn allows(&self, other: f64, slack: f64) -> bool {
        other == self.value || other.is_finite() && (other - self.value).abs() <= self.error + slack
    }
}

/// How the error of a difference quotient falls with its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Series {
    /// h², h⁴, h⁶, ..: differences around the point.
    Even,
    /// h, h², h³, ..: differences to one side.
    All,
}

impl Series {
    fn ratio(self) -> f64 {
        match self {
            Series::Even => 4.0,
            Series::All => 2.0,
        }
    }
}

/// A difference quotient.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quotient {
    pub(crate) step: f64,
    pub(crate) value: f64,
    /// What rounding may have added to it.
    pub(crate) rounding: f64,
}

/// How many times the distance to its neighbours in the table an extrapolated value may be off. Where the series is
/// another one, as for |x|^1.5, the distances still bound the error with this.
const SAFETY: f64 = 3.0;
/// What extrapolation makes of the rounding of quotients, at most: the product of (r + 1) / (r - 1) for r = 4, 16, ..
const EVEN_GAIN: f64 = 2.0;
/// The same for r = 2, 4, 8, ..
const ALL_GAIN: f64 = 8.0;

/// The limits of difference quotients whose steps are halved from one to the next, extrapolated to step 0 (C. J. F. Ridders,
/// "Accurate computation of F'(x) and F'(x)F''(x)", 1982): for each number of quotients from the first on, two or more, the
/// estimate and whether the quotients came near to one another: nearer than they are large, or than `size`, by far.
pub(crate) fn limits(series: Series, quotients: &[Quotient], size: f64) -> Vec<(Estimate, bool)> {
    let mut last: Vec<f64> = Vec::with_capacity(quotients.len());
    let mut found = Vec::with_capacity(quotients.len());
    let mut largest = 0.0f64;
    for (level, quotient) in quotients.iter().enumerate() {
        largest = largest.max(quotient.value.abs());
        let mut row = vec![quotient.value];
        let mut power = 1.0;
        for (order, &coarse) in last.iter().enumerate() {
            power *= series.ratio();
            row.push((row[order] * power - coarse) / (power - 1.0));
        }
        if level > 0 {
            let value = row[level];
            let truncation = (value - row[level - 1]).abs().max((value - last[level - 1]).abs());
            let gain = if series == Series::Even { EVEN_GAIN } else { ALL_GAIN };
            let rounding = gain * quotient.rounding;
            // Three quotients are the least to see that they come nearer: of a logarithm all are equally far apart.
            let apart = |k: usize| (quotients[k].value - quotients[k - 1].value).abs();
            let nears = level > 1 && apart(level) <= 0.8 * apart(level - 1);
            let is_small = truncation <= (0.01 * largest).max(1e-3 * size);
            let converged = nears && is_small || truncation <= 4.0 * rounding;
            let error = SAFETY * truncation + rounding;
            found.push((Estimate { value, error, rounding, step: quotients[0].step }, converged));
        }
        last = row;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quotients(f: impl Fn(f64) -> f64, from: f64, count: i32) -> Vec<Quotient> {
        let step = |k: i32| from * 0.5f64.powi(k);
        (0..count).map(|k| Quotient { step: step(k), value: f(step(k)), rounding: 1e-16 / step(k) }).collect()
    }

    #[test]
    fn the_derivative_of_a_smooth_function_lies_within_the_bound() {
        let found = limits(
            Series::Even,
            &quotients(|h| ((1.0 + h).sin() - (1.0 - h).sin()) / (2.0 * h), 0.1, 6),
            0.0,
        );
        for (k, (estimate, converged)) in found.iter().enumerate() {
            assert!((*converged || k == 0) && estimate.allows(1f64.cos(), 0.0), "{k}: {estimate:?}");
        }
        assert!(found[4].0.error < 1e-12, "{:?}", found[4]);
    }

    #[test]
    fn the_derivative_to_one_side_lies_within_the_bound() {
        let found = limits(Series::All, &quotients(|h| (h + h * h).exp_m1() / h, 0.1, 6), 0.0);
        assert!(found.iter().all(|(estimate, _)| estimate.allows(1.0, 0.0)), "{found:?}");
        assert!(found[4].0.error < 1e-7);
    }

    #[test]
    fn another_series_is_within_the_bound_or_not_converged() {
        for power in [0.02, 0.1, 0.25, 0.5, 0.75, 1.5] {
            let found = limits(Series::Even, &quotients(|h| h.powf(power), 0.1, 6), 1.0);
            let honest = |(estimate, converged): &(Estimate, bool)| !converged || estimate.allows(0.0, 0.0);
            assert!(found.iter().all(honest), "h^{power}: {found:?}");
        }
    }
}
