//! An operand as the register tile reads it: in packed panels, or in place.

use std::ops::Range;

use super::kernels::Kernels;
use super::operand::{Mat, Rows};
use super::pack;
use super::tile::Walk;

/// The lines of an operand.
#[derive(Clone, Copy)]
pub(super) enum Lines<'a> {
    /// The rows of A itself, or of B transposed.
    Strided(Mat<'a>),
    /// The columns of rows that begin anywhere. They are always packed.
    Shifted(Rows<'a>),
}

/// One operand of a product: its lines are the rows of A or the columns of B, and `width` of them make a
/// panel.
pub(super) struct Panels<'a> {
    kernels: &'a Kernels,
    lines: Lines<'a>,
    width: usize,
    /// A panel with fewer lines is filled up with zeros to a multiple of this.
    round: usize,
    /// Whether all lines are packed, or only those that do not make up whole vectors.
    pack_all: bool,
    memory: &'a mut [f32],
    /// The distance between two panels in `memory`.
    pitch: usize,
    /// The lines from here on are in `memory`; those before are read in place.
    packed_from: usize,
}

impl<'a> Panels<'a> {
    /// Panels that have no lines yet, in `memory` of the size that [`Panels::memory`] says.
    pub(super) fn new(
        kernels: &'a Kernels,
        lines: Lines<'a>,
        (width, round): (usize, usize),
        pack_all: bool,
        memory: &'a mut [f32],
    ) -> Self {
        Panels { kernels, lines, width, round, pack_all, memory, pitch: 0, packed_from: 0 }
    }

    /// The floats of memory needed to have so many lines of length `k` ready at a time.
    pub(super) fn memory(lines: usize, k: usize, width: usize, pack_all: bool) -> usize {
        let panels = if pack_all { lines.div_ceil(width) } else { 1 };
        panels * pitch(k, width)
    }

    /// Where in the memory the panel is that begins so many lines after the first, all of them being packed.
    pub(super) fn place(line: usize, k: usize, width: usize) -> usize {
        line / width * pitch(k, width)
    }

    /// Makes the elements `ks` of some lines ready to be read.
    pub(super) fn prepare(&mut self, lines: Range<usize>, ks: Range<usize>) {
        self.pitch = pitch(ks.len(), self.width);
        let ragged = lines.len() % self.width;
        let needed = match self.pack_all {
            true => lines.len(),
            false if ragged.is_multiple_of(self.round) => 0,
            false => ragged,
        };
        self.packed_from = lines.end - needed;
        self.pack(self.packed_from..lines.end, ks);
    }

    fn pack(&mut self, lines: Range<usize>, ks: Range<usize>) {
        let (line_stride, k_stride) = match self.lines {
            Lines::Strided(from) => (from.effective_row_stride(), from.effective_col_stride()),
            Lines::Shifted(_) => (1, 0),
        };
        // Where neighbouring lines are adjacent in memory, all panels advance together: reading along memory
        // is what the processor prefetches. Where a line is contiguous, the same goes for one panel after the
        // other.
        let chunk = if line_stride == 1 { 16 } else { ks.len().max(1) };
        for chunk in pieces(ks.clone(), chunk) {
            for (index, lines) in pieces(lines.clone(), self.width).enumerate() {
                let width = lines.len().next_multiple_of(self.round);
                let place = index * self.pitch + (chunk.start - ks.start) * width;
                let room = &mut self.memory[place..][..chunk.len() * width + self.kernels.lanes];
                match self.lines {
                    Lines::Strided(from) => {
                        let part = pack::Lines {
                            start: from.at(lines.start, chunk.start),
                            lines: lines.len(),
                            k: chunk.len(),
                            line_stride,
                            k_stride,
                        };
                        // SAFETY: the part belongs to the operand, and the room includes a vector behind the panel.
                        // What is written there is either written again by the next chunk, or it lies in the gap
                        // between panels.
                        unsafe { (self.kernels.pack)(&part, width, room.as_mut_ptr()) };
                    }
                    Lines::Shifted(rows) => {
                        let starts = &rows.starts()[chunk.clone()];
                        // SAFETY: the columns belong to the rows, which have whole vectors of them, and so has the panel.
                        unsafe {
                            (self.kernels.pack_rows)(
                                rows.at_column(lines.start),
                                starts,
                                width,
                                room.as_mut_ptr(),
                            )
                        };
                    }
                }
            }
        }
    }

    /// How to read a panel of prepared lines from element `p` on, the first one prepared: the way from one
    /// element to the next, and the distance between lines.
    pub(super) fn walk(&self, lines: &Range<usize>, p: usize) -> (Walk, isize) {
        if let Lines::Strided(from) = self.lines
            && lines.start < self.packed_from
        {
            return (Walk { start: from.at(lines.start, p), stride: from.col_stride() }, from.row_stride());
        }
        let panel = (lines.start - self.packed_from) / self.width * self.pitch;
        let stride = lines.len().next_multiple_of(self.round) as isize;
        (Walk { start: self.memory[panel..].as_ptr(), stride }, 1)
    }
}

/// The distance between packed panels: behind each there is a gap for what packing may write too much, and
/// each starts on a cache line.
fn pitch(k: usize, width: usize) -> usize {
    (k * width).next_multiple_of(16) + 16
}

/// Cuts a range into pieces of `size` and a last one.
pub(super) fn pieces(range: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(size).map(move |start| start..end.min(start + size))
}
