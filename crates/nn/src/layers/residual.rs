//! Layers around which the input flows past.

use super::Identity;
use crate::{layer::Layer, module};
use gradus_autograd::prelude::*;
use gradus_tensor::{Part, ShapeError, Within};

/// A block that adds to its input: `y = block(x) + shortcut(x)` (K. He and others, 2016). The gradient flows back through
/// the sum undiminished, whatever the block does to it.
///
/// The shortcut is the identity, so that the block keeps the shape; or a layer that brings `x` to the shape of the block's
/// result, such as a convolution with a kernel of 1.
///
/// ```
/// use gradus_nn::{BatchNorm2d, Conv2d, Layer, Relu, Residual, Sequential};
/// use gradus_tensor::{Rng, Tensor};
///
/// let mut rng = Rng::seed(0);
/// let mut conv = |inputs, outputs, kernel: usize| Conv2d::new(inputs, outputs, kernel, &mut rng).without_bias();
///
/// // The basic block of a ResNet, after which a ReLU comes; and one with normalisation first that halves the image.
/// let basic = Sequential::new()
///     .push(conv(8, 8, 3).padding(1)).push(BatchNorm2d::new(8)).push(Relu)
///     .push(conv(8, 8, 3).padding(1)).push(BatchNorm2d::new(8));
/// let halving = Sequential::new()
///     .push(BatchNorm2d::new(8)).push(Relu).push(conv(8, 16, 3).padding(1).stride(2))
///     .push(BatchNorm2d::new(16)).push(Relu).push(conv(16, 16, 3).padding(1));
/// let net = Sequential::new()
///     .push(Residual::new(basic)).push(Relu)
///     .push(Residual::with_shortcut(halving, conv(8, 16, 1).stride(2)));
/// assert_eq!(net.forward(Tensor::ones([1, 8, 6, 6])).shape(), &[1, 16, 3, 3]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Residual<B, S = Identity> {
    /// What is added to the shortcut.
    pub block: B,
    /// The way past the block.
    pub shortcut: S,
}

impl<B: Layer> Residual<B> {
    /// A block with the identity beside it.
    pub fn new(block: B) -> Residual<B> {
        Residual { block, shortcut: Identity }
    }
}

impl<B: Layer, S: Layer> Residual<B, S> {
    /// A block with another layer beside it.
    pub fn with_shortcut(block: B, shortcut: S) -> Residual<B, S> {
        Residual { block, shortcut }
    }
}

module!(Residual<B, S> { block, shortcut });

impl<B: Layer, S: Layer> Layer for Residual<B, S> {
    /// # Panics
    /// When block and shortcut give different shapes.
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        let shortcut = Within::new(Part::Field("shortcut"), self.shortcut.kind());
        let past = self.shortcut.forward(x.clone());
        drop(shortcut);
        let block = Within::new(Part::Field("block"), self.block.kind());
        let y = self.block.forward(x);
        drop(block);
        if y.shape() != past.shape() {
            ShapeError::new(format!(
                "residual: the block gives shape {}, the shortcut {}; give it a shortcut with the block's shape",
                y.shape(),
                past.shape()
            ))
            .fail()
        }
        y + past
    }
}
