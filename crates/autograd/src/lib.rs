//! Reverse-mode automatic differentiation of any order, with a gradient checker.

#![forbid(unsafe_code)]

pub mod check;
mod checkpoint;
pub mod functional;
mod gradients;
mod hooks;
pub mod inspect;
mod list;
pub mod op;
pub mod ops;
mod param;
pub mod reference;
mod replay;
mod special;
mod sweep;
mod tape;
mod value;
mod values;
mod var;
mod window;

pub use gradients::{Gradients, Unreached};
pub use hooks::Hooks;
pub use op::Op;
pub use param::{Param, ParamId};
pub use tape::Tape;
pub use value::{At, Formula, Imply, Is, Scalar, Value, c, eager};
pub use values::Values;
pub use var::Var;
pub use window::{Along, Window};

/// What programs that differentiate import: `use gradus_autograd::prelude::*`.
pub mod prelude {
    pub use crate::{At, Gradients, Hooks, Param, Tape, Value, Var, c, eager, ops::methods::*};
    pub use gradus_tensor::{
        Axes, Conv1dOptions, Conv2dOptions, Conv3dOptions, Indices, Interpolation, Padding, Rng, Slice,
        Tensor,
    };
}
