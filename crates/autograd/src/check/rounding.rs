//! What rounding explains: how far arithmetic that is as good as the operations state may be off, in f32 and in f64.

use crate::{
    op::reference::Array,
    replay::{Errors, Replay},
};
use gradus_tensor::Rng;
use std::collections::BTreeMap;

/// How often the replay is run with random errors, of each size.
const SAMPLES: usize = 4;
/// How many times the largest deviation seen in the samples another one may be.
const SAFETY: f64 = 6.0;

/// The deviations of a replay whose every step is off by a random error within its stated precision (the idea of J.
/// Vignes, "A stochastic arithmetic for reliable scientific computation", 1993).
pub(super) struct Rounding {
    /// By node.
    in_f32: BTreeMap<u32, Vec<Array>>,
    in_f64: BTreeMap<u32, Vec<Array>>,
}

impl Rounding {
    /// What is to be known of these nodes.
    pub(super) fn of(replay: &Replay<'_>, seed: u64, nodes: impl Iterator<Item = u32>) -> Rounding {
        let mut rng = Rng::seed(seed);
        let nodes: Vec<u32> = nodes.collect();
        let mut samples = |errors: Errors| {
            let mut samples: BTreeMap<u32, Vec<Array>> = BTreeMap::new();
            for _ in 0..SAMPLES {
                let values = replay.rounded(errors, &mut rng);
                for &id in &nodes {
                    samples.entry(id).or_default().push(values[id as usize].clone());
                }
            }
            samples
        };
        Rounding { in_f32: samples(Errors::OfF32), in_f64: samples(Errors::OfF64) }
    }

    /// For each element of a value a bound on the rounding error of f32 arithmetic.
    pub(super) fn in_f32(&self, replay: &Replay<'_>, id: u32) -> Vec<f64> {
        bounds(&self.in_f32[&id], replay.base(id), f32::MIN_POSITIVE.into())
    }

    /// The same of f64 arithmetic.
    pub(super) fn in_f64(&self, replay: &Replay<'_>, id: u32) -> Vec<f64> {
        bounds(&self.in_f64[&id], replay.base(id), f64::MIN_POSITIVE)
    }

    /// The rounding error of the weighted sum of a value's elements in f64.
    pub(super) fn noise(&self, replay: &Replay<'_>, id: u32, weights: &[f64]) -> f64 {
        let base = replay.base(id).data();
        let deviation = |sample: &Array| -> f64 {
            let terms = sample.data().iter().zip(base).zip(weights);
            terms.map(|((x, base), weight)| (x - base) * weight).sum::<f64>().abs()
        };
        let largest = self.in_f64[&id].iter().map(deviation).fold(0.0, f64::max);
        SAFETY * largest + 4.0 * f64::EPSILON * magnitude(base, weights)
    }
}

/// The sum of the sizes of weighted elements.
pub(super) fn magnitude(values: &[f64], weights: &[f64]) -> f64 {
    values.iter().zip(weights).map(|(y, weight)| (y * weight).abs()).sum()
}

/// A few samples may all be close by chance, so an element's bound is at least that of a middling one.
fn bounds(samples: &[Array], base: &Array, least: f64) -> Vec<f64> {
    let mut bounds = vec![0.0f64; base.data().len()];
    for sample in samples {
        for ((bound, &x), &base) in bounds.iter_mut().zip(sample.data()).zip(base.data()) {
            // Equal infinities are not off; what is finite in one alone may be anything.
            let off = if x == base { 0.0 } else { (x - base).abs() };
            *bound = if off.is_nan() { f64::INFINITY } else { bound.max(off) };
        }
    }
    let squares: f64 = bounds.iter().filter(|bound| bound.is_finite()).map(|bound| bound * bound).sum();
    let middling = (squares / bounds.len().max(1) as f64).sqrt();
    bounds.iter().map(|bound| SAFETY * bound.max(middling) + least).collect()
}
