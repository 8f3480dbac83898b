//! The operators of variables, and those of a scalar on the left of any value.

use super::{
    Add as AddOp, AddScalar, Div as DivOp, DivInto, DivScalar, Mul as MulOp, MulScalar, Neg as NegOp,
    Sub as SubOp, SubFrom,
};
use crate::{
    tape::var::Var,
    value::{Operand, Scalar, Value},
};
use std::ops::{Add, Div, Mul, Neg, Sub};

macro_rules! operators {
    ($($Trait:ident $method:ident $Op:ident, |$x:ident, $s:ident| $right:expr, $left:expr;)*) => {$(
        impl<'t> $Trait for Var<'t> {
            type Output = Var<'t>;
            #[track_caller]
            fn $method(self, other: Var<'t>) -> Var<'t> {
                Var::apply($Op, &[&self, &other])
            }
        }

        impl<'t> $Trait<&Var<'t>> for Var<'t> {
            type Output = Var<'t>;
            #[track_caller]
            fn $method(self, other: &Var<'t>) -> Var<'t> {
                Var::apply($Op, &[&self, other])
            }
        }

        impl<'t> $Trait<Var<'t>> for &Var<'t> {
            type Output = Var<'t>;
            #[track_caller]
            fn $method(self, other: Var<'t>) -> Var<'t> {
                Var::apply($Op, &[self, &other])
            }
        }

        impl<'t> $Trait<&Var<'t>> for &Var<'t> {
            type Output = Var<'t>;
            #[track_caller]
            fn $method(self, other: &Var<'t>) -> Var<'t> {
                Var::apply($Op, &[self, other])
            }
        }

        impl<'t> $Trait<f32> for Var<'t> {
            type Output = Var<'t>;
            #[track_caller]
            fn $method(self, $s: f32) -> Var<'t> {
                Var::apply($right, &[&self])
            }
        }

        impl<'t> $Trait<f32> for &Var<'t> {
            type Output = Var<'t>;
            #[track_caller]
            fn $method(self, $s: f32) -> Var<'t> {
                Var::apply($right, &[self])
            }
        }

        impl<'t> $Trait<Var<'t>> for f32 {
            type Output = Var<'t>;
            #[track_caller]
            fn $method(self, $x: Var<'t>) -> Var<'t> {
                let $s = self;
                Var::apply($left, &[&$x])
            }
        }

        impl<'t> $Trait<&Var<'t>> for f32 {
            type Output = Var<'t>;
            #[track_caller]
            fn $method(self, $x: &Var<'t>) -> Var<'t> {
                let $s = self;
                Var::apply($left, &[$x])
            }
        }
    )*};
}

operators! {
    Add add AddOp, |x, s| AddScalar(s.into()), AddScalar(s.into());
    Sub sub SubOp, |x, s| AddScalar((-s).into()), SubFrom(s.into());
    Mul mul MulOp, |x, s| MulScalar(s.into()), MulScalar(s.into());
    Div div DivOp, |x, s| DivScalar(s.into()), DivInto(s.into());
}

impl<'t> Neg for Var<'t> {
    type Output = Var<'t>;
    #[track_caller]
    fn neg(self) -> Var<'t> {
        Var::apply(NegOp, &[&self])
    }
}

impl<'t> Neg for &Var<'t> {
    type Output = Var<'t>;
    #[track_caller]
    fn neg(self) -> Var<'t> {
        Var::apply(NegOp, &[self])
    }
}

macro_rules! scalar_on_the_left {
    ($($Trait:ident $method:ident $Op:ident;)*) => {$(
        // One implementation for values and references: two would conflict, for all that the compiler knows.
        impl<X: Operand<Kind: Value>> $Trait<X> for Scalar {
            type Output = X::Kind;
            #[track_caller]
            fn $method(self, x: X) -> X::Kind {
                X::Kind::apply($Op(self.0), &[x.as_value()])
            }
        }
    )*};
}

scalar_on_the_left! {
    Add add AddScalar;
    Sub sub SubFrom;
    Mul mul MulScalar;
    Div div DivInto;
}
