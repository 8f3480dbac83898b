//! The pooling of one image plane: along the columns first, which lie side by side, then along the rows.

use super::shape::PoolShape;

/// The largest element of each window, and its position.
pub(super) fn max_plane(shape: &PoolShape, x: &[f32], y: &mut [f32], winners: &mut [i32]) {
    let width = shape.input[1];
    let mut largest = vec![i64::MIN; width];
    let outputs = y.chunks_exact_mut(shape.output[1]).zip(winners.chunks_exact_mut(shape.output[1]));
    for (rows, (y, winners)) in shape.rows.iter().zip(outputs) {
        largest.fill(i64::MIN);
        for row in rows.positions() {
            let elements = x[row * width..][..width].iter().zip(row * width..);
            for (largest, (&x, position)) in largest.iter_mut().zip(elements) {
                *largest = rank(x, position).max(*largest);
            }
        }
        for ((columns, y), winner) in shape.columns.iter().zip(y).zip(winners) {
            let best = columns.positions().map(|column| largest[column]).fold(i64::MIN, i64::max);
            *winner = !best as i32;
            *y = x[*winner as usize];
        }
    }
}

/// An element and its position as one integer, whose order is the order of winning: larger, or NaN, and of equal ones
/// the earlier. The maximum of integers needs no branch; which of two floats is larger cannot be foreseen, and a wrong
/// guess costs more than all this arithmetic.
fn rank(x: f32, position: usize) -> i64 {
    // The bits of floats are ordered like integers but for the sign; adding zero makes -0 equal to 0.
    let bits = (x + 0.0).to_bits() as i32;
    let order = if x.is_nan() { i32::MAX } else { bits ^ ((bits >> 31) & i32::MAX) };
    (order as i64) << 32 | !(position as u32) as i64
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
