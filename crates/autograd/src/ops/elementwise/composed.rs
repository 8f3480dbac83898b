//! Functions that are formulas of others: no rule of their own, right to every order by those of their parts.

use super::Elu;
use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::{Rng, shape::resolve_axis};

/// The two constants of [`selu`](Composed::selu): with them activations keep mean 0 and variance 1.
const SELU_ALPHA: f64 = 1.6732632423543772;
const SELU_SCALE: f64 = 1.0507009873554805;

/// Functions that are formulas of others, element by element: bounds, blends, and activations.
pub trait Composed: Value {
    /// The fraction, with the sign of x: `y = x - trunc x; dx = g`, at whole numbers too.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// assert_eq!(Tensor::from([1.25, -1.25]).frac().to_vec(), [0.25, -0.25]);
    /// ```
    #[track_caller]
    fn frac(&self) -> Self {
        self - self.trunc()
    }

    /// The larger of x and a bound: `y = max(x, low); dx = g` where x ≥ low, else 0.
    #[track_caller]
    fn clamp_min(&self, low: f32) -> Self {
        self.clamp(low, f32::INFINITY)
    }

    /// The smaller of x and a bound: `y = min(x, high); dx = g` where x ≤ high, else 0.
    #[track_caller]
    fn clamp_max(&self, high: f32) -> Self {
        self.clamp(f32::NEG_INFINITY, high)
    }

    /// Each element brought between two bounds of its own: `y = min(max(x, low), high)`. The three broadcast.
    ///
    /// `dx = g` where low ≤ x ≤ high; elsewhere the bound that y is has the gradient. Where low is above high, y is high;
    /// NaN stays.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let (low, high) = (Tensor::from([0.0, 1.0, -1.0]), Tensor::scalar(2.0));
    /// assert_eq!(Tensor::from([-5.0, 5.0, 0.5]).clamp_between(&low, &high).to_vec(), [0.0, 2.0, 0.5]);
    /// ```
    #[track_caller]
    fn clamp_between(&self, low: &Self, high: &Self) -> Self {
        let raised = self.lt(low).select_where(low, self);
        high.lt(&raised).select_where(high, &raised)
    }

    /// The number whose sigmoid is x: `y = ln(x / (1 - x)); dx = g / (x (1 - x))`. At 0 it is -∞, at 1 ∞, outside NaN.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// assert_eq!(Tensor::from([0.5, 1.0]).logit().to_vec(), [0.0, f32::INFINITY]);
    /// ```
    #[track_caller]
    fn logit(&self) -> Self {
        self.log() - (-self).log1p()
    }

    /// On the way from here to `end`, so far as `weight` says: `y = x + weight (end - x)`. The three broadcast.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let (x, end) = (Tensor::from([0.0, 10.0]), Tensor::from([4.0, 20.0]));
    /// assert_eq!(x.lerp(&end, &Tensor::scalar(0.25)).to_vec(), [1.0, 12.5]);
    /// ```
    #[track_caller]
    fn lerp(&self, end: &Self, weight: &Self) -> Self {
        self + (end - self) * weight
    }

    /// x ln y, and 0 wherever x is 0: `dx = g ln y; dy = g x / y`. Where x is 0 and the logarithm is no number, both gradients
    /// are 0. The two broadcast.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let p = Tensor::from([0.0, 1.0]);
    /// assert_eq!(p.xlogy(&p).to_vec(), [0.0, 0.0]);
    /// ```
    #[track_caller]
    fn xlogy(&self, y: &Self) -> Self {
        self.strong_mul(&y.log())
    }

    /// The unit step with a value of its own at 0: 0 below, 1 above. No gradient flows to x. The two broadcast.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([-2.0, 0.0, 2.0]);
    /// assert_eq!(x.heaviside(&Tensor::scalar(0.5)).to_vec(), [0.0, 0.5, 1.0]);
    /// ```
    #[track_caller]
    fn heaviside(&self, at_zero: &Self) -> Self {
        self.equals(0.0).select_where(at_zero, &self.is_positive())
    }

    /// The larger of two values, or the one that is not NaN. The two broadcast.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    #[track_caller]
    fn fmax(&self, other: &Self) -> Self {
        let larger = other.not_equals(other).select_where(self, &self.maximum(other));
        self.not_equals(self).select_where(other, &larger)
    }

    /// The smaller of two values, or the one that is not NaN. The two broadcast.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    #[track_caller]
    fn fmin(&self, other: &Self) -> Self {
        let smaller = other.not_equals(other).select_where(self, &self.minimum(other));
        self.not_equals(self).select_where(other, &smaller)
    }

    /// Other numbers for NaN, ∞ and -∞; these get no gradient.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([f32::NAN, f32::NEG_INFINITY, 1.0]);
    /// assert_eq!(x.nan_to_num(0.0, 9.0, -9.0).to_vec(), [0.0, -9.0, 1.0]);
    /// ```
    #[track_caller]
    fn nan_to_num(&self, nan: f32, above: f32, below: f32) -> Self {
        let finite = self.masked_fill(&self.not_equals(self), nan);
        let finite = finite.masked_fill(&self.equals(f32::INFINITY), above);
        finite.masked_fill(&self.equals(f32::NEG_INFINITY), below)
    }

    /// The exponential linear unit with the scale that keeps activations normalised (G. Klambauer, T. Unterthiner,
    /// A. Mayr, S. Hochreiter, "Self-normalizing neural networks", 2017).
    ///
    /// `y = λ x` where x > 0, else `λ α (e^x - 1)`, with λ = 1.0507.. and α = 1.6732..; at 0 the derivative is λ α
    #[track_caller]
    fn selu(&self) -> Self {
        c(SELU_SCALE) * Self::apply(Elu(SELU_ALPHA), &[self])
    }

    /// The rectifier that ends at 6: `y = min(max(x, 0), 6); dx = g` where 0 < x < 6, else 0.
    #[track_caller]
    fn relu6(&self) -> Self {
        self.hardtanh(0.0, 6.0)
    }

    /// The sigmoid in three straight pieces: `y = min(max(x + 3, 0), 6) / 6`; at -3 and 3 the derivative is 0.
    #[track_caller]
    fn hardsigmoid(&self) -> Self {
        (self + 3.0).relu6() / 6.0
    }

    /// x times its [`hardsigmoid`](Composed::hardsigmoid) (A. Howard and others, "Searching for MobileNetV3", 2019); at
    /// -3 the derivative is 0, at 3 it is 1.
    #[track_caller]
    fn hardswish(&self) -> Self {
        // Strong: 0 at -∞, as everywhere below -3.
        self.strong_mul(&self.hardsigmoid())
    }

    /// x above a threshold and `value` up to it: `dx = g` where x > threshold, else 0.
    #[track_caller]
    fn threshold(&self, threshold: f32, value: f32) -> Self {
        self.masked_fill(&self.le(threshold), value)
    }

    /// The logarithm of the sigmoid, which neither overflows nor cancels: `y = -ln(1 + e^-x); dx = g sigmoid(-x)`.
    #[track_caller]
    fn logsigmoid(&self) -> Self {
        -(-self).softplus()
    }

    /// 0 up to a distance `lambda` from 0, x beyond: `dx = g` where |x| > lambda, else 0.
    #[track_caller]
    fn hardshrink(&self, lambda: f32) -> Self {
        self.masked_fill(&self.abs().le(lambda), 0.0)
    }

    /// x drawn towards 0 by `lambda`: `y = x - clamp(x, -lambda, lambda); dx = g` where |x| > lambda, else 0.
    #[track_caller]
    fn softshrink(&self, lambda: f32) -> Self {
        self - self.clamp(-lambda, lambda)
    }

    /// The rectifier whose negative side has a slope that learns, one for all or one for each channel (K. He, X. Zhang,
    /// S. Ren, J. Sun, "Delving deep into rectifiers", 2015). Channels lie on axis 1.
    ///
    /// `y = x` where x > 0, else `slope x; dslope = Σ g x` over the x ≤ 0. At 0 the derivative is the slope.
    ///
    /// # Panics
    /// When the slopes are neither one nor one for each channel.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let (x, slope) = (tape.var([[-2.0, -3.0], [4.0, -5.0]]), tape.var([0.5, 0.1]));
    /// let y = x.prelu(&slope);
    /// assert_eq!(y.value().to_vec(), [-1.0, -0.3, 4.0, -0.5]);
    /// assert_eq!(y.sum().backward()[slope].to_vec(), [-2.0, -8.0]);
    /// ```
    #[track_caller]
    fn prelu(&self, slope: &Self) -> Self {
        let (shape, slopes) = (self.shape(), slope.shape());
        let slope = match (slopes.numel(), shape.get(1)) {
            (1, _) if slopes.rank() <= 1 => slope.reshape([]),
            (n, Some(&channels)) if slopes[..] == [n] && n == channels => {
                slope.reshape([&[n], &vec![1; shape.rank() - 2][..]].concat())
            }
            _ => ShapeError::new(format!(
                "prelu: slopes {slopes} fit x {shape} only if they are one, or one for each channel (axis 1)"
            ))
            .fail(),
        };
        self.is_positive().select_where(self, &(slope * self))
    }

    /// The rectifier whose negative side has a random slope between two bounds, for each element its own, in training,
    /// and their mean in evaluation (B. Xu, N. Wang, T. Chen, M. Li, "Empirical evaluation of rectified activations in
    /// convolutional network", 2015).
    ///
    /// # Panics
    /// When the bounds are not in order.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// assert_eq!(Tensor::from([-4.0, 4.0]).rrelu(0.125, 0.375).to_vec(), [-1.0, 4.0]); // in evaluation
    /// ```
    #[track_caller]
    fn rrelu(&self, low: f32, high: f32) -> Self {
        assert!(low <= high, "rrelu: no slope lies between {low} and {high}");
        match self.place().draw() {
            Some(seed) if low < high => {
                let slopes = Tensor::uniform(self.shape(), low, high, &mut Rng::seed(seed));
                self.is_positive().select_where(self, &(self.place().constant(slopes) * self))
            }
            _ => self.leaky_relu(0.5 * (low + high)),
        }
    }

    /// A softmax along an axis with a temperature and, in training, random noise: samples that lie the closer to one-hot
    /// vectors the lower the temperature, and have derivatives (E. Jang, S. Gu, B. Poole, "Categorical reparameterization
    /// with Gumbel-softmax", 2016). In evaluation there is no noise.
    ///
    /// `y = softmax((x + noise) / temperature)`
    ///
    /// # Panics
    /// When there is no such axis, or the temperature is not positive.
    #[track_caller]
    fn gumbel_softmax(&self, temperature: f32, axis: isize) -> Self {
        assert!(temperature > 0.0, "gumbel_softmax: the temperature must be positive, not {temperature}");
        let noisy = match self.place().draw() {
            Some(seed) => {
                let uniform = Tensor::uniform(self.shape(), f32::MIN_POSITIVE, 1.0, &mut Rng::seed(seed));
                self + self.place().constant(-(-uniform.log()).log())
            }
            None => self.clone(),
        };
        (noisy / temperature).softmax(axis)
    }

    /// One half of an axis through the gate that the other half makes (Y. N. Dauphin, A. Fan, M. Auli, D. Grangier,
    /// "Language modeling with gated convolutional networks", 2016): `y = a sigmoid(b)`, x being a and b together.
    ///
    /// # Panics
    /// When there is no such axis, or its size is odd.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// assert_eq!(Tensor::from([3.0, 0.0]).glu(0).to_vec(), [1.5]);
    /// ```
    #[track_caller]
    fn glu(&self, axis: isize) -> Self {
        let shape = self.shape();
        let n = shape[resolve_axis("glu", axis, &shape).or_fail()];
        if n % 2 == 1 {
            ShapeError::new(format!("glu: axis {axis} of shape {shape} has no two halves")).fail()
        }
        let half = (n / 2) as isize;
        self.slice(axis, ..half) * self.slice(axis, half..).sigmoid()
    }
}

impl<V: Value> Composed for V {}
