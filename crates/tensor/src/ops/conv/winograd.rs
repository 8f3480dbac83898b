//! Convolution by kernels of 3 x 3 with a third of the multiplications, by the transforms of
//! [`kernels::winograd`](crate::kernels::winograd): tiles of 4 x 4 outputs become squares of 6 x 6 numbers, each of which is
//! a matrix product over channels by itself.
//!
//! Images are turned so that the channels of a pixel lie side by side, and are the lanes of the transforms.

use super::{scratch::Scratch, shape::ConvShape};
use crate::{
    Isa,
    kernels::{
        matmul::{Epilogue, Mat, MatMut, by_panel, matmul, panel_width},
        transpose::transpose,
        winograd::{
            INPUTS, NOWHERE, OUTPUTS, OfGradients, OfInputs, OfKernel, TAPS, ToKernel, ToOutputs, transform,
        },
    },
    simd::MAX_LANES,
    threads::share,
};
use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
};

/// Elements of a kernel.
const AREA: usize = TAPS * TAPS;

/// Numbers that a tile is transformed to.
const SQUARE: usize = INPUTS * INPUTS;

/// Channels, of either side, from which the method pays: below, the transforms take longer than what they save.
const FEWEST_CHANNELS: usize = 16;

/// Input channels whose kernels are transformed at a time: those of a block of the transposition.
const CHANNELS: usize = 16;

/// Tiles that are transformed and multiplied at a time: enough rows for the matrix products, few enough for the caches.
const TILES: usize = 64;

/// Floats of transformed inputs and gradients that wait for the products of the weight's gradient.
const WAITING: usize = 1 << 20;

/// Whether the method computes this convolution and its adjoints, and faster than the direct one. The number of images
/// has no say: an image's result does not depend on its batch.
pub(super) fn fits(shape: &ConvShape) -> bool {
    let options = &shape.options;
    let plain = shape.kernel == [TAPS; 2]
        && (options.stride, options.dilation, options.groups) == ([1; 2], [1; 2], 1)
        && options.padding.iter().all(|&padding| padding < TAPS);
    let used = shape.output.map(|size| size as f64 / size.next_multiple_of(OUTPUTS) as f64);
    // Of 36 products for 16 outputs some are for outputs beyond the edge.
    plain && shape.in_channels.min(shape.out_channels) >= FEWEST_CHANNELS && used[0] * used[1] >= 0.5
}

/// How many tiles there are: the transform of the weight's gradient takes as long as the products of some dozen of them.
pub(super) fn tiles(shape: &ConvShape) -> usize {
    let [rows, columns] = shape.output.map(|size| size.div_ceil(OUTPUTS));
    shape.images * rows * columns
}

/// `y = x * w + bias`. False where a result is infinite or NaN: it may be finite, or another one, if computed directly.
pub(super) fn forward(shape: &ConvShape, x: &[f32], w: &[f32], bias: &[f32], y: &mut [f32]) -> bool {
    let plan =
        Plan::new(shape.in_channels, shape.out_channels, shape.input, shape.output, shape.options.padding);
    let inputs = shape.in_channels;
    plan.convolve(x, &Taps { w, output: inputs * AREA, input: AREA, turned: false }, bias, y)
}

/// `dx`: the convolution of the gradients by the kernels turned round. False as for [`forward`].
pub(super) fn input_grad(shape: &ConvShape, w: &[f32], g: &[f32], dx: &mut [f32]) -> bool {
    let padding = shape.options.padding.map(|padding| TAPS - 1 - padding);
    let plan = Plan::new(shape.out_channels, shape.in_channels, shape.output, shape.input, padding);
    let inputs = shape.in_channels;
    plan.convolve(g, &Taps { w, output: AREA, input: inputs * AREA, turned: true }, &[], dx)
}

/// `dw`. False as for [`forward`].
pub(super) fn weight_grad(shape: &ConvShape, x: &[f32], g: &[f32], dw: &mut [f32]) -> bool {
    let plan =
        Plan::new(shape.in_channels, shape.out_channels, shape.input, shape.output, shape.options.padding);
    plan.weight_grad(shape.images, x, g, dw)
}

/// The kernels of a convolution, in the weight as it is or as its adjoint by the input takes it.
struct Taps<'a> {
    w: &'a [f32],
    /// From the kernels of one output to those of the next, and from one input to the next.
    output: usize,
    input: usize,
    /// Whether the kernels are taken from their last element to the first.
    turned: bool,
}

/// How images are cut into tiles.
struct Plan {
    inputs: Channels,
    outputs: Channels,
    /// Height and width of the images.
    input: [usize; 2],
    output: [usize; 2],
    padding: [usize; 2],
    /// Rows and columns of tiles.
    tiles: [usize; 2],
    /// Rows of tiles in a segment.
    segment_rows: usize,
}

/// The channels of a pixel.
#[derive(Clone, Copy)]
struct Channels {
    count: usize,
    /// With those that make up whole vectors, all zero.
    padded: usize,
    /// From the square of one tile to the next: an odd number of cache lines, so that a step of all tiles does not fall into
    /// one set of the cache.
    pitch: usize,
}

impl Channels {
    fn new(count: usize) -> Channels {
        let padded = count.next_multiple_of(MAX_LANES);
        Channels { count, padded, pitch: SQUARE * padded + MAX_LANES }
    }

    /// Writes the zeros of a segment's pixels: the first pixel, and the channels that are none.
    fn clear(&self, pixels: &mut [f32]) {
        let zeros = if self.count < self.padded { pixels.len() } else { self.padded };
        pixels[..zeros].fill(0.0);
    }
}

/// Some rows of tiles of one image.
#[derive(Clone)]
struct Segment {
    image: usize,
    rows: Range<usize>,
}

impl Plan {
    fn new(
        inputs: usize,
        outputs: usize,
        input: [usize; 2],
        output: [usize; 2],
        padding: [usize; 2],
    ) -> Plan {
        let tiles = output.map(|size| size.div_ceil(OUTPUTS));
        let most = (TILES / tiles[1]).max(1);
        let segment_rows = tiles[0].div_ceil(tiles[0].div_ceil(most));
        let (inputs, outputs) = (Channels::new(inputs), Channels::new(outputs));
        Plan { inputs, outputs, input, output, padding, tiles, segment_rows }
    }

    /// The segments of some images.
    fn segments(&self, images: Range<usize>) -> Vec<Segment> {
        let rows = (0..self.tiles[0]).step_by(self.segment_rows);
        let rows = rows.map(|first| first..(first + self.segment_rows).min(self.tiles[0]));
        images.flat_map(|image| rows.clone().map(move |rows| Segment { image, rows })).collect()
    }

    /// Segments that make up a block of about [`TILES`] tiles.
    fn abreast(&self) -> usize {
        (TILES / (self.segment_rows * self.tiles[1])).max(1)
    }

    fn tiles_of(&self, segments: &[Segment]) -> usize {
        segments.iter().map(|segment| segment.rows.len() * self.tiles[1]).sum()
    }

    /// The squares of each segment's tiles, which follow each other.
    fn by_segment<'a>(
        &self,
        segments: &'a [Segment],
        mut squares: &'a mut [f32],
        pitch: usize,
    ) -> Vec<(&'a Segment, &'a mut [f32])> {
        let of = |segment| {
            let tiles = self.tiles_of(std::slice::from_ref(segment));
            let (own, others) = std::mem::take(&mut squares).split_at_mut(tiles * pitch);
            squares = others;
            (segment, own)
        };
        segments.iter().map(of).collect()
    }

    fn convolve(&self, x: &[f32], taps: &Taps<'_>, bias: &[f32], y: &mut [f32]) -> bool {
        if y.is_empty() {
            return true;
        }
        let (image, width) = (self.outputs.count * area(self.output), panel_width());
        let (images, panel) = (y.len() / image, SQUARE * self.kernel_pitch());
        let mut kernels = Scratch::new(self.outputs.padded.div_ceil(width) * panel);
        let kernels = kernels.get();
        share::for_each_piece(kernels, panel, &|i, panel| self.transform_kernels(i * width, taps, panel));
        let finite = AtomicBool::new(true);
        // Whole images to each thread, or where there are fewer of them some of the outputs.
        let threads = rayon::current_num_threads();
        let count = self.outputs.count;
        let [together, outputs] = if images < threads {
            let cut = count.div_ceil(threads.div_ceil(images));
            [1, cut.next_multiple_of(width.max(MAX_LANES)).min(count)]
        } else {
            [self.abreast().min(images.div_ceil(threads)), count]
        };
        let parts = y.chunks_mut(together * image).enumerate().flat_map(|(i, y)| {
            let images = i * together..i * together + y.len() / image;
            let parts = y.chunks_mut(images.len() * outputs * area(self.output)).enumerate();
            parts.map(move |(k, y)| (images.clone(), k * outputs..count.min((k + 1) * outputs), y))
        });
        let number = images.div_ceil(together) * count.div_ceil(outputs);
        share::for_each_item(number, parts, |(images, outputs, y)| {
            if !self.part(x, kernels, bias, images, outputs, y) {
                finite.store(false, Ordering::Relaxed);
            }
        });
        finite.into_inner()
    }

    /// Floats from one matrix of a panel of transformed kernels to the next: an odd number of cache lines, as for tiles.
    fn kernel_pitch(&self) -> usize {
        self.inputs.padded * panel_width() + MAX_LANES
    }

    /// The transformed kernels of a panel of outputs: `[square, input, output]`.
    fn transform_kernels(&self, first: usize, taps: &Taps<'_>, panel: &mut [f32]) {
        let (isa, width) = (Isa::current(), panel_width());
        let outputs = first..self.outputs.count.min(first + width);
        // Kernels of neighbouring inputs follow each other in the weight as it is, and are turned at once.
        let together = if taps.input == AREA { CHANNELS } else { 1 };
        let mut turned = vec![0.0; together * AREA * width];
        let read = squares::<TAPS>(width);
        let read = if taps.turned { read.map(|row| row.map(|at| (AREA - 1) * width - at)) } else { read };
        if outputs.len() < width || self.inputs.count < self.inputs.padded {
            panel.fill(0.0);
        }
        if outputs.is_empty() {
            return;
        }
        for first in (0..self.inputs.count).step_by(together) {
            let inputs = first..self.inputs.count.min(first + together);
            let from = &taps.w[outputs.start * taps.output + first * taps.input..];
            transpose(isa, from, taps.output, [outputs.len(), inputs.len() * AREA], &mut turned, width);
            for (c, turned) in inputs.zip(turned.chunks_exact(AREA * width)) {
                let write = squares::<INPUTS>(self.kernel_pitch()).map(|row| row.map(|at| at + c * width));
                transform::<OfKernel, TAPS, INPUTS>(turned, &read, panel, &write, width, &[]);
            }
        }
    }

    /// Some outputs of some images, on this thread.
    fn part(
        &self,
        x: &[f32],
        kernels: &[f32],
        bias: &[f32],
        images: Range<usize>,
        outputs: Range<usize>,
        y: &mut [f32],
    ) -> bool {
        let (width, own) = (panel_width(), Channels::new(outputs.len()));
        let segments = self.segments(images.clone());
        let tiles = self.tiles_of(&segments[..self.abreast().min(segments.len())]);
        let mut pixels = Scratch::new(self.pixels(self.inputs, self.input));
        let mut results = Scratch::new(self.pixels(own, self.output));
        let (mut squares_in, mut squares_out) =
            (Scratch::new(tiles * self.inputs.pitch), Scratch::new(tiles * own.pitch));
        let (pixels, results) = (pixels.get(), results.get());
        let (squares_in, squares_out) = (squares_in.get(), squares_out.get());
        self.inputs.clear(pixels);
        let mut own_bias = vec![0.0; own.padded];
        if !bias.is_empty() {
            own_bias[..outputs.len()].copy_from_slice(&bias[outputs.clone()]);
        }
        let mut finite = true;
        for segments in segments.chunks(self.abreast()) {
            let tiles = self.tiles_of(segments);
            for (segment, own) in self.by_segment(segments, squares_in, self.inputs.pitch) {
                self.transform_inputs(x, segment, pixels, own);
            }
            for at in 0..SQUARE {
                let from = Mat::new(
                    squares_in,
                    at * self.inputs.padded,
                    [tiles, self.inputs.padded],
                    [self.inputs.pitch as isize, 1],
                );
                for j in (0..own.padded).step_by(width) {
                    let panel = (outputs.start + j) / width * SQUARE + at;
                    let panel = &kernels[panel * self.kernel_pitch()..][..self.inputs.padded * width];
                    let to = &mut squares_out[at * own.padded + j..];
                    by_panel(from, panel, MatMut::new(to, [tiles, width.min(own.padded - j)], own.pitch));
                }
            }
            for (segment, squares) in self.by_segment(segments, squares_out, own.pitch) {
                finite &= self.transform_outputs(squares, segment, own, &own_bias, results);
                let lines = segment.rows.start * OUTPUTS..(segment.rows.end * OUTPUTS).min(self.output[0]);
                let size = [lines.len() * self.output[1], own.count];
                let image = (segment.image - images.start) * own.count * area(self.output);
                let y = &mut y[image + lines.start * self.output[1]..];
                transpose(Isa::current(), results, own.padded, size, y, area(self.output));
            }
        }
        finite
    }

    /// Floats for the pixels of a segment, behind one of zeros.
    fn pixels(&self, channels: Channels, [height, width]: [usize; 2]) -> usize {
        let lines = (self.segment_rows * OUTPUTS + INPUTS - OUTPUTS).min(height);
        (lines * width + 1) * channels.padded
    }

    /// The transformed inputs of a segment's tiles: `[tile, square, channel]`. `pixels` were cleared
    /// for the input's channels.
    fn transform_inputs(&self, x: &[f32], segment: &Segment, pixels: &mut [f32], squares_in: &mut [f32]) {
        let first = (segment.rows.start * OUTPUTS).saturating_sub(self.padding[0]);
        let end = (segment.rows.end * OUTPUTS + INPUTS - OUTPUTS).saturating_sub(self.padding[0]);
        let lines = first..end.clamp(first, self.input[0].max(first));
        self.turn(x, self.inputs, segment.image, lines, self.input, pixels);
        let write = squares(self.inputs.padded);
        for (tile, [i, j]) in squares_in.chunks_exact_mut(self.inputs.pitch).zip(self.tiles(segment)) {
            let corner = [i * OUTPUTS, j * OUTPUTS];
            let read = places(corner, self.padding, self.input, first, self.inputs.padded);
            transform::<OfInputs, INPUTS, INPUTS>(pixels, &read, tile, &write, self.inputs.padded, &[]);
        }
    }

    /// The pixels of some lines of an image, each with its channels side by side, behind one of zeros.
    fn turn(
        &self,
        images: &[f32],
        channels: Channels,
        image: usize,
        lines: Range<usize>,
        size: [usize; 2],
        pixels: &mut [f32],
    ) {
        let from = image * channels.count * area(size) + lines.start * size[1];
        let block = [channels.count, lines.len() * size[1]];
        transpose(
            Isa::current(),
            &images[from..],
            area(size),
            block,
            &mut pixels[channels.padded..],
            channels.padded,
        );
    }

    /// The outputs of a segment's tiles, pixel by pixel. False where one is infinite or NaN.
    fn transform_outputs(
        &self,
        squares_out: &[f32],
        segment: &Segment,
        own: Channels,
        bias: &[f32],
        results: &mut [f32],
    ) -> bool {
        let read = squares(own.padded);
        let mut finite = true;
        for (tile, [i, j]) in squares_out.chunks_exact(own.pitch).zip(self.tiles(segment)) {
            let first = segment.rows.start * OUTPUTS;
            let mut write = [[NOWHERE; OUTPUTS]; OUTPUTS];
            for (r, row) in write.iter_mut().enumerate() {
                for (c, place) in row.iter_mut().enumerate() {
                    let [line, column] = [i * OUTPUTS + r, j * OUTPUTS + c];
                    if line < self.output[0] && column < self.output[1] {
                        *place = ((line - first) * self.output[1] + column) * own.padded;
                    }
                }
            }
            finite &= transform::<ToOutputs, INPUTS, OUTPUTS>(tile, &read, results, &write, own.padded, bias);
        }
        finite
    }

    /// The rows and columns of a segment's tiles.
    fn tiles(&self, segment: &Segment) -> impl Iterator<Item = [usize; 2]> {
        let columns = self.tiles[1];
        segment.rows.clone().flat_map(move |i| (0..columns).map(move |j| [i, j]))
    }

    fn weight_grad(&self, images: usize, x: &[f32], g: &[f32], dw: &mut [f32]) -> bool {
        let (inputs, outputs) = (self.inputs, self.outputs);
        // An odd number of cache lines, as for tiles.
        let square = ((outputs.count * inputs.padded / MAX_LANES) | 1) * MAX_LANES;
        let mut sums = Scratch::new(SQUARE * square);
        let sums = sums.get();
        let segments = self.segments(0..images);
        let of_segment = self.segment_rows * self.tiles[1];
        let together =
            (WAITING / (of_segment * (inputs.pitch + outputs.pitch))).clamp(1, segments.len().max(1));
        let mut waiting_in = Scratch::new(together * of_segment * inputs.pitch);
        let mut waiting_out = Scratch::new(together * of_segment * outputs.pitch);
        let (waiting_in, waiting_out) = (waiting_in.get(), waiting_out.get());
        if segments.is_empty() {
            sums.fill(0.0);
        }
        for (k, segments) in segments.chunks(together).enumerate() {
            let tiles = self.tiles_of(segments);
            let parts = self.by_segment(segments, waiting_in, inputs.pitch).into_iter();
            let parts = parts.zip(self.by_segment(segments, waiting_out, outputs.pitch));
            share::for_each_item(segments.len(), parts, |((segment, squares_in), (_, squares_out))| {
                let room = self.pixels(inputs, self.input).max(self.pixels(outputs, self.output));
                let mut pixels = Scratch::new(room);
                let pixels = pixels.get();
                inputs.clear(pixels);
                self.transform_inputs(x, segment, pixels, squares_in);
                outputs.clear(pixels);
                self.transform_gradients(g, segment, pixels, squares_out);
            });
            share::for_each_piece(sums, square, &|at, sums| {
                let (rows, columns) = (outputs.pitch as isize, inputs.pitch as isize);
                let a = Mat::new(waiting_out, at * outputs.padded, [outputs.count, tiles], [1, rows]);
                let b = Mat::new(waiting_in, at * inputs.padded, [tiles, inputs.padded], [columns, 1]);
                let to = MatMut::new(sums, [outputs.count, inputs.padded], inputs.padded);
                matmul(a, b, to, Epilogue { accumulate: k > 0, ..Epilogue::NONE });
            });
        }
        let finite = AtomicBool::new(true);
        share::for_each_piece(dw, inputs.count * AREA, &|o, dw| {
            let mut taps = vec![0.0; AREA * inputs.padded];
            let read = squares::<INPUTS>(square).map(|row| row.map(|at| at + o * inputs.padded));
            if !transform::<ToKernel, INPUTS, TAPS>(
                sums,
                &read,
                &mut taps,
                &squares(inputs.padded),
                inputs.padded,
                &[],
            ) {
                finite.store(false, Ordering::Relaxed);
            }
            for (c, dw) in dw.chunks_exact_mut(AREA).enumerate() {
                dw.iter_mut().enumerate().for_each(|(i, dw)| *dw = taps[i * inputs.padded + c]);
            }
        });
        finite.into_inner()
    }

    /// The transformed gradients by a segment's outputs, as [`Plan::transform_inputs`].
    fn transform_gradients(&self, g: &[f32], segment: &Segment, pixels: &mut [f32], squares_out: &mut [f32]) {
        let lines = segment.rows.start * OUTPUTS..(segment.rows.end * OUTPUTS).min(self.output[0]);
        self.turn(g, self.outputs, segment.image, lines.clone(), self.output, pixels);
        let write = squares(self.outputs.padded);
        for (tile, [i, j]) in squares_out.chunks_exact_mut(self.outputs.pitch).zip(self.tiles(segment)) {
            let corner = [i * OUTPUTS, j * OUTPUTS];
            let read = places(corner, [0; 2], self.output, lines.start, self.outputs.padded);
            transform::<OfGradients, OUTPUTS, INPUTS>(pixels, &read, tile, &write, self.outputs.padded, &[]);
        }
    }
}

/// The places of a square's elements that lie `pitch` apart, row by row.
fn squares<const N: usize>(pitch: usize) -> [[usize; N]; N] {
    std::array::from_fn(|r| std::array::from_fn(|c| (r * N + c) * pitch))
}

/// Where the pixels of a square stand: `corner` is its first one in an image that is padded by so much, of which the lines
/// from `first` on are there, behind a pixel of zeros that stands for all beyond the edges.
fn places<const N: usize>(
    corner: [usize; 2],
    padding: [usize; 2],
    size: [usize; 2],
    first: usize,
    channels: usize,
) -> [[usize; N]; N] {
    let inside = |axis: usize| -> [Option<usize>; N] {
        std::array::from_fn(|k| (corner[axis] + k).checked_sub(padding[axis]).filter(|&at| at < size[axis]))
    };
    let (lines, columns) = (inside(0), inside(1));
    std::array::from_fn(|r| {
        std::array::from_fn(|c| match (lines[r], columns[c]) {
            (Some(line), Some(column)) => ((line - first) * size[1] + column + 1) * channels,
            _ => 0,
        })
    })
}

fn area([height, width]: [usize; 2]) -> usize {
    height * width
}
