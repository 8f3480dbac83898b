//! Activation functions.

use super::{functions::Elementwise, unary};
use crate::{
    check::{ErrorCase, Gen, Sample},
    op::{Backward, Op, Outputs, Precision, Shapes, arity},
    ops::{selection::Selection, steps::Steps},
    reference::{Array, Branches, Update},
    special,
    value::{Value, c},
};
use gradus_tensor::{Shape, ShapeError, Tensor};
use std::{
    f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI},
    ops::Range,
};

/// √(2/π), in the approximation of gelu.
const GELU_SCALE: f64 = FRAC_1_SQRT_2 * FRAC_2_SQRT_PI;
/// The weight of the cube in the approximation of gelu.
const GELU_CUBE: f64 = 0.044715;

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
        reference: |x, b| if b.test(x > 0.0) { x } else { 0.0 },
        derivative: |x, y, k| x.positive(),
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
            let at = x.at();
            x.positive().select_where(&at.constant(1.0), &at.constant(slope as f32))
        },
        slope: |x| if x > 0.0 { 1.0 } else { slope },
        samples: -2.0..2.0,
    }

    /// The exponential linear unit (D.-A. Clevert, T. Unterthiner, S. Hochreiter, "Fast and accurate deep network
    /// learning by exponential linear units", 2015); 1 is the usual alpha. At 0 the derivative is alpha.
    elu(alpha in 0.5..2.0) => Elu {
        formula: "y = x where x > 0, else alpha (e^x - 1); dx = g where x > 0, else g (y + alpha)", ulps: 2.5,
        reference: |x, b| if b.test(x > 0.0) { x } else { alpha * x.exp_m1() },
        derivative: |x, y, k| x.positive().select_where(&x.at().constant(1.0), &(k(alpha) + y.clone())),
        slope: |y| if y > 0.0 { 1.0 } else { y + alpha },
        samples: -2.0..2.0,
    }

    /// The Gaussian error linear unit, x Φ(x) with the cumulative normal distribution Φ (D. Hendrycks, K. Gimpel,
    /// "Gaussian error linear units", 2016), in the exact form.
    gelu => Gelu {
        formula: "y = x Φ(x); dx = g (Φ(x) + x Φ'(x))", ulps: 4.0,
        reference: |x, b| 0.5 * x * special::erfc(-x * FRAC_1_SQRT_2),
        derivative: |x, y, k| {
            let density = k(0.5 * GELU_SCALE) * (x.square() * -0.5).exp();
            x.normal_cdf() + x * density
        },
        samples: -3.0..3.0,
    }

    /// The approximation of [`gelu`](Activations::gelu) by the hyperbolic tangent, which many published models use.
    gelu_tanh => GeluTanh {
        formula: "y = x (1 + t) / 2 with t = tanh u, u = √(2/π) (x + 0.044715 x³); \
                  dx = g ((1 + t) / 2 + x (1 - t²) u' / 2)",
        ulps: 16.0,
        reference: |x, b| 0.5 * x * (1.0 + (GELU_SCALE * (x + GELU_CUBE * x.powi(3))).tanh()),
        derivative: |x, y, k| {
            let square = x.square();
            let t = (k(GELU_SCALE) * (x * (k(GELU_CUBE) * square.clone() + 1.0))).tanh();
            let inner = k(GELU_SCALE) * (k(3.0 * GELU_CUBE) * square + 1.0);
            (&t + 1.0) * 0.5 + x * inner * (k(0.5) - t.square() * 0.5)
        },
        samples: -3.0..3.0,
    }

    /// x sigmoid(x), also named swish (P. Ramachandran, B. Zoph, Q. V. Le, "Searching for activation functions",
    /// 2017).
    silu => Silu {
        formula: "y = x s with s = sigmoid(x); dx = g (s + y (1 - s))", ulps: 4.0,
        reference: |x, b| x / (1.0 + (-x).exp()),
        derivative: |x, y, k| {
            let s = x.sigmoid();
            (k(1.0) - s.clone()) * y + s
        },
        samples: -4.0..4.0,
    }

    /// The smooth rectifier ln(1 + e^x), computed as max(x, 0) + ln(1 + e^-|x|): it neither overflows nor cancels.
    softplus => Softplus {
        formula: "y = ln(1 + e^x); dx = g sigmoid(x)", ulps: 4.0,
        reference: |x, b| x.max(0.0) + (-x.abs()).exp().ln_1p(),
        derivative: |x, y, k| x.sigmoid(),
        samples: -4.0..4.0,
    }
}
