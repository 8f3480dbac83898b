//! How rough a function is at all spacings, and what of it does not vanish with the step.

use crate::{
    ladder::{Ladder, Line, Rung},
    noise::{Noise, noise},
};

/// How many times the noise a change of the value is that noise has no part in.
pub(crate) const CLEAR: f64 = 16.0;
/// How many times the standard deviation of noise a value may be off.
pub(crate) const DEVIATIONS: f64 = 6.0;
/// How many roundings of a number of the size of the variable noise may be of, to be explained by them.
const ROUNDINGS: f64 = 4.0;
/// How many roundings of the variable apart points are at least at which noise that is gone is a sign.
const NEIGHBOURS: f64 = 1024.0;
/// Over which part of the variable's size a function bends so little that what looks like noise is noise.
const SMOOTH: f64 = 1e-3;

/// The noise of the values at spacings from wide to narrow, to one side: a kink at the point is no noise. The spacings are
/// no powers of two: rounding to binary digits would not show at those.
pub(crate) fn roughness(ladder: &mut Ladder<'_>, rungs: &[Rung]) -> Vec<(f64, Noise)> {
    let mut found = Vec::new();
    for rung in rungs.iter().skip(4).step_by(3) {
        let side = 1.2345 * if rung.right.is_finite() { rung.step } else { -rung.step };
        let values: Vec<f64> = (1..=8).map(|k| ladder.value(f64::from(k) * side)).collect();
        if values.iter().all(|y| y.is_finite()) {
            found.push((side.abs(), noise(&values)));
        }
    }
    found
}

/// The noise that does not vanish with the step: values that are all the same by chance are no sign of that, unless their noise is
/// known, and is no more than that.
pub(crate) fn floor(ladder: &mut Ladder<'_>, rungs: &[Rung], roughness: &[(f64, Noise)]) -> f64 {
    if ladder.line.noise > 0.0 {
        return unknown(ladder, roughness).unwrap_or(0.0);
    }
    let levels = roughness.iter().map(|(_, noise)| noise.level).filter(|&level| level > 0.0);
    let mut levels: Vec<f64> = levels.collect();
    levels.sort_by(f64::total_cmp);
    // A kink far away shows at one or two spacings alone, and rounding may vanish at one by chance.
    let is_by_chance = |level: f64| level <= f64::EPSILON * rungs.last().map_or(0.0, |rung| rung.size);
    let least = match levels[..] {
        [least, next, _, ..] => {
            if is_by_chance(least) {
                next
            } else {
                least
            }
        }
        _ => 0.0,
    };
    DEVIATIONS * least
}

/// The noise of values at the narrowest spacings that have any, if it is more than is said to be known: at most of them, for a
/// spacing at which each value is one rounding further shows none.
fn unknown(ladder: &mut Ladder<'_>, roughness: &[(f64, Noise)]) -> Option<f64> {
    let rung = ladder.rung(Ladder::exponent(SMOOTH * ladder.line.scale));
    let known = CLEAR * ladder.known_noise(&rung);
    let narrow = roughness.iter().rev().map(|(_, noise)| noise).filter(|noise| noise.level > 0.0).take(5);
    let mut more: Vec<f64> =
        narrow.filter(|noise| noise.detected && noise.level > known).map(|noise| noise.level).collect();
    more.sort_by(f64::total_cmp);
    (more.len() >= 3).then(|| DEVIATIONS * more[more.len() / 2])
}

/// The largest noise that is no more than rounding numbers of the size of the variable makes, at the steepest slope there is
/// nearby, and that is gone at smaller spacings. Of `1.0001 * x` the roundings of neighbours are the same; but all of the noise is
/// there that shows at larger spacings. None if nothing is gone.
pub(crate) fn inner(ladder: &Ladder<'_>, rungs: &[Rung], roughness: &[(f64, Noise)]) -> f64 {
    let Line { scale, epsilon, .. } = ladder.line;
    let near = || rungs.iter().filter(|rung| rung.step <= scale);
    let is_rounding = |level: &f64| {
        let clear = near().filter(|rung| rung.change() >= CLEAR * level);
        let steepest = clear.map(|rung| rung.change() / rung.step).fold(0.0, f64::max);
        *level <= ROUNDINGS * epsilon * scale * steepest
    };
    let levels = roughness.iter().filter(|(_, noise)| noise.detected).map(|(_, noise)| noise.level);
    let largest = levels.filter(is_rounding).fold(0.0, f64::max);
    // Neighbours of a few roundings of the variable are often the same.
    let wide = roughness.iter().filter(|(spacing, _)| *spacing >= NEIGHBOURS * epsilon * scale);
    let least = wide.map(|(_, noise)| noise.level).fold(f64::INFINITY, f64::min);
    if largest > CLEAR * least { largest } else { 0.0 }
}
