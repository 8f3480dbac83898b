//! Kernels on slices.

pub mod functions;
pub mod map;
