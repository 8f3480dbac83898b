//! Reductions over axes: sums, means, products, extrema, variances, norms; and the same cumulated along an axis.

mod cumprod;
mod cumsum;
mod deviations;
mod extremum;
mod linear_recurrence;
mod logsumexp;
mod norm;
mod over;
mod scan;
mod sum;
mod variance;

pub use cumprod::CumProd;
pub use cumsum::CumSum;
pub use extremum::{Max, Min};
pub use linear_recurrence::LinearRecurrence;
pub use logsumexp::LogSumExp;
pub use norm::VectorNorm;
pub use sum::Sum;
pub use variance::{StandardDeviation, Variance};

pub(in crate::ops) use deviations::deviations;
pub(in crate::ops) use over::same_shape_along;

use crate::{
    op::prelude::*,
    ops::{
        elementwise::{Logaddexp, Maximum, Minimum},
        methods::*,
    },
};
use gradus_tensor::{Axes, Indices, shape::reduced};
use scan::scan;

/// Reductions over axes, which become 1 with `keepdims` and go away without.
pub trait Reduce: Value {
    /// The sum of all elements, as a scalar.
    #[track_caller]
    fn sum(&self) -> Self {
        self.sum_axes(Axes::all(), false)
    }

    /// Sums over axes.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    #[track_caller]
    fn sum_axes(&self, axes: impl Into<Axes>, keepdims: bool) -> Self {
        Self::apply(Sum { axes: axes.into(), keepdims }, &[self])
    }

    /// The mean of all elements, as a scalar; NaN when there are none.
    #[track_caller]
    fn mean(&self) -> Self {
        self.sum() / self.shape().numel() as f32
    }

    /// Means over axes; NaN where there are no elements.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    #[track_caller]
    fn mean_axes(&self, axes: impl Into<Axes>, keepdims: bool) -> Self {
        let sum = self.sum_axes(axes, keepdims);
        let count = self.shape().numel() as f32 / sum.shape().numel() as f32;
        sum / count
    }

    /// The largest of all elements, as a scalar; NaN where there is a NaN. Equal largest elements share the gradient.
    #[track_caller]
    fn max(&self) -> Self {
        self.max_axes(Axes::all(), false)
    }

    /// Maxima over axes; -inf where there are no elements.
    ///
    /// `y = max x; dx = g / k` at the k largest, 0 elsewhere: equal largest elements share the gradient equally.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var([1.0, 3.0, 3.0]);
    /// assert_eq!(x.max().backward()[x].to_vec(), [0.0, 0.5, 0.5]);
    /// ```
    #[doc(alias = "amax")]
    #[track_caller]
    fn max_axes(&self, axes: impl Into<Axes>, keepdims: bool) -> Self {
        Self::apply(Max { axes: axes.into(), keepdims }, &[self])
    }

    /// The smallest of all elements, as a scalar; NaN where there is a NaN. Equal smallest elements share the gradient.
    #[track_caller]
    fn min(&self) -> Self {
        self.min_axes(Axes::all(), false)
    }

    /// Minima over axes; inf where there are no elements.
    ///
    /// `y = min x; dx = g / k` at the k smallest, 0 elsewhere: equal smallest elements share the gradient equally.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    #[doc(alias = "amin")]
    #[track_caller]
    fn min_axes(&self, axes: impl Into<Axes>, keepdims: bool) -> Self {
        Self::apply(Min { axes: axes.into(), keepdims }, &[self])
    }

    /// The position of the largest element along an axis, which goes away: the first one on a tie, a NaN before all.
    ///
    /// # Panics
    /// When there is no such axis, or it is empty.
    #[track_caller]
    fn argmax(&self, axis: isize) -> Indices {
        self.to_tensor().argmax(axis)
    }

    /// The position of the smallest element along an axis, which goes away: the first one on a tie, a NaN before all.
    ///
    /// # Panics
    /// When there is no such axis, or it is empty.
    #[track_caller]
    fn argmin(&self, axis: isize) -> Indices {
        self.to_tensor().argmin(axis)
    }

    /// The largest elements along an axis, which goes away, and their positions. Unlike that of
    /// [`max_axes`](Reduce::max_axes), the gradient goes to the elements at these positions, the first ones on a tie.
    ///
    /// # Panics
    /// When there is no such axis, or it is empty.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var([[1.0, 3.0, 3.0]]);
    /// let (y, places) = x.max_with_indices(1);
    /// assert_eq!((y.value().to_vec(), places.as_slice()), (vec![3.0], &[1][..]));
    /// assert_eq!(y.sum().backward()[x].to_vec(), [0.0, 1.0, 0.0]);
    /// ```
    #[track_caller]
    fn max_with_indices(&self, axis: isize) -> (Self, Indices) {
        let places = self.argmax(axis);
        (self.gather(axis, &kept(&places, self, axis)).squeeze(axis), places)
    }

    /// The smallest elements along an axis, which goes away, and their positions. Unlike that of
    /// [`min_axes`](Reduce::min_axes), the gradient goes to the elements at these positions, the first ones on a tie.
    ///
    /// # Panics
    /// When there is no such axis, or it is empty.
    #[track_caller]
    fn min_with_indices(&self, axis: isize) -> (Self, Indices) {
        let places = self.argmin(axis);
        (self.gather(axis, &kept(&places, self, axis)).squeeze(axis), places)
    }

    /// 1 if any element is not 0, else 0. No gradient flows through it.
    #[track_caller]
    fn any(&self) -> Self {
        self.any_axes(Axes::all(), false)
    }

    /// 1 where any element along the axes is not 0, else 0. No gradient flows through it.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let mask = Tensor::from([[0.0, 1.0], [0.0, 0.0]]);
    /// assert_eq!(mask.any_axes(1, false).to_vec(), [1.0, 0.0]);
    /// ```
    #[track_caller]
    fn any_axes(&self, axes: impl Into<Axes>, keepdims: bool) -> Self {
        self.logical_not().logical_not().sum_axes(axes, keepdims).is_positive()
    }

    /// How many elements along the axes are not 0; NaN counts. No gradient flows through it.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[0.0, 1.0, -2.0], [0.0, 0.0, 3.0]]);
    /// assert_eq!(x.count_nonzero(1, false).to_vec(), [2.0, 1.0]);
    /// ```
    #[track_caller]
    fn count_nonzero(&self, axes: impl Into<Axes>, keepdims: bool) -> Self {
        let axes = axes.into();
        axes.resolve("count_nonzero", &self.shape()).or_fail();
        self.logical_not().logical_not().sum_axes(axes, keepdims)
    }

    /// 1 if no element is 0, else 0. No gradient flows through it.
    #[track_caller]
    fn all(&self) -> Self {
        self.all_axes(Axes::all(), false)
    }

    /// 1 where no element along the axes is 0, else 0. No gradient flows through it.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    #[track_caller]
    fn all_axes(&self, axes: impl Into<Axes>, keepdims: bool) -> Self {
        self.logical_not().sum_axes(axes, keepdims).logical_not()
    }

    /// The product of all elements, as a scalar; 1 when there are none.
    #[track_caller]
    fn prod(&self) -> Self {
        self.prod_axes(Axes::all(), false)
    }

    /// Products over axes; 1 where there are no elements.
    ///
    /// `y = Π x; dx_i = g Π x_j` over the j other than i
    ///
    /// It multiplies halves with each other, so that the gradient is right, to every order, where elements are 0.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var([2.0, 0.0, 3.0]);
    /// assert_eq!(x.prod().backward()[x].to_vec(), [0.0, 6.0, 0.0]);
    /// ```
    #[track_caller]
    fn prod_axes(&self, axes: impl Into<Axes>, keepdims: bool) -> Self {
        let shape = self.shape();
        let axes = axes.into().resolve("prod", &shape).or_fail();
        let kept = (0..shape.rank()).filter(|axis| !axes.contains(axis));
        let order: Vec<isize> = kept.clone().chain(axes.iter().copied()).map(|axis| axis as isize).collect();
        let mut n: usize = axes.iter().map(|&axis| shape[axis]).product();
        let rows: Vec<usize> = kept.map(|axis| shape[axis]).chain([n]).collect();
        let mut x = self.permute(order).reshape(rows);
        if n == 0 {
            x = x.sum_axes(-1, true) + 1.0;
        }
        let mut odd: Option<Self> = None;
        while n > 1 {
            if n % 2 == 1 {
                let last = x.slice(-1, -1isize..);
                odd = Some(odd.map_or(last.clone(), |odd| odd * last));
            }
            n /= 2;
            let half = n as isize;
            x = x.slice(-1, ..half) * x.slice(-1, half..2 * half);
        }
        let y = odd.map_or(x.clone(), |odd| x * odd);
        y.reshape(reduced(&shape, &axes, keepdims))
    }

    /// The variance of all elements, as a scalar, with correction 1 as in PyTorch. Along axes, or with another correction:
    /// [`var_axes`](Reduce::var_axes).
    #[track_caller]
    fn var(&self) -> Self {
        self.var_axes(Axes::all(), 1, false)
    }

    /// Variances over axes, with correction 1 estimates of their source's, with 0 the elements' own.
    ///
    /// `y = Σ (x - μ)² / (n - correction); dx = 2 g (x - μ) / (n - correction)`
    ///
    /// Where n is not larger than the correction y is NaN, or inf, and the gradient NaN or infinite.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var([1.0, 3.0]);
    /// let y = x.var_axes(0, 0, false);
    /// assert_eq!((y.item(), y.backward()[x].to_vec()), (1.0, vec![-1.0, 1.0]));
    /// ```
    #[track_caller]
    fn var_axes(&self, axes: impl Into<Axes>, correction: usize, keepdims: bool) -> Self {
        Self::apply(Variance { axes: axes.into(), correction, keepdims }, &[self])
    }

    /// The standard deviation of all elements, as a scalar, with correction 1 as in PyTorch. Along axes, or with another
    /// correction: [`std_axes`](Reduce::std_axes).
    ///
    /// There is no argument that could be taken for an axis or for a correction:
    ///
    /// ```compile_fail
    /// use gradus_autograd::prelude::*;
    /// Tensor::ones([2, 3]).std(1);
    /// ```
    #[track_caller]
    fn std(&self) -> Self {
        self.std_axes(Axes::all(), 1, false)
    }

    /// Standard deviations over axes: the square roots of the variances.
    ///
    /// `y = √var; dx = g (x - μ) / (y (n - correction))`
    ///
    /// Where all elements are equal the gradient is 0. Where n is not larger than the correction y is NaN, or inf, and the
    /// gradient NaN. Squares of deviations may leave the range of f32, their root stays right.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    #[track_caller]
    fn std_axes(&self, axes: impl Into<Axes>, correction: usize, keepdims: bool) -> Self {
        Self::apply(StandardDeviation { axes: axes.into(), correction, keepdims }, &[self])
    }

    /// The Euclidean norm of all elements, as a scalar: see [`norm_axes`](Reduce::norm_axes).
    #[track_caller]
    fn norm(&self) -> Self {
        self.norm_axes(Axes::all(), false)
    }

    /// Euclidean norms over axes.
    ///
    /// `y = √(Σ x²); dx = g x / y`
    ///
    /// At the zero vector the gradient is 0. Squares of elements may leave the range of f32, the norm stays right.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var([[3.0, 4.0], [0.0, 0.0]]);
    /// let y = x.norm_axes(1, false);
    /// assert_eq!(y.value().to_vec(), [5.0, 0.0]);
    /// assert_eq!(y.sum().backward()[x].to_vec(), [0.6, 0.8, 0.0, 0.0]);
    /// ```
    #[track_caller]
    fn norm_axes(&self, axes: impl Into<Axes>, keepdims: bool) -> Self {
        Self::apply(VectorNorm { p: 2.0, axes: axes.into(), keepdims }, &[self])
    }

    /// Norms of vectors over axes, of any order p.
    ///
    /// `y = (Σ |x|^p)^(1/p); dx = g sign x (|x| / y)^(p-1)`; for p = ∞ it is max |x|, for p = -∞ it is min |x|, and for p = 0 the number of elements
    /// that are not 0, through which no gradient flows
    ///
    /// Elements that are 0 get the gradient 0, in the zero vector and with p = 1 too; equal largest elements share theirs
    /// equally. For p ≤ 1 the slope has no bound beside 0.
    ///
    /// # Panics
    /// When an axis is out of range or named twice, or p is NaN.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([3.0, -4.0]);
    /// let norm = |p| x.vector_norm(p, 0, false).item();
    /// assert_eq!([norm(1.0), norm(2.0), norm(f32::INFINITY)], [7.0, 5.0, 4.0]);
    /// ```
    #[track_caller]
    fn vector_norm(&self, p: f32, axes: impl Into<Axes>, keepdims: bool) -> Self {
        assert!(!p.is_nan(), "vector_norm: the order p is NaN");
        match p {
            0.0 => self.logical_not().logical_not().sum_axes(axes, keepdims),
            1.0 => self.abs().sum_axes(axes, keepdims),
            f32::INFINITY => self.abs().max_axes(axes, keepdims).clamp_min(0.0), // -inf over nothing
            f32::NEG_INFINITY => self.abs().min_axes(axes, keepdims),
            _ => Self::apply(VectorNorm { p, axes: axes.into(), keepdims }, &[self]),
        }
    }

    /// Cumulative sums along an axis.
    ///
    /// `y_i = x_0 + .. + x_i; dx_i = g_i + g_(i+1) + ..`
    ///
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    fn cumsum(&self, axis: isize) -> Self {
        Self::apply(CumSum { axis }, &[self])
    }

    /// Cumulative products along an axis.
    ///
    /// `y_i = x_0 · .. · x_i; dx_k = Σ g_i Π x_j` over the i ≥ k, and in each the j ≤ i other than k
    ///
    /// The gradient is a [linear recurrence](Reduce::linear_recurrence), in which nothing is divided: it is right, to every
    /// order, where elements are 0.
    ///
    /// # Panics
    /// When there is no such axis.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var([2.0, 0.0, 3.0]);
    /// let y = x.cumprod(0);
    /// assert_eq!(y.value().to_vec(), [2.0, 0.0, 0.0]);
    /// assert_eq!(y.sum().backward()[x].to_vec(), [1.0, 8.0, 0.0]);
    /// ```
    #[track_caller]
    fn cumprod(&self, axis: isize) -> Self {
        Self::apply(CumProd { axis }, &[self])
    }

    /// The linear recurrence of first order along an axis, of coefficients a, which this is, and terms b of the same shape:
    /// discounted returns, moving averages with weights that change, the states of models such as S4 and Mamba.
    ///
    /// `y_i = a_i y_(i-1) + b_i, y_0 = b_0; db_i = λ_i = g_i + a_(i+1) λ_(i+1); da_i = λ_i y_(i-1)`
    ///
    /// The a_0 have no part in it, and gradient 0. To begin with a state y_(-1) add `a_0 y_(-1)` to b_0; to go from the end to
    /// the beginning [`flip`](crate::ops::shape::Shaping::flip) both and the result.
    ///
    /// # Panics
    /// When the shapes differ or have no such axis.
    ///
    /// Returns of rewards of 1, each discounted by 1/2 a step: `r_i = 1 + r_(i+1) / 2 = 2 - 2^-(n-1-i)`.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let (discounts, rewards) = (tape.var([0.5; 4]), tape.var([1.0; 4]));
    /// let returns = discounts.linear_recurrence(&rewards.flip(0), 0).flip(0);
    /// assert_eq!(returns.value().to_vec(), [1.875, 1.75, 1.5, 1.0]);
    /// // The first return has 2^-i of the reward i.
    /// assert_eq!(returns.select(0, 0).backward()[rewards].to_vec(), [1.0, 0.5, 0.25, 0.125]);
    /// ```
    #[doc(alias = "associative_scan")]
    #[track_caller]
    fn linear_recurrence(&self, b: &Self, axis: isize) -> Self {
        Self::apply(LinearRecurrence { axis }, &[self, b])
    }

    /// Along an axis the largest element up to each place; NaN from the first NaN on. Equal ones share the gradient.
    ///
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    fn cummax(&self, axis: isize) -> Self {
        scan("cummax", self, axis, Maximum)
    }

    /// Along an axis the smallest element up to each place; NaN from the first NaN on. Equal ones share the gradient.
    ///
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    fn cummin(&self, axis: isize) -> Self {
        scan("cummin", self, axis, Minimum)
    }

    /// Along an axis the logarithm of the sum of exponentials up to each place: `y_i = ln(e^x_0 + .. + e^x_i)`. It does
    /// not overflow. Elements that are -inf have gradient 0, as in [`logsumexp`](Reduce::logsumexp).
    ///
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    fn logcumsumexp(&self, axis: isize) -> Self {
        let nothing = self.place().constant(f32::NEG_INFINITY);
        scan("logcumsumexp", &self.masked_fill(&self.equals(&nothing), f32::NEG_INFINITY), axis, Logaddexp)
    }

    /// The logarithm of the sum of exponentials of all elements: see [`logsumexp_axes`](Reduce::logsumexp_axes).
    #[track_caller]
    fn logsumexp(&self) -> Self {
        self.logsumexp_axes(Axes::all(), false)
    }

    /// The logarithm of the sum of exponentials over axes: a smooth maximum that does not overflow.
    ///
    /// `y = ln Σ e^x; dx = g e^(x - y)`
    ///
    /// Over nothing but -inf, or nothing at all, it is -inf, with gradient 0.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let y = Tensor::from([1000.0, 1000.0]).logsumexp_axes(0, false);
    /// assert_eq!(y.item(), 1000.0 + 2f32.ln());
    /// ```
    #[track_caller]
    fn logsumexp_axes(&self, axes: impl Into<Axes>, keepdims: bool) -> Self {
        Self::apply(LogSumExp { axes: axes.into(), keepdims }, &[self])
    }
}

impl<V: Value> Reduce for V {}

/// Positions along an axis that went away, with that axis again as one of size 1.
fn kept<V: Value>(places: &Indices, x: &V, axis: isize) -> Indices {
    let shape = x.shape();
    places.reshape(shape.with(axis.rem_euclid(shape.rank() as isize) as usize, 1))
}
