//! Functions of one argument, element by element: one row of a table each.

use crate::{
    check::{ErrorCase, Gen, Sample},
    op::{Backward, Op, Outputs, Precision, Shapes, arity},
    ops::steps::Steps,
    reference::{Array, Branches},
    value::{Scalar, Value, c},
};
use gradus_tensor::{Shape, ShapeError, Tensor};

/// A row names the operation and gives
/// - the formula as text, and the precision of the kernel in ulps;
/// - `reference`: the function in f64, asking `b` where the value of x decides the branch;
/// - `derivative`: dy/dx from x and y. Its tokens are read over `V: Value`; `k` makes a scalar of a number;
/// - the range that samples are drawn from.
///
/// The forward is the method of `Tensor` with the row's name. For `tanh` the row expands to a unit struct `Tanh`, its
/// `impl Op`, and a method `tanh` in the trait `Elementwise`.
macro_rules! unary {
    ($(
        $(#[$doc:meta])*
        $name:ident => $Op:ident {
            formula: $formula:literal, ulps: $ulps:literal,
            reference: |$x:ident, $b:ident| $reference:expr,
            derivative: |$dx:ident, $dy:ident, $k:ident| $derivative:expr,
            samples: $samples:expr $(,)?
        }
    )*) => {
        /// Functions of one argument, element by element.
        ///
        /// Each takes any shape and gives the same shape.
        pub trait Elementwise: Value {$(
            $(#[$doc])*
            #[doc = ""]
            #[doc = concat!("`", $formula, "`")]
            #[track_caller]
            fn $name(&self) -> Self {
                Self::apply($Op, &[self])
            }
        )*}

        impl<V: Value> Elementwise for V {}

        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $Op;

            impl Op for $Op {
                const NAME: &'static str = stringify!($name);
                const FORMULA: &'static str = $formula;
                const PRECISION: Precision = Precision::Ulps($ulps);
                type Saved = ();

                fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
                    let [x] = arity(stringify!($name), inputs);
                    Ok(Shape::new(x).into())
                }

                fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
                    (Tensor::$name(inputs[0]).into(), ())
                }

                fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
                    #[allow(unused)]
                    let $k: fn(f32) -> Scalar = c;
                    #[allow(unused)]
                    let ([$dx], $dy, g) = (cx.inputs(), cx.output(), cx.cotangent());
                    cx.add(0, || g * $derivative);
                }

                fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array> {
                    #[allow(unused)]
                    let $b = branches;
                    vec![inputs[0].map(|$x| $reference)]
                }

                fn samples(g: &mut Gen) -> Vec<Sample<$Op>> {
                    let shape = g.shape();
                    let range: std::ops::Range<f32> = $samples;
                    vec![Sample::new($Op, [g.values(shape, range.start, range.end)])]
                }

                fn error_cases() -> Vec<ErrorCase<$Op>> {
                    vec![] // any shape will do
                }
            }
        )*
    };
}

unary! {
    /// The exponential.
    exp => Exp {
        formula: "y = e^x; dx = g y", ulps: 2.0,
        reference: |x, b| x.exp(),
        derivative: |x, y, k| y,
        samples: -3.0..3.0,
    }

    /// The natural logarithm: -inf at 0, NaN below.
    log => Log {
        formula: "y = ln x; dx = g / x", ulps: 2.0,
        reference: |x, b| x.ln(),
        derivative: |x, y, k| (k(1.0) / x.clone()),
        samples: 0.3..3.0,
    }

    /// The square root: NaN below 0, infinite slope at 0.
    sqrt => Sqrt {
        formula: "y = √x; dx = g / (2 y)", ulps: 0.5,
        reference: |x, b| x.sqrt(),
        derivative: |x, y, k| (k(0.5) / y.clone()),
        samples: 0.3..3.0,
    }

    /// The square.
    square => Square {
        formula: "y = x²; dx = 2 g x", ulps: 0.5,
        reference: |x, b| x * x,
        derivative: |x, y, k| (x * 2.0),
        samples: -3.0..3.0,
    }

    /// The sine, x in radians.
    sin => Sin {
        formula: "y = sin x; dx = g cos x", ulps: 4.0,
        reference: |x, b| x.sin(),
        derivative: |x, y, k| x.cos(),
        samples: -3.0..3.0,
    }

    /// The cosine, x in radians.
    cos => Cos {
        formula: "y = cos x; dx = -g sin x", ulps: 4.0,
        reference: |x, b| x.cos(),
        derivative: |x, y, k| -x.sin(),
        samples: -3.0..3.0,
    }

    /// The hyperbolic tangent, between -1 and 1.
    tanh => Tanh {
        formula: "y = tanh x; dx = g (1 - y²)", ulps: 4.0,
        reference: |x, b| x.tanh(),
        derivative: |x, y, k| (k(1.0) - y * y),
        samples: -3.0..3.0,
    }

    /// The logistic function, between 0 and 1.
    sigmoid => Sigmoid {
        formula: "y = 1 / (1 + e^-x); dx = g y (1 - y)", ulps: 4.0,
        reference: |x, b| 1.0 / (1.0 + (-x).exp()),
        derivative: |x, y, k| (y - y * y),
        samples: -4.0..4.0,
    }

    /// The rectifier; its derivative at 0 is 0, as in the book.
    relu => Relu {
        formula: "y = max(x, 0); dx = g where x > 0, else 0", ulps: 0.0,
        reference: |x, b| if b.test(x > 0.0) { x } else { 0.0 },
        derivative: |x, y, k| x.positive(),
        samples: -2.0..2.0,
    }

    /// The absolute value; its derivative at 0 is 0.
    abs => Abs {
        formula: "y = |x|; dx = g sign x", ulps: 0.0,
        reference: |x, b| if b.test(x > 0.0) { x } else { -x },
        derivative: |x, y, k| x.sign(),
        samples: -2.0..2.0,
    }
}
