//! The logarithm of the sum of exponentials over axes.

use super::over;
use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::Axes;

/// `ln Σ e^x` over axes.
#[derive(Clone, Debug)]
pub struct LogSumExp {
    /// Which axes.
    pub axes: Axes,
    /// Whether they stay, with size 1.
    pub keepdims: bool,
}

impl Op for LogSumExp {
    const NAME: &'static str = "logsumexp";
    const FORMULA: &'static str = "y = ln Σ e^x over the axes; dx = g e^(x - y)";
    const PRECISION: Precision = Precision::UlpsOfLargest(4.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        over::infer::<Self>(&self.axes, self.keepdims, inputs)
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].logsumexp_axes(self.axes.clone(), self.keepdims).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], y, g) = (cx.inputs(), cx.output(), cx.cotangent());
        let shape = x.shape();
        let kept = over::kept::<Self>(&self.axes, &shape);
        cx.add(0, || {
            let y = y.reshape(&kept);
            let nothing = y.equals(f32::NEG_INFINITY);
            let weights = (x - y.masked_fill(&nothing, 0.0)).exp();
            g.reshape(&kept).strong_mul(&weights)
        });
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        over::reference::<Self>(&self.axes, self.keepdims, inputs, |x, axes| {
            let max = x.fold_axes(axes, f64::NEG_INFINITY, f64::max);
            let terms = x.zip(&max, |x, max| (x - max).exp());
            // The largest is 1, and apart from the others, as in the reference of the softmax's logarithm.
            let ones = terms.fold_axes(axes, -1.0, |ones, term| if term == 1.0 { ones + 1.0 } else { ones });
            let rest = terms.fold_axes(axes, 0.0, |rest, term| if term == 1.0 { rest } else { rest + term });
            ones.zip(&rest, |ones, rest| (ones + rest).ln_1p()).zip(&max, |log, max| log + max)
        })
    }

    /// Greatest element, difference, exponential, sum.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        4 * elements(&inputs[..1])
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        over::window::<Self>(&self.axes, self.keepdims, along)
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let shape = g.shape();
        let axes = g.some_axes(shape.len());
        let op = LogSumExp { axes, keepdims: g.between(0, 1) == 0 };
        let x = g.normal(shape);
        // An empty sum is -inf, which has no derivative for the laws to look at.
        let infinite = x.is_empty() && !x.max_axes(op.axes.clone(), false).is_empty();
        if infinite { vec![] } else { vec![Sample::new(op, [x])] }
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = LogSumExp { axes: 2.into(), keepdims: false };
        vec![over::no_such_axis(op)]
    }
}
