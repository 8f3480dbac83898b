//! The fully connected layer.

use super::norm::optional;
use crate::{init::Init, layer::Layer, module};
use gradus_autograd::prelude::*;

/// The fully connected layer `y = x Wᵀ + b`: the book's Affine.
///
/// `x` is `[.., in]`, the weight `[out, in]` and the bias `[out]`, as in PyTorch; the result is `[.., out]`.
///
/// ```
/// use gradus_nn::{Layer, Linear};
/// use gradus_tensor::{Rng, Tensor};
///
/// let layer = Linear::new(784, 50, &mut Rng::seed(0));
/// assert_eq!(layer.weight.value().shape(), &[50, 784]);
/// assert_eq!(layer.forward(Tensor::ones([100, 784])).shape(), &[100, 50]);
/// ```
#[derive(Clone, Debug)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Param,
    /// `[out]`.
    pub bias: Option<Param>,
}

module!(Linear { weight, bias });

impl Linear {
    /// A layer with PyTorch's initial values: uniform between plus and minus 1 / √in.
    ///
    /// # Panics
    /// When `inputs` or `outputs` is 0.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, rng: &mut Rng) -> Linear {
        let mut layer = Linear::with_init(inputs, outputs, Init::FanInUniform, rng);
        layer.bias = Some(Param::new(Init::Uniform(1.0 / (inputs as f32).sqrt()).weight([outputs], rng)));
        layer
    }

    /// A layer whose weight is initialised so, with zeros for the bias.
    ///
    /// # Panics
    /// When `inputs` or `outputs` is 0.
    #[track_caller]
    pub fn with_init(inputs: usize, outputs: usize, init: Init, rng: &mut Rng) -> Linear {
        assert!(
            inputs > 0 && outputs > 0,
            "linear: {inputs} inputs and {outputs} outputs: both must be at least 1"
        );
        Linear {
            weight: Param::new(init.weight([outputs, inputs], rng)),
            bias: Some(Param::new(Tensor::zeros([outputs]))),
        }
    }

    /// The same layer without a bias.
    pub fn without_bias(self) -> Linear {
        Linear { bias: None, ..self }
    }
}

impl Layer for Linear {
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        x.linear(&x.place().param(&self.weight), optional(x.place(), &self.bias).as_ref())
    }
}
