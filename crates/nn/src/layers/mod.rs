//! The layers.

mod activation;
mod conv;
mod linear;
mod shape;

pub use activation::{Identity, Relu, Sigmoid, Tanh};
pub use conv::{Conv2d, MaxPool2d};
pub use linear::Linear;
pub use shape::Flatten;
