//! Losses of vectors that are to lie close together or apart, and of scores that are to be in order.

use super::{Reduction, losses, same_shape};
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
    /// [`pairwise_distance`](crate::ops::linear::Similarity::pairwise_distance).
    ///
    /// `y = Σ max(|x - p| - |x - q| + margin, 0) / n`
    ///
    /// # Panics
    /// When the shapes differ, or are those of scalars.
    triplet_margin_loss, triplet_margin_loss_with(positive: &Self, negative: &Self, margin: f32) |x| {
        same_shape("triplet_margin_loss", x, positive);
        same_shape("triplet_margin_loss", x, negative);
        (x.pairwise_distance(positive) - x.pairwise_distance(negative) + margin).relu()
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
