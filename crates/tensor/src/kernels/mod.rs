//! The arithmetic on raw memory, one module per family of operations.

pub(crate) mod conv;
pub mod fold;
pub mod many;
pub mod map;
pub(crate) mod matmul;
pub(crate) mod moments;
pub(crate) mod transpose;
pub mod update;
pub(crate) mod winograd;
