//! What a file that declares an operation imports, in gradus or in a program of one's own: `use op::prelude::*`. The methods
//! of values come with gradus's other prelude.

pub use super::{
    Backward, Batch, InBatch, Op, Outputs, Pointwise, Precision, Shapes, Spec, arity,
    examples::{ErrorCase, Gen, Sample},
    reference::{Array, Branches, Update},
    window::{Along, Window, elements},
};
pub use crate::value::{Value, c};
pub use gradus_tensor::{OrFail, Shape, ShapeError, Tensor};
