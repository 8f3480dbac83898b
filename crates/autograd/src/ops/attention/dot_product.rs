//! Scaled dot-product attention as one operation, which keeps nothing of its scores: the way back computes them again.

use super::{scaled, weights};
use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::{AttentionShape, shape::broadcast};

/// `softmax(scale · q kᵀ) v` of queries `[.., queries, d]`, keys `[.., keys, d]` and values `[.., keys, v]`, with the same axes in front, and
/// perhaps a mask that broadcasts to `[.., queries, keys]`.
///
/// The scores of some queries at a time are in memory, as in T. Dao and others, "FlashAttention", 2022; of causal ones nothing is computed
/// that no query of these sees.
#[derive(Clone, Copy, Debug)]
pub struct DotProductAttention {
    /// Whether query i sees only the keys 0 to i.
    pub is_causal: bool,
    /// What scores are multiplied by, 1/√d if nothing is given.
    pub scale: Option<f32>,
}

impl DotProductAttention {
    fn shape<'a>(&self, inputs: &[&'a Tensor]) -> AttentionShape<'a> {
        let (q, k, v) = (inputs[0].shape(), inputs[1].shape(), inputs[2].shape());
        let axes = q.rank() - 2;
        AttentionShape {
            lead: Shape::new(&q[..axes]),
            sizes: [q[axes], k[axes], q[axes + 1], v[axes + 1]],
            is_causal: self.is_causal,
            mask: inputs.get(3).copied(),
        }
    }

    /// Scores times the scale, or what comes to what was scaled.
    fn scaled<V: Value>(&self, x: &V, size: usize) -> V {
        scaled(x, self.scale, size)
    }
}

impl Op for DotProductAttention {
    const NAME: &'static str = "scaled_dot_product_attention";
    const FORMULA: &'static str = "W = softmax(scale Q Kᵀ) over the keys that are seen, Y = W V; dV = Wᵀ G; \
                                   dS = W (G Vᵀ - Σ W (G Vᵀ)), dQ = scale dS K, dK = scale dSᵀ Q; dmask = 0";
    const PRECISION: Precision = Precision::UlpsOfLargest(64.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let (q, k, v, mask) = match *inputs {
            [q, k, v] => (q, k, v, None),
            [q, k, v, mask] => (q, k, v, Some(mask)),
            _ => panic!("{}: takes 3 or 4 inputs, was given {}", Self::NAME, inputs.len()),
        };
        let wrong = || {
            ShapeError::new(format!(
                "{}: queries {q:?}, keys {k:?}, values {v:?}: they must be [.., queries, d], [.., keys, d] and \
                 [.., keys, v], with the same axes in front",
                Self::NAME
            ))
        };
        let ([lead @ .., queries, d], [of_keys @ .., keys, of_key], [of_values @ .., of_value, size]) =
            (q, k, v)
        else {
            return Err(wrong());
        };
        if (lead, lead, d, keys) != (of_keys, of_values, of_key, of_value) {
            return Err(wrong());
        }
        let scores = [lead, &[*queries, *keys]].concat();
        if let Some(mask) = mask
            && broadcast(Self::NAME, &scores, mask)?[..] != scores
        {
            return Err(ShapeError::new(format!(
                "{}: the mask has shape {mask:?}; it must broadcast to the weights' shape {scores:?}",
                Self::NAME
            )));
        }
        Ok(Shape::new(&[lead, &[*queries, *size]].concat()).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        let shape = self.shape(inputs);
        let queries = self.scaled(inputs[0], shape.sizes[2]);
        (shape.forward([&queries, inputs[1], inputs[2]]).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let (inputs, g) = (cx.input_list(), cx.cotangent());
        let (q, k, v) = (inputs[0], inputs[1], inputs[2]);
        let size = q.shape()[q.shape().rank() - 1];
        let queries = self.scaled(q, size);
        let weights = weights(queries.matmul(&k.t()), inputs.get(3).copied(), None, self.is_causal);
        cx.add(2, || weights.t().matmul(&g));
        let to_weights = g.matmul(&v.t());
        let mean = weights.strong_mul(&to_weights).sum_axes(-1, true);
        let to_scores = weights.strong_mul(&(to_weights - mean));
        cx.add(0, || self.scaled(&to_scores.matmul(k), size));
        cx.add(1, || to_scores.t().matmul(&queries));
    }

    fn backward_fused(&self, cx: &mut Backward<'_, Tensor>, _: &()) {
        let (inputs, g) = (cx.input_list(), cx.cotangent());
        let shape = self.shape(inputs);
        let queries = self.scaled(inputs[0], shape.sizes[2]);
        let [dq, dk, dv] = shape.backward([&queries, inputs[1], inputs[2]], &g);
        cx.add(0, || self.scaled(&dq, shape.sizes[2]));
        cx.add(1, || dk);
        cx.add(2, || dv);
    }

    /// If queries, keys and values have the batch, or all that have no mask with it.
    fn batched(&self, batch: &Batch<'_>) -> Option<InBatch> {
        let all = batch.is_batched[..3].iter().all(|&is_batched| is_batched);
        if all && batch.is_batched.get(3) != Some(&true) { batch.with(*self) } else { None }
    }

    fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array> {
        let (q, k, v, mask) = (inputs[0], inputs[1], inputs[2], inputs.get(3));
        let axes = q.shape().len() - 2;
        let (lead, [queries, d]) = (&q.shape()[..axes], [q.shape()[axes], q.shape()[axes + 1]]);
        let (keys, size) = (k.shape()[axes], v.shape()[axes + 1]);
        let scale = match self.scale {
            None => 1.0 / f64::from((d as f32).sqrt()),
            Some(scale) => f64::from(scale),
        };
        let mut y = Array::full([lead, &[queries, size]].concat(), 0.0);
        for row in 0..lead.iter().product::<usize>() * queries {
            let (head, query) = (row / queries, row % queries);
            let mut seen = Vec::new();
            for key in 0..if self.is_causal { keys.min(query + 1) } else { keys } {
                let sees = mask.is_none_or(|mask| {
                    let mut index = vec![0; axes + 2];
                    let mut rest = head;
                    for axis in (0..axes).rev() {
                        (index[axis], rest) = (rest % lead[axis], rest / lead[axis]);
                    }
                    (index[axes], index[axes + 1]) = (query, key);
                    branches.test(mask.broadcast_at(&index) != 0.0)
                });
                if sees {
                    let (q, k) = (&q.data()[row * d..][..d], &k.data()[(head * keys + key) * d..][..d]);
                    seen.push((key, scale * q.iter().zip(k).map(|(q, k)| q * k).sum::<f64>()));
                }
            }
            let most = seen.iter().fold(f64::NEG_INFINITY, |most, &(_, score)| most.max(score));
            let total: f64 = seen.iter().map(|(_, score)| (score - most).exp()).sum();
            for (key, score) in seen {
                let weight = (score - most).exp() / total;
                let values = &v.data()[(head * keys + key) * size..][..size];
                let y = &mut y.data_mut()[row * size..][..size];
                y.iter_mut().zip(values).for_each(|(y, value)| *y += weight * value);
            }
        }
        vec![y]
    }

    /// Two products, and of each score what the softmax does with it.
    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        let (q, k) = (inputs[0], inputs[1]);
        let (d, keys) = (q[q.len() - 1] as u64, k[k.len() - 2] as u64);
        let scores = q.iter().rev().skip(1).map(|&n| n as u64).product::<u64>() * keys;
        scores * (2 * d + 5) + 2 * elements(outputs) * keys
    }

    /// A query sees all keys, and all numbers of its own.
    fn window(&self, along: &Along<'_>) -> Option<Window> {
        let last = along.output.len() - 1;
        match along.input {
            0 => along.same_but(&[last]),
            1 => along.same_but(&[last - 1, last]),
            2 => along.same_but(&[last - 1]),
            _ => None,
        }
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let lead = g.shape().into_iter().take(2).map(|n| n.min(3)).collect::<Vec<_>>();
        let [queries, keys, d, size] = [0; 4].map(|_| g.positive_length().min(5));
        let with = |last: [usize; 2]| [&lead[..], &last].concat();
        let mut inputs =
            vec![g.normal(with([queries, d])), g.normal(with([keys, d])), g.normal(with([keys, size]))];
        if g.between(0, 1) == 1 {
            let shape = [with([queries, keys]), vec![queries, keys], vec![1, keys]][g.between(0, 2)].clone();
            inputs.push(g.normal(shape).map(|x| if x > -0.5 { 1.0 } else { 0.0 }));
        }
        let scale = (g.between(0, 1) == 1).then_some(0.75);
        vec![Sample::new(DotProductAttention { is_causal: g.between(0, 1) == 1, scale }, inputs)]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = DotProductAttention { is_causal: false, scale: None };
        vec![
            ErrorCase::new(
                op,
                &[&[2, 3, 4], &[2, 5, 3], &[2, 5, 4]],
                "scaled_dot_product_attention: queries [2, 3, 4], keys [2, 5, 3], values [2, 5, 4]: they must be",
            ),
            ErrorCase::new(
                op,
                &[&[3, 4], &[5, 4], &[5, 2], &[3, 1, 5]],
                "scaled_dot_product_attention: the mask has shape [3, 1, 5]; it must broadcast to the weights' shape [3, 5]",
            ),
        ]
    }
}
