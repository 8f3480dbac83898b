//! Checking gradients: of a user's function or model, and the laws that every operation obeys.

mod laws;
mod numeric;
mod sample;
mod spec;

pub use laws::{Violation, laws};
pub use numeric::Estimate;
pub use sample::{ErrorCase, Gen, Sample};
pub use spec::Spec;
