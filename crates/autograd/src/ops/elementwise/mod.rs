//! Functions of one argument, element by element: one row of a table each.

mod activations;
mod binary;
mod comparison;
mod composed;
mod families;
mod functions;
pub(crate) mod special;
mod trigonometric;

pub use activations::*;
pub use binary::*;
pub use comparison::*;
pub use composed::Composed;
pub use families::{Families, Polygamma, Sinc};
pub use functions::*;
pub use trigonometric::*;

use crate::op::prelude::*;
use std::borrow::Borrow;

/// One step of the chain rule. A zero cotangent sends zero back however steep the function is: a branch that was not
/// taken stays out of the gradient even at an infinite slope.
fn chain<V: Value>(cotangent: &V, slope: impl Borrow<V>) -> V {
    cotangent.strong_mul(slope.borrow())
}

/// A table of functions: the trait of their methods, and one operation a row. A row names its parameters, each with
/// the range that samples draw it from, and the operation, and gives
/// - the formula as text, and the precision of the kernel in ulps;
/// - `forward`, where `Tensor` has no kernel: the function on f32s;
/// - `reference`: the function in f64, asking `b` where the value of x decides the branch;
/// - `derivative`: dy/dx from x and y. Its tokens are read over `V: Value`; `k` makes a scalar of a number;
/// - `slope`, where one pass is worth it: the derivative in f32, from x or y, for a fused backward; or `gradient`, the same as
///   a kernel of `Tensor`, from the cotangent and x;
/// - the range that samples of x are drawn from.
///
/// Without `forward` it is the method of `Tensor` with the row's name. For `tanh` the row expands to a unit struct `Tanh`, its
/// `impl Pointwise`, and a method `tanh` in the trait.
macro_rules! unary {
    (
        $(#[$about:meta])*
        $Trait:ident;
        $(
            $(#[$doc:meta])*
            $name:ident $(($($p:ident in $drawn:expr),+))? => $Op:ident {
                formula: $formula:literal, ulps: $ulps:literal,
                $(forward: |$f:ident| $forward:expr,)?
                reference: |$x:ident, $b:ident| $reference:expr,
                derivative: |$dx:ident, $dy:ident, $k:ident| $derivative:expr,
                $(slope: |$v:ident| $slope:expr,)?
                $(gradient: Tensor::$gradient:ident,)?
                samples: $samples:expr $(,)?
            }
        )*
    ) => {
        $(#[$about])*
        pub trait $Trait: Value {$(
            $(#[$doc])*
            #[doc = ""]
            #[doc = concat!("`", $formula, "`")]
            #[track_caller]
            fn $name(&self $($(, $p: f32)+)?) -> Self {
                Self::apply($Op $(($($p.into()),+))?, &[self])
            }
        )*}

        impl<V: Value> $Trait for V {}

        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $Op $((
                $(#[doc = concat!("The parameter `", stringify!($p), "`.")] pub f64),+
            ))?;

            impl Pointwise for $Op {
                const NAME: &'static str = stringify!($name);
                const FORMULA: &'static str = $formula;
                const PRECISION: Precision = Precision::Ulps($ulps);

                fn forward(&self, inputs: &[&Tensor]) -> Tensor {
                    let $Op $(($($p),+))? = *self;
                    $($(let $p = $p as f32;)+)?
                    unary!(@forward inputs[0], $name [$($($p),+)?] $(|$f| $forward)?)
                }

                #[allow(unused)]
                fn backward<V: Value>(&self, cx: &mut Backward<'_, V>) {
                    let $Op $(($($p),+))? = *self;
                    let $k = |scalar: f64| c(scalar);
                    let ([$dx], $dy, g) = (cx.inputs(), cx.output(), cx.cotangent());
                    cx.add(0, || super::chain(&g, $derivative));
                }

                #[allow(unused)]
                fn backward_fused(&self, cx: &mut Backward<'_, Tensor>) {
                    let $Op $(($($p),+))? = *self;
                    $($(let $p = $p as f32;)+)?
                    unary!(@fused self, cx, $dx, $dy $(, |$v| $slope)? $(, Tensor::$gradient)?);
                }

                #[allow(unused)]
                fn reference(&self, x: &[f64], $b: &mut Branches<'_>) -> f64 {
                    let ($Op $(($($p),+))?, $x) = (*self, x[0]);
                    $reference
                }

                fn samples(g: &mut Gen) -> Vec<Sample> {
                    let shape = g.shape();
                    let range: Range<f32> = $samples;
                    let x = g.values(shape, range.start, range.end);
                    $($(let $p: Range<f32> = $drawn;)+)?
                    let op = $Op $(($(g.rng().uniform($p.start, $p.end).into()),+))?;
                    vec![Sample::new(op, [x])]
                }
            }
        )*
    };
    (@forward $x:expr, $name:ident [$($p:ident),*]) => {
        Tensor::$name($x $(, $p)*)
    };
    (@forward $x:expr, $name:ident [$($p:ident),*] |$f:ident| $forward:expr) => {
        $x.map(|$f: f32| $forward)
    };
    (@fused $self:ident, $cx:ident, $x:ident, $y:ident) => {
        Pointwise::backward($self, $cx)
    };
    (@fused $self:ident, $cx:ident, $x:ident, $y:ident, Tensor::$gradient:ident) => {
        let ([x], g) = ($cx.inputs(), $cx.cotangent());
        $cx.add(0, || g.$gradient(x));
    };
    (@fused $self:ident, $cx:ident, $x:ident, $y:ident, |$v:ident| $slope:expr) => {
        let ([$x], $y, g) = ($cx.inputs(), $cx.output(), $cx.cotangent());
        let from: &Tensor = $v;
        $cx.add(0, || g.into_zip(from, |g, $v| crate::ops::elementwise::strong_product(g, $slope)));
    };
}

use unary;
