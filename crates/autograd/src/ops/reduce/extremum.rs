//! The largest and the smallest element over axes.

use super::over;
use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::{Axes, shape::reduced};

/// One of the two: `better` says which of two numbers wins, `none` is the result where there are no elements.
macro_rules! extremum {
    ($(#[$doc:meta])* $Op:ident $name:literal $formula:literal: $kernel:ident, $better:ident, none $none:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $Op {
            /// Which axes.
            pub axes: Axes,
            /// Whether they stay, with size 1.
            pub keepdims: bool,
        }

        impl Op for $Op {
            const NAME: &'static str = $name;
            const FORMULA: &'static str = $formula;
            const PRECISION: Precision = Precision::Ulps(0.0);
            /// 1 at the winners and 0 elsewhere, and how many there are: whole numbers, exact in f64 replays too.
            type Saved = (Tensor, Tensor);

            fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
                over::infer::<Self>(&self.axes, self.keepdims, inputs)
            }

            fn forward(&self, inputs: &[&Tensor]) -> (Outputs, Self::Saved) {
                let x = inputs[0];
                let kept = x.$kernel(self.axes.clone(), true);
                let wins = |x: f32, best: f32| x == best || x.is_nan() && best.is_nan();
                let winners = x.zip(&kept, |x, best| if wins(x, best) { 1.0 } else { 0.0 });
                let count = winners.sum_axes(self.axes.clone(), true);
                let axes = self.axes.resolve($name, x.shape()).or_fail();
                (kept.reshape(reduced(x.shape(), &axes, self.keepdims)).into(), (winners, count))
            }

            fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, (winners, count): &Self::Saved) {
                let ([x], g) = (cx.inputs(), cx.cotangent());
                let shape = x.shape();
                let axes = self.axes.resolve($name, &shape).or_fail();
                let at = x.place();
                cx.add(0, || {
                    let share = g.reshape(reduced(&shape, &axes, true)) / at.constant(count.clone());
                    share.strong_mul(&at.constant(winners.clone()))
                });
            }

            fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array> {
                over::reference::<Self>(&self.axes, self.keepdims, inputs, |x, axes| {
                    let best = x.fold_axes(axes, $none, f64::$better);
                    // The mean of the winners, so that frozen ties share.
                    let wins = x.zip(&best, |x, best| branches.test(x == best) as u32 as f64);
                    let sum = x.zip(&wins, |x, wins| if wins == 1.0 { x } else { 0.0 }).fold_axes(axes, 0.0, |a, b| a + b);
                    let count = wins.fold_axes(axes, 0.0, |a, b| a + b);
                    sum.zip(&count, |sum, count| if count == 0.0 { $none } else { sum / count })
                })
            }

            /// One comparison for each element of the input.
            fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
                elements(inputs)
            }

            fn window(&self, along: &Along<'_>) -> Option<Window> {
                over::window::<Self>(&self.axes, self.keepdims, along)
            }

            fn samples(g: &mut Gen) -> Vec<Sample> {
                let (shape, axes) = over::random(g, $name);
                let op = $Op { axes, keepdims: g.between(0, 1) == 0 };
                vec![Sample::new(op.clone(), [g.normal(&shape)]), Sample::new(op, [g.tied(shape)])]
            }

            fn error_cases() -> Vec<ErrorCase> {
                let op = $Op { axes: 2.into(), keepdims: false };
                vec![over::no_such_axis(op)]
            }
        }
    };
}

extremum! {
    /// Maxima over axes. Equal largest elements share the gradient equally.
    Max "max" "y = max x over the axes; dx = g / k at the k largest, zero elsewhere":
    max_axes, max, none f64::NEG_INFINITY
}

extremum! {
    /// Minima over axes. Equal smallest elements share the gradient equally.
    Min "min" "y = min x over the axes; dx = g / k at the k smallest, zero elsewhere":
    min_axes, min, none f64::INFINITY
}
