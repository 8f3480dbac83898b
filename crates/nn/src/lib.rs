//! Neural network layers, losses, optimizers and training, over [`gradus_autograd`].

#![forbid(unsafe_code)]

pub mod init;
mod layer;
pub mod layers;
mod module;
pub mod optim;

pub use gradus_autograd::Param;
pub use init::Init;
pub use layer::{DynLayer, Layer, Sequential};
pub use layers::*;
pub use module::{Module, Summary, join};
pub use optim::{Adam, Optimizer, Sgd};
