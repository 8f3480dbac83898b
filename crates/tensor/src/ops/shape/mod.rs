//! Tensors put together, taken apart and padded.

mod concat;
pub(crate) mod diagonals;
pub(crate) mod pad;
