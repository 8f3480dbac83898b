//! The maximum over axes.

use crate::{
    check::{ErrorCase, Gen, Sample},
    op::{Backward, Op, Outputs, Precision, Shapes, arity},
    ops::shape::Shaping,
    reference::{Array, Branches},
    value::Value,
};
use gradus_tensor::{Axes, OrFail, ShapeError, Tensor, shape::reduced};

/// Maxima over axes. Equal largest elements share the gradient equally.
#[derive(Clone, Debug)]
pub struct Max {
    /// Which axes.
    pub axes: Axes,
    /// Whether they stay, with size 1.
    pub keepdims: bool,
}

impl Op for Max {
    const NAME: &'static str = "max";
    const FORMULA: &'static str = "y = max x over the axes; dx = g / k at the k largest, zero elsewhere";
    const PRECISION: Precision = Precision::Ulps(0.0);
    /// 1 at the largest elements and 0 elsewhere, and how many there are: whole numbers, exact in f64 replays too.
    type Saved = (Tensor, Tensor);

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity("max", inputs);
        Ok(reduced(x, &self.axes.resolve("max", x)?, self.keepdims).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, Self::Saved) {
        let x = inputs[0];
        let kept = x.max_axes(self.axes.clone(), true);
        let winners = x.zip(&kept, |x, max| if x == max { 1.0 } else { 0.0 });
        let count = winners.sum_axes(self.axes.clone(), true);
        let axes = self.axes.resolve("max", x.shape()).or_fail();
        (kept.reshape(reduced(x.shape(), &axes, self.keepdims)).into(), (winners, count))
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, (winners, count): &Self::Saved) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        let shape = x.shape();
        let axes = self.axes.resolve("max", &shape).or_fail();
        let at = x.at();
        cx.add(0, || {
            let share = g.reshape(reduced(&shape, &axes, true)) / at.constant(count.clone());
            share * at.constant(winners.clone())
        });
    }

    fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let axes = self.axes.resolve("max", x.shape()).or_fail();
        let kept = reduced(x.shape(), &axes, true);
        let to = |index: &[usize]| {
            let mut to = index.to_vec();
            axes.iter().for_each(|&axis| to[axis] = 0);
            to
        };
        let mut largest = Array::full(&kept, f64::NEG_INFINITY);
        Array::from_fn(x.shape(), |index| {
            let m = largest.at_mut(&to(index));
            *m = m.max(x.at(index));
            0.0
        });
        // The mean of the winners, so that frozen ties share.
        let (mut sum, mut count) = (Array::full(&kept, 0.0), Array::full(&kept, 0.0));
        Array::from_fn(x.shape(), |index| {
            let to = to(index);
            if branches.test(x.at(index) == largest.at(&to)) {
                *sum.at_mut(&to) += x.at(index);
                *count.at_mut(&to) += 1.0;
            }
            0.0
        });
        let y = sum.zip(&count, |sum, count| if count == 0.0 { f64::NEG_INFINITY } else { sum / count });
        vec![Array::new(y.data().to_vec(), reduced(x.shape(), &axes, self.keepdims))]
    }

    fn samples(g: &mut Gen) -> Vec<Sample<Max>> {
        let shape = g.positive_shape();
        let axes: Axes = if g.between(0, 2) == 0 { Axes::all() } else { g.axes(shape.len()).into() };
        let op = Max { axes, keepdims: g.between(0, 1) == 0 };
        vec![Sample::new(op.clone(), [g.normal(&shape)]), Sample::new(op, [g.tied(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase<Max>> {
        let max = |axis: isize| Max { axes: axis.into(), keepdims: false };
        vec![ErrorCase::new(max(2), &[&[2, 3]], "max: axis 2 is out of range for shape [2, 3]")]
    }
}
