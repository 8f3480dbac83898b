//! The random generator: seeded, one stream for all platforms and versions, and a state that can be saved.

use rand::{Rng as _, SeedableRng, rngs::ChaCha8Rng};

/// A seeded random generator (ChaCha with 8 rounds).
///
/// One seed gives one stream of values, on every platform and in every version of this crate: only integer
/// arithmetic and IEEE additions, multiplications, divisions and square roots are used.
///
/// ```
/// # use gradus_tensor::Rng;
/// let mut rng = Rng::seed(7);
/// let _ = rng.normal();
/// let mut copy = Rng::restore(rng.state());
/// assert_eq!(rng.normal(), copy.normal());
/// ```
#[derive(Debug)]
pub struct Rng {
    seed: u64,
    generator: ChaCha8Rng,
}

/// Where a generator stands: what to save with a training run that is to go on bit for bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RngState {
    /// The seed that it started from.
    pub seed: u64,
    /// The number of 32-bit words drawn since.
    pub position: u64,
}

impl Clone for Rng {
    fn clone(&self) -> Rng {
        Rng::restore(self.state())
    }
}

impl Rng {
    /// The generator of this seed, at its start.
    #[doc(alias = "manual_seed")]
    pub fn seed(seed: u64) -> Rng {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Rng { seed, generator: ChaCha8Rng::from_seed(key) }
    }

    /// Where this generator stands.
    pub fn state(&self) -> RngState {
        RngState { seed: self.seed, position: self.generator.get_word_pos() as u64 }
    }

    /// A generator that goes on from a saved state.
    pub fn restore(state: RngState) -> Rng {
        let mut rng = Rng::seed(state.seed);
        rng.generator.set_word_pos(state.position.into());
        rng
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// Panics when there is no value to draw from `low <= x < high`.
    #[track_caller]
    pub(crate) fn check_range(low: f32, high: f32) {
        assert!(low < high && (high - low).is_finite(), "uniform: no values in {low} <= x < {high}");
    }

    /// A value drawn uniformly from `low <= x < high`.
    ///
    /// # Panics
    /// When the range is empty or not finite.
    #[track_caller]
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        Rng::check_range(low, high);
        loop {
            let unit = (self.generator.next_u32() >> 8) as f32 / (1 << 24) as f32;
            let x = low + (high - low) * unit;
            // Rounding can reach the excluded end.
            if x < high {
                return x;
            }
        }
    }

    /// A value drawn from the normal distribution with mean 0 and standard deviation 1.
    pub fn normal(&mut self) -> f32 {
        // The middle of one of 2^53 equal steps: never 0 or 1.
        let p = ((self.bits() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        normal_quantile(p) as f32
    }

    /// An integer drawn uniformly from `0..n`.
    ///
    /// # Panics
    /// When `n` is 0.
    #[track_caller]
    pub fn below(&mut self, n: usize) -> usize {
        assert!(n > 0, "below: there is no integer in 0..0");
        let n = n as u64;
        // Draws past the last whole multiple of n would favour small results.
        let limit = u64::MAX - (u64::MAX % n + 1) % n;
        loop {
            let bits = self.bits();
            if bits <= limit {
                return (bits % n) as usize;
            }
        }
    }

    /// Puts the items in random order; every order is equally likely.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// The x below which a normally distributed value lies with probability p, 0 < p < 1: P. J. Acklam's rational
/// approximation, whose relative error of 1.2e-9 is far below an f32's rounding.
fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e1,
        2.209460984245205e2,
        -2.759285104469687e2,
        1.38357751867269e2,
        -3.066479806614716e1,
        2.506628277459239,
    ];
    const B: [f64; 6] = [
        -5.447609879822406e1,
        1.615858368580409e2,
        -1.556989798598866e2,
        6.680131188771972e1,
        -1.328068155288572e1,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784894002430293e-3,
        -3.223964580411365e-1,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const D: [f64; 5] =
        [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1.0];
    const TAIL: f64 = 0.02425;
    let polynomial = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    if p < TAIL {
        let q = (-2.0 * ln(p)).sqrt();
        polynomial(&C, q) / polynomial(&D, q)
    } else if p > 1.0 - TAIL {
        -normal_quantile(1.0 - p)
    } else {
        let q = p - 0.5;
        q * polynomial(&A, q * q) / polynomial(&B, q * q)
    }
}

/// The natural logarithm of a normal positive number, to about 1e-13. The standard library's comes from the system,
/// and its last bit differs between systems.
fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = (bits >> 52) as i64 - 1023;
    let mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    // ln m = 2 artanh s with s = (m - 1) / (m + 1), at most 1/3.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let series = (0..14).rev().fold(0.0, |sum, k| sum * s * s + 1.0 / (2 * k + 1) as f64);
    2.0 * s * series + exponent as f64 * std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_agrees_with_the_systems() {
        for i in 1..4000 {
            let x = (i as f64 * 0.37).powi(3) * 1e-6;
            assert!((ln(x) - x.ln()).abs() <= 2e-13 * x.ln().abs().max(1.0), "{x}");
        }
    }

    #[test]
    fn quantiles_match_published_values() {
        // From tables of the normal distribution.
        for (p, x) in
            [(0.5, 0.0), (0.975, 1.959963984540054), (0.01, -2.326347874040841), (1e-9, -5.997807015007687)]
        {
            let q: f64 = normal_quantile(p);
            assert!((q - x).abs() <= 1.2e-9 * x.abs().max(1e-3), "{p}: {q}");
        }
    }

    #[test]
    fn normal_values_have_the_moments_of_the_distribution() {
        let mut rng = Rng::seed(1);
        let n = 200_000;
        let sample: Vec<f64> = (0..n).map(|_| rng.normal() as f64).collect();
        let moment = |k: i32| sample.iter().map(|x| x.powi(k)).sum::<f64>() / n as f64;
        // Four standard errors each.
        assert!(moment(1).abs() < 4.0 / (n as f64).sqrt());
        assert!((moment(2) - 1.0).abs() < 4.0 * (2.0 / n as f64).sqrt());
        assert!((moment(4) - 3.0).abs() < 4.0 * (96.0 / n as f64).sqrt());
    }

    #[test]
    fn integers_are_uniform_and_in_range() {
        let mut rng = Rng::seed(2);
        let mut counts = [0i32; 7];
        (0..70_000).for_each(|_| counts[rng.below(7)] += 1);
        assert!(counts.iter().all(|&c| (c - 10_000).abs() < 400), "{counts:?}");
    }

    #[test]
    fn the_stream_is_pinned() {
        // ChaCha8 with the all-zero key begins 3e00ef2f 895f40d6 (the published test vector, little-endian words).
        let mut rng = Rng::seed(0);
        assert_eq!(rng.bits(), 0xd640_5f89_2fef_003e);
        assert_eq!(rng.state(), RngState { seed: 0, position: 2 });
    }

    #[test]
    fn a_restored_generator_goes_on() {
        let mut rng = Rng::seed(9);
        (0..37).for_each(|_| _ = rng.uniform(0.0, 1.0));
        let mut copy = Rng::restore(rng.state());
        assert!((0..100).all(|_| rng.bits() == copy.bits()));
    }

    #[test]
    fn a_shuffle_keeps_every_item() {
        let mut items: Vec<usize> = (0..100).collect();
        Rng::seed(3).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
