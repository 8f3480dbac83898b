//! Learning curves read: is it learning, over-fitting, stuck?

/// Where a curve is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trend {
    /// Down.
    Falling,
    /// Nowhere.
    Flat,
    /// Up, or to NaN.
    Rising,
}

/// A change over the window that is less than this share of the curve's mean size is none.
const FLAT: f64 = 0.05;

impl Trend {
    /// The trend of the last half of a curve, by the least-squares line through it: flat when that changes by less than a
    /// twentieth of the values' mean size.
    ///
    /// # Panics
    /// When the curve has fewer than 4 points.
    #[track_caller]
    pub fn of(curve: &[f64]) -> Trend {
        assert!(curve.len() >= 4, "trend: a curve of {} points shows none; 4 are needed", curve.len());
        let half = &curve[curve.len() / 2..];
        let n = half.len() as f64;
        let (middle, mean) = ((n - 1.0) / 2.0, half.iter().sum::<f64>() / n);
        let offsets = || (0..half.len()).map(|i| i as f64 - middle);
        let slope = offsets().zip(half).map(|(t, y)| t * (y - mean)).sum::<f64>()
            / offsets().map(|t| t * t).sum::<f64>();
        let change = slope * (n - 1.0);
        let size = half.iter().map(|y| y.abs()).sum::<f64>() / n;
        if change.abs() <= FLAT * size {
            Trend::Flat
        } else if change < 0.0 {
            Trend::Falling
        } else {
            Trend::Rising
        }
    }
}

/// What the losses on training and validation examples say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Diagnosis {
    /// Both fall.
    Learning,
    /// The training loss falls, the validation loss does not: it begins to over-fit, or the data are uneven.
    MaybeOverfitting,
    /// The training loss falls or stands, the validation loss rises.
    Overfitting,
    /// The training loss stands and the validation loss falls: something is wrong with the data sets.
    DataProblem,
    /// Neither moves.
    Bottleneck,
    /// The training loss rises.
    StructureProblem,
}

impl Diagnosis {
    /// What to do, in a sentence.
    pub fn advice(self) -> &'static str {
        match self {
            Diagnosis::Learning => "go on",
            Diagnosis::MaybeOverfitting => {
                "look whether the training examples are as varied as the validation examples, and prepare to regularise"
            }
            Diagnosis::Overfitting => "stop early; use weight decay, dropout, more data or a smaller model",
            Diagnosis::DataProblem => "look at the data sets: their labels, and how they were split",
            Diagnosis::Bottleneck => {
                "lower the learning rate or the batch size, take another optimizer, or change the model"
            }
            Diagnosis::StructureProblem => {
                "look for a mistake in the model, in the loss or in the data, and lower the learning rate"
            }
        }
    }
}

/// Reads the losses of all epochs so far on training and on validation examples.
///
/// ```
/// use gradus_nn::train::{Diagnosis, diagnose_loss};
///
/// let train: Vec<f64> = (0..20).map(|epoch| 0.9f64.powi(epoch)).collect();
/// let validation: Vec<f64> = (0..20).map(|epoch| 1.0 + 0.001 * f64::from(epoch - 6).powi(2)).collect();
/// assert_eq!(diagnose_loss(&train, &validation), Diagnosis::Overfitting);
/// ```
///
/// # Panics
/// When one has fewer than 4 points.
#[track_caller]
pub fn diagnose_loss(train: &[f64], validation: &[f64]) -> Diagnosis {
    use Trend::*;
    match (Trend::of(train), Trend::of(validation)) {
        (Falling, Falling) => Diagnosis::Learning,
        (Falling, Flat) => Diagnosis::MaybeOverfitting,
        (Falling | Flat, Rising) => Diagnosis::Overfitting,
        (Flat, Falling) => Diagnosis::DataProblem,
        (Flat, Flat) => Diagnosis::Bottleneck,
        (Rising, _) => Diagnosis::StructureProblem,
    }
}

/// What the accuracies on training and on test or validation examples say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Both are as high as they should be.
    Good,
    /// High on the training examples, lower on others: variance.
    Overfitting,
    /// Low on the training examples already: bias.
    Underfitting,
}

/// Reads two accuracies, given the one that is thought to be within reach, and the gap between the two that is accepted.
///
/// ```
/// use gradus_nn::train::{Fit, diagnose_accuracy};
///
/// assert_eq!(diagnose_accuracy(1.0, 0.78, 0.95, 0.05), Fit::Overfitting);
/// assert_eq!(diagnose_accuracy(0.6, 0.58, 0.95, 0.05), Fit::Underfitting);
/// ```
pub fn diagnose_accuracy(train: f64, test: f64, good: f64, gap: f64) -> Fit {
    if train < good {
        Fit::Underfitting
    } else if train - test > gap {
        Fit::Overfitting
    } else {
        Fit::Good
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_tensor::Rng;

    /// 30 epochs with a hundredth of noise.
    fn curve(seed: u64, f: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut rng = Rng::seed(seed);
        (0..30).map(|epoch| f(f64::from(epoch)) * (1.0 + 0.01 * f64::from(rng.normal()))).collect()
    }

    #[test]
    fn all_six_rules_of_losses_are_told_apart() {
        let falling = |seed| curve(seed, |t| 0.1 + (-t / 12.0).exp());
        let flat = |seed| curve(seed, |_| 2.3);
        let rising = |seed| curve(seed, |t| 0.5 + 0.02 * t);
        let first_down_then_up = |seed| curve(seed, |t| 0.5 + 0.001 * (t - 10.0).powi(2));
        for seed in 0..20 {
            let other = seed + 100;
            let cases = [
                (falling(seed), falling(other), Diagnosis::Learning),
                (falling(seed), flat(other), Diagnosis::MaybeOverfitting),
                (falling(seed), first_down_then_up(other), Diagnosis::Overfitting),
                (flat(seed), falling(other), Diagnosis::DataProblem),
                (flat(seed), flat(other), Diagnosis::Bottleneck),
                (rising(seed), rising(other), Diagnosis::StructureProblem),
            ];
            for (train, validation, expected) in cases {
                assert_eq!(diagnose_loss(&train, &validation), expected, "seed {seed}");
            }
        }
    }

    #[test]
    fn curves_that_end_in_nan_rise() {
        let mut curve = vec![1.0; 10];
        curve[9] = f64::NAN;
        assert_eq!(Trend::of(&curve), Trend::Rising);
        assert_eq!(Trend::of(&[0.0; 6]), Trend::Flat);
    }

    #[test]
    fn accuracies_are_good_or_too_far_apart_or_too_low() {
        assert_eq!(diagnose_accuracy(0.99, 0.97, 0.95, 0.05), Fit::Good);
        assert_eq!(diagnose_accuracy(0.99, 0.80, 0.95, 0.05), Fit::Overfitting);
        assert_eq!(diagnose_accuracy(0.70, 0.69, 0.95, 0.05), Fit::Underfitting);
    }

    #[test]
    #[should_panic = "trend: a curve of 3 points shows none"]
    fn short_curves_panic() {
        Trend::of(&[1.0, 2.0, 3.0]);
    }
}
