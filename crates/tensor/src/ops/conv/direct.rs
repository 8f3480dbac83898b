//! Convolution and its adjoints over planes of shifted rows: who computes what, where it is laid out in between.

use super::{planes::Planes, scratch::Scratch, shape::ConvShape};
use crate::{
    kernels::{
        conv::{CHUNK, dots, multiply},
        matmul::{Epilogue, Mat, MatMut, Rows, matmul},
    },
    threads::share,
};
use std::ops::Range;

/// `y = x * w + bias`.
pub(super) fn forward(shape: &ConvShape, x: &[f32], w: &[f32], bias: &[f32], y: &mut [f32]) {
    let planes = Planes::new(shape);
    let channels = shape.group_inputs();
    let columns = planes.outputs().next_multiple_of(CHUNK);
    let offsets = kernel_offsets(&planes, channels, planes.plane());
    let (taps, output) = (offsets.len(), area(shape.output));
    share::for_each_block_part(y, [shape.out_channels, output], shape.work(), &|n, outputs, y| {
        let mut split = Scratch::new(channels * planes.count() * planes.plane() + CHUNK);
        let mut wide = Scratch::new(outputs.len() * columns);
        let (split, wide) = (split.get(), wide.get());
        let first = outputs.start;
        for (group, outputs) in by_group(outputs, shape.group_outputs()) {
            split_images(&planes, shape, x, n..n + 1, group, split);
            let wide = &mut wide[..outputs.len() * columns];
            product(
                &w[outputs.start * taps..outputs.end * taps],
                &offsets,
                split,
                shape.group_outputs(),
                wide,
            );
            for (o, wide) in outputs.zip(wide.chunks_exact(columns)) {
                planes.narrow(wide, bias[o], &mut y[(o - first) * output..][..output]);
            }
        }
    });
}

/// `dx`: every input plane is a sum of shifted gradients, by the elements of the kernel that read this plane.
pub(super) fn input_grad(shape: &ConvShape, w: &[f32], g: &[f32], dx: &mut [f32]) {
    let planes = Planes::new(shape);
    let (outputs, taps) = (shape.group_outputs(), area(shape.kernel));
    let columns = planes.plane().next_multiple_of(CHUNK);
    let (input, output) = (area(shape.input), area(shape.output));
    // The zeros before a gradient image are those behind the one before it.
    let (margin, rows) = (planes.reach(), shape.output[0] * planes.width());
    let pitch = margin + rows;
    // For each plane the elements of the kernel that read it, and where in the gradients their products start.
    let of_plane: Vec<(Vec<usize>, Vec<usize>)> = (0..planes.count())
        .map(|plane| {
            let own = || planes.taps().enumerate().filter(move |(_, (of, _))| *of == plane);
            let starts = |o: usize| own().map(move |(_, (_, offset))| o * pitch + margin - offset);
            (own().map(|(t, _)| t).collect(), (0..outputs).flat_map(starts).collect())
        })
        .collect();
    share::for_each_block_part(dx, [shape.in_channels, input], shape.work(), &|n, inputs, dx| {
        let mut wide = Scratch::new(outputs * pitch + margin + CHUNK);
        let mut weights = Scratch::new(inputs.len() * outputs * taps);
        let mut split = Scratch::new(inputs.len() * planes.count() * columns);
        let (wide, weights, split) = (wide.get(), weights.get(), split.get());
        let first = inputs.start;
        for (group, inputs) in by_group(inputs, shape.group_inputs()) {
            for o in 0..outputs {
                let (before, gradient) = wide[o * pitch..][..pitch].split_at_mut(margin);
                before.fill(0.0);
                let from = (n * shape.out_channels + group * outputs + o) * output;
                planes.widen(&g[from..][..output], gradient);
            }
            wide[outputs * pitch..].fill(0.0);
            let pitch = inputs.len() * columns;
            for ((own, offsets), split) in of_plane.iter().zip(split.chunks_exact_mut(pitch)) {
                let weights = &mut weights[..inputs.len() * offsets.len()];
                let mut to = weights.iter_mut();
                for c in inputs.clone() {
                    let c = c % shape.group_inputs();
                    for o in group * outputs..(group + 1) * outputs {
                        let kernel = &w[(o * shape.group_inputs() + c) * taps..][..taps];
                        own.iter().zip(&mut to).for_each(|(&t, to)| *to = kernel[t]);
                    }
                }
                product(weights, offsets, wide, shape.group_inputs(), split);
            }
            for (i, c) in inputs.enumerate() {
                planes.join(&split[i * columns..], pitch, &mut dx[(c - first) * input..][..input]);
            }
        }
    });
}

/// `dw`: dot products of the gradients with shifted input planes, several small images side by side. Blocks of images
/// are summed apart, then added in pairs; the blocks depend on the shape alone.
pub(super) fn weight_grad(shape: &ConvShape, x: &[f32], g: &[f32], dw: &mut [f32]) {
    const MOST_BLOCKS: usize = 16;
    /// Floats in the partial sums together.
    const MOST_PARTIAL: usize = 4 << 20;
    let planes = Planes::new(shape);
    let most = MOST_BLOCKS.min(MOST_PARTIAL / dw.len().max(1)).max(1);
    let block = shape.images.div_ceil(most).max(1);
    let blocks = shape.images.div_ceil(block).max(1);
    if blocks == 1 {
        return weight_grad_blocks(shape, &planes, block, x, g, dw);
    }
    let mut partial = Scratch::new(blocks * dw.len());
    let partial = partial.get();
    weight_grad_blocks(shape, &planes, block, x, g, partial);
    let mut apart = 1;
    while apart < blocks {
        for i in (0..blocks - apart).step_by(2 * apart) {
            let (to, from) = partial.split_at_mut((i + apart) * dw.len());
            to[i * dw.len()..].iter_mut().zip(&from[..dw.len()]).for_each(|(to, &x)| *to += x);
        }
        apart *= 2;
    }
    dw.copy_from_slice(&partial[..dw.len()]);
}

/// The weight gradients of each `block` images, one after the other.
fn weight_grad_blocks(
    shape: &ConvShape,
    planes: &Planes,
    block: usize,
    x: &[f32],
    g: &[f32],
    dw: &mut [f32],
) {
    /// Elements of a run that the sums at its end no longer weigh on.
    const LONG_RUN: usize = 1024;
    let channels = shape.group_inputs();
    let taps = channels * area(shape.kernel);
    let (plane, output) = (planes.plane(), area(shape.output));
    let abreast = (LONG_RUN / plane).clamp(1, block);
    share::for_each_block_part(dw, [shape.out_channels, taps], shape.work(), &|b, outputs, dw| {
        dw.fill(0.0);
        let columns = ((abreast - 1) * plane + planes.outputs()).next_multiple_of(CHUNK);
        let mut split = Scratch::new(channels * planes.count() * abreast * plane + CHUNK);
        let mut wide = Scratch::new(outputs.len() * columns);
        let (split, wide) = (split.get(), wide.get());
        let first = outputs.start;
        let images = b * block..shape.images.min((b + 1) * block);
        for start in images.clone().step_by(abreast) {
            let images = start..images.end.min(start + abreast);
            let columns = ((images.len() - 1) * plane + planes.outputs()).next_multiple_of(CHUNK);
            let offsets = kernel_offsets(planes, channels, images.len() * plane);
            for (group, outputs) in by_group(outputs.clone(), shape.group_outputs()) {
                split_images(planes, shape, x, images.clone(), group, split);
                let wide = &mut wide[..outputs.len() * columns];
                for (o, wide) in outputs.clone().zip(wide.chunks_exact_mut(columns)) {
                    for (i, n) in images.clone().enumerate() {
                        let end = if n + 1 == images.end { columns } else { (i + 1) * plane };
                        let from = (n * shape.out_channels + o) * output;
                        planes.widen(&g[from..][..output], &mut wide[i * plane..end]);
                    }
                }
                let dw = &mut dw[(outputs.start - first) * taps..(outputs.end - first) * taps];
                dots(wide, &offsets, split, columns, dw);
            }
        }
    });
}

/// `out[r][p] = Σ_t weights[r][t] · x[offsets[t] + p]`, for some of `rows` rows in all.
fn product(weights: &[f32], offsets: &[usize], x: &[f32], rows: usize, out: &mut [f32]) {
    /// Rows that make it worth it to copy the shifted rows into panels.
    const MANY: usize = 32;
    let taps = offsets.len();
    let own = weights.len() / taps.max(1);
    let columns = out.len() / own.max(1);
    if rows < MANY || taps == 0 {
        return multiply(weights, offsets, x, columns, out);
    }
    let weights = Mat::new(weights, 0, [own, taps], [taps as isize, 1]);
    matmul(
        weights,
        Rows::new(x, offsets, columns),
        MatMut::new(out, [own, columns], columns),
        Epilogue::NONE,
    );
}

/// Where each element of the kernel, channel by channel, meets the first output, when planes lie `pitch` apart.
fn kernel_offsets(planes: &Planes, channels: usize, pitch: usize) -> Vec<usize> {
    let of_channel =
        |c: usize| planes.taps().map(move |(plane, offset)| (c * planes.count() + plane) * pitch + offset);
    (0..channels).flat_map(of_channel).collect()
}

/// Splits the channels that a group reads: `[channel, plane, image]`, with zeros behind.
fn split_images(
    planes: &Planes,
    shape: &ConvShape,
    x: &[f32],
    images: Range<usize>,
    group: usize,
    split: &mut [f32],
) {
    let (input, channels) = (area(shape.input), shape.group_inputs());
    let pitch = images.len() * planes.plane();
    for c in 0..channels {
        for (i, n) in images.clone().enumerate() {
            let from = (n * shape.in_channels + group * channels + c) * input;
            let to = &mut split[c * planes.count() * pitch + i * planes.plane()..];
            planes.split(&x[from..][..input], to, pitch);
        }
    }
    // What lies behind meets only zeros, but 0 times infinity is no zero.
    split[channels * planes.count() * pitch..].fill(0.0);
}

/// A range of channels cut where groups end, with the number of each group.
fn by_group(channels: Range<usize>, of_group: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
    let groups = channels.start / of_group..channels.end.div_ceil(of_group);
    groups.map(move |group| {
        (group, channels.start.max(group * of_group)..channels.end.min((group + 1) * of_group))
    })
}

fn area([height, width]: [usize; 2]) -> usize {
    height * width
}
