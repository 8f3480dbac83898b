//! The variance over axes, and its root.

use super::{deviations::deviations_beside, norm::factors, over};
use crate::{
    op::prelude::*,
    ops::{elementwise::strong_product, methods::*},
};
use gradus_tensor::{Axes, shape::reduced};

/// Variances over axes: `Σ (x - mean)² / (n - correction)`.
#[derive(Clone, Debug)]
pub struct Variance {
    /// Which axes.
    pub axes: Axes,
    /// What is taken off the number of elements: 0 for their own variance, 1 to estimate that of their source.
    pub correction: usize,
    /// Whether they stay, with size 1.
    pub keepdims: bool,
}

/// Standard deviations over axes: the roots of the variances.
#[derive(Clone, Debug)]
pub struct StandardDeviation {
    /// Which axes.
    pub axes: Axes,
    /// What is taken off the number of elements: 0 for their own deviation, 1 to estimate that of their source.
    pub correction: usize,
    /// Whether they stay, with size 1.
    pub keepdims: bool,
}

/// The groups that are reduced.
struct Groups {
    /// The shape of what a reduction gives, the axes kept.
    kept: Shape,
    /// n - correction, 0 at least.
    divisor: f64,
}

fn groups(op: &str, shape: Shape, axes: &Axes, correction: usize) -> Groups {
    let axes = axes.resolve(op, &shape).or_fail();
    let n: usize = axes.iter().map(|&axis| shape[axis]).product();
    Groups { kept: reduced(&shape, &axes, true), divisor: n.saturating_sub(correction) as f64 }
}

/// In f64; the axes become 1.
fn variances(x: &Array, axes: &[usize], correction: usize) -> Array {
    let n: usize = axes.iter().map(|&axis| x.shape()[axis]).product();
    let mean = x.fold_axes(axes, 0.0, |a, b| a + b).map(|sum| sum / n as f64);
    let squares = x.zip(&mean, |x, mean| (x - mean).powi(2)).fold_axes(axes, 0.0, |a, b| a + b);
    squares.map(|sum| sum / n.saturating_sub(correction) as f64)
}

/// Axes, correction and keepdims with an input.
fn random(g: &mut Gen, op: &str) -> (Axes, usize, bool, Tensor) {
    let (shape, axes) = over::random(g, op);
    let n: usize = axes.resolve(op, &shape).or_fail().iter().map(|&axis| shape[axis]).product();
    // A correction of all n divides by 0.
    let correction = if n > 1 { g.between(0, 1) } else { 0 };
    (axes, correction, g.between(0, 1) == 0, g.normal(shape))
}

impl Op for Variance {
    const NAME: &'static str = "var";
    const FORMULA: &'static str =
        "y = Σ (x - μ)² / (n - correction), μ the mean over the axes; dx = 2 g (x - μ) / (n - correction)";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        over::infer::<Self>(&self.axes, self.keepdims, inputs)
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].var_axes(self.axes.clone(), self.correction, self.keepdims).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], y, g) = (cx.inputs(), cx.output(), cx.cotangent());
        let Groups { kept, divisor } = groups(Self::NAME, x.shape(), &self.axes, self.correction);
        cx.add(0, || {
            let d = deviations_beside(x, &self.axes, &y.to_tensor().reshape(&kept));
            let g = g.reshape(&kept);
            if divisor == 0.0 {
                return g.strong_mul(&(c(f64::INFINITY) * d)); // NaN, or infinite
            }
            // Strong, so that equal elements get 0 through the infinite slope of a root too.
            d.strong_mul(&(c(2.0 / divisor) * g))
        });
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        over::reference::<Self>(&self.axes, self.keepdims, inputs, |x, axes| {
            variances(x, axes, self.correction)
        })
    }

    /// Mean, difference, square, its mean.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        4 * elements(&inputs[..1])
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        over::window::<Self>(&self.axes, self.keepdims, along)
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (axes, correction, keepdims, x) = random(g, "var");
        vec![Sample::new(Variance { axes, correction, keepdims }, [x])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = Variance { axes: 2.into(), correction: 1, keepdims: false };
        vec![over::no_such_axis(op)]
    }
}

impl StandardDeviation {
    /// Of shares of the deviation, which neither overflow nor underflow where x does not. `y` and `g` keep the axes.
    fn gradient<V: Value>(&self, x: &V, y: &V, g: &V, divisor: f64) -> V {
        let d = deviations_beside(x, &self.axes, &y.to_tensor().square());
        let y = y.masked_fill(&y.logical_not(), 1.0);
        g.strong_mul(&(c(1.0 / divisor) * (d / y)))
    }
}

impl Op for StandardDeviation {
    const NAME: &'static str = "std";
    const FORMULA: &'static str = "y = √(Σ (x - μ)² / (n - correction)), μ the mean over the axes; \
        dx = g (x - μ) / (y (n - correction)), 0 where y = 0";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        over::infer::<Self>(&self.axes, self.keepdims, inputs)
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].std_axes(self.axes.clone(), self.correction, self.keepdims).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], y, g) = (cx.inputs(), cx.output(), cx.cotangent());
        let Groups { kept, divisor } = groups(Self::NAME, x.shape(), &self.axes, self.correction);
        cx.add(0, || self.gradient(x, &y.reshape(&kept), &g.reshape(&kept), divisor));
    }

    /// In one pass where nothing leaves f32 on the way.
    fn backward_fused(&self, cx: &mut Backward<'_, Tensor>, _: &()) {
        let ([x], y, g) = (cx.inputs(), cx.output(), cx.cotangent());
        let Groups { kept, divisor } = groups(Self::NAME, x.shape().clone(), &self.axes, self.correction);
        let (y, g) = (y.reshape(&kept), g.reshape(&kept));
        cx.add(0, || match factors(&y, &g) {
            Some(factors) => {
                let factors = c(2.0 / divisor) * factors;
                deviations_beside(x, &self.axes, &y.square()).zip(&factors, strong_product)
            }
            None => self.gradient(x, &y, &g, divisor),
        });
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        over::reference::<Self>(&self.axes, self.keepdims, inputs, |x, axes| {
            variances(x, axes, self.correction).map(f64::sqrt)
        })
    }

    /// Mean, difference, square, its mean.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        4 * elements(&inputs[..1])
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        over::window::<Self>(&self.axes, self.keepdims, along)
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (axes, correction, keepdims, x) = random(g, "std");
        // A single element has no slope.
        let groups = x.std_axes(axes.clone(), 0, false);
        let op = StandardDeviation { axes, correction, keepdims };
        if groups.iter().all(|y| y > 0.0) { vec![Sample::new(op, [x])] } else { vec![] }
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = StandardDeviation { axes: 2.into(), correction: 1, keepdims: false };
        vec![over::no_such_axis(op)]
    }
}
