//! Losses of vectors that are to lie close together or apart, and of scores that are to be in order.

use super::{Reduction, TripletMarginOptions, losses, same_shape};
use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::Indices;

losses! {
    /// Losses of vectors, on the last axis, that are to lie close together or apart, and of scores that are to be in order.
    /// Each is the mean over the vectors or scores; its variant `.._with` has a choice of [`Reduction`].
    RankingLoss;

    /// The mean of what scores lack to lying a margin above other scores, where the target is 1, or below, where it is -1.
    ///
    /// `y = Σ max(margin - t (a - b), 0) / n`
    ///
    /// # Panics
    /// When the shapes differ.
    margin_ranking_loss, margin_ranking_loss_with(other: &Self, target: &Self, margin: f32) |x| {
        same_shape("margin_ranking_loss", x, other);
        same_shape("margin_ranking_loss", x, target);
        (c(margin) - (x - other) * target).relu()
    }

    /// The mean of what vectors, `[.., d]`, lack to lying closer to their positive example than to their negative one, by a
    /// margin (F. Schroff, D. Kalenichenko, J. Philbin, "FaceNet", 2015). Distances are those of
    /// [`pairwise_distance_with`](crate::ops::linear::Similarity::pairwise_distance_with), of order 2 with an eps of 1e-6 as a
    /// rule.
    ///
    /// `y = Σ max(|x - p| - |x - q| + margin, 0) / n`; with `swap` the second distance is `min(|x - q|, |p - q|)`, and where the
    /// two are equal they share its gradient
    ///
    /// # Panics
    /// When the shapes differ, or are those of scalars, or the order is NaN.
    ///
    /// ```
    /// use gradus_autograd::{ops::loss::TripletMarginOptions, prelude::*};
    /// let [x, p, q] = [[0.0, 0.0], [3.0, 4.0], [3.0, 5.0]].map(Tensor::from);
    /// assert!((x.triplet_margin_loss(&p, &q, 1.0).item() - (6.0 - 34f32.sqrt())).abs() < 1e-5);
    /// // |x - p| is 7, |x - q| is 8, |p - q| is 1.
    /// let options = TripletMarginOptions { p: 1.0, swap: true, ..Default::default() };
    /// assert!((x.triplet_margin_loss_with(&p, &q, 1.0, options).item() - 7.0).abs() < 1e-5);
    /// ```
    triplet_margin_loss,
    triplet_margin_loss_with(positive: &Self, negative: &Self, margin: f32) [options: TripletMarginOptions] |x| {
        same_shape("triplet_margin_loss", x, positive);
        same_shape("triplet_margin_loss", x, negative);
        let TripletMarginOptions { p, eps, swap, .. } = options;
        let apart = x.pairwise_distance_with(negative, p, eps);
        let apart = if swap { apart.minimum(&positive.pairwise_distance_with(negative, p, eps)) } else { apart };
        (x.pairwise_distance_with(positive, p, eps) - apart + margin).relu()
    }

    /// The mean of what vectors, `[.., d]`, lack to pointing the way of others where the target, `[..]`, is 1; where it is -1
    /// of how far their [`cosine_similarity`](crate::ops::linear::Similarity::cosine_similarity) is above a margin.
    ///
    /// `y = Σ (1 - cos` where t > 0, else `max(cos - margin, 0)) / n`
    ///
    /// # Panics
    /// When the shapes do not fit.
    cosine_embedding_loss, cosine_embedding_loss_with(other: &Self, target: &Self, margin: f32) |x| {
        same_shape("cosine_embedding_loss", x, other);
        let cos = x.cosine_similarity(other, -1);
        same_shape("cosine_embedding_loss", &cos, target);
        target.is_positive().select_where(&(c(1.0) - cos.clone()), &(cos - margin).relu())
    }

    /// The loss of word2vec (T. Mikolov, I. Sutskever, K. Chen, G. Corrado, J. Dean, "Distributed representations of words and
    /// phrases and their compositionality", 2013): hidden vectors, `[n, d]`, are to find the row of a table, `[words, d]`,
    /// that `positive` names, `[n]`, and not the rows that `negative` names, `[n, k]`. The mean over the n.
    ///
    /// `y = Σ (softplus(-x·w[positive]) + Σ softplus(x·w[negative])) / n`
    ///
    /// # Panics
    /// When the shapes do not fit or a row is out of range.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let (hidden, words) = (Tensor::zeros([1, 2]), Tensor::ones([5, 2]));
    /// let loss = hidden.negative_sampling_loss(&words, &Indices::from([3]), &Indices::new([0, 1], [1, 2]));
    /// assert!((loss.item() - 3.0 * 2f32.ln()).abs() < 1e-6);
    /// ```
    negative_sampling_loss,
    negative_sampling_loss_with(table: &Self, positive: &Indices, negative: &Indices) |x| {
        let (shape, p, n) = (x.shape(), positive.shape(), negative.shape());
        if shape.rank() != 2 || p[..] != shape[..1] || n.rank() != 2 || n[0] != shape[0] {
            ShapeError::new(format!(
                "negative_sampling_loss: {shape} with words {p} and {n}: they must be [n, d], [n] and [n, k]"
            ))
            .fail()
        }
        let score = (x * table.embedding(positive)).sum_axes(1, false);
        let others = table.embedding(negative).matmul(&x.unsqueeze(2)).squeeze(2);
        (-score).softplus() + others.softplus().sum_axes(1, false)
    }
}
