//! Piecewise constant functions: their derivative is zero wherever it exists, so their rules add nothing.

use crate::{
    check::{ErrorCase, Gen, Sample},
    op::{Backward, Op, Outputs, Precision, Shapes, arity},
    reference::{Array, Branches},
    value::Value,
};
use gradus_tensor::{Shape, ShapeError, Tensor};

macro_rules! steps {
    ($(
        $(#[$doc:meta])*
        $name:ident => $Op:ident { formula: $formula:literal, reference: |$x:ident, $b:ident| $reference:expr }
    )*) => {
        /// Piecewise constant functions of one argument, element by element. No gradient flows through them.
        pub trait Steps: Value {$(
            $(#[$doc])*
            #[track_caller]
            fn $name(&self) -> Self {
                Self::apply($Op, &[self])
            }
        )*}

        impl<V: Value> Steps for V {}

        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $Op;

            impl Op for $Op {
                const NAME: &'static str = stringify!($name);
                const FORMULA: &'static str = $formula;
                const PRECISION: Precision = Precision::Ulps(0.0);
                type Saved = ();

                fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
                    let [x] = arity(stringify!($name), inputs);
                    Ok(Shape::new(x).into())
                }

                fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
                    (Tensor::$name(inputs[0]).into(), ())
                }

                fn backward<V: Value>(&self, _: &mut Backward<'_, V>, _: &()) {}

                fn reference(&self, inputs: &[&Array], $b: &mut Branches<'_>) -> Vec<Array> {
                    vec![inputs[0].map(|$x| $reference)]
                }

                fn samples(g: &mut Gen) -> Vec<Sample<$Op>> {
                    let shape = g.shape();
                    vec![Sample::new($Op, [g.nonzero(shape, 0.1)])]
                }

                fn error_cases() -> Vec<ErrorCase<$Op>> {
                    vec![] // any shape will do
                }
            }
        )*
    };
}

steps! {
    /// 1 where x > 0, else 0.
    positive => Positive {
        formula: "y = 1 where x > 0, else 0; dx = 0",
        reference: |x, b| if b.test(x > 0.0) { 1.0 } else { 0.0 }
    }

    /// -1, 0 or 1 by the sign of x; NaN stays NaN.
    sign => Sign {
        formula: "y = sign x; dx = 0",
        reference: |x, b| b.choose(if x < 0.0 { 0 } else if x > 0.0 { 2 } else { 1 }) as f64 - 1.0
    }
}
