//! Strided f32 arrays and their kernels: the ground that gradus stands on. Knows nothing of gradients.

mod arithmetic;
mod buffer;
mod construct;
mod conv;
mod copy;
mod elementwise;
mod error;
mod format;
mod functions;
mod indexing;
mod indices;
mod isa;
mod joining;
#[allow(clippy::needless_range_loop)] // tiles and registers are counted
pub mod kernels;
mod layout;
mod masking;
mod matmul;
pub mod memory;
mod padding;
mod par;
mod pool;
mod random;
mod reduce;
pub mod shape;
pub mod simd;
mod sorting;
mod strided;
mod tensor;
pub mod threads;
mod update;
mod views;

pub use conv::{Conv2dOptions, ConvShape};
pub use error::{OrFail, ShapeError};
pub use indices::Indices;
pub use isa::Isa;
pub use layout::{ResolvedSlice, Slice, resolve_permutation};
pub use padding::Padding;
pub use pool::{Pool2d, PoolShape, PoolWindow, plane_gather_shape, plane_scatter_shape};
pub use random::{Rng, RngState};
pub use shape::{Axes, Shape};
pub use tensor::Tensor;
pub use update::{Update, update_all};
pub use views::resolve_reshape;
