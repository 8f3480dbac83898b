//! What a gradient check found.

use super::numeric::Estimate;
use std::fmt;

/// The result of a gradient check, one row for each input or parameter.
#[derive(Clone, Debug)]
pub struct Report {
    /// The rows, in the order of the inputs or parameters.
    pub rows: Vec<Row>,
    /// The seed that the check was made with.
    pub seed: u64,
    /// How long it took.
    pub seconds: f64,
}

/// What the check found for one input or parameter.
#[derive(Clone, Debug)]
pub struct Row {
    /// `input 0`, or the parameter's name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The element to look at: the one to blame, or where the f32 gradient is furthest off.
    pub worst: Vec<usize>,
    /// There, the gradient that training uses, in f32.
    pub tape: f32,
    /// There, the gradient by the backward rules in f64.
    pub rule: f64,
    /// There, the derivative by differences in f64.
    pub numeric: Estimate,
    /// There, the distance of tape and differences, relative to the largest gradient of this input.
    pub error: f64,
    /// The judgement.
    pub verdict: Verdict,
    /// How many elements were differenced one by one; random directions saw all of them.
    pub differenced: usize,
}

/// A judgement on one input or parameter. Only [`Pass`](Verdict::Pass) is a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Formula and arithmetic are right.
    Pass,
    /// The backward rules, run in f64, are not the derivative of the forward.
    WrongFormula,
    /// The rules are right, but the f32 gradient is further from them than the tolerance.
    PoorPrecision,
    /// Every gradient is zero: the output does not depend on this input, or no more.
    NoGradient,
    /// Differences are too uncertain to judge.
    Inconclusive,
}

impl Report {
    /// Whether every row passed.
    pub fn passed(&self) -> bool {
        self.rows.iter().all(|row| row.verdict == Verdict::Pass)
    }

    /// The rows that did not pass.
    pub fn failures(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.verdict != Verdict::Pass)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Pass => "pass",
            Verdict::WrongFormula => "WRONG FORMULA",
            Verdict::PoorPrecision => "POOR PRECISION",
            Verdict::NoGradient => "NO GRADIENT",
            Verdict::Inconclusive => "INCONCLUSIVE",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["", "shape", "worst at", "tape", "numerical", "error", "verdict"].map(String::from);
        let row = |row: &Row| {
            [
                row.name.clone(),
                format!("{:?}", row.shape),
                format!("{:?}", row.worst),
                format!("{:.6e}", row.tape),
                format!("{:.6e}", row.numeric.value),
                format!("{:.1e}", row.error),
                row.verdict.to_string(),
            ]
        };
        let table: Vec<[String; 7]> = std::iter::once(header).chain(self.rows.iter().map(row)).collect();
        let width = |column: usize| table.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let widths: [usize; 7] = std::array::from_fn(width);
        for row in &table {
            for (column, (text, &width)) in row.iter().zip(&widths).enumerate() {
                match column {
                    0..3 => write!(f, "{text:<width$}  ")?,
                    3..6 => write!(f, "{text:>width$}  ")?,
                    _ => writeln!(f, "{text}")?,
                }
            }
        }
        let passed = self.rows.len() - self.failures().count();
        write!(f, "{passed} of {} pass, seed {}, {:.2} s", self.rows.len(), self.seed, self.seconds)
    }
}
