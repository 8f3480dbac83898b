//! Where f32 loses digits: every recorded value beside its f64 replay.

use crate::{
    op::reference::{Array, Branches},
    replay::{Replay, largest, recorded_inputs},
    tape::Tape,
};
use std::fmt;

/// How far the recorded f32 values are from an f64 replay, by operation, the worst first.
#[derive(Clone, Debug)]
pub struct Audit {
    /// One row a recorded operation.
    pub rows: Vec<AuditRow>,
}

/// How far the result of one operation is off.
#[derive(Clone, Debug)]
pub struct AuditRow {
    /// The operation.
    pub op: &'static str,
    /// The line where it was applied.
    pub line: String,
    /// The result's shape.
    pub shape: Vec<usize>,
    /// The largest error of an element, relative to the largest element: from everything before, and from this.
    pub error: f64,
    /// The part of it that this operation added: against f64 at the f32 inputs that it was given.
    pub own: f64,
}

/// Compares every value on a tape with its f64 replay.
///
/// `error` says how many digits of a value are right; `own` tells who lost them. A large error with a small `own` is an
/// operation that makes large what rounding did before it, as a difference of nearly equal numbers does.
///
/// ```
/// use gradus_autograd::{check::precision_audit, prelude::*};
///
/// let tape = Tape::new();
/// let x = tape.var([1000.1, 1000.2]);
/// let _variance = (x - x.mean()).square().sum() * 1000.0;
/// let audit = precision_audit(&tape);
/// let worst = &audit.rows[0];
/// assert_ne!(worst.op, "sub");   // the error is seen behind the difference that made it large,
/// assert!(worst.error > 1e-5);
/// assert!(worst.own < 1e-7);     // where nothing is wrong
/// ```
pub fn precision_audit(tape: &Tape) -> Audit {
    let replay = Replay::new(tape);
    let nodes = tape.nodes.read();
    let mut rows = Vec::new();
    for (id, node) in nodes.iter().enumerate() {
        let Some(step) = &node.step else { continue };
        let inputs = recorded_inputs(&nodes, node);
        let own = step.reference(&inputs.iter().collect::<Vec<_>>(), &mut Branches::recording());
        for (k, own) in own.iter().enumerate() {
            let recorded = Array::from(nodes[id + k].value());
            rows.push(AuditRow {
                op: step.name(),
                line: format!("{}:{}", node.location.file(), node.location.line()),
                shape: own.shape().to_vec(),
                error: off(&recorded, replay.base((id + k) as u32)),
                own: off(&recorded, own),
            });
        }
    }
    rows.sort_by(|a, b| b.error.total_cmp(&a.error));
    Audit { rows }
}

/// The largest difference, relative to the largest element.
fn off(found: &Array, exact: &Array) -> f64 {
    let off = found.data().iter().zip(exact.data()).map(|(a, b)| if a == b { 0.0 } else { (a - b).abs() });
    let off = off.fold(0.0, |m, off: f64| if off.is_nan() { f64::INFINITY } else { m.max(off) });
    if off == 0.0 { 0.0 } else { off / largest(exact) }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>8}  {:>8}  {:<20} {:<16} line", "error", "own", "operation", "shape")?;
        for AuditRow { op, line, shape, error, own } in &self.rows {
            let shape = format!("{shape:?}");
            writeln!(f, "{error:>8.1e}  {own:>8.1e}  {op:<20} {shape:<16} {line}")?;
        }
        Ok(())
    }
}
