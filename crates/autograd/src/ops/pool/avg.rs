//! The mean of each window, and the reverse: handing out to each window's elements.

use super::{pooled, random_windows, terms};
use crate::op::prelude::*;
use gradus_tensor::{Pool, Pool2d, PoolOptions, PoolShape};

/// The mean of each window of images `[n, c, h, w]`.
#[derive(Clone, Copy, Debug)]
pub struct AvgPool2d {
    /// Which windows, and what their sums are divided by.
    pub windows: Pool2d,
}

/// The gradient of [`AvgPool2d`] by its input: every window hands its gradient out in equal parts.
#[derive(Clone, Copy, Debug)]
pub struct AvgPool2dGrad {
    /// The pooling.
    pub pool: AvgPool2d,
    /// Height and width of its input's images.
    pub size: [usize; 2],
}

impl AvgPool2d {
    /// Calls `f` with the positions in x and y of each term of the means, and what it is multiplied by.
    fn each_term(&self, shape: &PoolShape, mut f: impl FnMut(usize, usize, f64)) {
        let ([height, width], [rows, columns]) = (shape.input, shape.output);
        for y in 0..shape.y().numel() {
            let (plane, window) = (y / (rows * columns), y % (rows * columns));
            let (row, column) = (shape.rows[window / columns], shape.columns[window % columns]);
            let divisor = shape.divisor(row, column);
            for i in row.positions() {
                for j in column.positions() {
                    f((plane * height + i) * width + j, y, 1.0 / divisor as f64);
                }
            }
        }
    }
}

/// The same windows, half of those that slide with padding that does not count, and a third with another divisor.
fn random_divisor(windows: Pool2d, g: &mut Gen) -> Pool2d {
    let Pool::Sliding(options) = windows else { return windows };
    let count_include_pad = g.between(0, 1) == 1;
    let divisor_override = [None, None, Some(g.between(1, 5))][g.between(0, 2)];
    Pool::Sliding(PoolOptions { count_include_pad, divisor_override, ..options })
}

impl Op for AvgPool2d {
    const NAME: &'static str = "avg_pool2d";
    const FORMULA: &'static str =
        "y = Σ x over each window / k; dx = Σ g / k over the windows that x lies in";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        Ok(self.windows.shape(Self::NAME, x)?.y().into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].avg_pool(&self.windows).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        let size = [x.shape()[2], x.shape()[3]];
        cx.add(0, || V::apply(AvgPool2dGrad { pool: *self, size }, &[&g]));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let shape = self.windows.shape(Self::NAME, inputs[0].shape()).or_fail();
        let mut y = Array::full(shape.y(), 0.0);
        self.each_term(&shape, |from, to, scale| y.data_mut()[to] += inputs[0].data()[from] * scale);
        vec![y]
    }

    /// One addition for each element of the windows.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        terms(&self.windows, inputs[0])
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        Some(pooled(&self.windows, along))
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (windows, shape) = random_windows(g);
        let op = AvgPool2d { windows: random_divisor(windows, g) };
        vec![Sample::new(op, [g.normal(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = |options| AvgPool2d { windows: Pool::Sliding(options) };
        let sliding = |kernel: [usize; 2]| {
            let moving = PoolOptions { stride: [1, 1], padding: [1, 0], ..PoolOptions::new(kernel) };
            op(PoolOptions { ceil_mode: true, count_include_pad: false, ..moving })
        };
        vec![
            ErrorCase::new(
                sliding([5, 1]),
                &[&[1, 1, 2, 2]],
                "avg_pool2d: input [1, 1, 2, 2]: height: a kernel of 5 reaches over 5 elements, the input has 2 + 2 x 1",
            ),
            ErrorCase::new(
                sliding([1, 1]),
                &[&[1, 1, 2, 2]],
                "avg_pool2d: input [1, 1, 2, 2]: height: window 0 of 1 elements lies in the padding of 1 alone",
            ),
            ErrorCase::new(
                sliding([2, 0]),
                &[&[1, 1, 2, 2]],
                "avg_pool2d: input [1, 1, 2, 2]: width: the kernel size",
            ),
            ErrorCase::new(sliding([2, 1]), &[&[2, 2]], "avg_pool2d: the input has shape [2, 2]"),
            ErrorCase::new(
                op(PoolOptions { divisor_override: Some(0), ..PoolOptions::new([2, 2]) }),
                &[&[1, 1, 2, 2]],
                "avg_pool2d: the divisor must not be 0",
            ),
        ]
    }
}

impl Op for AvgPool2dGrad {
    const NAME: &'static str = "avg_pool2d_grad";
    const FORMULA: &'static str = "y = Σ x / k over the windows that y lies in; dx = avg_pool2d(g)";
    /// As many terms as windows that overlap in a pixel.
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        Ok(self.pool.windows.grad_shape(Self::NAME, x, self.size)?.x().into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].avg_pool_grad(&self.pool.windows, self.size).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let g = cx.cotangent();
        cx.add(0, || V::apply(self.pool, &[&g]));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let shape = self.pool.windows.grad_shape(Self::NAME, x.shape(), self.size).or_fail();
        let mut y = Array::full(shape.x(), 0.0);
        self.pool.each_term(&shape, |to, from, scale| y.data_mut()[to] += x.data()[from] * scale);
        vec![y]
    }

    /// One addition for each element of the windows.
    fn flops(&self, _: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        terms(&self.pool.windows, outputs[0])
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        along.same_but(&[2, 3])
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (windows, shape) = random_windows(g);
        let pool = AvgPool2d { windows: random_divisor(windows, g) };
        let pooled = windows.shape("avg_pool2d", &shape).or_fail().y();
        vec![Sample::new(AvgPool2dGrad { pool, size: [shape[2], shape[3]] }, [g.normal(pooled)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let windows = Pool::Adaptive { output: [2, 2] };
        let op = AvgPool2dGrad { pool: AvgPool2d { windows }, size: [4, 4] };
        vec![
            ErrorCase::new(
                op,
                &[&[1, 1, 3, 3]],
                "avg_pool2d_grad: the gradient has shape [1, 1, 3, 3], but pooling [1, 1, 4, 4] gives [1, 1, 2, 2]",
            ),
            ErrorCase::new(op, &[&[3]], "avg_pool2d_grad: the gradient has shape [3]"),
        ]
    }
}
