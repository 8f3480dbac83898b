//! What runs over random programs and models hold the reports of gradient checks to.

use gradus_autograd::check::{Report, Row, Verdict};

/// The reports with a gradient that nothing can be said of.
#[derive(Default)]
pub struct Unsure(Vec<String>);

impl Unsure {
    /// Panics when the report calls a right gradient wrong, or lost where it is not unused; and keeps it when it is unsure.
    #[track_caller]
    pub fn add(&mut self, name: &str, report: &Report, is_unused: impl Fn(usize) -> bool) {
        let is_unsure = |row: &Row| matches!(row.verdict, Verdict::Inconclusive | Verdict::Noisy);
        for (k, row) in report.rows.iter().enumerate() {
            let is_right = row.verdict == Verdict::NoGradient && is_unused(k);
            assert!(is_right || is_unsure(row) || row.verdict.is_fine(), "{name}: {report}");
        }
        if report.rows.iter().any(is_unsure) {
            self.0.push(format!("{name}: {report}"));
        }
        // What overflows with a huge input or weight has no gradient to check.
        let overflows = report.rows.is_empty() && report.broken[0].starts_with("the output is not finite");
        assert!(overflows || report.broken.is_empty(), "{name}: {report}");
    }

    /// Panics when more than one of a thousand reports, of so many, were unsure.
    #[track_caller]
    pub fn check(&self, reports: usize) {
        let unsure = self.0.len();
        assert!(unsure <= 1 + reports / 1000, "{unsure} of {reports} unsure: {}", self.0.join("\n"));
    }
}
