//! The operations on tensors, by family: they check shapes, choose a path and call kernels. The families have the names
//! that they have in the crate of gradients.

pub(crate) mod arithmetic;
pub(crate) mod attention;
pub(crate) mod conv;
pub(crate) mod elementwise;
pub(crate) mod grid_sample;
pub(crate) mod indexing;
pub(crate) mod interpolation;
pub(crate) mod linear;
pub(crate) mod normalize;
pub(crate) mod pool;
pub(crate) mod reduce;
pub(crate) mod selection;
pub(crate) mod shape;
pub(crate) mod update;
