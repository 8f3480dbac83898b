//! The sum over axes.

use super::over;
use crate::{
    op::{prelude::*, reference::strided, window::elements},
    ops::methods::*,
};
use gradus_tensor::{Axes, shape::reduced};

/// Sums over axes.
#[derive(Clone, Debug)]
pub struct Sum {
    /// Which axes.
    pub axes: Axes,
    /// Whether they stay, with size 1.
    pub keepdims: bool,
}

impl Op for Sum {
    const NAME: &'static str = "sum";
    const FORMULA: &'static str = "y = Σ x over the axes; dx = g repeated over them";
    const PRECISION: Precision = Precision::UlpsOfLargest(64.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        over::infer::<Self>(&self.axes, self.keepdims, inputs)
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].sum_axes(self.axes.clone(), self.keepdims).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        let shape = x.shape();
        let axes = self.axes.resolve(Self::NAME, &shape).or_fail();
        cx.add(0, || g.reshape(reduced(&shape, &axes, true)).broadcast_to(&shape));
    }

    fn batched(&self, batch: &Batch<'_>) -> Option<InBatch> {
        let axes = self.axes.resolve(Self::NAME, batch.shapes[0]).ok()?;
        let axes: Vec<isize> = axes.iter().map(|&axis| 1 + axis as isize).collect();
        batch.with(Sum { axes: axes.into(), keepdims: self.keepdims })
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        over::reference::<Self>(&self.axes, self.keepdims, inputs, |x, axes| {
            x.fold_axes(axes, 0.0, |a, b| a + b)
        })
    }

    fn reference_update(&self, update: &mut Update<'_>) -> bool {
        let shape = update.inputs()[0].shape();
        let axes = self.axes.resolve(Self::NAME, shape).or_fail();
        // For each axis of x the distance in y from one of its elements to the next: none along summed axes.
        let (mut strides, mut stride) = (vec![0; shape.len()], 1);
        for axis in (0..shape.len()).rev().filter(|axis| !axes.contains(axis)) {
            strides[axis] = stride;
            stride *= shape[axis];
        }
        for (at, change) in update.changes() {
            update.add(strided(at, shape, &strides), change);
        }
        true
    }

    /// One addition for each element of the input.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        elements(&inputs[..1])
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        over::window::<Self>(&self.axes, self.keepdims, along)
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let shape = g.shape();
        let axes = g.some_axes(shape.len());
        vec![Sample::new(Sum { axes, keepdims: g.between(0, 1) == 0 }, [g.normal(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let sum = |axes: [isize; 2]| Sum { axes: axes.into(), keepdims: false };
        vec![
            ErrorCase::new(sum([0, 2]), &[&[2, 3]], "sum: axis 2 is out of range for shape [2, 3]"),
            ErrorCase::new(sum([1, -1]), &[&[2, 3]], "sum: axis -1 of shape [2, 3] is named twice"),
        ]
    }
}
