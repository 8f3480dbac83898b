//! A function near a point at all scales, and which derivative it has there.
//!
//! Difference quotients may settle down at several scales, on several values: a narrow feature is flat from far, rounding and
//! rough functions settle on nothing, a staircase is flat from near. So all scales are looked at, and an estimate counts only
//! where two that share no value agree.

use crate::{
    estimate::{Estimate, Series, limits},
    ladder::{Ladder, Rung, Side},
    noise::Noise,
    roughness::{CLEAR, DEVIATIONS, floor, inner, roughness},
};

/// From how many quotients an estimate is made at most.
const QUOTIENTS: usize = 5;
/// By how many halvings of the step the beginnings of two estimates that confirm one another are apart, at least.
const APART: usize = 3;
/// How many steps, each half of the one before, are looked at, at most.
const MOST_STEPS: i32 = 140;
/// How many times the size of the variable steps are at most.
const MOST_TIMES: f64 = 1e13;
/// How many times its error an estimate must be away from a sharper one, to be believed in its place.
pub(crate) const CONVINCING: f64 = 4.0;

/// A derivative that two scales agree on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Confirmed {
    pub(crate) estimate: Estimate,
    /// Whether it comes from values that are all the same.
    pub(crate) is_flat: bool,
    /// The places of the two among the steps.
    pub(crate) from: [usize; 2],
}

/// What is known of a derivative after all scales were looked at.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    pub(crate) rungs: Vec<Rung>,
    /// The spacing of points and the noise found there, from wide to narrow.
    pub(crate) roughness: Vec<(f64, Noise)>,
    /// The noise that does not vanish with the step.
    floor: f64,
    /// The noise that rounding inside of the function makes of its values, where it does not show at small spacings.
    pub(crate) inner: f64,
    pub(crate) central: Option<Confirmed>,
    pub(crate) left: Option<Confirmed>,
    pub(crate) right: Option<Confirmed>,
    /// The derivative over larger steps, where the function is rough and below a certain step another one.
    pub(crate) over_roughness: Option<Estimate>,
}

impl Scan {
    pub(crate) fn of(ladder: &mut Ladder<'_>) -> Scan {
        let rungs = rungs(ladder);
        let roughness = roughness(ladder, &rungs);
        let inner = inner(ladder, &rungs, &roughness);
        let floor = floor(ladder, &rungs, &roughness);
        let (central, left, right, over_roughness) = (None, None, None, None);
        let mut scan = Scan { rungs, roughness, floor, inner, central, left, right, over_roughness };
        scan.central = scan.confirmed(ladder, Side::Both);
        scan.left = scan.confirmed(ladder, Side::Left);
        scan.right = scan.confirmed(ladder, Side::Right);
        scan.over_roughness = scan.over_roughness(ladder);
        scan
    }

    /// The largest noise that values have at spacings up to about this step, and what of it does not vanish.
    pub(crate) fn noise_up_to(&self, step: f64) -> f64 {
        self.noise_within(step).max(self.floor)
    }

    /// The largest noise that values have at spacings up to about this step, as measured, or by rounding inside: it may be none.
    pub(crate) fn noise_within(&self, step: f64) -> f64 {
        let narrow = self.roughness.iter().filter(|(at, _)| *at <= 1.3 * step).map(|(_, noise)| noise.level);
        DEVIATIONS * narrow.fold(self.inner, f64::max)
    }

    /// How sharp the kink is that the values show where the derivative was found.
    pub(crate) fn bend(&self) -> f64 {
        let rung = self.central.map(|found| self.rungs[found.from[1]]);
        rung.map_or(f64::INFINITY, |rung| rung.even().abs() / rung.step)
    }

    /// The slopes to both sides, of a kink that shows where the derivative was found and at steps that are far larger, alike.
    pub(crate) fn bent(&self, ladder: &Ladder<'_>, found: &Confirmed) -> Option<[Estimate; 2]> {
        let (near, far) = (&self.rungs[found.from[1]], &self.rungs[found.from[1] - APART]);
        let bend = |rung: &Rung| rung.even() / rung.step;
        let noise = ladder.known_noise(near).max(self.noise_up_to(near.step));
        // What is left of curvature falls with the step.
        let is_kink =
            near.even().abs() > CONVINCING * noise && (0.5..2.0).contains(&(bend(far) / bend(near)));
        let error = found.estimate.error + noise / near.step;
        let side =
            |sign: f64| Estimate { value: found.estimate.value + sign * bend(near), error, ..found.estimate };
        is_kink.then(|| [side(-1.0), side(1.0)])
    }

    /// Whether the values do not change at all over steps over which they would by the derivative that was found, far above their
    /// rounding: a tread of a staircase.
    pub(crate) fn is_still(&self, ladder: &Ladder<'_>, found: &Confirmed) -> bool {
        let slope = found.estimate.value.abs();
        let is_still = |rung: &&Rung| {
            rung.right == 0.0 && rung.left == 0.0 && slope * rung.step > CLEAR * ladder.known_noise(rung)
        };
        self.rungs.iter().filter(is_still).count() >= QUOTIENTS
    }

    /// The second derivative that the values at a step show.
    fn curvature(&self, place: usize) -> f64 {
        let rung = &self.rungs[place];
        let even = rung.even();
        if even.is_finite() { 2.0 * even.abs() / rung.step / rung.step } else { 0.0 }
    }

    /// The size of the value at the point, and of those near it.
    pub(crate) fn size(&self) -> f64 {
        self.rungs.last().map_or(0.0, |rung| rung.size)
    }

    /// Whether one side has no values at all, however small the step.
    pub(crate) fn is_edge(&self) -> bool {
        let (left, right) = (|r: &Rung| r.left.is_finite(), |r: &Rung| r.right.is_finite());
        self.rungs.iter().any(left) != self.rungs.iter().any(right)
    }

    /// Whether there are no values but at the point.
    pub(crate) fn is_isolated(&self) -> bool {
        !self.rungs.iter().any(|r| r.left.is_finite() || r.right.is_finite())
    }

    /// Whether the values beside the point, however near, are as far from that at the point as any: then steps are not small
    /// enough to tell anything.
    pub(crate) fn is_unresolved(&self) -> bool {
        let largest = self.rungs.iter().map(Rung::change).fold(0.0, f64::max);
        let near = &self.rungs[self.rungs.len().saturating_sub(3)..];
        near.iter().any(|r| r.change() > 0.2 * largest)
    }

    /// Whether a difference of the values stays as steps go to 0, far above their noise: its size.
    pub(crate) fn jump(&self, ladder: &Ladder<'_>) -> Option<f64> {
        let near = &self.rungs[self.rungs.len().saturating_sub(6)..];
        let size = |r: &Rung| r.right.abs().max(r.left.abs());
        let (low, high) =
            near.iter().map(size).fold((f64::INFINITY, 0.0f64), |(l, h), y| (l.min(y), h.max(y)));
        let noise = self.noise_up_to(near.first()?.step).max(1e-12 * self.size()).max(ladder.line.noise);
        (high <= 1.5 * low && low > 100.0 * noise && low.is_finite()).then_some(high)
    }

    /// Whether quotients grow without end as steps go to 0.
    pub(crate) fn is_steep(&self, ladder: &Ladder<'_>) -> bool {
        let value = |r: &Rung| if r.right.is_finite() { r.right.abs() } else { r.left.abs() };
        let least = |r: &Rung| (1e-13 * r.size).max(8.0 * ladder.line.noise);
        let stands_out = |r: &&Rung| value(r).is_finite() && value(r) > least(r);
        // A root drowns little by little. What falls to nothing at once is a step beside the point.
        let last = self.rungs.iter().rposition(|r| stands_out(&r)).unwrap_or(0);
        if last + 1 < self.rungs.len() && value(&self.rungs[last]) > 8.0 * least(&self.rungs[last]) {
            return false;
        }
        let quotients: Vec<f64> = self.rungs.iter().filter(stands_out).map(|r| value(r) / r.step).collect();
        // What settles does so by less and less.
        let near = &quotients[quotients.len().saturating_sub(12)..];
        let growth: Vec<f64> = near.windows(2).map(|pair| pair[1] - pair[0]).collect();
        growth.len() > 6
            && growth.iter().all(|&g| g > 0.0)
            && growth.windows(2).all(|pair| pair[1] >= 0.9 * pair[0])
    }

    /// The derivative that two scales agree on and smaller ones do not contradict.
    fn confirmed(&self, ladder: &Ladder<'_>, side: Side) -> Option<Confirmed> {
        let pairs = self.pairs(ladder, side);
        let best = |candidates: &mut dyn Iterator<Item = &Confirmed>| -> Option<Confirmed> {
            candidates.copied().min_by(|a, b| a.estimate.error.total_cmp(&b.estimate.error))
        };
        let mut found = best(&mut pairs.iter())?;
        // Smaller steps have the last word.
        for _ in 0..MOST_STEPS {
            let smaller = |pair: &&Confirmed| pair.from[0] > found.from[0] && pair.from[1] > found.from[1];
            let contradicts =
                |pair: &&Confirmed| !found.estimate.allows(pair.estimate.value, pair.estimate.error);
            let Some(next) = best(&mut pairs.iter().filter(smaller).filter(contradicts)) else { break };
            found = next;
        }
        // The point is rounded: its derivative is that of a point nearby.
        let places = [found.from[0], found.from[1]];
        let curvature = places.iter().map(|&k| self.curvature(k)).fold(f64::INFINITY, f64::min);
        if side == Side::Both {
            found.estimate.error += 4.0 * curvature * ladder.line.point;
        }
        Some(found)
    }

    /// What larger steps agree on where the function becomes another one below a certain step, all of a sudden, and is rough
    /// above it.
    fn over_roughness(&self, ladder: &Ladder<'_>) -> Option<Estimate> {
        let found = self.central?;
        let scale = ladder.line.scale;
        let larger = |pair: &&Confirmed| pair.from[0] < found.from[0] && pair.from[1] < found.from[1];
        let is_near = |pair: &&Confirmed| self.rungs[pair.from[0]].step <= scale;
        let contradicts =
            |pair: &&Confirmed| !found.estimate.allows(pair.estimate.value, pair.estimate.error);
        let pairs = self.pairs(ladder, Side::Both);
        let candidates: Vec<&Confirmed> =
            pairs.iter().filter(larger).filter(is_near).filter(contradicts).collect();
        let surest = |a: &&&Confirmed, b: &&&Confirmed| a.estimate.error.total_cmp(&b.estimate.error);
        let mut large = *candidates.iter().min_by(surest)?;
        // Of those, too, smaller steps have the last word: larger ones may pass over a wave.
        for _ in 0..MOST_STEPS {
            let convinces = |pair: &&&Confirmed| {
                let off = (pair.estimate.value - large.estimate.value).abs();
                pair.from[0] > large.from[0]
                    && pair.from[1] > large.from[1]
                    && off > large.estimate.error + CONVINCING * pair.estimate.error
            };
            let Some(next) = candidates.iter().filter(convinces).min_by(surest) else { break };
            large = next;
        }
        let is_rough = self.is_rough(ladder, &found, large.from[0]);
        let is_sudden = found.is_flat || self.is_sudden(ladder, Side::Both, large, &found);
        (is_rough && is_sudden).then_some(large.estimate)
    }

    /// Whether the function is rough at many of the spacings between the steps of a derivative and a larger one.
    fn is_rough(&self, ladder: &Ladder<'_>, small: &Confirmed, large: usize) -> bool {
        let between = small.estimate.step..=self.rungs[large].step.min(0.25 * ladder.line.scale);
        let known = 4.0 * ladder.known_noise(&self.rungs[large]);
        let noises = self.roughness.iter().filter(|(at, _)| between.contains(at)).map(|(_, noise)| noise);
        let rough = noises.clone().filter(|noise| noise.detected && noise.level > known).count();
        rough >= 2 && 5 * rough >= 2 * noises.count()
    }

    /// Whether larger steps have this derivative, and the function is rough there, though smaller ones have another one.
    pub(crate) fn is_doubtful(&self, ladder: &Ladder<'_>, value: f64, slack: f64) -> bool {
        let Some(found) = self.central else { return false };
        // A tread of a staircase says nothing. Its steps are steeper than the whole.
        let steepest = |rungs: &[Rung]| rungs.iter().map(|r| r.change() / r.step).fold(0.0, f64::max);
        let is_step = || {
            let above = self.rungs.iter().rposition(|r| r.change() > 0.0).unwrap_or(0);
            above > 6 && steepest(&self.rungs[above..]) > 8.0 * steepest(&self.rungs[..above - 4])
        };
        if found.is_flat && (self.is_rough(ladder, &found, 0) || is_step()) {
            return true;
        }
        let off = (value - found.estimate.value).abs();
        // Rounding inside of the function changes a slope by little.
        let is_slight = off <= 0.01 * found.estimate.value.abs();
        let fits = |pair: &Confirmed| {
            pair.from[0] < found.from[0]
                && self.rungs[pair.from[0]].step <= ladder.line.scale
                && pair.estimate.error < if is_slight { 0.3 * off } else { 0.03 * off }
                && pair.estimate.allows(value, slack)
                && (is_slight
                    || self.is_sudden(ladder, Side::Both, pair, &found)
                        && self.is_rough(ladder, &found, pair.from[0]))
        };
        self.pairs(ladder, Side::Both).iter().any(fits)
    }

    /// Whether only steps far beyond the size of the variable contradict this derivative: the function may bend before.
    pub(crate) fn is_from_afar(&self, ladder: &Ladder<'_>, value: f64, slack: f64) -> bool {
        let is_near = |pair: &Confirmed| self.rungs[pair.from[0]].step <= 4.0 * ladder.line.scale;
        let contradicts = |pair: &Confirmed| is_near(pair) && !pair.estimate.allows(value, slack);
        self.central.is_some_and(|found| !is_near(&found))
            && !self.pairs(ladder, Side::Both).iter().any(contradicts)
    }

    /// Whether the function nowhere rises above the noise it has where the derivative was found.
    pub(crate) fn is_all_noise(&self) -> bool {
        self.central.is_some_and(|found| {
            let rung = &self.rungs[found.from[1]];
            let noise = self.noise_up_to(rung.step);
            noise > 1e-9 * rung.size && self.rungs.iter().map(Rung::change).fold(0.0, f64::max) <= noise
        })
    }

    /// All pairs of estimates that share no value and agree, each with the error that both allow.
    pub(crate) fn pairs(&self, ladder: &Ladder<'_>, side: Side) -> Vec<Confirmed> {
        let series = if side == Side::Both { Series::Even } else { Series::All };
        let quotient = |rung: &Rung| {
            let noise = ladder.known_noise(rung).max(self.noise_up_to(rung.step));
            ladder.quotient(rung, side, noise)
        };
        let quotients: Vec<_> = self.rungs.iter().map(quotient).collect();
        let still = |rung: &Rung| match side {
            Side::Both => rung.right == 0.0 && rung.left == 0.0,
            Side::Left => rung.left == 0.0,
            Side::Right => rung.right == 0.0,
        };
        // Beginning, end, estimate.
        let mut estimates: Vec<(usize, usize, Estimate)> = Vec::new();
        let scale = ladder.line.scale;
        let near = quotients.iter().flatten().filter(|quotient| quotient.step <= scale);
        let size = near.fold(0.0f64, |size, quotient| size.max(quotient.value.abs()));
        for first in 0..quotients.len() {
            let run: Vec<_> = quotients[first..].iter().take(QUOTIENTS).map_while(|q| *q).collect();
            let found = limits(series, &run, size).into_iter().enumerate();
            let converged = found.filter(|(_, (_, converged))| *converged);
            estimates.extend(converged.map(|(k, (estimate, _))| (first, first + k + 1, estimate)));
        }
        let mut pairs = Vec::new();
        for (k, &(first, last, coarse)) in estimates.iter().enumerate() {
            for &(other, end, fine) in &estimates[k + 1..] {
                let apart = other >= (first + APART).max(last + 1);
                if !apart || !coarse.allows(fine.value, fine.error) {
                    continue;
                }
                let better = if fine.error < coarse.error { fine } else { coarse };
                let error = coarse.error.max(fine.error).max((coarse.value - fine.value).abs());
                let rounding = coarse.rounding.max(fine.rounding).min(error);
                let estimate = Estimate { error, rounding, ..better };
                let is_flat = self.rungs[first..=end].iter().all(still);
                pairs.push(Confirmed { estimate, is_flat, from: [first, other] });
            }
        }
        pairs
    }

    /// Whether, from small steps up, the quotients leave the derivative at once, as at a jump, and not little by little, as a
    /// smooth function does.
    fn is_sudden(&self, ladder: &Ladder<'_>, side: Side, large: &Confirmed, small: &Confirmed) -> bool {
        let mut before: Option<f64> = None;
        for place in (large.from[0]..=small.from[1]).rev() {
            let rung = &self.rungs[place];
            let Some(quotient) = ladder.quotient(rung, side, ladder.known_noise(rung)) else { continue };
            let off = (quotient.value - small.estimate.value).abs();
            let sure = quotient.rounding.max(small.estimate.error);
            if off > 8.0 * sure && before.is_some_and(|before| off > 20.0 * before.max(sure)) {
                return true;
            }
            before = Some(off.max(before.unwrap_or(0.0)));
        }
        false
    }
}

/// The values at all steps from the largest on, until they drown in rounding.
fn rungs(ladder: &mut Ladder<'_>) -> Vec<Rung> {
    let line = ladder.line;
    let top = Ladder::exponent(line.largest.min(MOST_TIMES * line.scale));
    let bottom = Ladder::exponent(line.smallest).max(top - MOST_STEPS);
    let mut rungs: Vec<Rung> = Vec::new();
    let (mut drowned, mut has_moved) = (0, false);
    for exponent in (bottom..=top).rev() {
        let rung = ladder.rung(exponent);
        let noise = 4.0 * ladder.known_noise(&rung);
        let is_drowned = rung.right.abs() <= noise && rung.left.abs() <= noise;
        drowned = if is_drowned { drowned + 1 } else { 0 };
        has_moved |= !is_drowned;
        rungs.push(rung);
        // Before anything is seen to move steps may be whole periods of a wave.
        if has_moved && drowned >= 8 && rung.step < 1e-9 * line.scale {
            break;
        }
    }
    rungs
}
