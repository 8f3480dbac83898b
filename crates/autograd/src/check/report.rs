//! What a gradient check found.

use super::{pattern::Pattern, ridders::Estimate};
use std::fmt;

/// The result of a gradient check, one row for each input or parameter.
#[derive(Clone, Debug)]
pub struct Report {
    /// The rows, in the order of the inputs or parameters; those of the second order after those of the first.
    pub rows: Vec<Row>,
    /// What is wrong beside single gradients, a sentence each: a function that gives another value on a second call, a
    /// backward pass that is not linear in the cotangent, an output that is not finite.
    pub broken: Vec<String>,
    /// What was left out.
    pub notes: Vec<String>,
    /// The seed that decided cotangents, chosen elements and directions.
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
    /// 1 for the gradient, 2 for the gradient of the gradient, projected on random directions.
    pub order: usize,
    /// The element to look at: the one to blame, or where the f32 gradient is furthest off.
    pub worst: Vec<usize>,
    /// There, the gradient that training uses, in f32.
    pub tape: f32,
    /// There, the gradient by the backward rules in f64.
    pub rule: f64,
    /// There, the derivative by differences in f64.
    pub numeric: Estimate,
    /// There, how far f32 arithmetic as good as the operations state may be from f64.
    pub rounding: f64,
    /// There, the distance of tape and differences, relative to the largest gradient of this input.
    pub error: f64,
    /// The judgement.
    pub verdict: Verdict,
    /// How many elements were differenced one by one.
    pub differenced: usize,
    /// Along how many random directions, which see every element.
    pub directions: usize,
    /// For how many elements a step crossed a kink: a branch would have gone another way. The differences are of the
    /// branch that was recorded.
    pub crossed: usize,
    /// How wrong elements differ from right ones.
    pub pattern: Option<Pattern>,
    /// The operation whose own check fails.
    pub blame: Option<Blame>,
}

/// A judgement on one input or parameter. [`Pass`](Verdict::Pass) and [`Kink`](Verdict::Kink) are no failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Formula and arithmetic are right.
    Pass,
    /// At an element the derivative does not exist, and the rule's value lies between those to the left and to the
    /// right; all else is right.
    Kink,
    /// The backward rules, run in f64, are not the derivative of the forward.
    WrongFormula,
    /// The rules are right, but the f32 gradient is further from them than rounding explains, or than the tolerance.
    PoorPrecision,
    /// Every gradient is zero: the output does not depend on this input, or no more.
    NoGradient,
    /// Differences are too uncertain to judge.
    Inconclusive,
}

/// The operation that is to blame for a wrong gradient.
#[derive(Clone, Debug)]
pub struct Blame {
    /// Its name.
    pub op: &'static str,
    /// Its attributes.
    pub attributes: String,
    /// The line where it was applied.
    pub line: String,
    /// The input whose gradient is wrong.
    pub input: usize,
    /// The shape of that input, and the element of it where this was seen.
    pub shape: Vec<usize>,
    /// An element whose gradient is wrong.
    pub worst: Vec<usize>,
    /// There, the rule in f64; for poor precision the f32 gradient.
    pub found: f64,
    /// There, the derivative by differences; for poor precision the rule in f64.
    pub right: f64,
    /// How wrong elements differ from right ones.
    pub pattern: Option<Pattern>,
}

impl Report {
    /// Whether nothing failed.
    pub fn passed(&self) -> bool {
        self.broken.is_empty() && self.failures().next().is_none()
    }

    /// The rows that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| !row.verdict.is_fine())
    }
}

impl Verdict {
    /// Whether it is no failure.
    pub fn is_fine(self) -> bool {
        matches!(self, Verdict::Pass | Verdict::Kink)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Pass => "pass",
            Verdict::Kink => "kink",
            Verdict::WrongFormula => "WRONG FORMULA",
            Verdict::PoorPrecision => "POOR PRECISION",
            Verdict::NoGradient => "NO GRADIENT",
            Verdict::Inconclusive => "INCONCLUSIVE",
        })
    }
}

impl Row {
    /// The name, with two primes for the second order.
    fn title(&self) -> String {
        format!("{}{}", self.name, if self.order == 2 { " ″" } else { "" })
    }

    fn explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { worst, tape, rule, numeric: Estimate { value, error }, rounding, .. } = self;
        writeln!(f, "\n{} at {worst:?}: {}", self.title(), self.verdict)?;
        writeln!(f, "  f32 gradient  {tape:.9e}")?;
        writeln!(f, "  rule in f64   {rule:.9e}, which f32 may miss by {rounding:.1e}")?;
        writeln!(f, "  differences   {value:.9e} ± {error:.1e}")?;
        match self.verdict {
            Verdict::PoorPrecision if (*tape as f64 - rule).abs() <= *rounding => {
                writeln!(f, "  rounding explains it: the formula cancels digits that f32 does not have")?;
            }
            Verdict::NoGradient => {
                writeln!(f, "  the output does not depend on it: a lost or detached value")?
            }
            Verdict::Inconclusive => {
                writeln!(f, "  neither right nor wrong: look for huge, tiny or infinite values around it")?;
            }
            _ => {}
        }
        if let Some(pattern) = &self.pattern {
            writeln!(f, "  pattern       {pattern}")?;
        }
        match &self.blame {
            Some(blame) => writeln!(f, "  to blame      {blame}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Blame { op, line, input, shape, worst, found, right, .. } = self;
        write!(f, "{op} at {line}, its input {input} {shape:?}: {found:.6e} for {right:.6e} at {worst:?}")?;
        match &self.pattern {
            Some(pattern) => write!(f, ", {pattern}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["", "shape", "checked", "worst at", "tape", "numerical", "error", "verdict"];
        let row = |row: &Row| {
            [
                row.title(),
                format!("{:?}", row.shape),
                match row.directions {
                    0 => "all".into(),
                    directions => format!("{} + {directions} dir.", row.differenced),
                },
                format!("{:?}", row.worst),
                format!("{:.6e}", row.tape),
                format!("{:.6e}", row.numeric.value),
                format!("{:.1e}", row.error),
                row.verdict.to_string(),
            ]
        };
        let rows = self.rows.iter().map(row);
        let table: Vec<[String; 8]> = std::iter::once(header.map(String::from)).chain(rows).collect();
        let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 8] = std::array::from_fn(width);
        for row in table.iter().filter(|_| !self.rows.is_empty()) {
            for (column, (text, &width)) in row.iter().zip(&widths).enumerate() {
                match column {
                    0..4 => write!(f, "{text:<width$}  ")?,
                    4..7 => write!(f, "{text:>width$}  ")?,
                    _ => writeln!(f, "{text}")?,
                }
            }
        }
        let passed = self.rows.len() - self.failures().count();
        write!(f, "{passed} of {} pass, seed {}, {:.2} s", self.rows.len(), self.seed, self.seconds)?;
        let crossed: usize = self.rows.iter().map(|row| row.crossed).sum();
        if crossed > 0 {
            write!(f, "; {crossed} {} crossed a kink", if crossed == 1 { "step" } else { "steps" })?;
        }
        let sentences =
            self.broken.iter().map(|s| ("broken", s)).chain(self.notes.iter().map(|s| ("note", s)));
        for (kind, sentence) in sentences {
            write!(f, "\n{kind}: {sentence}")?;
        }
        if self.failures().next().is_some() {
            writeln!(f)?;
        }
        self.failures().try_for_each(|row| row.explain(f))
    }
}
