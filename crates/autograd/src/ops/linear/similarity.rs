//! Lengths of vectors, the distances and the angles between them.

use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::shape::resolve_axis;

/// Lengths of vectors along an axis, the distances and the angles between them.
pub trait Similarity: Value {
    /// The vectors along an axis brought to length 1: `y = x / max(|x|, 1e-12)`. The zero vector stays.
    ///
    /// # Panics
    /// When there is no such axis.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// assert_eq!(Tensor::from([3.0, 4.0]).normalized(0).to_vec(), [0.6, 0.8]);
    /// ```
    #[track_caller]
    fn normalized(&self, axis: isize) -> Self {
        self / self.norm_axes(axis, true).clamp_min(1e-12)
    }

    /// The parts at each index of an axis, drawn in to a norm of order `p` of at most `most`: those that are longer are
    /// multiplied by `most / (norm + 1e-7)`, as in PyTorch, the others stay.
    ///
    /// # Panics
    /// When there is no such axis, or p is NaN.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[0.6, 0.8], [3.0, 4.0]]).renorm(2.0, 0, 1.0);
    /// assert_eq!(x.to_vec(), [0.6, 0.8, 0.6, 0.8]);
    /// ```
    #[track_caller]
    fn renorm(&self, p: f32, axis: isize, most: f32) -> Self {
        let (shape, at) = (self.shape(), self.place());
        let axis = resolve_axis("renorm", axis, &shape).or_fail() as isize;
        let others: Vec<isize> = (0..shape.rank() as isize).filter(|&other| other != axis).collect();
        let norms = self.vector_norm(p, others, true);
        let factors = at.constant(most) / (&norms + 1e-7);
        self * norms.gt(&at.constant(most)).select_where(&factors, &at.constant(1.0))
    }

    /// The cosine of the angle between vectors along an axis, which goes away: `y = a·b / (max(|a|, ε) max(|b|, ε))`, ε
    /// being 1e-8: with the zero vector it is 0. The two broadcast.
    ///
    /// # Panics
    /// When the shapes do not broadcast or there is no such axis.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let (a, b) = (Tensor::from([3.0, 0.0]), Tensor::from([1.0, 1.0]));
    /// assert!((a.cosine_similarity(&b, 0).item() - 0.5f32.sqrt()).abs() < 1e-6);
    /// ```
    #[track_caller]
    fn cosine_similarity(&self, other: &Self, axis: isize) -> Self {
        let lengths =
            self.norm_axes(axis, true).clamp_min(1e-8) * other.norm_axes(axis, true).clamp_min(1e-8);
        (self * other / lengths).sum_axes(axis, false)
    }

    /// The distances between vectors on the last axis, which goes away: `y = |a - b + 1e-6|`. The two broadcast.
    ///
    /// The small number, as in PyTorch, keeps equal vectors away from 0, where the norm has no derivative.
    ///
    /// # Panics
    /// When the shapes do not broadcast or are those of scalars.
    #[track_caller]
    fn pairwise_distance(&self, other: &Self) -> Self {
        (self - other + 1e-6).norm_axes(-1, false)
    }

    /// The distances of every vector of `[.., n, d]` to every vector of `[.., m, d]`: `[.., n, m]`. Of equal vectors the
    /// gradient is 0.
    ///
    /// # Panics
    /// When the shapes are not these.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let (a, b) = (Tensor::from([[0.0, 0.0]]), Tensor::from([[3.0, 4.0], [0.0, 0.0]]));
    /// assert_eq!(a.cdist(&b).to_vec(), [5.0, 0.0]);
    /// ```
    #[track_caller]
    fn cdist(&self, other: &Self) -> Self {
        let (a, b) = (self.shape(), other.shape());
        if a.rank() < 2 || b.rank() < 2 || a.last() != b.last() {
            ShapeError::new(format!("cdist: {a} and {b} must be [.., n, d] and [.., m, d]")).fail()
        }
        (self.unsqueeze(-2) - other.unsqueeze(-3)).norm_axes(-1, false)
    }

    /// The covariances of variables, `[variables, observations]`: `y = (x - μ)(x - μ)ᵀ / (n - correction)`.
    ///
    /// # Panics
    /// When this is no matrix.
    #[track_caller]
    fn cov(&self, correction: usize) -> Self {
        let shape = self.shape();
        let &[_, n] = &shape[..] else {
            ShapeError::new(format!("cov: shape {shape} is not [variables, observations]")).fail()
        };
        let deviations = self - self.mean_axes(1, true);
        deviations.matmul(&deviations.t()) / n.saturating_sub(correction) as f32
    }

    /// The correlations of variables, `[variables, observations]`: their [`cov`](Similarity::cov) over the products of their
    /// standard deviations; NaN for a variable that does not vary.
    ///
    /// # Panics
    /// When this is no matrix.
    #[track_caller]
    fn corrcoef(&self) -> Self {
        let cov = self.cov(0);
        let deviations = cov.diag(0).sqrt();
        cov / deviations.outer(&deviations)
    }
}

impl<V: Value> Similarity for V {}
