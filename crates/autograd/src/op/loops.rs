//! The long loops of references: by several threads, and with sums side by side.

use rayon::prelude::*;

/// The work, in products, below which another thread is not worth waking.
const PARALLEL: usize = 1 << 16;
/// How many rows of a result are computed at a time, so that what all of them read is read once.
const ROWS: usize = 8;

/// `f` of the numbers below `count`, by several threads if all of it is `work` enough.
pub(crate) fn each<T: Send>(count: usize, work: usize, f: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    match work < PARALLEL {
        true => (0..count).map(f).collect(),
        false => (0..count).into_par_iter().map(f).collect(),
    }
}

/// A matrix of rows so long, a few of them filled at a time by `fill`, from zeros: it is given the number of the first.
fn by_rows(
    rows: usize,
    length: usize,
    work: usize,
    fill: impl Fn(usize, &mut [f64]) + Sync + Send,
) -> Vec<f64> {
    let mut all = vec![0.0; rows * length];
    let part = (ROWS * length).max(1);
    match work < PARALLEL {
        true => all.chunks_mut(part).enumerate().for_each(|(k, rows)| fill(k * ROWS, rows)),
        false => all.par_chunks_mut(part).enumerate().for_each(|(k, rows)| fill(k * ROWS, rows)),
    }
    all
}

/// The sum of products, in several sums side by side, which a processor adds at once.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    const SUMS: usize = 8;
    let (a, b) = (a.chunks_exact(SUMS), b.chunks_exact(SUMS));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    let mut sums = [0.0; SUMS];
    for (a, b) in a.zip(b) {
        (0..SUMS).for_each(|k| sums[k] += a[k] * b[k]);
    }
    sums.iter().sum::<f64>() + rest
}

/// The product of `a`, `[rows, inner]`, and the transpose of `b`, `[columns, inner]`.
pub(crate) fn rows_by_rows(a: &[f64], b: &[f64], [rows, inner, columns]: [usize; 3]) -> Vec<f64> {
    by_rows(rows, columns, a.len() * columns, |first, y| {
        for o in 0..columns {
            let b = &b[o * inner..][..inner];
            for (row, y) in y.chunks_exact_mut(columns).enumerate() {
                y[o] = dot(&a[(first + row) * inner..][..inner], b);
            }
        }
    })
}

/// The product of `a`, `[rows, inner]`, and `b`, `[inner, columns]`.
pub(crate) fn product(a: &[f64], b: &[f64], [rows, inner, columns]: [usize; 3]) -> Vec<f64> {
    by_rows(rows, columns, a.len() * columns, |first, y| {
        for (p, b) in b.chunks_exact(columns).enumerate() {
            for (row, y) in y.chunks_exact_mut(columns).enumerate() {
                let a = a[(first + row) * inner + p];
                y.iter_mut().zip(b).for_each(|(y, b)| *y += a * b);
            }
        }
    })
}

/// The transpose of a matrix of rows so long.
pub(crate) fn transposed(a: &[f64], length: usize) -> Vec<f64> {
    (0..length).flat_map(|column| a.iter().skip(column).step_by(length)).copied().collect()
}
