//! Data: examples, mini-batches of them, the files they come from, and what is done to them before training.

pub mod augment;
mod batches;
pub mod csv;
mod dataset;
pub mod digits;
pub mod idx;
#[cfg(feature = "png")]
pub mod images;
pub mod mnist;
mod normalize;
pub mod npy;
mod examples;

pub use batches::Batches;
pub use dataset::Dataset;
pub use normalize::Normalize;
pub use examples::Examples;
