//! Convolution and pooling layers.

use crate::{init::Init, layer::Layer, module};
use gradus_autograd::{Param, Value, prelude::*};

/// The two-dimensional convolution (book, chapter 7).
///
/// `x` is `[n, in, h, w]`, the weight `[out, in, k, k]` and the bias `[out]`, as in PyTorch; the result is
/// `[n, out, oh, ow]` with `oh = (h + 2 padding - k) / stride + 1`, rounded down.
#[derive(Clone, Debug)]
pub struct Conv2d {
    /// `[out, in, k, k]`.
    pub weight: Param,
    /// `[out]`.
    pub bias: Option<Param>,
    /// From one window to the next.
    pub stride: usize,
    /// Zeros put around the image.
    pub padding: usize,
}

module!(Conv2d { weight, bias; stride, padding });

impl Conv2d {
    /// A layer with square kernels, stride 1, no padding, and PyTorch's initial values: uniform between plus and minus
    /// 1 / √(in k²).
    ///
    /// # Panics
    /// When a size is 0.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: usize, rng: &mut Rng) -> Conv2d {
        let mut layer = Conv2d::with_init(inputs, outputs, kernel, Init::FanInUniform, rng);
        let bound = 1.0 / ((inputs * kernel * kernel) as f32).sqrt();
        layer.bias = Some(Param::new(Init::Uniform(bound).weight([outputs], rng)));
        layer
    }

    /// A layer whose weight is initialised so, with zeros for the bias.
    ///
    /// # Panics
    /// When a size is 0.
    #[track_caller]
    pub fn with_init(inputs: usize, outputs: usize, kernel: usize, init: Init, rng: &mut Rng) -> Conv2d {
        assert!(
            inputs > 0 && outputs > 0 && kernel > 0,
            "conv2d: {inputs} inputs, {outputs} outputs and a kernel of {kernel}: all must be at least 1"
        );
        Conv2d {
            weight: Param::new(init.weight([outputs, inputs, kernel, kernel], rng)),
            bias: Some(Param::new(Tensor::zeros([outputs]))),
            stride: 1,
            padding: 0,
        }
    }

    /// The same layer with this stride.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    pub fn stride(self, stride: usize) -> Conv2d {
        assert!(stride > 0, "conv2d: the stride must be at least 1");
        Conv2d { stride, ..self }
    }

    /// The same layer with so many zeros around the image.
    pub fn padding(self, padding: usize) -> Conv2d {
        Conv2d { padding, ..self }
    }

    /// The same layer without a bias.
    pub fn without_bias(self) -> Conv2d {
        Conv2d { bias: None, ..self }
    }
}

impl Layer for Conv2d {
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        let at = x.at();
        #[expect(clippy::manual_map, reason = "a closure would hide the caller's line")]
        let bias = match &self.bias {
            Some(bias) => Some(at.param(bias)),
            None => None,
        };
        let options =
            Conv2dOptions { stride: [self.stride; 2], padding: [self.padding; 2], ..Default::default() };
        x.conv2d(&at.param(&self.weight), bias.as_ref(), options)
    }
}

/// The maximum of each window of `kernel` by `kernel` pixels (book, chapter 7). Of equal ones the first gets the gradient.
#[derive(Clone, Copy, Debug)]
pub struct MaxPool2d {
    /// The height and width of a window.
    pub kernel: usize,
    /// From one window to the next.
    pub stride: usize,
}

module!(MaxPool2d { ; kernel, stride });

impl MaxPool2d {
    /// Windows side by side: the stride is the kernel's size.
    ///
    /// # Panics
    /// When the kernel is 0.
    #[track_caller]
    pub fn new(kernel: usize) -> MaxPool2d {
        assert!(kernel > 0, "max_pool2d: the kernel must be at least 1");
        MaxPool2d { kernel, stride: kernel }
    }

    /// The same windows, this far from each other.
    ///
    /// # Panics
    /// When the stride is 0.
    #[track_caller]
    pub fn stride(self, stride: usize) -> MaxPool2d {
        assert!(stride > 0, "max_pool2d: the stride must be at least 1");
        MaxPool2d { stride, ..self }
    }
}

impl Layer for MaxPool2d {
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        x.max_pool2d([self.kernel; 2], [self.stride; 2], [0, 0], [1, 1], false)
    }
}
