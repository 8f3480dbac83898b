//! Losses of what is said about classes.

use super::{
    CrossEntropy, CrossEntropyOptions, MultiMarginOptions, NllOptions, Reduction, check_class_weights,
    check_labels, check_smoothing, check_unit, margin, same_shape,
};
use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::Indices;

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
    fn cross_entropy_with(&self, labels: &Indices, options: impl Into<CrossEntropyOptions>) -> Self {
        let op = CrossEntropy { labels: labels.clone(), options: options.into() };
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

    /// [`soft_cross_entropy`](ClassLoss::soft_cross_entropy) with smoothed targets, class weights, or another [`Reduction`].
    ///
    /// `y = -Σ w ((1 - ε) t + ε / classes) ln softmax(x)` of a row: with smoothing ε each target gives a part of itself to all
    /// classes, with class weights w each class's share is multiplied by its weight. A mean is that over the rows, weights or
    /// not, as in PyTorch.
    ///
    /// # Panics
    /// As `soft_cross_entropy`; when the weights do not fit the classes, ε is not between 0 and 1, or there is a label to
    /// ignore.
    ///
    /// ```
    /// use gradus_autograd::{ops::loss::CrossEntropyOptions, prelude::*};
    /// let (logits, targets) = (Tensor::zeros([1, 2]), Tensor::from([[0.75, 0.25]]));
    /// let options = CrossEntropyOptions {
    ///     label_smoothing: 0.5,
    ///     class_weights: Some([2.0, 0.0].into()),
    ///     ..Default::default()
    /// };
    /// // 5/8 of the target, which counts twice, at a class of probability 1/2.
    /// assert_eq!(logits.soft_cross_entropy_with(&targets, options).item(), 1.25 * 2f32.ln());
    /// ```
    #[track_caller]
    fn soft_cross_entropy_with(&self, targets: &Self, options: impl Into<CrossEntropyOptions>) -> Self {
        let options = options.into();
        let shape = same_shape("soft_cross_entropy", self, targets);
        if shape.rank() < 2 {
            ShapeError::new(format!(
                "soft_cross_entropy: the logits must have shape [n, classes, ..], not {shape}"
            ))
            .fail()
        }
        check_unit("soft_cross_entropy", "targets", targets);
        let (classes, smoothing) = (shape[1], options.label_smoothing);
        check_class_weights("soft_cross_entropy", options.class_weights.as_ref(), classes).or_fail();
        check_smoothing("soft_cross_entropy", smoothing).or_fail();
        if let Some(label) = options.ignore_index {
            ShapeError::new(format!(
                "soft_cross_entropy: label {label} is to be ignored, but soft targets have no labels"
            ))
            .fail()
        }
        let smoothed = match smoothing {
            0.0 => targets.clone(),
            _ => targets * (1.0 - smoothing) + smoothing / classes as f32,
        };
        let shares = match options.class_weights {
            None => smoothed,
            Some(weights) => {
                let column = Shape::new(&vec![1; shape.rank()]).with(1, classes);
                smoothed.strong_mul(&self.place().constant(weights.reshape(column)))
            }
        };
        // Strong: a class of probability or weight 0 counts for nothing, also where its logarithm is -inf.
        options.reduction.of(-shares.strong_mul(&self.log_softmax(1)).sum_axes(1, false))
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
    fn nll_loss_with(&self, labels: &Indices, options: impl Into<NllOptions>) -> Self {
        let (shape, options) = (self.shape(), options.into());
        if shape.rank() < 2 || shape.remove(1) != *labels.shape() {
            ShapeError::new(format!(
                "nll_loss: log-probabilities {shape} and labels {} do not fit: they must be [n, classes, ..] and [n, ..]",
                labels.shape()
            ))
            .fail()
        }
        check_class_weights("nll_loss", options.class_weights.as_ref(), shape[1]).or_fail();
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

    /// What the scores of labels, `[n]`, lack to lying a margin of 1 above every other score of their row, `[n, classes]` (K.
    /// Crammer, Y. Singer, "On the algorithmic implementation of multiclass kernel-based vector machines", 2001): the mean
    /// over the rows.
    ///
    /// `y = Σ Σ max(1 - x[label] + x[j], 0) / (n classes)` over the rows, and the classes j beside the label
    ///
    /// Where a margin is just kept the gradient is 0.
    ///
    /// # Panics
    /// When the shapes do not fit or a label is not one of the classes.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let scores = tape.var([[0.25, 2.0, 1.5, -3.0]]);
    /// let loss = scores.multi_margin_loss(&Indices::from([1]));
    /// assert_eq!(loss.item(), 0.5 / 4.0);
    /// assert_eq!(loss.backward()[scores].to_vec(), [0.0, -0.25, 0.25, 0.0]);
    /// ```
    #[doc(alias = "MultiMarginLoss")]
    #[track_caller]
    fn multi_margin_loss(&self, labels: &Indices) -> Self {
        self.multi_margin_loss_with(labels, Reduction::Mean)
    }

    /// [`multi_margin_loss`](ClassLoss::multi_margin_loss) with squares, another margin, class weights, or another
    /// [`Reduction`].
    ///
    /// `y = w[label] Σ max(margin - x[label] + x[j], 0)^p / classes` of a row. A mean is that over the rows, weights or not, as
    /// in PyTorch.
    ///
    /// # Panics
    /// As `multi_margin_loss`; when p is neither 1 nor 2, or the weights do not fit the classes.
    ///
    /// ```
    /// use gradus_autograd::{ops::loss::MultiMarginOptions, prelude::*};
    /// let options = MultiMarginOptions { p: 2, margin: 3.0, ..Default::default() };
    /// let loss = Tensor::from([[2.0, 1.0]]).multi_margin_loss_with(&Indices::from([0]), options);
    /// assert_eq!(loss.item(), 2.0); // (3 - 2 + 1)² / 2
    /// ```
    #[track_caller]
    fn multi_margin_loss_with(&self, labels: &Indices, options: impl Into<MultiMarginOptions>) -> Self {
        margin::multi_margin(self, labels, &options.into())
    }

    /// What the scores of a row's labels lack to lying a margin of 1 above the scores of all other classes: the mean over the
    /// rows. The scores are `[n, classes]`. `labels` has those of a row one after the other, `[n, most]`, and is filled up
    /// with -1; what stands behind a -1 counts for nothing, and what is named twice counts twice.
    ///
    /// `y = Σ Σ Σ max(1 - x[label] + x[j], 0) / (n classes)` over the rows, their labels, and the classes j that are none
    ///
    /// Where a margin is just kept the gradient is 0.
    ///
    /// # Panics
    /// When the shapes do not fit, or a label is neither one of the classes nor -1.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let scores = Tensor::from([[0.1, 0.2, 0.4, 0.8]]);
    /// let loss = scores.multilabel_margin_loss(&Indices::new([3, 0, -1, 1], [1, 4]));
    /// // 1 - 0.8 + 0.2, 1 - 0.8 + 0.4, 1 - 0.1 + 0.2, 1 - 0.1 + 0.4
    /// assert!((loss.item() - 3.4 / 4.0).abs() < 1e-6);
    /// ```
    #[track_caller]
    fn multilabel_margin_loss(&self, labels: &Indices) -> Self {
        self.multilabel_margin_loss_with(labels, Reduction::Mean)
    }

    /// [`multilabel_margin_loss`](ClassLoss::multilabel_margin_loss) with a choice of [`Reduction`].
    #[track_caller]
    fn multilabel_margin_loss_with(&self, labels: &Indices, reduction: Reduction) -> Self {
        reduction.of(margin::multilabel_margin(self, labels))
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
