//! Functions of one argument, element by element.

use crate::{array::Tensor, kernels::functions};

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident = $Function:ident;)*) => {
        impl Tensor {$(
            $(#[$doc])*
            pub fn $name(&self) -> Tensor {
                self.unary(functions::$Function)
            }
        )*}
    };
}

methods! {
    /// e^x.
    exp = Exp;
    /// 2^x.
    exp2 = Exp2;
    /// e^x - 1, exact to the last digits near 0.
    expm1 = Expm1;
    /// The natural logarithm: -inf at 0, NaN below.
    log = Log;
    /// The logarithm to base 2.
    log2 = Log2;
    /// The logarithm to base 10.
    log10 = Log10;
    /// ln(1 + x), exact to the last digits near 0.
    log1p = Log1p;
    /// The square root; NaN below 0.
    sqrt = Sqrt;
    /// 1 / √x.
    rsqrt = Rsqrt;
    /// 1 / x.
    reciprocal = Recip;
    /// x².
    square = Square;
    /// The sine, x in radians.
    sin = Sin;
    /// The cosine, x in radians.
    cos = Cos;
    /// The tangent, x in radians.
    tan = Tan;
    /// The arcsine in radians; NaN outside -1..=1.
    asin = Asin;
    /// The arccosine in radians; NaN outside -1..=1.
    acos = Acos;
    /// The arctangent in radians.
    atan = Atan;
    /// The hyperbolic sine.
    sinh = Sinh;
    /// The hyperbolic cosine.
    cosh = Cosh;
    /// The hyperbolic tangent.
    tanh = Tanh;
    /// The inverse hyperbolic sine.
    asinh = Asinh;
    /// The inverse hyperbolic cosine; NaN below 1.
    acosh = Acosh;
    /// The inverse hyperbolic tangent; NaN outside -1..=1.
    atanh = Atanh;
    /// The error function, 2/√π ∫ e^-t² dt from 0 to x.
    erf = Erf;
    /// Φ(x), the distribution function of the standard normal distribution.
    normal_cdf = NormalCdf;
    /// The logistic function 1 / (1 + e^-x).
    sigmoid = Sigmoid;
    /// x Φ(x), with Φ the distribution function of the standard normal distribution.
    gelu = Gelu;
    /// The approximation of gelu by tanh.
    gelu_tanh = GeluTanh;
    /// x sigmoid(x).
    silu = Silu;
    /// ln(1 + e^x).
    softplus = Softplus;
    /// x tanh(softplus(x)).
    mish = Mish;
    /// max(x, 0); NaN stays NaN.
    relu = Relu;
    /// |x|.
    abs = Abs;
    /// 1 where x > 0, else 0.
    is_positive = IsPositive;
    /// -1, 0 or 1 by the sign of x; NaN stays NaN.
    sign = Sign;
    /// The greatest whole number not above x.
    floor = Floor;
    /// The least whole number not below x.
    ceil = Ceil;
    /// The nearest whole number, the even one of two.
    round = Round;
    /// x without its fraction.
    trunc = Trunc;
}

impl Tensor {
    /// x^p for each element.
    pub fn powf(&self, p: f32) -> Tensor {
        self.with_scalar(p, functions::Pow)
    }

    /// The nearest value between two bounds; `high` wins where `low` lies above it. NaN stays NaN.
    pub fn clamp(&self, low: f32, high: f32) -> Tensor {
        self.unary(functions::Clamp(low, high))
    }

    /// x where x > 0, else `slope` x.
    pub fn leaky_relu(&self, slope: f32) -> Tensor {
        self.unary(functions::LeakyRelu(slope))
    }

    /// x where x > 0, else `alpha` (e^x - 1).
    pub fn elu(&self, alpha: f32) -> Tensor {
        self.unary(functions::Elu(alpha))
    }
}
