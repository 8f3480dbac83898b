//! Norms of vectors over axes.

use super::over;
use crate::{
    op::prelude::*,
    ops::{
        elementwise::{Powf, strong_product},
        methods::*,
    },
};
use gradus_tensor::{Axes, shape::reduced};

/// Norms over axes: `(Σ |x|^p)^(1/p)`.
#[derive(Clone, Debug)]
pub struct VectorNorm {
    /// The order: finite and not 0.
    pub p: f32,
    /// Which axes.
    pub axes: Axes,
    /// Whether they stay, with size 1.
    pub keepdims: bool,
}

impl VectorNorm {
    /// Of shares of the norm, which neither overflow nor underflow where x does not. `y` and `g` keep the axes.
    fn gradient<V: Value>(&self, x: &V, y: &V, g: &V) -> V {
        let y = y.masked_fill(&y.logical_not(), 1.0);
        let slope = match self.p {
            2.0 => x / y,
            p => {
                let shares = V::apply(Powf(f64::from(p) - 1.0), &[&(x.abs() / y)]);
                x.sign().strong_mul(&shares)
            }
        };
        g.strong_mul(&slope)
    }
}

/// Factors of norms and of deviations, `g / (2 y)`, if each of them can be multiplied with: neither `y` nor the quotient is
/// near a bound of f32.
pub(super) fn factors(y: &Tensor, g: &Tensor) -> Option<Tensor> {
    const BOUND: f32 = (1u128 << 100) as f32;
    let factors = y.zip(g, |y, g| strong_product(g, 0.5 / y));
    let ordinary = |x: f32| (1.0 / BOUND..BOUND).contains(&x);
    let all = y.iter().all(ordinary) && factors.iter().all(|x| x == 0.0 || ordinary(x.abs()));
    // A quotient that underflowed to 0 is no harm, beside a y that is ordinary.
    all.then_some(factors)
}

impl Op for VectorNorm {
    const NAME: &'static str = "vector_norm";
    const FORMULA: &'static str =
        "y = (Σ |x|^p)^(1/p) over the axes; dx = g sign x (|x| / y)^(p-1), 0 where x = 0";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        over::infer::<Self>(&self.axes, self.keepdims, inputs)
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].vector_norm(self.p, self.axes.clone(), self.keepdims).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], y, g) = (cx.inputs(), cx.output(), cx.cotangent());
        let kept = reduced(&x.shape(), &self.axes.resolve(Self::NAME, &x.shape()).or_fail(), true);
        cx.add(0, || self.gradient(x, &y.reshape(&kept), &g.reshape(&kept)));
    }

    /// In one pass where nothing leaves f32 on the way.
    fn backward_fused(&self, cx: &mut Backward<'_, Tensor>, _: &()) {
        let ([x], y, g) = (cx.inputs(), cx.output(), cx.cotangent());
        let kept = over::kept::<Self>(&self.axes, x.shape());
        let (y, g) = (y.reshape(&kept), g.reshape(&kept));
        cx.add(0, || match factors(&y, &g) {
            Some(factors) if self.p == 2.0 => x.zip(&factors, |x, factor| strong_product(factor, 2.0 * x)),
            _ => self.gradient(x, &y, &g),
        });
    }

    fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array> {
        let p = f64::from(self.p);
        over::reference::<Self>(&self.axes, self.keepdims, inputs, |x, axes| {
            let sizes = x.map(|x| if branches.test(x < 0.0) { -x } else { x });
            // High powers overflow in f64 too.
            let (start, leading): (f64, fn(f64, f64) -> f64) =
                if p > 0.0 { (0.0, f64::max) } else { (f64::INFINITY, f64::min) };
            let unit = sizes.fold_axes(axes, start, leading);
            let unit = unit.map(|unit| if unit == 0.0 || unit.is_infinite() { 1.0 } else { unit });
            let powers = sizes.zip(&unit, |x, unit| (x / unit).powf(p)).fold_axes(axes, 0.0, |a, b| a + b);
            powers.zip(&unit, |sum, unit| sum.powf(1.0 / p) * unit)
        })
    }

    /// Power and sum.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        2 * elements(&inputs[..1])
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        over::window::<Self>(&self.axes, self.keepdims, along)
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (shape, axes) = over::random(g, "vector_norm");
        let p = [2.0, 2.0, 1.5, 3.0, 4.5, 0.5, -1.0][g.between(0, 6)];
        let op = VectorNorm { p, axes, keepdims: g.between(0, 1) == 0 };
        vec![Sample::new(op, [g.nonzero(shape, 0.3)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = VectorNorm { p: 2.0, axes: 2.into(), keepdims: false };
        vec![over::no_such_axis(op)]
    }
}
