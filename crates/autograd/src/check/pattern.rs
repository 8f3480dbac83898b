//! How wrong gradients differ from right ones: what kind of mistake makes such a difference.

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
    /// The matrix of the wrong ones is the transpose of the right one.
    Transposed,
    /// The wrong ones are the right ones of so many places further along the last axis.
    Shifted(isize),
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
    /// It is right at the recorded point alone: something in the rule is a constant that should depend on the inputs.
    Constant,
    /// All elements are wrong, and in no simple way.
    Irregular,
}

/// A gradient at one element beside the right one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) flat: usize,
    pub(super) found: f64,
    pub(super) right: f64,
    pub(super) wrong: bool,
}

/// The pattern of the wrong ones, if any are wrong.
pub(super) fn pattern(pairs: &[Pair], shape: &[usize]) -> Option<Pattern> {
    let wrong: Vec<&Pair> = pairs.iter().filter(|pair| pair.wrong).collect();
    let first = wrong.first()?;
    let all = |holds: &dyn Fn(&Pair) -> bool| wrong.iter().all(|pair| holds(pair));
    if all(&|pair| !pair.found.is_finite()) {
        return Some(Pattern::NotFinite);
    }
    if let Some(along) = place(pairs, &wrong, shape) {
        return Some(along);
    }
    let largest = pairs.iter().fold(0.0f64, |m, pair| m.max(pair.right.abs()));
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-5 * a.abs().max(b.abs()).max(1e-3 * largest);
    let certain = pairs.iter().filter(|pair| pair.right.abs() > 1e-9 * largest).count();
    let zero = all(&|pair| pair.found.abs() <= 1e-9 * largest);
    if wrong.len() < certain && zero {
        return Some(Pattern::Some { wrong: wrong.len(), of: pairs.len(), zero });
    }
    if zero {
        return Some(Pattern::Zero);
    }
    // The ratio is taken where it is most certain.
    let most = wrong.iter().max_by(|a, b| a.right.abs().total_cmp(&b.right.abs())).unwrap_or(first);
    let ratio = most.found / most.right;
    if ratio.is_finite() && pairs.iter().all(|pair| near(pair.found, ratio * pair.right)) {
        let is_sign = (ratio + 1.0).abs() < 1e-5;
        return Some(if is_sign {
            Pattern::Sign
        } else {
            Pattern::Factor { ratio, reason: reason(ratio, shape) }
        });
    }
    let elements: usize = shape.iter().product();
    if pairs.len() == elements {
        if let [n, m] = *shape
            && n == m
            && pairs.iter().all(|pair| near(pair.found, pairs[pair.flat % n * n + pair.flat / n].right))
        {
            return Some(Pattern::Transposed);
        }
        if let Some(places) = shift(pairs, shape, near) {
            return Some(Pattern::Shifted(places));
        }
    }
    let offset = first.found - first.right;
    if wrong.len() > 2 && pairs.iter().all(|pair| near(pair.found - pair.right, offset)) {
        return Some(Pattern::Offset(offset));
    }
    Some(match wrong.len() {
        wrong if wrong < certain => Pattern::Some { wrong, of: pairs.len(), zero },
        _ => Pattern::Irregular,
    })
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

fn shift(pairs: &[Pair], shape: &[usize], near: impl Fn(f64, f64) -> bool) -> Option<isize> {
    let n = *shape.last()?;
    // The ends have no partner.
    let shifted = |places: isize| {
        let fits = |pair: &Pair| match (pair.flat % n).checked_add_signed(places) {
            Some(to) if to < n => near(pair.found, pairs[pair.flat.wrapping_add_signed(places)].right),
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
            Pattern::Factor { ratio, reason: None } => write!(f, "{ratio:.6} times the right one"),
            Pattern::Factor { ratio, reason: Some(reason) } => {
                write!(f, "{ratio:.6} times the right one: {reason}?")
            }
            Pattern::Offset(offset) => write!(f, "{offset:.6} more than the right one everywhere"),
            Pattern::Transposed => f.write_str("the transpose of the right one"),
            Pattern::Shifted(places) => write!(f, "the right one, shifted by {places} along the last axis"),
            Pattern::OneElement => f.write_str("one element alone is wrong"),
            Pattern::Along { axis, index } => write!(f, "wrong at place {index} of axis {axis} alone"),
            Pattern::Constant => f.write_str(
                "right at the recorded point alone: the rule reads a number where it should read a variable",
            ),
            Pattern::Some { wrong, of, zero: true } => {
                write!(f, "{wrong} of {of} elements are zero: a tail, a border or a branch that was left out")
            }
            Pattern::Some { wrong, of, zero: false } => {
                write!(f, "{wrong} of {of} elements are wrong, in no simple way: a wrong term or branch")
            }
            Pattern::Irregular => f.write_str("wrong in no simple way: a term is missing or wrong"),
        }
    }
}
