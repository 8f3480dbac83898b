//! Functions of two arguments, element by element, that are no operators.

use crate::{op::prelude::*, ops::methods::*};
use std::ops::Range;

/// A row names the operation and gives the formula, the precision, the function on tensors (`forward`) and in f64 (`reference`,
/// asking `branches` at kinks), the rule, one for the plain sweep where the general one takes many passes (`fused`), and the
/// range of the samples of each input.
macro_rules! pairs {
    ($(
        $(#[$doc:meta])*
        $name:ident => $Op:ident {
            formula: $formula:literal, precision: $precision:expr,
            forward: $forward:expr,
            reference: |$a:ident, $b:ident, $branches:ident| $reference:expr,
            rule: |$cx:ident| $rule:block,
            $(fused: |$fcx:ident| $fused:block,)?
            samples: $a_range:expr, $b_range:expr $(,)?
        }
    )*) => {
        /// Functions of two arguments, element by element; the two broadcast.
        pub trait Binary: Value {$(
            $(#[$doc])*
            #[doc = ""]
            #[doc = concat!("`", $formula, "`")]
            ///
            /// # Panics
            /// When the shapes do not broadcast.
            #[track_caller]
            fn $name(&self, other: &Self) -> Self {
                Self::apply($Op, &[self, other])
            }
        )*}

        impl<V: Value> Binary for V {}

        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $Op;

            impl Pointwise for $Op {
                const NAME: &'static str = stringify!($name);
                const FORMULA: &'static str = $formula;
                const PRECISION: Precision = $precision;
                const INPUTS: usize = 2;

                fn forward(&self, inputs: &[&Tensor]) -> Tensor {
                    $forward(inputs[0], inputs[1])
                }

                fn backward<V: Value>(&self, $cx: &mut Backward<'_, V>) $rule

                $(fn backward_fused(&self, $fcx: &mut Backward<'_, Tensor>) $fused)?

                #[allow(unused)]
                fn reference(&self, x: &[f64], $branches: &mut Branches<'_>) -> f64 {
                    let ($a, $b) = (x[0], x[1]);
                    $reference
                }

                fn samples(g: &mut Gen) -> Vec<Sample> {
                    let (a, b) = g.broadcast_pair();
                    let (in_a, in_b): (Range<f32>, Range<f32>) = ($a_range, $b_range);
                    vec![Sample::new($Op, [g.values(a, in_a.start, in_a.end), g.values(b, in_b.start, in_b.end)])]
                }
            }
        )*
    };
}

/// A function on f32s as one on tensors, which broadcast.
fn each(f: impl Fn(f32, f32) -> f32 + Sync) -> impl Fn(&Tensor, &Tensor) -> Tensor {
    move |a, b| a.zip(b, &f)
}

/// The gradient of the side that `loses` names where it does not win: all of it where it wins, half of it on a tie.
fn winners_share<V: Value>(g: &V, loses: &V, ties: &V) -> V {
    ties.select_where(&(g * 0.5), g).masked_fill(loses, 0.0)
}

/// A factor of a strong product, but 0 where it is infinite or NaN and the other one, a zero, has won.
fn unless_beaten<V: Value>(factor: &V, by: &V) -> V {
    let place = factor.place();
    let finite = factor.abs().lt(&place.constant(f32::INFINITY));
    by.not_equals(&place.constant(0.0)).logical_or(&finite).select_where(factor, &place.constant(0.0))
}

/// [`strong_mul`](Binary::strong_mul) of two numbers.
pub(in crate::ops) fn strong_product(a: f32, b: f32) -> f32 {
    if a == 0.0 || b == 0.0 { 0.0 } else { a * b }
}

pairs! {
    /// The larger of two values; NaN where either is NaN.
    ///
    /// Equal values share the gradient in halves, as they do in [`max`](crate::ops::reduce::Reduce::max).
    maximum => Maximum {
        formula: "y = max(a, b); the larger gets g, the smaller 0, equals g/2 each", precision: Precision::Ulps(0.0),
        forward: Tensor::maximum,
        reference: |a, b, branches| match branches.choose(if a > b { 0 } else if a < b { 1 } else { 2 }) {
            0 => a,
            1 => b,
            _ => 0.5 * (a + b),
        },
        rule: |cx| {
            let ([a, b], g) = (cx.inputs(), cx.cotangent());
            let ties = a.equals(b);
            cx.add(0, || winners_share(&g, &a.lt(b), &ties));
            cx.add(1, || winners_share(&g, &b.lt(a), &ties));
        },
        samples: -2.0..2.0, -2.0..2.0,
    }

    /// The smaller of two values; NaN where either is NaN.
    ///
    /// Equal values share the gradient in halves.
    minimum => Minimum {
        formula: "y = min(a, b); the smaller gets g, the larger 0, equals g/2 each", precision: Precision::Ulps(0.0),
        forward: Tensor::minimum,
        reference: |a, b, branches| match branches.choose(if a < b { 0 } else if a > b { 1 } else { 2 }) {
            0 => a,
            1 => b,
            _ => 0.5 * (a + b),
        },
        rule: |cx| {
            let ([a, b], g) = (cx.inputs(), cx.cotangent());
            let ties = a.equals(b);
            cx.add(0, || winners_share(&g, &a.gt(b), &ties));
            cx.add(1, || winners_share(&g, &b.gt(a), &ties));
        },
        samples: -2.0..2.0, -2.0..2.0,
    }

    /// The power `a^b`, with the conventions of [`powf`](crate::ops::elementwise::Elementwise::powf); 0⁰ is 1.
    ///
    /// Where b is 0 the gradient by a is 0. At a base of 0 the gradient by the exponent is 0 for b ≥ 0; a negative
    /// base has none (NaN), since no real power lies beside a whole one.
    pow => Pow {
        formula: "y = a^b; da = g b a^(b-1); db = g y ln a", precision: Precision::Ulps(4.0),
        forward: each(|a, b| a.powf(b)),
        reference: |a, b, branches| a.powf(b),
        rule: |cx| {
            let ([a, b], y, g) = (cx.inputs(), cx.output(), cx.cotangent());
            let zero = g.place().constant(0.0);
            // Where a factor is infinite and its partner zero, the factor is computed of something harmless instead.
            cx.add(0, || {
                let base = b.equals(&zero).select_where(&g.place().constant(1.0), a);
                g.strong_mul(&b.strong_mul(&base.pow(&(b - 1.0))))
            });
            cx.add(1, || {
                let base = a.masked_fill(&a.equals(&zero), 1.0);
                let at_zero_below = a.equals(&zero) * b.lt(&zero);
                let slope = y.strong_mul(&base.log()).masked_fill(&at_zero_below, f32::NEG_INFINITY);
                g.strong_mul(&slope)
            });
        },
        samples: 0.3..3.0, -1.5..2.5,
    }

    /// The product in which a zero on either side wins, over infinity and NaN too; it is what chain rules multiply
    /// with, so that a branch that was not taken gets a gradient of exactly 0 through a function that is singular there.
    ///
    /// Where a zero has won over infinity or NaN, it counts for nothing in the gradients too: both are 0.
    strong_mul => StrongMul {
        formula: "y = 0 where a = 0 or b = 0, else a b; da = g b; db = g a, both strong", precision: Precision::Ulps(0.5),
        forward: each(strong_product),
        reference: |a, b, branches| if a == 0.0 || b == 0.0 { 0.0 } else { a * b },
        rule: |cx| {
            let ([a, b], g) = (cx.inputs(), cx.cotangent());
            cx.add(0, || g.strong_mul(&unless_beaten(b, a)));
            cx.add(1, || g.strong_mul(&unless_beaten(a, b)));
        },
        fused: |cx| {
            let ([a, b], g) = (cx.inputs(), cx.cotangent());
            let unless_beaten = |factor: &Tensor, by: &Tensor| {
                factor.zip(by, |factor, by| if by == 0.0 && !factor.is_finite() { 0.0 } else { factor })
            };
            cx.add(0, || g.zip(&unless_beaten(b, a), strong_product));
            cx.add(1, || g.zip(&unless_beaten(a, b), strong_product));
        },
        samples: -2.0..2.0, -2.0..2.0,
    }

    /// The angle of the point (b, a) in radians, from -π to π: the arctangent of a / b with the quadrant that the signs
    /// tell. At (0, 0) both gradients are 0.
    atan2 => Atan2 {
        formula: "y = the angle of (b, a); da = g b / (a² + b²); db = -g a / (a² + b²)",
        precision: Precision::Ulps(0.5),
        forward: each(|a, b| f64::from(a).atan2(b.into()) as f32),
        reference: |a, b, branches| {
            // The cut where a changes its sign below b = 0 is a jump of the value, not of the function's branch.
            let turn = branches.choose(if b < 0.0 { if a.is_sign_negative() { 2 } else { 1 } } else { 0 });
            match turn {
                0 => a.atan2(b),
                1 => (-a).atan2(-b) + std::f64::consts::PI,
                _ => (-a).atan2(-b) - std::f64::consts::PI,
            }
        },
        rule: |cx| {
            let ([a, b], g) = (cx.inputs(), cx.cotangent());
            // Divided twice: the square of the radius leaves f32 long before the radius does.
            let radius = a.hypot(b);
            let radius = radius.masked_fill(&radius.logical_not(), 1.0);
            cx.add(0, || g.strong_mul(&(b / &radius / &radius)));
            cx.add(1, || -g.strong_mul(&(a / &radius / &radius)));
        },
        samples: -2.0..2.0, -2.0..2.0,
    }

    /// The hypotenuse, without overflow in the squares. At (0, 0) both gradients are 0.
    hypot => Hypot {
        formula: "y = √(a² + b²); da = g a / y; db = g b / y", precision: Precision::Ulps(0.5),
        forward: each(|a, b| f64::from(a).hypot(b.into()) as f32),
        reference: |a, b, branches| a.hypot(b),
        rule: |cx| {
            let ([a, b], y, g) = (cx.inputs(), cx.output(), cx.cotangent());
            let y = y.masked_fill(&y.equals(0.0), 1.0);
            cx.add(0, || g.strong_mul(&(a / &y)));
            cx.add(1, || g.strong_mul(&(b / &y)));
        },
        samples: 0.3..3.0, -3.0..3.0,
    }

    /// The remainder with the sign of the divisor, as Python's `%`; NaN for a divisor of 0. At multiples of the divisor,
    /// where it jumps, the derivatives are those beside.
    remainder => Remainder {
        formula: "y = a - b floor(a / b); da = g; db = -g floor(a / b)", precision: Precision::Ulps(0.5),
        forward: each(|a, b| {
            let rest = a % b;
            if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
        }),
        reference: |a, b, branches| a - b * branches.hold((a / b).floor()),
        rule: |cx| {
            let ([a, b], y, g) = (cx.inputs(), cx.output(), cx.cotangent());
            cx.add(1, || -g.strong_mul(&((a - y) / b).round()));
            cx.add(0, || g);
        },
        samples: -3.0..3.0, 0.5..2.0,
    }

    /// The remainder with the sign of the dividend, as Rust's and C's; NaN for a divisor of 0. At multiples of the
    /// divisor, where it jumps, the derivatives are those beside.
    fmod => Fmod {
        formula: "y = a - b trunc(a / b); da = g; db = -g trunc(a / b)", precision: Precision::Ulps(0.5),
        forward: each(|a, b| a % b),
        reference: |a, b, branches| a - b * branches.hold((a / b).trunc()),
        rule: |cx| {
            let ([a, b], y, g) = (cx.inputs(), cx.output(), cx.cotangent());
            cx.add(1, || -g.strong_mul(&((a - y) / b).round()));
            cx.add(0, || g);
        },
        samples: -3.0..3.0, 0.5..2.0,
    }

    /// The logarithm of the sum of two exponentials, which does not overflow. Where both are -inf it is -inf, with
    /// gradient 0, as in [`logsumexp`](crate::ops::reduce::Reduce::logsumexp).
    logaddexp => Logaddexp {
        formula: "y = ln(e^a + e^b); da = g sigmoid(a - b); db = g sigmoid(b - a)",
        precision: Precision::UlpsOfLargest(0.5),
        forward: each(|a, b| {
            let (low, high) = (f64::from(a.min(b)), f64::from(a.max(b)));
            // Of infinities the difference is NaN.
            if a.is_nan() || b.is_nan() {
                return f32::NAN;
            }
            if high.is_infinite() { high as f32 } else { (high + (low - high).exp().ln_1p()) as f32 }
        }),
        reference: |a, b, branches| {
            let larger = a.max(b);
            if larger.is_infinite() { larger } else { larger + (-(a - b).abs()).exp().ln_1p() }
        },
        rule: |cx| {
            let ([a, b], y, g) = (cx.inputs(), cx.output(), cx.cotangent());
            let nothing = y.equals(f32::NEG_INFINITY);
            cx.add(0, || g.strong_mul(&(a - b).masked_fill(&nothing, f32::NEG_INFINITY).sigmoid()));
            cx.add(1, || g.strong_mul(&(b - a).masked_fill(&nothing, f32::NEG_INFINITY).sigmoid()));
        },
        samples: -2.0..2.0, -2.0..2.0,
    }

    /// The magnitude of one value with the sign of another, that of -0 too. Where the magnitude is 0 the gradient is 0.
    copysign => Copysign {
        formula: "y = |a| sign b; da = g sign a sign b; db = 0", precision: Precision::Ulps(0.0),
        forward: each(|a, b| a.copysign(b)),
        reference: |a, b, branches| {
            if branches.test((a < 0.0) == b.is_sign_negative()) { a } else { -a }
        },
        rule: |cx| {
            let ([a, _], y, g) = (cx.inputs::<2>(), cx.output(), cx.cotangent());
            cx.add(0, || g * a.sign() * y.sign());
        },
        samples: -2.0..2.0, -2.0..2.0,
    }
}
