//! Strided f32 arrays and their kernels.

mod isa;
#[cfg_attr(not(test), expect(dead_code, reason = "no tensor uses them yet"))]
mod kernels;
mod par;

pub use isa::Isa;
