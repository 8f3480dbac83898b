//! The elementary functions as formulas for [`map`](super::map::map) and [`zip`](super::map::zip).

use super::map::{BinaryFn, UnaryFn};
use crate::simd::{Lane, Simd};
use std::ops::Neg as _;

/// Declares formulas in one number that are methods of [`Lane`], with their constants as fields.
macro_rules! unary {
    ($($(#[$doc:meta])* $Name:ident $(($($field:ident),*))? = $method:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $Name $(($(#[doc = concat!("The constant `", stringify!($field), "`.")] pub unary!(@f32 $field)),*))?;

        impl UnaryFn for $Name {
            #[inline(always)]
            fn eval<S: Simd>(self, x: Lane<S>) -> Lane<S> {
                $(let $Name($($field),*) = self;)?
                x.$method($($($field),*)?)
            }
        }
    )*};
    (@f32 $field:ident) => { f32 };
}

unary! {
    /// eˣ
    Exp = exp;
    /// 2ˣ
    Exp2 = exp2;
    /// eˣ - 1
    Expm1 = expm1;
    /// ln x
    Log = log;
    /// log₂ x
    Log2 = log2;
    /// log₁₀ x
    Log10 = log10;
    /// ln(1 + x)
    Log1p = log1p;
    /// √x
    Sqrt = sqrt;
    /// 1 / √x
    Rsqrt = rsqrt;
    /// 1 / x
    Recip = recip;
    /// x²
    Square = square;
    /// sin x
    Sin = sin;
    /// cos x
    Cos = cos;
    /// tan x
    Tan = tan;
    /// arcsin x
    Asin = asin;
    /// arccos x
    Acos = acos;
    /// arctan x
    Atan = atan;
    /// sinh x
    Sinh = sinh;
    /// cosh x
    Cosh = cosh;
    /// tanh x
    Tanh = tanh;
    /// arsinh x
    Asinh = asinh;
    /// arcosh x
    Acosh = acosh;
    /// artanh x
    Atanh = atanh;
    /// The error function.
    Erf = erf;
    /// Φ(x), the cumulative distribution of the standard normal distribution.
    NormalCdf = normal_cdf;
    /// 1 / (1 + e⁻ˣ)
    Sigmoid = sigmoid;
    /// x Φ(x)
    Gelu = gelu;
    /// The approximation of gelu by tanh.
    GeluTanh = gelu_tanh;
    /// x sigmoid(x)
    Silu = silu;
    /// ln(1 + eˣ)
    Softplus = softplus;
    /// x tanh(softplus(x))
    Mish = mish;
    /// max(0, x)
    Relu = relu;
    /// x where positive, else slope · x.
    LeakyRelu(slope) = leaky_relu;
    /// x where positive, else alpha (eˣ - 1).
    Elu(alpha) = elu;
    /// -x
    Neg = neg;
    /// |x|
    Abs = abs;
    /// 1 or -1 with the sign of x; zero and NaN stay as they are.
    Sign = sign;
    /// The greatest whole number that is not greater.
    Floor = floor;
    /// The least whole number that is not less.
    Ceil = ceil;
    /// The nearest whole number, half to even.
    Round = round;
    /// The whole part.
    Trunc = trunc;
}

/// The nearest value between two bounds, of which the second wins; neither may be NaN.
#[derive(Clone, Copy, Debug)]
pub struct Clamp(
    /// The lower bound.
    pub f32,
    /// The upper bound.
    pub f32,
);

impl UnaryFn for Clamp {
    #[inline(always)]
    fn eval<S: Simd>(self, x: Lane<S>) -> Lane<S> {
        x.at_least(self.0).at_most(self.1)
    }
}

/// 1 where x > 0, else 0.
#[derive(Clone, Copy, Debug)]
pub struct IsPositive;

impl UnaryFn for IsPositive {
    #[inline(always)]
    fn eval<S: Simd>(self, x: Lane<S>) -> Lane<S> {
        x.gt(0.0).select(1.0, 0.0)
    }
}

/// Declares formulas in two numbers.
macro_rules! binary {
    ($($(#[$doc:meta])* $Name:ident = |$a:ident, $b:ident| $formula:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $Name;

        impl BinaryFn for $Name {
            #[inline(always)]
            fn eval<S: Simd>(self, $a: Lane<S>, $b: Lane<S>) -> Lane<S> {
                $formula
            }
        }
    )*};
}

binary! {
    /// a + b
    Add = |a, b| a + b;
    /// a - b
    Sub = |a, b| a - b;
    /// a · b
    Mul = |a, b| a * b;
    /// a / b
    Div = |a, b| a / b;
    /// a to the power b.
    Pow = |a, b| a.pow(b);
    /// The greater, NaN where either is NaN.
    Maximum = |a, b| a.maximum(b);
    /// The lesser, NaN where either is NaN.
    Minimum = |a, b| a.minimum(b);
}
