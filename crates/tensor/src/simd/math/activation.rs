//! The activation functions of neural networks.

use crate::simd::{Lane, Simd};

/// (ln(1 + e) - e) / e² for 0 <= e <= 1: minimax, relative error of ln(1 + e) 2⁻²⁷.
const LOG1P_TAIL: [f32; 9] = [
    -4.999993e-01,
    3.3330464e-01,
    -2.4958019e-01,
    1.9692102e-01,
    -1.534488e-01,
    1.0661128e-01,
    -5.745723e-02,
    2.0086242e-02,
    -3.2904686e-03,
];

impl<S: Simd> Lane<S> {
    /// The logistic function 1 / (1 + e⁻ˣ), precise relative to its value for very negative x too.
    #[inline(always)]
    pub fn sigmoid(self) -> Self {
        let e = (-self.abs()).exp();
        self.lt(0.0).select(e, 1.0) / (e + 1.0)
    }

    /// x · sigmoid(x), also called swish; 0 at -∞, its limit.
    #[inline(always)]
    pub fn silu(self) -> Self {
        let (q, n) = (-self.abs()).at_least(-120.0).exp_reduced();
        self.gate(q, n)
    }

    /// The derivative of [`silu`](Lane::silu), s + x s (1 - s) with s = sigmoid(x); 0 and 1 at ±∞, its limits.
    #[inline(always)]
    pub fn silu_slope(self) -> Self {
        let t = self.abs().at_most(120.0);
        let (q, n) = (-t).exp_reduced();
        self.gate_slope(t, q, n)
    }

    /// The approximation of [`gelu`](Lane::gelu) by tanh: x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))); 0 at -∞, its limit.
    #[inline(always)]
    pub fn gelu_tanh(self) -> Self {
        // (1 + tanh u) / 2 is sigmoid(2u). Beyond 12 the gate is 0 or 1. In f64, for where the result is small its
        // relative error is the absolute error of u.
        let x = self.abs().at_most(12.0).widen();
        let u = x * (x * x).mul_add(-0.0713548162726009, -1.595769121605731);
        let (q, n) = u.exp_reduced();
        self.gate(q, n)
    }

    /// The derivative of [`gelu_tanh`](Lane::gelu_tanh), s + x s (1 - s) z' with s = sigmoid(z) and z twice the argument of
    /// tanh; 0 and 1 at ±∞, its limits.
    #[inline(always)]
    pub fn gelu_tanh_slope(self) -> Self {
        let x = self.abs().at_most(12.0).widen();
        let square = x * x;
        let (q, n) = (x * square.mul_add(-0.0713548162726009, -1.595769121605731)).exp_reduced();
        let change = x * square.mul_add(0.2140644488178027, 1.595769121605731);
        self.gate_slope(change.narrow(), q, n)
    }

    /// x · sigmoid(±z) with the sign of x, where e⁻ᶻ = (1 + q) · 2ⁿ.
    #[inline(always)]
    fn gate(self, q: Self, n: Self) -> Self {
        let negative = self.lt(0.0);
        let e = (q + 1.0).scale(n);
        // The power of two comes last: a product with a subnormal factor would have lost its precision.
        let x = self.at_least(-120.0);
        let y = negative.select(x.mul_add(q, x), x) / (e + 1.0);
        self.or_limit(y.scale(negative.select(n, 0.0)))
    }

    /// The derivative of x · sigmoid(z) by x, where e⁻ᶻ = (1 + q) · 2ⁿ for |x|, and `change` is |x| z'.
    #[inline(always)]
    fn gate_slope(self, change: Self, q: Self, n: Self) -> Self {
        let negative = self.lt(0.0);
        let e = (q + 1.0).scale(n);
        let sum = e + 1.0;
        // Of -x it is e (1 + e - change) / (1 + e)², of x what that lacks to 1.
        let below = (sum - change) * (q + 1.0);
        let y = negative.select(below, change.mul_add(e, sum)) / (sum * sum);
        y.scale(negative.select(n, 0.0))
    }

    /// ln(1 + eˣ).
    #[inline(always)]
    pub fn softplus(self) -> Self {
        let e = (-self.abs()).exp();
        self.at_least(0.0) + (e * e).mul_add(e.polynomial(LOG1P_TAIL), e)
    }

    /// ln(1 + e^(beta x)) / beta, and x where beta x > `threshold`.
    #[inline(always)]
    pub fn softplus_with(self, beta: f32, threshold: f32) -> Self {
        let z = self * beta;
        // Where beta x is beyond f32, the function is x whatever the threshold.
        z.gt(threshold.min(f32::MAX)).select(self, z.softplus() / beta)
    }

    /// x · tanh(softplus(x)); 0 at -∞, its limit.
    #[inline(always)]
    pub fn mish(self) -> Self {
        // tanh(ln(1 + e)) = (e² + 2e) / (e² + 2e + 2). Below -120 the result is zero.
        let x = self.at_least(-120.0).widen();
        let e = x.exp();
        let p = e * (e + 2.0);
        self.or_limit((x * (p / (p + 2.0))).narrow())
    }

    /// `y`, and 0 where x is -∞: the limit of what tends to zero there, while a number that rounds to zero keeps its sign.
    #[inline(always)]
    pub(super) fn or_limit(self, y: Self) -> Self {
        self.eq(f32::NEG_INFINITY).select(0.0, y)
    }

    /// max(0, x); NaN and -0.0 stay as they are.
    #[inline(always)]
    pub fn relu(self) -> Self {
        self.at_least(0.0)
    }

    /// x where it is positive, else `slope` · x.
    #[inline(always)]
    pub fn leaky_relu(self, slope: f32) -> Self {
        self.gt(0.0).select(self, self * slope)
    }

    /// x where it is positive, else `alpha` (eˣ - 1).
    #[inline(always)]
    pub fn elu(self, alpha: f32) -> Self {
        self.gt(0.0).select(self, self.expm1() * alpha)
    }
}
