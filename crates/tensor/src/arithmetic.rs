//! `+ - * /` and negation: of tensors, which broadcast, and of tensors with f32s on either side.
//!
//! An operand given by value lends its buffer to the result when nobody else shares it.

use crate::{
    elementwise::{Operand, binary, binary_into},
    tensor::Tensor,
};
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

fn each(out: &mut [f32], other: Operand<'_>, f: impl Fn(f32, f32) -> f32) {
    match other {
        Operand::Slice(other) => out.iter_mut().zip(other).for_each(|(x, &y)| *x = f(*x, y)),
        Operand::Scalar(y) => out.iter_mut().for_each(|x| *x = f(*x, y)),
    }
}

macro_rules! operators {
    ($($Trait:ident $method:ident $op:tt;)*) => {$(
        impl $Trait<&Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor {
                binary(stringify!($method), self, other, |a, b, out| match (a, b) {
                    (Operand::Slice(a), b) => {
                        out.copy_from_slice(a);
                        each(out, b, |x, y| x $op y);
                    }
                    (Operand::Scalar(x), Operand::Slice(b)) => {
                        out.iter_mut().zip(b).for_each(|(out, &y)| *out = x $op y);
                    }
                    (Operand::Scalar(x), Operand::Scalar(y)) => out.fill(x $op y),
                })
            }
        }

        impl $Trait<&Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor {
                let in_place = |x: &mut [f32], y: Operand<'_>| each(x, y, |x, y| x $op y);
                binary_into(self, other, in_place).unwrap_or_else(|a| &a $op other)
            }
        }

        impl $Trait<Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                let in_place = |y: &mut [f32], x: Operand<'_>| each(y, x, |y, x| x $op y);
                binary_into(other, self, in_place).unwrap_or_else(|b| self $op &b)
            }
        }

        impl $Trait<Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                // The larger one can hold the result.
                if self.is_unique() && self.len() >= other.len() { self $op &other } else { &self $op other }
            }
        }

        impl $Trait<f32> for &Tensor {
            type Output = Tensor;
            fn $method(self, other: f32) -> Tensor {
                self.map_slices(|xs| xs.iter_mut().for_each(|x| *x = *x $op other))
            }
        }

        impl $Trait<f32> for Tensor {
            type Output = Tensor;
            fn $method(self, other: f32) -> Tensor {
                self.into_mapped_slices(|xs| xs.iter_mut().for_each(|x| *x = *x $op other))
            }
        }

        impl $Trait<&Tensor> for f32 {
            type Output = Tensor;
            fn $method(self, other: &Tensor) -> Tensor {
                other.map_slices(|xs| xs.iter_mut().for_each(|x| *x = self $op *x))
            }
        }

        impl $Trait<Tensor> for f32 {
            type Output = Tensor;
            fn $method(self, other: Tensor) -> Tensor {
                other.into_mapped_slices(|xs| xs.iter_mut().for_each(|x| *x = self $op *x))
            }
        }
    )*};
}

operators! {
    Add add +;
    Sub sub -;
    Mul mul *;
    Div div /;
}

impl Neg for &Tensor {
    type Output = Tensor;
    fn neg(self) -> Tensor {
        self.map_slices(|xs| xs.iter_mut().for_each(|x| *x = -*x))
    }
}

impl Neg for Tensor {
    type Output = Tensor;
    fn neg(self) -> Tensor {
        self.into_mapped_slices(|xs| xs.iter_mut().for_each(|x| *x = -*x))
    }
}

impl AddAssign<&Tensor> for Tensor {
    /// Adds in place when nobody shares the buffer.
    #[track_caller]
    fn add_assign(&mut self, other: &Tensor) {
        // The empty tensor is a stand-in that lives for one statement.
        let this = std::mem::replace(self, Tensor::scalar(0.0));
        *self = this + other;
    }
}
