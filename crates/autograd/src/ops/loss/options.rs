//! What distinguishes the uses of a loss, with PyTorch's names and defaults. Where only the reduction differs, a [`Reduction`]
//! will do in the place of the options.

use super::Reduction;
use gradus_tensor::Tensor;

/// Variants of the cross-entropy, as in PyTorch's `CrossEntropyLoss`.
#[derive(Clone, Debug, Default)]
pub struct CrossEntropyOptions {
    /// The share ε of the target that is spread evenly over all classes, the label's own among them; 0 for none.
    pub label_smoothing: f32,
    /// Rows with this label count for nothing, and get a gradient of exactly 0. Soft targets have no labels to ignore.
    pub ignore_index: Option<i32>,
    /// A weight for each class, `[classes]`. A mean is then one weighted by the labels' weights; with soft targets it stays
    /// that over the rows.
    pub class_weights: Option<Tensor>,
    /// How the rows are put together.
    pub reduction: Reduction,
}

/// Variants of the negative log-likelihood, as in PyTorch's `NLLLoss`.
#[derive(Clone, Debug, Default)]
pub struct NllOptions {
    /// Rows with this label count for nothing, and get a gradient of exactly 0.
    pub ignore_index: Option<i32>,
    /// A weight for each class, `[classes]`. A mean is then one weighted by the labels' weights.
    pub class_weights: Option<Tensor>,
    /// How the rows are put together.
    pub reduction: Reduction,
}

/// Variants of the margins between a label's score and the others, as in PyTorch's `MultiMarginLoss`.
#[derive(Clone, Debug)]
pub struct MultiMarginOptions {
    /// The power of what is lacking: 1, or 2 for squares.
    pub p: u32,
    /// By how much the label's score is to lie above each other one.
    pub margin: f32,
    /// A weight for each class, `[classes]`: a row is multiplied by that of its label. A mean stays that over the rows.
    pub class_weights: Option<Tensor>,
    /// How the rows are put together.
    pub reduction: Reduction,
}

impl Default for MultiMarginOptions {
    fn default() -> MultiMarginOptions {
        MultiMarginOptions { p: 1, margin: 1.0, class_weights: None, reduction: Reduction::Mean }
    }
}

/// Variants of the divergence of Kullback and Leibler, as in PyTorch's `KLDivLoss`.
#[derive(Clone, Copy, Debug, Default)]
pub struct KlDivOptions {
    /// Whether the targets are logarithms of probabilities.
    pub log_target: bool,
    /// How the elements are put together.
    pub reduction: Reduction,
}

/// Variants of the likelihood of counts, as in PyTorch's `PoissonNLLLoss`.
#[derive(Clone, Copy, Debug)]
pub struct PoissonNllOptions {
    /// Whether x is the logarithm of the mean, and not the mean itself.
    pub log_input: bool,
    /// Whether what depends on the counts alone is added, as Stirling approximates it: ln t! ≈ t ln t - t + ln(2πt) / 2 for
    /// counts above 1.
    pub full: bool,
    /// What is added to a mean before its logarithm is taken.
    pub eps: f32,
    /// How the elements are put together.
    pub reduction: Reduction,
}

impl Default for PoissonNllOptions {
    fn default() -> PoissonNllOptions {
        PoissonNllOptions { log_input: true, full: false, eps: 1e-8, reduction: Reduction::Mean }
    }
}

/// Variants of the likelihood of normal distributions, as in PyTorch's `GaussianNLLLoss`.
#[derive(Clone, Copy, Debug)]
pub struct GaussianNllOptions {
    /// Whether the constant, ln(2π) / 2, is added.
    pub full: bool,
    /// What variances count as at least.
    pub eps: f32,
    /// How the elements are put together.
    pub reduction: Reduction,
}

impl Default for GaussianNllOptions {
    fn default() -> GaussianNllOptions {
        GaussianNllOptions { full: false, eps: 1e-6, reduction: Reduction::Mean }
    }
}

/// Variants of the margin between distances, as in PyTorch's `TripletMarginLoss`.
#[derive(Clone, Copy, Debug)]
pub struct TripletMarginOptions {
    /// The order of the norm that distances are.
    pub p: f32,
    /// What is added to each difference, to keep equal vectors away from 0.
    pub eps: f32,
    /// Whether the negative example's distance to the positive one counts where it is the smaller one (V. Balntas, E. Riba,
    /// D. Ponsa, K. Mikolajczyk, "Learning local feature descriptors with triplets and shallow convolutional neural
    /// networks", 2016).
    pub swap: bool,
    /// How the vectors are put together.
    pub reduction: Reduction,
}

impl Default for TripletMarginOptions {
    fn default() -> TripletMarginOptions {
        TripletMarginOptions { p: 2.0, eps: 1e-6, swap: false, reduction: Reduction::Mean }
    }
}

/// The usual options with a reduction.
macro_rules! from_reduction {
    ($($Options:ident)*) => {$(
        impl From<Reduction> for $Options {
            fn from(reduction: Reduction) -> $Options {
                $Options { reduction, ..Default::default() }
            }
        }
    )*};
}

from_reduction! {
    CrossEntropyOptions NllOptions MultiMarginOptions KlDivOptions PoissonNllOptions GaussianNllOptions TripletMarginOptions
}
