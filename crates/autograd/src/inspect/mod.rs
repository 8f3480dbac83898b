//! Looking inside: what a tape holds, as text and as a graph; where time and memory go; where a NaN was born.

mod anomaly;
mod diagram;
mod field;
mod graph;
mod memory;
mod profile;
mod values;

pub use anomaly::{Anomaly, Phase};
pub use field::ReceptiveField;
pub use graph::{Graph, GraphValue};
pub use memory::{LineMemory, MemoryReport};
pub use profile::{Profile, ProfileRow, StepTime};
pub use values::ValueInfo;

pub(crate) use anomaly::refuse;

use crate::tape::node::Node;
use std::panic::Location;

/// `src/model.rs:14`.
fn place(location: &Location<'_>) -> String {
    format!("{}:{}", location.file(), location.line())
}

/// The values that a value was computed from, and itself, ascending.
fn ancestors(nodes: &[Node], last: usize) -> Vec<usize> {
    let mut under = vec![false; last + 1];
    under[last] = true;
    for id in (0..=last).rev() {
        if under[id] {
            nodes[id].inputs.iter().for_each(|&i| under[i as usize] = true);
        }
    }
    (0..=last).filter(|&id| under[id]).collect()
}

/// What computed a value: the operation's name, or what kind of leaf it is.
fn origin(nodes: &[Node], id: usize) -> &'static str {
    let node = &nodes[id];
    let first = if node.is_later_output() { &nodes[node.inputs[0] as usize] } else { node };
    match &first.step {
        Some(step) => step.name(),
        None if !first.inputs.is_empty() => "released",
        None if node.needs => "var",
        None => "constant",
    }
}

/// Bytes in a unit that suits them: `512 B`, `3.1 kB`, `12.0 MB`.
fn bytes(n: usize) -> String {
    match n as f64 {
        n if n < 1e3 => format!("{n} B"),
        n if n < 1e6 => format!("{:.1} kB", n / 1e3),
        n if n < 1e9 => format!("{:.1} MB", n / 1e6),
        n => format!("{:.1} GB", n / 1e9),
    }
}

/// Lines of cells with their columns under one another. Columns of numbers are flush right; what would only be blanks
/// at the end of a line is left out.
#[doc(hidden)]
pub fn table<const N: usize>(rows: &[[String; N]], right: [bool; N]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for ((cell, &width), right) in
            row.iter().zip(&widths).zip(right).filter(|((_, width), _)| **width > 0)
        {
            line += &if right { format!("{cell:>width$}  ") } else { format!("{cell:<width$}  ") };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}
