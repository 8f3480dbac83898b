//! Values brought to a scale: softmax and its logarithm; batch, layer, group, instance and RMS normalisation.

mod channels;
mod log_softmax;
mod rows;
mod softmax;

pub use channels::{BatchNorm, GroupNorm};
pub use log_softmax::LogSoftmax;
pub(crate) use log_softmax::log_softmax;
pub use rows::{LayerNorm, NormalizedRows, RmsNorm};
pub use softmax::Softmax;

use crate::{
    op::prelude::*,
    ops::{methods::*, reduce::deviations, units::units},
};
use channels::by_channel;
use gradus_tensor::Axes;

/// Values brought to a scale: along an axis, over rows, by channel.
pub trait Normalize: Value {
    /// The softmax along an axis: positive numbers that sum to 1.
    ///
    /// `y = e^(x - max x) / Σ e^(x - max x); dx = y (g - Σ g y)`
    ///
    /// The maximum is subtracted first, so that no finite input overflows. A lane of nothing but -inf, one that is
    /// masked wholly, gives NaN, as in PyTorch.
    ///
    /// # Panics
    /// When there is no such axis.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let y = Tensor::from([1010.0, 1000.0, 990.0]).softmax(-1);
    /// assert!((y.get([1]) - 4.5398e-5).abs() < 1e-9);
    /// ```
    #[track_caller]
    fn softmax(&self, axis: isize) -> Self {
        Self::apply(Softmax { axis }, &[self])
    }

    /// The softmax of the negative along an axis: the smallest element has the largest share.
    ///
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    fn softmin(&self, axis: isize) -> Self {
        (-self).softmax(axis)
    }

    /// The logarithm of the softmax along an axis, exact where the softmax itself rounds to 0.
    ///
    /// `y = x - ln Σ e^x; dx = g - e^y Σ g`
    ///
    /// A lane of nothing but -inf gives NaN, as in PyTorch.
    ///
    /// # Panics
    /// When there is no such axis.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let y = Tensor::from([0.0, 1000.0]).log_softmax(0);
    /// assert_eq!(y.to_vec(), [-1000.0, 0.0]);
    /// ```
    #[track_caller]
    fn log_softmax(&self, axis: isize) -> Self {
        Self::apply(LogSoftmax { axis }, &[self])
    }

    /// Layer normalisation: every row over the last axes, whose sizes are `normalized_shape`, brought to mean 0 and
    /// variance 1, then scaled and shifted element by element.
    ///
    /// `y = weight z + bias, z = (x - μ) / √(σ² + eps); dx = (h - mean h - z mean (h z)) / √(σ² + eps), h = g weight`
    ///
    /// σ² is the mean of (x - μ)². Without weight it is 1, without bias 0. PyTorch's eps is 1e-5. With eps 0 a row of
    /// equal elements gives NaN.
    ///
    /// # Panics
    /// When the shape does not end in `normalized_shape`, or weight or bias have another shape than that.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[1.0, 3.0], [2.0, 6.0]]);
    /// let y = x.layer_norm([2], Some(&Tensor::from([1.0, 10.0])), None, 0.0);
    /// assert_eq!(y.to_vec(), [-1.0, 10.0, -1.0, 10.0]);
    /// ```
    #[track_caller]
    fn layer_norm(
        &self,
        normalized_shape: impl AsRef<[usize]>,
        weight: Option<&Self>,
        bias: Option<&Self>,
        eps: f32,
    ) -> Self {
        let [y] = affine(
            LayerNorm { normalized_shape: Shape::new(normalized_shape.as_ref()), eps },
            self,
            weight,
            bias,
        );
        y
    }

    /// RMS normalisation: every row over the last axes, whose sizes are `normalized_shape`, brought to a mean square of
    /// 1, then scaled element by element.
    ///
    /// `y = weight z, z = x / √(mean x² + eps); dx = (h - z mean (h z)) / √(mean x² + eps), h = g weight`
    ///
    /// # Panics
    /// When the shape does not end in `normalized_shape`, or the weight has another shape than that.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let y = Tensor::from([1.0, -7.0]).rms_norm([2], None, 0.0);
    /// assert_eq!(y.to_vec(), [0.2, -1.4]);
    /// ```
    #[track_caller]
    fn rms_norm(&self, normalized_shape: impl AsRef<[usize]>, weight: Option<&Self>, eps: f32) -> Self {
        let [y] = affine(
            RmsNorm { normalized_shape: Shape::new(normalized_shape.as_ref()), eps },
            self,
            weight,
            None,
        );
        y
    }

    /// Batch normalisation in training: every channel of `[n, c, ..]` brought to mean 0 and variance 1 over all images
    /// and pixels, then scaled and shifted. Gives the result, and the means and the variances by channel.
    ///
    /// `y = weight z + bias, z = (x - μ) / √(σ² + eps); dx = (h - mean h - z mean (h z)) / √(σ² + eps), h = g weight`
    ///
    /// σ² = Σ (x - μ)² / m over the m elements of a channel. Running averages are kept of `σ² m / (m - 1)` in PyTorch.
    /// Gradients flow through the statistics too, where a loss depends on them. A single element a channel gives the
    /// bias. Without weight it is 1, without bias 0. PyTorch's eps is 1e-5.
    ///
    /// # Panics
    /// When there are fewer than two axes, a channel has no elements, or weight or bias are not one number a channel.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[1.0, 0.0], [3.0, 8.0]]);
    /// let [y, mean, variance] = x.batch_norm(None, None, 0.0);
    /// assert_eq!(y.to_vec(), [-1.0, -1.0, 1.0, 1.0]);
    /// assert_eq!((mean.to_vec(), variance.to_vec()), (vec![2.0, 4.0], vec![1.0, 16.0]));
    /// ```
    #[track_caller]
    fn batch_norm(&self, weight: Option<&Self>, bias: Option<&Self>, eps: f32) -> [Self; 3] {
        affine(BatchNorm { eps }, self, weight, bias)
    }

    /// Batch normalisation in evaluation: every channel of `[n, c, ..]` shifted and scaled by a mean and a variance that
    /// are given, in general running averages.
    ///
    /// `y = weight (x - mean) / √(variance + eps) + bias`, by channel
    ///
    /// # Panics
    /// When there are fewer than two axes, or mean, variance, weight or bias are not one number a channel.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[1.0, 0.0], [3.0, 8.0]]);
    /// let (mean, variance) = (Tensor::from([1.0, 4.0]), Tensor::from([4.0, 16.0]));
    /// let y = x.batch_norm_with(&mean, &variance, None, None, 0.0);
    /// assert_eq!(y.to_vec(), [0.0, -1.0, 1.0, 1.0]);
    /// ```
    #[track_caller]
    fn batch_norm_with(
        &self,
        mean: &Self,
        variance: &Self,
        weight: Option<&Self>,
        bias: Option<&Self>,
        eps: f32,
    ) -> Self {
        let shape = self.shape();
        let &[_, channels, ..] = &shape[..] else {
            ShapeError::new(format!("batch_norm: the input has shape {shape}, not [images, channels, ..]"))
                .fail()
        };
        for v in [Some(mean), Some(variance), weight, bias].into_iter().flatten() {
            if v.shape() != [channels] {
                let found = v.shape();
                ShapeError::new(format!("batch_norm: {found} is not one number for each channel of {shape}"))
                    .fail()
            }
        }
        // One factor and one summand a channel, so that x is gone over as seldom as can be.
        let root = (variance + eps).rsqrt();
        let factor = weight.map_or_else(|| root.clone(), |weight| weight * &root);
        let shift = mean * &factor;
        let summand = bias.map_or_else(|| -&shift, |bias| bias - &shift);
        let column = by_channel(channels, shape.rank());
        self * factor.reshape(&column) + summand.reshape(&column)
    }

    /// Group normalisation: of every image of `[n, c, ..]` every group of `c / groups` channels brought to mean 0 and
    /// variance 1, then scaled and shifted by channel.
    ///
    /// `y = weight z + bias, z = (x - μ) / √(σ² + eps); dx = (h - mean h - z mean (h z)) / √(σ² + eps), h = g weight`
    ///
    /// # Panics
    /// When there are fewer than two axes, the groups do not divide the channels, or weight or bias are not one number a
    /// channel.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[1.0, 3.0, 0.0, 8.0]]);
    /// assert_eq!(x.group_norm(2, None, None, 0.0).to_vec(), [-1.0, 1.0, -1.0, 1.0]);
    /// ```
    #[track_caller]
    fn group_norm(&self, groups: usize, weight: Option<&Self>, bias: Option<&Self>, eps: f32) -> Self {
        let [y] = affine(GroupNorm { groups, eps }, self, weight, bias);
        y
    }

    /// Instance normalisation: every channel of every image of `[n, c, ..]` brought to mean 0 and variance 1, then
    /// scaled and shifted by channel. It is [`group_norm`](Normalize::group_norm) with groups of one channel.
    ///
    /// # Panics
    /// When there are fewer than two axes, or weight or bias are not one number a channel.
    #[track_caller]
    fn instance_norm(&self, weight: Option<&Self>, bias: Option<&Self>, eps: f32) -> Self {
        let channels = self.shape().get(1).copied().unwrap_or(1);
        self.group_norm(channels.max(1), weight, bias, eps)
    }
}

impl<V: Value> Normalize for V {}

/// Applies an operation that takes a weight, and after it a bias, where there are such.
#[track_caller]
fn affine<V: Value, O: Op, const M: usize>(op: O, x: &V, weight: Option<&V>, bias: Option<&V>) -> [V; M] {
    match (weight, bias) {
        (None, None) => V::apply_n(op, &[x]),
        (Some(weight), None) => V::apply_n(op, &[x, weight]),
        (Some(weight), Some(bias)) => V::apply_n(op, &[x, weight, bias]),
        (None, Some(bias)) => V::apply_n(op, &[x, &x.place().constant(Tensor::ones(bias.shape())), bias]),
    }
}

/// Of x over the axes, in operations: z = (x - μ) / √(σ² + eps), and 1 / √(σ² + eps). Without centering μ is 0.
fn standardized<V: Value>(x: &V, axes: &Axes, centered: bool, eps: f32) -> [V; 2] {
    let d = if centered { deviations(x, axes) } else { x.clone() };
    let Some(units) = units(&d.to_tensor(), axes, eps.sqrt()) else {
        let scale = (d.square().mean_axes(axes.clone(), true) + eps).rsqrt();
        return [d * &scale, scale];
    };
    // The root of as much more, times as much.
    let summand = d.place().constant(units.map(|unit| (f64::from(unit).powi(2) * f64::from(eps)) as f32));
    let units = d.place().constant(units);
    let d = d * &units;
    let scale = (d.square().mean_axes(axes.clone(), true) + summand).rsqrt();
    [d * &scale, scale * units]
}

/// The part of `h` that changes z, which is x normalised over the axes: without what is along one or along z. With the
/// factor of z it is the gradient by x.
fn tangent<V: Value>(h: &V, z: &V, axes: &Axes, centered: bool) -> V {
    let along_z = z * (h * z).mean_axes(axes.clone(), true);
    if centered { h - h.mean_axes(axes.clone(), true) - along_z } else { h - along_z }
}

/// Of `x` over the axes: (x - μ) / √(σ² + eps), μ and σ². Without centering μ is 0.
fn normalized(x: &Array, axes: &[usize], centered: bool, eps: f64) -> [Array; 3] {
    let n: usize = axes.iter().map(|&axis| x.shape()[axis]).product();
    let mean_of = |x: &Array| x.fold_axes(axes, 0.0, |a, b| a + b).map(|sum| sum / n as f64);
    let mean = if centered { mean_of(x) } else { mean_of(x).map(|_| 0.0) };
    let d = x.zip(&mean, |x, mean| x - mean);
    let variance = mean_of(&d.map(|d| d * d));
    [d.zip(&variance, |d, variance| d / (variance + eps).sqrt()), mean, variance]
}
