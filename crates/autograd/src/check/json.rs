//! The report as JSON.

use super::{
    pattern::Pattern,
    report::{Blame, Report, Row},
};
use serde_json::{Value, json};

impl Report {
    /// The report as JSON, for other programs: an object with the fields of [`Report`], `passed`, and the rows with the
    /// fields of [`Row`]. Numbers that are not finite are `null`.
    ///
    /// ```
    /// use gradus_autograd::{check::gradcheck, prelude::*};
    ///
    /// let report = gradcheck(|x| x[0].square(), &[Tensor::from([0.5, -0.3])]);
    /// assert!(report.to_json().contains(r#""verdict": "pass""#));
    /// ```
    pub fn to_json(&self) -> String {
        let rows: Vec<Value> = self.rows.iter().map(row).collect();
        let report = json!({
            "passed": self.passed(),
            "seed": self.seed,
            "seconds": self.seconds,
            "broken": self.broken,
            "notes": self.notes,
            "rows": rows,
        });
        format!("{report:#}")
    }
}

fn row(row: &Row) -> Value {
    json!({
        "name": row.name,
        "shape": row.shape,
        "order": row.order,
        "verdict": row.verdict.to_string().to_lowercase(),
        "worst": row.worst,
        "tape": row.tape,
        "rule": row.rule,
        "numeric": row.numeric.value,
        "numeric_error": row.numeric.error,
        "rounding": row.rounding,
        "error": row.error,
        "differenced": row.differenced,
        "directions": row.directions,
        "crossed": row.crossed,
        "pattern": row.pattern.as_ref().map(Pattern::to_string),
        "blame": row.blame.as_ref().map(blame),
    })
}

fn blame(blame: &Blame) -> Value {
    json!({
        "op": blame.op,
        "attributes": blame.attributes,
        "line": blame.line,
        "input": blame.input,
        "shape": blame.shape,
        "worst": blame.worst,
        "found": blame.found,
        "right": blame.right,
        "pattern": blame.pattern.as_ref().map(Pattern::to_string),
    })
}
