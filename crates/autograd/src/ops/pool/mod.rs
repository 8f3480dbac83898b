//! Pooling: the largest or the mean element of each window, or its norm, in one dimension to three; and the way back.

mod avg;
mod max;
mod plane;
mod windows;

pub use avg::{AvgPool2d, AvgPool2dGrad};
pub use max::MaxPool2d;
pub use plane::{PlaneGather, PlaneScatter};

use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::{Indices, Pool, Pool2d, PoolOptions, PoolWindow};
use windows::Pooled;

/// Pooling of rows `[n, c, length]`, images `[n, c, h, w]` and volumes `[n, c, d, h, w]`, each channel for itself.
///
/// Windows are those of [`PoolOptions`], or the sizes of a kernel, or one size for all axes: then they lie side by side. An
/// axis of size `h` has `(h + 2 padding - dilation (kernel - 1) - 1) / stride + 1` windows, rounded down, or with `ceil_mode`
/// up, if the last one starts on the image or the padding before it.
pub trait Pooling: Value {
    /// The largest element of each window: `y[n, c, i, j] = max_a,b x[n, c, i·stride + a·dilation - padding, j·..]`.
    ///
    /// The gradient goes to the winner alone; of equal ones the first in row-major order wins. Padding never wins, a NaN
    /// always.
    ///
    /// # Panics
    /// When there are not four axes, the dilated kernel is larger than the padded image, a window lies in the padding
    /// alone, a stride, dilation or kernel size is 0, or an option is set that only means have.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var([[[[1.0, 2.0, 3.0, 0.0], [0.0, 1.0, 2.0, 4.0]]]]);
    /// let y = x.max_pool2d(2);
    /// assert_eq!(y.value().to_vec(), [2.0, 4.0]);
    /// assert_eq!(y.sum().backward()[x].to_vec(), [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    /// let every = PoolOptions { stride: [1, 1], ..PoolOptions::new([2, 2]) };
    /// assert_eq!(x.max_pool2d(every).value().to_vec(), [2.0, 3.0, 4.0]);
    /// ```
    #[track_caller]
    fn max_pool2d(&self, options: impl Into<PoolOptions<2>>) -> Self {
        Pooled::Max.of_images("max_pool2d", self, Pool::Sliding(options.into()))
    }

    /// [`max_pool2d`](Pooling::max_pool2d) with the winners' positions in their image planes, `row · w + column`, for
    /// [`max_unpool2d`](Pooling::max_unpool2d).
    ///
    /// # Panics
    /// As [`max_pool2d`](Pooling::max_pool2d).
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[[[1.0, 2.0, 3.0, 0.0], [0.0, 1.0, 2.0, 4.0]]]]);
    /// let (y, winners) = x.max_pool2d_with_indices(2);
    /// assert_eq!((y.to_vec(), winners.as_slice()), (vec![2.0, 4.0], &[1, 7][..]));
    /// ```
    #[track_caller]
    fn max_pool2d_with_indices(&self, options: impl Into<PoolOptions<2>>) -> (Self, Indices) {
        let (_, winners) = self.to_tensor().max_pool(&Pool::Sliding(options.into()));
        (Self::apply(PlaneGather { indices: winners.clone() }, &[self]), winners)
    }

    /// [`max_pool2d`](Pooling::max_pool2d) of rows `[n, c, length]`, as images of height 1.
    ///
    /// # Panics
    /// As [`max_pool2d`](Pooling::max_pool2d), for one axis.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[[1.0, 5.0, 2.0, 3.0]]]);
    /// assert_eq!(x.max_pool1d(2).to_vec(), [5.0, 3.0]);
    /// ```
    #[track_caller]
    fn max_pool1d(&self, options: impl Into<PoolOptions<1>>) -> Self {
        Pooled::Max.of_rows("max_pool1d", self, Pool::Sliding(options.into()))
    }

    /// [`max_pool2d`](Pooling::max_pool2d) of volumes `[n, c, d, h, w]`: the largest elements of the windows of each layer,
    /// then the largest of these in depth. Of equal ones the first in row-major order wins.
    ///
    /// # Panics
    /// As [`max_pool2d`](Pooling::max_pool2d), for three axes.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::arange(16).reshape([1, 1, 2, 2, 4]);
    /// assert_eq!(x.max_pool3d(2).to_vec(), [13.0, 15.0]);
    /// ```
    #[track_caller]
    fn max_pool3d(&self, options: impl Into<PoolOptions<3>>) -> Self {
        Pooled::Max.of_volumes("max_pool3d", self, Pool::Sliding(options.into()))
    }

    /// Puts elements back where [`max_pool2d_with_indices`](Pooling::max_pool2d_with_indices) found them, into images of
    /// height and width `size` that are zero elsewhere: `y[n, c, indices[n, c, i, j]] += x[n, c, i, j]`.
    ///
    /// Where windows overlap and name one pixel, their elements are added up, as in every reverse of a gather, so that this is
    /// the adjoint of the pooling. PyTorch keeps one of them, on several threads not always the same one.
    ///
    /// # Panics
    /// When the indices have another shape than this, or one lies outside an image.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let winners = Indices::new([1, 7], [1, 1, 1, 2]);
    /// let y = Tensor::from([[[[2.0, 4.0]]]]).max_unpool2d(&winners, [2, 4]);
    /// assert_eq!(y.to_vec(), [0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 4.0]);
    /// ```
    #[track_caller]
    fn max_unpool2d(&self, indices: &Indices, size: [usize; 2]) -> Self {
        let (shape, pixels) = (self.shape(), size[0].saturating_mul(size[1]));
        if shape != *indices.shape() {
            ShapeError::new(format!(
                "max_unpool2d: input {shape} and indices {} differ in shape",
                indices.shape()
            ))
            .fail()
        }
        let outside = |&&at: &&i32| usize::try_from(at).map_or(true, |at| at >= pixels);
        if let Some(at) = indices.as_slice().iter().find(outside) {
            ShapeError::new(format!("max_unpool2d: position {at} lies outside an image of {pixels} pixels"))
                .fail()
        }
        Self::apply(PlaneScatter { indices: indices.clone(), size }, &[self])
    }

    /// The mean of each window: `y[n, c, i, j] = 1/k Σ_a,b x[n, c, i·stride + a·dilation - padding, j·..]`.
    ///
    /// Padding counts as zeros, or with `count_include_pad` false not at all: then `k` is the number of pixels in the
    /// window. What a last window of ceil mode has beyond the padding never counts. With `divisor_override` it is `k`,
    /// whatever the window.
    ///
    /// # Panics
    /// When there are not four axes, the dilated kernel is larger than the padded image, a window lies in the padding
    /// alone, or a stride, dilation, kernel size or divisor is 0.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var([[[[1.0, 2.0, 3.0, 0.0], [0.0, 1.0, 2.0, 4.0]]]]);
    /// let y = x.avg_pool2d(2);
    /// assert_eq!(y.value().to_vec(), [1.0, 2.25]);
    /// assert_eq!(y.sum().backward()[x], Tensor::full([1, 1, 2, 4], 0.25));
    /// let sums = PoolOptions { divisor_override: Some(1), ..PoolOptions::from(2) };
    /// assert_eq!(x.avg_pool2d(sums).value().to_vec(), [4.0, 9.0]);
    /// ```
    #[track_caller]
    fn avg_pool2d(&self, options: impl Into<PoolOptions<2>>) -> Self {
        Pooled::Avg.of_images("avg_pool2d", self, Pool::Sliding(options.into()))
    }

    /// [`avg_pool2d`](Pooling::avg_pool2d) of rows `[n, c, length]`, as images of height 1.
    ///
    /// # Panics
    /// As [`avg_pool2d`](Pooling::avg_pool2d), for one axis.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[[1.0, 5.0, 2.0, 3.0]]]);
    /// assert_eq!(x.avg_pool1d(2).to_vec(), [3.0, 2.5]);
    /// ```
    #[track_caller]
    fn avg_pool1d(&self, options: impl Into<PoolOptions<1>>) -> Self {
        Pooled::Avg.of_rows("avg_pool1d", self, Pool::Sliding(options.into()))
    }

    /// [`avg_pool2d`](Pooling::avg_pool2d) of volumes `[n, c, d, h, w]`: the means of the windows of each layer, then the
    /// means of these in depth.
    ///
    /// # Panics
    /// As [`avg_pool2d`](Pooling::avg_pool2d), for three axes.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::arange(16).reshape([1, 1, 2, 2, 4]);
    /// assert_eq!(x.avg_pool3d(2).to_vec(), [6.5, 8.5]);
    /// ```
    #[track_caller]
    fn avg_pool3d(&self, options: impl Into<PoolOptions<3>>) -> Self {
        Pooled::Avg.of_volumes("avg_pool3d", self, Pool::Sliding(options.into()))
    }

    /// The mean of each channel's image: `[n, c, h, w]` becomes `[n, c]`.
    ///
    /// # Panics
    /// When there are fewer than four axes.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[[[1.0, 2.0], [4.0, 3.0]], [[0.0, 0.0], [0.0, 1.0]]]]);
    /// assert_eq!(x.global_avg_pool2d(), Tensor::from([[2.5, 0.25]]));
    /// ```
    #[track_caller]
    fn global_avg_pool2d(&self) -> Self {
        self.mean_axes([2, 3], false)
    }

    /// The norm of order `p` of each window: `y = (Σ |x|^p)^(1/p)`. p = 1 gives sums, and the larger p is the nearer it comes
    /// to the maximum. Where a window is zero the gradient is 0. Padding is zeros.
    ///
    /// As in PyTorch, a last window of ceil mode that the input fills only to m of its k places counts as if the rest were
    /// like them: `y = (k/m Σ |x|^p)^(1/p)`. PyTorch's `lp_pool2d` does not take absolute values, and so differs for odd p
    /// where elements are negative.
    ///
    /// # Panics
    /// Unless p is positive and finite, and as [`max_pool2d`](Pooling::max_pool2d).
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[[[3.0, 1.0], [4.0, 0.0]]]]);
    /// assert_eq!(x.lp_pool2d(2.0, [2, 1]).to_vec(), [5.0, 1.0]);
    /// ```
    #[track_caller]
    fn lp_pool2d(&self, p: f32, options: impl Into<PoolOptions<2>>) -> Self {
        Pooled::Norm(p).of_images("lp_pool2d", self, Pool::Sliding(options.into()))
    }

    /// [`lp_pool2d`](Pooling::lp_pool2d) of rows `[n, c, length]`, as images of height 1.
    ///
    /// # Panics
    /// As [`lp_pool2d`](Pooling::lp_pool2d), for one axis.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[[3.0, 4.0, 1.0]]]);
    /// assert_eq!(x.lp_pool1d(2.0, 2).to_vec(), [5.0]);
    /// ```
    #[track_caller]
    fn lp_pool1d(&self, p: f32, options: impl Into<PoolOptions<1>>) -> Self {
        Pooled::Norm(p).of_rows("lp_pool1d", self, Pool::Sliding(options.into()))
    }

    /// [`lp_pool2d`](Pooling::lp_pool2d) of volumes `[n, c, d, h, w]`: the norms of the windows of each layer, then the norms of
    /// these in depth.
    ///
    /// # Panics
    /// As [`lp_pool2d`](Pooling::lp_pool2d), for three axes.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::new([2.0, 4.0, 4.0, 0.0], [1, 1, 2, 2, 1]);
    /// assert_eq!(x.lp_pool3d(2.0, [2, 2, 1]).to_vec(), [6.0]);
    /// ```
    #[track_caller]
    fn lp_pool3d(&self, p: f32, options: impl Into<PoolOptions<3>>) -> Self {
        Pooled::Norm(p).of_volumes("lp_pool3d", self, Pool::Sliding(options.into()))
    }

    /// The largest elements of `output` windows that share the image out evenly: window `i` of `m` on `h` rows goes from
    /// `⌊i h / m⌋` up to, not including, `⌈(i + 1) h / m⌉`. Gradients, ties and NaN as in
    /// [`max_pool2d`](Pooling::max_pool2d).
    ///
    /// # Panics
    /// When there are not four axes, or a size of image or output is 0.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[[[1.0, 2.0, 5.0], [4.0, 3.0, 0.0]]]]);
    /// assert_eq!(x.adaptive_max_pool2d([1, 2]).to_vec(), [4.0, 5.0]);
    /// ```
    #[track_caller]
    fn adaptive_max_pool2d(&self, output: [usize; 2]) -> Self {
        Pooled::Max.of_images("adaptive_max_pool2d", self, Pool::Adaptive { output })
    }

    /// [`adaptive_max_pool2d`](Pooling::adaptive_max_pool2d) of rows `[n, c, length]` to `output` elements.
    ///
    /// # Panics
    /// When there are not three axes, or a length is 0.
    #[track_caller]
    fn adaptive_max_pool1d(&self, output: usize) -> Self {
        Pooled::Max.of_rows("adaptive_max_pool1d", self, Pool::Adaptive { output: [output] })
    }

    /// [`adaptive_max_pool2d`](Pooling::adaptive_max_pool2d) of volumes `[n, c, d, h, w]`.
    ///
    /// # Panics
    /// When there are not five axes, or a size of volume or output is 0.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::arange(24).reshape([1, 1, 2, 3, 4]);
    /// assert_eq!(x.adaptive_max_pool3d([1, 2, 1]).to_vec(), [19.0, 23.0]);
    /// ```
    #[track_caller]
    fn adaptive_max_pool3d(&self, output: [usize; 3]) -> Self {
        Pooled::Max.of_volumes("adaptive_max_pool3d", self, Pool::Adaptive { output })
    }

    /// The means of `output` windows that share the image out evenly, as in
    /// [`adaptive_max_pool2d`](Pooling::adaptive_max_pool2d).
    ///
    /// # Panics
    /// When there are not four axes, or a size of image or output is 0.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[[[1.0, 2.0, 6.0], [4.0, 3.0, 0.0]]]]);
    /// assert_eq!(x.adaptive_avg_pool2d([2, 2]).to_vec(), [1.5, 4.0, 3.5, 1.5]);
    /// ```
    #[track_caller]
    fn adaptive_avg_pool2d(&self, output: [usize; 2]) -> Self {
        Pooled::Avg.of_images("adaptive_avg_pool2d", self, Pool::Adaptive { output })
    }

    /// [`adaptive_avg_pool2d`](Pooling::adaptive_avg_pool2d) of rows `[n, c, length]` to `output` elements.
    ///
    /// # Panics
    /// When there are not three axes, or a length is 0.
    #[track_caller]
    fn adaptive_avg_pool1d(&self, output: usize) -> Self {
        Pooled::Avg.of_rows("adaptive_avg_pool1d", self, Pool::Adaptive { output: [output] })
    }

    /// [`adaptive_avg_pool2d`](Pooling::adaptive_avg_pool2d) of volumes `[n, c, d, h, w]`.
    ///
    /// # Panics
    /// When there are not five axes, or a size of volume or output is 0.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::arange(24).reshape([1, 1, 2, 3, 4]);
    /// assert_eq!(x.adaptive_avg_pool3d([1, 2, 1]).to_vec(), [9.5, 13.5]);
    /// ```
    #[track_caller]
    fn adaptive_avg_pool3d(&self, output: [usize; 3]) -> Self {
        Pooled::Avg.of_volumes("adaptive_avg_pool3d", self, Pool::Adaptive { output })
    }
}

impl<V: Value> Pooling for V {}

/// How many elements the windows of a pooling of images of this shape have, all together.
fn terms(windows: &Pool2d, x: &[usize]) -> u64 {
    let shape = windows.shape("pool2d", x).or_fail();
    let count = |windows: &[PoolWindow]| windows.iter().map(|w| w.positions().len() as u64).sum::<u64>();
    (shape.images * shape.channels) as u64 * count(&shape.rows) * count(&shape.columns)
}

/// The window of a pooling along an axis of its input.
fn pooled(windows: &Pool2d, along: &Along<'_>) -> Window {
    let axis = along.axis;
    let Some(side) = axis.checked_sub(2) else { return Window::same(axis) };
    match windows {
        Pool::Sliding(PoolOptions { kernel, stride, padding, dilation, .. }) => Window {
            axis,
            first: -(padding[side] as f64),
            reach: ((kernel[side] - 1) * dilation[side]) as f64,
            stride: stride[side] as f64,
        },
        Pool::Adaptive { output } => {
            let (input, output) = (along.shape()[axis], output[side]);
            let seen = |i: usize| (i * input / output, ((i + 1) * input).div_ceil(output) - 1);
            Window::covering(axis, input as f64 / output as f64, (0..output).map(seen))
        }
    }
}

/// Windows and the shape of an input for them, overlapping, padded, dilated, with rests, without images now and then.
fn random_windows(g: &mut Gen) -> (Pool2d, Vec<usize>) {
    let (images, channels) = ([1, 1, 2, 0][g.between(0, 3)], g.between(1, 2));
    if g.between(0, 3) == 0 {
        let output = [g.between(1, 4), g.between(1, 4)];
        return (Pool::Adaptive { output }, vec![images, channels, g.between(1, 6), g.between(1, 6)]);
    }
    let kernel = [g.between(1, 3), g.between(1, 3)];
    let dilation = [g.between(1, 2), g.between(1, 2)];
    let padding = kernel.map(|k| g.between(0, k / 2));
    // A dilated window at the edge needs a pixel to stand on.
    let input = [0, 1].map(|i| dilation[i] * kernel[i] + g.between(0, 3));
    let stride = [g.between(1, 3), g.between(1, 3)];
    let ceil_mode = g.between(0, 1) == 1;
    let options = PoolOptions { stride, padding, dilation, ceil_mode, ..PoolOptions::new(kernel) };
    (Pool::Sliding(options), vec![images, channels, input[0], input[1]])
}
