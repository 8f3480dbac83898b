//! Convolution of small images, and of strides over many channels, as products of the weight and a matrix whose columns are the patches of
//! several images side by side; and the gradient by images of few channels, large ones in bands.

use super::{scratch::Scratch, shape::ConvShape, unfold::UnfoldShape};
use crate::{
    kernels::matmul::{Epilogue, Mat, MatMut, matmul},
    threads::share,
};
use std::ops::Range;

/// Columns of a matrix, about: enough for the products, few enough for the caches.
const COLUMNS: usize = 512;

/// Elements of a matrix that stays in the second cache, of which each thread may have one.
const SMALL: usize = 1 << 17;

// What follows was measured one by one against the sums of shifted rows; the table stands in docs/design.md. An image's forward and gradient
// do not depend on its batch, so neither does their choice.

/// Whether the forward takes less time this way: where rows of shifted pixels are too short to fill vectors.
pub(super) fn suit_forward(shape: &ConvShape) -> bool {
    const FEW_PIXELS: usize = 9;
    shape.options.groups == 1
        && shape.output[0] * shape.output[1] <= FEW_PIXELS
        && shape.in_channels.min(shape.out_channels) >= 32
}

/// Whether the gradient by the input does: that it adds to each pixel from many places costs nothing beside the products of many channels,
/// and less than rows do where a picture's few channels leave most of a register tile empty.
pub(super) fn suit_input_grad(shape: &ConvShape) -> bool {
    let many =
        shape.in_channels.min(shape.out_channels) >= 32 && shape.in_channels * shape.out_channels >= 2048;
    shape.options.groups == 1 && (many || has_few_channels(shape))
}

/// Whether images have so few channels that as rows of a product they do not fill a register tile, for outputs that fill several.
fn has_few_channels(shape: &ConvShape) -> bool {
    shape.in_channels < 4 && shape.out_channels >= 16
}

/// Whether the gradient by the weight does.
pub(super) fn suit_weight_grad(shape: &ConvShape) -> bool {
    shape.options.groups == 1 && shape.in_channels * shape.out_channels >= 512
}

/// `y = x * w + bias`.
pub(super) fn forward(shape: &ConvShape, x: &[f32], w: &[f32], bias: &[f32], y: &mut [f32]) {
    let patches = Patches::new(shape);
    let (outputs, pixels) = (shape.out_channels, patches.pixels);
    let mut memory = patches.memory();
    let mut products = Scratch::new(outputs * patches.most_columns());
    for chunk in patches.chunks(0..shape.images) {
        let n = patches.columns(&chunk);
        let products = &mut products.get()[..outputs * n];
        let columns = patches.unfold(x, &chunk, memory.get());
        matmul(weight(shape, w), columns, MatMut::new(products, [outputs, n], n), Epilogue::NONE);
        let y = &mut y[chunk.images.start * outputs * pixels..chunk.images.end * outputs * pixels];
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
    let patches = Patches::new(shape);
    let image = shape.in_channels * shape.input[0] * shape.input[1];
    if dx.is_empty() {
        return;
    }
    let of_images = |first: usize, dx: &mut [f32]| {
        let mut memory = patches.memory();
        let mut beside = Scratch::new(shape.out_channels * patches.most_columns());
        for chunk in patches.chunks(first..first + dx.len() / image) {
            let g = patches.beside(g, &chunk, beside.get());
            let (rows, n) = (patches.rows, g.cols());
            let products = &mut memory.get()[..rows * n];
            matmul(weight(shape, w).transposed(), g, MatMut::new(products, [rows, n], n), Epilogue::NONE);
            let images = chunk.images.start - first..chunk.images.end - first;
            patches.fold(products, &chunk, &mut dx[images.start * image..images.end * image]);
        }
    };
    let piece = patches.abreast * image;
    if patches.rows * patches.most_columns() <= SMALL {
        share::for_each_large_piece(dx, piece, shape.work(), &|i, dx| of_images(i * patches.abreast, dx));
    } else {
        of_images(0, dx);
    }
}

/// `dw`, summed over the patches from the first image to the last.
pub(super) fn weight_grad(shape: &ConvShape, x: &[f32], g: &[f32], dw: &mut [f32]) {
    let patches = Patches::new(shape);
    let size = [shape.out_channels, patches.rows];
    let mut memory = patches.memory();
    let mut beside = Scratch::new(shape.out_channels * patches.most_columns());
    if shape.images == 0 {
        dw.fill(0.0);
    }
    for (i, chunk) in patches.chunks(0..shape.images).enumerate() {
        let g = patches.beside(g, &chunk, beside.get());
        let columns = patches.unfold(x, &chunk, memory.get());
        let epilogue = Epilogue { accumulate: i > 0, ..Epilogue::NONE };
        matmul(g, columns.transposed(), MatMut::new(dw, size, size[1]), epilogue);
    }
}

fn weight<'a>(shape: &ConvShape, w: &'a [f32]) -> Mat<'a> {
    let taps = w.len() / shape.out_channels;
    Mat::new(w, 0, [shape.out_channels, taps], [taps as isize, 1])
}

/// How patches are put into matrices.
struct Patches {
    shape: UnfoldShape,
    /// Elements of a patch.
    rows: usize,
    /// Patches of an image.
    pixels: usize,
    /// Images whose patches are side by side.
    abreast: usize,
    /// Rows of an image's patches that are in one matrix: all of them, or of pictures those that the second cache holds.
    band: usize,
}

/// The patches in one matrix: all rows of some images, or some rows of one image.
struct Chunk {
    images: Range<usize>,
    rows: Range<usize>,
}

impl Patches {
    fn new(shape: &ConvShape) -> Patches {
        let [height, width] = shape.output;
        let pixels = height * width;
        Patches {
            shape: UnfoldShape(shape.clone()),
            rows: shape.in_channels * shape.kernel[0] * shape.kernel[1],
            pixels,
            abreast: (COLUMNS / pixels).clamp(1, shape.images.max(1)),
            band: match has_few_channels(shape) && pixels > 2 * COLUMNS {
                true => (COLUMNS / width).max(1),
                false => height,
            },
        }
    }

    /// Memory for the patches of a chunk.
    fn memory(&self) -> Scratch {
        Scratch::new(self.rows * self.most_columns())
    }

    /// The matrices for some images, the first of which begins one.
    fn chunks(&self, images: Range<usize>) -> impl Iterator<Item = Chunk> + use<> {
        let (abreast, band, height) = (self.abreast, self.band, self.shape.0.output[0]);
        images.clone().step_by(abreast).flat_map(move |start| {
            let images = start..images.end.min(start + abreast);
            (0..height)
                .step_by(band)
                .map(move |row| Chunk { images: images.clone(), rows: row..height.min(row + band) })
        })
    }

    fn most_columns(&self) -> usize {
        self.columns(&Chunk { images: 0..self.abreast, rows: 0..self.band })
    }

    /// The patches of one image in a chunk.
    fn patches(&self, chunk: &Chunk) -> usize {
        chunk.rows.len() * self.shape.0.output[1]
    }

    /// The columns for a chunk. There are two at least: of one alone the product would add up in another order, and an image's
    /// result does not depend on its company.
    fn columns(&self, chunk: &Chunk) -> usize {
        (chunk.images.len() * self.patches(chunk)).max(2)
    }

    fn unfold<'m>(&self, x: &[f32], chunk: &Chunk, memory: &'m mut [f32]) -> Mat<'m> {
        let (n, patches, shape) = (self.columns(chunk), self.patches(chunk), &self.shape);
        let ConvShape { in_channels, input, kernel, options, .. } = shape.0;
        let (taps, plane, stride) = (kernel[0] * kernel[1], input[0] * input[1], options.stride[1]);
        let memory = &mut memory[..self.rows * n];
        share::for_each_run_chunk(memory, n, share::ELEMENTWISE, &|rows, memory| {
            for (row, line) in rows.zip(memory.chunks_exact_mut(n)) {
                line.fill(0.0);
                let (channel, tap) = (row / taps, row % taps);
                for (image, line) in chunk.images.clone().zip(line.chunks_exact_mut(patches)) {
                    let x = &x[(image * in_channels + channel) * plane..][..plane];
                    let tap = [tap / kernel[1], tap % kernel[1]];
                    shape.for_each_row(&chunk.rows, tap, |to, from, n| {
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

    /// Adds columns to the pixels of the planes of a chunk's images that they were read from.
    fn fold(&self, columns: &[f32], chunk: &Chunk, dx: &mut [f32]) {
        let (n, patches, shape) = (self.columns(chunk), self.patches(chunk), &self.shape);
        let ConvShape { in_channels, input, kernel, options, .. } = shape.0;
        let (taps, plane, stride) = (kernel[0] * kernel[1], input[0] * input[1], options.stride[1]);
        share::for_each_run_chunk(dx, plane, share::ELEMENTWISE, &|planes, dx| {
            for (index, dx) in planes.zip(dx.chunks_exact_mut(plane)) {
                if chunk.rows.start == 0 {
                    dx.fill(0.0);
                }
                let (image, channel) = (index / in_channels, index % in_channels);
                for tap in 0..taps {
                    let line = &columns[(channel * taps + tap) * n + image * patches..][..patches];
                    let tap = [tap / kernel[1], tap % kernel[1]];
                    shape.for_each_row(&chunk.rows, tap, |from, to, n| {
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

    /// The gradients of a chunk's patches side by side, a row for each output channel.
    fn beside<'a>(&self, g: &'a [f32], chunk: &Chunk, memory: &'a mut [f32]) -> Mat<'a> {
        let (n, pixels, outputs) = (self.columns(chunk), self.pixels, self.shape.0.out_channels);
        if chunk.images.len() == 1 && n == self.patches(chunk) {
            let first = chunk.images.start * outputs * pixels + chunk.rows.start * self.shape.0.output[1];
            return Mat::new(g, first, [outputs, n], [pixels as isize, 1]);
        }
        let memory = &mut memory[..outputs * n];
        share::for_each_run_chunk(memory, n, share::ELEMENTWISE, &|rows, memory| {
            for (o, row) in rows.zip(memory.chunks_exact_mut(n)) {
                row.fill(0.0);
                for (image, row) in chunk.images.clone().zip(row.chunks_exact_mut(pixels)) {
                    row.copy_from_slice(&g[(image * outputs + o) * pixels..][..pixels]);
                }
            }
        });
        Mat::new(memory, 0, [outputs, n], [n as isize, 1])
    }
}
