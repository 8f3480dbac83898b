//! Convolution layers, and transposed ones.

use super::{
    norm::optional,
    sizes::{Sizes, positive},
};
use crate::{init::Init, layer::Layer, module};
use gradus_autograd::prelude::*;
use gradus_tensor::ConvOptions;

/// A convolution of rows, images or volumes with `N` axes beside those of examples and channels (book, chapter 7): see
/// [`Conv1d`], [`Conv2d`] and [`Conv3d`].
///
/// `y[n, o, i, ..] = bias[o] + Σ_c,a,.. weight[o, c, a, ..] · x[n, c, i·stride + a·dilation - padding, ..]`
///
/// with zeros outside; `c` runs over the `in / groups` input channels of `o`'s group. `x` is `[n, in, size..]`, the weight
/// `[out, in / groups, kernel..]` and the bias `[out]`, as in PyTorch. The result is `[n, out, size..]`, of sizes
/// `(size + 2 padding - dilation (kernel - 1) - 1) / stride + 1`, rounded down.
///
/// ```
/// use gradus_nn::{Conv1d, Conv2d, Layer};
/// use gradus_tensor::{Rng, Tensor};
///
/// let mut rng = Rng::seed(0);
/// let conv = Conv2d::new(3, 8, [3, 5], &mut rng).stride(2).padding([1, 2]);
/// assert_eq!(conv.forward(Tensor::ones([1, 3, 32, 32])).shape(), &[1, 8, 16, 16]);
///
/// // Each channel for itself, seeing every fourth element.
/// let depthwise = Conv1d::grouped(6, 6, 2, 6, &mut rng).dilation(4);
/// assert_eq!(depthwise.weight.value().shape(), &[6, 1, 2]);
/// assert_eq!(depthwise.forward(Tensor::ones([1, 6, 10])).shape(), &[1, 6, 6]);
/// ```
#[derive(Clone, Debug)]
pub struct Conv<const N: usize> {
    /// `[out, in / groups, kernel..]`.
    pub weight: Param,
    /// `[out]`.
    pub bias: Option<Param>,
    /// How the kernel moves: stride, padding, dilation, groups.
    pub options: ConvOptions<N>,
}

/// [`Conv`] of rows `[n, in, length]`.
pub type Conv1d = Conv<1>;
/// [`Conv`] of images `[n, in, h, w]`.
pub type Conv2d = Conv<2>;
/// [`Conv`] of volumes or films `[n, in, d, h, w]`.
pub type Conv3d = Conv<3>;

module!(Conv<const N: usize> { weight, bias; options });

impl<const N: usize> Conv<N> {
    /// A layer with stride 1, no padding, no dilation, one group, and PyTorch's initial values: uniform between plus and
    /// minus 1 / √(in · size of the kernel).
    ///
    /// # Panics
    /// When a size is 0.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: impl Sizes<N>, rng: &mut Rng) -> Conv<N> {
        Conv::grouped(inputs, outputs, kernel, 1, rng)
    }

    /// The same, whose outputs see only the input channels of their group: with as many groups as inputs, one each.
    ///
    /// # Panics
    /// When a size is 0, or the groups do not divide both numbers of channels.
    #[track_caller]
    pub fn grouped(
        inputs: usize,
        outputs: usize,
        kernel: impl Sizes<N>,
        groups: usize,
        rng: &mut Rng,
    ) -> Conv<N> {
        let name = format!("conv{N}d");
        check_channels(&name, inputs, outputs, groups);
        let (weight, bias) = draw(&name, [outputs, inputs / groups], kernel, outputs, rng);
        let options = ConvOptions { groups, ..ConvOptions::default() };
        Conv { weight, bias, options }
    }

    /// A layer whose weight is initialised so, with zeros for the bias, and one group.
    ///
    /// # Panics
    /// When a size is 0.
    #[track_caller]
    pub fn with_init(
        inputs: usize,
        outputs: usize,
        kernel: impl Sizes<N>,
        init: Init,
        rng: &mut Rng,
    ) -> Conv<N> {
        let name = format!("conv{N}d");
        check_channels(&name, inputs, outputs, 1);
        let shape = shape(&name, [outputs, inputs], kernel);
        Conv {
            weight: Param::new(init.weight(shape, rng)),
            bias: Some(Param::new(Tensor::zeros([outputs]))),
            options: ConvOptions::default(),
        }
    }

    /// The same layer with this many input elements from one output to the next.
    ///
    /// # Panics
    /// When one is 0.
    #[track_caller]
    pub fn stride(mut self, stride: impl Sizes<N>) -> Conv<N> {
        self.options.stride = positive(&format!("conv{N}d"), "a stride of", stride);
        self
    }

    /// The same layer with so many zeros on each side of the input.
    pub fn padding(mut self, padding: impl Sizes<N>) -> Conv<N> {
        self.options.padding = padding.sizes();
        self
    }

    /// The same layer with this many input elements from one kernel element to the next.
    ///
    /// # Panics
    /// When one is 0.
    #[track_caller]
    pub fn dilation(mut self, dilation: impl Sizes<N>) -> Conv<N> {
        self.options.dilation = positive(&format!("conv{N}d"), "a dilation of", dilation);
        self
    }

    /// The same layer without a bias.
    pub fn without_bias(self) -> Conv<N> {
        Conv { bias: None, ..self }
    }
}

impl Layer for Conv1d {
    /// # Panics
    /// When `x` is not `[n, in, length]`, or shorter with its padding than the dilated kernel.
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        x.conv1d(&x.place().param(&self.weight), optional(x.place(), &self.bias).as_ref(), self.options)
    }
}

impl Layer for Conv2d {
    /// # Panics
    /// When `x` is not `[n, in, h, w]`, or smaller with its padding than the dilated kernel.
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        x.conv2d(&x.place().param(&self.weight), optional(x.place(), &self.bias).as_ref(), self.options)
    }
}

impl Layer for Conv3d {
    /// # Panics
    /// When `x` is not `[n, in, d, h, w]`, or smaller with its padding than the dilated kernel.
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        x.conv3d(&x.place().param(&self.weight), optional(x.place(), &self.bias).as_ref(), self.options)
    }
}

/// A transposed convolution of rows, images or volumes with `N` axes beside those of examples and channels: see
/// [`ConvTranspose1d`], [`ConvTranspose2d`] and [`ConvTranspose3d`]. What the gradient of a convolution by its input
/// computes: every element puts a multiple of the kernel into the output, `stride` apart, and what overlaps is added.
///
/// `y[n, o, i·stride + a·dilation - padding, ..] += weight[c, o, a, ..] · x[n, c, i, ..]`, and the bias of `o` everywhere
///
/// `x` is `[n, in, size..]`, the weight `[in, out / groups, kernel..]` and the bias `[out]`, as in PyTorch. The result is
/// `[n, out, size..]`, of sizes `(size - 1) stride + dilation (kernel - 1) + 1 + output_padding - 2 padding`.
///
/// ```
/// use gradus_nn::{ConvTranspose2d, Layer};
/// use gradus_tensor::{Rng, Tensor};
///
/// // Twice as high and wide, as in the generator of a DCGAN.
/// let up = ConvTranspose2d::new(16, 8, 4, &mut Rng::seed(0)).stride(2).padding(1);
/// assert_eq!(up.forward(Tensor::ones([1, 16, 7, 7])).shape(), &[1, 8, 14, 14]);
/// ```
#[derive(Clone, Debug)]
pub struct ConvTranspose<const N: usize> {
    /// `[in, out / groups, kernel..]`.
    pub weight: Param,
    /// `[out]`.
    pub bias: Option<Param>,
    /// How many more elements the output has at its end, to choose among the sizes that a convolution with this stride
    /// brings to one.
    pub output_padding: [usize; N],
    /// How the kernel moves: stride, padding, dilation, groups.
    pub options: ConvOptions<N>,
}

/// [`ConvTranspose`] of rows `[n, in, length]`.
pub type ConvTranspose1d = ConvTranspose<1>;
/// [`ConvTranspose`] of images `[n, in, h, w]`.
pub type ConvTranspose2d = ConvTranspose<2>;
/// [`ConvTranspose`] of volumes or films `[n, in, d, h, w]`.
pub type ConvTranspose3d = ConvTranspose<3>;

module!(ConvTranspose<const N: usize> { weight, bias; output_padding, options });

impl<const N: usize> ConvTranspose<N> {
    /// A layer with stride 1, no padding, no dilation, one group, and PyTorch's initial values: uniform between plus and
    /// minus 1 / √(out · size of the kernel).
    ///
    /// # Panics
    /// When a size is 0.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: impl Sizes<N>, rng: &mut Rng) -> ConvTranspose<N> {
        ConvTranspose::grouped(inputs, outputs, kernel, 1, rng)
    }

    /// The same, whose outputs see only the input channels of their group.
    ///
    /// # Panics
    /// When a size is 0, or the groups do not divide both numbers of channels.
    #[track_caller]
    pub fn grouped(
        inputs: usize,
        outputs: usize,
        kernel: impl Sizes<N>,
        groups: usize,
        rng: &mut Rng,
    ) -> ConvTranspose<N> {
        let name = format!("conv_transpose{N}d");
        check_channels(&name, inputs, outputs, groups);
        let (weight, bias) = draw(&name, [inputs, outputs / groups], kernel, outputs, rng);
        let options = ConvOptions { groups, ..ConvOptions::default() };
        ConvTranspose { weight, bias, output_padding: [0; N], options }
    }

    /// The same layer with this many output elements from one input to the next.
    ///
    /// # Panics
    /// When one is 0.
    #[track_caller]
    pub fn stride(mut self, stride: impl Sizes<N>) -> ConvTranspose<N> {
        self.options.stride = positive(&format!("conv_transpose{N}d"), "a stride of", stride);
        self
    }

    /// The same layer with so much cut off on each side of the output.
    pub fn padding(mut self, padding: impl Sizes<N>) -> ConvTranspose<N> {
        self.options.padding = padding.sizes();
        self
    }

    /// The same layer with so many more elements at the end of the output. It must be less than the stride, or the
    /// layer refuses its first batch.
    pub fn output_padding(self, output_padding: impl Sizes<N>) -> ConvTranspose<N> {
        ConvTranspose { output_padding: output_padding.sizes(), ..self }
    }

    /// The same layer with this many output elements from one kernel element to the next.
    ///
    /// # Panics
    /// When one is 0.
    #[track_caller]
    pub fn dilation(mut self, dilation: impl Sizes<N>) -> ConvTranspose<N> {
        self.options.dilation = positive(&format!("conv_transpose{N}d"), "a dilation of", dilation);
        self
    }

    /// The same layer without a bias.
    pub fn without_bias(self) -> ConvTranspose<N> {
        ConvTranspose { bias: None, ..self }
    }
}

impl Layer for ConvTranspose1d {
    /// # Panics
    /// When `x` is not `[n, in, length]`, or the settings do not fit together.
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        let (weight, bias) = (x.place().param(&self.weight), optional(x.place(), &self.bias));
        x.conv_transpose1d(&weight, bias.as_ref(), self.output_padding[0], self.options)
    }
}

impl Layer for ConvTranspose2d {
    /// # Panics
    /// When `x` is not `[n, in, h, w]`, or the settings do not fit together.
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        let (weight, bias) = (x.place().param(&self.weight), optional(x.place(), &self.bias));
        x.conv_transpose2d(&weight, bias.as_ref(), self.output_padding, self.options)
    }
}

impl Layer for ConvTranspose3d {
    /// # Panics
    /// When `x` is not `[n, in, d, h, w]`, or the settings do not fit together.
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        let (weight, bias) = (x.place().param(&self.weight), optional(x.place(), &self.bias));
        x.conv_transpose3d(&weight, bias.as_ref(), self.output_padding, self.options)
    }
}

#[track_caller]
fn check_channels(layer: &str, inputs: usize, outputs: usize, groups: usize) {
    assert!(
        inputs > 0 && outputs > 0,
        "{layer}: {inputs} inputs and {outputs} outputs: both must be at least 1"
    );
    assert!(
        groups > 0 && inputs.is_multiple_of(groups) && outputs.is_multiple_of(groups),
        "{layer}: {groups} groups do not divide {inputs} inputs and {outputs} outputs"
    );
}

/// The shape of a weight of so many channels.
#[track_caller]
fn shape<const N: usize>(layer: &str, channels: [usize; 2], kernel: impl Sizes<N>) -> Vec<usize> {
    let kernel = positive(layer, "a kernel of", kernel);
    [&channels[..], &kernel].concat()
}

/// PyTorch's initial weight and bias.
#[track_caller]
fn draw<const N: usize>(
    layer: &str,
    channels: [usize; 2],
    kernel: impl Sizes<N>,
    outputs: usize,
    rng: &mut Rng,
) -> (Param, Option<Param>) {
    let weight = Init::FanInUniform.weight(shape(layer, channels, kernel), rng);
    let bound = 1.0 / ((weight.numel() / weight.size(0)) as f32).sqrt();
    (Param::new(weight), Some(Param::new(Init::Uniform(bound).weight([outputs], rng))))
}
