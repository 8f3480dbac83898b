//! Neural network layers, losses, optimizers and training, over [`gradus_autograd`].

#![forbid(unsafe_code)]

mod check;
pub mod data;
mod flat;
pub mod init;
mod layer;
pub mod layers;
pub mod metrics;
mod module;
pub mod optim;
pub mod sample;
mod save;
pub mod schedule;
mod summary;
pub mod train;

pub use check::gradcheck_model;
pub use flat::{flatten, flatten_gradients, unflatten};
pub use gradus_autograd::Param;
pub use init::Init;
pub use layer::{DynLayer, Layer, Sequential};
pub use layers::*;
pub use module::{Module, Parameters, join, update_buffers};
pub use optim::{AdaDelta, AdaGrad, Adam, AdamW, Lion, NAdam, Optimizer, RmsProp, Sgd};
pub use save::{
    DataError, LoadOptions, State, StateError, Unmatched, load, load_metadata, load_state_dict, load_tensors,
    load_with, save, save_tensors, state_dict, write_atomically,
};
pub use summary::{Summary, SummaryRow};
