//! Losses of what is said about classes.

use super::{CrossEntropy, CrossEntropyOptions, Reduction, check_labels, check_unit, same_shape};
use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::Indices;

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

/// Losses of what is said about classes, as methods of the logits or logarithms of probabilities. Classes lie on axis 1.
pub trait ClassLoss: Value {
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
    #[doc(alias = "CrossEntropyLoss")]
    #[track_caller]
    fn cross_entropy(&self, labels: &Indices) -> Self {
        self.cross_entropy_with(labels, CrossEntropyOptions::default())
    }

    /// [`cross_entropy`](ClassLoss::cross_entropy) with smoothed labels, an ignored label, class weights, or another
    /// [`Reduction`].
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
        let op = CrossEntropy { labels: labels.clone(), options };
        let mean_over = op.mean_over();
        let loss = Self::apply(op, &[self]);
        if let Some(weight) = mean_over {
            self.place().weigh(weight);
        }
        loss
    }

    /// The cross-entropy between the softmax of these logits and target probabilities of the same shape
    /// `[n, classes, ..]`, one-hot or soft: the mean over the rows.
    ///
    /// `y = -Σ t ln softmax(x) / n; dx = g (softmax(x) Σ t - t) / n`
    ///
    /// A row's targets add up to 1 as a rule; where they do not, the row counts as often as they do.
    ///
    /// # Panics
    /// When the shapes differ or have less than two axes, or a target is not in 0..=1.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let logits = Tensor::from([[0.6f32.ln(), 0.4f32.ln()]]);
    /// let loss = logits.soft_cross_entropy(&Tensor::from([[1.0, 0.0]]));
    /// assert!((loss.item() - 0.5108256).abs() < 1e-6);
    /// ```
    #[track_caller]
    fn soft_cross_entropy(&self, targets: &Self) -> Self {
        self.soft_cross_entropy_with(targets, Reduction::Mean)
    }

    /// [`soft_cross_entropy`](ClassLoss::soft_cross_entropy) with a choice of [`Reduction`] of the rows.
    #[track_caller]
    fn soft_cross_entropy_with(&self, targets: &Self, reduction: Reduction) -> Self {
        let shape = same_shape("soft_cross_entropy", self, targets);
        if shape.rank() < 2 {
            ShapeError::new(format!(
                "soft_cross_entropy: the logits must have shape [n, classes, ..], not {shape}"
            ))
            .fail()
        }
        check_unit("soft_cross_entropy", "targets", targets);
        // Strong: a class of probability 0 counts for nothing, also where its logarithm is -inf.
        reduction.of(-targets.strong_mul(&self.log_softmax(1)).sum_axes(1, false))
    }

    /// The negative log-likelihood of labels, `[n]` or `[n, ..]`, under log-probabilities, `[n, classes]` or
    /// `[n, classes, ..]`: the mean over the rows. After [`log_softmax`](crate::ops::normalize::Normalize::log_softmax) along axis 1 it is
    /// the [`cross_entropy`](ClassLoss::cross_entropy).
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
        self.nll_loss_with(labels, NllOptions::default())
    }

    /// [`nll_loss`](ClassLoss::nll_loss) with an ignored label, class weights, or another [`Reduction`].
    ///
    /// With class weights w each row is multiplied by `w[label]`, and the mean divided by their sum. If every row is
    /// ignored the mean is NaN and the gradient 0.
    ///
    /// # Panics
    /// As `nll_loss`; when the weights do not fit the classes.
    #[track_caller]
    fn nll_loss_with(&self, labels: &Indices, options: NllOptions) -> Self {
        let shape = self.shape();
        if shape.rank() < 2 || shape.remove(1) != *labels.shape() {
            ShapeError::new(format!(
                "nll_loss: log-probabilities {shape} and labels {} do not fit: they must be [n, classes, ..] and [n, ..]",
                labels.shape()
            ))
            .fail()
        }
        if let Some(weights) = &options.class_weights
            && weights.shape()[..] != shape[1..2]
        {
            let (found, classes) = (weights.shape(), shape[1]);
            ShapeError::new(format!("nll_loss: the class weights must have shape [{classes}], not {found}"))
                .fail()
        }
        check_labels("nll_loss", labels, options.ignore_index, shape[1]).or_fail();
        let counts = |label: i32| Some(label) != options.ignore_index;
        let weight = |label: i32| match &options.class_weights {
            _ if !counts(label) => 0.0,
            Some(weights) => weights.get([label as usize]),
            None => 1.0,
        };
        let weights = Tensor::new(labels.iter().map(weight).collect::<Vec<f32>>(), labels.shape());
        let total = weights.sum().item();
        // An ignored row shows any class; its weight of 0 is strong.
        let named: Vec<i32> = labels.iter().map(|label| if counts(label) { label } else { 0 }).collect();
        let chosen = self.gather(1, &Indices::new(named, shape.with(1, 1))).squeeze(1);
        let rows = -self.place().constant(weights).strong_mul(&chosen);
        match options.reduction {
            Reduction::Mean => {
                self.place().weigh(total.into());
                rows.sum() / total
            }
            Reduction::Sum | Reduction::None => options.reduction.of(rows),
        }
    }

    /// The cost of logits, `[m, labels]`, of which each has a target of its own, 0 or 1, with a penalty on the weights (A. Ng,
    /// "Machine learning", exercise 4): the sum of the labels' cross-entropies, averaged over the m examples. `weights` are
    /// those to be penalised: without the biases.
    ///
    /// `y = Σ (t softplus(-x) + (1 - t) softplus(x)) / m + λ Σ w² / 2m`
    ///
    /// # Panics
    /// When the shapes differ or are those of scalars.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let (logits, targets) = (Tensor::zeros([2, 3]), Tensor::ones([2, 3]));
    /// let weight = Tensor::from([3.0, 4.0]);
    /// let cost = logits.multi_label_cost(&targets, &[&weight], 0.4);
    /// assert!((cost.item() - (3.0 * 2f32.ln() + 0.1 * 25.0)).abs() < 1e-6);
    /// ```
    #[track_caller]
    fn multi_label_cost(&self, targets: &Self, weights: &[&Self], lambda: f32) -> Self {
        let shape = same_shape("multi_label_cost", self, targets);
        let Some(&examples) = shape.first() else {
            ShapeError::new("multi_label_cost: the logits must have shape [m, labels], not []".to_string())
                .fail()
        };
        let mut cost = self.binary_cross_entropy_with_logits_with(targets, Reduction::Sum);
        for weight in weights {
            cost = cost + weight.square().sum() * (0.5 * lambda);
        }
        cost / examples as f32
    }
}

impl<V: Value> ClassLoss for V {}
