//! The operations, each declared once: a row of a table or a file of its own.

pub mod arithmetic;
pub mod conv;
pub mod elementwise;
pub mod linear;
pub mod pool;
pub mod reduce;
pub mod shape;
pub mod steps;

/// The traits whose methods are the operations on any [`Value`](crate::Value).
pub mod methods {
    pub use super::{
        conv::Convolution, elementwise::Elementwise, linear::Linear, pool::Pooling, reduce::Reduce,
        shape::Shaping, steps::Steps,
    };
}

use crate::check::Spec;

/// Every operation: what the laws, the benches and the table in the docs go over.
pub const ALL: &[Spec] = &[
    Spec::of::<arithmetic::Add>(),
    Spec::of::<arithmetic::Sub>(),
    Spec::of::<arithmetic::Mul>(),
    Spec::of::<arithmetic::Div>(),
    Spec::of::<arithmetic::AddScalar>(),
    Spec::of::<arithmetic::MulScalar>(),
    Spec::of::<arithmetic::DivScalar>(),
    Spec::of::<arithmetic::SubFrom>(),
    Spec::of::<arithmetic::DivInto>(),
    Spec::of::<arithmetic::Neg>(),
    Spec::of::<elementwise::Exp>(),
    Spec::of::<elementwise::Log>(),
    Spec::of::<elementwise::Sqrt>(),
    Spec::of::<elementwise::Square>(),
    Spec::of::<elementwise::Sin>(),
    Spec::of::<elementwise::Cos>(),
    Spec::of::<elementwise::Tanh>(),
    Spec::of::<elementwise::Sigmoid>(),
    Spec::of::<elementwise::Relu>(),
    Spec::of::<elementwise::Abs>(),
    Spec::of::<steps::Positive>(),
    Spec::of::<steps::Sign>(),
    Spec::of::<shape::Reshape>(),
    Spec::of::<shape::Permute>(),
    Spec::of::<shape::BroadcastTo>(),
    Spec::of::<shape::SumTo>(),
    Spec::of::<shape::SliceAxis>(),
    Spec::of::<shape::Unslice>(),
    Spec::of::<reduce::Sum>(),
    Spec::of::<reduce::Max>(),
    Spec::of::<linear::MatMul>(),
    Spec::of::<conv::Conv2d>(),
    Spec::of::<conv::Conv2dInputGrad>(),
    Spec::of::<conv::Conv2dWeightGrad>(),
    Spec::of::<pool::MaxPool2d>(),
    Spec::of::<pool::AvgPool2d>(),
    Spec::of::<pool::AvgPool2dGrad>(),
    Spec::of::<pool::PlaneGather>(),
    Spec::of::<pool::PlaneScatter>(),
];
