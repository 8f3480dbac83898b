//! Checking gradients: of a user's function or model, and the laws that every operation obeys.

mod sample;

pub use sample::{ErrorCase, Gen, Sample};
