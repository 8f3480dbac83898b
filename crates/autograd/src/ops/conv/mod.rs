//! Convolutions, in one dimension to three, and transposed; and the patches of images that they see.

mod conv2d;
mod input_grad;
mod unfold;
mod volume;
mod weight_grad;

pub use conv2d::Conv2d;
pub use input_grad::Conv2dInputGrad;
pub use unfold::{Fold, Unfold};
pub use weight_grad::Conv2dWeightGrad;

use crate::{
    op::prelude::*,
    ops::{methods::*, shape::Padding},
};
use gradus_tensor::{Conv1dOptions, Conv2dOptions, Conv3dOptions, ConvShape, check_conv_bias};
use std::ops::Range;

/// Convolutions, in one dimension to three, and transposed. Weights have PyTorch's layouts.
pub trait Convolution: Value {
    /// The convolution (in truth the cross-correlation, as everywhere in this field) of images
    /// `[n, in_channels, h, w]` with kernels `[out_channels, in_channels / groups, kh, kw]` and a number for each output
    /// channel:
    ///
    /// `y[n, o, i, j] = bias[o] + Σ_c,a,b weight[o, c, a, b] · x[n, c, i·stride + a·dilation - padding, j·..]`
    ///
    /// with zeros outside the image; `c` runs over the channels of `o`'s group. The output has
    /// `(h + 2 padding - dilation (kh - 1) - 1) / stride + 1` rows, rounded down, and as many columns by the same
    /// formula.
    ///
    /// # Panics
    /// When the channels do not fit the weight or the groups, the dilated kernel is larger than the padded image, the
    /// bias is not one number an output channel, or a stride, dilation or kernel size is 0.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.constant([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]]);
    /// let (w, b) = (tape.var([[[[1.0, 0.0], [0.0, -1.0]]]]), tape.var([10.0]));
    /// let y = x.conv2d(&w, Some(&b), Conv2dOptions::default());
    /// assert_eq!(y.value(), Tensor::full([1, 1, 2, 2], 6.0));
    /// let gradients = y.sum().backward();
    /// assert_eq!(gradients[w].to_vec(), [12.0, 16.0, 24.0, 28.0]); // sums of the windows' corners
    /// assert_eq!(gradients[b].to_vec(), [4.0]);
    /// ```
    #[track_caller]
    fn conv2d(&self, weight: &Self, bias: Option<&Self>, options: Conv2dOptions) -> Self {
        let op = Conv2d(options);
        match bias {
            Some(bias) => Self::apply(op, &[self, weight, bias]),
            None => Self::apply(op, &[self, weight]),
        }
    }

    /// The convolution of rows `[n, in_channels, length]` with kernels `[out_channels, in_channels / groups, k]`: that of
    /// images of height 1.
    ///
    /// `y[n, o, i] = bias[o] + Σ_c,a weight[o, c, a] · x[n, c, i·stride + a·dilation - padding]`
    ///
    /// # Panics
    /// As [`conv2d`](Convolution::conv2d); messages show the shapes with a height of 1.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[[1.0, 2.0, 4.0, 8.0]]]);
    /// let y = x.conv1d(&Tensor::from([[[-1.0, 1.0]]]), None, Conv1dOptions::default());
    /// assert_eq!(y.to_vec(), [1.0, 2.0, 4.0]);
    /// ```
    #[track_caller]
    fn conv1d(&self, weight: &Self, bias: Option<&Self>, options: Conv1dOptions) -> Self {
        let options = flat(options);
        let (x, w) = (with_height("conv1d", self), with_height("conv1d", weight));
        let shape = ConvShape::new("conv1d", &x.shape(), &w.shape(), options).or_fail();
        if let Some(bias) = bias {
            check_conv_bias("conv1d", &bias.shape(), shape.out_channels).or_fail();
        }
        x.conv2d(&w, bias, options).squeeze(2)
    }

    /// The transposed convolution of images `[n, in_channels, h, w]` with kernels
    /// `[in_channels, out_channels / groups, kh, kw]`: what the gradient of a convolution by its input computes. Every
    /// element puts a multiple of the kernel into the output, at distances of `stride`, and what overlaps is added:
    ///
    /// `y[n, o, i·stride + a·dilation - padding, j·..] += x[n, c, i, j] · weight[c, o, a, b]`
    ///
    /// The output has `(h - 1) stride + dilation (kh - 1) + 1 + output_padding - 2 padding` rows, and as many columns by
    /// the same formula: `output_padding` chooses among the sizes that a convolution with this stride maps to `h`.
    ///
    /// # Panics
    /// When the channels do not fit the weight or the groups, the output padding is less than neither stride nor
    /// dilation, the padding cuts everything away, the bias is not one number an output channel, or a size is 0 where it must not be.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[[[1.0, 2.0], [3.0, 4.0]]]]);
    /// let ones = Tensor::ones([1, 1, 3, 3]);
    /// let y = x.conv_transpose2d(&ones, None, [0, 0], Conv2dOptions::default());
    /// assert_eq!(y.get([0, 0, 1, 1]), 10.0);
    /// assert_eq!(y.shape(), &[1, 1, 4, 4]);
    /// ```
    #[track_caller]
    fn conv_transpose2d(
        &self,
        weight: &Self,
        bias: Option<&Self>,
        output_padding: [usize; 2],
        options: Conv2dOptions,
    ) -> Self {
        transposed("conv_transpose2d", self, weight, bias, output_padding, options)
    }

    /// The transposed convolution of rows `[n, in_channels, length]` with kernels `[in_channels, out_channels / groups,
    /// k]`: that of images of height 1.
    ///
    /// `y[n, o, i·stride + a·dilation - padding] += x[n, c, i] · weight[c, o, a]`
    ///
    /// # Panics
    /// As [`conv_transpose2d`](Convolution::conv_transpose2d); messages show the shapes with a height of 1.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[[1.0, 10.0]]]);
    /// let every_second = Conv1dOptions { stride: [2], ..Default::default() };
    /// let y = x.conv_transpose1d(&Tensor::from([[[1.0, 2.0, 3.0]]]), None, 0, every_second);
    /// assert_eq!(y.to_vec(), [1.0, 2.0, 13.0, 20.0, 30.0]);
    /// ```
    #[track_caller]
    fn conv_transpose1d(
        &self,
        weight: &Self,
        bias: Option<&Self>,
        output_padding: usize,
        options: Conv1dOptions,
    ) -> Self {
        let (op, options) = ("conv_transpose1d", flat(options));
        let (x, w) = (with_height(op, self), with_height(op, weight));
        transposed(op, &x, &w, bias, [0, output_padding], options).squeeze(2)
    }

    /// The convolution of volumes `[n, in_channels, d, h, w]` with kernels
    /// `[out_channels, in_channels / groups, kd, kh, kw]`:
    ///
    /// `y[n, o, k, i, j] = bias[o] + Σ_c,e,a,b weight[o, c, e, a, b] · x[n, c, k·stride + e·dilation - padding, i·.., j·..]`
    ///
    /// with zeros outside; sizes and groups as in [`conv2d`](Convolution::conv2d), which computes it, of images whose
    /// channels are all the layers that a place of the kernel sees. These are a copy of the input, in depth `kd / stride`
    /// times as large, which a tape keeps, with padding beside a copy of the input: of 1.6 MB of volumes, 7 MB for a kernel
    /// of 3 x 3 x 3. With several groups the larger copy is made twice.
    ///
    /// # Panics
    /// As [`conv2d`](Convolution::conv2d), for three axes.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::arange(8).reshape([1, 1, 2, 2, 2]);
    /// let y = x.conv3d(&Tensor::ones([1, 1, 2, 1, 2]), None, Conv3dOptions::default());
    /// assert_eq!(y, Tensor::new([10.0, 18.0], [1, 1, 1, 2, 1]));
    /// ```
    #[track_caller]
    fn conv3d(&self, weight: &Self, bias: Option<&Self>, options: Conv3dOptions) -> Self {
        volume::conv3d(self, weight, bias, options)
    }

    /// The transposed convolution of volumes `[n, in_channels, d, h, w]` with kernels
    /// `[in_channels, out_channels / groups, kd, kh, kw]`: every element puts a multiple of the kernel into the output, as in
    /// [`conv_transpose2d`](Convolution::conv_transpose2d), which gives the sizes too.
    ///
    /// `y[n, o, k·stride + e·dilation - padding, i·.., j·..] += x[n, c, k, i, j] · weight[c, o, e, a, b]`
    ///
    /// On the way there is what each layer of the input gives to each layer of the kernel: as many elements as the output
    /// has, times about `kd / stride`.
    ///
    /// # Panics
    /// As [`conv_transpose2d`](Convolution::conv_transpose2d), for three axes.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::new([1.0, 10.0], [1, 1, 2, 1, 1]);
    /// let kernel = Tensor::new([1.0, 2.0], [1, 1, 2, 1, 1]);
    /// let y = x.conv_transpose3d(&kernel, None, [0, 0, 0], Conv3dOptions::default());
    /// assert_eq!(y.to_vec(), [1.0, 12.0, 20.0]);
    /// ```
    #[track_caller]
    fn conv_transpose3d(
        &self,
        weight: &Self,
        bias: Option<&Self>,
        output_padding: [usize; 3],
        options: Conv3dOptions,
    ) -> Self {
        volume::conv_transpose3d(self, weight, bias, output_padding, options)
    }

    /// The patches of images `[n, c, h, w]` that kernels of size `kernel` meet, as columns `[n, c · kh · kw, patches]`,
    /// with zeros where a patch lies in the padding (im2col). The number of groups is without effect.
    ///
    /// `y[n, (c, a, b), (i, j)] = x[n, c, i·stride + a·dilation - padding, j·..]`
    ///
    /// # Panics
    /// When there are not four axes, the dilated kernel is larger than the padded image, or a stride, dilation or kernel
    /// size is 0.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[[[1.0, 2.0, 3.0]]]]);
    /// assert_eq!(x.unfold([1, 2], Conv2dOptions::default()), Tensor::from([[[1.0, 2.0], [2.0, 3.0]]]));
    /// ```
    #[track_caller]
    fn unfold(&self, kernel: [usize; 2], options: Conv2dOptions) -> Self {
        Self::apply(Unfold { kernel, options }, &[self])
    }

    /// The reverse of [`unfold`](Convolution::unfold): images of height and width `size`, in which the patches of the
    /// columns `[n, c · kh · kw, patches]` are added up (col2im).
    ///
    /// # Panics
    /// When unfolding such images does not give columns like these.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let columns = Tensor::from([[[1.0, 2.0], [2.0, 3.0]]]);
    /// assert_eq!(columns.fold([1, 3], [1, 2], Conv2dOptions::default()).to_vec(), [1.0, 4.0, 3.0]);
    /// ```
    #[track_caller]
    fn fold(&self, size: [usize; 2], kernel: [usize; 2], options: Conv2dOptions) -> Self {
        Self::apply(Fold { size, kernel, options }, &[self])
    }
}

impl<V: Value> Convolution for V {}

#[track_caller]
fn transposed<V: Value>(
    op: &str,
    x: &V,
    w: &V,
    bias: Option<&V>,
    output_padding: [usize; 2],
    options: Conv2dOptions,
) -> V {
    let shape = ConvShape::of_transposed(op, &x.shape(), &w.shape(), output_padding, options).or_fail();
    let (sizes, places) = (x.shape(), shape.output);
    let zeros = [places[0] - sizes[2], places[1] - sizes[3]];
    let x = match zeros {
        [0, 0] => x.clone(),
        [rows, columns] => x.pad([(0, 0), (0, 0), (0, rows), (0, columns)], Padding::Constant(0.0)),
    };
    let y = V::apply(Conv2dInputGrad { size: shape.input, options }, &[w, &x]);
    let Some(bias) = bias else { return y };
    check_conv_bias(op, &bias.shape(), shape.in_channels).or_fail();
    y + bias.reshape([shape.in_channels, 1, 1])
}

/// The options of a convolution along the width alone.
fn flat(
    Conv1dOptions { stride: [stride], padding: [padding], dilation: [dilation], groups }: Conv1dOptions,
) -> Conv2dOptions {
    Conv2dOptions { stride: [1, stride], padding: [0, padding], dilation: [1, dilation], groups }
}

/// Rows as images of height 1.
#[track_caller]
pub(super) fn with_height<V: Value>(op: &str, x: &V) -> V {
    let shape = x.shape();
    if shape.rank() != 3 {
        ShapeError::new(format!("{op}: shape {shape} has not three axes: [n, channels, length]")).fail()
    }
    x.unsqueeze(2)
}

/// The window of a convolution with a weight of this shape along one of the axes of images.
fn sliding(axis: usize, weight: &[usize], options: Conv2dOptions) -> Window {
    let Conv2dOptions { stride, padding, dilation, .. } = options;
    Window {
        axis,
        first: -(padding[axis - 2] as f64),
        reach: ((weight[axis] - 1) * dilation[axis - 2]) as f64,
        stride: stride[axis - 2] as f64,
    }
}

/// The window where only the axis of the images stays, in this input.
fn image_only(along: &Along<'_>, input: usize) -> Option<Window> {
    (along.input == input && along.axis == 0).then(|| Window::same(0))
}

/// What the products of a convolution take: each element of y is a sum of as many as the kernel has elements; those with
/// padding count.
fn products(y: &[usize], weight: &[usize]) -> u64 {
    2 * elements(&[y]) * elements(&[&weight[1..]])
}

/// Places in an array at even distances.
struct Places {
    start: usize,
    step: usize,
}

/// How many places the kernel stands at.
fn places(shape: &ConvShape) -> usize {
    shape.images * shape.output[0] * shape.output[1]
}

/// What each place of the kernel meets of a group's channels, a row each, with zeros in the padding; and how long a row is.
fn patches(shape: &ConvShape, x: &[f64], group: usize) -> (Vec<f64>, usize) {
    let length = shape.group_inputs() * shape.kernel[0] * shape.kernel[1];
    let mut patches = vec![0.0; places(shape) * length];
    each_meeting(shape, group, |at, pixel| patches[at] = x[pixel]);
    (patches, length)
}

/// Calls `f` with the positions in a group's patches and in x of what the kernel meets.
fn each_meeting(shape: &ConvShape, group: usize, mut f: impl FnMut(usize, usize)) {
    let Conv2dOptions { stride, padding, dilation, .. } = shape.options;
    let ([height, width], [rows, columns], [kh, kw]) = (shape.input, shape.output, shape.kernel);
    let inputs = shape.group_inputs();
    // What lies before the image wraps around to far behind it.
    let pixel =
        |axis: usize, i: usize, k: usize| (i * stride[axis] + k * dilation[axis]).wrapping_sub(padding[axis]);
    let mut at = 0;
    for (n, i, j) in
        (0..shape.images).flat_map(|n| (0..rows).flat_map(move |i| (0..columns).map(move |j| (n, i, j))))
    {
        for c in 0..inputs {
            let plane = (n * shape.in_channels + group * inputs + c) * height;
            for row in (0..kh).map(|a| pixel(0, i, a)) {
                for (b, column) in (0..kw).map(|b| pixel(1, j, b)).enumerate() {
                    if row < height && column < width {
                        f(at + b, (plane + row) * width + column);
                    }
                }
                at += kw;
            }
        }
    }
}

/// Calls `f` with the positions of a group's outputs in a row for each place, and in y.
fn each_output(shape: &ConvShape, group: usize, mut f: impl FnMut(usize, usize)) {
    let (outputs, pixels) = (shape.group_outputs(), shape.output[0] * shape.output[1]);
    for place in 0..places(shape) {
        let (n, pixel) = (place / pixels, place % pixels);
        for o in 0..outputs {
            f(place * outputs + o, (n * shape.out_channels + group * outputs + o) * pixels + pixel);
        }
    }
}

/// A group's outputs, a row for each place of the kernel.
fn outputs_of(shape: &ConvShape, y: &[f64], group: usize) -> Vec<f64> {
    let mut outputs = vec![0.0; places(shape) * shape.group_outputs()];
    each_output(shape, group, |at, flat| outputs[at] = y[flat]);
    outputs
}

/// Calls `f` with the positions in x and y of what the element at position `w` of the weight is multiplied with and added to, for
/// a run of elements along the width at a time.
fn runs_of_weight(shape: &ConvShape, w: usize, mut f: impl FnMut(Places, Range<usize>)) {
    let Conv2dOptions { stride, padding, dilation, .. } = shape.options;
    let (inputs, outputs) = (shape.group_inputs(), shape.group_outputs());
    let ([height, width], [rows, columns]) = (shape.input, shape.output);
    let (rest, b) = (w / shape.kernel[1], w % shape.kernel[1]);
    let (rest, a) = (rest / shape.kernel[0], rest % shape.kernel[0]);
    let (o, c) = (rest / inputs, rest % inputs);
    let channel = o / outputs * inputs + c;
    // The columns j of y for which j stride + b dilation - padding lies in the image.
    let first = padding[1].saturating_sub(b * dilation[1]).div_ceil(stride[1]);
    let end = (width + padding[1]).saturating_sub(b * dilation[1]).div_ceil(stride[1]).min(columns);
    if first >= end {
        return;
    }
    let column = first * stride[1] + b * dilation[1] - padding[1];
    for n in 0..shape.images {
        for i in 0..rows {
            // What lies before the image wraps around to far behind it.
            let row = (i * stride[0] + a * dilation[0]).wrapping_sub(padding[0]);
            if row < height {
                let x = ((n * shape.in_channels + channel) * height + row) * width + column;
                let y = ((n * shape.out_channels + o) * rows + i) * columns;
                f(Places { start: x, step: stride[1] }, y + first..y + end);
            }
        }
    }
}

/// Calls `f` with the positions in w and y of the terms that the element at position `x` of the input is in.
fn terms_of_input(shape: &ConvShape, x: usize, mut f: impl FnMut(usize, usize)) {
    let Conv2dOptions { stride, padding, dilation, .. } = shape.options;
    let (inputs, outputs) = (shape.group_inputs(), shape.group_outputs());
    let ([height, width], [rows, columns], [kh, kw]) = (shape.input, shape.output, shape.kernel);
    let (rest, column) = (x / width, x % width);
    let (rest, row) = (rest / height, rest % height);
    let (n, channel) = (rest / shape.in_channels, rest % shape.in_channels);
    let (group, c) = (channel / inputs, channel % inputs);
    // The place of the window, along an axis, whose element `k` of the kernel lies on this pixel.
    let window = |axis: usize, pixel: usize, k: usize| {
        let start = (pixel + padding[axis]).checked_sub(k * dilation[axis])?;
        (start % stride[axis] == 0).then_some(start / stride[axis])
    };
    for a in 0..kh {
        let Some(i) = window(0, row, a).filter(|&i| i < rows) else { continue };
        for b in 0..kw {
            let Some(j) = window(1, column, b).filter(|&j| j < columns) else { continue };
            for o in group * outputs..(group + 1) * outputs {
                let w = ((o * inputs + c) * kh + a) * kw + b;
                f(w, ((n * shape.out_channels + o) * rows + i) * columns + j);
            }
        }
    }
}

/// The sizes of a small convolution: no images now and then, kernels of one element and as large as the input.
fn random_shape(g: &mut Gen) -> ConvShape {
    let options = Conv2dOptions {
        stride: [g.between(1, 3), g.between(1, 3)],
        padding: [g.between(0, 2), g.between(0, 2)],
        dilation: [g.between(1, 2), g.between(1, 2)],
        groups: g.between(1, 2),
    };
    let kernel = [g.between(1, 3), g.between(1, 3)];
    let input = [0, 1].map(|axis| {
        let reach = options.dilation[axis] * (kernel[axis] - 1) + 1;
        (reach + g.between(0, 3)).saturating_sub(2 * options.padding[axis]).max(1)
    });
    let images = [1, 1, 2, 0][g.between(0, 3)];
    let (inputs, outputs) = (g.between(1, 2), g.between(1, 2));
    let x = [images, inputs * options.groups, input[0], input[1]];
    let w = [outputs * options.groups, inputs, kernel[0], kernel[1]];
    ConvShape::new("conv2d", &x, &w, options).or_fail()
}
