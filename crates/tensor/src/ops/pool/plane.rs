//! The pooling of image planes: along the columns first, which lie side by side, then along the rows.

use super::shape::{PoolShape, PoolWindow};
use crate::simd::{
    Kernel, Lane, Simd,
    vectors::{read, read_padded, write},
};
use std::ops::Range;

/// The largest element of each window of planes that lie one after another, and its position.
pub(super) struct MaxPlanes<'a> {
    pub(super) shape: &'a PoolShape,
    pub(super) x: &'a [f32],
    pub(super) y: &'a mut [f32],
    pub(super) winners: &'a mut [i32],
}

impl Kernel for MaxPlanes<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let PoolShape { input: [height, width], output: [rows, columns], .. } = *self.shape;
        let run = EvenRun::of(&self.shape.columns);
        // A vector may begin at each start of a window, and reach beyond its end.
        let mut line = Line::new(width + S::LANES * (2 + run.len * run.step / S::LANES));
        let planes = self.x.chunks_exact(height * width);
        let outputs =
            self.y.chunks_exact_mut(rows * columns).zip(self.winners.chunks_exact_mut(rows * columns));
        for (x, (y, winners)) in planes.zip(outputs) {
            let outputs = y.chunks_exact_mut(columns).zip(winners.chunks_exact_mut(columns));
            for (rows, (y, winners)) in self.shape.rows.iter().zip(outputs) {
                line.take_rows(simd, x, width, *rows);
                let mut put =
                    |i: usize, (value, position): (f32, i32)| (y[i], winners[i]) = (value, position);
                let others = (0..run.windows.start).chain(run.windows.end..columns);
                others.for_each(|i| put(i, line.best_of(self.shape.columns[i])));
                line.take_windows(simd, &run);
                let starts = (run.first..).step_by(run.stride);
                run.windows.clone().zip(starts).for_each(|(i, start)| put(i, line.at(start)));
            }
        }
    }
}

/// The windows along a row that have one size and one distance from each to the next: all but a few at the edges, or, of
/// adaptive windows, perhaps few.
struct EvenRun {
    windows: Range<usize>,
    /// Where the first one begins.
    first: usize,
    stride: usize,
    step: usize,
    len: usize,
}

impl EvenRun {
    fn of(windows: &[PoolWindow]) -> EvenRun {
        let len = windows.iter().map(|window| window.len).max().expect("an output has no size of 0");
        let start = windows.iter().position(|window| window.len == len).expect("one has the most");
        let PoolWindow { first, step, .. } = windows[start];
        let stride = windows.get(start + 1).map_or(1, |next| next.first - first).max(1);
        let even =
            |(i, window): &(usize, &PoolWindow)| window.len == len && window.first == first + i * stride;
        let count = windows[start..].iter().enumerate().take_while(even).count();
        EvenRun { windows: start..start + count, first, stride, step, len }
    }
}

/// For each column the largest element so far, and its position in the plane as bits: vectors hold floats.
struct Line {
    values: Vec<f32>,
    positions: Vec<f32>,
    /// The numbers of the columns, as bits.
    columns: Vec<f32>,
}

impl Line {
    fn new(len: usize) -> Line {
        let columns = (0..len as u32).map(f32::from_bits).collect();
        Line { values: vec![0.0; len], positions: vec![0.0; len], columns }
    }

    /// What each column has in some rows of a plane.
    #[inline(always)]
    fn take_rows<S: Simd>(&mut self, simd: S, x: &[f32], width: usize, rows: PoolWindow) {
        for (i, row) in rows.positions().enumerate() {
            let (x, before) = (&x[row * width..][..width], simd.splat_i32((row * width) as i32));
            for at in (0..width).step_by(S::LANES) {
                let columns = simd.bitcast_i32(read(simd, &self.columns, at).raw());
                let (x, here) = (read_padded(simd, x, at).raw(), simd.add_i32(before, columns));
                let here = simd.bitcast_f32(here);
                let (best, position) = match i {
                    0 => (x, here),
                    _ => {
                        let best = read(simd, &self.values, at).raw();
                        // Of equal ones the earlier stays, and a NaN for good.
                        let wins = simd.mask_and(simd.mask_not(simd.le(x, best)), simd.eq(best, best));
                        let position = read(simd, &self.positions, at).raw();
                        (simd.select(wins, x, best), simd.select(wins, here, position))
                    }
                };
                write(Lane::from_raw(simd, best), &mut self.values, at);
                write(Lane::from_raw(simd, position), &mut self.positions, at);
            }
        }
    }

    /// What a window that begins at a column has there, for all columns where one of a run may begin.
    #[inline(always)]
    fn take_windows<S: Simd>(&mut self, simd: S, run: &EvenRun) {
        if run.len == 1 {
            return;
        }
        let end = run.first + (run.windows.len() - 1) * run.stride + 1;
        // What is read lies behind all that has been written.
        for start in (run.first..end).step_by(S::LANES) {
            let mut best = (read(simd, &self.values, start).raw(), read(simd, &self.positions, start).raw());
            for i in 1..run.len {
                let at = start + i * run.step;
                let next = (read(simd, &self.values, at).raw(), read(simd, &self.positions, at).raw());
                let wins = wins(simd, next, best);
                best = (simd.select(wins, next.0, best.0), simd.select(wins, next.1, best.1));
            }
            write(Lane::from_raw(simd, best.0), &mut self.values, start);
            write(Lane::from_raw(simd, best.1), &mut self.positions, start);
        }
    }

    fn at(&self, column: usize) -> (f32, i32) {
        (self.values[column], self.positions[column].to_bits() as i32)
    }

    fn best_of(&self, window: PoolWindow) -> (f32, i32) {
        let larger = |a: (f32, i32), b: (f32, i32)| {
            let (a_is_nan, b_is_nan) = (a.0.is_nan(), b.0.is_nan());
            let equal = a.0 == b.0 || a_is_nan && b_is_nan;
            if b.0 > a.0 || b_is_nan && !a_is_nan || equal && b.1 < a.1 { b } else { a }
        };
        window.positions().map(|column| self.at(column)).reduce(larger).expect("no window is empty")
    }
}

/// Where `a` is larger than `b`, a NaN being larger than all; of equal ones the one at the earlier position.
#[inline(always)]
fn wins<S: Simd>(simd: S, a: (S::F32, S::F32), b: (S::F32, S::F32)) -> S::Mask {
    let (a_is_nan, b_is_nan) = (simd.mask_not(simd.eq(a.0, a.0)), simd.mask_not(simd.eq(b.0, b.0)));
    let larger = simd.mask_or(simd.lt(b.0, a.0), simd.mask_and(a_is_nan, simd.mask_not(b_is_nan)));
    let equal = simd.mask_or(simd.eq(a.0, b.0), simd.mask_and(a_is_nan, b_is_nan));
    // a + !b = a - b - 1 is negative where a < b: two positions are never the same.
    let not_b = simd.xor_i32(simd.bitcast_i32(b.1), simd.splat_i32(-1));
    let difference = simd.add_i32(simd.bitcast_i32(a.1), not_b);
    let earlier = simd.nonzero_i32(simd.and_i32(difference, simd.splat_i32(i32::MIN)));
    simd.mask_or(larger, simd.mask_and(equal, earlier))
}

/// The mean of each window.
pub(super) fn avg_plane(shape: &PoolShape, x: &[f32], y: &mut [f32]) {
    let width = shape.input[1];
    let mut sums = vec![0.0f32; width];
    for (rows, y) in shape.rows.iter().zip(y.chunks_exact_mut(shape.output[1])) {
        sums.fill(0.0);
        for row in rows.positions() {
            sums.iter_mut().zip(&x[row * width..][..width]).for_each(|(sum, x)| *sum += x);
        }
        for (columns, y) in shape.columns.iter().zip(y) {
            let sum: f32 = columns.positions().map(|column| sums[column]).sum();
            *y = sum / shape.divisor(*rows, *columns) as f32;
        }
    }
}

/// The gradient of [`avg_plane`].
pub(super) fn avg_plane_grad(shape: &PoolShape, g: &[f32], dx: &mut [f32]) {
    let width = shape.input[1];
    let mut shares = vec![0.0f32; width];
    dx.fill(0.0);
    for (rows, g) in shape.rows.iter().zip(g.chunks_exact(shape.output[1])) {
        shares.fill(0.0);
        for (columns, g) in shape.columns.iter().zip(g) {
            let share = g / shape.divisor(*rows, *columns) as f32;
            columns.positions().for_each(|column| shares[column] += share);
        }
        for row in rows.positions() {
            dx[row * width..][..width].iter_mut().zip(&shares).for_each(|(dx, share)| *dx += share);
        }
    }
}
