//! Operations whose backward is deliberately not the derivative of their forward. Each declares what it is the derivative
//! of, with [`Branches::surrogate`], and a gradient check holds it to that.

use crate::{op::prelude::*, ops::methods::*};

/// Values that are what they were, with gradients that are not.
pub trait Surrogates: Value {
    /// This value forwards, and backwards as if it were `path`, which gets the whole gradient: for functions that have no
    /// useful derivative, such as rounding (the straight-through estimator of
    /// [Bengio et al. 2013](https://arxiv.org/abs/1308.3432)). The two broadcast.
    ///
    /// `y = x; dx = 0; dpath = g`
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var([0.4, 1.7]);
    /// let y = x.round().straight_through(&x);
    /// assert_eq!(y.value().to_vec(), [0.0, 2.0]);
    /// assert_eq!(y.square().sum().backward()[x].to_vec(), [0.0, 4.0]); // 2 y, at the rounded value
    /// ```
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    #[track_caller]
    fn straight_through(&self, path: &Self) -> Self {
        Self::apply(StraightThrough, &[self, path])
    }

    /// The value itself; its gradient is multiplied by `scale`.
    ///
    /// `y = x; dx = scale · g`
    #[track_caller]
    fn scale_gradient(&self, scale: f32) -> Self {
        Self::apply(ScaleGradient(scale.into()), &[self])
    }

    /// The value itself; its gradient is turned round and multiplied by `lambda`: what lies before gets worse at what comes
    /// after gets better at ([Ganin and Lempitsky 2015](https://arxiv.org/abs/1409.7495)).
    ///
    /// `y = x; dx = -lambda · g`
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var([1.0, 2.0]);
    /// let y = x.reverse_gradient(0.5).square().sum();
    /// assert_eq!((y.item(), y.backward()[x].to_vec()), (5.0, vec![-1.0, -2.0]));
    /// ```
    #[track_caller]
    fn reverse_gradient(&self, lambda: f32) -> Self {
        self.scale_gradient(-lambda)
    }

    /// The value itself; each element of its gradient is brought into -most..=most. NaN stays NaN.
    ///
    /// `y = x; dx = clamp(g, -most, most)`
    ///
    /// A bound is not linear in the gradient, as the derivative of any function would be. So a gradient check looks at the
    /// operation as if the bound were never reached, and notes that.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var([0.1, -3.0]);
    /// assert_eq!(x.clip_gradient(1.0).square().sum().backward()[x].to_vec(), [0.2, -1.0]);
    /// ```
    ///
    /// # Panics
    /// When `most` is negative or NaN.
    #[track_caller]
    fn clip_gradient(&self, most: f32) -> Self {
        assert!(most >= 0.0, "clip_gradient: the bound {most} is not a number of at least 0");
        Self::apply(ClipGradient(most), &[self])
    }
}

impl<V: Value> Surrogates for V {}

/// One value forwards, another backwards: see [`straight_through`](Surrogates::straight_through).
#[derive(Clone, Copy, Debug)]
pub struct StraightThrough;

impl Pointwise for StraightThrough {
    const NAME: &'static str = "straight_through";
    const FORMULA: &'static str = "y = x; dx = 0; dpath = g";
    const PRECISION: Precision = Precision::Ulps(0.0);
    const INPUTS: usize = 2;
    const EXAMPLES: &'static [StraightThrough] = &[StraightThrough];

    fn forward(&self, inputs: &[&Tensor]) -> Tensor {
        inputs[0].zip(inputs[1], |x, _| x)
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>) {
        let g = cx.cotangent();
        cx.add(1, || g);
    }

    fn reference(&self, x: &[f64], branches: &mut Branches<'_>) -> f64 {
        branches.surrogate(x[0], x[1])
    }
}

/// The identity with a gradient multiplied by a number: see [`scale_gradient`](Surrogates::scale_gradient).
#[derive(Clone, Copy, Debug)]
pub struct ScaleGradient(
    /// The number.
    pub f64,
);

impl Pointwise for ScaleGradient {
    const NAME: &'static str = "scale_gradient";
    const FORMULA: &'static str = "y = x; dx = s g";
    const PRECISION: Precision = Precision::Ulps(0.0);
    const EXAMPLES: &'static [ScaleGradient] = &[ScaleGradient(-0.3), ScaleGradient(2.5), ScaleGradient(0.0)];

    fn forward(&self, inputs: &[&Tensor]) -> Tensor {
        inputs[0].clone()
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>) {
        let g = cx.cotangent();
        cx.add(0, || c(self.0) * g);
    }

    fn reference(&self, x: &[f64], branches: &mut Branches<'_>) -> f64 {
        branches.surrogate(x[0], self.0 * x[0])
    }
}

/// The identity with a bound on each element of the gradient: see [`clip_gradient`](Surrogates::clip_gradient).
#[derive(Clone, Copy, Debug)]
pub struct ClipGradient(
    /// The bound.
    pub f32,
);

impl Pointwise for ClipGradient {
    const NAME: &'static str = "clip_gradient";
    const FORMULA: &'static str = "y = x; dx = clamp(g, -most, most)";
    const PRECISION: Precision = Precision::Ulps(0.0);
    const EXAMPLES: &'static [ClipGradient] = &[ClipGradient(0.1), ClipGradient(10.0)];

    fn forward(&self, inputs: &[&Tensor]) -> Tensor {
        inputs[0].clone()
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>) {
        let (g, bounded) = (cx.cotangent(), !cx.is_checked());
        cx.add(0, || if bounded { g.clamp(-self.0, self.0) } else { g });
    }

    fn reference(&self, x: &[f64], branches: &mut Branches<'_>) -> f64 {
        branches.surrogate(x[0], x[0])
    }
}
