//! Losses of single elements: what is predicted against a target of the same shape.

use super::{GaussianNllOptions, KlDivOptions, PoissonNllOptions, Reduction, check_unit, losses, same_shape};
use crate::{op::prelude::*, ops::methods::*};

/// ln(2π) / 2.
const HALF_LN_TAU: f32 = 0.918_938_5;

losses! {
    /// Losses of single elements, as methods of what the model predicts. Nothing broadcasts: prediction and target have one
    /// shape. Each is the mean over all elements; its variant `.._with` has a choice of [`Reduction`].
    ElementLoss;

    /// The mean of squared errors.
    ///
    /// `y = Σ (x - t)² / n` over all n elements
    ///
    /// The book's sum of squared errors is half of the variant with [`Reduction::Sum`].
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
    mse_loss, mse_loss_with(target: &Self) |x| {
        same_shape("mse_loss", x, target);
        (x - target).square()
    }

    /// The mean of absolute errors. Where prediction and target are equal the gradient is 0.
    ///
    /// `y = Σ |x - t| / n; dx = g sign(x - t) / n`
    ///
    /// # Panics
    /// When the shapes differ.
    l1_loss, l1_loss_with(target: &Self) |x| {
        same_shape("l1_loss", x, target);
        (x - target).abs()
    }

    /// The mean of errors, squared where they are small and absolute where they are large (P. J. Huber, "Robust estimation
    /// of a location parameter", 1964): `delta` is where the two meet.
    ///
    /// `y = Σ (d²/2` where d = |x - t| ≤ delta, else `delta (d - delta/2)) / n`
    ///
    /// # Panics
    /// When the shapes differ, or delta is not positive.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let loss = Tensor::from([1.0, 5.0]).huber_loss(&Tensor::zeros([2]), 2.0);
    /// assert_eq!(loss.item(), (0.5 + 8.0) / 2.0);
    /// ```
    huber_loss, huber_loss_with(target: &Self, delta: f32) |x| {
        same_shape("huber_loss", x, target);
        assert!(delta > 0.0, "huber_loss: delta must be positive, not {delta}");
        let d = (x - target).abs();
        // No bound would give an infinite error an infinite part to lose.
        let near = d.clamp_max(delta.min(f32::MAX));
        (d - &near * 0.5) * near
    }

    /// The mean of errors like [`huber_loss`](ElementLoss::huber_loss), scaled so that the slope far away is 1: with `beta` 0 it
    /// is the [`l1_loss`](ElementLoss::l1_loss).
    ///
    /// `y = Σ (d²/(2 beta)` where d = |x - t| < beta, else `d - beta/2) / n`
    ///
    /// # Panics
    /// When the shapes differ, or beta is negative.
    smooth_l1_loss, smooth_l1_loss_with(target: &Self, beta: f32) |x| {
        same_shape("smooth_l1_loss", x, target);
        assert!(beta >= 0.0, "smooth_l1_loss: beta must not be negative, but is {beta}");
        match beta {
            0.0 => (x - target).abs(),
            _ => {
                // Divided before it is multiplied: a square, or a product with beta, may overflow or be lost.
                let d = (x - target).abs();
                let near = &d * 0.5 * (&d / beta);
                d.lt(&x.place().constant(beta)).select_where(&near, &(d - 0.5 * beta.min(f32::MAX)))
            }
        }
    }

    /// The cross-entropy between the sigmoid of these logits and targets between 0 and 1: the mean over all elements.
    ///
    /// `y = Σ (t softplus(-x) + (1 - t) softplus(x)) / n; dx = g (sigmoid(x) - t) / n`
    ///
    /// In this form nothing overflows or cancels, whatever the logits.
    ///
    /// # Panics
    /// When the shapes differ, or a target is not in 0..=1, such as -1 for false.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let logits = Tensor::from([1000.0, -1000.0]);
    /// assert_eq!(logits.binary_cross_entropy_with_logits(&Tensor::from([1.0, 0.0])).item(), 0.0);
    /// assert_eq!(logits.binary_cross_entropy_with_logits(&Tensor::from([0.0, 1.0])).item(), 1000.0);
    /// ```
    binary_cross_entropy_with_logits, binary_cross_entropy_with_logits_with(targets: &Self) |x| {
        same_shape("binary_cross_entropy_with_logits", x, targets);
        check_unit("binary_cross_entropy_with_logits", "targets", targets);
        targets.strong_mul(&(-x).softplus()) + (c(1.0) - targets.clone()).strong_mul(&x.softplus())
    }

    /// [`binary_cross_entropy_with_logits`](ElementLoss::binary_cross_entropy_with_logits) in which the positive side counts
    /// `pos_weight` times, one factor for all or what broadcasts to the logits' shape.
    ///
    /// `y = Σ (w t softplus(-x) + (1 - t) softplus(x)) / n`
    ///
    /// # Panics
    /// When the shapes of logits and targets differ, a target is not in 0..=1, or the weight does not broadcast to them.
    weighted_binary_cross_entropy_with_logits, weighted_binary_cross_entropy_with_logits_with(targets: &Self, pos_weight: &Self) |x| {
        same_shape("weighted_binary_cross_entropy_with_logits", x, targets);
        check_unit("weighted_binary_cross_entropy_with_logits", "targets", targets);
        let if_true = targets.strong_mul(&(-x).softplus()) * pos_weight;
        let if_false = (c(1.0) - targets.clone()).strong_mul(&x.softplus());
        let losses = if_true + if_false;
        same_shape("weighted_binary_cross_entropy_with_logits", &losses, targets);
        losses
    }

    /// The cross-entropy between probabilities and targets between 0 and 1: the mean over all elements.
    ///
    /// `y = -Σ (t ln x + (1 - t) ln(1 - x)) / n; dx = g ((1 - t)/(1 - x) - t/x) / n`
    ///
    /// A probability of 0 or 1 that the target shares adds 0, with gradient 0; one that it excludes makes the loss infinite,
    /// where PyTorch ends at 100. Prefer
    /// [`binary_cross_entropy_with_logits`](ElementLoss::binary_cross_entropy_with_logits) to a sigmoid and this.
    ///
    /// # Panics
    /// When the shapes differ, or a probability or a target is not in 0..=1: logits have the other form.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let loss = Tensor::from([0.5, 1.0]).binary_cross_entropy(&Tensor::from([1.0, 1.0]));
    /// assert!((loss.item() - 0.5 * 2f32.ln()).abs() < 1e-6);
    /// ```
    binary_cross_entropy, binary_cross_entropy_with(targets: &Self) |x| {
        same_shape("binary_cross_entropy", x, targets);
        check_unit("binary_cross_entropy", "targets", targets);
        check_unit("binary_cross_entropy", "probabilities", x);
        let if_true = targets.strong_mul(&x.log());
        let losses = -(if_true + (c(1.0) - targets.clone()).strong_mul(&(-x).log1p()));
        // Only 0 and 1 are their squares.
        let settled = x.equals(targets).logical_and(&x.equals(&x.square()));
        losses.masked_fill(&settled, 0.0)
    }

    /// The divergence of S. Kullback and R. A. Leibler from log-probabilities, this value, to target probabilities: the mean
    /// over all elements, as in PyTorch. The divergence itself is the sum over classes, averaged over rows: take
    /// [`Reduction::Sum`] and divide by the number of rows.
    ///
    /// `y = Σ t (ln t - x) / n; dx = -g t / n`
    ///
    /// A target of 0 counts for nothing: 0 ln 0 is 0, and so is its gradient. With `log_target` the targets are logarithms, of
    /// which -∞ is a probability of 0: `y = Σ e^t (t - x) / n`.
    ///
    /// # Panics
    /// When the shapes differ.
    ///
    /// ```
    /// use gradus_autograd::{ops::loss::{KlDivOptions, Reduction}, prelude::*};
    /// let (p, t) = (Tensor::from([[0.5, 0.5]]), Tensor::from([[1.0, 0.0]]));
    /// let (x, reduction) = (p.log(), Reduction::Sum);
    /// assert_eq!(x.kl_div_with(&t, reduction).item(), 2f32.ln());
    /// assert_eq!(x.kl_div_with(&t.log(), KlDivOptions { log_target: true, reduction }).item(), 2f32.ln());
    /// ```
    kl_div, kl_div_with(targets: &Self) [options: KlDivOptions] |x| {
        same_shape("kl_div", x, targets);
        match options.log_target {
            // Strong: a target of -∞ counts for nothing, whatever it is compared with.
            true => targets.exp().strong_mul(&(targets - x)),
            false => targets.xlogy(targets) - targets.strong_mul(x),
        }
    }

    /// The negative log-likelihood of counts under Poisson distributions whose means are e^x, but for what depends on the
    /// counts alone: the mean over all elements.
    ///
    /// `y = Σ (e^x - t x) / n; dx = g (e^x - t) / n`
    ///
    /// Options take x for the mean itself, `y = Σ (x - t ln(x + eps)) / n`, and add, where t > 1, Stirling's `t ln t - t +
    /// ln(2πt) / 2` for ln t!.
    ///
    /// # Panics
    /// When the shapes differ.
    ///
    /// ```
    /// use gradus_autograd::{ops::loss::PoissonNllOptions, prelude::*};
    /// let (mean, count) = (Tensor::from([1e6]), Tensor::from([1e6]));
    /// let options = PoissonNllOptions { log_input: false, full: true, ..Default::default() };
    /// let loss = mean.poisson_nll_loss_with(&count, options).item();
    /// assert!((loss - 7.826694).abs() < 1e-6); // ln(2π 1e6) / 2, the rest of 1e6 - 1e6 ln 1e6 + 1e6 ln 1e6 - 1e6
    /// ```
    poisson_nll_loss, poisson_nll_loss_with(counts: &Self) [options: PoissonNllOptions] |x| {
        same_shape("poisson_nll_loss", x, counts);
        let PoissonNllOptions { log_input, full, eps, .. } = options;
        let (mean, log_mean) = if log_input { (x.exp(), x.clone()) } else { (x.clone(), (x + eps).log()) };
        // Strong: a count of 0 under a mean of 0, whose logarithm is -∞, costs nothing.
        let losses = mean - counts.strong_mul(&log_mean);
        if full { with_stirling(&losses, &log_mean, counts, if log_input { 0.0 } else { eps }) } else { losses }
    }

    /// The negative log-likelihood of targets under normal distributions with this mean and a variance each, but for the
    /// constant ln(2π) / 2, which the option `full` adds: the mean over all elements. Variances count as at least `eps`, 1e-6
    /// as a rule; smaller ones have no gradient.
    ///
    /// `y = Σ (ln v + (x - t)² / v) / 2n`
    ///
    /// # Panics
    /// When the shapes differ, a variance or eps is negative.
    ///
    /// ```
    /// use gradus_autograd::{ops::loss::GaussianNllOptions, prelude::*};
    /// let [x, target, variance] = [1.0, 3.0, 4.0].map(Tensor::scalar);
    /// let options = GaussianNllOptions { full: true, ..Default::default() };
    /// let density = (-0.5f32).exp() / (2.0 * (2.0 * std::f32::consts::PI).sqrt());
    /// let loss = x.gaussian_nll_loss_with(&target, &variance, options).item();
    /// assert!((loss + density.ln()).abs() < 1e-6);
    /// ```
    gaussian_nll_loss, gaussian_nll_loss_with(target: &Self, variance: &Self) [options: GaussianNllOptions] |x| {
        same_shape("gaussian_nll_loss", x, target);
        same_shape("gaussian_nll_loss", x, variance);
        let GaussianNllOptions { full, eps, .. } = options;
        assert!(eps >= 0.0, "gaussian_nll_loss: eps must not be negative, but is {eps}");
        if let Some(negative) = variance.to_tensor().iter().find(|&v| v < 0.0) {
            ShapeError::new(format!("gaussian_nll_loss: {negative} is among the variances")).fail()
        }
        let variance = variance.clamp_min(eps);
        // The square of the error alone may overflow.
        let losses = (variance.log() + ((x - target) / variance.sqrt()).square()) * 0.5;
        if full { losses + HALF_LN_TAU } else { losses }
    }

    /// The mean of what scores lack to a margin of 1 on the side, -1 or 1, where their target is.
    ///
    /// `y = Σ max(1 - t x, 0) / n; dx = -g t / n` where t x < 1, else 0
    ///
    /// # Panics
    /// When the shapes differ.
    hinge_loss, hinge_loss_with(target: &Self) |x| {
        same_shape("hinge_loss", x, target);
        (c(1.0) - target * x).relu()
    }

    /// The mean of distances whose target is 1, and of what distances whose target is -1 lack to a margin.
    ///
    /// `y = Σ (x` where t > 0, else `max(margin - x, 0)) / n`
    ///
    /// # Panics
    /// When the shapes differ.
    hinge_embedding_loss, hinge_embedding_loss_with(target: &Self, margin: f32) |x| {
        same_shape("hinge_embedding_loss", x, target);
        target.is_positive().select_where(x, &(c(margin) - x.clone()).relu())
    }

    /// The logistic loss of scores with targets -1 and 1: a hinge without a knot.
    ///
    /// `y = Σ ln(1 + e^(-t x)) / n; dx = -g t sigmoid(-t x) / n`
    ///
    /// # Panics
    /// When the shapes differ.
    soft_margin_loss, soft_margin_loss_with(target: &Self) |x| {
        same_shape("soft_margin_loss", x, target);
        (-(target * x)).softplus()
    }
}

/// Losses of counts t, m - t ln(m + eps), with t ln t - t + ln(2πt) / 2 added where t > 1.
///
/// Of large counts these terms are far larger than their sum, and in f32 nothing would be left of it. But with d = ln(m + eps) -
/// ln t they are t (e^d - 1 - d) + ln(2πt) / 2 - eps.
#[track_caller]
fn with_stirling<V: Value>(losses: &V, log_mean: &V, counts: &V, eps: f32) -> V {
    let log_counts = counts.log();
    let d = log_mean - &log_counts;
    let added = counts * (d.expm1() - &d) + log_counts * 0.5 + (HALF_LN_TAU - eps);
    counts.gt(1.0).select_where(&added, losses)
}
