//! What a gradient check found.

use gradus_check::{Judgement, Pattern};
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
    /// 1 for the gradient, 2 for the gradient of the gradient, projected on random directions, and so on.
    pub order: usize,
    /// The element to look at: the one to blame, or where the f32 gradient is furthest off.
    pub worst: Vec<usize>,
    /// There, the gradient that training uses, in f32.
    pub tape: f32,
    /// There, the gradient by the backward rules in f64 (what was given) beside the derivative by differences.
    pub judgement: Judgement,
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
    /// How many operations on the way were checked each by itself, with the whole along directions through all inputs, in place
    /// of elements of this one; 0 where elements were.
    pub operations: usize,
    /// For how many elements a step crossed a kink: a branch would have gone another way. The differences are of the
    /// branch that was recorded.
    pub crossed: usize,
    /// How wrong elements differ from right ones.
    pub pattern: Option<Pattern>,
    /// The operation whose own check fails.
    pub blame: Option<Blame>,
    /// What should be known of it though it is no failure.
    pub note: Option<String>,
}

/// A judgement on one input or parameter. [`Pass`](Verdict::Pass), [`Zero`](Verdict::Zero) and [`Kink`](Verdict::Kink) are no
/// failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Formula and arithmetic are right.
    Pass,
    /// Every gradient is zero, and so is the derivative, though the output depends on this input: as of a bias in front of a
    /// normalisation, or at an optimum.
    Zero,
    /// At an element the derivative does not exist, and the rule's value lies between those to the left and to the
    /// right; all else is right.
    Kink,
    /// The backward rules, run in f64, are not the derivative of the forward.
    WrongFormula,
    /// An operation on the way gives something else than its reference: one of the two is wrong, and nothing can be said of
    /// its gradient.
    WrongForward,
    /// A number on the way is more than f32 can hold, and became infinite; the output is finite again, but another one than it
    /// would be without that.
    Overflow,
    /// The rules are right, but the f32 gradient is further from them than rounding explains, or than the tolerance.
    PoorPrecision,
    /// The output does not depend on this input, or no more.
    NoGradient,
    /// The function is too rough to judge: noise, or a reference that computes in f32.
    Noisy,
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
    /// The input whose gradient is wrong; `None` where it is the output that is, of a wrong forward or an overflow.
    pub input: Option<usize>,
    /// The shape of that input or output, and the element of it where this was seen.
    pub shape: Vec<usize>,
    /// An element of it that is wrong.
    pub worst: Vec<usize>,
    /// There, the rule in f64; for poor precision the f32 gradient, for a wrong forward and an overflow the value.
    pub found: f64,
    /// There, the derivative by differences; for poor precision the rule in f64, for a wrong forward and an overflow the reference.
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
        matches!(self, Verdict::Pass | Verdict::Zero | Verdict::Kink)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Pass => "pass",
            Verdict::Zero => "zero",
            Verdict::Kink => "kink",
            Verdict::Noisy => "NOISY",
            Verdict::WrongFormula => "WRONG FORMULA",
            Verdict::WrongForward => "WRONG FORWARD",
            Verdict::Overflow => "OVERFLOW",
            Verdict::PoorPrecision => "POOR PRECISION",
            Verdict::NoGradient => "NO GRADIENT",
            Verdict::Inconclusive => "INCONCLUSIVE",
        })
    }
}

impl Row {
    /// The name, with two primes for the second order and three for the third.
    fn title(&self) -> String {
        let primes = ["", " ″", " ‴"];
        format!("{}{}", self.name, primes[self.order.clamp(1, 3) - 1])
    }

    fn explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { worst, tape, judgement, rounding, .. } = self;
        writeln!(f, "\n{} at {worst:?}: {}", self.title(), self.verdict)?;
        writeln!(f, "  f32 gradient  {tape:.9e}, which rounding may put off by {rounding:.1e}")?;
        let off = (f64::from(*tape) - judgement.given).abs();
        match self.verdict {
            Verdict::NoGradient => {
                writeln!(f, "  why           the output does not depend on it: a lost or detached value")?;
            }
            Verdict::WrongForward => {
                writeln!(
                    f,
                    "  why           an operation on the way gives something else than its reference"
                )?;
            }
            Verdict::Overflow => {
                writeln!(f, "  rule in f64   {:.9e}", judgement.given)?;
                writeln!(
                    f,
                    "  why           a number on the way is more than f32 can hold: what follows is another function"
                )?;
                writeln!(
                    f,
                    "  what to do    keep it in range, as logsumexp, softplus and sigmoid do, or mask it out"
                )?;
            }
            Verdict::PoorPrecision => {
                writeln!(f, "  rule in f64   {:.9e}", judgement.given)?;
                match off <= *rounding {
                    true => writeln!(f, "  why           the formula cancels digits that f32 does not have")?,
                    false => writeln!(
                        f,
                        "  why           rounding does not explain it: a kernel, or a fused rule"
                    )?,
                }
            }
            Verdict::WrongFormula if self.operations > 0 => {
                writeln!(f, "  rule in f64   {:.9e}", judgement.given)?;
                writeln!(f, "  why           an operation on the way is wrong by itself")?;
            }
            Verdict::Inconclusive | Verdict::Noisy if self.note.is_some() => {
                writeln!(f, "  rule in f64   {:.9e}", judgement.given)?;
                writeln!(f, "  why           {}", self.note.as_deref().unwrap_or_default())?;
            }
            _ => writeln!(f, "{}", judgement.lines("rule in f64"))?,
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
        match input {
            Some(input) => write!(f, "{op} at {line}, its input {input} {shape:?}: {found:.6e}")?,
            None => write!(f, "{op} at {line}, its output {shape:?}: {found:.6e}")?,
        }
        write!(f, " for {right:.6e} at {worst:?}")?;
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
                    _ if row.operations > 0 => format!("{} operations", row.operations),
                    0 => "all".into(),
                    directions => format!("{} + {directions} dir.", row.differenced),
                },
                format!("{:?}", row.worst),
                format!("{:.6e}", row.tape),
                match row.judgement.estimate.value {
                    value if value.is_nan() && row.operations > 0 => "-".into(),
                    value => format!("{value:.6e}"),
                },
                match row.verdict {
                    // Of nothing there is no share.
                    Verdict::Zero => "-".into(),
                    _ => format!("{:.1e}", row.error),
                },
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
        self.broken.iter().try_for_each(|sentence| write!(f, "\nbroken: {sentence}"))?;
        self.notes.iter().try_for_each(|note| write!(f, "\nnote: {note}"))?;
        for row in &self.rows {
            row.note.iter().try_for_each(|note| write!(f, "\nnote: {}: {note}", row.title()))?;
        }
        if self.failures().next().is_some() {
            writeln!(f)?;
        }
        self.failures().try_for_each(|row| row.explain(f))
    }
}
