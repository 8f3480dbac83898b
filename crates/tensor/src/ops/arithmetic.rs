//! `+ - * /` and negation: of tensors, which broadcast, and of tensors with f32s on either side.
//!
//! An operand given by value lends its buffer to the result when nobody else shares it.

use crate::{
    array::Tensor,
    kernels::map::{BinaryFn, Operand},
    ops::elementwise::functions,
    simd::{Lane, Simd},
};
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// A formula with its operands the other way round.
#[derive(Clone, Copy)]
struct Swapped<F>(F);

impl<F: BinaryFn> BinaryFn for Swapped<F> {
    #[inline(always)]
    fn eval<S: Simd>(self, a: Lane<S>, b: Lane<S>) -> Lane<S> {
        self.0.eval(b, a)
    }
}

macro_rules! operators {
    ($($Trait:ident $method:ident;)*) => {$(
        impl $Trait<&Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor {
                self.binary(stringify!($method), other, functions::$Trait)
            }
        }

        impl $Trait<&Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor {
                match other.operand_for(self.shape()) {
                    Some(operand) if self.is_reusable() => self.into_binary(operand, functions::$Trait),
                    _ => (&self).$method(other),
                }
            }
        }

        impl $Trait<Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                match self.operand_for(other.shape()) {
                    Some(operand) if other.is_reusable() => other.into_binary(operand, Swapped(functions::$Trait)),
                    _ => self.$method(&other),
                }
            }
        }

        impl $Trait<Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                // The larger one can hold the result.
                if self.is_unique() && self.numel() >= other.numel() {
                    self.$method(&other)
                } else {
                    (&self).$method(other)
                }
            }
        }

        impl $Trait<f32> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: f32) -> Tensor {
                self.with_scalar(stringify!($method), other, functions::$Trait)
            }
        }

        impl $Trait<f32> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: f32) -> Tensor {
                match self.is_reusable() {
                    true => self.into_binary(Operand::Scalar(other), functions::$Trait),
                    false => (&self).$method(other),
                }
            }
        }

        impl $Trait<&Tensor> for f32 {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor {
                other.with_scalar(stringify!($method), self, Swapped(functions::$Trait))
            }
        }

        impl $Trait<Tensor> for f32 {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                match other.is_reusable() {
                    true => other.into_binary(Operand::Scalar(self), Swapped(functions::$Trait)),
                    false => self.$method(&other),
                }
            }
        }
    )*};
}

operators! {
    Add add;
    Sub sub;
    Mul mul;
    Div div;
}

impl Neg for &Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        self.unary("neg", functions::Neg)
    }
}

impl Neg for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        self.into_unary("neg", functions::Neg)
    }
}

impl AddAssign<&Tensor> for Tensor {
    /// Adds in place when nobody shares the buffer.
    #[track_caller]
    fn add_assign(&mut self, other: &Tensor) {
        match other.operand_for(self.shape()) {
            Some(operand) => self.apply_binary(operand, functions::Add),
            None => *self = &*self + other,
        }
    }
}
