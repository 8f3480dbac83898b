//! What differences may not have seen: waves that steps are too large for, or that rounding covers.
//!
//! Of a wave of many periods beside the variable steps of many periods see only that it has an end: `A / h` at most, of a
//! slope that is `A / λ`. The larger the step the surer they are of that, and only steps below a period could contradict them,
//! where rounding leaves less of the value, or nothing.

use crate::{
    ladder::{Ladder, Side},
    scan::{CONVINCING, Scan},
    slope::Claim,
};

/// How many times its standard deviation a wave's steepest slope is, over the spacing at which it was seen: its period may
/// be a fraction of that.
const STEEPEST: f64 = 16.0;
/// How many times as large as at narrower spacings a roughness is that is a wave.
const FADES: f64 = 4.0;
/// The shortest wave, in proportion to the variable: below that rounding itself fades.
const NARROWEST: f64 = 1e-10;

impl Scan {
    /// Whether the steps that contradict a derivative pass over a roughness that is gone at smaller spacings, as a wave is
    /// below its period, and that can have such slopes, while smaller steps do not contradict it.
    pub(crate) fn is_passed_over(&self, ladder: &Ladder<'_>, claim: &Claim) -> bool {
        let Some(found) = self.central else { return false };
        let (narrow, off) = (self.rungs[found.from[1]].step, (claim.value - found.estimate.value).abs());
        // From some spacing on up there is a roughness of about one size, but where the spacing is a whole number of periods. The
        // next narrower spacing may be that at which it fades.
        let is_wave = |at: usize, level: f64| {
            let wider = &self.roughness[at.saturating_sub(3)..at];
            let narrower = self.roughness.get(at + 2..).unwrap_or_default();
            self.roughness[at].1.detected
                && wider.iter().any(|(_, noise)| noise.detected && 2.0 * FADES * noise.level > level)
                && !narrower.is_empty()
                && narrower.iter().all(|(_, noise)| FADES * noise.level <= level)
        };
        let (widest, narrowest) = (2.0 * narrow, NARROWEST * ladder.line.scale);
        self.roughness.iter().enumerate().any(|(at, &(spacing, noise))| {
            (narrowest..=widest).contains(&spacing)
                && off * spacing <= STEEPEST * noise.level
                && noise.level > ladder.line.epsilon * self.size()
                && is_wave(at, noise.level)
                && self.allows_below(ladder, claim, spacing)
        })
    }

    /// Whether the function shows no change, and the wave that had this derivative might be all within the rounding of the values.
    pub(crate) fn is_drowned(&self, ladder: &Ladder<'_>, claim: &Claim) -> bool {
        let Some(found) = self.central else { return false };
        let rounding = ladder.known_noise(&self.rungs[found.from[1]]);
        found.estimate.allows(0.0, 0.0) && claim.value.abs() * NARROWEST * ladder.line.scale <= rounding
    }

    /// Whether larger steps that are surer have this derivative, and smaller ones have another one, but not by far.
    pub(crate) fn is_outvoted(&self, ladder: &Ladder<'_>, claim: &Claim) -> bool {
        let Some(found) = self.central else { return false };
        let error = found.estimate.error;
        self.pairs(ladder, Side::Both).iter().any(|pair| {
            pair.from[0] < found.from[0]
                && self.rungs[pair.from[0]].step <= ladder.line.scale
                && pair.estimate.error <= 0.03 * error
                && pair.estimate.allows(claim.value, claim.slack)
                && (pair.estimate.value - found.estimate.value).abs() <= CONVINCING * error
        })
    }

    /// Whether no quotient of steps far below a spacing contradicts a derivative.
    fn allows_below(&self, ladder: &Ladder<'_>, claim: &Claim, spacing: f64) -> bool {
        let below = self.rungs.iter().filter(|rung| 8.0 * rung.step <= spacing);
        let quotients = below.filter_map(|rung| {
            ladder.quotient(rung, Side::Both, ladder.known_noise(rung).max(self.noise_within(rung.step)))
        });
        quotients.into_iter().all(|quotient| {
            // What is left of curvature falls with the square of the step.
            let truncation = claim.value.abs() * (quotient.step / spacing).powi(2) * 64.0;
            (quotient.value - claim.value).abs() <= quotient.rounding + truncation + claim.slack
        })
    }
}
