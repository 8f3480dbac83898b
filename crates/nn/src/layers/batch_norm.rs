//! Batch normalisation, which remembers what it has seen.

use super::{
    norm::{check_channels, check_eps, ones_and_zeros, optional},
    sizes::demand,
};
use crate::{layer::Layer, module};
use gradus_autograd::prelude::*;

/// Batch normalisation (S. Ioffe and C. Szegedy, 2015; book, section 6.3) of rows or images with `N` axes beside those of
/// examples and channels: see [`BatchNorm1d`], [`BatchNorm2d`] and [`BatchNorm3d`].
///
/// `y = weight (x - μ) / √(σ² + eps) + bias`, channel by channel
///
/// In training μ and σ² = Σ (x - μ)² / m are those of the batch, over its m elements of a channel, and running averages
/// follow them, with the unbiased σ² m / (m - 1) as in PyTorch:
///
/// `running ← (1 - momentum) running + momentum batch`
///
/// In evaluation μ and σ² are these averages. They are [buffers](Param::buffer): saved with the model, changed in the
/// step of the optimizer (or by [`update_buffers`](crate::update_buffers)), once for every use of the layer. When a batch
/// is computed in shards each has its own statistics, and the averages follow one after the other.
///
/// The mode is that of the whole tape, and freezing weight and bias does not stop the averages. To keep them while only a
/// head is trained, compute the body on tensors, which is evaluation, and record the head.
///
/// The book's momentum of 0.9 is 1 - 0.9 = 0.1 here.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{BatchNorm1d, Layer, Linear, Optimizer, Sequential, Sgd};
///
/// let mut rng = Rng::seed(0);
/// let mut net = Sequential::new().push(Linear::new(3, 4, &mut rng)).push(BatchNorm1d::new(4));
/// let x = Tensor::randn([20, 3], &mut rng);
/// let (_, gradients, y) = Tape::training(0).step(|tape| {
///     let y = net.forward(tape.constant(&x));
///     (y.square().sum(), y.value())
/// });
/// assert!(y.mean_axes(0, false).iter().all(|mean| mean.abs() < 1e-6)); // the batch's own statistics
/// Sgd::new(0.1).step(&mut net, &gradients);                            // moves the averages too
/// let y = net.forward(x);                                              // with them
/// assert_eq!(y.shape(), &[20, 4]);
/// ```
#[derive(Clone, Debug)]
pub struct BatchNorm<const N: usize> {
    /// `[channels]`, ones at first: the book's γ. Without it 1.
    pub weight: Option<Param>,
    /// `[channels]`, zeros at first: the book's β. Without it 0.
    pub bias: Option<Param>,
    /// `[channels]`, zeros at first.
    pub running_mean: Param,
    /// `[channels]`, ones at first.
    pub running_var: Param,
    /// How many batches the averages have seen, a scalar.
    pub num_batches_tracked: Param,
    /// The share of a new batch in the averages; `None` for its share of all batches so far.
    pub momentum: Option<f32>,
    /// What is added to the variance, against division by 0.
    pub eps: f32,
}

/// [`BatchNorm`] of vectors `[n, channels]` or rows `[n, channels, length]`.
pub type BatchNorm1d = BatchNorm<1>;
/// [`BatchNorm`] of images `[n, channels, h, w]`.
pub type BatchNorm2d = BatchNorm<2>;
/// [`BatchNorm`] of volumes `[n, channels, d, h, w]`.
pub type BatchNorm3d = BatchNorm<3>;

module!(BatchNorm<const N: usize> { weight, bias, running_mean, running_var, num_batches_tracked; momentum, eps });

impl<const N: usize> BatchNorm<N> {
    /// For so many channels, with a momentum of 0.1 and an eps of 1e-5.
    ///
    /// # Panics
    /// When there are no channels.
    #[track_caller]
    pub fn new(channels: usize) -> BatchNorm<N> {
        let [weight, bias] = ones_and_zeros(&name::<N>(), &[channels]);
        BatchNorm {
            weight,
            bias,
            running_mean: Param::buffer(Tensor::zeros([channels])),
            running_var: Param::buffer(Tensor::ones([channels])),
            num_batches_tracked: Param::buffer(0.0),
            momentum: Some(0.1),
            eps: 1e-5,
        }
    }

    /// The same layer with another share of a new batch in the running averages.
    ///
    /// # Panics
    /// When it is not in 0..=1.
    #[track_caller]
    pub fn momentum(self, momentum: f32) -> BatchNorm<N> {
        let layer = name::<N>();
        assert!((0.0..=1.0).contains(&momentum), "{layer}: the momentum {momentum} is not in 0..=1");
        BatchNorm { momentum: Some(momentum), ..self }
    }

    /// The same layer with running averages in which all batches count the same: PyTorch's momentum `None`. Where a step has
    /// several batches, as shards, the later ones count more.
    pub fn cumulative(self) -> BatchNorm<N> {
        BatchNorm { momentum: None, ..self }
    }

    /// The same layer with another number added to the variance.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[track_caller]
    pub fn eps(self, eps: f32) -> BatchNorm<N> {
        BatchNorm { eps: check_eps(&name::<N>(), eps), ..self }
    }

    /// The same layer without weight and bias.
    pub fn without_affine(self) -> BatchNorm<N> {
        BatchNorm { weight: None, bias: None, ..self }
    }
}

fn name<const N: usize>() -> String {
    format!("batch_norm{N}d")
}

impl<const N: usize> Layer for BatchNorm<N> {
    /// # Panics
    /// When `x` has not the layer's axes and channels, or in training a channel has a single element: it has no variance.
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        let (at, shape) = (x.place(), x.shape());
        let channels = self.running_mean.value().numel();
        // A row of length 1 may leave its axis out.
        let beside = if N == 1 { &[0, 1][..] } else { &[N] };
        check_channels(&name::<N>(), &shape, channels, beside);
        let (weight, bias) = (optional(at, &self.weight), optional(at, &self.bias));
        if !at.is_training() {
            let (mean, variance) = (at.param(&self.running_mean), at.param(&self.running_var));
            return x.batch_norm_with(&mean, &variance, weight.as_ref(), bias.as_ref(), self.eps);
        }
        let elements = shape.numel() / channels;
        demand(elements != 1, || {
            format!(
                "{}: shape {shape} has one element a channel, which has no variance; train with more examples, and leave out a last \
             batch of one with drop_last",
                name::<N>()
            )
        });
        let [y, mean, variance] = x.batch_norm(weight.as_ref(), bias.as_ref(), self.eps);
        let seen = self.num_batches_tracked.value().item();
        let share = self.momentum.unwrap_or(1.0 / (seen + 1.0));
        let unbiased = elements as f32 / (elements - 1) as f32;
        at.update_buffer(&self.running_mean, 1.0 - share, mean.to_tensor() * share);
        at.update_buffer(&self.running_var, 1.0 - share, variance.to_tensor() * (share * unbiased));
        at.update_buffer(&self.num_batches_tracked, 1.0, Tensor::scalar(1.0));
        y
    }
}
