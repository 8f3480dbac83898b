//! Neural network layers, losses, optimizers and training.

#![forbid(unsafe_code)]

pub mod data;
mod file;
mod save;

pub use file::{DataError, write_atomically};
pub use save::{load_metadata, load_tensors, save_tensors};
