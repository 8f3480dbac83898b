//! The report as JSON.

use super::report::{Blame, Report, Row};
use gradus_check::{Json, Pattern};

impl Report {
    /// The report as JSON, for other programs: an object with the fields of [`Report`], `passed`, and the rows with the
    /// fields of [`Row`], the judgement as an object of its own. Numbers that are not finite are `null`.
    ///
    /// ```
    /// use gradus_autograd::{check::gradcheck, prelude::*};
    ///
    /// let report = gradcheck(|x| x[0].square(), &[Tensor::from([0.5, -0.3])]);
    /// assert!(report.to_json().contains(r#""verdict": "pass""#));
    /// ```
    pub fn to_json(&self) -> String {
        let report = Json::object([
            ("passed", Json::from(self.passed())),
            ("seed", Json::from(self.seed)),
            ("seconds", Json::from(self.seconds)),
            ("broken", Json::list(self.broken.iter().cloned())),
            ("notes", Json::list(self.notes.iter().cloned())),
            ("rows", Json::List(self.rows.iter().map(row).collect())),
        ]);
        format!("{report:#}")
    }
}

fn row(row: &Row) -> Json {
    Json::object([
        ("name", Json::from(row.name.clone())),
        ("shape", Json::list(row.shape.iter().copied())),
        ("order", Json::from(row.order)),
        ("verdict", Json::from(row.verdict.to_string().to_lowercase())),
        ("worst", Json::list(row.worst.iter().copied())),
        ("tape", Json::from(f64::from(row.tape))),
        ("judgement", row.judgement.json()),
        ("rounding", Json::from(row.rounding)),
        ("error", Json::from(row.error)),
        ("differenced", Json::from(row.differenced)),
        ("directions", Json::from(row.directions)),
        ("operations", Json::from(row.operations)),
        ("crossed", Json::from(row.crossed)),
        ("pattern", Json::from(row.pattern.as_ref().map(Pattern::to_string))),
        ("blame", row.blame.as_ref().map_or(Json::Null, blame)),
    ])
}

fn blame(blame: &Blame) -> Json {
    Json::object([
        ("op", Json::from(blame.op)),
        ("attributes", Json::from(blame.attributes.clone())),
        ("line", Json::from(blame.line.clone())),
        ("input", blame.input.map_or(Json::Null, Json::from)),
        ("shape", Json::list(blame.shape.iter().copied())),
        ("worst", Json::list(blame.worst.iter().copied())),
        ("found", Json::from(blame.found)),
        ("right", Json::from(blame.right)),
        ("pattern", Json::from(blame.pattern.as_ref().map(Pattern::to_string))),
    ])
}
