//! The operations, each declared once: a row of a table or a file of its own.

pub mod arithmetic;
pub mod conv;
pub mod elementwise;
pub mod identity;
pub mod indexing;
pub mod linear;
pub mod loss;
pub mod normalize;
pub mod pairs;
pub mod pool;
pub mod reduce;
pub mod selection;
pub mod shape;
pub mod steps;

/// The traits whose methods are the operations on any [`Value`](crate::Value). They come without their names, which
/// a program may want for its own types.
pub mod methods {
    pub use super::{
        conv::Convolution as _,
        elementwise::{Activations as _, Elementwise as _},
        indexing::Indexing as _,
        linear::Products as _,
        loss::Loss as _,
        normalize::Normalize as _,
        pairs::Pairs as _,
        pool::Pooling as _,
        reduce::Reduce as _,
        selection::Selection as _,
        shape::Shaping as _,
        steps::Steps as _,
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
    Spec::of::<identity::Identity>(),
    Spec::of::<elementwise::Exp>(),
    Spec::of::<elementwise::Expm1>(),
    Spec::of::<elementwise::Log>(),
    Spec::of::<elementwise::Log1p>(),
    Spec::of::<elementwise::Sqrt>(),
    Spec::of::<elementwise::Rsqrt>(),
    Spec::of::<elementwise::Reciprocal>(),
    Spec::of::<elementwise::Square>(),
    Spec::of::<elementwise::Powf>(),
    Spec::of::<elementwise::Sin>(),
    Spec::of::<elementwise::Cos>(),
    Spec::of::<elementwise::Tan>(),
    Spec::of::<elementwise::Sinh>(),
    Spec::of::<elementwise::Cosh>(),
    Spec::of::<elementwise::Erf>(),
    Spec::of::<elementwise::NormalCdf>(),
    Spec::of::<elementwise::Abs>(),
    Spec::of::<elementwise::Clamp>(),
    Spec::of::<elementwise::Sigmoid>(),
    Spec::of::<elementwise::Tanh>(),
    Spec::of::<elementwise::Relu>(),
    Spec::of::<elementwise::LeakyRelu>(),
    Spec::of::<elementwise::Elu>(),
    Spec::of::<elementwise::Gelu>(),
    Spec::of::<elementwise::GeluTanh>(),
    Spec::of::<elementwise::Silu>(),
    Spec::of::<elementwise::Softplus>(),
    Spec::of::<pairs::Maximum>(),
    Spec::of::<pairs::Minimum>(),
    Spec::of::<pairs::Pow>(),
    Spec::of::<pairs::StrongMul>(),
    Spec::of::<steps::Positive>(),
    Spec::of::<steps::Sign>(),
    Spec::of::<steps::Gt>(),
    Spec::of::<steps::Ge>(),
    Spec::of::<steps::Lt>(),
    Spec::of::<steps::Le>(),
    Spec::of::<steps::Equals>(),
    Spec::of::<selection::SelectWhere>(),
    Spec::of::<shape::Reshape>(),
    Spec::of::<shape::Permute>(),
    Spec::of::<shape::BroadcastTo>(),
    Spec::of::<shape::SumTo>(),
    Spec::of::<shape::SliceAxis>(),
    Spec::of::<shape::Unslice>(),
    Spec::of::<shape::Concat>(),
    Spec::of::<reduce::Sum>(),
    Spec::of::<reduce::Max>(),
    Spec::of::<reduce::Min>(),
    Spec::of::<reduce::Variance>(),
    Spec::of::<reduce::CumSum>(),
    Spec::of::<reduce::LogSumExp>(),
    Spec::of::<indexing::IndexSelect>(),
    Spec::of::<indexing::IndexAdd>(),
    Spec::of::<indexing::Gather>(),
    Spec::of::<indexing::ScatterAdd>(),
    Spec::of::<normalize::Softmax>(),
    Spec::of::<normalize::LogSoftmax>(),
    Spec::of::<linear::MatMul>(),
    Spec::of::<linear::Linear>(),
    Spec::of::<loss::CrossEntropy>(),
    Spec::of::<conv::Conv2d>(),
    Spec::of::<conv::Conv2dInputGrad>(),
    Spec::of::<conv::Conv2dWeightGrad>(),
    Spec::of::<pool::MaxPool2d>(),
    Spec::of::<pool::AvgPool2d>(),
    Spec::of::<pool::AvgPool2dGrad>(),
    Spec::of::<pool::PlaneGather>(),
    Spec::of::<pool::PlaneScatter>(),
];
