//! What is written to files and read again: tensors by name, the parameters of a model, the state of a run.

#[cfg(any(feature = "npz", feature = "pt"))]
mod archive;
mod checkpoints;
mod elements;
mod file;
mod header;
mod safetensors;
mod state;
#[cfg(feature = "pt")]
mod torch;
mod weights;

pub use self::safetensors::{load_metadata, load_tensors, save_tensors};
#[cfg(feature = "npz")]
pub(crate) use archive::Archive;
pub use checkpoints::Checkpoints;
#[cfg(feature = "npz")]
pub(crate) use elements::half;
pub(crate) use elements::{Kind, whole, write_f32s};
#[cfg(feature = "png")]
pub(crate) use file::room;
pub use file::{DataError, write_atomically};
pub(crate) use file::{MOST_AXES, Reason, expansion_limit, read_file, unpack};
pub use state::{State, StateError};
pub use weights::{LoadOptions, Rename, Unmatched, load, load_state_dict, load_with, save, state_dict};
pub(crate) use weights::{check_params, named_twice, set_params};
