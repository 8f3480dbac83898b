//! Functions of one argument, element by element.

use crate::tensor::Tensor;

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident $(($($p:ident),+))? = |$x:ident| $f:expr;)*) => {
        impl Tensor {$(
            $(#[$doc])*
            pub fn $name(&self $($(, $p: f32)+)?) -> Tensor {
                self.map_slices(|xs| xs.iter_mut().for_each(|$x| *$x = { let $x = *$x; $f }))
            }
        )*}
    };
}

functions! {
    /// The exponential e^x.
    exp = |x| x.exp();
    /// e^x - 1.
    expm1 = |x| x.exp_m1();
    /// The natural logarithm.
    log = |x| x.ln();
    /// ln(1 + x).
    log1p = |x| x.ln_1p();
    /// The square root.
    sqrt = |x| x.sqrt();
    /// 1 / √x.
    rsqrt = |x| 1.0 / x.sqrt();
    /// 1 / x.
    reciprocal = |x| 1.0 / x;
    /// The square.
    square = |x| x * x;
    /// x^p.
    powf(p) = |x| x.powf(p);
    /// The sine, x in radians.
    sin = |x| x.sin();
    /// The cosine, x in radians.
    cos = |x| x.cos();
    /// The tangent, x in radians.
    tan = |x| x.tan();
    /// The hyperbolic sine.
    sinh = |x| x.sinh();
    /// The hyperbolic cosine.
    cosh = |x| x.cosh();
    /// The hyperbolic tangent.
    tanh = |x| x.tanh();
    /// The error function.
    erf = |x| erf(x.into()) as f32;
    /// The cumulative distribution function of the standard normal distribution.
    normal_cdf = |x| normal_cdf(x.into()) as f32;
    /// The logistic function 1 / (1 + e^-x).
    sigmoid = |x| if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { let e = x.exp(); e / (1.0 + e) };
    /// max(x, 0); NaN stays NaN.
    relu = |x| if x < 0.0 { 0.0 } else { x };
    /// x where x > 0, else slope x.
    leaky_relu(slope) = |x| if x > 0.0 { x } else { slope * x };
    /// x where x > 0, else alpha (e^x - 1).
    elu(alpha) = |x| if x > 0.0 { x } else { alpha * x.exp_m1() };
    /// x Φ(x), with the cumulative normal distribution Φ.
    gelu = |x| { let x = f64::from(x); (x * normal_cdf(x)) as f32 };
    /// The approximation of gelu by tanh; (1 + tanh u) / 2 is written as the sigmoid of 2u, which does not cancel.
    gelu_tanh = |x| x / (1.0 + (-1.595_769_2 * (x + 0.044715 * x * x * x)).exp());
    /// x sigmoid(x).
    silu = |x| x / (1.0 + (-x).exp());
    /// ln(1 + e^x).
    softplus = |x| if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() };
    /// |x|.
    abs = |x| x.abs();
    /// The nearest value between two bounds; `high` wins where `low` lies above it. NaN stays NaN.
    clamp(low, high) = |x| { let x = if x < low { low } else { x }; if x > high { high } else { x } };
    /// 1 where x > 0, else 0.
    positive = |x| if x > 0.0 { 1.0 } else { 0.0 };
    /// -1, 0 or 1 by the sign of x; NaN stays NaN.
    sign = |x| if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { x };
}

/// The error function: its Maclaurin series near 0, 1 - erfc elsewhere.
fn erf(x: f64) -> f64 {
    if x.abs() > 0.5 {
        return x.signum() * (1.0 - erfc_positive(x.abs()));
    }
    let (mut power, mut sum) = (x, x);
    for n in 1..10 {
        power *= -x * x / n as f64;
        sum += power / (2 * n + 1) as f64;
    }
    std::f64::consts::FRAC_2_SQRT_PI * sum
}

fn normal_cdf(x: f64) -> f64 {
    let u = x * std::f64::consts::FRAC_1_SQRT_2;
    if u < -0.5 { 0.5 * erfc_positive(-u) } else { 0.5 + 0.5 * erf(u) }
}

/// 1 - erf(x) for x ≥ 0 to a relative 1.2e-7: W. H. Press et al., "Numerical Recipes", 6.2.
fn erfc_positive(x: f64) -> f64 {
    const C: [f64; 10] = [
        -1.26551223,
        1.00002368,
        0.37409196,
        0.09678418,
        -0.18628806,
        0.27886807,
        -1.13520398,
        1.48851587,
        -0.82215223,
        0.17087277,
    ];
    let t = 1.0 / (1.0 + 0.5 * x);
    t * (-x * x + C.iter().rev().fold(0.0, |sum, c| sum * t + c)).exp()
}
