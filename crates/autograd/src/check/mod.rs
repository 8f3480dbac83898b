//! Checking gradients: of a user's function or model, and the laws that every operation obeys.

mod audit;
mod beside;
mod blame;
mod difference;
#[cfg(test)]
mod faulty;
mod gradcheck;
mod json;
mod laws;
mod leaf;
mod magnitudes;
#[cfg(test)]
mod mutants;
mod numeric;
mod numerical;
mod operation;
mod pattern;
#[cfg(test)]
mod planted;
#[cfg(test)]
mod planted_grid;
mod report;
mod rounding;
mod sample;
mod spec;
mod structure;
mod windows;

pub use audit::{Audit, AuditRow, precision_audit};
pub use gradcheck::{GradCheck, gradcheck};
pub use laws::{Violation, laws};
pub use magnitudes::{magnitudes, right_at};
pub use numeric::Estimate;
pub use numerical::{Differencing, StepErrors, StepSweep, numerical_gradient, step_sweep};
pub use operation::check_op;
pub use pattern::Pattern;
pub use report::{Blame, Report, Row, Verdict};
pub use sample::{ErrorCase, Gen, Sample};
pub use spec::Spec;
