//! The variance over axes.

use super::nonempty_axes;
use crate::{op::prelude::*, ops::methods::*};
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

impl Op for Variance {
    const NAME: &'static str = "var";
    const FORMULA: &'static str =
        "y = Σ (x - μ)² / (n - correction), μ the mean over the axes; dx = 2 g (x - μ) / (n - correction)";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity("var", inputs);
        Ok(reduced(x, &self.axes.resolve("var", x)?, self.keepdims).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].var_axes(self.axes.clone(), self.correction, self.keepdims).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        let shape = x.shape();
        let axes = self.axes.resolve("var", &shape).or_fail();
        let n: usize = axes.iter().map(|&axis| shape[axis]).product();
        let scale = 2.0 / n.saturating_sub(self.correction) as f64;
        cx.add(0, || {
            let deviations = x - x.mean_axes(self.axes.clone(), true);
            // Strong, so that equal elements get 0 through the infinite slope of a standard deviation too.
            deviations.strong_mul(&(c(scale) * g.reshape(reduced(&shape, &axes, true))))
        });
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let axes = self.axes.resolve("var", x.shape()).or_fail();
        let n: usize = axes.iter().map(|&axis| x.shape()[axis]).product();
        let mean = x.fold_axes(&axes, 0.0, |a, b| a + b).map(|sum| sum / n as f64);
        let squares = x.zip(&mean, |x, mean| (x - mean).powi(2)).fold_axes(&axes, 0.0, |a, b| a + b);
        let y = squares.map(|sum| sum / n.saturating_sub(self.correction) as f64);
        vec![Array::new(y.data().to_vec(), reduced(x.shape(), &axes, self.keepdims))]
    }

    /// Mean, difference, square, its mean.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        4 * elements(&inputs[..1])
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        along.reduced(&self.axes.resolve("var", along.shape()).or_fail(), self.keepdims)
    }

    fn samples(g: &mut Gen) -> Vec<Sample<Variance>> {
        let (shape, axes) = nonempty_axes(g, "var");
        let n: usize = axes.resolve("var", &shape).or_fail().iter().map(|&axis| shape[axis]).product();
        // A correction of all n divides by 0.
        let correction = if n > 1 { g.between(0, 1) } else { 0 };
        vec![Sample::new(Variance { axes, correction, keepdims: g.between(0, 1) == 0 }, [g.normal(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase<Variance>> {
        let op = Variance { axes: 2.into(), correction: 1, keepdims: false };
        vec![ErrorCase::new(op, &[&[2, 3]], "var: axis 2 is out of range for shape [2, 3]")]
    }
}
