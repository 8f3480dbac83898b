//! What differences may not have seen: waves that steps are too large for, or that rounding covers.
//!
//! Of a wave of many periods beside the variable steps of many periods see only that it has an end: `A / h` at most, of a
//! slope that is `A / λ`. The larger the step the surer they are of that, and only steps below a period could contradict them,
//! where rounding leaves less of the value, or nothing.

use crate::{
    estimate::Estimate,
    ladder::{Ladder, Side},
    noise::Noise,
    roughness::DEVIATIONS,
    scan::{CONVINCING, Confirmed, Scan},
    slope::Claim,
};

/// How many times its standard deviation a wave's steepest slope is, over the spacing at which it was seen: its period may
/// be a fraction of that. Less is believed of what may be rounding.
const STEEPEST: f64 = 24.0;
const STEEPEST_PLAIN: f64 = 64.0;
/// How many times as large as at narrower spacings a roughness is that is a wave.
const FADES: f64 = 4.0;
/// How many roundings of the value a wave is of that cannot be taken for rounding.
const PLAIN: f64 = 256.0;
/// The shortest wave, in proportion to the variable: below that rounding itself fades.
const NARROWEST: f64 = 1e-10;

impl Scan {
    /// Whether the steps that contradict a derivative, the narrower of them this one, pass over a roughness that is gone at smaller
    /// spacings, as a wave is below its period, and that can have such slopes, while smaller steps do not contradict it.
    pub(crate) fn is_passed_over(
        &self,
        ladder: &Ladder<'_>,
        claim: &Claim,
        found: &Estimate,
        narrow: f64,
    ) -> bool {
        let off = (claim.value - found.value).abs();
        // From some spacing on up there is a roughness of about one size, but where the spacing is a whole number of periods. The
        // next narrower spacing may be that at which it fades.
        let is_wave = |at: usize, level: f64| {
            let narrower = self.roughness.get(at + 2..).unwrap_or_default();
            self.roughness[at].1.detected
                && self.roughness[..at]
                    .iter()
                    .any(|(_, noise)| noise.detected && 2.0 * FADES * noise.level > level)
                && !narrower.is_empty()
                && narrower.iter().all(|(_, noise)| FADES * noise.level <= level)
        };
        let (narrowest, rounding) = (NARROWEST * ladder.line.scale, ladder.line.epsilon * self.size());
        self.roughness.iter().enumerate().any(|(at, &(spacing, noise))| {
            // What is far above rounding is none, however narrow.
            let is_plain = noise.level > (PLAIN * rounding).max(2.0 * self.inner);
            let steepest = if is_plain { STEEPEST_PLAIN } else { STEEPEST };
            spacing <= 2.0 * narrow
                && (is_plain || spacing >= narrowest && noise.level > rounding)
                && off * spacing <= steepest * noise.level
                && is_wave(at, noise.level)
                && self.allows_below(ladder, claim, spacing)
        })
    }

    /// Whether the function shows no change, and the wave that had this derivative might be all within the rounding of the values.
    pub(crate) fn is_drowned(&self, ladder: &Ladder<'_>, claim: &Claim) -> bool {
        let Some(found) = self.central else { return false };
        // The values may cancel at the point.
        let near = self.rungs.iter().filter(|rung| rung.step <= ladder.line.scale);
        let rounding = near.map(|rung| ladder.known_noise(rung)).fold(0.0, f64::max);
        found.estimate.allows(0.0, 0.0) && claim.value.abs() * NARROWEST * ladder.line.scale <= rounding
    }

    /// Whether larger steps that are surer have this derivative, and smaller ones have another one, but not by far, or on a tread.
    pub(crate) fn is_outvoted(&self, ladder: &Ladder<'_>, claim: &Claim) -> bool {
        let Some(found) = self.central else { return false };
        let error = found.estimate.error;
        self.pairs(ladder, Side::Both).iter().any(|pair| {
            let off = (pair.estimate.value - found.estimate.value).abs();
            let is_surer = |than: f64| pair.estimate.error <= 0.03 * than;
            pair.from[0] < found.from[0]
                && self.rungs[pair.from[0]].step <= ladder.line.scale
                && pair.estimate.allows(claim.value, claim.slack)
                && (is_surer(error) && off <= CONVINCING * error
                    || is_surer(off) && self.is_tread(ladder, &found, off))
        })
    }

    /// Whether a derivative may be that of a tread of a staircase that rounding makes: a number inside of the function that is
    /// rounded, such as `1.0001 * x`, grows by whole numbers of its last place, and between two jumps as smoothly as anything.
    /// The jumps are noise at wider spacings, of one size at several of them. A wave of that size, and of a slope that is so far
    /// `off`, would be shorter than any that is reckoned with.
    fn is_tread(&self, ladder: &Ladder<'_>, found: &Confirmed, off: f64) -> bool {
        let size = off * found.estimate.step / DEVIATIONS..=off * NARROWEST * ladder.line.scale;
        let is_jump = |(spacing, noise): &&(f64, Noise)| {
            *spacing >= found.estimate.step && noise.detected && size.contains(&noise.level)
        };
        self.roughness.iter().filter(is_jump).count() >= 2
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
