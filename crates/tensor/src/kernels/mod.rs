//! Kernels on slices.

pub mod fold;
pub mod functions;
pub mod map;
pub(crate) mod vectors;
