//! Neural network layers, losses, optimizers and training, over [`gradus_autograd`].

#![forbid(unsafe_code)]

pub mod book;
pub mod data;
pub mod decode;
mod flat;
mod gradcheck;
pub mod group;
pub mod init;
mod layer;
pub mod layers;
pub mod metrics;
mod module;
pub mod optim;
#[cfg(feature = "report")]
pub mod report;
mod save;
pub mod schedule;
mod summary;
#[cfg(feature = "tensorboard")]
pub mod tensorboard;
pub mod train;

pub use flat::{flatten, flatten_gradients, unflatten};
pub use gradcheck::gradcheck_model;
pub use gradus_autograd::Param;
pub use init::Init;
pub use layer::{DynLayer, Layer, Sequential};
pub use layers::*;
pub use module::{Module, Parameters, field, join, update_buffers};
pub use optim::{Optimizer, optimizers::*};
pub use save::{
    Checkpoints, DataError, LoadOptions, Rename, State, StateError, Unmatched, load, load_metadata,
    load_state_dict, load_tensors, load_with, save, save_tensors, state_dict, write_atomically,
};
pub use summary::{Summary, SummaryRow};
