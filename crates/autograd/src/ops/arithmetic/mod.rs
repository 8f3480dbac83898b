//! `+ - * /`, negation, and the same with a scalar on either side. Used through the operators of values.

mod operators;

use crate::{op::prelude::*, ops::methods::*};

macro_rules! binary {
    ($($(#[$doc:meta])* $Op:ident $name:literal: $formula:literal,
       |$a:ident, $b:ident| $forward:expr, b in $range:expr, |$cx:ident| $rule:block)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $Op;

        impl Pointwise for $Op {
            const NAME: &'static str = $name;
            const FORMULA: &'static str = $formula;
            const PRECISION: Precision = Precision::Ulps(0.5);
            const INPUTS: usize = 2;

            fn forward(&self, inputs: &[&Tensor]) -> Tensor {
                let ($a, $b) = (inputs[0], inputs[1]);
                $forward
            }

            fn backward<V: Value>(&self, $cx: &mut Backward<'_, V>) $rule

            fn reference(&self, x: &[f64], _: &mut Branches<'_>) -> f64 {
                let ($a, $b) = (x[0], x[1]);
                $forward
            }

            fn samples(g: &mut Gen) -> Vec<Sample> {
                let (a, b) = g.broadcast_pair();
                let range: std::ops::Range<f32> = $range;
                vec![Sample::new($Op, [g.normal(a), g.values(b, range.start, range.end)])]
            }
        }
    )*};
}

binary! {
    /// Sum: `a + b`.
    Add "add": "y = a + b; da = g; db = g", |a, b| a + b, b in -2.0..2.0, |cx| {
        let g = cx.cotangent();
        cx.add(0, || g.clone());
        cx.add(1, || g);
    }

    /// Difference: `a - b`.
    Sub "sub": "y = a - b; da = g; db = -g", |a, b| a - b, b in -2.0..2.0, |cx| {
        let g = cx.cotangent();
        cx.add(0, || g.clone());
        cx.add(1, || -g);
    }

    /// Product, element by element: `a * b`. Where the cotangent is 0 the gradients are 0, by an infinite factor too.
    Mul "mul": "y = a b; da = g b; db = g a", |a, b| a * b, b in -2.0..2.0, |cx| {
        let ([a, b], g) = (cx.inputs(), cx.cotangent());
        cx.add(0, || g.strong_mul(b));
        cx.add(1, || g.strong_mul(a));
    }

    /// Quotient, element by element: `a / b`. Where the cotangent is 0 the gradients are 0, by a zero divisor too.
    Div "div": "y = a / b; da = g / b; db = -g y / b", |a, b| a / b, b in 0.5..2.0, |cx| {
        let ([_, b], y, g) = (cx.inputs(), cx.output(), cx.cotangent());
        cx.add(0, || g.strong_mul(&(c(1.0) / b.clone())));
        cx.add(1, || -g.strong_mul(&(y / b)));
    }
}

macro_rules! with_scalar {
    ($($(#[$doc:meta])* $Op:ident $name:literal: $formula:literal,
       |$x:ident, $s:ident| $forward:expr, x in $range:expr, |$cx:ident| $rule:block)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $Op(
            /// The scalar s; tensors take it rounded to f32.
            pub f64,
        );

        impl Pointwise for $Op {
            const NAME: &'static str = $name;
            const FORMULA: &'static str = $formula;
            const PRECISION: Precision = Precision::Ulps(0.5);

            fn forward(&self, inputs: &[&Tensor]) -> Tensor {
                let ($x, $s) = (inputs[0], self.0 as f32);
                $forward
            }

            fn backward<V: Value>(&self, $cx: &mut Backward<'_, V>) {
                let $s = self.0;
                $rule
            }

            fn reference(&self, x: &[f64], _: &mut Branches<'_>) -> f64 {
                let ($x, $s) = (x[0], self.0);
                $forward
            }

            fn samples(g: &mut Gen) -> Vec<Sample> {
                let (shape, scalar) = (g.shape(), g.rng().uniform(0.5, 2.0).into());
                let range: std::ops::Range<f32> = $range;
                vec![Sample::new($Op(scalar), [g.values(shape, range.start, range.end)])]
            }
        }
    )*};
}

with_scalar! {
    /// Sum with a scalar: `x + s` and `s + x`.
    AddScalar "add_scalar": "y = x + s; dx = g", |x, s| x + s, x in -2.0..2.0, |cx| {
        let (g, _) = (cx.cotangent(), s);
        cx.add(0, || g);
    }

    /// Product with a scalar: `x * s` and `s * x`.
    MulScalar "mul_scalar": "y = s x; dx = s g", |x, s| x * s, x in -2.0..2.0, |cx| {
        let g = cx.cotangent();
        cx.add(0, || c(s) * g);
    }

    /// Division by a scalar: `x / s`.
    DivScalar "div_scalar": "y = x / s; dx = g / s", |x, s| x / s, x in -2.0..2.0, |cx| {
        let g = cx.cotangent();
        cx.add(0, || V::apply(DivScalar(s), &[&g]));
    }

    /// Subtraction from a scalar: `s - x`.
    SubFrom "sub_from": "y = s - x; dx = -g", |x, s| s - x, x in -2.0..2.0, |cx| {
        let (g, _) = (cx.cotangent(), s);
        cx.add(0, || -g);
    }

    /// Division of a scalar: `s / x`.
    DivInto "div_into": "y = s / x; dx = -g y / x", |x, s| s / x, x in 0.5..2.0, |cx| {
        let ([x], y, g, _) = (cx.inputs(), cx.output(), cx.cotangent(), s);
        cx.add(0, || -g.strong_mul(&(y / x)));
    }
}

/// Negation: `-x`.
#[derive(Clone, Copy, Debug)]
pub struct Neg;

impl Pointwise for Neg {
    const NAME: &'static str = "neg";
    const FORMULA: &'static str = "y = -x; dx = -g";
    const PRECISION: Precision = Precision::Ulps(0.0);
    const EXAMPLES: &'static [Neg] = &[Neg];

    fn forward(&self, inputs: &[&Tensor]) -> Tensor {
        -inputs[0]
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>) {
        let g = cx.cotangent();
        cx.add(0, || -g);
    }

    fn reference(&self, x: &[f64], _: &mut Branches<'_>) -> f64 {
        -x[0]
    }
}
