//! What rounding explains: how far arithmetic that is as good as the operations state may be off, in f32 and in f64.

use crate::{
    op::reference::Array,
    replay::{Errors, Replay},
};
use gradus_tensor::Rng;
use std::collections::BTreeMap;

/// How often the replay is run with random errors, of each size; how often where there are so many elements, of which many
/// show what those of one can be; and how often where there are so few that all may be close by chance.
const SAMPLES: usize = 4;
const FEW_SAMPLES: usize = 2;
const MANY: usize = 1 << 16;
const MANY_SAMPLES: usize = 16;
const FEW: usize = 2;
/// How many times the largest deviation seen in the samples another one may be.
const SAFETY: f64 = 6.0;

/// The deviations of a replay whose every step is off by a random error within its stated precision (the idea of J.
/// Vignes, "A stochastic arithmetic for reliable scientific computation", 1993).
pub(super) struct Rounding {
    /// By node: by element, the largest deviation that was seen.
    in_f32: BTreeMap<u32, Vec<f64>>,
    in_f64: BTreeMap<u32, Vec<f64>>,
    /// By output: the values in f64.
    outputs: BTreeMap<u32, Vec<Array>>,
}

impl Rounding {
    /// What is to be known of these rules and outputs.
    pub(super) fn of(replay: &Replay<'_>, seed: u64, rules: &[u32], outputs: &[u32]) -> Rounding {
        let mut rng = Rng::seed(seed);
        let mut rounding =
            Rounding { in_f32: BTreeMap::new(), in_f64: BTreeMap::new(), outputs: BTreeMap::new() };
        let elements: usize = rules.iter().map(|&id| replay.base(id).data().len()).sum();
        let samples = match elements {
            ..=FEW => MANY_SAMPLES,
            MANY.. => FEW_SAMPLES,
            _ => SAMPLES,
        };
        for errors in [Errors::OfF32, Errors::OfF64] {
            for _ in 0..samples {
                replay.rounded(errors, &mut rng, &mut |id, value| {
                    if rules.contains(&id) {
                        let all = match errors {
                            Errors::OfF32 => &mut rounding.in_f32,
                            Errors::OfF64 => &mut rounding.in_f64,
                        };
                        deviate(all.entry(id).or_default(), value, replay.base(id));
                    }
                    if errors == Errors::OfF64 && outputs.contains(&id) {
                        rounding.outputs.entry(id).or_default().push(value.clone());
                    }
                });
            }
        }
        rounding
    }

    /// For each element of a value a bound on the rounding error of f32 arithmetic.
    pub(super) fn in_f32(&self, id: u32) -> Vec<f64> {
        bounds(&self.in_f32[&id], f32::MIN_POSITIVE.into())
    }

    /// The same of f64 arithmetic.
    pub(super) fn in_f64(&self, id: u32) -> Vec<f64> {
        bounds(&self.in_f64[&id], f64::MIN_POSITIVE)
    }

    /// The rounding error of the weighted sum of a value's elements in f64.
    pub(super) fn noise(&self, replay: &Replay<'_>, id: u32, weights: &[f64]) -> f64 {
        let base = replay.base(id).data();
        let deviation = |sample: &Array| -> f64 {
            let terms = sample.data().iter().zip(base).zip(weights);
            terms.map(|((x, base), weight)| (x - base) * weight).sum::<f64>().abs()
        };
        let largest = self.outputs[&id].iter().map(deviation).fold(0.0, f64::max);
        SAFETY * largest + 4.0 * f64::EPSILON * magnitude(base, weights)
    }
}

/// The sum of the sizes of weighted elements.
pub(super) fn magnitude(values: &[f64], weights: &[f64]) -> f64 {
    values.iter().zip(weights).map(|(y, weight)| (y * weight).abs()).sum()
}

fn deviate(largest: &mut Vec<f64>, sample: &Array, base: &Array) {
    largest.resize(base.data().len(), 0.0);
    for ((largest, &x), &base) in largest.iter_mut().zip(sample.data()).zip(base.data()) {
        // Equal infinities are not off; what is finite in one alone may be anything.
        let off = if x == base { 0.0 } else { (x - base).abs() };
        *largest = if off.is_nan() { f64::INFINITY } else { largest.max(off) };
    }
}

/// A few samples may all be close by chance, so an element's bound is at least that of a middling one.
fn bounds(deviations: &[f64], least: f64) -> Vec<f64> {
    let squares: f64 = deviations.iter().filter(|off| off.is_finite()).map(|off| off * off).sum();
    let middling = (squares / deviations.len().max(1) as f64).sqrt();
    deviations.iter().map(|off| SAFETY * off.max(middling) + least).collect()
}
