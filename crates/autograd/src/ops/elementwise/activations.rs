//! Activation functions.

use super::unary;
use crate::{
    op::prelude::*,
    ops::{elementwise::special, methods::*},
};
use std::{
    f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI},
    ops::Range,
};

/// √(2/π), in the approximation of gelu.
const GELU_SCALE: f64 = FRAC_1_SQRT_2 * FRAC_2_SQRT_PI;
/// The weight of the cube in the approximation of gelu.
const GELU_CUBE: f64 = 0.044715;

/// x times a gate that closes where x is very negative: 0, the limit, where it is closed, at -∞ too.
fn gated(x: f64, gate: f64) -> f64 {
    if gate == 0.0 { 0.0 } else { x * gate }
}

unary! {
    /// Activation functions, element by element.
    ///
    /// Each takes any shape and gives the same shape. Where the cotangent is 0 the gradient is 0.
    Activations;

    /// The logistic function, between 0 and 1.
    sigmoid => Sigmoid {
        formula: "y = 1 / (1 + e^-x); dx = g y (1 - y)", ulps: 4.0,
        reference: |x, b| 1.0 / (1.0 + (-x).exp()),
        derivative: |x, y, k| (k(1.0) - y.clone()) * y,
        slope: |y| y * (1.0 - y),
        samples: -4.0..4.0,
    }

    /// The hyperbolic tangent, between -1 and 1.
    tanh => Tanh {
        formula: "y = tanh x; dx = g (1 - y²)", ulps: 4.0,
        reference: |x, b| x.tanh(),
        derivative: |x, y, k| (k(1.0) - y.clone()) * (y + 1.0),
        slope: |y| (1.0 - y) * (1.0 + y),
        samples: -3.0..3.0,
    }

    /// The rectifier; its derivative at 0 is 0, as in the book.
    relu => Relu {
        formula: "y = max(x, 0); dx = g where x > 0, else 0", ulps: 0.0,
        reference: |x, b| if b.test(x > 0.0) || x.is_nan() { x } else { 0.0 },
        derivative: |x, y, k| x.is_positive(),
        slope: |x| if x > 0.0 { 1.0 } else { 0.0 },
        samples: -2.0..2.0,
    }

    /// The rectifier that lets a part of the negative side through (A. L. Maas, A. Y. Hannun, A. Y. Ng, "Rectifier
    /// nonlinearities improve neural network acoustic models", 2013); 0.01 is the usual slope. At 0 the derivative
    /// is the slope.
    leaky_relu(slope in 0.01..0.5) => LeakyRelu {
        formula: "y = x where x > 0, else slope x; dx = g where x > 0, else slope g", ulps: 0.5,
        reference: |x, b| if b.test(x > 0.0) { x } else { slope * x },
        derivative: |x, y, k| {
            let at = x.place();
            x.is_positive().select_where(&at.constant(1.0), &at.constant(slope as f32))
        },
        slope: |x| if x > 0.0 { 1.0 } else { slope },
        samples: -2.0..2.0,
    }

    /// The exponential linear unit (D.-A. Clevert, T. Unterthiner, S. Hochreiter, "Fast and accurate deep network
    /// learning by exponential linear units", 2015); 1 is the usual alpha. At 0 the derivative is alpha.
    elu(alpha in 0.5..2.0) => Elu {
        formula: "y = x where x > 0, else alpha (e^x - 1); dx = g where x > 0, else g (y + alpha)", ulps: 2.5,
        reference: |x, b| if b.test(x > 0.0) { x } else { alpha * x.exp_m1() },
        derivative: |x, y, k| x.is_positive().select_where(&x.place().constant(1.0), &(k(alpha) + y.clone())),
        slope: |y| if y > 0.0 { 1.0 } else { y + alpha },
        samples: -2.0..2.0,
    }

    /// The Gaussian error linear unit, x Φ(x) with the cumulative normal distribution Φ (D. Hendrycks, K. Gimpel,
    /// "Gaussian error linear units", 2016), in the exact form.
    gelu => Gelu {
        formula: "y = x Φ(x); dx = g (Φ(x) + x Φ'(x))", ulps: 4.0,
        reference: |x, b| gated(x, 0.5 * special::erfc(-x * FRAC_1_SQRT_2)),
        derivative: |x, y, k| {
            let density = k(0.5 * GELU_SCALE) * (x.square() * -0.5).exp();
            x.normal_cdf() + x.strong_mul(&density)
        },
        gradient: Tensor::into_gelu_grad,
        samples: -3.0..3.0,
    }

    /// The approximation of [`gelu`](Activations::gelu) by the hyperbolic tangent, which many published models use.
    gelu_tanh => GeluTanh {
        formula: "y = x (1 + t) / 2 with t = tanh u, u = √(2/π) (x + 0.044715 x³); \
                  dx = g ((1 + t) / 2 + x (1 - t²) u' / 2)",
        ulps: 16.0,
        // (1 + tanh u) / 2 = 1 / (1 + e^-2u), which does not cancel.
        reference: |x, b| gated(x, 1.0 / (1.0 + (-2.0 * GELU_SCALE * (x + GELU_CUBE * x.powi(3))).exp())),
        derivative: |x, y, k| {
            // (1 + t) / 2 is the logistic function of 2u, and does not cancel.
            let square = x.square();
            let z = k(2.0 * GELU_SCALE) * (x * (k(GELU_CUBE) * square.clone() + 1.0));
            let change = k(2.0 * GELU_SCALE) * (x * (k(3.0 * GELU_CUBE) * square + 1.0));
            let s = z.sigmoid();
            change.strong_mul(&((-z).sigmoid() * s.clone())) + s
        },
        gradient: Tensor::into_gelu_tanh_grad,
        samples: -3.0..3.0,
    }

    /// x sigmoid(x), also named swish (P. Ramachandran, B. Zoph, Q. V. Le, "Searching for activation functions",
    /// 2017).
    silu => Silu {
        formula: "y = x s with s = sigmoid(x); dx = g (s + y (1 - s))", ulps: 4.0,
        reference: |x, b| gated(x, 1.0 / (1.0 + (-x).exp())),
        derivative: |x, y, k| {
            let s = x.sigmoid();
            (k(1.0) - s.clone()).strong_mul(y) + s
        },
        gradient: Tensor::into_silu_grad,
        samples: -4.0..4.0,
    }

    /// The smooth rectifier ln(1 + e^x), computed as max(x, 0) + ln(1 + e^-|x|): it neither overflows nor cancels.
    softplus => Softplus {
        formula: "y = ln(1 + e^x); dx = g sigmoid(x)", ulps: 4.0,
        reference: |x, b| x.max(0.0) + (-x.abs()).exp().ln_1p(),
        derivative: |x, y, k| x.sigmoid(),
        samples: -4.0..4.0,
    }

    /// [`softplus`](Activations::softplus) made steeper or flatter by `beta`, and x itself where beta x is beyond `threshold`:
    /// PyTorch's `F.softplus(x, beta, threshold)`, where they are 1 and 20 as a rule. From 20 on f32 does not see the
    /// difference to x; a lower threshold is a step, over which the gradient does not reach. An infinite one leaves the smooth
    /// function.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([0.0, 1.0, 11.0]);
    /// let y = x.softplus_with(2.0, 20.0);
    /// assert_eq!(y.to_vec(), [2f32.ln() / 2.0, (1.0 + 2f32.exp()).ln() / 2.0, 11.0]);
    /// ```
    softplus_with(beta in 0.5..2.0, threshold in 1.0..3.0) => SoftplusWith {
        formula: "y = ln(1 + e^(beta x)) / beta, x where beta x > threshold; dx = g sigmoid(beta x), g there", ulps: 8.0,
        reference: |x, b| if b.test(beta * x > threshold) { x } else {
            ((beta * x).max(0.0) + (-(beta * x).abs()).exp().ln_1p()) / beta
        },
        derivative: |x, y, k| {
            let z = x * beta as f32;
            z.gt(threshold as f32).select_where(&x.place().constant(1.0), &z.sigmoid())
        },
        samples: -4.0..4.0,
    }

    /// x tanh(softplus(x)) (D. Misra, "Mish: a self regularized non-monotonic activation function", 2019).
    mish => Mish {
        formula: "y = x t with t = tanh(ln(1 + e^x)); dx = g (t + x (1 - t²) sigmoid(x))", ulps: 4.0,
        reference: |x, b| gated(x, (x.max(0.0) + (-x.abs()).exp().ln_1p()).tanh()),
        derivative: |x, y, k| {
            let t = x.softplus().tanh();
            (k(1.0) - t.square()).strong_mul(x).strong_mul(&x.sigmoid()) + t
        },
        samples: -4.0..4.0,
    }

    /// The exponential linear unit whose slope is 1 at 0 for every alpha (J. T. Barron, "Continuously differentiable
    /// exponential linear units", 2017).
    celu(alpha in 0.5..2.0) => Celu {
        formula: "y = x where x > 0, else alpha (e^(x/alpha) - 1); dx = g where x > 0, else g (y/alpha + 1)", ulps: 2.5,
        forward: |x| if x > 0.0 { x } else { alpha * (x / alpha).exp_m1() },
        reference: |x, b| if b.test(x > 0.0) { x } else { alpha * (x / alpha).exp_m1() },
        derivative: |x, y, k| x.is_positive().select_where(&x.place().constant(1.0), &(y / alpha as f32 + 1.0)),
        slope: |y| if y > 0.0 { 1.0 } else { y / alpha + 1.0 },
        samples: -2.0..2.0,
    }

    /// x over 1 + |x|: between -1 and 1 like tanh, with longer tails.
    softsign => Softsign {
        formula: "y = x / (1 + |x|); dx = g / (1 + |x|)²", ulps: 1.5,
        forward: |x| if x.is_infinite() { x.signum() } else { x / (1.0 + x.abs()) },
        reference: |x, b| match b.test(x > 0.0) {
            _ if x.is_infinite() => x.signum(),
            true => x / (1.0 + x),
            false => x / (1.0 - x),
        },
        derivative: |x, y, k| k(1.0) / (x.abs() + 1.0).square(),
        slope: |x| 1.0 / ((1.0 + x.abs()) * (1.0 + x.abs())),
        samples: -2.0..2.0,
    }

    /// x - tanh(x), exact where the two nearly cancel.
    tanhshrink => Tanhshrink {
        formula: "y = x - tanh x; dx = g tanh² x", ulps: 1.0,
        forward: |x| (f64::from(x) - f64::from(x).tanh()) as f32,
        reference: |x, b| x - x.tanh(),
        derivative: |x, y, k| x.tanh().square(),
        samples: -3.0..3.0,
    }

    /// x between two bounds, and the bounds beyond. At the bounds the derivative is 0, as in PyTorch; that of
    /// [`clamp`](crate::ops::elementwise::Elementwise::clamp), which is the same function, is 1 there.
    hardtanh(low in -1.5..-0.5, high in 0.5..1.5) => Hardtanh {
        formula: "y = min(max(x, low), high); dx = g where low < x < high, else 0", ulps: 0.0,
        forward: |x| if x.is_nan() { x } else { x.max(low).min(high) },
        reference: |x, b| match b.choose(if x >= high { 2 } else if x <= low { 1 } else { 0 }) {
            0 => x,
            1 => low,
            _ => high,
        },
        derivative: |x, y, k| x.gt(low as f32) * x.lt(high as f32),
        slope: |x| if x > low && x < high { 1.0 } else { 0.0 },
        samples: -2.0..2.0,
    }
}
