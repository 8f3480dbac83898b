//! The judgement of one derivative, of a function of one number.

use crate::{
    estimate::{Estimate, Series, limits},
    ladder::{Ladder, Line, Rung, Side},
    scan::Scan,
    verdict::{Judgement, Reason, Verdict},
};

/// A derivative that was given, to be judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claim {
    /// The derivative.
    pub value: f64,
    /// By how much it may be off because it was computed in finite precision.
    pub slack: f64,
    /// What counts as large: an error far below this is as good as none. For an element of a gradient a part of the largest
    /// one.
    pub size: f64,
}

impl Claim {
    /// What an error of the derivative is compared with: the claim, and what the function does over a step of about the size
    /// of the variable.
    fn reference(&self, ladder: &mut Ladder<'_>) -> f64 {
        let rung = ladder.rung(Ladder::exponent(ladder.line.scale) + FIRST);
        let change = rung.right.abs().max(rung.left.abs());
        let slope = if change.is_finite() { change / rung.step } else { 0.0 };
        let claimed = if self.value.is_finite() { self.value.abs() } else { 0.0 };
        let rounding = 1e-6 * coarseness(&ladder.line);
        claimed.max(1e-2 * slope).max(rounding * rung.size / ladder.line.scale)
    }

    fn is_allowed_by(&self, estimate: &Estimate) -> bool {
        estimate.allows(self.value, self.slack)
    }
}

/// How many times more of a derivative is lost in the arithmetic of a function than in f64.
fn coarseness(line: &Line) -> f64 {
    (line.epsilon / f64::EPSILON).sqrt()
}

/// How many quotients a quick look takes.
const QUICK: i32 = 6;
/// By how many doublings of the first step it begins again with smaller and with larger ones.
const LOWER: [i32; 2] = [-7, -14];
const HIGHER: [i32; 2] = [5, 10];
/// The first step of a quick look, as a power of two of the line's scale.
const FIRST: i32 = -5;
/// How many times further off an estimate may be that is too uncertain to pass by.
const UNCERTAIN: f64 = 4.0;
/// How many halvings of the step below the last one its confirmation is.
const BELOW: i32 = 8;
/// How uncertain what two steps tell may be, in proportion, and in proportion to what counts as large.
const GLANCE: f64 = 1e-9;
const BESIDE_OTHERS: f64 = 1e-5;
/// How many halvings below the first step the smaller of the two is at most, and how many they are apart at least.
const NARROWEST: i32 = 11;
const NEAREST: i32 = 5;

/// The derivative at 0 of a function of one number.
///
/// All scales are looked at: this takes 100 to 400 evaluations, and gives the most that differences can tell. The value is
/// NaN and the error infinite where no two scales agree.
///
/// ```
/// use gradus_check::{Line, derivative};
///
/// let line = Line::through(2.0, 1.0, f64::EPSILON);
/// let found = derivative(|t| (2.0 + t).ln(), &line);
/// assert!((found.value - 0.5).abs() <= found.error && found.error < 1e-10);
/// ```
pub fn derivative(mut f: impl FnMut(f64) -> f64, line: &Line) -> Estimate {
    let mut ladder = Ladder::new(&mut f, *line);
    Scan::of(&mut ladder).central.map_or(Estimate::UNKNOWN, |found| found.estimate)
}

/// Judges a derivative that was given for a function of one number at 0.
///
/// A right one costs 5 to 30 evaluations. Before anything else is said than that it is right all scales are looked at.
///
/// ```
/// use gradus_check::{Claim, Line, Verdict, judge};
///
/// let line = Line::through(3.0, 1.0, f64::EPSILON);
/// let claim = |value| Claim { value, slack: 0.0, size: 1.0 };
/// assert_eq!(judge(|t| (3.0 + t) * (3.0 + t), &line, &claim(6.0)).verdict, Verdict::Pass);
/// assert_eq!(judge(|t| (3.0 + t) * (3.0 + t), &line, &claim(6.0000006)).verdict, Verdict::Wrong);
/// ```
pub fn judge(mut f: impl FnMut(f64) -> f64, line: &Line, claim: &Claim) -> Judgement {
    let mut ladder = Ladder::new(&mut f, *line);
    match glance(&mut ladder, claim).or_else(|| quick(&mut ladder, claim)) {
        Some(estimate) => passed(claim, estimate, None),
        None => {
            let scan = Scan::of(&mut ladder);
            verdict(&mut ladder, &scan, claim)
        }
    }
}

/// Judges as [`judge`] does, by 5 to 40 evaluations in any case: for functions that take long. What those do not settle is
/// inconclusive.
///
/// ```
/// use gradus_check::{Claim, Line, Verdict, judge_quickly};
///
/// let line = Line::through(3.0, 1.0, f64::EPSILON);
/// let claim = |value| Claim { value, slack: 0.0, size: 1.0 };
/// assert_eq!(judge_quickly(|t| (3.0 + t) * (3.0 + t), &line, &claim(6.0)).verdict, Verdict::Pass);
/// assert_eq!(judge_quickly(|t| (3.0 + t) * (3.0 + t), &line, &claim(6.0000006)).verdict, Verdict::Wrong);
/// ```
pub fn judge_quickly(mut f: impl FnMut(f64) -> f64, line: &Line, claim: &Claim) -> Judgement {
    let mut ladder = Ladder::new(&mut f, *line);
    if let Some(estimate) = glance(&mut ladder, claim).or_else(|| quick(&mut ladder, claim)) {
        return passed(claim, estimate, None);
    }
    let found = looks(&mut ladder, 0.0);
    // Far smaller steps are a second scale.
    let mut holds = |(estimate, last): &(Estimate, i32)| {
        !claim.is_allowed_by(estimate) && holds_below(&mut ladder, *last, estimate)
    };
    let (verdict, reason) = match found.is_some_and(|found| holds(&found)) {
        true => (Verdict::Wrong, Reason::Differs),
        false => (Verdict::Inconclusive, Reason::Unsettled),
    };
    let estimate = found.map_or(Estimate::UNKNOWN, |(estimate, _)| estimate);
    Judgement { verdict, reason, given: claim.value, estimate, sides: None, noise: None }
}

/// The derivatives to the left and to the right by few evaluations, from steps that are far smaller than what the function may
/// do beside the point.
pub(crate) fn sides(f: &mut dyn FnMut(f64) -> f64, line: &Line) -> [Estimate; 2] {
    let mut ladder = Ladder::new(f, *line);
    let first = Ladder::exponent(line.scale) + FIRST + 2 * LOWER[1] / 3;
    let rungs: Vec<Rung> =
        ((first - QUICK + 1)..=first).rev().map(|exponent| ladder.rung(exponent)).collect();
    [Side::Left, Side::Right].map(|side| {
        let quotient = |rung: &Rung| ladder.quotient(rung, side, ladder.known_noise(rung));
        let quotients: Vec<_> = rungs.iter().map_while(quotient).collect();
        let found = limits(Series::All, &quotients, 0.0).into_iter().map(|(estimate, _)| estimate);
        found.min_by(|a, b| a.error.total_cmp(&b.error)).unwrap_or(Estimate::UNKNOWN)
    })
}

/// The derivative by few evaluations, without a judgement: for looking where an error is, not whether there is one.
pub(crate) fn rough(f: &mut dyn FnMut(f64) -> f64, line: &Line) -> Estimate {
    let mut ladder = Ladder::new(f, *line);
    looks(&mut ladder, 0.0).map_or(Estimate::UNKNOWN, |(estimate, _)| estimate)
}

/// The estimate of two steps far apart, if it is sharp, agrees with the claim, and nothing speaks against it. The steps are as
/// small as rounding lets them be, so that what is left of curvature is small, too.
fn glance(ladder: &mut Ladder<'_>, claim: &Claim) -> Option<Estimate> {
    let line = ladder.line;
    let noise = line.noise.max(4.0 * line.epsilon * line.size.max(ladder.start.abs()));
    let first = Ladder::exponent(line.scale) + FIRST;
    let least = noise / (0.2 * GLANCE * claim.value.abs()).max(f64::MIN_POSITIVE);
    // A derivative that agrees to many digits does so by no chance; but over steps that are large beside the variable itself
    // there may be nothing to see.
    let is_large = claim.value.is_finite() && claim.value.abs() >= 0.1 * claim.size;
    let scale = if is_large { line.scale.max(0.125 * line.largest) } else { line.scale };
    let most = Ladder::exponent(scale) - 2;
    // As far apart as is of use, and nearer where rounding asks for large steps.
    let narrow = (first - NARROWEST).max(Ladder::exponent(least) + 1).min(most - NEAREST);
    let wide = (narrow + BELOW).min(most);
    if 2f64.powi(narrow) < line.smallest {
        return None;
    }
    let (above, below) = (ladder.rung(wide), ladder.rung(narrow));
    let quotient = |rung: &Rung| ladder.quotient(rung, Side::Both, ladder.known_noise(rung));
    let (coarse, fine) = (quotient(&above)?, quotient(&below)?);
    let ratio = below.step / above.step;
    let truncation = (fine.value - coarse.value) * ratio * ratio;
    let curvature = 2.0 * below.even().abs() / below.step / below.step;
    let found = Estimate {
        value: fine.value + truncation,
        error: 3.0 * truncation.abs() + fine.rounding + 4.0 * curvature * line.point,
        rounding: fine.rounding,
        step: above.step,
    };
    let reference =
        claim.value.abs().max(1e-2 * above.change() / above.step).max(1e-6 * above.size / line.scale);
    let settles =
        (coarse.value - fine.value).abs() <= 0.01 * fine.value.abs() + coarse.rounding + fine.rounding;
    let holds = settles
        && found.error <= (GLANCE * reference).max(BESIDE_OTHERS * claim.size)
        && claim.is_allowed_by(&found)
        && agree(&above, &below, &found, 4.0 * ladder.known_noise(&below));
    holds.then_some(found)
}

/// The estimate of a few steps, if it agrees with the claim, and nothing speaks against it.
fn quick(ladder: &mut Ladder<'_>, claim: &Claim) -> Option<Estimate> {
    let reference = claim.reference(ladder);
    let (found, last) = looks(ladder, 1e-11 * reference)?;
    let is_sharp = found.error <= 1e-8 * reference;
    let is_at_best =
        found.rounding >= 0.3 * found.error && found.error <= 1e-7 * coarseness(&ladder.line) * reference;
    let holds = (is_sharp || is_at_best) && claim.is_allowed_by(&found) && holds_below(ladder, last, &found);
    holds.then_some(found)
}

/// The best estimate of a few steps, and the power of the last of them: of smaller ones too where larger ones are off by
/// curvature, of larger ones too where rounding is what limits it.
fn looks(ladder: &mut Ladder<'_>, wished: f64) -> Option<(Estimate, i32)> {
    let first = Ladder::exponent(ladder.line.scale) + FIRST;
    let mut best = look(ladder, first, wished)?;
    let tries = match best.0.rounding >= 0.3 * best.0.error {
        true => HIGHER,
        false => LOWER,
    };
    for shift in tries {
        let is_sharp = best.0.error <= wished.max(1e-9 * best.0.value.abs());
        if is_sharp || 2f64.powi(first + shift) > ladder.line.largest {
            break;
        }
        match look(ladder, first + shift, wished) {
            Some(next) if next.0.error < best.0.error => best = next,
            _ => break,
        }
    }
    Some(best)
}

/// The best estimate from steps of two to this power down, until it is as good as wished, and the power of the last step.
fn look(ladder: &mut Ladder<'_>, first: i32, wished: f64) -> Option<(Estimate, i32)> {
    let mut quotients = Vec::new();
    let mut best: Option<Estimate> = None;
    for exponent in ((first - QUICK + 1)..=first).rev() {
        let rung = ladder.rung(exponent);
        let curvature = 2.0 * rung.even().abs() / rung.step / rung.step;
        quotients.push(ladder.quotient(&rung, Side::Both, ladder.known_noise(&rung))?);
        let Some(&(mut estimate, converged)) = limits(Series::Even, &quotients, 0.0).last() else { continue };
        // The point is rounded: its derivative is that of a point nearby.
        estimate.error += 4.0 * curvature * ladder.line.point;
        if converged && best.is_none_or(|best| estimate.error < best.error) {
            best = Some(estimate);
        }
        if let Some(best) = best
            && best.error <= wished
        {
            return Some((best, exponent));
        }
    }
    best.map(|best| (best, first - QUICK + 1))
}

/// Whether far smaller steps agree with an estimate, and see the function as smooth.
fn holds_below(ladder: &mut Ladder<'_>, last: i32, found: &Estimate) -> bool {
    let (above, below) = (ladder.rung(last), ladder.rung(last - BELOW));
    agree(&above, &below, found, 16.0 * ladder.known_noise(&below))
}

/// Whether two steps far apart, with values that are noisy, agree with an estimate, and see the function as smooth.
fn agree(above: &Rung, below: &Rung, found: &Estimate, noise: f64) -> bool {
    let ratio = below.step / above.step;
    let is_near = (below.odd() / below.step - found.value).abs()
        <= 0.01 * found.value.abs() + found.error + noise / below.step;
    // What is even in the step falls with its square, at a kink with the step itself.
    is_near && below.even().abs() <= noise + 4.0 * ratio * ratio * above.even().abs()
}

fn passed(claim: &Claim, estimate: Estimate, noise: Option<f64>) -> Judgement {
    Judgement {
        verdict: Verdict::Pass,
        reason: Reason::Agrees,
        given: claim.value,
        estimate,
        sides: None,
        noise,
    }
}

/// The judgement by all scales.
fn verdict(ladder: &mut Ladder<'_>, scan: &Scan, claim: &Claim) -> Judgement {
    let estimate = scan.central.map_or(Estimate::UNKNOWN, |found| found.estimate);
    let reference = claim.reference(ladder).max(claim.size);
    let known = (4.0 * ladder.line.epsilon * scan.size()).max(ladder.line.noise);
    let level = scan.noise_up_to(estimate.step.max(ladder.line.scale * 1e-3));
    let is_noisy = level > 1e3 * known && level > 0.0;
    let judgement = |verdict, reason, estimate, sides| Judgement {
        verdict,
        reason,
        given: claim.value,
        estimate,
        sides,
        noise: Some(level),
    };
    let hidden = || match is_noisy {
        true => (Verdict::Noisy, Reason::Noise(level)),
        false => (Verdict::Inconclusive, Reason::Rounding),
    };
    // How uncertain a difference may be to be worth judging by: a quarter of the digits.
    let sure = if is_noisy { 0.02 } else { ladder.line.epsilon.powf(0.25) } * reference;
    // Beside the other elements it is as good as none.
    let sure = sure.max(4e3 * ladder.line.epsilon.sqrt() * claim.size);
    // Where noise leaves few digits, its own size is uncertain.
    let error = if estimate.error > sure { UNCERTAIN * estimate.error } else { estimate.error };
    let estimate = Estimate { error, ..estimate };

    if let Some(size) = scan.jump(ladder) {
        let side =
            [scan.left, scan.right].into_iter().flatten().find(|side| claim.is_allowed_by(&side.estimate));
        return match side {
            Some(side) if !scan.is_edge() => {
                judgement(Verdict::Kink, Reason::BesideJump, side.estimate, None)
            }
            _ => judgement(Verdict::Inconclusive, Reason::Jump(size), estimate, None),
        };
    }
    if scan.is_steep(ladder) {
        return judgement(Verdict::Inconclusive, Reason::Infinite, estimate, None);
    }
    // A kink, or the end of the domain.
    let both = scan.left.zip(scan.right).map(|(left, right)| [left.estimate, right.estimate]);
    if let Some(sides) = both {
        let [left, right] = sides;
        let apart = (left.value - right.value).abs();
        let is_kink = apart > 1.5 * (left.error + right.error) && scan.bend() > 0.25 * apart;
        let is_central = scan.central.is_some() && estimate.error <= sure && claim.is_allowed_by(&estimate);
        let between =
            |low: f64, high: f64| claim.value >= low - claim.slack && claim.value <= high + claim.slack;
        let low = (left.value - left.error).min(right.value - right.error);
        let high = (left.value + left.error).max(right.value + right.error);
        if is_kink && (between(low, high) || !is_central) {
            let middle = Estimate {
                value: 0.5 * (left.value + right.value),
                error: 0.5 * apart + left.error.max(right.error),
                rounding: left.rounding.max(right.rounding),
                step: left.step.max(right.step),
            };
            return match between(low, high) {
                true => judgement(Verdict::Kink, Reason::Between, middle, Some(sides)),
                false if is_noisy && apart < 10.0 * (left.error + right.error) => {
                    judgement(Verdict::Noisy, Reason::Noise(level), middle, Some(sides))
                }
                false => judgement(Verdict::Wrong, Reason::Outside, middle, Some(sides)),
            };
        }
    }
    if let Some(central) = scan.central {
        // Where both sides are too uncertain by themselves, what is even in the step tells them.
        let is_allowed = claim.is_allowed_by(&estimate);
        let bent = if is_allowed { None } else { scan.bent(ladder, &central) };
        if let Some(sides) = bent.filter(|[left, right]| {
            let (low, high) = (left.value.min(right.value), left.value.max(right.value));
            let slack = claim.slack + left.error;
            (low - slack..=high + slack).contains(&claim.value)
        }) {
            return judgement(Verdict::Kink, Reason::Between, estimate, Some(sides));
        }
        // Zero on a tread of a staircase.
        let is_tread = match is_allowed {
            true => central.is_flat && scan.over_roughness.is_some(),
            false => claim.value.abs() <= claim.slack && scan.is_still(ladder, &central),
        };
        let narrow = scan.rungs[central.from[1]].step;
        let is_passed_over = || scan.is_passed_over(ladder, claim, &central.estimate, narrow);
        return match () {
            _ if !claim.value.is_finite() && estimate.error <= sure.max(1e-3 * estimate.value.abs()) => {
                judgement(Verdict::Wrong, Reason::NotFinite, estimate, None)
            }
            _ if !claim.value.is_finite() => {
                judgement(Verdict::Inconclusive, Reason::Unsettled, estimate, None)
            }
            _ if is_tread => judgement(Verdict::Noisy, Reason::Rough, estimate, None),
            _ if is_allowed && estimate.error <= sure => passed(claim, estimate, Some(level)),
            _ if is_allowed => {
                let (verdict, reason) = hidden();
                judgement(verdict, reason, estimate, None)
            }
            _ => match scan.over_roughness {
                Some(large) if claim.is_allowed_by(&large) && large.error <= 0.02 * reference => {
                    passed(claim, large, Some(level))
                }
                Some(large) if claim.is_allowed_by(&large) => {
                    judgement(Verdict::Noisy, Reason::Noise(level), large, None)
                }
                _ if scan.is_from_afar(ladder, claim.value, claim.slack) => {
                    judgement(Verdict::Inconclusive, Reason::Rounding, estimate, None)
                }
                _ if scan.is_unresolved() => {
                    judgement(Verdict::Inconclusive, Reason::Unsettled, estimate, None)
                }
                _ if scan.is_drowned(ladder, claim) => {
                    judgement(Verdict::Inconclusive, Reason::Rounding, estimate, None)
                }
                Some(large) if scan.is_passed_over(ladder, claim, &large, large.step) => {
                    judgement(Verdict::Noisy, Reason::Noise(level), large, None)
                }
                Some(large) => judgement(Verdict::Wrong, Reason::Differs, large, None),
                None if is_passed_over() || scan.is_outvoted(ladder, claim) => {
                    judgement(Verdict::Noisy, Reason::Noise(level), estimate, None)
                }
                None if scan.is_all_noise() || scan.is_doubtful(ladder, claim.value, claim.slack) => {
                    judgement(Verdict::Noisy, Reason::Noise(level), estimate, None)
                }
                None => judgement(Verdict::Wrong, Reason::Differs, estimate, None),
            },
        };
    }
    let one = scan.left.xor(scan.right).map(|found| found.estimate);
    match one {
        Some(side) if scan.is_edge() && claim.is_allowed_by(&side) => {
            judgement(Verdict::Kink, Reason::Edge, side, None)
        }
        Some(side) if scan.is_edge() && side.error <= 0.1 * (side.value - claim.value).abs() => {
            judgement(Verdict::Wrong, Reason::Differs, side, None)
        }
        _ => {
            let (verdict, reason) = match () {
                _ if scan.is_isolated() => (Verdict::Inconclusive, Reason::NoValues),
                _ if is_noisy => (Verdict::Noisy, Reason::Noise(level)),
                _ => (Verdict::Inconclusive, Reason::Unsettled),
            };
            judgement(verdict, reason, estimate, None)
        }
    }
}
