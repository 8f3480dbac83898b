//! Data: labelled examples, mini-batches of them, and the files they come from.

mod batches;
mod dataset;
pub mod digits;
pub mod idx;
pub mod mnist;

pub use batches::Batches;
pub use dataset::Dataset;
