//! The same functions in f64 by the most naive algorithms: what the laws hold the operations and their rules to.

use crate::matrices::first_large;
use gradus_autograd::op::prelude::*;
use gradus_tensor::shape::broadcast;

/// A matrix as its rows.
pub(crate) type Rows = Vec<Vec<f64>>;

/// `f` of the matrices at each place of the batch that the inputs broadcast to; its results have these sizes.
pub(crate) fn each<const M: usize>(
    inputs: &[&Array],
    sizes: [&[usize]; M],
    mut f: impl FnMut(&[Rows]) -> [Rows; M],
) -> [Array; M] {
    let batch = inputs.iter().fold(Shape::new(&[]), |batch, x| {
        let of_x = &x.shape()[..x.shape().len() - 2];
        broadcast("reference", &batch, of_x).or_fail()
    });
    let mut results: [Vec<f64>; M] = std::array::from_fn(|_| Vec::new());
    Array::from_fn(&batch, |place| {
        let matrix = |x: &&Array| -> Rows {
            let [rows, columns] = matrix_shape(x);
            let at = |i, j| x.broadcast_at(&[place, &[i, j]].concat());
            (0..rows).map(|i| (0..columns).map(|j| at(i, j)).collect()).collect()
        };
        let matrices: Vec<Rows> = inputs.iter().map(matrix).collect();
        results.iter_mut().zip(f(&matrices)).for_each(|(all, rows)| all.extend(rows.concat()));
        0.0
    });
    let mut sizes = sizes.iter();
    results.map(|data| Array::new(data, [&batch[..], sizes.next().expect("as many as results")].concat()))
}

/// `f` of each of the square matrices, which gives others of their size.
pub(crate) fn each_square(inputs: &[&Array], mut f: impl FnMut(&Rows) -> Rows) -> Vec<Array> {
    let size = matrix_shape(inputs[0]);
    each(inputs, [&size], |a| [f(&a[0])]).into()
}

/// Rows and columns.
pub(crate) fn matrix_shape(x: &Array) -> [usize; 2] {
    let [.., rows, columns] = *x.shape() else { unreachable!("the shape rule asks for matrices") };
    [rows, columns]
}

pub(crate) fn identity(n: usize) -> Rows {
    (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect()
}

fn transpose(a: &Rows, columns: usize) -> Rows {
    (0..columns).map(|j| a.iter().map(|row| row[j]).collect()).collect()
}

fn product(a: &Rows, b: &Rows) -> Rows {
    let columns = b.first().map_or(0, Vec::len);
    let sum = |row: &Vec<f64>, j: usize| row.iter().zip(b).map(|(x, b)| x * b[j]).sum();
    a.iter().map(|row| (0..columns).map(|j| sum(row, j)).collect()).collect()
}

pub(crate) fn symmetric(a: &Rows) -> Rows {
    (0..a.len()).map(|i| (0..a.len()).map(|j| (a[i][j] + a[j][i]) / 2.0).collect()).collect()
}

/// A triangle with its diagonal, zeros beside it.
pub(crate) fn triangle(a: &Rows, upper: bool) -> Rows {
    let inside = |i: usize, j: usize| if upper { j >= i } else { j <= i };
    let of_row = |(i, row): (usize, &Vec<f64>)| {
        row.iter().enumerate().map(|(j, &x)| if inside(i, j) { x } else { 0.0 }).collect()
    };
    a.iter().enumerate().map(of_row).collect()
}

/// Gauss's elimination with the largest pivot of each column: the triangle, what it made of the right sides, and the pivots, with
/// another sign where rows were exchanged.
fn eliminate(a: &Rows, b: &Rows) -> (Rows, Rows, Vec<f64>) {
    let (n, mut a, mut b) = (a.len(), a.clone(), b.clone());
    let mut pivots = Vec::new();
    for k in 0..n {
        let largest = (k..n).max_by(|&i, &j| a[i][k].abs().total_cmp(&a[j][k].abs())).expect("a row is left");
        a.swap(k, largest);
        b.swap(k, largest);
        pivots.push(if largest == k { a[k][k] } else { -a[k][k] });
        for i in k + 1..n {
            let factor = a[i][k] / a[k][k];
            for matrix in [&mut a, &mut b] {
                let (above, below) = matrix.split_at_mut(i);
                below[0].iter_mut().zip(&above[k]).for_each(|(x, pivot)| *x -= factor * pivot);
            }
        }
    }
    (a, b, pivots)
}

/// Numbers whose product is the determinant.
pub(crate) fn pivots(a: &Rows) -> Vec<f64> {
    eliminate(a, &vec![Vec::new(); a.len()]).2
}

/// Of each element the determinant without its row and column, with the sign of a chessboard.
pub(crate) fn cofactors(a: &Rows) -> Rows {
    let n = a.len();
    let without = |i: usize, j: usize| -> Rows {
        let rows = a.iter().enumerate().filter(|&(row, _)| row != i);
        rows.map(|(_, row)| row.iter().enumerate().filter(|&(k, _)| k != j).map(|(_, &x)| x).collect())
            .collect()
    };
    let cofactor = |i: usize, j: usize| {
        let minor: f64 = pivots(&without(i, j)).iter().product();
        // What is 0 on the way of an elimination makes 0 / 0 of what follows.
        let minor = if minor.is_nan() { 0.0 } else { minor };
        if (i + j).is_multiple_of(2) { minor } else { -minor }
    };
    (0..n).map(|i| (0..n).map(|j| cofactor(i, j)).collect()).collect()
}

/// The X with `A X = B`.
pub(crate) fn solve(a: &Rows, b: &Rows) -> Rows {
    let (a, mut x, _) = eliminate(a, b);
    for k in (0..a.len()).rev() {
        for j in 0..x[k].len() {
            let known: f64 = (k + 1..a.len()).map(|i| a[k][i] * x[i][j]).sum();
            x[k][j] = (x[k][j] - known) / a[k][k];
        }
    }
    x
}

/// The lower triangle, column by column.
pub(crate) fn cholesky(a: &Rows) -> Rows {
    let n = a.len();
    let mut l = vec![vec![0.0; n]; n];
    for j in 0..n {
        for i in j..n {
            let known: f64 = (0..j).map(|k| l[i][k] * l[j][k]).sum();
            l[i][j] = if i == j { (a[i][i] - known).sqrt() } else { (a[i][j] - known) / l[j][j] };
        }
    }
    l
}

/// Gram and Schmidt's: each column less what the ones before it have of it, twice for the digits.
pub(crate) fn qr(a: &Rows) -> [Rows; 2] {
    let n = a.first().map_or(0, Vec::len);
    let mut q: Vec<Vec<f64>> = Vec::new();
    let mut r = vec![vec![0.0; n]; n];
    for (j, mut column) in transpose(a, n).into_iter().enumerate() {
        for _ in 0..2 {
            for (k, before) in q.iter().enumerate() {
                let share = dot(before, &column);
                r[k][j] += share;
                column.iter_mut().zip(before).for_each(|(x, b)| *x -= share * b);
            }
        }
        r[j][j] = dot(&column, &column).sqrt();
        q.push(column.iter().map(|x| x / r[j][j]).collect());
    }
    [transpose(&q, a.len()), r]
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// One-sided rotations by Jacobi and Hestenes, until the rows are orthogonal to each other: the rows, and the same rotations
/// of an identity.
fn orthogonal_rows(mut rows: Rows) -> (Rows, Rows) {
    let n = rows.len();
    let mut turned = identity(n);
    for _ in 0..60 {
        let mut most = 0.0f64;
        for p in 0..n {
            for q in p + 1..n {
                let (pp, qq, pq) =
                    (dot(&rows[p], &rows[p]), dot(&rows[q], &rows[q]), dot(&rows[p], &rows[q]));
                if pq == 0.0 {
                    continue;
                }
                most = most.max(pq.abs() / (pp * qq).sqrt());
                let tau = (qq - pp) / (2.0 * pq);
                let tangent = tau.signum() / (tau.abs() + (1.0 + tau * tau).sqrt());
                let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
                let sine = tangent * cosine;
                for matrix in [&mut rows, &mut turned] {
                    for j in 0..matrix[p].len() {
                        let (x, y) = (matrix[p][j], matrix[q][j]);
                        (matrix[p][j], matrix[q][j]) = (cosine * x - sine * y, sine * x + cosine * y);
                    }
                }
            }
        }
        if most < 1e-17 {
            break;
        }
    }
    (rows, turned)
}

/// The vectors with the sign that the first component which is not small decides, by that component.
fn sign_of(vector: &[f64], branches: &mut Branches<'_>) -> f64 {
    vector[branches.choose(first_large(vector) as u32) as usize].signum()
}

/// Eigenvalues and eigenvectors of a symmetric matrix, which rotations from both sides make diagonal.
pub(crate) fn eigh(a: &Rows, branches: &mut Branches<'_>) -> [Rows; 2] {
    let n = a.len();
    // With all eigenvalues made positive, the orthogonal rows of the matrix are those times the eigenvectors.
    let shift = 1.0 + a.iter().map(|row| row.iter().map(|x| x.abs()).sum()).fold(0.0, f64::max);
    let shifted =
        (0..n).map(|i| (0..n).map(|j| a[i][j] + if i == j { shift } else { 0.0 }).collect()).collect();
    let (_, turned) = orthogonal_rows(shifted);
    let mut pairs: Vec<(f64, Vec<f64>)> =
        turned.into_iter().map(|v| (dot(&product(&vec![v.clone()], a)[0], &v), v)).collect();
    pairs.sort_by(|x, y| x.0.total_cmp(&y.0));
    for (_, v) in &mut pairs {
        let sign = sign_of(v, branches);
        v.iter_mut().for_each(|x| *x *= sign);
    }
    let (values, vectors): (Vec<f64>, Rows) = pairs.into_iter().unzip();
    [values.into_iter().map(|w| vec![w]).collect(), transpose(&vectors, n)]
}

/// Singular vectors and values of a matrix of `n` columns.
pub(crate) fn svd(a: &Rows, n: usize, branches: &mut Branches<'_>) -> [Rows; 3] {
    // The rotations go to the side with fewer rows or columns, of whose vectors there are as many as singular values.
    let is_wide = a.len() < n;
    let short = if is_wide { a.clone() } else { transpose(a, n) };
    let (rows, turned) = orthogonal_rows(short);
    let mut triples: Vec<(f64, Vec<f64>, Vec<f64>)> = rows
        .into_iter()
        .zip(turned)
        .map(|(row, vector)| {
            let s = dot(&row, &row).sqrt();
            let unit: Vec<f64> = row.iter().map(|x| x / s).collect();
            if is_wide { (s, vector, unit) } else { (s, unit, vector) }
        })
        .collect();
    triples.sort_by(|x, y| y.0.total_cmp(&x.0));
    for (_, u, v) in &mut triples {
        let sign = sign_of(u, branches);
        u.iter_mut().chain(v).for_each(|x| *x *= sign);
    }
    let s = triples.iter().map(|triple| vec![triple.0]).collect();
    let (u, vt): (Rows, Rows) = triples.into_iter().map(|(_, u, v)| (u, v)).unzip();
    [transpose(&u, a.len()), s, vt]
}

/// The series, of the matrix halved until it is small, then squared as often.
pub(crate) fn exp(a: &Rows) -> Rows {
    let n = a.len();
    let norm = a.iter().map(|row| row.iter().map(|x| x.abs()).sum()).fold(0.0, f64::max);
    let halvings = if norm > 0.5 { (norm / 0.5).log2().ceil() as i32 } else { 0 };
    let scaled: Rows = a.iter().map(|row| row.iter().map(|x| x * 0.5f64.powi(halvings)).collect()).collect();
    let (mut sum, mut term) = (identity(n), identity(n));
    for k in 1..=20 {
        term = product(&term, &scaled);
        for (sum, term) in sum.iter_mut().flatten().zip(term.iter_mut().flatten()) {
            *term /= f64::from(k);
            *sum += *term;
        }
    }
    (0..halvings).fold(sum, |power, _| product(&power, &power))
}

/// The upper right part of the exponential of `[[A, E], [0, A]]`, for a direction of length 1.
pub(crate) fn exp_derivative(a: &Rows, e: &Rows) -> Rows {
    let length = e.iter().flatten().fold(0.0, |most: f64, x| most.max(x.abs()));
    let scale = if length == 0.0 { 1.0 } else { length };
    let n = a.len();
    let above = a.iter().zip(e).map(|(a, e)| a.iter().copied().chain(e.iter().map(|x| x / scale)).collect());
    let below = a.iter().map(|a| std::iter::repeat_n(0.0, n).chain(a.iter().copied()).collect());
    let whole = exp(&above.chain(below).collect());
    whole[..n].iter().map(|row| row[n..].iter().map(|x| x * scale).collect()).collect()
}
