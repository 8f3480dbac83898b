//! Normalisation: inputs with mean 0 and variance 1.

use gradus_tensor::Tensor;

/// `(x - mean) / std` with the statistics of the training inputs, which the validation and test inputs are normalised
/// with too.
///
/// ```
/// use gradus_nn::data::{Normalize, digits};
/// use gradus_tensor::Rng;
///
/// let (train, test) = digits::load().split(1500, &mut Rng::seed(0));
/// let normalize = Normalize::channels(train.inputs());
/// let train = train.map_inputs(|images| normalize.apply(&images));
/// let test = test.map_inputs(|images| normalize.apply(&images));
/// assert!(train.inputs().mean().item().abs() < 1e-5 && test.inputs().mean().item().abs() < 0.1);
/// ```
#[derive(Clone, Debug)]
pub struct Normalize {
    /// As it broadcasts to the inputs.
    mean: Tensor,
    std: Tensor,
}

impl Normalize {
    /// Each feature of `[n, ...]` by itself, over the examples.
    ///
    /// # Panics
    /// When there are no examples.
    #[track_caller]
    pub fn features(inputs: &Tensor) -> Normalize {
        Normalize::over(inputs, &[0])
    }

    /// Each channel of `[n, c, ...]` by itself, over the examples and all positions.
    ///
    /// # Panics
    /// When there are no examples, or there is no axis of channels.
    #[track_caller]
    pub fn channels(inputs: &Tensor) -> Normalize {
        assert!(
            inputs.rank() >= 2,
            "normalize: {} has no axis of channels: it must be [n, c, ...]",
            inputs.shape()
        );
        let axes: Vec<isize> = (0..inputs.rank() as isize).filter(|&axis| axis != 1).collect();
        Normalize::over(inputs, &axes)
    }

    #[track_caller]
    fn over(inputs: &Tensor, axes: &[isize]) -> Normalize {
        assert!(
            !inputs.is_empty(),
            "normalize: inputs {} have no statistics: there must be an example at least",
            inputs.shape()
        );
        let std = inputs.std_axes(axes, 0, true);
        // What never changes becomes 0 and not NaN: a pixel at the edge of every image.
        let std = std.map(|std| if std == 0.0 { 1.0 } else { std });
        Normalize { mean: inputs.mean_axes(axes, true), std }
    }

    /// Normalized inputs.
    ///
    /// # Panics
    /// When their features or channels are not those of the inputs that the statistics are from.
    #[track_caller]
    pub fn apply(&self, inputs: &Tensor) -> Tensor {
        (inputs - &self.mean) / &self.std
    }

    /// The inverse of [`Normalize::apply`]: for showing what was normalised.
    ///
    /// # Panics
    /// As [`Normalize::apply`] does.
    #[track_caller]
    pub fn undo(&self, inputs: &Tensor) -> Tensor {
        inputs * &self.std + &self.mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_tensor::Rng;

    fn moments(values: &[f32]) -> [f64; 2] {
        let n = values.len() as f64;
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        [mean, values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n]
    }

    #[test]
    fn every_channel_or_feature_gets_mean_0_and_variance_1() {
        let scale = Tensor::from([1.0, 50.0, 0.01]).reshape([3, 1]);
        let x = (Tensor::randn([40, 3, 5], &mut Rng::seed(1)) + 3.0) * scale;
        let channels = Normalize::channels(&x).apply(&x);
        for channel in 0..3 {
            let [mean, variance] = moments(&channels.slice(1, channel..channel + 1).to_vec());
            assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-5, "{mean} {variance}");
        }
        let normalize = Normalize::features(&x);
        let features = normalize.apply(&x);
        for channel in 0..3 {
            for position in 0..5 {
                let one = features.slice(1, channel..channel + 1).slice(2, position..position + 1);
                let [mean, variance] = moments(&one.to_vec());
                assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-5, "{mean} {variance}");
            }
        }
        for (back, x) in normalize.undo(&features).iter().zip(x.iter()) {
            assert!((back - x).abs() <= 4.0 * f32::EPSILON * (x.abs() + 3.0 * 50.0), "{back} {x}");
        }
    }

    #[test]
    fn what_never_changes_becomes_0() {
        let x = Tensor::from([[1.0, 7.0], [3.0, 7.0]]);
        assert_eq!(Normalize::features(&x).apply(&x), Tensor::from([[-1.0, 0.0], [1.0, 0.0]]));
    }
}
