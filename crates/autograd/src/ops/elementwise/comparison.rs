//! Piecewise constant functions, which give masks: their derivative is zero wherever it exists, so their rules add
//! nothing.

use crate::op::prelude::*;

/// What a value is compared with: another value, by reference, or a number.
#[diagnostic::on_unimplemented(
    message = "a value of type `{V}` cannot be compared with `{Self}`",
    note = "compare it with a reference to a value of its kind, or with an `f32`: `x.gt(&y)`, `x.gt(0.5)`"
)]
pub trait Comparand<V: Value> {
    /// It, as a value that lives where `x` does.
    #[track_caller]
    fn beside(self, x: &V) -> V;
}

impl<V: Value> Comparand<V> for &V {
    fn beside(self, _: &V) -> V {
        self.clone()
    }
}

impl<V: Value> Comparand<V> for f32 {
    #[track_caller]
    fn beside(self, x: &V) -> V {
        x.place().constant(self)
    }
}

macro_rules! steps {
    (functions {$(
        $(#[$doc:meta])*
        $name:ident => $Op:ident { formula: $formula:literal, reference: |$x:ident, $b:ident| $reference:expr }
    )*}
    comparisons {$(
        $(#[$pair_doc:meta])*
        $pair_name:ident => $PairOp:ident { formula: $pair_formula:literal, holds: |$l:ident, $r:ident| $holds:expr }
    )*}) => {
        /// Piecewise constant functions and comparisons, element by element. No gradient flows through them.
        ///
        /// Comparisons are with a value or with a number. They broadcast, and give masks for [`select_where`](crate::ops::selection::Selection::select_where);
        /// a comparison with NaN does not hold.
        ///
        /// ```
        /// use gradus_autograd::prelude::*;
        /// let x = Tensor::from([-1.0, 0.5, 2.0]);
        /// assert_eq!(x.gt(0.5).to_vec(), [0.0, 0.0, 1.0]);
        /// assert_eq!(x.le(&x.abs()).to_vec(), [1.0, 1.0, 1.0]);
        /// ```
        pub trait Comparison: Value {
            $(
                $(#[$doc])*
                #[track_caller]
                fn $name(&self) -> Self {
                    Self::apply($Op, &[self])
                }
            )*
            $(
                $(#[$pair_doc])*
                ///
                /// # Panics
                /// When the shapes do not broadcast.
                #[track_caller]
                fn $pair_name(&self, other: impl Comparand<Self>) -> Self {
                    Self::apply($PairOp, &[self, &other.beside(self)])
                }
            )*

            /// 1 where the mask is 0, else 0.
            #[track_caller]
            fn logical_not(&self) -> Self {
                self.equals(0.0)
            }
        }

        impl<V: Value> Comparison for V {}

        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $Op;

            impl Pointwise for $Op {
                const NAME: &'static str = stringify!($name);
                const FORMULA: &'static str = $formula;
                const PRECISION: Precision = Precision::Ulps(0.0);

                fn forward(&self, inputs: &[&Tensor]) -> Tensor {
                    Tensor::$name(inputs[0])
                }

                fn backward<V: Value>(&self, _: &mut Backward<'_, V>) {}

                fn reference(&self, x: &[f64], $b: &mut Branches<'_>) -> f64 {
                    let $x = x[0];
                    $reference
                }

                fn samples(g: &mut Gen) -> Vec<Sample> {
                    let shape = g.shape();
                    vec![Sample::new($Op, [g.nonzero(shape, 0.1)])]
                }
            }
        )*

        $(
            $(#[$pair_doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $PairOp;

            impl Pointwise for $PairOp {
                const NAME: &'static str = stringify!($pair_name);
                const FORMULA: &'static str = $pair_formula;
                const PRECISION: Precision = Precision::Ulps(0.0);
                const INPUTS: usize = 2;

                fn forward(&self, inputs: &[&Tensor]) -> Tensor {
                    inputs[0].zip(inputs[1], |$l, $r| if $holds { 1.0 } else { 0.0 })
                }

                fn backward<V: Value>(&self, _: &mut Backward<'_, V>) {}

                fn reference(&self, x: &[f64], branches: &mut Branches<'_>) -> f64 {
                    let ($l, $r) = (x[0], x[1]);
                    if branches.test($holds) { 1.0 } else { 0.0 }
                }

                fn samples(g: &mut Gen) -> Vec<Sample> {
                    let (a, b) = g.broadcast_pair();
                    vec![Sample::new($PairOp, [g.tied(a), g.tied(b)])]
                }
            }
        )*
    };
}

steps! {
    functions {
        /// 1 where x > 0, else 0.
        is_positive => IsPositive {
            formula: "y = 1 where x > 0, else 0; dx = 0",
            reference: |x, b| if b.test(x > 0.0) { 1.0 } else { 0.0 }
        }

        /// -1, 0 or 1 by the sign of x; NaN stays NaN.
        sign => Sign {
            formula: "y = sign x; dx = 0",
            reference: |x, b| match b.choose(if x < 0.0 { 0 } else if x > 0.0 { 2 } else if x == 0.0 { 1 } else { 3 }) {
                3 => f64::NAN,
                choice => choice as f64 - 1.0,
            }
        }

        /// The greatest whole number that is not above x.
        floor => Floor { formula: "y = ⌊x⌋; dx = 0", reference: |x, b| b.hold(x.floor()) }

        /// The least whole number that is not below x.
        ceil => Ceil { formula: "y = ⌈x⌉; dx = 0", reference: |x, b| b.hold(x.ceil()) }

        /// The nearest whole number; the even one of two that are equally near, as in NumPy and PyTorch.
        round => Round {
            formula: "y = the whole number next to x; dx = 0",
            reference: |x, b| b.hold(x.round_ties_even())
        }

        /// x without its fraction: the next whole number towards 0.
        trunc => Trunc { formula: "y = sign(x) ⌊|x|⌋; dx = 0", reference: |x, b| b.hold(x.trunc()) }
    }

    comparisons {
        /// 1 where a > b, else 0.
        gt => Gt { formula: "y = 1 where a > b, else 0; da = db = 0", holds: |a, b| a > b }

        /// 1 where a ≥ b, else 0.
        ge => Ge { formula: "y = 1 where a ≥ b, else 0; da = db = 0", holds: |a, b| a >= b }

        /// 1 where a < b, else 0.
        lt => Lt { formula: "y = 1 where a < b, else 0; da = db = 0", holds: |a, b| a < b }

        /// 1 where a ≤ b, else 0.
        le => Le { formula: "y = 1 where a ≤ b, else 0; da = db = 0", holds: |a, b| a <= b }

        /// 1 where a = b, else 0. (`eq` is taken by Rust's own comparison of whole tensors.)
        equals => Equals { formula: "y = 1 where a = b, else 0; da = db = 0", holds: |a, b| a == b }

        /// 1 where a ≠ b, else 0; 1 for NaN. (`ne` is taken by Rust's own comparison of whole tensors.)
        #[doc(alias = "ne")]
        not_equals => NotEquals {
            formula: "y = 1 where a ≠ b, else 0; da = db = 0",
            holds: |a, b| a != b
        }

        /// 1 where neither mask is 0, else 0.
        logical_and => LogicalAnd {
            formula: "y = 1 where a ≠ 0 and b ≠ 0, else 0; da = db = 0",
            holds: |a, b| a != 0.0 && b != 0.0
        }

        /// 1 where one mask or both are not 0, else 0.
        logical_or => LogicalOr {
            formula: "y = 1 where a ≠ 0 or b ≠ 0, else 0; da = db = 0",
            holds: |a, b| a != 0.0 || b != 0.0
        }

        /// 1 where just one of the masks is not 0, else 0.
        logical_xor => LogicalXor {
            formula: "y = 1 where one of a, b is 0 and the other is not, else 0; da = db = 0",
            holds: |a, b| (a != 0.0) != (b != 0.0)
        }
    }
}
