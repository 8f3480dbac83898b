//! Variance, standard deviation and Euclidean norm: roots and sums of squares.
//!
//! Squares leave f32 long before their roots do. What of them is not sure is marked, and computed again in f64.

use super::{
    Reduction,
    groups::{Group, NO_SHIFT, PER_GROUP},
};
use crate::{
    array::Tensor,
    error::OrFail,
    kernels::{
        fold::{SquaredDeviations, Sum},
        moments::{is_sure, is_sure_about, moments, sum_of},
    },
    shape::Axes,
    simd::Simd,
    threads::share,
};

/// In the place of a result that is to be computed again: none is negative.
const UNSURE: f32 = -1.0;

/// Euclidean norms, or [`UNSURE`].
#[inline(always)]
pub(super) fn norm<S: Simd>(simd: S, groups: &impl Group, out: &mut [f32]) {
    groups.fold(simd, SquaredDeviations, NO_SHIFT, out);
    for y in out {
        *y = if is_sure(*y) { y.sqrt() } else { UNSURE };
    }
}

/// Variances, or [`UNSURE`]. In two passes: the mean first, then the squared deviations from it, whose sum loses nothing
/// to cancellation.
#[inline(always)]
pub(super) fn variance<S: Simd>(simd: S, groups: &impl Group, correction: usize, out: &mut [f32]) {
    let n = groups.count();
    let mut means = PER_GROUP;
    let means = &mut means[..out.len()];
    groups.fold(simd, Sum, NO_SHIFT, means);
    for mean in means.iter_mut() {
        *mean /= n as f32;
    }
    groups.fold(simd, SquaredDeviations, means, out);
    // As signed numbers, which they fit: one instruction each. Unsigned ones take a branch, which the compiler moves out of the
    // loop over groups and before the match, where other reductions have no correction; valgrind reports that.
    let (count, divisor) = (n as isize as f32, n.saturating_sub(correction) as isize as f32);
    for (y, &mean) in out.iter_mut().zip(&*means) {
        *y = if is_sure_about(mean, *y / count, 0.0) { *y / divisor } else { UNSURE };
    }
}

/// Of elements in f64: Σ (x - mean)² / (n - correction).
fn exact_variance(x: &[f32], correction: usize) -> f64 {
    moments(x)[1] / x.len().saturating_sub(correction) as f64
}

/// Of elements in f64: (Σ |x|^p)^(1/p), scaled so that no power overflows.
fn exact_norm(x: &[f32], p: f64) -> f64 {
    if p == 2.0 {
        return sum_of(x, |x| x * x).sqrt();
    }
    let sizes = x.iter().map(|x| f64::from(x.abs()));
    let leading = if p > 0.0 { sizes.fold(0.0, f64::max) } else { sizes.fold(f64::INFINITY, f64::min) };
    if x.iter().any(|x| x.is_nan()) {
        f64::NAN
    } else if leading == 0.0 || leading.is_infinite() {
        leading
    } else {
        leading * sum_of(x, |x| (x.abs() / leading).powf(p)).powf(1.0 / p)
    }
}

impl Tensor {
    /// The variance of all elements, as a scalar: Σ (x - mean)² / (n - 1). It estimates the variance of the distribution
    /// that the elements were drawn from, as in PyTorch. Along axes, or with another correction than 1:
    /// [`Tensor::var_axes`].
    ///
    /// NaN when there are fewer than two elements.
    #[track_caller]
    pub fn var(&self) -> Tensor {
        self.var_axes(Axes::all(), 1, false)
    }

    /// Variances over axes, which become 1 with `keepdims` and go away without: Σ (x - mean)² / (n - correction). With
    /// correction 1 they estimate the variance of what the elements were drawn from, with 0 they are that of the elements.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 3.0], [5.0, 5.0]]);
    /// assert_eq!(x.var_axes(1, 0, false).to_vec(), [1.0, 0.0]);
    /// assert_eq!(x.var_axes(1, 1, false).to_vec(), [2.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn var_axes(&self, axes: impl Into<Axes>, correction: usize, keepdims: bool) -> Tensor {
        let axes = axes.into();
        let variance = self.reduce_axes("var", axes.clone(), keepdims, Reduction::Variance { correction });
        self.computed_again(variance, "var", &axes, |x| exact_variance(x, correction) as f32)
    }

    /// The standard deviation of all elements, as a scalar: the square root of [`Tensor::var`]. Along axes, or with
    /// another correction than 1: [`Tensor::std_axes`].
    #[track_caller]
    pub fn std(&self) -> Tensor {
        self.std_axes(Axes::all(), 1, false)
    }

    /// Standard deviations over axes, which become 1 with `keepdims` and go away without: the square roots of
    /// [`Tensor::var_axes`].
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    #[track_caller]
    pub fn std_axes(&self, axes: impl Into<Axes>, correction: usize, keepdims: bool) -> Tensor {
        let axes = axes.into();
        let variance = self.reduce_axes("std", axes.clone(), keepdims, Reduction::Variance { correction });
        let marked = variance.map(|variance| if variance < 0.0 { UNSURE } else { variance.sqrt() });
        self.computed_again(marked, "std", &axes, |x| exact_variance(x, correction).sqrt() as f32)
    }

    /// Norms over axes, which become 1 with `keepdims` and go away without: (Σ |x|^p)^(1/p). Neither large nor small
    /// elements leave the range of f32 in the powers. Without elements they are 0, for a negative p inf. For p = ∞ it is max |x|,
    /// for p = -∞ it is min |x|, and for p = 0 the number of elements that are not 0.
    ///
    /// # Panics
    /// When an axis is out of range or named twice, or p is NaN.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let x = Tensor::from([[3.0, -4.0], [3e-30, -4e-30]]);
    /// assert_eq!(x.vector_norm(2.0, 1, false).to_vec(), [5.0, 5e-30]);
    /// ```
    #[track_caller]
    pub fn vector_norm(&self, p: f32, axes: impl Into<Axes>, keepdims: bool) -> Tensor {
        assert!(!p.is_nan(), "vector_norm: the order p is NaN");
        match p {
            0.0 => return self.map(|x| f32::from(x != 0.0)).sum_axes(axes, keepdims),
            1.0 => return self.abs().sum_axes(axes, keepdims),
            f32::INFINITY => return self.abs().max_axes(axes, keepdims).clamp(0.0, f32::INFINITY), // -inf over nothing
            f32::NEG_INFINITY => return self.abs().min_axes(axes, keepdims),
            _ => (),
        }
        let axes = axes.into();
        let marked = if p == 2.0 {
            self.reduce_axes("vector_norm", axes.clone(), keepdims, Reduction::Norm)
        } else {
            let powers = self.abs().powf(p);
            let sums = powers.reduce_axes("vector_norm", axes.clone(), keepdims, Reduction::Sum);
            let roots = sums.powf((1.0 / f64::from(p)) as f32);
            sums.zip(&roots, |sum, root| if is_sure(sum) { root } else { UNSURE })
        };
        self.computed_again(marked, "vector_norm", &axes, |x| exact_norm(x, p.into()) as f32)
    }

    /// What a reduction over axes gave, with that of all elements of a group instead where it is [`UNSURE`].
    #[track_caller]
    fn computed_again(
        &self,
        mut result: Tensor,
        op: &str,
        axes: &Axes,
        of_group: impl Fn(&[f32]) -> f32 + Sync,
    ) -> Tensor {
        if result.as_slice().is_some_and(|y| !y.iter().any(|&y| y < 0.0)) {
            return result;
        }
        let axes = axes.resolve(op, self.shape()).or_fail();
        let kept = (0..self.rank()).filter(|axis| !axes.contains(axis));
        let order: Vec<isize> = kept.chain(axes.iter().copied()).map(|axis| axis as isize).collect();
        let groups = self.permute(order).contiguous();
        let x = groups.as_slice().expect("made contiguous");
        let n = axes.iter().map(|&axis| self.size(axis as isize)).product();
        share::for_each_row(result.as_mut_slice(), n, share::REDUCTION, |group, y| {
            if *y < 0.0 {
                *y = of_group(&x[group * n..][..n]);
            }
        });
        result
    }
}
