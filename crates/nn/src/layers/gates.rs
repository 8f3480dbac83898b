//! Logic gates as networks: perceptrons with the weights of the book's chapter 2, and the XNOR net of A. Ng's course.
//!
//! Each maps `[n, 2]` inputs, 0 for false and 1 for true, to `[n, 1]`. One perceptron parts the plane by a line, which is
//! enough for AND, NAND and OR. XOR needs two layers.
//!
//! ```
//! use gradus_nn::{Layer, gates};
//! use gradus_tensor::Tensor;
//!
//! let x = Tensor::from([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]);
//! assert_eq!(gates::and().forward(x.clone()).to_vec(), [0.0, 0.0, 0.0, 1.0]);
//! assert_eq!(gates::xor().forward(x).to_vec(), [0.0, 1.0, 1.0, 0.0]);
//! ```

use super::{Linear, Sigmoid, Step};
use crate::layer::Sequential;
use gradus_autograd::prelude::*;

/// `y = 1` where both are 1: the step of `0.5 x₁ + 0.5 x₂ - 0.7`.
pub fn and() -> Sequential {
    Sequential::new().push(linear([[0.5, 0.5]], [-0.7])).push(Step)
}

/// `y = 1` unless both are 1: the step of `0.7 - 0.5 x₁ - 0.5 x₂`.
pub fn nand() -> Sequential {
    Sequential::new().push(linear([[-0.5, -0.5]], [0.7])).push(Step)
}

/// `y = 1` where one is 1, or both: the step of `0.5 x₁ + 0.5 x₂ - 0.2`.
pub fn or() -> Sequential {
    Sequential::new().push(linear([[0.5, 0.5]], [-0.2])).push(Step)
}

/// `y = 1` where one is 1 and the other 0: AND of NAND and OR, a perceptron of two layers.
pub fn xor() -> Sequential {
    let nand_and_or = linear([[-0.5, -0.5], [0.5, 0.5]], [0.7, -0.2]);
    Sequential::new().push(nand_and_or).push(Step).push(linear([[0.5, 0.5]], [-0.7])).push(Step)
}

/// Near 1 where both are the same, near 0 elsewhere: OR of AND and NOR, with sigmoids, so that it can be trained too. 0.99995
/// and 0.00005 are its values.
pub fn xnor() -> Sequential {
    let and_and_nor = linear([[20.0, 20.0], [-20.0, -20.0]], [-30.0, 10.0]);
    Sequential::new().push(and_and_nor).push(Sigmoid).push(linear([[20.0, 20.0]], [-10.0])).push(Sigmoid)
}

fn linear<const OUT: usize>(weight: [[f32; 2]; OUT], bias: [f32; OUT]) -> Linear {
    Linear { weight: Param::new(weight), bias: Some(Param::new(bias)) }
}
