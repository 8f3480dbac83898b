//! The largest element of each window.

use super::{PlaneScatter, pooled, random_windows, terms};
use crate::op::prelude::*;
use gradus_tensor::{Indices, Pool, Pool2d, PoolOptions, PoolShape, PoolWindow};

/// The largest element of each window of images `[n, c, h, w]`; of equal ones the first.
#[derive(Clone, Copy, Debug)]
pub struct MaxPool2d {
    /// Which windows.
    pub windows: Pool2d,
}

impl Op for MaxPool2d {
    const NAME: &'static str = "max_pool2d";
    const FORMULA: &'static str =
        "y = the largest x of each window; dx = Σ g of the windows that x wins, the first of equals";
    const PRECISION: Precision = Precision::Ulps(0.0);
    /// Where each window's winner lies in its image plane.
    type Saved = Indices;

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        Ok(self.windows.max_shape(Self::NAME, x)?.y().into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, Indices) {
        let (y, winners) = inputs[0].max_pool(&self.windows);
        (y.into(), winners)
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, winners: &Indices) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        let size = [x.shape()[2], x.shape()[3]];
        cx.add(0, || V::apply(PlaneScatter { indices: winners.clone(), size }, &[&g]));
    }

    fn backward_fused(&self, cx: &mut Backward<'_, Tensor>, winners: &Indices) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        cx.add(0, || g.max_pool_grad(winners, &self.windows, [x.size(2), x.size(3)]));
    }

    fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let shape = self.windows.shape(Self::NAME, x.shape()).or_fail();
        let y = (0..shape.y().numel()).map(|at| largest(x, &shape, at, branches)).collect();
        vec![Array::new(y, shape.y())]
    }

    fn reference_update(&self, update: &mut Update<'_>) -> bool {
        let x = update.inputs()[0];
        let shape = self.windows.shape(Self::NAME, x.shape()).or_fail();
        let ([height, width], [rows, columns]) = (shape.input, shape.output);
        for (at, _) in update.changes() {
            let (plane, row, column) = (at / (height * width), at / width % height, at % width);
            let touched = |window: &PoolWindow, pixel| window.positions().any(|position| position == pixel);
            for i in (0..rows).filter(|&i| touched(&shape.rows[i], row)) {
                for j in (0..columns).filter(|&j| touched(&shape.columns[j], column)) {
                    let at = (plane * rows + i) * columns + j;
                    update.set_by_choice(at, |branches| largest(x, &shape, at, branches));
                }
            }
        }
        true
    }

    /// One comparison for each element of the windows.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        terms(&self.windows, inputs[0])
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        Some(pooled(&self.windows, along))
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let ((first, apart), (second, tied)) = (random_windows(g), random_windows(g));
        vec![
            Sample::new(MaxPool2d { windows: first }, [g.normal(apart)]),
            Sample::new(MaxPool2d { windows: second }, [g.tied(tied)]),
        ]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = |options| MaxPool2d { windows: Pool::Sliding(options) };
        let sliding = |kernel: usize, stride: usize, padding: usize, dilation: usize| {
            let (stride, padding, dilation) = ([stride; 2], [padding; 2], [dilation; 2]);
            op(PoolOptions { stride, padding, dilation, ..PoolOptions::from(kernel) })
        };
        let plain = PoolOptions::from(2);
        vec![
            ErrorCase::new(
                sliding(3, 1, 0, 1),
                &[&[1, 1, 5, 2]],
                "max_pool2d: input [1, 1, 5, 2]: width: a kernel of 3 reaches over 3 elements, the input has 2",
            ),
            ErrorCase::new(
                sliding(2, 0, 0, 1),
                &[&[1, 1, 5, 5]],
                "max_pool2d: input [1, 1, 5, 5]: height: the stride must not be 0",
            ),
            ErrorCase::new(
                sliding(2, 1, 0, 0),
                &[&[1, 1, 5, 5]],
                "max_pool2d: input [1, 1, 5, 5]: height: the dilation must not be 0",
            ),
            ErrorCase::new(
                sliding(2, 1, 2, 1),
                &[&[1, 1, 5, 5]],
                "max_pool2d: input [1, 1, 5, 5]: height: window 0 of 2 elements lies in the padding of 2 alone",
            ),
            ErrorCase::new(
                sliding(2, 2, 0, 1),
                &[&[1, 5, 5]],
                "max_pool2d: the input has shape [1, 5, 5], not [images, channels, height, width]; hint: unsqueeze(0)",
            ),
            ErrorCase::new(
                MaxPool2d { windows: Pool::Adaptive { output: [2, 0] } },
                &[&[1, 1, 5, 5]],
                "max_pool2d: input [1, 1, 5, 5]: width: 0 windows of 5 elements",
            ),
            ErrorCase::new(
                op(PoolOptions { count_include_pad: false, ..plain }),
                &[&[1, 1, 5, 5]],
                "max_pool2d: count_include_pad is set, which only means have; hint: avg_pool2d",
            ),
            ErrorCase::new(
                op(PoolOptions { divisor_override: Some(3), ..plain }),
                &[&[1, 1, 5, 5]],
                "max_pool2d: divisor_override is set, which only means have; hint: avg_pool2d",
            ),
        ]
    }
}

/// The largest element of the window that the element at a row-major position of the output stands for.
fn largest(x: &Array, shape: &PoolShape, at: usize, branches: &mut Branches<'_>) -> f64 {
    let ([height, width], [rows, columns]) = (shape.input, shape.output);
    let plane = &x.data()[at / (rows * columns) * height * width..][..height * width];
    let (rows, columns) = (shape.rows[at / columns % rows], shape.columns[at % columns]);
    let pixels = rows.positions().flat_map(|row| columns.positions().map(move |column| row * width + column));
    let wins = |a: usize, b: usize| plane[b] > plane[a] || plane[b].is_nan() && !plane[a].is_nan();
    let natural = pixels.reduce(|a, b| if wins(a, b) { b } else { a }).expect("no window is empty");
    plane[branches.choose(natural as u32) as usize]
}
