//! Functions whose derivatives are functions of the same kind, told apart by their order.

use super::chain;
use crate::{op::prelude::*, ops::elementwise::special};
use std::ops::Range;

/// A row names the operation and gives the formula, the function of an order and an f64, and the range of the samples. The
/// forward rounds the function in f64, so its values have tests of their own, in `special`.
macro_rules! orders {
    ($(
        $(#[$doc:meta])*
        $name:ident => $Op:ident { formula: $formula:literal, function: $function:path, samples: $samples:expr }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $Op {
            /// How many times the function is differentiated.
            pub order: u32,
        }

        impl Pointwise for $Op {
            const NAME: &'static str = stringify!($name);
            const FORMULA: &'static str = $formula;
            const PRECISION: Precision = Precision::Ulps(0.5);

            fn forward(&self, inputs: &[&Tensor]) -> Tensor {
                inputs[0].map(|x| $function(self.order, x.into()) as f32)
            }

            fn backward<V: Value>(&self, cx: &mut Backward<'_, V>) {
                let ([x], g) = (cx.inputs(), cx.cotangent());
                cx.add(0, || chain(&g, V::apply($Op { order: self.order + 1 }, &[x])));
            }

            fn reference(&self, x: &[f64], _: &mut Branches<'_>) -> f64 {
                $function(self.order, x[0])
            }

            fn samples(g: &mut Gen) -> Vec<Sample> {
                let (shape, range): (_, Range<f32>) = (g.shape(), $samples);
                let op = $Op { order: g.between(0, 2) as u32 };
                vec![Sample::new(op, [g.values(shape, range.start, range.end)])]
            }
        }
    )*};
}

orders! {
    /// A derivative of sin(πx) / (πx).
    sinc => Sinc {
        formula: "y = the derivative of an order of sin(πx) / (πx); dx = g times the next derivative",
        function: special::sinc, samples: -3.0..3.0
    }

    /// A derivative of the digamma function.
    polygamma => Polygamma {
        formula: "y = the derivative of an order of ψ(x) = Γ'(x) / Γ(x); dx = g times the next derivative",
        function: special::polygamma, samples: 0.5..4.0
    }
}

/// Functions whose derivatives are functions of the same kind.
pub trait Families: Value {
    /// The function of ideal filters, `y = sin(πx) / (πx)`, and 1 at 0; at ±inf 0, its limit.
    #[track_caller]
    fn sinc(&self) -> Self {
        Self::apply(Sinc { order: 0 }, &[self])
    }

    /// The derivative ψ of the logarithm of the gamma function: `y = Γ'(x) / Γ(x)`. At its poles it is -inf at 0, inf at -0,
    /// and NaN at the negative whole numbers, where the two sides differ, and at -inf, as in PyTorch.
    #[track_caller]
    fn digamma(&self) -> Self {
        self.polygamma(0)
    }

    /// The derivative of an order of [`digamma`](Families::digamma). At the poles it is inf for odd orders, its limit, and for
    /// even ones as `digamma`.
    #[track_caller]
    fn polygamma(&self, order: u32) -> Self {
        Self::apply(Polygamma { order }, &[self])
    }
}

impl<V: Value> Families for V {}
