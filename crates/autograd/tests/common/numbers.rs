//! Numbers for tests: random ones, and expected ones in double precision as golden files hold them, `[2, 3] 1.5 ..`.

use gradus_autograd::prelude::*;

/// Random numbers, the same for the same seed.
pub fn normal<const N: usize>(seed: u64, shape: [usize; N]) -> Tensor {
    Tensor::randn(shape, &mut Rng::seed(seed))
}

pub struct Numbers {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

impl Numbers {
    /// The numbers of a line, or `None` where it has `-`.
    pub fn read(text: &str) -> Option<Numbers> {
        let (shape, values) = text.strip_prefix('[')?.split_once(']')?;
        let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
        Some(Numbers {
            shape: sizes.map(|size| size.parse().unwrap()).collect(),
            values: values.split_whitespace().map(|value| value.parse().unwrap()).collect(),
        })
    }

    pub fn to_tensor(&self) -> Tensor {
        Tensor::new(self.values.iter().map(|&x| x as f32).collect::<Vec<f32>>(), &self.shape)
    }

    /// The largest magnitude, 1 at least.
    pub fn largest(&self) -> f64 {
        self.values.iter().fold(1.0, |largest, x| x.abs().max(largest))
    }

    /// Refuses a tensor that is further away than so many roundings of numbers as large as the largest.
    #[track_caller]
    pub fn check(&self, what: &str, found: &Tensor, roundings: f64) {
        assert_eq!(found.shape()[..], self.shape, "{what}");
        let allowed = roundings * 0.5 * f64::from(f32::EPSILON) * self.largest();
        for (i, (found, expected)) in found.iter().zip(&self.values).enumerate() {
            let off = (f64::from(found) - expected).abs();
            assert!(off <= allowed, "{what}, element {i}: {found} is not {expected}");
        }
    }
}
