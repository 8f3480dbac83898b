//! Kernels on slices.

pub mod fold;
pub mod functions;
pub mod map;
