//! Batch and group normalisation: channels, or groups of them, each brought to mean 0 and variance 1.

use super::{normalized, standardized, tangent};
use crate::{
    op::prelude::*,
    ops::{methods::*, reduce::deviations},
};
use gradus_tensor::{Axes, ChannelNorm, StatisticsOver};

/// Each channel of `[n, c, ..]` brought to mean 0 and variance 1 over all images, then scaled by a second input and
/// shifted by a third, where there are such. Outputs: the result, the means and the variances.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm {
    /// What is added to the variance.
    pub eps: f32,
}

/// Each group of channels of each image of `[n, c, ..]` brought to mean 0 and variance 1, then scaled by a second input
/// and shifted by a third, by channel, where there are such.
#[derive(Clone, Copy, Debug)]
pub struct GroupNorm {
    /// The number of groups.
    pub groups: usize,
    /// What is added to the variance.
    pub eps: f32,
}

fn check(op: &str, inputs: &[&[usize]]) -> Result<(), ShapeError> {
    let (x, by_channel) = inputs.split_first().expect("an input to normalise");
    if x.len() < 2 {
        return Err(ShapeError::new(format!("{op}: the input has shape {x:?}, not [images, channels, ..]")));
    }
    match by_channel.iter().find(|&other| *other != [x[1]]) {
        None => Ok(()),
        Some(other) => Err(ShapeError::new(format!(
            "{op}: weight or bias of shape {other:?}: both must have one number for each of {} channels",
            x[1]
        ))),
    }
}

/// One number a channel, in a shape that broadcasts to `[n, c, ..]` of this rank.
pub(super) fn by_channel(channels: usize, rank: usize) -> Shape {
    Shape::new(&vec![1; rank - 1]).with(0, channels)
}

/// All axes but the channels'.
fn not_channels(rank: usize) -> Vec<usize> {
    (0..rank).filter(|&axis| axis != 1).collect()
}

/// The same as axes to reduce over.
fn over_channels(rank: usize) -> Axes {
    not_channels(rank).into_iter().map(|axis| axis as isize).collect::<Vec<_>>().into()
}

/// `w z + b` by channel.
fn scaled(z: Array, inputs: &[&Array]) -> Array {
    let shaped = |v: &Array| Array::new(v.data().to_vec(), by_channel(v.data().len(), z.shape().len()));
    let product = inputs.get(1).map_or_else(|| z.clone(), |w| z.zip(&shaped(w), |z, w| z * w));
    inputs.get(2).map_or_else(|| product.clone(), |b| product.zip(&shaped(b), |y, b| y + b))
}

/// An input and up to two numbers for each channel; and an eps that keeps its gradients from cancelling.
fn random(g: &mut Gen, images: usize, channels: usize) -> (Vec<Tensor>, f32) {
    let rank = g.between(0, 2);
    let pixels: Vec<usize> = (0..rank).map(|_| g.positive_length().min(5)).collect();
    let mut inputs = vec![g.normal([&[images, channels], &pixels[..]].concat()) + 0.5];
    (0..g.between(0, 2)).for_each(|_| inputs.push(g.normal([channels])));
    (inputs, [0.1, 1.0][g.between(0, 1)])
}

impl BatchNorm {
    fn norm(&self) -> ChannelNorm {
        ChannelNorm { over: StatisticsOver::Batch, eps: self.eps }
    }

    /// What the cotangents of the statistics send to x.
    fn through_statistics<V: Value>(cx: &mut Backward<'_, V>) {
        let x = cx.input_list()[0];
        let (shape, channels) = (x.shape(), x.shape()[1]);
        let (column, n) = (by_channel(channels, shape.rank()), shape.numel() as f32 / channels as f32);
        if let Some(g) = cx.cotangent_of(1) {
            cx.add(0, || (g.reshape(&column) / n).broadcast_to(&shape));
        }
        if let Some(g) = cx.cotangent_of(2) {
            let axes = over_channels(shape.rank());
            cx.add(0, || deviations(x, &axes) * (g.reshape(&column) * 2.0 / n));
        }
    }
}

impl Op for BatchNorm {
    const NAME: &'static str = "batch_norm";
    const FORMULA: &'static str = "y = w z + b, z = (x - μ) / √(σ² + eps) by channel; μ = mean x; σ² = mean (x - μ)²; \
        dx = (h - mean h - z mean (h z)) / √(σ² + eps) + gμ / n + 2 gσ² (x - μ) / n, h = g w; dw = Σ g z; db = Σ g";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    /// Of each channel the mean, the rest that it lacks, and the factor 1 / √(σ² + eps).
    type Saved = Tensor;

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        check(Self::NAME, inputs)?;
        let x = inputs[0];
        if x[0] * x[2..].iter().product::<usize>() == 0 {
            return Err(ShapeError::new(format!(
                "batch_norm: shape {x:?} has no elements to take a mean of"
            )));
        }
        let channels = Shape::new(&[x[1]]);
        Ok(vec![Shape::new(x), channels.clone(), channels].into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, Tensor) {
        let [y, mean, variance, statistics] =
            self.norm().apply(inputs[0], inputs.get(1).copied(), inputs.get(2).copied());
        (vec![y, mean, variance].into(), statistics)
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &Tensor) {
        if let Some(g) = cx.cotangent_of(0) {
            let inputs = cx.input_list();
            let (x, rank) = (inputs[0], inputs[0].shape().rank());
            let column = by_channel(x.shape()[1], rank);
            let axes = over_channels(rank);
            let [z, scale] = standardized(x, &axes, true, self.eps);
            cx.add(0, || {
                let h = inputs.get(1).map_or_else(|| g.clone(), |w| &g * w.reshape(&column));
                tangent(&h, &z, &axes, true) * &scale
            });
            if inputs.len() > 1 {
                cx.add(1, || (&g * &z).sum_axes(axes.clone(), false));
            }
            if inputs.len() > 2 {
                cx.add(2, || g.sum_axes(axes.clone(), false));
            }
        }
        BatchNorm::through_statistics(cx);
    }

    fn backward_fused(&self, cx: &mut Backward<'_, Tensor>, statistics: &Tensor) {
        if let Some(g) = cx.cotangent_of(0) {
            let inputs = cx.input_list();
            let gradients = self.norm().gradients(inputs[0], inputs.get(1).copied(), statistics, &g);
            inputs.iter().zip(gradients).enumerate().for_each(|(i, (_, gradient))| cx.add(i, || gradient));
        }
        BatchNorm::through_statistics(cx);
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let [z, mean, variance] = normalized(x, &not_channels(x.shape().len()), true, self.eps.into());
        let flat = |v: Array| Array::new(v.data().to_vec(), [x.shape()[1]]);
        vec![scaled(z, inputs), flat(mean), flat(variance)]
    }

    /// Mean, difference, square, its mean, and the product with the factor; then weight and bias.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        (4 + inputs.len() as u64) * elements(&inputs[..1])
    }

    /// Only channels stay apart.
    fn window(&self, along: &Along<'_>) -> Option<Window> {
        let channels = if along.input == 0 { 1 } else { 0 };
        (along.axis == channels).then(|| Window::same(along.output.len().min(2) - 1))
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (images, channels) = (g.between(1, 4), g.between(0, 3));
        let (inputs, eps) = random(g, images, channels);
        vec![Sample::new(BatchNorm { eps }, inputs)]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = BatchNorm { eps: 1e-5 };
        vec![
            ErrorCase::new(op, &[&[4]], "batch_norm: the input has shape [4], not [images, channels, ..]"),
            ErrorCase::new(
                op,
                &[&[2, 3, 4], &[4]],
                "batch_norm: weight or bias of shape [4]: both must have one number for each of 3 channels",
            ),
            ErrorCase::new(
                op,
                &[&[0, 3, 4]],
                "batch_norm: shape [0, 3, 4] has no elements to take a mean of",
            ),
        ]
    }
}

impl GroupNorm {
    fn norm(&self) -> ChannelNorm {
        ChannelNorm { over: StatisticsOver::Groups(self.groups), eps: self.eps }
    }

    /// `[n, groups, elements]` of an input.
    fn grouped(&self, x: &[usize]) -> [usize; 3] {
        [x[0], self.groups, x[1..].iter().product::<usize>() / self.groups]
    }
}

impl Op for GroupNorm {
    const NAME: &'static str = "group_norm";
    const FORMULA: &'static str = "y = w z + b, z = (x - μ) / √(σ² + eps) by group of channels of an image; \
        dx = (h - mean h - z mean (h z)) / √(σ² + eps), h = g w; dw = Σ g z; db = Σ g";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    /// Of each group the mean, the rest that it lacks, and the factor 1 / √(σ² + eps).
    type Saved = Tensor;

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        check(Self::NAME, inputs)?;
        let x = inputs[0];
        if self.groups == 0 || !x[1].is_multiple_of(self.groups) {
            let (groups, channels) = (self.groups, x[1]);
            return Err(ShapeError::new(format!(
                "group_norm: {groups} groups do not divide the {channels} channels of {x:?}"
            )));
        }
        Ok(Shape::new(x).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, Tensor) {
        let [y, _, _, statistics] =
            self.norm().apply(inputs[0], inputs.get(1).copied(), inputs.get(2).copied());
        (y.into(), statistics)
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &Tensor) {
        let (inputs, g) = (cx.input_list(), cx.cotangent());
        let (x, shape) = (inputs[0].reshape(self.grouped(&inputs[0].shape())), inputs[0].shape());
        let column = by_channel(shape[1], shape.rank());
        let [z, scale] = standardized(&x, &Axes::from(2), true, self.eps);
        cx.add(0, || {
            let h = inputs.get(1).map_or_else(|| g.clone(), |w| &g * w.reshape(&column));
            (tangent(&h.reshape(x.shape()), &z, &Axes::from(2), true) * &scale).reshape(&shape)
        });
        let axes: Vec<isize> = not_channels(shape.rank()).into_iter().map(|axis| axis as isize).collect();
        if inputs.len() > 1 {
            cx.add(1, || (&g * z.reshape(&shape)).sum_axes(axes.clone(), false));
        }
        if inputs.len() > 2 {
            cx.add(2, || g.sum_axes(axes, false));
        }
    }

    fn backward_fused(&self, cx: &mut Backward<'_, Tensor>, statistics: &Tensor) {
        let (inputs, g) = (cx.input_list(), cx.cotangent());
        let gradients = self.norm().gradients(inputs[0], inputs.get(1).copied(), statistics, &g);
        inputs.iter().zip(gradients).enumerate().for_each(|(i, (_, gradient))| cx.add(i, || gradient));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let groups = Array::new(x.data().to_vec(), self.grouped(x.shape()));
        let [z, ..] = normalized(&groups, &[2], true, self.eps.into());
        vec![scaled(Array::new(z.data().to_vec(), x.shape()), inputs)]
    }

    /// Mean, difference, square, its mean, and the product with the factor; then weight and bias.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        (4 + inputs.len() as u64) * elements(&inputs[..1])
    }

    /// Images stay apart, and the channels' weights.
    fn window(&self, along: &Along<'_>) -> Option<Window> {
        (along.axis == 0).then(|| Window::same(if along.input == 0 { 0 } else { 1 }))
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (images, groups, each) = (g.between(0, 2), g.between(1, 3), g.between(0, 3));
        let (inputs, eps) = random(g, images, groups * each);
        vec![Sample::new(GroupNorm { groups, eps }, inputs)]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = |groups| GroupNorm { groups, eps: 1e-5 };
        vec![
            ErrorCase::new(op(2), &[&[4]], "group_norm: the input has shape [4], not [images, channels, ..]"),
            ErrorCase::new(
                op(2),
                &[&[1, 3, 4]],
                "group_norm: 2 groups do not divide the 3 channels of [1, 3, 4]",
            ),
            ErrorCase::new(op(0), &[&[1, 3]], "group_norm: 0 groups do not divide the 3 channels"),
            ErrorCase::new(op(1), &[&[2, 3], &[3], &[2]], "group_norm: weight or bias of shape [2]"),
        ]
    }
}
