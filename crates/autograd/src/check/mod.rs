//! Checking gradients: of a user's function or model, and the laws that every operation obeys.

mod audit;
mod blame;
mod directions;
mod forward;
mod gradcheck;
mod json;
mod laws;
mod leaf;
mod long;
mod magnitudes;
mod neighbours;
mod operation;
mod overflow;
mod recording;
mod report;
mod rounding;
mod structure;
#[cfg(test)]
mod tests;
mod textbook;

pub use audit::{Audit, AuditRow, precision_audit};
pub use gradcheck::{GradCheck, gradcheck};
pub use gradus_check::{Estimate, Judgement, Pattern, Reason};
pub use laws::{Violation, laws};
pub use magnitudes::{magnitudes, right_at};
pub use operation::check_op;
pub use report::{Blame, Report, Row, Verdict};
pub use textbook::{Differencing, StepErrors, StepSweep, numerical_gradient, step_sweep};
