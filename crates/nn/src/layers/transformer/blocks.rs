//! Layers of a Transformer.

use super::attention::{AttentionMask, MultiheadAttention};
use crate::{Layer, LayerNorm, Linear, layers::sizes::one_sequence, module};
use gradus_autograd::prelude::*;
use gradus_tensor::ShapeError;

/// What can be chosen for the layers of a Transformer, as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransformerOptions {
    /// The probability of dropout in training: of attention weights, of hidden units of the feedforward net, and of each
    /// part's output.
    pub dropout: f32,
    /// Whether the hidden units are gelu's, as in GPT and BERT, or relu's.
    pub gelu: bool,
    /// Whether each part's input is normalised (pre-norm, as in GPT-2: deep stacks train without warm-up), or the sum
    /// behind it (post-norm, the first form).
    pub norm_first: bool,
}

impl Default for TransformerOptions {
    /// PyTorch's: dropout 0.1, relu, post-norm.
    fn default() -> TransformerOptions {
        TransformerOptions { dropout: 0.1, gelu: false, norm_first: false }
    }
}

impl TransformerOptions {
    #[track_caller]
    fn check(self, layer: &str, feedforward: usize) {
        assert!(feedforward > 0, "{layer}: the feedforward net needs at least 1 hidden unit");
        let p = self.dropout;
        assert!((0.0..=1.0).contains(&p), "{layer}: the dropout probability {p} is not in 0..=1");
    }

    /// What a part takes.
    #[track_caller]
    fn before<V: Value>(self, norm: &LayerNorm, x: &V) -> V {
        if self.norm_first { norm.forward(x.clone()) } else { x.clone() }
    }

    /// What goes on behind a part that gave y for x.
    #[track_caller]
    fn after<V: Value>(self, norm: &LayerNorm, x: V, y: V) -> V {
        let sum = x + self.dropped(y);
        if self.norm_first { sum } else { norm.forward(sum) }
    }

    /// The feedforward net, for each position alone.
    #[track_caller]
    fn feed_forward<V: Value>(self, linear1: &Linear, linear2: &Linear, x: V) -> V {
        let hidden = linear1.forward(x);
        let hidden = if self.gelu { hidden.gelu() } else { hidden.relu() };
        linear2.forward(self.dropped(hidden))
    }

    #[track_caller]
    fn dropped<V: Value>(self, x: V) -> V {
        if self.dropout > 0.0 { x.dropout(self.dropout) } else { x }
    }
}

#[track_caller]
fn check_sequence<V: Value>(layer: &str, what: &str, x: &V, norm: &LayerNorm) {
    let (shape, size) = (x.shape(), norm.normalized_shape[0]);
    if shape.rank() != 3 || shape[2] != size {
        ShapeError::new(format!(
            "{layer}: the {what} has shape {shape}; it must be [n, steps, {size}]{}",
            one_sequence(&shape, 0)
        ))
        .fail()
    }
}

/// A layer of a Transformer's encoder (A. Vaswani and others, "Attention is all you need", 2017): self-attention, then a
/// feedforward net for each position, each with a way around it and a normalisation.
///
/// ```text
/// x = norm1(x + attention(x)), y = norm2(x + linear2(activation(linear1(x))))          post-norm
/// x = x + attention(norm1(x)), y = x + linear2(activation(linear1(norm2(x))))          pre-norm
/// ```
///
/// Sequences are `[n, steps, size]`. The parameters have PyTorch's names: `self_attn.in_proj_weight` and the others of
/// [`MultiheadAttention`], `linear1.weight` `[feedforward, size]`, `linear2.weight` `[size, feedforward]`, `norm1`, `norm2`
/// and biases. As a [`Layer`] it has no mask. With gelu, pre-norm and the causal mask it is the block of a GPT:
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{AttentionMask, TransformerEncoderLayer, TransformerOptions};
///
/// let options = TransformerOptions { gelu: true, norm_first: true, ..Default::default() };
/// let block = TransformerEncoderLayer::new(8, 2, 32, options, &mut Rng::seed(0));
/// let x = Tensor::randn([1, 5, 8], &mut Rng::seed(1));
/// let y = block.forward_masked(x.clone(), &AttentionMask::causal());
/// // What comes later changes nothing.
/// let beginning = block.forward_masked(x.slice(1, ..3), &AttentionMask::causal());
/// assert!((beginning - y.slice(1, ..3)).iter().all(|d| d.abs() < 1e-5));
/// ```
#[derive(Clone, Debug)]
pub struct TransformerEncoderLayer {
    /// The attention of the sequence to itself.
    pub self_attn: MultiheadAttention,
    /// The feedforward net's first layer.
    pub linear1: Linear,
    /// Its second layer.
    pub linear2: Linear,
    /// The norm of the attention.
    pub norm1: LayerNorm,
    /// The norm of the feedforward net.
    pub norm2: LayerNorm,
    /// What was chosen.
    pub options: TransformerOptions,
}

module!(TransformerEncoderLayer { self_attn, linear1, linear2, norm1, norm2; options });

impl TransformerEncoderLayer {
    /// For vectors of this size, with so many heads and hidden units of the feedforward net, and PyTorch's initial values.
    ///
    /// # Panics
    /// When a number is 0, the heads do not divide the size, or the dropout probability is not in 0..=1.
    #[track_caller]
    pub fn new(
        size: usize,
        heads: usize,
        feedforward: usize,
        options: TransformerOptions,
        rng: &mut Rng,
    ) -> TransformerEncoderLayer {
        options.check("transformer_encoder_layer", feedforward);
        TransformerEncoderLayer {
            self_attn: MultiheadAttention::new(size, heads, rng).dropout(options.dropout),
            linear1: Linear::new(size, feedforward, rng),
            linear2: Linear::new(feedforward, size, rng),
            norm1: LayerNorm::new([size]),
            norm2: LayerNorm::new([size]),
            options,
        }
    }

    /// The layer's output, `[n, steps, size]`, where attention sees what the mask leaves.
    ///
    /// # Panics
    /// When `x` is not `[n, steps, size]`, or the mask does not fit.
    #[track_caller]
    pub fn forward_masked<V: Value>(&self, x: V, mask: &AttentionMask) -> V {
        let TransformerEncoderLayer { self_attn, linear1, linear2, norm1, norm2, options } = self;
        check_sequence("transformer_encoder_layer", "batch", &x, norm1);
        let y = self_attn.attend_self(&options.before(norm1, &x), mask);
        let x = options.after(norm1, x, y);
        let y = options.feed_forward(linear1, linear2, options.before(norm2, &x));
        options.after(norm2, x, y)
    }
}

/// Without a mask.
impl Layer for TransformerEncoderLayer {
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        self.forward_masked(x, &AttentionMask::none())
    }
}

/// A layer of a Transformer's decoder (A. Vaswani and others, "Attention is all you need", 2017): self-attention, attention
/// to a memory, which is what an encoder has made of another sequence, then a feedforward net for each position, each with a
/// way around it and a normalisation, as in a [`TransformerEncoderLayer`].
///
/// Sequences are `[n, steps, size]`. The parameters have PyTorch's names: `self_attn` and `multihead_attn`, each with those
/// of [`MultiheadAttention`], `linear1`, `linear2`, `norm1`, `norm2` and `norm3`.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{AttentionMask, TransformerDecoderLayer};
///
/// let layer = TransformerDecoderLayer::new(8, 2, 32, Default::default(), &mut Rng::seed(0));
/// let (x, memory) = (Tensor::ones([3, 5, 8]), Tensor::ones([3, 7, 8]));
/// let y = layer.forward(x, &memory, &AttentionMask::causal(), &AttentionMask::none());
/// assert_eq!(y.shape(), &[3, 5, 8]);
/// ```
#[derive(Clone, Debug)]
pub struct TransformerDecoderLayer {
    /// The attention of the sequence to itself.
    pub self_attn: MultiheadAttention,
    /// The attention to the memory.
    pub multihead_attn: MultiheadAttention,
    /// The feedforward net's first layer.
    pub linear1: Linear,
    /// Its second layer.
    pub linear2: Linear,
    /// The norm of the attention to itself.
    pub norm1: LayerNorm,
    /// The norm of the attention to the memory.
    pub norm2: LayerNorm,
    /// The norm of the feedforward net.
    pub norm3: LayerNorm,
    /// What was chosen.
    pub options: TransformerOptions,
}

module!(TransformerDecoderLayer { self_attn, multihead_attn, linear1, linear2, norm1, norm2, norm3; options });

impl TransformerDecoderLayer {
    /// For vectors of this size, with so many heads and hidden units of the feedforward net, and PyTorch's initial values.
    ///
    /// # Panics
    /// When a number is 0, the heads do not divide the size, or the dropout probability is not in 0..=1.
    #[track_caller]
    pub fn new(
        size: usize,
        heads: usize,
        feedforward: usize,
        options: TransformerOptions,
        rng: &mut Rng,
    ) -> TransformerDecoderLayer {
        options.check("transformer_decoder_layer", feedforward);
        TransformerDecoderLayer {
            self_attn: MultiheadAttention::new(size, heads, rng).dropout(options.dropout),
            multihead_attn: MultiheadAttention::new(size, heads, rng).dropout(options.dropout),
            linear1: Linear::new(size, feedforward, rng),
            linear2: Linear::new(feedforward, size, rng),
            norm1: LayerNorm::new([size]),
            norm2: LayerNorm::new([size]),
            norm3: LayerNorm::new([size]),
            options,
        }
    }

    /// The layer's output, `[n, steps, size]`, where attention to the sequence itself, as a rule
    /// [causal](AttentionMask::causal), and to the memory sees what its mask leaves.
    ///
    /// # Panics
    /// When `x` or `memory` is not `[n, steps, size]`, or a mask does not fit.
    #[track_caller]
    pub fn forward<V: Value>(
        &self,
        x: V,
        memory: &V,
        mask: &AttentionMask,
        memory_mask: &AttentionMask,
    ) -> V {
        let TransformerDecoderLayer {
            self_attn,
            multihead_attn,
            linear1,
            linear2,
            norm1,
            norm2,
            norm3,
            options,
        } = self;
        check_sequence("transformer_decoder_layer", "batch", &x, norm1);
        check_sequence("transformer_decoder_layer", "memory", memory, norm1);
        let y = self_attn.attend_self(&options.before(norm1, &x), mask);
        let x = options.after(norm1, x, y);
        let y = multihead_attn.attend(&options.before(norm2, &x), memory, memory, memory_mask);
        let x = options.after(norm2, x, y);
        let y = options.feed_forward(linear1, linear2, options.before(norm3, &x));
        options.after(norm3, x, y)
    }
}
