//! Normalisation within each example: by layer, group and instance, and by the mean square alone.

use crate::{layer::Layer, module};
use gradus_autograd::prelude::*;
use gradus_tensor::{Shape, ShapeError};

/// The weight and the bias that a normalisation starts with: ones and zeros.
#[track_caller]
pub(super) fn ones_and_zeros(layer: &str, shape: &[usize]) -> [Option<Param>; 2] {
    assert!(
        !shape.is_empty() && !shape.contains(&0),
        "{layer}: nothing to normalise in a shape of {shape:?}"
    );
    [Tensor::ones(shape), Tensor::zeros(shape)].map(|value| Some(Param::new(value)))
}

#[track_caller]
pub(super) fn check_eps(layer: &str, eps: f32) -> f32 {
    assert!(eps >= 0.0 && eps.is_finite(), "{layer}: eps is {eps}; it must be at least 0 and finite");
    eps
}

/// Refuses what is not `[n, channels, ..]`. `beside` says how many axes there may be after these two; any if it is empty.
#[track_caller]
pub(super) fn check_channels(layer: &str, shape: &Shape, channels: usize, beside: &[usize]) {
    let rank = shape.rank();
    if shape.get(1) == Some(&channels) && (beside.is_empty() || beside.contains(&(rank - 2))) {
        return;
    }
    const AXES: [&str; 4] = ["", ", length", ", h, w", ", d, h, w"];
    let layouts: Vec<String> = match beside {
        [] => vec![format!("[n, {channels}, ..]")],
        _ => beside.iter().map(|&axes| format!("[n, {channels}{}]", AXES[axes])).collect(),
    };
    ShapeError::new(format!("{layer}: the input has shape {shape}, not {}", layouts.join(" or "))).fail()
}

/// The value of a parameter that a layer may be without.
#[expect(clippy::manual_map, reason = "a closure would hide the caller's line")]
#[track_caller]
pub(super) fn optional<V: Value>(at: Place<V>, param: &Option<Param>) -> Option<V> {
    match param {
        Some(param) => Some(at.param(param)),
        None => None,
    }
}

/// Layer normalisation (J. L. Ba, J. R. Kiros and G. Hinton, 2016): every example brought to mean 0 and variance 1 over
/// its last axes, then scaled and shifted element by element.
///
/// `y = weight (x - μ) / √(σ² + eps) + bias`, with μ and σ² = mean (x - μ)² over the last axes of `x`, `[.., shape]`
///
/// ```
/// use gradus_nn::{Layer, LayerNorm};
/// use gradus_tensor::Tensor;
///
/// let y = LayerNorm::new([2]).forward(Tensor::from([[1.0, 3.0], [20.0, 60.0]]));
/// assert!(y.iter().zip([-1.0, 1.0, -1.0, 1.0]).all(|(y, sign)| (y - sign).abs() < 1e-5));
/// ```
#[derive(Clone, Debug)]
pub struct LayerNorm {
    /// Of the normalised shape, ones at first. Without it 1.
    pub weight: Option<Param>,
    /// Of the normalised shape, zeros at first. Without it 0.
    pub bias: Option<Param>,
    /// The sizes of the last axes, over which statistics are taken.
    pub normalized_shape: Shape,
    /// What is added to the variance, against division by 0.
    pub eps: f32,
}

module!(LayerNorm { weight, bias; normalized_shape, eps });

impl LayerNorm {
    /// Over last axes of these sizes, with an eps of 1e-5.
    ///
    /// # Panics
    /// When there are no axes, or a size is 0.
    #[track_caller]
    pub fn new(normalized_shape: impl AsRef<[usize]>) -> LayerNorm {
        let shape = normalized_shape.as_ref();
        let [weight, bias] = ones_and_zeros("layer_norm", shape);
        LayerNorm { weight, bias, normalized_shape: Shape::new(shape), eps: 1e-5 }
    }

    /// The same layer with another number added to the variance.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[track_caller]
    pub fn eps(self, eps: f32) -> LayerNorm {
        LayerNorm { eps: check_eps("layer_norm", eps), ..self }
    }

    /// The same layer without a bias.
    pub fn without_bias(self) -> LayerNorm {
        LayerNorm { bias: None, ..self }
    }

    /// The same layer without weight and bias.
    pub fn without_affine(self) -> LayerNorm {
        LayerNorm { weight: None, bias: None, ..self }
    }
}

impl Layer for LayerNorm {
    /// # Panics
    /// When the shape of `x` does not end in the normalised shape.
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        let (weight, bias) = (optional(x.place(), &self.weight), optional(x.place(), &self.bias));
        x.layer_norm(&self.normalized_shape, weight.as_ref(), bias.as_ref(), self.eps)
    }
}

/// RMS normalisation (B. Zhang and R. Sennrich, 2019): every example brought to a mean square of 1 over its last axes, then
/// scaled element by element.
///
/// `y = weight x / √(mean x² + eps)`, with the mean over the last axes of `x`, `[.., shape]`
///
/// ```
/// use gradus_nn::{Layer, RmsNorm};
/// use gradus_tensor::Tensor;
///
/// let y = RmsNorm::new([2]).eps(0.0).forward(Tensor::from([[1.0, -7.0]]));
/// assert_eq!(y.to_vec(), [0.2, -1.4]);
/// ```
#[doc(alias = "RMSNorm")]
#[derive(Clone, Debug)]
pub struct RmsNorm {
    /// Of the normalised shape, ones at first. Without it 1.
    pub weight: Option<Param>,
    /// The sizes of the last axes, over which the mean is taken.
    pub normalized_shape: Shape,
    /// What is added to the mean square, against division by 0.
    pub eps: f32,
}

module!(RmsNorm { weight; normalized_shape, eps });

impl RmsNorm {
    /// Over last axes of these sizes, with PyTorch's eps, that of f32: 1.19e-7.
    ///
    /// # Panics
    /// When there are no axes, or a size is 0.
    #[track_caller]
    pub fn new(normalized_shape: impl AsRef<[usize]>) -> RmsNorm {
        let shape = normalized_shape.as_ref();
        let [weight, _] = ones_and_zeros("rms_norm", shape);
        RmsNorm { weight, normalized_shape: Shape::new(shape), eps: f32::EPSILON }
    }

    /// The same layer with another number added to the mean square.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[track_caller]
    pub fn eps(self, eps: f32) -> RmsNorm {
        RmsNorm { eps: check_eps("rms_norm", eps), ..self }
    }

    /// The same layer without a weight.
    pub fn without_affine(self) -> RmsNorm {
        RmsNorm { weight: None, ..self }
    }
}

impl Layer for RmsNorm {
    /// # Panics
    /// When the shape of `x` does not end in the normalised shape.
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        let weight = optional(x.place(), &self.weight);
        x.rms_norm(&self.normalized_shape, weight.as_ref(), self.eps)
    }
}

/// Group normalisation (Y. Wu and K. He, 2018): of every example every group of channels brought to mean 0 and variance 1,
/// then scaled and shifted channel by channel.
///
/// `y = weight (x - μ) / √(σ² + eps) + bias`, with μ and σ² = mean (x - μ)² over a group of `channels / groups` channels
/// of an example of `x`, `[n, channels, ..]`
///
/// ```
/// use gradus_nn::{GroupNorm, Layer};
/// use gradus_tensor::Tensor;
///
/// let y = GroupNorm::new(2, 4).eps(0.0).forward(Tensor::from([[1.0, 3.0, 0.0, 8.0]]));
/// assert_eq!(y.to_vec(), [-1.0, 1.0, -1.0, 1.0]);
/// ```
#[derive(Clone, Debug)]
pub struct GroupNorm {
    /// `[channels]`, ones at first. Without it 1.
    pub weight: Option<Param>,
    /// `[channels]`, zeros at first. Without it 0.
    pub bias: Option<Param>,
    /// Into how many groups the channels are divided.
    pub groups: usize,
    /// The number of channels.
    pub channels: usize,
    /// What is added to the variance, against division by 0.
    pub eps: f32,
}

module!(GroupNorm { weight, bias; groups, channels, eps });

impl GroupNorm {
    /// For so many groups of so many channels in all, with an eps of 1e-5.
    ///
    /// # Panics
    /// When there are no channels, or the groups do not divide them.
    #[track_caller]
    pub fn new(groups: usize, channels: usize) -> GroupNorm {
        let [weight, bias] = ones_and_zeros("group_norm", &[channels]);
        assert!(
            groups > 0 && channels.is_multiple_of(groups),
            "group_norm: {groups} groups do not divide {channels} channels"
        );
        GroupNorm { weight, bias, groups, channels, eps: 1e-5 }
    }

    /// The same layer with another number added to the variance.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[track_caller]
    pub fn eps(self, eps: f32) -> GroupNorm {
        GroupNorm { eps: check_eps("group_norm", eps), ..self }
    }

    /// The same layer without weight and bias.
    pub fn without_affine(self) -> GroupNorm {
        GroupNorm { weight: None, bias: None, ..self }
    }
}

impl Layer for GroupNorm {
    /// # Panics
    /// When `x` has not the layer's channels on axis 1.
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        check_channels("group_norm", &x.shape(), self.channels, &[]);
        let (weight, bias) = (optional(x.place(), &self.weight), optional(x.place(), &self.bias));
        x.group_norm(self.groups, weight.as_ref(), bias.as_ref(), self.eps)
    }
}

/// Instance normalisation (D. Ulyanov, A. Vedaldi and V. Lempitsky, 2016) of rows or images with `N` axes beside those of
/// examples and channels: every channel of every example brought to mean 0 and variance 1, in training and evaluation. See
/// [`InstanceNorm1d`] and [`InstanceNorm2d`].
///
/// `y = weight (x - μ) / √(σ² + eps) + bias`, with μ and σ² = mean (x - μ)² over one channel of one example
///
/// As in PyTorch there are no weight and bias unless [`affine`](InstanceNorm::affine) gives them.
///
/// ```
/// use gradus_nn::{InstanceNorm1d, Layer};
/// use gradus_tensor::Tensor;
///
/// let y = InstanceNorm1d::new(2).eps(0.0).forward(Tensor::from([[[1.0, 3.0], [0.0, 8.0]]]));
/// assert_eq!(y.to_vec(), [-1.0, 1.0, -1.0, 1.0]);
/// ```
#[derive(Clone, Debug)]
pub struct InstanceNorm<const N: usize> {
    /// `[channels]`, ones at first. Without it 1.
    pub weight: Option<Param>,
    /// `[channels]`, zeros at first. Without it 0.
    pub bias: Option<Param>,
    /// The number of channels.
    pub channels: usize,
    /// What is added to the variance, against division by 0.
    pub eps: f32,
}

/// [`InstanceNorm`] of rows `[n, channels, length]`.
pub type InstanceNorm1d = InstanceNorm<1>;
/// [`InstanceNorm`] of images `[n, channels, h, w]`.
pub type InstanceNorm2d = InstanceNorm<2>;

module!(InstanceNorm<const N: usize> { weight, bias; channels, eps });

impl<const N: usize> InstanceNorm<N> {
    /// For so many channels, without weight and bias, with an eps of 1e-5.
    ///
    /// # Panics
    /// When there are no channels.
    #[track_caller]
    pub fn new(channels: usize) -> InstanceNorm<N> {
        assert!(channels > 0, "instance_norm{N}d: 0 channels: there must be at least 1");
        InstanceNorm { weight: None, bias: None, channels, eps: 1e-5 }
    }

    /// The same layer with a weight of ones and a bias of zeros, which are trained.
    pub fn affine(self) -> InstanceNorm<N> {
        let [weight, bias] = ones_and_zeros("instance_norm", &[self.channels]);
        InstanceNorm { weight, bias, ..self }
    }

    /// The same layer with another number added to the variance.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[track_caller]
    pub fn eps(self, eps: f32) -> InstanceNorm<N> {
        InstanceNorm { eps: check_eps("instance_norm", eps), ..self }
    }
}

impl<const N: usize> Layer for InstanceNorm<N> {
    /// # Panics
    /// When `x` has not the layer's axes and channels.
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        check_channels(&format!("instance_norm{N}d"), &x.shape(), self.channels, &[N]);
        let (weight, bias) = (optional(x.place(), &self.weight), optional(x.place(), &self.bias));
        x.instance_norm(weight.as_ref(), bias.as_ref(), self.eps)
    }
}
