//! Functions of one argument, element by element.

use crate::tensor::Tensor;

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident = |$x:ident| $f:expr;)*) => {
        impl Tensor {$(
            $(#[$doc])*
            pub fn $name(&self) -> Tensor {
                self.map_slices(|xs| xs.iter_mut().for_each(|$x| *$x = { let $x = *$x; $f }))
            }
        )*}
    };
}

functions! {
    /// The exponential e^x.
    exp = |x| x.exp();
    /// The natural logarithm.
    log = |x| x.ln();
    /// The square root.
    sqrt = |x| x.sqrt();
    /// The sine, x in radians.
    sin = |x| x.sin();
    /// The cosine, x in radians.
    cos = |x| x.cos();
    /// The hyperbolic tangent.
    tanh = |x| x.tanh();
    /// The logistic function 1 / (1 + e^-x).
    sigmoid = |x| if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { let e = x.exp(); e / (1.0 + e) };
    /// max(x, 0); NaN stays NaN.
    relu = |x| if x < 0.0 { 0.0 } else { x };
    /// |x|.
    abs = |x| x.abs();
    /// 1 where x > 0, else 0.
    positive = |x| if x > 0.0 { 1.0 } else { 0.0 };
    /// The square.
    square = |x| x * x;
    /// -1, 0 or 1 by the sign of x; NaN stays NaN.
    sign = |x| if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { x };
}

impl Tensor {
    /// x^p for each element.
    pub fn powf(&self, p: f32) -> Tensor {
        self.map_slices(|xs| xs.iter_mut().for_each(|x| *x = x.powf(p)))
    }
}
