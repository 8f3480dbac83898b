//! Tensors put together, taken apart and padded.

pub(crate) mod concat;
pub(crate) mod diagonals;
pub(crate) mod pad;
