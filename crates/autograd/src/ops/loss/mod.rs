//! Losses: what training makes small. All but the cross-entropy of labels are formulas of other operations.

mod cross_entropy;

pub use cross_entropy::{CrossEntropy, CrossEntropyOptions, Reduction};

use crate::{
    ops::{
        elementwise::{Activations, Elementwise},
        indexing::Indexing,
        normalize::Normalize,
        pairs::Pairs,
        reduce::Reduce,
    },
    value::{Value, c},
};
use gradus_tensor::{Indices, ShapeError};

/// Losses, as methods of what the model predicts. Each gives a scalar.
pub trait Loss: Value {
    /// The mean of squared errors.
    ///
    /// `y = Σ (x - t)² / n` over all n elements
    ///
    /// # Panics
    /// When the shapes differ: nothing broadcasts.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var([1.0, 4.0]);
    /// let loss = x.mse_loss(&tape.constant([1.0, 2.0]));
    /// assert_eq!(loss.item(), 2.0);
    /// assert_eq!(loss.backward()[x].to_vec(), [0.0, 2.0]);
    /// ```
    #[track_caller]
    fn mse_loss(&self, target: &Self) -> Self {
        same_shape("mse_loss", self, target);
        (self - target).square().mean()
    }

    /// The cross-entropy between the softmax of these logits, `[n, classes]` or `[n, classes, ..]`, and labels, `[n]`
    /// or `[n, ..]`: the mean over the rows.
    ///
    /// `y = -Σ ln softmax(x)[label] / n; dx = g (softmax(x) - onehot(label)) / n`
    ///
    /// It neither overflows nor takes the logarithm of 0. Without rows it is NaN.
    ///
    /// # Panics
    /// When the shapes do not fit or a label is not one of the classes.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let logits = tape.var([[0.0, 0.0], [1000.0, 0.0]]);
    /// let loss = logits.cross_entropy(&Indices::from([0, 0]));
    /// assert!((loss.item() - 0.5 * 2f32.ln()).abs() < 1e-6);
    /// assert_eq!(loss.backward()[logits].to_vec(), [-0.25, 0.25, 0.0, 0.0]);
    /// ```
    #[track_caller]
    fn cross_entropy(&self, labels: &Indices) -> Self {
        self.cross_entropy_with(labels, CrossEntropyOptions::default())
    }

    /// [`cross_entropy`](Loss::cross_entropy) with smoothed labels, an ignored label, class weights, or a sum instead
    /// of the mean.
    ///
    /// With smoothing ε the target of a row is `1 - ε` at the label plus `ε / classes` at every class. With class
    /// weights w each class's share is multiplied by its weight, and the mean is divided by `Σ w[label]`. If every row
    /// is ignored the mean is NaN and the gradient 0.
    ///
    /// # Panics
    /// As `cross_entropy`; when the weights do not fit the classes, or ε is not between 0 and 1.
    ///
    /// ```
    /// use gradus_autograd::{ops::loss::CrossEntropyOptions, prelude::*};
    /// let tape = Tape::new();
    /// let logits = tape.var([[2.0, 1.0], [f32::NAN, 0.0]]);
    /// let options = CrossEntropyOptions { ignore_index: Some(-1), ..Default::default() };
    /// let loss = logits.cross_entropy_with(&Indices::from([0, -1]), options);
    /// assert_eq!(loss.backward()[logits].get([1, 0]), 0.0);
    /// ```
    #[track_caller]
    fn cross_entropy_with(&self, labels: &Indices, options: CrossEntropyOptions) -> Self {
        Self::apply(CrossEntropy { labels: labels.clone(), options }, &[self])
    }

    /// The cross-entropy between the softmax of these logits and target probabilities of the same shape
    /// `[n, classes, ..]`, one-hot or soft: the mean over the rows.
    ///
    /// `y = -Σ t ln softmax(x) / n; dx = g (softmax(x) Σ t - t) / n`
    ///
    /// # Panics
    /// When the shapes differ or have less than two axes.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let logits = Tensor::from([[0.6f32.ln(), 0.4f32.ln()]]);
    /// let loss = logits.soft_cross_entropy(&Tensor::from([[1.0, 0.0]]));
    /// assert!((loss.item() - 0.5108256).abs() < 1e-6);
    /// ```
    #[track_caller]
    fn soft_cross_entropy(&self, targets: &Self) -> Self {
        let shape = same_shape("soft_cross_entropy", self, targets);
        if shape[..].len() < 2 {
            ShapeError::new(format!(
                "soft_cross_entropy: the logits must have shape [n, classes, ..], not {shape}"
            ))
            .fail()
        }
        let rows = shape.remove(1).len();
        // Strong: a class of probability 0 counts for nothing, also where its logarithm is -inf.
        -targets.strong_mul(&self.log_softmax(1)).sum() / rows as f32
    }

    /// The negative log-likelihood of labels, `[n]` or `[n, ..]`, under log-probabilities, `[n, classes]` or
    /// `[n, classes, ..]`: the mean over the rows. After [`log_softmax`](Normalize::log_softmax) along axis 1 it is
    /// the [`cross_entropy`](Loss::cross_entropy).
    ///
    /// `y = -Σ x[label] / n; dx = -g / n` at the labels, 0 elsewhere
    ///
    /// # Panics
    /// When the shapes do not fit or a label is not one of the classes.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let log_p = Tensor::from([[-0.5, -1.0], [-2.0, -0.25]]);
    /// assert_eq!(log_p.nll_loss(&Indices::from([0, 1])).item(), 0.375);
    /// ```
    #[track_caller]
    fn nll_loss(&self, labels: &Indices) -> Self {
        let shape = self.shape();
        if shape[..].len() < 2 || shape.remove(1) != *labels.shape() {
            ShapeError::new(format!(
                "nll_loss: log-probabilities {shape} and labels {} do not fit: they must be [n, classes, ..] and [n, ..]",
                labels.shape()
            ))
            .fail()
        }
        -self.gather(1, &labels.reshape(shape.with(1, 1))).mean()
    }

    /// The cross-entropy between the sigmoid of these logits and targets between 0 and 1: the mean over all elements.
    ///
    /// `y = Σ (t softplus(-x) + (1 - t) softplus(x)) / n; dx = g (sigmoid(x) - t) / n`
    ///
    /// In this form nothing overflows or cancels, whatever the logits.
    ///
    /// # Panics
    /// When the shapes differ.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let logits = Tensor::from([1000.0, -1000.0]);
    /// assert_eq!(logits.binary_cross_entropy_with_logits(&Tensor::from([1.0, 0.0])).item(), 0.0);
    /// assert_eq!(logits.binary_cross_entropy_with_logits(&Tensor::from([0.0, 1.0])).item(), 1000.0);
    /// ```
    #[track_caller]
    fn binary_cross_entropy_with_logits(&self, targets: &Self) -> Self {
        same_shape("binary_cross_entropy_with_logits", self, targets);
        let if_true = targets.strong_mul(&(-self).softplus());
        let if_false = (c(1.0) - targets.clone()).strong_mul(&self.softplus());
        (if_true + if_false).mean()
    }

    /// The cross-entropy between probabilities and targets between 0 and 1: the mean over all elements.
    ///
    /// `y = -Σ (t ln x + (1 - t) ln(1 - x)) / n; dx = g ((1 - t)/(1 - x) - t/x) / n`
    ///
    /// A probability of 0 or 1 that the target shares adds 0; one that it excludes makes the loss infinite. Prefer
    /// [`binary_cross_entropy_with_logits`](Loss::binary_cross_entropy_with_logits) to a sigmoid and this.
    ///
    /// # Panics
    /// When the shapes differ.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let loss = Tensor::from([0.5, 1.0]).binary_cross_entropy(&Tensor::from([1.0, 1.0]));
    /// assert!((loss.item() - 0.5 * 2f32.ln()).abs() < 1e-6);
    /// ```
    #[track_caller]
    fn binary_cross_entropy(&self, targets: &Self) -> Self {
        same_shape("binary_cross_entropy", self, targets);
        let if_true = targets.strong_mul(&self.log());
        let if_false = (c(1.0) - targets.clone()).strong_mul(&(-self).log1p());
        -(if_true + if_false).mean()
    }
}

impl<V: Value> Loss for V {}

/// The shape that a prediction and its target have in common.
#[track_caller]
fn same_shape<V: Value>(op: &str, x: &V, target: &V) -> gradus_tensor::Shape {
    let shape = x.shape();
    if shape != target.shape() {
        ShapeError::new(format!(
            "{op}: the prediction has shape {shape}, the target {}: they must be equal",
            target.shape()
        ))
        .fail()
    }
    shape
}
