//! The arithmetic on raw strided memory, one module per family of operations.

pub(crate) mod matmul;
