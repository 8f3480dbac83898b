//! Data: examples, mini-batches of them, the files they come from, and what is done to them before training.

pub mod augment;
mod batches;
pub mod csv;
mod dataset;
pub mod digits;
mod examples;
pub mod idx;
#[cfg(feature = "png")]
pub mod images;
pub mod mnist;
mod normalize;
pub mod npy;

pub use batches::Batches;
pub use dataset::Dataset;
pub use examples::Examples;
pub use normalize::Normalize;
