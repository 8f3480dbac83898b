//! Strided f32 arrays and their kernels.

mod isa;
pub mod kernels;
pub mod simd;

pub use isa::Isa;
