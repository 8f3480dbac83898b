//! Maxima of square windows that lie side by side without padding, the usual ones: in one pass over the input, and back in one
//! over its gradient, by loops that compilers turn into vectors.

use super::{plane::MaxPlanes, shape::PoolShape};
use crate::simd::{Kernel, Simd};

/// The side of the windows if they are squares that lie side by side.
pub(super) fn tiling(shape: &PoolShape) -> Option<usize> {
    let side = shape.rows[0].len;
    let axes = [&shape.rows, &shape.columns];
    let mut windows = axes.into_iter().flat_map(|windows| windows.iter().enumerate());
    windows.all(|(i, w)| (w.first, w.step, w.len) == (i * side, 1, side)).then_some(side)
}

/// As [`MaxPlanes`], for windows of this side.
pub(super) struct TiledMax<'a, const SIDE: usize>(pub(super) MaxPlanes<'a>);

impl<const SIDE: usize> Kernel for TiledMax<'_, SIDE> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let MaxPlanes { shape, x, y, winners } = self.0;
        let ([height, width], [rows, columns]) = (shape.input, shape.output);
        let outputs = y.chunks_exact_mut(rows * columns).zip(winners.chunks_exact_mut(rows * columns));
        for (x, (y, winners)) in x.chunks_exact(height * width).zip(outputs) {
            let bands = x.chunks(SIDE * width).enumerate();
            let outputs = y.chunks_exact_mut(columns).zip(winners.chunks_exact_mut(columns));
            for ((i, band), (y, winners)) in bands.zip(outputs) {
                row_of_maxima::<SIDE>(band, width, i * SIDE * width, y, winners);
            }
        }
    }
}

/// The maxima of a row of windows, and their positions, of which `before` stand before the windows' rows.
#[inline(always)]
fn row_of_maxima<const SIDE: usize>(
    band: &[f32],
    width: usize,
    before: usize,
    y: &mut [f32],
    winners: &mut [i32],
) {
    let columns = y.len();
    let rows: [&[[f32; SIDE]]; SIDE] =
        std::array::from_fn(|row| &band[row * width..].as_chunks().0[..columns]);
    let winners = &mut winners[..columns];
    for j in 0..columns {
        let (mut best, mut at) = (rows[0][j][0], 0);
        for (row, columns) in rows.iter().enumerate() {
            for (column, &x) in columns[j].iter().enumerate() {
                // Of equal ones the earlier stays, and a NaN for good.
                let wins = (x > best) | (x.is_nan() & !best.is_nan());
                (best, at) = if wins { (x, (row * width + column) as i32) } else { (best, at) };
            }
        }
        (y[j], winners[j]) = (best, at + (before + j * SIDE) as i32);
    }
}

/// The gradient of planes that lie one after another, by those of their maxima.
pub(super) struct TiledMaxGrad<'a, const SIDE: usize> {
    pub(super) shape: &'a PoolShape,
    pub(super) g: &'a [f32],
    pub(super) winners: &'a [i32],
    pub(super) dx: &'a mut [f32],
}

impl<const SIDE: usize> Kernel for TiledMaxGrad<'_, SIDE> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let ([height, width], [rows, columns]) = (self.shape.input, self.shape.output);
        let outputs = self.g.chunks_exact(rows * columns).zip(self.winners.chunks_exact(rows * columns));
        for (dx, (g, winners)) in self.dx.chunks_exact_mut(height * width).zip(outputs) {
            for (row, dx) in dx.chunks_exact_mut(width).enumerate() {
                let window = row / SIDE * columns;
                // Rows and columns that are left over are in no window.
                if row >= rows * SIDE {
                    dx.fill(0.0);
                    continue;
                }
                let (inside, outside) = dx.split_at_mut(columns * SIDE);
                outside.fill(0.0);
                let outputs = g[window..][..columns].iter().zip(&winners[window..][..columns]);
                let first = (0..).step_by(SIDE).map(|column| (row * width + column) as i32);
                for ((dx, (g, winner)), first) in
                    inside.as_chunks_mut::<SIDE>().0.iter_mut().zip(outputs).zip(first)
                {
                    for (column, dx) in dx.iter_mut().enumerate() {
                        // A sum, as where windows overlap: it makes +0 of -0.
                        *dx = if *winner - first == column as i32 { 0.0 + g } else { 0.0 };
                    }
                }
            }
        }
    }
}
