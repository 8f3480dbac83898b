//! The layers.

mod activation;
mod linear;
mod shape;

pub use activation::{Identity, Relu, Sigmoid, Tanh};
pub use linear::Linear;
pub use shape::Flatten;
