//! Strided f32 arrays and their kernels: the ground that gradus stands on. Knows nothing of gradients.

#[allow(clippy::assign_op_pattern)] // the operator is a macro token, its assigning form cannot be named
mod arithmetic;
mod buffer;
mod construct;
mod copy;
mod elementwise;
mod error;
mod format;
mod functions;
mod indexing;
mod indices;
mod isa;
mod joining;
pub mod kernels;
mod layout;
mod masking;
mod matmul;
pub mod memory;
mod padding;
mod par;
mod random;
mod reduce;
pub mod shape;
pub mod simd;
mod sorting;
mod strided;
mod tensor;
mod views;

pub use error::{OrFail, ShapeError};
pub use indices::Indices;
pub use isa::Isa;
pub use layout::{ResolvedSlice, Slice};
pub use padding::Padding;
pub use random::{Rng, RngState};
pub use shape::{Axes, Shape};
pub use tensor::Tensor;
pub use views::resolve_reshape;
