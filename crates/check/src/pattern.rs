//! How wrong gradients differ from right ones: what kind of mistake makes such a difference.

use crate::estimate::Estimate;
use std::fmt;

/// The kind of a difference between wrong and right gradients.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    /// The wrong ones are zero.
    Zero,
    /// The wrong ones are NaN or infinite.
    NotFinite,
    /// The wrong ones have the other sign.
    Sign,
    /// The wrong ones are the right ones times this number.
    Factor {
        /// The number.
        ratio: f64,
        /// What it may come from, such as a mean for a sum.
        reason: Option<&'static str>,
    },
    /// The wrong ones are the right ones plus this number.
    Offset(f64),
    /// A term is missing in the wrong ones: the variable itself times this number, as of a penalty on squares.
    MissingSquares(f64),
    /// A term is missing in the wrong ones: the sign of the variable times this number, as of a penalty on sizes.
    MissingSizes(f64),
    /// The matrix of the wrong ones is the transpose of the right one.
    Transposed,
    /// The wrong ones are the right ones of so many places further along the last axis.
    Shifted(isize),
    /// The gradients of these two elements are exchanged.
    Exchanged(usize, usize),
    /// Only one element is wrong.
    OneElement,
    /// Only elements at one place of an axis are wrong.
    Along {
        /// The axis.
        axis: usize,
        /// The place.
        index: usize,
    },
    /// Some elements are wrong, and in no simple way.
    Some {
        /// How many.
        wrong: usize,
        /// Of how many that were looked at.
        of: usize,
        /// Whether they are zero.
        zero: bool,
    },
    /// It is right at this point alone: something in its formula is a constant that should depend on the variables. Who can run
    /// the formula at other points finds this.
    Constant,
    /// All elements are wrong, and in no simple way.
    Irregular,
}

/// A gradient at one element beside the right one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The element's place in row-major order.
    pub flat: usize,
    /// What was given.
    pub found: f64,
    /// The derivative.
    pub right: f64,
    /// How far that may be off.
    pub error: f64,
    /// Whether the one contradicts the other.
    pub wrong: bool,
}

/// The pattern of wrong elements among `pairs`, in the order of their places; `None` if none is wrong. `x` is the point, of as
/// many numbers as the shape has, or empty if there is no such thing.
///
/// ```
/// use gradus_check::{Pair, Pattern, pattern};
///
/// let right = [1.0, -2.0, 3.0];
/// let pair = |flat: usize| Pair { flat, found: 2.0 * right[flat], right: right[flat], error: 1e-9, wrong: true };
/// let reason = Some("a term counts twice");
/// assert_eq!(pattern(&[pair(0), pair(1), pair(2)], &[3], &[]), Some(Pattern::Factor { ratio: 2.0, reason }));
/// ```
pub fn pattern(pairs: &[Pair], shape: &[usize], x: &[f64]) -> Option<Pattern> {
    let wrong: Vec<&Pair> = pairs.iter().filter(|pair| pair.wrong).collect();
    let first = *wrong.first()?;
    if wrong.iter().all(|pair| !pair.found.is_finite()) {
        return Some(Pattern::NotFinite);
    }
    let largest = pairs.iter().fold(0.0f64, |m, pair| m.max(pair.right.abs()));
    let near = |pair: &Pair, a: f64, b: f64| {
        (a - b).abs() <= 2.0 * pair.error + 1e-5 * a.abs().max(b.abs()).max(1e-3 * largest)
    };
    if let [a, b] = wrong[..]
        && pairs.len() > 2
        && near(b, a.found, b.right)
        && near(a, b.found, a.right)
    {
        return Some(Pattern::Exchanged(a.flat, b.flat));
    }
    if let Some(along) = place(pairs, &wrong, shape) {
        return Some(along);
    }
    let certain = pairs.iter().filter(|pair| pair.right.abs() > 1e-9 * largest).count();
    let zero = wrong.iter().all(|pair| pair.found.abs() <= 1e-9 * largest);
    if wrong.len() < certain && zero {
        return Some(Pattern::Some { wrong: wrong.len(), of: pairs.len(), zero });
    }
    if zero {
        return Some(Pattern::Zero);
    }
    let everywhere = |holds: &dyn Fn(&Pair) -> bool| pairs.iter().all(holds);
    // The ratio is taken where it is most certain.
    let most = wrong.iter().max_by(|a, b| a.right.abs().total_cmp(&b.right.abs())).unwrap_or(&first);
    let ratio = most.found / most.right;
    // Near 1, what is irregular is a factor only if it is one far more nearly.
    let is_times = |pair: &Pair| {
        let off = (pair.found - ratio * pair.right).abs();
        near(pair, pair.found, ratio * pair.right)
            && off <= 2.0 * pair.error + 0.1 * (ratio - 1.0).abs() * pair.right.abs().max(1e-3 * largest)
    };
    if ratio.is_finite() && everywhere(&is_times) {
        let factor = factor(ratio, shape);
        // Of a single number any other is a multiple.
        if pairs.len() > 1 || !matches!(factor, Pattern::Factor { reason: None, .. }) {
            return Some(factor);
        }
    }
    let elements: usize = shape.iter().product();
    let is_whole = pairs.len() == elements;
    if is_whole {
        if let [n, m] = *shape
            && n == m
            && n > 1
            && everywhere(&|pair| near(pair, pair.found, pairs[pair.flat % n * n + pair.flat / n].right))
        {
            return Some(Pattern::Transposed);
        }
        if let Some(places) = shift(pairs, shape, near) {
            return Some(Pattern::Shifted(places));
        }
    }
    if wrong.len() > 2 {
        let missing = |of: &dyn Fn(f64) -> f64| -> Option<f64> {
            let term = |pair: &Pair| x.get(pair.flat).map(|&x| of(x));
            let at = wrong.iter().max_by(|a, b| {
                let size = |pair: &Pair| term(pair).unwrap_or(0.0).abs();
                size(a).total_cmp(&size(b))
            })?;
            let factor = (at.right - at.found) / term(at)?;
            let fits = |pair: &Pair| {
                term(pair).is_some_and(|term| near(pair, pair.right - pair.found, factor * term))
            };
            (factor.is_finite() && everywhere(&fits)).then_some(factor)
        };
        if let Some(offset) = missing(&|_| -1.0).or_else(|| {
            let offset = first.found - first.right;
            (x.is_empty() && everywhere(&|pair| near(pair, pair.found - pair.right, offset)))
                .then_some(offset)
        }) {
            return Some(Pattern::Offset(offset));
        }
        if let Some(factor) = missing(&|x| x) {
            return Some(Pattern::MissingSquares(factor));
        }
        if let Some(factor) = missing(&f64::signum) {
            return Some(Pattern::MissingSizes(factor));
        }
    }
    Some(match wrong.len() {
        wrong if wrong < certain => Pattern::Some { wrong, of: pairs.len(), zero },
        _ => Pattern::Irregular,
    })
}

/// The pattern of a whole gradient of which only derivatives along random directions are known, one number for each
/// element: each kind of mistake is undone, and the result compared with them.
///
/// Directions see every element, so this tells of millions of elements what holds for all.
pub fn pattern_along(
    given: &[f64],
    directions: &[(Vec<f64>, Estimate)],
    shape: &[usize],
    x: &[f64],
) -> Option<Pattern> {
    let project =
        |of: &dyn Fn(usize) -> f64, d: &[f64]| -> f64 { d.iter().enumerate().map(|(i, d)| of(i) * d).sum() };
    if directions.len() < 2 || given.iter().any(|g| !g.is_finite()) {
        return None;
    }
    let same_within = |of: &dyn Fn(usize) -> f64, part: f64| {
        directions.iter().all(|(d, estimate)| {
            let squares: f64 = d.iter().enumerate().map(|(i, d)| (of(i) * d).powi(2)).sum();
            estimate.allows(project(of, d), part * squares.sqrt())
        })
    };
    let same = |of: &dyn Fn(usize) -> f64| same_within(of, 1e-6);
    let most = directions.iter().max_by(|a, b| a.1.value.abs().total_cmp(&b.1.value.abs()))?;
    let along = |of: &dyn Fn(usize) -> f64| project(of, &most.0);
    let claimed = along(&|i| given[i]);
    if given.iter().all(|&g| g == 0.0) {
        return Some(Pattern::Zero);
    }
    let ratio = claimed / most.1.value;
    // Near 1, what is irregular is a factor only if it is one far more nearly.
    let part = (0.01 * (ratio - 1.0).abs()).min(1e-6);
    if ratio.is_finite() && ratio != 0.0 && same_within(&|i| given[i] / ratio, part) {
        return Some(factor(ratio, shape));
    }
    if let [n, m] = *shape
        && n == m
        && same(&|i| given[i % n * n + i / n])
    {
        return Some(Pattern::Transposed);
    }
    let n = shape.last().copied().unwrap_or(1);
    let shifted = [1isize, -1].into_iter().find(|&places| {
        n > 3 && same(&|i| given[i / n * n + (i % n).wrapping_add_signed(-places).wrapping_add(n) % n])
    });
    if let Some(places) = shifted {
        return Some(Pattern::Shifted(places));
    }
    let missing = |term: &dyn Fn(usize) -> f64| -> Option<f64> {
        let factor = (most.1.value - claimed) / along(term);
        (factor.is_finite() && same(&|i| given[i] + factor * term(i))).then_some(factor)
    };
    let at = |i: usize| x.get(i).copied().unwrap_or(0.0);
    missing(&|_| 1.0)
        .map(|term| Pattern::Offset(-term))
        .or_else(|| missing(&at).map(Pattern::MissingSquares))
        .or_else(|| missing(&|i| at(i).signum()).map(Pattern::MissingSizes))
}

fn factor(ratio: f64, shape: &[usize]) -> Pattern {
    match (ratio + 1.0).abs() < 1e-5 {
        true => Pattern::Sign,
        false => Pattern::Factor { ratio, reason: reason(ratio, shape) },
    }
}

/// One element, or one place of an axis, if the others that were looked at are right.
fn place(pairs: &[Pair], wrong: &[&Pair], shape: &[usize]) -> Option<Pattern> {
    if pairs.len() < 2 || wrong.len() == pairs.len() {
        return None;
    }
    if wrong.len() == 1 {
        return Some(Pattern::OneElement);
    }
    (0..shape.len()).find_map(|axis| {
        let inner: usize = shape[axis + 1..].iter().product();
        let index = |pair: &Pair| pair.flat / inner % shape[axis];
        let place = index(wrong[0]);
        // A place of the axis, and nearly all of it: a few wrong elements may share one by chance.
        let there = pairs.iter().filter(|pair| index(pair) == place).count();
        let only = wrong.iter().all(|pair| index(pair) == place);
        (shape[axis] > 1 && only && 2 * wrong.len() >= there).then_some(Pattern::Along { axis, index: place })
    })
}

fn reason(ratio: f64, shape: &[usize]) -> Option<&'static str> {
    let is = |x: f64| (ratio / x - 1.0).abs() < 1e-5;
    let sizes = || shape.iter().copied().chain([shape.iter().product()]).filter(|&n| n > 2).map(|n| n as f64);
    match () {
        _ if sizes().any(|n| is(1.0 / n)) => Some("a mean for a sum"),
        _ if sizes().any(is) => Some("a sum for a mean"),
        _ if is(0.5) => Some("one of two equal terms is missing"),
        _ if is(2.0) => Some("a term counts twice"),
        _ => None,
    }
}

fn shift(pairs: &[Pair], shape: &[usize], near: impl Fn(&Pair, f64, f64) -> bool) -> Option<isize> {
    let n = *shape.last()?;
    // The ends have no partner.
    let shifted = |places: isize| {
        let fits = |pair: &Pair| match (pair.flat % n).checked_add_signed(places) {
            Some(to) if to < n => near(pair, pair.found, pairs[pair.flat.wrapping_add_signed(places)].right),
            _ => true,
        };
        pairs.iter().all(fits)
    };
    [1, -1].into_iter().find(|&places| n > 3 && shifted(places))
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Zero => f.write_str("it is zero: a lost term, or a value that was detached"),
            Pattern::NotFinite => f.write_str("it is not finite"),
            Pattern::Sign => f.write_str("the other sign"),
            Pattern::Factor { ratio, reason } => {
                // A factor near 1 shows in its distance from it.
                match (ratio - 1.0).abs() < 5e-4 {
                    true => write!(f, "1 {:+.3e} times the right one", ratio - 1.0)?,
                    false => write!(f, "{ratio:.6} times the right one")?,
                }
                reason.map_or(Ok(()), |reason| write!(f, ": {reason}?"))
            }
            Pattern::Offset(offset) => write!(f, "{offset:+.6e} beside the right one everywhere"),
            Pattern::MissingSquares(factor) => {
                write!(f, "{factor:.6e} times the variable is missing: the gradient of a penalty on squares?")
            }
            Pattern::MissingSizes(factor) => {
                write!(
                    f,
                    "{factor:.6e} times the variable's sign is missing: the gradient of a penalty on sizes?"
                )
            }
            Pattern::Transposed => f.write_str("the transpose of the right one"),
            Pattern::Shifted(places) => write!(f, "the right one, shifted by {places} along the last axis"),
            Pattern::Exchanged(a, b) => write!(f, "elements {a} and {b} are exchanged"),
            Pattern::OneElement => f.write_str("one element alone is wrong"),
            Pattern::Along { axis, index } => write!(f, "wrong at place {index} of axis {axis} alone"),
            Pattern::Some { wrong, of, zero: true } => {
                write!(f, "{wrong} of {of} elements are zero: a tail, a border or a branch that was left out")
            }
            Pattern::Some { wrong, of, zero: false } => {
                write!(f, "{wrong} of {of} elements are wrong, in no simple way: a wrong term or branch")
            }
            Pattern::Constant => f.write_str(
                "right at the recorded point alone: the rule reads a number where it should read a variable",
            ),
            Pattern::Irregular => f.write_str("wrong in no simple way: a term is missing or wrong"),
        }
    }
}
