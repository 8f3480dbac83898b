//! Attention with several heads.

use crate::{
    Init, Layer, Linear,
    layers::{norm::optional, sizes::one_sequence},
    module,
};
use gradus_autograd::{Param, prelude::*};
use gradus_tensor::ShapeError;

/// What queries see, and how much of it. All that is set holds together: a query sees the keys that nothing hides.
///
/// | PyTorch | here |
/// | --- | --- |
/// | `is_causal`, or a triangle as `attn_mask`, `src_mask`, `tgt_mask` | `causal` |
/// | `key_padding_mask`, `src_key_padding_mask`, .. | `padding` |
/// | `attn_mask`, `src_mask`, `tgt_mask`, `memory_mask` of booleans | `hidden` |
/// | the same of numbers | `added` |
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::AttentionMask;
///
/// let padded = AttentionMask { padding: Some(Tensor::from([[0.0, 0.0], [0.0, 1.0]])), ..AttentionMask::causal() };
/// // The farther a key is behind a query, the less it counts, in two heads (O. Press and others, "Train short, test long", 2022).
/// let distance = |i: &[usize]| -(i[1] as f32 - i[2] as f32).abs() * [0.5, 0.25][i[0]];
/// let slopes = AttentionMask { added: Some(Tensor::from_fn([2, 4, 4], distance)), ..AttentionMask::causal() };
/// # let _ = (padded, slopes);
/// ```
#[derive(Clone, Debug, Default)]
pub struct AttentionMask {
    /// Whether query i sees only the keys 0 to i, as where a text is predicted from its beginning.
    pub causal: bool,
    /// `[n, keys]`: not 0 where a key only fills a sequence up. No query of that sequence sees it.
    pub padding: Option<Tensor>,
    /// `[queries, keys]`, or what else broadcasts to `[n, heads, queries, keys]`: not 0 where a query does not see a key.
    /// PyTorch's `[n · heads, queries, keys]` must be reshaped.
    pub hidden: Option<Tensor>,
    /// Of the same shapes: what is added to the scores before the softmax. -∞ hides a key.
    pub added: Option<Tensor>,
}

impl AttentionMask {
    /// Every query sees every key.
    pub fn none() -> AttentionMask {
        AttentionMask::default()
    }

    /// Queries see no later keys.
    pub fn causal() -> AttentionMask {
        AttentionMask { causal: true, ..AttentionMask::default() }
    }

    /// 1 where padding and `hidden` let a key be seen, for weights of this shape `[n, heads, queries, keys]`.
    #[track_caller]
    fn seen(&self, weights: &[usize]) -> Option<Tensor> {
        let (n, keys) = (weights[0], weights[3]);
        let mut seen = None;
        if let Some(padding) = &self.padding {
            if padding.shape()[..] != [n, keys] {
                let found = padding.shape();
                ShapeError::new(format!(
                    "multihead_attention: the mask `padding` has shape {found}; it must be [{n}, {keys}], \
                     for each sequence and key"
                ))
                .fail()
            }
            seen = Some(padding.logical_not().reshape([n, 1, 1, keys]));
        }
        if let Some(hidden) = &self.hidden {
            check_broadcasts("hidden", hidden, weights);
            let by_mask = hidden.logical_not();
            seen = Some(seen.map_or(by_mask.clone(), |padding: Tensor| padding * by_mask));
        }
        seen
    }
}

/// Refuses a mask that does not broadcast to the weights.
#[track_caller]
fn check_broadcasts(name: &str, mask: &Tensor, weights: &[usize]) {
    let shape = mask.shape();
    let fits = |(size, of_weights): (&usize, &usize)| [1, *of_weights].contains(size);
    if shape.rank() > 4 || !shape.iter().rev().zip(weights.iter().rev()).all(fits) {
        let [n, heads, queries, keys] = weights else { unreachable!("weights have four axes") };
        let hint = if shape[..] == [n * heads, *queries, *keys] {
            format!("; hint: reshape([{n}, {heads}, {queries}, {keys}])")
        } else if shape[..] == [*n, *keys] {
            "; hint: a mask of each sequence's keys is `padding`".into()
        } else {
            String::new()
        };
        ShapeError::new(format!(
            "multihead_attention: the mask `{name}` has shape {shape}; it must be [{queries}, {keys}], for each query and \
             key, or broadcast to [{n}, {heads}, {queries}, {keys}], for each sequence and head too{hint}"
        ))
        .fail()
    }
}

/// Attention with several heads (A. Vaswani and others, "Attention is all you need", 2017; with one head book 2, chapter 8):
/// for each query a mean of values, weighted by how well their keys fit it.
///
/// ```text
/// head_k = softmax(Q_k K_kᵀ / √d) V_k, with Q_k, K_k, V_k the k-th d = size / heads columns of the projected inputs
/// y = all heads side by side · W_oᵀ + b_o
/// ```
///
/// Queries are `[n, queries, size]`, keys and values `[n, keys, size]`, the result is `[n, queries, size]`. The parameters
/// are PyTorch's: `in_proj_weight` `[3 size, size]`, which projects queries, keys and values, in this order,
/// `in_proj_bias` `[3 size]`, `out_proj.weight` `[size, size]` and `out_proj.bias` `[size]`. As a [`Layer`] it is
/// self-attention without a mask. A query that sees no key gives the output's bias, where PyTorch gives NaN.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{AttentionMask, MultiheadAttention};
///
/// let attention = MultiheadAttention::new(8, 2, &mut Rng::seed(0));
/// let x = Tensor::ones([3, 5, 8]);
/// assert_eq!(attention.attend_self(&x, &AttentionMask::causal()).shape(), &[3, 5, 8]);
/// let memory = Tensor::ones([3, 7, 8]);
/// let (y, weights) = attention.attend_with_weights(&x, &memory, &memory, &AttentionMask::none());
/// assert_eq!((y.shape(), weights.shape()), (&[3, 5, 8].into(), &[3, 2, 5, 7].into()));
/// assert!((weights.get([0, 0, 0, 0]) - 1.0 / 7.0).abs() < 1e-6);
/// ```
#[derive(Clone, Debug)]
pub struct MultiheadAttention {
    /// `[3 size, size]`: the projections of queries, keys and values, one below the other.
    pub in_proj_weight: Param,
    /// `[3 size]`.
    pub in_proj_bias: Option<Param>,
    /// What puts the heads together.
    pub out_proj: Linear,
    /// How many heads there are.
    pub heads: usize,
    /// The probability with which a weight is dropped in training.
    pub dropout: f32,
}

module!(MultiheadAttention { in_proj_weight, in_proj_bias, out_proj; heads, dropout });

impl MultiheadAttention {
    /// Attention in so many heads on vectors of this size, with PyTorch's initial values: the projections Xavier-uniform,
    /// the output's weight uniform between plus and minus 1 / √size, biases 0.
    ///
    /// # Panics
    /// When a number is 0, or the heads do not divide the size.
    #[track_caller]
    pub fn new(size: usize, heads: usize, rng: &mut Rng) -> MultiheadAttention {
        assert!(
            size > 0 && heads > 0 && size.is_multiple_of(heads),
            "multihead_attention: size {size} in {heads} heads: both must be at least 1, and the heads divide the size"
        );
        MultiheadAttention {
            in_proj_weight: Param::new(Init::XavierUniform.weight([size.saturating_mul(3), size], rng)),
            in_proj_bias: Some(Param::new(Tensor::zeros([size.saturating_mul(3)]))),
            out_proj: Linear::with_init(size, size, Init::FanInUniform, rng),
            heads,
            dropout: 0.0,
        }
    }

    /// The same attention, of whose weights some are 0 in training, with this probability.
    ///
    /// # Panics
    /// When it is not in 0..=1.
    #[track_caller]
    pub fn dropout(self, p: f32) -> MultiheadAttention {
        assert!((0.0..=1.0).contains(&p), "multihead_attention: the dropout probability {p} is not in 0..=1");
        MultiheadAttention { dropout: p, ..self }
    }

    /// The same attention without biases.
    pub fn without_bias(self) -> MultiheadAttention {
        MultiheadAttention { in_proj_bias: None, out_proj: self.out_proj.without_bias(), ..self }
    }

    /// Attention of a sequence to itself.
    ///
    /// # Panics
    /// When `x` is not `[n, steps, size]`, or the mask does not fit.
    #[track_caller]
    pub fn attend_self<V: Value>(&self, x: &V, mask: &AttentionMask) -> V {
        self.attend_heads(self.project_self(x), mask)
    }

    /// Attention of queries to the keys and values of another sequence, such as a decoder's to what an encoder has made.
    ///
    /// # Panics
    /// When queries, keys and values are not `[n, queries, size]`, `[n, keys, size]` and `[n, keys, size]`, or the mask
    /// does not fit.
    #[track_caller]
    pub fn attend<V: Value>(&self, query: &V, key: &V, value: &V, mask: &AttentionMask) -> V {
        self.attend_heads(self.project(query, key, value), mask)
    }

    /// [`attend`](MultiheadAttention::attend), and the weights, `[n, heads, queries, keys]`: for each query they sum to 1, but
    /// in training, where dropout is in them.
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn attend_with_weights<V: Value>(
        &self,
        query: &V,
        key: &V,
        value: &V,
        mask: &AttentionMask,
    ) -> (V, V) {
        let [q, k, v] = self.project(query, key, value);
        let weights = self.weights(&q, &k, mask);
        (self.join(&weights.matmul(&v)), weights)
    }

    fn size(&self) -> usize {
        self.out_proj.weight.value().shape()[0]
    }

    #[track_caller]
    fn check<V: Value>(&self, what: &str, x: &V) {
        let (shape, size) = (x.shape(), self.size());
        if shape.rank() != 3 || shape[2] != size {
            ShapeError::new(format!(
                "multihead_attention: the {what} have shape {shape}; it must be [n, steps, {size}]{}",
                one_sequence(&shape, 0)
            ))
            .fail()
        }
    }

    /// Queries, keys and values of one sequence, `[n, heads, steps, d]` each: one product for all.
    #[track_caller]
    fn project_self<V: Value>(&self, x: &V) -> [V; 3] {
        self.check("inputs", x);
        let at = x.place();
        let bias = optional(at, &self.in_proj_bias);
        let [q, k, v] = x.linear(&at.param(&self.in_proj_weight), bias.as_ref()).parts(2);
        [self.split(&q), self.split(&k), self.split(&v)]
    }

    /// The same of three sequences.
    #[track_caller]
    fn project<V: Value>(&self, query: &V, key: &V, value: &V) -> [V; 3] {
        self.check("queries", query);
        self.check("keys", key);
        self.check("values", value);
        let (q, k, v) = (query.shape(), key.shape(), value.shape());
        if k != v || q[0] != k[0] {
            ShapeError::new(format!(
                "multihead_attention: queries {q}, keys {k} and values {v}: \
                 there must be one number of sequences, and as many keys as values"
            ))
            .fail()
        }
        let at = query.place();
        let [w_q, w_k, w_v] = at.param(&self.in_proj_weight).parts(0);
        let mut biases = [None, None, None];
        if let Some(bias) = optional(at, &self.in_proj_bias) {
            let parts: [V; 3] = bias.parts(0);
            biases = parts.map(Some);
        }
        let [b_q, b_k, b_v] = biases.each_ref().map(Option::as_ref);
        [
            self.split(&query.linear(&w_q, b_q)),
            self.split(&key.linear(&w_k, b_k)),
            self.split(&value.linear(&w_v, b_v)),
        ]
    }

    /// `[n, steps, size]` as `[n, heads, steps, d]`.
    #[track_caller]
    fn split<V: Value>(&self, x: &V) -> V {
        let shape = x.shape();
        x.reshape([shape[0], shape[1], self.heads, shape[2] / self.heads]).transpose(1, 2)
    }

    /// Queries, keys and values of all heads to what comes out. Weights of which none is dropped are nowhere as a whole.
    #[track_caller]
    fn attend_heads<V: Value>(&self, [q, k, v]: [V; 3], mask: &AttentionMask) -> V {
        let heads = match self.dropout > 0.0 && q.place().is_training() {
            true => self.weights(&q, &k, mask).matmul(&v),
            false => {
                let seen = Seen::new(&q, &k, mask);
                q.scaled_dot_product_attention(&k, &v, seen.options())
            }
        };
        self.join(&heads)
    }

    #[track_caller]
    fn weights<V: Value>(&self, q: &V, k: &V, mask: &AttentionMask) -> V {
        let weights = q.attention_weights(k, Seen::new(q, k, mask).options());
        if self.dropout > 0.0 { weights.dropout(self.dropout) } else { weights }
    }

    /// The results of all heads, side by side, projected.
    #[track_caller]
    fn join<V: Value>(&self, heads: &V) -> V {
        let (shape, heads) = (heads.shape(), heads.transpose(1, 2));
        self.out_proj.forward(heads.reshape([shape[0], shape[2], self.size()]))
    }
}

/// What a mask says of some queries and keys.
struct Seen<V> {
    mask: Option<V>,
    bias: Option<V>,
    is_causal: bool,
}

impl<V: Value> Seen<V> {
    #[track_caller]
    fn new(q: &V, k: &V, mask: &AttentionMask) -> Seen<V> {
        let (queries, keys) = (q.shape(), k.shape());
        let shape = [keys[0], queries[1], queries[2], keys[2]];
        if let Some(added) = &mask.added {
            check_broadcasts("added", added, &shape);
        }
        let constant = |mask: &Tensor| q.place().constant(mask);
        let (seen, added) = (mask.seen(&shape), mask.added.as_ref());
        Seen { mask: seen.as_ref().map(constant), bias: added.map(constant), is_causal: mask.causal }
    }

    fn options(&self) -> AttentionOptions<'_, V> {
        let (mask, bias, is_causal) = (self.mask.as_ref(), self.bias.as_ref(), self.is_causal);
        AttentionOptions { mask, bias, is_causal, ..Default::default() }
    }
}

/// Self-attention without a mask.
impl Layer for MultiheadAttention {
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        self.attend_self(&x, &AttentionMask::none())
    }
}
