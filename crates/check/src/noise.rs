//! How rough a function is: the noise of its values, from their differences.

/// The noise of a function, as [`noise`] found it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// The standard deviation of the values around a smooth function.
    pub level: f64,
    /// Whether the differences are those of noise: of about the same size in several orders, and of both signs. Otherwise
    /// the level is only a bound: the values may be smooth at this spacing, or bend too much for it.
    pub detected: bool,
}

/// The noise of values of a function at equally spaced points, by the size of their differences of growing order (J. J.
/// Moré and S. M. Wild, "Estimating computational noise", 2011, algorithm ECnoise): the differences of what is smooth
/// vanish, those of noise stay.
///
/// Seven to nine values are enough. The spacing decides what counts as rough: what wiggles between the points.
///
/// ```
/// use gradus_check::noise;
///
/// // A sum in f32 has the noise of f32.
/// let values: Vec<f64> = (1..=9).map(|k| 1.0 + 1e-3 * f64::from(k)).map(|x| f64::from(x.sin() as f32)).collect();
/// let noise = noise(&values);
/// assert!(noise.detected && (1e-9..6e-8).contains(&noise.level), "{noise:?}");
/// ```
pub fn noise(values: &[f64]) -> Noise {
    let most = values.len().saturating_sub(3).min(6);
    let mut differences = values.to_vec();
    let (mut levels, mut signs) = (Vec::new(), Vec::new());
    // The expected square of a difference of order k is that of the noise by (2k)! / (k!)².
    let mut gamma = 1.0;
    for order in 1..=most {
        differences = differences.windows(2).map(|pair| pair[1] - pair[0]).collect();
        gamma *= 0.5 * order as f64 / (2.0 * order as f64 - 1.0);
        let squares: f64 = differences.iter().map(|d| d * d).sum();
        levels.push((gamma * squares / differences.len() as f64).sqrt());
        signs.push(differences.iter().any(|&d| d > 0.0) && differences.iter().any(|&d| d < 0.0));
    }
    let settled = (0..levels.len().saturating_sub(2)).find(|&k| {
        let three = &levels[k..k + 3];
        let (low, high) = three.iter().fold((f64::INFINITY, 0.0f64), |(l, h), &x| (l.min(x), h.max(x)));
        high <= 4.0 * low && high > 0.0 && signs[k]
    });
    match settled {
        // A level from few differences may be small by chance: the largest of those that agree is taken.
        Some(k) => Noise { level: levels[k].max(levels[k + 1]).max(levels[k + 2]), detected: true },
        None => {
            let pairs = levels.windows(2).map(|pair| pair[0].max(pair[1]));
            Noise { level: pairs.fold(f64::NAN, f64::min), detected: false }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_of_known_size_is_found() {
        let mut state = 1u64;
        let mut uniform = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f64 / (1u64 << 24) as f64 - 0.5
        };
        for size in [1e-3, 1e-8, 1e-12] {
            for _ in 0..50 {
                let values: Vec<f64> = (0..9)
                    .map(|k| (1.0 + 1e-4 * f64::from(k)).exp() + size * 12f64.sqrt() * uniform())
                    .collect();
                let found = noise(&values);
                assert!((0.1 * size..3.0 * size).contains(&found.level), "{size}: {found:?}");
            }
        }
    }

    #[test]
    fn smooth_values_have_the_noise_of_rounding() {
        let values: Vec<f64> = (0..9).map(|k| (1.0 + 1e-4 * f64::from(k)).exp()).collect();
        assert!(noise(&values).level < 1e-15);
        assert_eq!(noise(&[1.0; 9]).level, 0.0);
    }
}
