//! The elementary functions as formulas for [`map`](super::map::map) and [`zip`](super::map::zip).

use super::map::UnaryFn;
use crate::simd::{Lane, Simd};

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
    /// tanh x
    Tanh = tanh;
    /// 1 / (1 + e⁻ˣ)
    Sigmoid = sigmoid;
    /// √x
    Sqrt = sqrt;
    /// max(0, x)
    Relu = relu;
    /// |x|
    Abs = abs;
    /// The greatest whole number that is not greater.
    Floor = floor;
    /// The least whole number that is not less.
    Ceil = ceil;
    /// The nearest whole number, half to even.
    Round = round;
    /// The whole part.
    Trunc = trunc;
}
