//! How much memory a tape holds, line by line of the user's program.

use super::{bytes, place, table};
use crate::tape::{Tape, node::Node};
use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    panic::Location,
};

impl Node {
    /// The bytes of its buffer, if it is the first to have it.
    pub(super) fn own_bytes(&self, seen: &mut HashSet<usize>) -> usize {
        let own = self.value.as_ref().filter(|value| seen.insert(value.buffer_id()));
        own.map_or(0, |value| value.buffer_len() * size_of::<f32>())
    }

    /// The bytes that its step saved for the backward.
    pub(super) fn saved_bytes(&self) -> usize {
        self.step.as_ref().map_or(0, |step| step.saved_bytes())
    }
}

/// How much memory a tape holds, by the lines of the program that recorded it: see [`Tape::memory`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryReport {
    /// The lines, those that hold most first.
    pub lines: Vec<LineMemory>,
}

/// What one line of a program made a tape hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineMemory {
    /// The line.
    pub location: &'static Location<'static>,
    /// How many values it recorded.
    pub values: usize,
    /// Bytes of the values' buffers. A buffer that several values share counts once, where it came first; parameters
    /// count where they came onto the tape.
    pub held: usize,
    /// Bytes that operations saved for their backward.
    pub saved: usize,
}

impl Tape {
    /// How much memory the values and what operations saved hold now, line by line of the program.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// let tape = Tape::new();
    /// let x = tape.var(Tensor::ones([100, 100]));
    /// let y = x.exp().sin();
    /// let line = line!() - 1;
    /// let report = tape.memory();
    /// assert_eq!((report.lines[0].location.line(), report.lines[0].held), (line, 80_000));
    /// assert_eq!(report.held(), 120_000);
    /// ```
    pub fn memory(&self) -> MemoryReport {
        let nodes = self.nodes.read();
        let mut buffers = HashSet::new();
        let mut lines: BTreeMap<(&str, u32), LineMemory> = BTreeMap::new();
        for node in nodes.iter() {
            let location = node.location;
            let line = lines.entry((location.file(), location.line())).or_insert(LineMemory {
                location,
                values: 0,
                held: 0,
                saved: 0,
            });
            line.values += 1;
            line.held += node.own_bytes(&mut buffers);
            line.saved += node.saved_bytes();
        }
        let mut lines: Vec<LineMemory> = lines.into_values().collect();
        lines.sort_by_key(|line| std::cmp::Reverse(line.held + line.saved));
        MemoryReport { lines }
    }
}

impl MemoryReport {
    /// Bytes of all values.
    pub fn held(&self) -> usize {
        self.lines.iter().map(|line| line.held).sum()
    }

    /// Bytes of all that was saved for backwards.
    pub fn saved(&self) -> usize {
        self.lines.iter().map(|line| line.saved).sum()
    }
}

impl fmt::Display for MemoryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |line: String, values: usize, held: usize, saved: usize| {
            [values.to_string(), bytes(held), bytes(saved), line]
        };
        let mut rows = vec![["values", "held", "saved", ""].map(String::from)];
        rows.extend(
            self.lines.iter().map(|line| row(place(line.location), line.values, line.held, line.saved)),
        );
        let values = self.lines.iter().map(|line| line.values).sum();
        rows.push(row("in all".into(), values, self.held(), self.saved()));
        f.write_str(&table(&rows, [true, true, true, false]))
    }
}
