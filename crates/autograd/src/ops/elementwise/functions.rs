//! Powers, exponentials, logarithms and the like.

use super::unary;
use crate::{
    op::prelude::*,
    ops::{elementwise::special, methods::*},
};
use std::{
    f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, LN_2, LOG2_E, LOG10_E},
    ops::Range,
};

unary! {
    /// Functions of one argument, element by element.
    ///
    /// Each takes any shape and gives the same shape. NaN stays NaN. Where the cotangent is 0 the gradient is 0, even
    /// where the function is infinitely steep.
    Elementwise;

    /// The exponential.
    exp => Exp {
        formula: "y = e^x; dx = g y", ulps: 2.0,
        reference: |x, b| x.exp(),
        derivative: |x, y, k| y,
        samples: -3.0..3.0,
    }

    /// The power of two.
    exp2 => Exp2 {
        formula: "y = 2^x; dx = g y ln 2", ulps: 2.0,
        reference: |x, b| x.exp2(),
        derivative: |x, y, k| k(LN_2) * y.clone(),
        samples: -3.0..3.0,
    }

    /// e^x - 1, exact near 0 where the difference would cancel.
    expm1 => Expm1 {
        formula: "y = e^x - 1; dx = g (y + 1)", ulps: 2.0,
        reference: |x, b| x.exp_m1(),
        derivative: |x, y, k| y + 1.0,
        slope: |y| y + 1.0,
        samples: -3.0..3.0,
    }

    /// The natural logarithm: -inf at 0, NaN below.
    log => Log {
        formula: "y = ln x; dx = g / x", ulps: 2.0,
        reference: |x, b| x.ln(),
        derivative: |x, y, k| k(1.0) / x.clone(),
        slope: |x| 1.0 / x,
        samples: 0.3..3.0,
    }

    /// The logarithm to base 2: -inf at 0, NaN below.
    log2 => Log2 {
        formula: "y = ln x / ln 2; dx = g / (x ln 2)", ulps: 2.0,
        reference: |x, b| x.log2(),
        derivative: |x, y, k| k(LOG2_E) / x.clone(),
        samples: 0.3..3.0,
    }

    /// The logarithm to base 10: -inf at 0, NaN below.
    log10 => Log10 {
        formula: "y = ln x / ln 10; dx = g / (x ln 10)", ulps: 2.0,
        reference: |x, b| x.log10(),
        derivative: |x, y, k| k(LOG10_E) / x.clone(),
        samples: 0.3..3.0,
    }

    /// ln(1 + x), exact near 0 where the sum would round x away: -inf at -1, NaN below.
    log1p => Log1p {
        formula: "y = ln(1 + x); dx = g / (1 + x)", ulps: 2.0,
        reference: |x, b| x.ln_1p(),
        derivative: |x, y, k| k(1.0) / (x + 1.0),
        slope: |x| 1.0 / (1.0 + x),
        samples: -0.6..3.0,
    }

    /// The square root: NaN below 0, infinite slope at 0.
    sqrt => Sqrt {
        formula: "y = √x; dx = g / (2 y)", ulps: 0.5,
        reference: |x, b| x.sqrt(),
        derivative: |x, y, k| k(0.5) / y.clone(),
        slope: |y| 0.5 / y,
        samples: 0.3..3.0,
    }

    /// The cube root, of negative numbers too; infinite slope at 0.
    cbrt => Cbrt {
        formula: "y = ∛x; dx = g / (3 y²)", ulps: 1.0,
        forward: |x| x.cbrt(),
        reference: |x, b| x.cbrt(),
        derivative: |x, y, k| k(1.0 / 3.0) / y.square(),
        samples: 0.3..3.0,
    }

    /// One over the square root: inf at 0, NaN below.
    rsqrt => Rsqrt {
        formula: "y = 1 / √x; dx = -g y / (2 x)", ulps: 2.0,
        reference: |x, b| 1.0 / x.sqrt(),
        derivative: |x, y, k| y / x * -0.5,
        slope: |y| -0.5 * (y * y * y),
        samples: 0.3..3.0,
    }

    /// One over x: ±inf at ±0.
    reciprocal => Reciprocal {
        formula: "y = 1 / x; dx = -g y²", ulps: 0.5,
        reference: |x, b| 1.0 / x,
        derivative: |x, y, k| -y.square(),
        slope: |y| -y * y,
        samples: 0.3..3.0,
    }

    /// The square.
    square => Square {
        formula: "y = x²; dx = 2 g x", ulps: 0.5,
        reference: |x, b| x * x,
        derivative: |x, y, k| x * 2.0,
        slope: |x| 2.0 * x,
        samples: -3.0..3.0,
    }

    /// The power with a constant exponent, `x.powf(3.0)`.
    ///
    /// 0⁰ is 1; a negative base has powers of whole exponents only, others are NaN. At x = 0 the slope is infinite
    /// for p < 1; the exponent 0 gives gradient 0 everywhere. The power with an exponent that learns is
    /// [`pow`](crate::ops::elementwise::Binary::pow).
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var(2.0);
    /// let y = x.powf(3.0);
    /// assert_eq!((y.item(), y.backward()[x].item()), (8.0, 12.0));
    /// ```
    powf(p in -1.5..2.5) => Powf {
        formula: "y = x^p; dx = g p x^(p-1)", ulps: 4.0,
        reference: |x, b| x.powf(p),
        derivative: |x, y, k| match p {
            0.0 => x.place().constant(Tensor::zeros(x.shape())),
            _ => k(p) * V::apply(Powf(p - 1.0), &[x]),
        },
        samples: 0.3..3.0,
    }

    /// The error function.
    erf => Erf {
        formula: "y = 2/√π ∫ e^(-t²) dt from 0 to x; dx = g 2/√π e^(-x²)", ulps: 4.0,
        reference: |x, b| special::erf(x),
        derivative: |x, y, k| k(FRAC_2_SQRT_PI) * (-x.square()).exp(),
        samples: -3.0..3.0,
    }

    /// 1 - erf(x), exact in the tail where the difference would cancel.
    erfc => Erfc {
        formula: "y = 2/√π ∫ e^(-t²) dt from x to ∞; dx = -g 2/√π e^(-x²)", ulps: 1.0,
        forward: |x| special::erfc(x.into()) as f32,
        reference: |x, b| special::erfc(x),
        derivative: |x, y, k| k(-FRAC_2_SQRT_PI) * (-x.square()).exp(),
        samples: -3.0..3.0,
    }

    /// The inverse of the error function: ±inf, and an infinite slope, at -1 and 1; NaN beyond.
    erfinv => Erfinv {
        formula: "y with erf y = x; dx = g √π/2 e^(y²)", ulps: 0.5,
        forward: |x| special::erf_inv(x.into()) as f32,
        reference: |x, b| special::erf_inv(x),
        derivative: |x, y, k| k(1.0 / FRAC_2_SQRT_PI) * y.square().exp(),
        samples: -0.9..0.9,
    }

    /// The cumulative distribution function Φ of the standard normal distribution.
    #[doc(alias = "ndtr")]
    normal_cdf => NormalCdf {
        formula: "y = (1 + erf(x/√2)) / 2; dx = g e^(-x²/2) / √(2π)", ulps: 4.0,
        reference: |x, b| 0.5 * special::erfc(-x * FRAC_1_SQRT_2),
        derivative: |x, y, k| k(0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI) * (x.square() * -0.5).exp(),
        samples: -3.0..3.0,
    }

    /// The logarithm of the gamma function's magnitude; inf at its poles, 0 and the negative whole numbers, and at ±inf.
    lgamma => Lgamma {
        formula: "y = ln |Γ(x)|; dx = g ψ(x)", ulps: 0.5,
        forward: |x| special::ln_gamma(x.into()) as f32,
        reference: |x, b| special::ln_gamma(x),
        derivative: |x, y, k| x.digamma(),
        samples: 0.3..4.0,
    }

    /// The absolute value; its derivative at 0 is 0.
    abs => Abs {
        formula: "y = |x|; dx = g sign x", ulps: 0.0,
        reference: |x, b| match b.choose(if x > 0.0 { 2 } else if x < 0.0 { 0 } else { 1 }) {
            2 => x,
            0 => -x,
            _ => 0.0 * x, // flat at 0, as the derivative there; NaN stays
        },
        derivative: |x, y, k| x.sign(),
        slope: |x| if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { x },
        samples: -2.0..2.0,
    }

    /// The nearest value between two bounds; `high` wins where `low` lies above it.
    ///
    /// The gradient passes from one bound to the other, both included: what lies on a bound may still leave it. (PyTorch
    /// passes none on the bounds.)
    clamp(low in -1.5..-0.5, high in 0.5..1.5) => Clamp {
        formula: "y = min(max(x, low), high); dx = g where low ≤ x ≤ high, else 0", ulps: 0.0,
        reference: |x, b| match b.choose(if x > high { 2 } else if x < low { 1 } else { 0 }) {
            0 => x,
            1 => low,
            _ => high,
        },
        derivative: |x, y, k| y.equals(x),
        slope: |x| if (low..=high).contains(&x) { 1.0 } else { 0.0 },
        samples: -2.0..2.0,
    }
}
