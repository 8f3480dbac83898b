//! Checking gradients: of a user's function or model, and the laws that every operation obeys.

mod gradcheck;
mod laws;
mod numeric;
mod report;
mod sample;
mod spec;

pub use gradcheck::{GradCheck, gradcheck, numerical_gradient};
pub use laws::{Violation, laws};
pub use numeric::Estimate;
pub use report::{Report, Row, Verdict};
pub use sample::{ErrorCase, Gen, Sample};
pub use spec::Spec;
