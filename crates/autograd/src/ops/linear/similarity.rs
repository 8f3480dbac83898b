//! Lengths of vectors, the distances and the angles between them.

use super::CosineSimilarity;
use crate::{
    op::prelude::*,
    ops::{methods::*, reduce::deviations, units::units},
};
use gradus_tensor::{
    Axes,
    shape::{broadcast, resolve_axis},
};

/// Lengths of vectors along an axis, the distances and the angles between them.
pub trait Similarity: Value {
    /// The vectors along an axis brought to length 1: `y = x / max(|x|, 1e-12)`. The zero vector stays.
    ///
    /// # Panics
    /// When there is no such axis.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// assert_eq!(Tensor::from([3.0, 4.0]).normalize(0).to_vec(), [0.6, 0.8]);
    /// ```
    #[track_caller]
    fn normalize(&self, axis: isize) -> Self {
        self.normalize_with(2.0, axis, 1e-12)
    }

    /// The vectors along an axis brought to a norm of order `p` of 1: `y = x / max(|x|, eps)`. The order is any of
    /// [`vector_norm`](crate::ops::reduce::Reduce::vector_norm): 1, 2, ∞, a fraction. A vector shorter than eps is divided by
    /// eps; with an eps of 0 the zero vector gives NaN.
    ///
    /// `dx = (g - s Σ g y) / |x|`, s being the slope of the norm; `g / eps` where |x| < eps
    ///
    /// # Panics
    /// When there is no such axis, p is NaN, or eps is negative.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[1.0, -3.0], [2e38, 2e38]]);
    /// assert_eq!(x.normalize_with(1.0, 1, 1e-12).to_vec(), [0.25, -0.75, 0.5, 0.5]);
    /// assert_eq!(x.normalize_with(f32::INFINITY, 1, 1e-12).to_vec(), [1.0 / 3.0, -1.0, 1.0, 1.0]);
    /// ```
    #[track_caller]
    fn normalize_with(&self, p: f32, axis: isize, eps: f32) -> Self {
        assert!(!p.is_nan(), "normalize: the order p is NaN");
        assert!(eps >= 0.0, "normalize: eps must not be negative, but is {eps}");
        let axes = Axes::from(resolve_axis("normalize", axis, &self.shape()).or_fail() as isize);
        // A norm may be beyond f32 where its vector is not. That of order 0 is a number of elements, whatever their size.
        let units = if p == 0.0 { None } else { units(&self.to_tensor(), &axes, eps) };
        let Some(units) = units else { return self / self.vector_norm(p, axes, true).clamp_min(eps) };
        let (x, least) = (self * self.place().constant(units.clone()), self.place().constant(units * eps));
        let norm = x.vector_norm(p, axes, true);
        &x / norm.lt(&least).select_where(&least, &norm)
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
        let shape = self.shape();
        let axis = resolve_axis("renorm", axis, &shape).or_fail() as isize;
        let others: Vec<isize> = (0..shape.rank() as isize).filter(|&other| other != axis).collect();
        let norms = self.vector_norm(p, others, true);
        let drawn_in = self / (&norms + 1e-7) * most;
        norms.gt(most).select_where(&drawn_in, self)
    }

    /// The cosine of the angle between vectors along an axis, which goes away: `y = a·b / (max(|a|, ε) max(|b|, ε))`, ε
    /// being 1e-8: with the zero vector it is 0. It lies between -1 and 1. The two broadcast.
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
        let joint = broadcast("cosine_similarity", &self.shape(), &other.shape()).or_fail();
        let axis = resolve_axis("cosine_similarity", axis, &joint).or_fail();
        // Each has the whole vectors; on other axes broadcasting need not repeat them.
        let whole = |x: &Self| {
            let shape = x.shape();
            let ones = vec![1; joint.rank() - shape.rank()];
            let wanted = Shape::new(&[&ones, &shape[..]].concat()).with(axis, joint[axis]);
            if wanted == shape { x.clone() } else { x.broadcast_to(wanted) }
        };
        Self::apply(CosineSimilarity { axis: axis as isize }, &[&whole(self), &whole(other)])
    }

    /// The distances between vectors on the last axis, which goes away: `y = |a - b + 1e-6|`. The two broadcast.
    ///
    /// The small number, as in PyTorch, keeps equal vectors away from 0, where the norm has no derivative.
    ///
    /// # Panics
    /// When the shapes do not broadcast or are those of scalars.
    #[track_caller]
    fn pairwise_distance(&self, other: &Self) -> Self {
        self.pairwise_distance_with(other, 2.0, 1e-6)
    }

    /// [`pairwise_distance`](Similarity::pairwise_distance) by a norm of order `p`, with `eps` in the place of the small
    /// number.
    ///
    /// # Panics
    /// When the shapes do not broadcast or are those of scalars, or p is NaN.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let (a, b) = (Tensor::from([1.0, 5.0]), Tensor::from([3.0, 2.0]));
    /// assert_eq!(a.pairwise_distance_with(&b, 1.0, 0.0).item(), 5.0);
    /// ```
    #[track_caller]
    fn pairwise_distance_with(&self, other: &Self, p: f32, eps: f32) -> Self {
        (self - other + eps).vector_norm(p, -1, false)
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
        let deviations = deviations(self, &Axes::from(1));
        deviations.matmul(&deviations.t()) / n.saturating_sub(correction) as f32
    }

    /// The correlations of variables, `[variables, observations]`: their [`cov`](Similarity::cov) over the products of their
    /// standard deviations; NaN for a variable that does not vary.
    ///
    /// # Panics
    /// When this is no matrix.
    #[track_caller]
    fn corrcoef(&self) -> Self {
        let shape = self.shape();
        if shape.rank() != 2 {
            ShapeError::new(format!("corrcoef: shape {shape} is not [variables, observations]")).fail()
        }
        let deviations = deviations(self, &Axes::from(1));
        let deviations = match units(&deviations.to_tensor(), &Axes::from(1), 0.0) {
            Some(units) => deviations * self.place().constant(units),
            None => deviations,
        };
        let directions = &deviations / deviations.norm_axes(1, true);
        directions.matmul(&directions.t())
    }
}

impl<V: Value> Similarity for V {}
