//! Sampling: the next word or letter of generated text.

use gradus_tensor::{Rng, Tensor};

/// How a class is drawn from scores.
///
/// The scores (logits) are divided by the temperature; then only the `top_k` highest stay, then of these the fewest whose
/// probabilities add up to `top_p` (A. Holtzman and others, 2020); one of them is drawn by its probability.
///
/// ```
/// use gradus_nn::decode::Sampler;
/// use gradus_tensor::{Rng, Tensor};
///
/// let scores = Tensor::from([1.0, 3.0, 2.0]);
/// assert_eq!(Sampler::greedy().draw(&scores, &mut Rng::seed(0)), 1);
/// let sampler = Sampler { temperature: 0.8, top_k: Some(2), ..Sampler::default() };
/// assert_ne!(sampler.draw(&scores, &mut Rng::seed(0)), 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// 1 takes the probabilities as they are; less prefers the likely ones, more evens them out; 0 takes the likeliest.
    pub temperature: f64,
    /// How many of the highest scores stay.
    pub top_k: Option<usize>,
    /// How much of the probability stays, from above 0 to 1.
    pub top_p: Option<f64>,
}

impl Default for Sampler {
    /// The probabilities as they are.
    fn default() -> Sampler {
        Sampler { temperature: 1.0, top_k: None, top_p: None }
    }
}

impl Sampler {
    /// Always the highest score; of equal ones the first.
    pub fn greedy() -> Sampler {
        Sampler { temperature: 0.0, ..Sampler::default() }
    }

    /// The probability with which each class is drawn.
    ///
    /// # Panics
    /// When the scores are not one axis with at least one finite element, or hold NaN or +inf; when the temperature is
    /// negative, `top_k` 0, or `top_p` not in 0 < p <= 1.
    #[track_caller]
    pub fn probabilities(&self, scores: &Tensor) -> Vec<f64> {
        let Sampler { temperature, top_k, top_p } = *self;
        assert!(temperature >= 0.0, "sampler: the temperature is {temperature}; it must be at least 0");
        assert!(top_k != Some(0), "sampler: top_k must be at least 1");
        assert!(
            top_p.is_none_or(|p| p > 0.0 && p <= 1.0),
            "sampler: top_p is {top_p:?}; it must be in 0 < p <= 1"
        );
        let highest = scores.iter().fold(f32::NEG_INFINITY, f32::max);
        assert!(
            scores.rank() == 1 && highest.is_finite() && !scores.iter().any(f32::is_nan),
            "sampler: scores must be one axis of numbers, not {scores:?}"
        );
        // The likeliest first, of equal ones the first.
        let scores = scores.to_vec();
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
        order.truncate(if temperature == 0.0 { 1 } else { top_k.unwrap_or(usize::MAX) });
        // At temperature 0 one is left, whose weight is 1 whatever it is divided by.
        let weight =
            |class: usize| (f64::from(scores[class] - highest) / temperature.max(f64::MIN_POSITIVE)).exp();
        let mut weights: Vec<f64> = order.iter().map(|&class| weight(class)).collect();
        if let Some(p) = top_p {
            let enough = p * weights.iter().sum::<f64>();
            let mut sum = 0.0;
            let before = weights.iter().take_while(|&&weight| {
                let more = sum < enough;
                sum += weight;
                more
            });
            weights.truncate(before.count().max(1));
        }
        let sum: f64 = weights.iter().sum();
        let mut probabilities = vec![0.0; scores.len()];
        order.iter().zip(weights).for_each(|(&class, weight)| probabilities[class] = weight / sum);
        probabilities
    }

    /// Draws a class from its scores.
    ///
    /// # Panics
    /// As [`Sampler::probabilities`].
    #[track_caller]
    pub fn draw(&self, scores: &Tensor, rng: &mut Rng) -> usize {
        let probabilities = self.probabilities(scores);
        let mut left = (rng.bits() >> 11) as f64 / (1u64 << 53) as f64;
        for (class, &probability) in probabilities.iter().enumerate() {
            if left < probability {
                return class;
            }
            left -= probability;
        }
        // Rounding can leave a trace.
        probabilities.iter().rposition(|&p| p > 0.0).expect("probabilities add up to 1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores() -> Tensor {
        // The logarithms of 1, 4, 2, 3 tenths.
        Tensor::from([0.1f32.ln(), 0.4f32.ln(), 0.2f32.ln(), 0.3f32.ln()])
    }

    #[track_caller]
    fn check(sampler: Sampler, expected: [f64; 4]) {
        for (found, expected) in sampler.probabilities(&scores()).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{sampler:?}: {found}, not {expected}");
        }
    }

    #[test]
    fn probabilities_follow_their_definitions() {
        let plain = Sampler::default();
        check(plain, [0.1, 0.4, 0.2, 0.3]);
        // Squares, and roots, made to add up to 1.
        check(Sampler { temperature: 0.5, ..plain }, [1.0 / 30.0, 16.0 / 30.0, 4.0 / 30.0, 9.0 / 30.0]);
        let roots: f64 = [0.1f64, 0.4, 0.2, 0.3].iter().map(|p| p.sqrt()).sum();
        check(Sampler { temperature: 2.0, ..plain }, [0.1f64, 0.4, 0.2, 0.3].map(|p| p.sqrt() / roots));
        check(Sampler { top_k: Some(2), ..plain }, [0.0, 4.0 / 7.0, 0.0, 3.0 / 7.0]);
        check(Sampler { top_k: Some(9), ..plain }, [0.1, 0.4, 0.2, 0.3]);
        check(Sampler { top_p: Some(0.39), ..plain }, [0.0, 1.0, 0.0, 0.0]);
        check(Sampler { top_p: Some(0.6), ..plain }, [0.0, 4.0 / 7.0, 0.0, 3.0 / 7.0]);
        check(Sampler { top_p: Some(0.8), ..plain }, [0.0, 4.0 / 9.0, 2.0 / 9.0, 3.0 / 9.0]);
        check(Sampler { top_p: Some(1.0), ..plain }, [0.1, 0.4, 0.2, 0.3]);
        // Of the two that stay the first has 4/7, more than a half.
        check(Sampler { top_k: Some(2), top_p: Some(0.5), ..plain }, [0.0, 1.0, 0.0, 0.0]);
        check(Sampler::greedy(), [0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn draws_come_as_often_as_their_probabilities_say() {
        let (mut rng, mut counts, n) = (Rng::seed(1), [0.0; 4], 100_000.0);
        (0..n as usize).for_each(|_| counts[Sampler::default().draw(&scores(), &mut rng)] += 1.0);
        for (count, p) in counts.iter().zip([0.1, 0.4, 0.2, 0.3f64]) {
            // Four standard deviations.
            assert!((count - n * p).abs() < 4.0 * (n * p * (1.0 - p)).sqrt(), "{counts:?}");
        }
    }

    #[test]
    fn great_and_masked_scores_are_no_trouble() {
        let scores = Tensor::from([f32::NEG_INFINITY, 1e30, -1e30]);
        let found = Sampler { temperature: 1e-3, ..Sampler::default() }.probabilities(&scores);
        assert_eq!(found, [0.0, 1.0, 0.0]);
        assert_eq!(Sampler::greedy().probabilities(&Tensor::from([2.0, 2.0])), [1.0, 0.0]);
    }

    #[test]
    #[should_panic = "sampler: scores must be one axis of numbers"]
    fn scores_without_a_number_panic() {
        Sampler::default().probabilities(&Tensor::full([3], f32::NEG_INFINITY));
    }
}
