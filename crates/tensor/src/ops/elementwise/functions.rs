//! Functions of one argument, and of two, element by element: formulas, and the methods of tensors that apply them.

use crate::{
    array::Tensor,
    kernels::map::{BinaryFn, UnaryFn},
    simd::{Lane, Simd},
};
use std::ops::Neg as _;

/// Declares formulas in one number. A row gives the method of [`Tensor`], which is also the method of [`Lane`] that
/// computes it, the name of the formula, and its constants.
macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident = $Formula:ident $(($($constant:ident),*))?;)*) => {
        $(formula!($Formula $(($($constant),*))? = $name);)*

        impl Tensor {$(
            $(#[$doc])*
            #[track_caller]
            pub fn $name(&self $($(, $constant: f32)*)?) -> Tensor {
                self.unary(stringify!($name), $Formula $(($($constant),*))?)
            }
        )*}
    };
}

macro_rules! formula {
    ($Formula:ident $(($($constant:ident),*))? = $name:ident) => {
        #[doc = concat!("[`Lane::", stringify!($name), "`]")]
        #[derive(Clone, Copy, Debug)]
        pub struct $Formula $(($(#[doc = concat!("`", stringify!($constant), "`")] pub formula!(@f32 $constant)),*))?;

        impl UnaryFn for $Formula {
            #[inline(always)]
            fn eval<S: Simd>(self, x: Lane<S>) -> Lane<S> {
                $(let $Formula($($constant),*) = self;)?
                x.$name($($($constant),*)?)
            }
        }
    };
    (@f32 $constant:ident) => { f32 };
}

unary! {
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
    reciprocal = Reciprocal;
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
    /// ln(1 + e^(`beta` x)) / `beta`, and x where `beta` x > `threshold`.
    softplus_with = SoftplusWith(beta, threshold);
    /// x tanh(softplus(x)).
    mish = Mish;
    /// max(x, 0); NaN stays NaN.
    relu = Relu;
    /// x where x > 0, else `slope` x.
    leaky_relu = LeakyRelu(slope);
    /// x where x > 0, else `alpha` (e^x - 1).
    elu = Elu(alpha);
    /// The nearest value between two bounds; `high` wins where `low` lies above it. NaN stays NaN.
    clamp = Clamp(low, high);
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

// Negation is an operator of tensors.
formula!(Neg = neg);

/// Declares gradients of functions in one number. A row gives the method of [`Tensor`], its formula's name, and the method
/// of [`Lane`] that computes the derivative.
macro_rules! gradients {
    ($($(#[$doc:meta])* $name:ident = $Formula:ident: $slope:ident;)*) => {
        $(
            #[doc = concat!("A cotangent times [`Lane::", stringify!($slope), "`]")]
            #[derive(Clone, Copy, Debug)]
            pub struct $Formula;

            impl BinaryFn for $Formula {
                #[inline(always)]
                fn eval<S: Simd>(self, g: Lane<S>, x: Lane<S>) -> Lane<S> {
                    // A zero sends zero back, whatever the slope is.
                    g.eq(0.0).select(0.0, g * x.$slope())
                }
            }
        )*

        impl Tensor {$(
            $(#[$doc])*
            ///
            /// This tensor is g, whose memory the result takes where nobody shares it. Where g is 0, so is the result.
            ///
            /// # Panics
            /// When the shapes differ.
            ///
            /// ```
            /// # use gradus_tensor::Tensor;
            /// let (g, x) = (Tensor::from([2.0, 0.0]), Tensor::from([0.0, 5.0]));
            #[doc = concat!("assert_eq!(g.", stringify!($name), "(&x).to_vec(), [1.0, 0.0]);")]
            /// ```
            #[track_caller]
            pub fn $name(self, x: &Tensor) -> Tensor {
                let op = stringify!($name);
                assert!(self.shape() == x.shape(), "{op}: shapes {} and {} differ", self.shape(), x.shape());
                match x.operand_for(self.shape()) {
                    Some(x) if self.is_reusable() => self.into_binary(x, $Formula),
                    _ => self.binary(op, x, $Formula),
                }
            }
        )*}
    };
}

gradients! {
    /// The gradient by x of [`gelu`](Tensor::gelu): g (Φ(x) + x Φ'(x)).
    into_gelu_grad = GeluGrad: gelu_slope;
    /// The gradient by x of [`gelu_tanh`](Tensor::gelu_tanh): g (s + x s (1 - s) z'), where x s is the function, s the
    /// logistic function of z.
    into_gelu_tanh_grad = GeluTanhGrad: gelu_tanh_slope;
    /// The gradient by x of [`silu`](Tensor::silu): g (s + x s (1 - s)) with s = sigmoid(x).
    into_silu_grad = SiluGrad: silu_slope;
}

/// Declares formulas in two numbers.
macro_rules! binary {
    ($($Formula:ident = |$a:ident, $b:ident| $formula:expr;)*) => {$(
        #[doc = concat!("`", stringify!($formula), "`")]
        #[derive(Clone, Copy, Debug)]
        pub struct $Formula;

        impl BinaryFn for $Formula {
            #[inline(always)]
            fn eval<S: Simd>(self, $a: Lane<S>, $b: Lane<S>) -> Lane<S> {
                $formula
            }
        }
    )*};
}

binary! {
    Add = |a, b| a + b;
    Sub = |a, b| a - b;
    Mul = |a, b| a * b;
    Div = |a, b| a / b;
    Pow = |a, b| a.pow(b);
    Maximum = |a, b| a.maximum(b);
    Minimum = |a, b| a.minimum(b);
}

impl Tensor {
    /// x^p for each element.
    #[track_caller]
    pub fn powf(&self, p: f32) -> Tensor {
        self.with_scalar("powf", p, Pow)
    }

    /// The larger of two elements, NaN where either is NaN; the shapes broadcast.
    ///
    /// # Panics
    /// When they do not.
    #[track_caller]
    pub fn maximum(&self, other: &Tensor) -> Tensor {
        self.binary("maximum", other, Maximum)
    }

    /// The smaller of two elements, NaN where either is NaN; the shapes broadcast.
    ///
    /// # Panics
    /// When they do not.
    #[track_caller]
    pub fn minimum(&self, other: &Tensor) -> Tensor {
        self.binary("minimum", other, Minimum)
    }
}
