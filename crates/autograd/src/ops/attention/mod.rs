//! Attention: means of values, weighted by how well keys fit queries.

mod dot_product;

pub use dot_product::DotProductAttention;

use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::shape::broadcast;

/// What queries see, and how their scores come about: by default every key, by the scale 1/√d, and as many heads of queries
/// as of keys.
///
/// ```
/// use gradus_autograd::prelude::*;
/// let mask = Tensor::from([1.0, 1.0, 0.0]);
/// let options = AttentionOptions { mask: Some(&mask), is_causal: true, ..Default::default() };
/// assert_eq!((options.bias, options.scale, options.enable_gqa), (None, None, false));
/// ```
#[derive(Debug)]
pub struct AttentionOptions<'a, V> {
    /// 0 where a query does not see a key; it broadcasts to `[.., queries, keys]`.
    pub mask: Option<&'a V>,
    /// What is added to the scores before the softmax; it broadcasts there too. -∞ hides a key.
    pub bias: Option<&'a V>,
    /// Whether query i sees only the keys 0 to i.
    pub is_causal: bool,
    /// What scores are multiplied by, 1/√d if nothing is given.
    pub scale: Option<f32>,
    /// Whether the heads of queries, on the third axis from the back, may be a multiple of those of keys and of values: as many
    /// of them, one after the other, then share one ("grouped-query attention", J. Ainslie and others, 2023).
    pub enable_gqa: bool,
}

impl<V> Default for AttentionOptions<'_, V> {
    fn default() -> Self {
        AttentionOptions { mask: None, bias: None, is_causal: false, scale: None, enable_gqa: false }
    }
}

impl<V> Clone for AttentionOptions<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for AttentionOptions<'_, V> {}

/// Attention of queries to keys and values.
pub trait Attention: Value {
    /// Scaled dot-product attention of these queries `[.., queries, d]` to keys `[.., keys, d]` and values
    /// `[.., keys, v]`: `[.., queries, v]`. The leading axes, such as batch and heads, broadcast.
    ///
    /// `y = softmax(scale · q kᵀ + bias) v`, the softmax over the keys that a query sees
    ///
    /// A query sees the keys where `mask`, which broadcasts to `[.., queries, keys]`, is not 0, and where `bias`, which
    /// broadcasts there too, is not -∞; with `is_causal` query i sees of these only keys 0 to i. What is not seen has
    /// weight 0, and its key and bias get no gradient. A query that sees nothing gives 0, with gradient 0, and never NaN.
    ///
    /// With `enable_gqa` the third axis from the back is that of heads, and g heads of queries, one after the other, see one
    /// of keys and one of values: PyTorch's `key.repeat_interleave(g, -3)`, without the copies.
    ///
    /// Without a bias, and where queries, keys and values have the same leading axes, the scores of some queries at a time are in memory, and
    /// what grows with queries times keys is the time alone.
    ///
    /// PyTorch's `attn_mask` is the mask if it is of booleans, true where a key is seen, and the bias if it is of numbers;
    /// dropout is for [`attention_weights`](Attention::attention_weights).
    ///
    /// # Panics
    /// When a shape has fewer than two axes, queries and keys differ in d, there are not as many keys as values, the leading
    /// axes, mask or bias do not broadcast, or the heads of grouped keys or values do not divide those of queries.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let (q, k) = (Tensor::zeros([2, 4]), Tensor::zeros([2, 4]));
    /// let v = Tensor::from([[2.0], [6.0]]);
    /// let plain = AttentionOptions::default();
    /// assert_eq!(q.scaled_dot_product_attention(&k, &v, plain).to_vec(), [4.0, 4.0]);
    /// let causal = AttentionOptions { is_causal: true, ..plain };
    /// assert_eq!(q.scaled_dot_product_attention(&k, &v, causal).to_vec(), [2.0, 4.0]);
    /// let mask = Tensor::from([[0.0, 1.0], [0.0, 0.0]]);
    /// let masked = AttentionOptions { mask: Some(&mask), ..plain };
    /// assert_eq!(q.scaled_dot_product_attention(&k, &v, masked).to_vec(), [6.0, 0.0]);
    /// let bias = Tensor::from([3f32.ln(), 0.0]); // the first key counts three times
    /// let y = q.scaled_dot_product_attention(&k, &v, AttentionOptions { bias: Some(&bias), ..plain });
    /// assert!(y.iter().all(|y| (y - 3.0).abs() < 1e-6));
    /// // Six heads of queries, two of keys and values.
    /// let (q, k) = (Tensor::zeros([1, 6, 5, 4]), Tensor::zeros([1, 2, 7, 4]));
    /// let grouped = AttentionOptions { enable_gqa: true, scale: Some(0.25), ..Default::default() };
    /// assert_eq!(q.scaled_dot_product_attention(&k, &k, grouped).shape(), &[1, 6, 5, 4]);
    /// ```
    #[track_caller]
    fn scaled_dot_product_attention(
        &self,
        key: &Self,
        value: &Self,
        options: AttentionOptions<'_, Self>,
    ) -> Self {
        let (k, v) = (key.shape(), value.shape());
        if v.rank() < 2 || k.rank() < 2 || v[v.rank() - 2] != k[k.rank() - 2] {
            ShapeError::new(format!(
                "scaled_dot_product_attention: queries {}, keys {k}, values {v}: \
                 they must be [.., queries, d], [.., keys, d] and [.., keys, v]",
                self.shape()
            ))
            .fail()
        }
        if let Some(y) = in_one(self, key, value, options) {
            return y;
        }
        let weights = self.attention_weights(key, options);
        product(&weights, ["values", "weights"], value, options.enable_gqa)
    }

    /// The weights of [`scaled_dot_product_attention`](Attention::scaled_dot_product_attention), `[.., queries, keys]`: to
    /// look at, or to drop some in training.
    ///
    /// `softmax(scale · q kᵀ + bias)` over the keys that a query sees, 0 elsewhere
    ///
    /// # Panics
    /// As there.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let (q, k) = (Tensor::zeros([2, 4]), Tensor::zeros([2, 4]));
    /// let causal = AttentionOptions { is_causal: true, ..Default::default() };
    /// assert_eq!(q.attention_weights(&k, causal), Tensor::from([[1.0, 0.0], [0.5, 0.5]]));
    /// ```
    #[track_caller]
    fn attention_weights(&self, key: &Self, options: AttentionOptions<'_, Self>) -> Self {
        let AttentionOptions { mask, bias, is_causal, scale, enable_gqa } = options;
        let (q, k) = (self.shape(), key.shape());
        let (&[.., _, d], &[.., _, of_key]) = (&q[..], &k[..]) else {
            ShapeError::new(format!("attention: queries {q}, keys {k}: each must have two axes at least"))
                .fail()
        };
        if d != of_key {
            ShapeError::new(format!(
                "attention: queries {q}, keys {k}: they must be [.., queries, d] and [.., keys, d]"
            ))
            .fail()
        }
        let scores = product(&scaled(self, scale, d), ["keys", "queries"], &key.t(), enable_gqa);
        let shape = scores.shape();
        for (name, mask) in [("mask", mask), ("bias", bias)] {
            let Some(found) = mask.map(Self::shape) else { continue };
            if !broadcast("attention", &shape, &found).is_ok_and(|both| both == shape) {
                ShapeError::new(format!(
                    "attention: the {name} has shape {found}; it must broadcast to the weights' shape {shape}, \
                     [.., queries, keys]"
                ))
                .fail()
            }
        }
        weights(scores, mask, bias, is_causal)
    }
}

impl<V: Value> Attention for V {}

/// The product of matrices of many heads with those of as many heads, or of fewer that are shared: then all rows that meet
/// one matrix stand one below the other.
#[track_caller]
fn product<V: Value>(many: &V, [shared, of_many]: [&str; 2], few: &V, enable_gqa: bool) -> V {
    let (x, y) = (many.shape(), few.shape());
    let (lead, other) = (&x[..x.rank() - 2], &y[..y.rank() - 2]);
    let heads = lead.last().zip(other.last()).map(|(&many, &few)| (many, few));
    let divides = heads.filter(|&(many, few)| few > 0 && many.is_multiple_of(few));
    let refused = match divides {
        Some((all, heads)) if enable_gqa && all != heads => {
            let (rows, outer) = (x[x.rank() - 2], &lead[..lead.len() - 1]);
            let with = |outer: &[usize], last: [usize; 3]| [outer, &last].concat();
            let tall = many.reshape(with(outer, [heads, all / heads * rows, x[x.rank() - 1]]));
            let product = tall.matmul(few);
            let shape = product.shape();
            let (outer, columns) = (&shape[..shape.rank() - 3], shape[shape.rank() - 1]);
            return product.reshape(with(outer, [all, rows, columns]));
        }
        None if enable_gqa => {
            format!(
                "enable_gqa asks for [.., heads], the heads of the {shared} dividing those of the {of_many}"
            )
        }
        _ if broadcast("attention", lead, other).is_ok() => return many.matmul(few),
        Some((all, heads)) if heads > 1 && all > heads => format!(
            "they do not broadcast; hint: with enable_gqa {} heads of the {of_many} share one of the {shared}",
            all / heads
        ),
        _ => "they do not broadcast".into(),
    };
    ShapeError::new(format!(
        "attention: leading axes {lead:?} of the {of_many}, {other:?} of the {shared}: {refused}"
    ))
    .fail()
}

/// Times the scale, if one is given, else over √size.
fn scaled<V: Value>(x: &V, scale: Option<f32>, size: usize) -> V {
    match scale {
        None => x / (size as f32).sqrt(),
        Some(scale) => x * scale,
    }
}

/// The attention as one operation, where it is one.
fn in_one<V: Value>(query: &V, key: &V, value: &V, options: AttentionOptions<'_, V>) -> Option<V> {
    let AttentionOptions { mask, bias, is_causal, scale, enable_gqa: _ } = options;
    let op = DotProductAttention { is_causal, scale };
    let inputs: Vec<&V> = [query, key, value].into_iter().chain(mask).collect();
    let shapes: Vec<Shape> = inputs.iter().map(|input| input.shape()).collect();
    let fits = bias.is_none() && op.infer(&shapes.iter().map(|shape| &shape[..]).collect::<Vec<_>>()).is_ok();
    fits.then(|| V::apply(op, &inputs))
}

/// The softmax of scores plus a bias over the keys that are seen, and 0 elsewhere.
fn weights<V: Value>(mut scores: V, mask: Option<&V>, bias: Option<&V>, is_causal: bool) -> V {
    let (shape, mut finite) = (scores.shape(), None);
    let [queries, keys] = [shape[shape.rank() - 2], shape[shape.rank() - 1]];
    let place = scores.place();
    if let Some(bias) = bias {
        scores = scores + bias;
        finite = Some(bias.not_equals(f32::NEG_INFINITY));
    }
    let causal = is_causal.then(|| {
        let sees = |index: &[usize]| if index[1] <= index[0] { 1.0 } else { 0.0 };
        place.constant(Tensor::from_fn([queries, keys], sees))
    });
    let zero = place.constant(0.0);
    let mut seen: Option<V> = None;
    for mask in [mask.cloned(), finite, causal].into_iter().flatten() {
        seen = Some(match seen {
            None => mask,
            Some(both) => both.select_where(&mask, &zero),
        });
    }
    let Some(seen) = seen else { return scores.softmax(-1) };
    // The least number in place of -inf: where all is hidden, the softmax is not NaN, and the weights become 0 after.
    let weights = seen.select_where(&scores, &place.constant(f32::MIN)).softmax(-1);
    // Under the causal mask alone every query sees the first key.
    if mask.is_some() || bias.is_some() { seen.select_where(&weights, &zero) } else { weights }
}
