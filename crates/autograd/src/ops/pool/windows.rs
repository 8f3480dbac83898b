//! What is pooled how: rows as images of height 1, volumes layer by layer and then in depth.

use super::{AvgPool2d, MaxPool2d};
use crate::{
    op::prelude::*,
    ops::{conv::with_height, methods::*, shape::Padding},
};
use gradus_tensor::{Conv2dOptions, Pool, Pool2d, PoolOptions, PoolShape};

/// What becomes of the elements of a window.
#[derive(Clone, Copy)]
pub(super) enum Pooled {
    /// The largest.
    Max,
    /// The mean.
    Avg,
    /// The norm of this order.
    Norm(f32),
}

impl Pooled {
    /// Images `[n, c, h, w]` pooled. `op` begins the messages of what is no operation of its own.
    #[track_caller]
    pub(super) fn of_images<V: Value>(self, op: &str, x: &V, windows: Pool2d) -> V {
        match self {
            Pooled::Max => V::apply(MaxPool2d { windows }, &[x]),
            Pooled::Avg => V::apply(AvgPool2d { windows }, &[x]),
            Pooled::Norm(p) => norms(op, x, p, windows),
        }
    }

    /// Rows `[n, c, length]` pooled.
    #[track_caller]
    pub(super) fn of_rows<V: Value>(self, op: &str, x: &V, windows: Pool<1>) -> V {
        let image = with_height(op, x);
        self.check(op, &x.shape(), &windows);
        self.of_images(op, &image, windows.of_height_1()).squeeze(2)
    }

    /// Volumes `[n, c, d, h, w]` pooled.
    #[track_caller]
    pub(super) fn of_volumes<V: Value>(self, op: &str, x: &V, windows: Pool<3>) -> V {
        let shape = x.shape();
        self.check(op, &shape, &windows);
        let (n, c, d) = (shape[0], shape[1], shape[2]);
        let layers = x.reshape([n, c * d, shape[3], shape[4]]);
        let layers = self.of_images(op, &layers, windows.of_layers());
        let (rows, columns) = (layers.shape()[2], layers.shape()[3]);
        let elements = rows * columns;
        let deep = self.of_images(op, &layers.reshape([n, c, d, elements]), windows.of_depth(elements));
        deep.reshape([n, c, deep.shape()[2], rows, columns])
    }

    #[track_caller]
    fn check<const N: usize>(self, op: &str, x: &[usize], windows: &Pool<N>) {
        windows.windows(op, x).or_fail();
        if !matches!(self, Pooled::Avg) {
            windows.check_no_mean_options(op).or_fail();
        }
    }
}

/// The norm of order `p` of each window, as that of a column of patches.
#[track_caller]
fn norms<V: Value>(op: &str, x: &V, p: f32, windows: Pool2d) -> V {
    assert!(p > 0.0 && p.is_finite(), "{op}: the order p must be positive and finite, not {p}");
    let shape = windows.max_shape(op, &x.shape()).or_fail();
    let Pool::Sliding(options) = windows else { unreachable!("no norms of windows that adapt") };
    let PoolOptions { kernel, stride, padding, dilation, .. } = options;
    // Zeros for what the last windows have beyond the padding.
    let rest = [0, 1].map(|i| {
        let end = (shape.output[i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1;
        end.saturating_sub(shape.input[i] + 2 * padding[i])
    });
    let filled = x.pad([(0, 0), (0, 0), (0, rest[0]), (0, rest[1])], Padding::Constant(0.0));
    let patches = filled.unfold(kernel, Conv2dOptions { stride, padding, dilation, groups: 1 });
    let PoolShape { images, channels, output: [rows, columns], .. } = shape;
    let elements = patches.reshape([images, channels, kernel[0] * kernel[1], rows * columns]);
    let norms = elements.vector_norm(p, 2, false).reshape([images, channels, rows, columns]);
    if rest == [0, 0] {
        return norms;
    }
    // As in PyTorch, a window that is cut off counts as if the rest of it were like what is there.
    let whole = (kernel[0] * kernel[1]) as f64;
    let share = |i: &[usize]| whole / shape.divisor(shape.rows[i[0]], shape.columns[i[1]]) as f64;
    let scale = Tensor::from_fn([rows, columns], |i| share(i).powf(1.0 / p as f64) as f32);
    norms * x.place().constant(scale)
}
