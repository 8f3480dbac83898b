//! Convolution by kernels of one element: a matrix product for each image, of the weight and its channels as they stand.

use super::shape::ConvShape;
use crate::kernels::matmul::{Epilogue, Mat, MatMut, batched_matmul, matmul};

/// Whether a convolution is one.
pub(super) fn fits(shape: &ConvShape) -> bool {
    let options = &shape.options;
    shape.kernel == [1; 2] && (options.stride, options.padding, options.groups) == ([1; 2], [0; 2], 1)
}

/// `y = w x + bias`, image by image.
pub(super) fn forward(shape: &ConvShape, x: &[f32], w: &[f32], bias: &[f32], y: &mut [f32]) {
    let pixels = pixels(shape);
    for (o, y) in y.chunks_exact_mut(pixels).enumerate() {
        y.fill(bias[o % shape.out_channels]);
    }
    let w = weight(shape, w);
    products(
        shape,
        w,
        x,
        shape.in_channels,
        MatMut::new(y, [shape.images * shape.out_channels, pixels], pixels),
        true,
    );
}

/// `dx = wᵀ g`
pub(super) fn input_grad(shape: &ConvShape, w: &[f32], g: &[f32], dx: &mut [f32]) {
    let (pixels, w) = (pixels(shape), weight(shape, w).transposed());
    let out = MatMut::new(dx, [shape.images * shape.in_channels, pixels], pixels);
    products(shape, w, g, shape.out_channels, out, false);
}

/// `dw = Σ g xᵀ`, image after image.
pub(super) fn weight_grad(shape: &ConvShape, x: &[f32], g: &[f32], dw: &mut [f32]) {
    let (pixels, [rows, columns]) = (pixels(shape), [shape.out_channels, shape.in_channels]);
    if shape.images == 0 {
        dw.fill(0.0);
    }
    for n in 0..shape.images {
        let image =
            |from, channels| Mat::new(from, n * channels * pixels, [channels, pixels], [pixels as isize, 1]);
        let out = MatMut::new(dw, [rows, columns], columns);
        let epilogue = Epilogue { accumulate: n > 0, ..Epilogue::NONE };
        matmul(image(g, rows), image(x, columns).transposed(), out, epilogue);
    }
}

/// The product of `w` and each image, of so many channels.
fn products(
    shape: &ConvShape,
    w: Mat<'_>,
    images: &[f32],
    channels: usize,
    out: MatMut<'_>,
    accumulate: bool,
) {
    let pixels = pixels(shape);
    let image = |n: usize| Mat::new(images, n * channels * pixels, [channels, pixels], [pixels as isize, 1]);
    batched_matmul(shape.images, |n| (w, image(n)), out, Epilogue { accumulate, ..Epilogue::NONE });
}

fn weight<'a>(shape: &ConvShape, w: &'a [f32]) -> Mat<'a> {
    Mat::new(w, 0, [shape.out_channels, shape.in_channels], [shape.in_channels as isize, 1])
}

fn pixels(shape: &ConvShape) -> usize {
    shape.input[0] * shape.input[1]
}
