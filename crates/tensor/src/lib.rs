//! Strided f32 arrays and their kernels: the ground that gradus stands on. Knows nothing of gradients.

mod arithmetic;
mod buffer;
mod construct;
mod elementwise;
mod error;
mod format;
mod functions;
mod indices;
mod isa;
pub mod kernels;
mod layout;
mod matmul;
pub mod memory;
mod par;
mod pending;
mod random;
mod reduce;
mod select;
pub mod shape;
pub mod simd;
mod strided;
mod tensor;
mod views;

pub use error::{OrFail, ShapeError};
pub use indices::Indices;
pub use isa::Isa;
pub use layout::{ResolvedSlice, Slice, resolve_permutation};
pub use random::{Rng, RngState};
pub use shape::{Axes, Shape};
pub use tensor::Tensor;
pub use views::resolve_reshape;
