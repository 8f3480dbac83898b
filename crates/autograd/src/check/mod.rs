//! Checking gradients: of a user's function or model, and the laws that every operation obeys.

mod audit;
mod blame;
mod directions;
mod gradcheck;
mod json;
mod laws;
mod leaf;
mod magnitudes;
mod neighbours;
mod operation;
mod pattern;
mod report;
mod ridders;
mod rounding;
mod structure;
#[cfg(test)]
mod tests;
mod textbook;

pub use audit::{Audit, AuditRow, precision_audit};
pub use gradcheck::{GradCheck, gradcheck};
pub use laws::{Violation, laws};
pub use magnitudes::{magnitudes, right_at};
pub use operation::check_op;
pub use pattern::Pattern;
pub use report::{Blame, Report, Row, Verdict};
pub use ridders::Estimate;
pub use textbook::{Differencing, StepErrors, StepSweep, numerical_gradient, step_sweep};
