//! Sums of squares and of deviations in f64, for what f32 does not hold: squares of numbers beyond 1e±19, and deviations
//! from a mean so far away that its rounding shows among them.

/// Sums of squares below this lose bits to underflow, 2^-80.
const LEAST: f32 = 1.0 / (1u128 << 80) as f32;
/// The square of how many standard deviations the mean may be away from 0: up to there its rounding stays among the last
/// bits of the deviations. What is added to the variance makes no deviation larger, and so does not count: a gradient by a
/// weight may be a sum of deviations alone.
const FAR: f32 = 256.0;

/// Whether a sum of squares in f32 can be relied on. The sum is 0 where all elements are 0 too: what is not sure may be right.
#[inline(always)]
pub(crate) fn is_sure(squares: f32) -> bool {
    (LEAST..=f32::MAX).contains(&squares)
}

/// Whether a variance in f32 about a mean in f32 can be relied on; `eps` is what will be added to it.
#[inline(always)]
pub(crate) fn is_sure_about(mean: f32, variance: f32, eps: f32) -> bool {
    is_sure(variance + eps) & (mean * mean <= FAR * variance)
}

/// The sum of `f` of each element. Side by side, so that the processor does not wait for each addition.
#[inline(always)]
pub(crate) fn sum_of(x: &[f32], f: impl Fn(f64) -> f64) -> f64 {
    let mut sums = [0.0; 8];
    let (eights, rest) = x.as_chunks::<8>();
    for eight in eights {
        for k in 0..8 {
            sums[k] += f(eight[k].into());
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|&x| f(x.into())).sum::<f64>()
}

/// The mean, and the sum of the squared deviations from it, which is exactly 0 where all elements are equal.
#[inline(always)]
pub(crate) fn moments(x: &[f32]) -> [f64; 2] {
    let mean = sum_of(x, |x| x) / x.len() as f64;
    [mean, sum_of(x, |x| (x - mean) * (x - mean))]
}
