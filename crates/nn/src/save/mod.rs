//! What is written to files and read again: tensors by name, the parameters of a model, the state of a run.

mod file;
mod safetensors;
mod state;
mod weights;

pub use self::safetensors::{load_metadata, load_tensors, save_tensors};
pub(crate) use file::Reason;
pub use file::{DataError, write_atomically};
pub use state::{State, StateError};
pub(crate) use weights::{check_params, set_params};
pub use weights::{load, save};
