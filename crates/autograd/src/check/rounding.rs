//! What rounding explains: how far f32 arithmetic that is as good as the operations state may be from f64.

use crate::{op::reference::Array, replay::Replay};
use gradus_tensor::Rng;

/// How often the replay is run with random errors.
const SAMPLES: usize = 4;
/// How many times the largest deviation seen in the samples another one may be.
const SAFETY: f64 = 6.0;

/// The deviations of a replay whose every step is off by a random error within its stated precision (the idea of J.
/// Vignes, "A stochastic arithmetic for reliable scientific computation", 1993).
pub(super) struct Rounding {
    samples: Vec<Vec<Array>>,
}

impl Rounding {
    pub(super) fn of(replay: &Replay<'_>, seed: u64) -> Rounding {
        let mut rng = Rng::seed(seed);
        Rounding { samples: (0..SAMPLES).map(|_| replay.rounded(&mut rng)).collect() }
    }

    /// For each element of a value a bound on the rounding error of f32 arithmetic.
    ///
    /// A few samples may all be close by chance, so an element's bound is at least that of a middling one.
    pub(super) fn bounds(&self, replay: &Replay<'_>, id: u32) -> Vec<f64> {
        let base = replay.base(id).data();
        let mut bounds = vec![0.0f64; base.len()];
        for sample in &self.samples {
            for ((bound, x), base) in bounds.iter_mut().zip(sample[id as usize].data()).zip(base) {
                *bound = bound.max((x - base).abs());
            }
        }
        let squares: f64 = bounds.iter().map(|b| b * b).sum();
        let middling = (squares / bounds.len().max(1) as f64).sqrt();
        bounds.iter().map(|b| SAFETY * b.max(middling) + f64::from(f32::MIN_POSITIVE)).collect()
    }

    /// The rounding error of the weighted sum of a value's elements in f64: that of f32, made smaller in proportion.
    pub(super) fn noise(&self, replay: &Replay<'_>, id: u32, weights: &[f64]) -> f64 {
        let base = replay.base(id).data();
        let deviation = |sample: &Vec<Array>| -> f64 {
            let terms = sample[id as usize].data().iter().zip(base).zip(weights);
            terms.map(|((x, base), weight)| (x - base) * weight).sum::<f64>().abs()
        };
        let largest = self.samples.iter().map(deviation).fold(0.0, f64::max);
        let magnitude: f64 = base.iter().zip(weights).map(|(y, weight)| (y * weight).abs()).sum();
        SAFETY * largest * (f64::EPSILON / f64::from(f32::EPSILON)) + 4.0 * f64::EPSILON * magnitude
    }
}
