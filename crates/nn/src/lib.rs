//! Neural network layers, losses, optimizers and training.

#![forbid(unsafe_code)]

pub mod data;
mod file;

pub use file::{DataError, write_atomically};
