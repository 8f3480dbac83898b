//! What runs over random programs and models hold the reports of gradient checks to.

use gradus_autograd::check::{Report, Row, Verdict};

/// The reports with a gradient that nothing can be said of, and how many have one of what overflows.
#[derive(Default)]
pub struct Unsure {
    reports: Vec<String>,
    overflows: usize,
}

impl Unsure {
    /// Panics when the report calls a right gradient wrong, or lost where it is not unused, or says that something overflows where
    /// nothing does; and keeps it when it is unsure.
    #[track_caller]
    pub fn add(
        &mut self,
        name: &str,
        report: &Report,
        is_unused: impl Fn(usize) -> bool,
        overflows: impl Fn() -> bool,
    ) {
        let is_unsure = |row: &Row| matches!(row.verdict, Verdict::Inconclusive | Verdict::Noisy);
        let is_overflow = |row: &Row| row.verdict == Verdict::Overflow;
        let has_overflow = report.rows.iter().any(is_overflow);
        assert!(!has_overflow || overflows(), "{name}: {report}");
        self.overflows += usize::from(has_overflow);
        for (k, row) in report.rows.iter().enumerate() {
            let is_right = row.verdict == Verdict::NoGradient && is_unused(k) || is_overflow(row);
            assert!(is_right || is_unsure(row) || row.verdict.is_fine(), "{name}: {report}");
        }
        if report.rows.iter().any(is_unsure) {
            self.reports.push(format!("{name}: {report}"));
        }
        // What overflows with a huge input or weight has no gradient to check.
        let overflows = report.rows.is_empty() && report.broken[0].starts_with("the output is not finite");
        assert!(overflows || report.broken.is_empty(), "{name}: {report}");
    }

    /// Says how many reports, of so many, were unsure or overflowed, and panics when more than one of a thousand were.
    #[expect(clippy::print_stdout, reason = "the docs have these numbers")]
    #[track_caller]
    pub fn check(&self, reports: usize) {
        let unsure = self.reports.len();
        println!(
            "of {reports} reports {unsure} have a gradient that nothing can be said of, {} what overflows",
            self.overflows
        );
        assert!(unsure <= 1 + reports / 1000, "{unsure} of {reports} unsure: {}", self.reports.join("\n"));
        assert!(self.overflows <= 1 + reports / 1000, "{} of {reports} overflow", self.overflows);
    }
}
