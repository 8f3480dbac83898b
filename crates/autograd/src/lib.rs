//! Reverse-mode automatic differentiation of any order, with a gradient checker.

#![forbid(unsafe_code)]

mod backward;
mod batched;
pub mod check;
pub mod exact;
pub mod functional;
pub mod inspect;
pub mod op;
pub mod ops;
mod replay;
mod sweep;
mod tape;
mod value;

pub use backward::hooks::Hooks;
pub use op::Op;
pub use op::window::{Along, Window};
pub use sweep::gradients::{Gradients, Unreached};
pub use tape::{Tape, var::Var};
pub use value::{
    Formula, Imply, Is, Operand, Place, Scalar, Value, c, eager,
    param::{Param, ParamId},
    values::Values,
};

/// What programs that differentiate import: `use gradus_autograd::prelude::*`.
pub mod prelude {
    pub use crate::{
        Gradients, Hooks, Param, Place, Tape, Value, Var, c, eager,
        ops::{attention::AttentionOptions, methods::*, shape::Padding},
    };
    pub use gradus_tensor::{
        Axes, Conv1dOptions, Conv2dOptions, Conv3dOptions, Indices, Interpolation, PoolOptions, Resize, Rng,
        Slice, Tensor,
    };
}
