//! Attention: means of values, weighted by how well keys fit queries.

use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::shape::broadcast;

/// Attention of queries to keys and values.
pub trait Attention: Value {
    /// Scaled dot-product attention of these queries `[.., queries, d]` to keys `[.., keys, d]` and values
    /// `[.., keys, v]`: `[.., queries, v]`. The leading axes, such as batch and heads, broadcast.
    ///
    /// `y = softmax(q kᵀ / √d + bias) v`, the softmax over the keys that a query sees
    ///
    /// A query sees the keys where `mask`, which broadcasts to `[.., queries, keys]`, is not 0, and where `bias`, which
    /// broadcasts there too, is not -∞; with `is_causal` query i sees of these only keys 0 to i. What is not seen has
    /// weight 0, and its key and bias get no gradient. A query that sees nothing gives 0, with gradient 0, and never NaN.
    ///
    /// PyTorch's `attn_mask` is the mask if it is of booleans, true where a key is seen, and the bias if it is of numbers.
    ///
    /// # Panics
    /// When a shape has fewer than two axes, queries and keys differ in d, there are not as many keys as values, or the
    /// leading axes, mask or bias do not broadcast.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let (q, k) = (Tensor::zeros([2, 4]), Tensor::zeros([2, 4]));
    /// let v = Tensor::from([[2.0], [6.0]]);
    /// assert_eq!(q.scaled_dot_product_attention(&k, &v, None, None, false).to_vec(), [4.0, 4.0]);
    /// assert_eq!(q.scaled_dot_product_attention(&k, &v, None, None, true).to_vec(), [2.0, 4.0]);
    /// let mask = Tensor::from([[0.0, 1.0], [0.0, 0.0]]);
    /// assert_eq!(q.scaled_dot_product_attention(&k, &v, Some(&mask), None, false).to_vec(), [6.0, 0.0]);
    /// let bias = Tensor::from([3f32.ln(), 0.0]); // the first key counts three times
    /// let y = q.scaled_dot_product_attention(&k, &v, None, Some(&bias), false);
    /// assert!(y.iter().all(|y| (y - 3.0).abs() < 1e-6));
    /// ```
    #[track_caller]
    fn scaled_dot_product_attention(
        &self,
        key: &Self,
        value: &Self,
        mask: Option<&Self>,
        bias: Option<&Self>,
        is_causal: bool,
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
        self.attention_weights(key, mask, bias, is_causal).matmul(value)
    }

    /// The weights of [`scaled_dot_product_attention`](Attention::scaled_dot_product_attention), `[.., queries, keys]`: to
    /// look at, or to drop some in training.
    ///
    /// `softmax(q kᵀ / √d + bias)` over the keys that a query sees, 0 elsewhere
    ///
    /// # Panics
    /// As there.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let (q, k) = (Tensor::zeros([2, 4]), Tensor::zeros([2, 4]));
    /// assert_eq!(q.attention_weights(&k, None, None, true), Tensor::from([[1.0, 0.0], [0.5, 0.5]]));
    /// ```
    #[track_caller]
    fn attention_weights(
        &self,
        key: &Self,
        mask: Option<&Self>,
        bias: Option<&Self>,
        is_causal: bool,
    ) -> Self {
        let (q, k) = (self.shape(), key.shape());
        let (&[.., queries, d], &[.., keys, of_key]) = (&q[..], &k[..]) else {
            ShapeError::new(format!("attention: queries {q}, keys {k}: each must have two axes at least"))
                .fail()
        };
        if d != of_key {
            ShapeError::new(format!(
                "attention: queries {q}, keys {k}: they must be [.., queries, d] and [.., keys, d]"
            ))
            .fail()
        }
        let (mut scores, mut finite) = ((self / (d as f32).sqrt()).matmul(&key.t()), None);
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
        if let Some(bias) = bias {
            scores = scores + bias;
            finite = Some(bias.not_equals(f32::NEG_INFINITY));
        }
        let causal = is_causal.then(|| {
            let sees = |index: &[usize]| if index[1] <= index[0] { 1.0 } else { 0.0 };
            self.place().constant(Tensor::from_fn([queries, keys], sees))
        });
        let zero = self.place().constant(0.0);
        let mut seen: Option<Self> = None;
        for mask in [mask.cloned(), finite, causal].into_iter().flatten() {
            seen = Some(match seen {
                None => mask,
                Some(both) => both.select_where(&mask, &zero),
            });
        }
        let Some(seen) = seen else { return scores.softmax(-1) };
        // The least number in place of -inf: where all is hidden, the softmax is not NaN, and the weights become 0 after.
        let weights = seen.select_where(&scores, &self.place().constant(f32::MIN)).softmax(-1);
        // Under the causal mask alone every query sees the first key.
        if mask.is_some() || bias.is_some() { seen.select_where(&weights, &zero) } else { weights }
    }
}

impl<V: Value> Attention for V {}
