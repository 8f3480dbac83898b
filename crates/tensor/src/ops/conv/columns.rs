//! Convolution of small images, and of strides over many channels, as products of the weight and a matrix whose columns are the patches of
//! several images side by side.

use super::{scratch::Scratch, shape::ConvShape, unfold::UnfoldShape};
use crate::{
    kernels::matmul::{Epilogue, Mat, MatMut, matmul},
    threads::share,
};
use std::ops::Range;

/// Columns of a matrix, about: enough for the products, few enough for the caches.
const COLUMNS: usize = 512;

// What follows was measured one by one against the sums of shifted rows; the table stands in docs/design.md. An image's forward and gradient
// do not depend on its batch, so neither does their choice.

/// Whether the forward takes less time this way: where rows of shifted pixels are too short to fill vectors.
pub(super) fn suit_forward(shape: &ConvShape) -> bool {
    const FEW_PIXELS: usize = 9;
    shape.options.groups == 1
        && shape.output[0] * shape.output[1] <= FEW_PIXELS
        && shape.in_channels.min(shape.out_channels) >= 32
}

/// Whether the gradient by the input does: that it adds to each pixel from many places costs nothing beside the products of many channels.
pub(super) fn suit_input_grad(shape: &ConvShape) -> bool {
    shape.options.groups == 1
        && shape.in_channels.min(shape.out_channels) >= 32
        && shape.in_channels * shape.out_channels >= 2048
}

/// Whether the gradient by the weight does.
pub(super) fn suit_weight_grad(shape: &ConvShape) -> bool {
    shape.options.groups == 1 && shape.in_channels * shape.out_channels >= 512
}

/// `y = x * w + bias`.
pub(super) fn forward(shape: &ConvShape, x: &[f32], w: &[f32], bias: &[f32], y: &mut [f32]) {
    let mut patches = Patches::new(shape);
    let (outputs, pixels) = (shape.out_channels, patches.pixels);
    let mut products = Scratch::new(outputs * patches.most_columns());
    for images in patches.chunks() {
        let n = patches.columns(&images);
        let products = &mut products.get()[..outputs * n];
        let columns = patches.unfold(x, &images);
        matmul(weight(shape, w), columns, MatMut::new(products, [outputs, n], n), Epilogue::NONE);
        let y = &mut y[images.start * outputs * pixels..images.end * outputs * pixels];
        share::for_each_run_chunk(y, pixels, share::ELEMENTWISE, &|rows, y| {
            for (row, y) in rows.zip(y.chunks_exact_mut(pixels)) {
                let (image, o) = (row / outputs, row % outputs);
                let from = &products[o * n + image * pixels..][..pixels];
                y.iter_mut().zip(from).for_each(|(y, x)| *y = x + bias[o]);
            }
        });
    }
}

/// `dx`: the gradients of the patches, each added to where it was read.
pub(super) fn input_grad(shape: &ConvShape, w: &[f32], g: &[f32], dx: &mut [f32]) {
    let mut patches = Patches::new(shape);
    let mut beside = Scratch::new(shape.out_channels * patches.most_columns());
    let plane = shape.input[0] * shape.input[1];
    for images in patches.chunks() {
        let g = patches.beside(g, &images, beside.get());
        let n = g.cols();
        let rows = patches.rows;
        let out = MatMut::new(&mut patches.memory.get()[..rows * n], [rows, n], n);
        matmul(weight(shape, w).transposed(), g, out, Epilogue::NONE);
        let channels = images.start * shape.in_channels..images.end * shape.in_channels;
        patches.fold(n, &mut dx[channels.start * plane..channels.end * plane]);
    }
}

/// `dw`, summed over the patches from the first image to the last.
pub(super) fn weight_grad(shape: &ConvShape, x: &[f32], g: &[f32], dw: &mut [f32]) {
    let mut patches = Patches::new(shape);
    let size = [shape.out_channels, patches.rows];
    let mut beside = Scratch::new(shape.out_channels * patches.most_columns());
    if shape.images == 0 {
        dw.fill(0.0);
    }
    for images in patches.chunks() {
        let g = patches.beside(g, &images, beside.get());
        let columns = patches.unfold(x, &images);
        let epilogue = Epilogue { accumulate: images.start > 0, ..Epilogue::NONE };
        matmul(g, columns.transposed(), MatMut::new(dw, size, size[1]), epilogue);
    }
}

fn weight<'a>(shape: &ConvShape, w: &'a [f32]) -> Mat<'a> {
    let taps = w.len() / shape.out_channels;
    Mat::new(w, 0, [shape.out_channels, taps], [taps as isize, 1])
}

/// The patches of some images at a time, as columns.
struct Patches {
    shape: UnfoldShape,
    /// Elements of a patch.
    rows: usize,
    /// Patches of an image.
    pixels: usize,
    /// Images whose patches are side by side.
    abreast: usize,
    memory: Scratch,
}

impl Patches {
    fn new(shape: &ConvShape) -> Patches {
        let pixels = shape.output[0] * shape.output[1];
        let rows = shape.in_channels * shape.kernel[0] * shape.kernel[1];
        let abreast = (COLUMNS / pixels).clamp(1, shape.images.max(1));
        let mut patches =
            Patches { shape: UnfoldShape(shape.clone()), rows, pixels, abreast, memory: Scratch::new(0) };
        patches.memory = Scratch::new(rows * patches.most_columns());
        patches
    }

    fn chunks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (images, abreast) = (self.shape.0.images, self.abreast);
        (0..images).step_by(abreast).map(move |start| start..images.min(start + abreast))
    }

    fn most_columns(&self) -> usize {
        self.columns(&(0..self.abreast))
    }

    /// The columns for so many images. There are two at least: of one alone the product would add up in another order, and an image's
    /// result does not depend on its company.
    fn columns(&self, images: &Range<usize>) -> usize {
        (images.len() * self.pixels).max(2)
    }

    fn unfold(&mut self, x: &[f32], images: &Range<usize>) -> Mat<'_> {
        let (n, shape, pixels) = (self.columns(images), &self.shape, self.pixels);
        let ConvShape { in_channels, input, kernel, options, .. } = shape.0;
        let (taps, plane, stride) = (kernel[0] * kernel[1], input[0] * input[1], options.stride[1]);
        let memory = &mut self.memory.get()[..self.rows * n];
        share::for_each_run_chunk(memory, n, share::ELEMENTWISE, &|rows, memory| {
            for (row, line) in rows.zip(memory.chunks_exact_mut(n)) {
                line.fill(0.0);
                let (channel, tap) = (row / taps, row % taps);
                for (image, line) in images.clone().zip(line.chunks_exact_mut(pixels)) {
                    let x = &x[(image * in_channels + channel) * plane..][..plane];
                    shape.for_each_row([tap / kernel[1], tap % kernel[1]], |to, from, n| {
                        let to = &mut line[to..to + n];
                        match stride {
                            1 => to.copy_from_slice(&x[from..from + n]),
                            _ => to
                                .iter_mut()
                                .zip(x[from..].iter().step_by(stride))
                                .for_each(|(to, x)| *to = *x),
                        }
                    });
                }
            }
        });
        Mat::new(memory, 0, [self.rows, n], [n as isize, 1])
    }

    /// Adds columns, in the memory, to the pixels of the planes of some images that they were read from.
    fn fold(&mut self, n: usize, dx: &mut [f32]) {
        let (shape, pixels) = (&self.shape, self.pixels);
        let ConvShape { in_channels, input, kernel, options, .. } = shape.0;
        let (taps, plane, stride) = (kernel[0] * kernel[1], input[0] * input[1], options.stride[1]);
        let memory = &*self.memory.get();
        share::for_each_run_chunk(dx, plane, share::ELEMENTWISE, &|planes, dx| {
            for (index, dx) in planes.zip(dx.chunks_exact_mut(plane)) {
                dx.fill(0.0);
                let (image, channel) = (index / in_channels, index % in_channels);
                for tap in 0..taps {
                    let line = &memory[(channel * taps + tap) * n + image * pixels..][..pixels];
                    shape.for_each_row([tap / kernel[1], tap % kernel[1]], |from, to, n| {
                        let from = &line[from..from + n];
                        match stride {
                            1 => dx[to..to + n].iter_mut().zip(from).for_each(|(x, column)| *x += column),
                            _ => dx[to..]
                                .iter_mut()
                                .step_by(stride)
                                .zip(from)
                                .for_each(|(x, column)| *x += column),
                        }
                    });
                }
            }
        });
    }

    /// The gradients of some images side by side, a row for each output channel.
    fn beside<'a>(&self, g: &'a [f32], images: &Range<usize>, memory: &'a mut [f32]) -> Mat<'a> {
        let (n, pixels, outputs) = (self.columns(images), self.pixels, self.shape.0.out_channels);
        if images.len() == 1 && n == pixels {
            return Mat::new(g, images.start * outputs * pixels, [outputs, n], [n as isize, 1]);
        }
        let memory = &mut memory[..outputs * n];
        share::for_each_run_chunk(memory, n, share::ELEMENTWISE, &|rows, memory| {
            for (o, row) in rows.zip(memory.chunks_exact_mut(n)) {
                row.fill(0.0);
                for (image, row) in images.clone().zip(row.chunks_exact_mut(pixels)) {
                    row.copy_from_slice(&g[(image * outputs + o) * pixels..][..pixels]);
                }
            }
        });
        Mat::new(memory, 0, [outputs, n], [n as isize, 1])
    }
}
