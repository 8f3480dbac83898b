//! The pooling of one image plane: along the columns first, which lie side by side, then along the rows.

use super::shape::PoolShape;

/// The largest element of each window, and its position.
pub(super) fn max_plane(shape: &PoolShape, x: &[f32], y: &mut [f32], winners: &mut [i32]) {
    let width = shape.input[1];
    let mut largest = vec![0.0f32; width];
    let mut at = vec![0i32; width];
    let outputs = y.chunks_exact_mut(shape.output[1]).zip(winners.chunks_exact_mut(shape.output[1]));
    for (rows, (y, winners)) in shape.rows.iter().zip(outputs) {
        let mut rows = rows.positions();
        let first = rows.next().expect("a window has an element");
        largest.copy_from_slice(&x[first * width..][..width]);
        at.iter_mut().zip(first * width..).for_each(|(at, position)| *at = position as i32);
        for row in rows {
            let elements = x[row * width..][..width].iter().zip(row * width..);
            for ((largest, at), (&x, position)) in largest.iter_mut().zip(&mut at).zip(elements) {
                // A later row: equal is not enough.
                let wins = x > *largest || x.is_nan() && !largest.is_nan();
                *largest = if wins { x } else { *largest };
                *at = if wins { position as i32 } else { *at };
            }
        }
        for ((columns, y), winner) in shape.columns.iter().zip(y).zip(winners) {
            let mut columns = columns.positions();
            let first = columns.next().expect("a window has an element");
            (*y, *winner) = (largest[first], at[first]);
            for column in columns {
                // Of equal ones the first in row-major order, which may lie in a later column.
                let (x, position) = (largest[column], at[column]);
                let earlier = position < *winner;
                if x > *y || x == *y && earlier || x.is_nan() && (earlier || !y.is_nan()) {
                    (*y, *winner) = (x, position);
                }
            }
        }
    }
}

/// The mean of each window.
pub(super) fn avg_plane(shape: &PoolShape, include_pad: bool, x: &[f32], y: &mut [f32]) {
    let width = shape.input[1];
    let mut sums = vec![0.0f32; width];
    for (rows, y) in shape.rows.iter().zip(y.chunks_exact_mut(shape.output[1])) {
        sums.fill(0.0);
        for row in rows.positions() {
            sums.iter_mut().zip(&x[row * width..][..width]).for_each(|(sum, x)| *sum += x);
        }
        for (columns, y) in shape.columns.iter().zip(y) {
            let sum: f32 = columns.positions().map(|column| sums[column]).sum();
            *y = sum / (rows.count(include_pad) * columns.count(include_pad)) as f32;
        }
    }
}

/// The gradient of [`avg_plane`].
pub(super) fn avg_plane_grad(shape: &PoolShape, include_pad: bool, g: &[f32], dx: &mut [f32]) {
    let width = shape.input[1];
    let mut shares = vec![0.0f32; width];
    dx.fill(0.0);
    for (rows, g) in shape.rows.iter().zip(g.chunks_exact(shape.output[1])) {
        shares.fill(0.0);
        for (columns, g) in shape.columns.iter().zip(g) {
            let share = g / (rows.count(include_pad) * columns.count(include_pad)) as f32;
            columns.positions().for_each(|column| shares[column] += share);
        }
        for row in rows.positions() {
            dx[row * width..][..width].iter_mut().zip(&shares).for_each(|(dx, share)| *dx += share);
        }
    }
}
