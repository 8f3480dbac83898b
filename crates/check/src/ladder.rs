//! Values of a function at steps that are powers of two, to both sides, each computed once.

use crate::estimate::Quotient;
use std::collections::BTreeMap;

/// A line through the point at which a gradient is checked: what is known of a function of one number `t`, whose derivative
/// at 0 is asked for, before any value is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// The size of `t` over which the function is expected to change in earnest; for a single variable its own size.
    pub scale: f64,
    /// The largest step that makes sense.
    pub largest: f64,
    /// The smallest one: smaller ones are lost in the rounding of the point.
    pub smallest: f64,
    /// The distance from 1 to the next number, in the arithmetic of the function.
    pub epsilon: f64,
    /// A bound on the noise of the values that is known beforehand, beside `epsilon` times the values; 0 if none is.
    pub noise: f64,
    /// By how much `t` is uncertain because the point itself is rounded.
    pub point: f64,
    /// The size of the function's value, where changes of it are given in its place; else 0.
    pub size: f64,
}

impl Line {
    /// The line along which one variable of this value moves. `typical` is the size of a variable where the value is zero.
    pub fn through(x: f64, typical: f64, epsilon: f64) -> Line {
        let scale = if x == 0.0 { typical } else { x.abs() };
        Line {
            scale,
            largest: 8.0 * scale.max(typical),
            smallest: if x == 0.0 { 0.0 } else { 2.0 * epsilon * scale },
            epsilon,
            noise: 0.0,
            point: epsilon * x.abs(),
            size: 0.0,
        }
    }
}

/// The values at a step to the right and to the left, less the value at 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rung {
    pub(crate) step: f64,
    pub(crate) right: f64,
    pub(crate) left: f64,
    /// The size of the values.
    pub(crate) size: f64,
}

impl Rung {
    /// The larger change of the value, of those that are finite.
    pub(crate) fn change(&self) -> f64 {
        [self.right, self.left].into_iter().filter(|y| y.is_finite()).fold(0.0, |m, y| m.max(y.abs()))
    }

    /// Half the difference of both sides.
    pub(crate) fn odd(&self) -> f64 {
        0.5 * self.right - 0.5 * self.left
    }

    /// Their mean: what is left of a smooth function is its curvature.
    pub(crate) fn even(&self) -> f64 {
        0.5 * self.right + 0.5 * self.left
    }
}

/// Which side of the point differences are taken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Both,
    Left,
    Right,
}

pub(crate) struct Ladder<'f> {
    f: &'f mut dyn FnMut(f64) -> f64,
    pub(crate) start: f64,
    rungs: BTreeMap<i32, Rung>,
    pub(crate) line: Line,
}

impl<'f> Ladder<'f> {
    pub(crate) fn new(f: &'f mut dyn FnMut(f64) -> f64, line: Line) -> Ladder<'f> {
        let start = f(0.0);
        Ladder { f, start, rungs: BTreeMap::new(), line }
    }

    /// The exponent of a step.
    pub(crate) fn exponent(step: f64) -> i32 {
        step.clamp(1e-300, 1e300).log2().floor() as i32
    }

    pub(crate) fn value(&mut self, t: f64) -> f64 {
        (self.f)(t)
    }

    /// The values at a step of two to this power.
    pub(crate) fn rung(&mut self, exponent: i32) -> Rung {
        if let Some(rung) = self.rungs.get(&exponent) {
            return *rung;
        }
        let step = 2f64.powi(exponent);
        let (right, left) = (self.value(step), self.value(-step));
        let size = [right, left, self.start]
            .into_iter()
            .filter(|y| y.is_finite())
            .fold(self.line.size, |m, y| m.max(y.abs()));
        let rung = Rung { step, right: right - self.start, left: left - self.start, size };
        self.rungs.insert(exponent, rung);
        rung
    }

    /// What the noise of values is at least known to be, at a rung.
    pub(crate) fn known_noise(&self, rung: &Rung) -> f64 {
        self.line.noise.max(4.0 * self.line.epsilon * rung.size)
    }

    /// The difference quotient of a rung, if its values are finite. `noise` is that of the values.
    pub(crate) fn quotient(&self, rung: &Rung, side: Side, noise: f64) -> Option<Quotient> {
        let Rung { step, right, left, .. } = *rung;
        let (value, values) = match side {
            Side::Both => (rung.odd() / step, 1.0),
            Side::Right => (right / step, 2.0),
            Side::Left => (-left / step, 2.0),
        };
        // The point and its neighbours are rounded, too.
        let rounding = (values * noise + self.line.point * value.abs()) / step;
        value.is_finite().then_some(Quotient { step, value, rounding })
    }
}
