//! Neural network layers, losses, optimizers and training, over [`gradus_autograd`].

#![forbid(unsafe_code)]

pub mod data;
pub mod decode;
mod file;
mod flat;
mod gradcheck;
pub mod init;
mod layer;
pub mod layers;
pub mod metrics;
mod module;
pub mod optim;
mod save;
pub mod schedule;
mod state;
mod summary;
pub mod train;
mod weights;

pub use file::{DataError, write_atomically};
pub use flat::{flatten, flatten_gradients, unflatten};
pub use gradcheck::gradcheck_model;
pub use gradus_autograd::Param;
pub use init::Init;
pub use layer::{DynLayer, Layer, Sequential};
pub use layers::*;
pub use module::{Module, Parameters, field, join, update_buffers};
pub use optim::{Optimizer, optimizers::*};
pub use save::{load_metadata, load_tensors, save_tensors};
pub use state::{State, StateError};
pub use summary::{Summary, SummaryRow};
pub use weights::{load, save};
