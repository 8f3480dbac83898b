//! Strided f32 arrays and their kernels.

mod isa;

pub use isa::Isa;
