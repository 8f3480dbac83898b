//! Automatic differentiation and neural networks on the CPU, from scratch.
//!
//! This package re-exports the three that do the work: [`tensor`] (strided f32 arrays and their kernels), [`autograd`]
//! (tape, operations, gradient checker) and [`nn`] (layers, losses, optimizers, training).

pub use gradus_autograd as autograd;
pub use gradus_nn as nn;
pub use gradus_tensor as tensor;

/// What programs import: `use gradus::prelude::*`.
pub mod prelude {
    pub use gradus_autograd::prelude::*;
    pub use gradus_nn::{
        Adam, AdamW, BatchNorm1d, BatchNorm2d, Conv2d, Dropout, Embedding, Flatten, Init, Layer, LayerNorm,
        Linear, MaxPool2d, Module, Optimizer, Relu, Residual, Sequential, Sgd, Sigmoid, Tanh, module,
    };
}

/// The pages of the documentation are compiled and run as tests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/adding-an-op.md")]
    struct AddingAnOp;
    #[doc = include_str!("../docs/custom-ops.md")]
    struct CustomOps;
    #[doc = include_str!("../docs/training.md")]
    struct Training;
    #[doc = include_str!("../docs/looking-inside.md")]
    struct LookingInside;
    #[doc = include_str!("../docs/gradient-checking.md")]
    struct GradientChecking;
}
