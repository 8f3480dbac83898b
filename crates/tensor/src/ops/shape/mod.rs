//! Tensors put together.

pub(crate) mod concat;
