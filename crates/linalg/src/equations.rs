//! Linear equations of many rows, in halves: most of the work are matrix products, which are fast.

use crate::matrices::Matrix;
use nalgebra::{DMatrixView, DMatrixViewMut};
use rayon::prelude::*;

/// Rows, or columns of a panel, that are not halved again.
const FEW: usize = 32;

/// Right sides that are solved together; other threads take others. By shapes alone, so that bits do not depend on threads.
const TOGETHER: usize = 64;

/// `P A = L U` with partial pivoting.
pub(crate) struct Lu {
    /// U, and below its diagonal L, whose diagonal is 1.
    both: Matrix,
    /// The rows that were swapped, one after the other.
    swaps: Vec<(usize, usize)>,
}

impl Lu {
    pub(crate) fn new(a: &Matrix) -> Lu {
        let (mut both, mut swaps) = (a.clone(), Vec::with_capacity(a.nrows()));
        factor(both.as_view_mut(), &mut swaps);
        Lu { both, swaps }
    }

    /// The diagonal of U.
    pub(crate) fn pivots(&self) -> impl Iterator<Item = f64> {
        (0..self.both.nrows()).map(|i| self.both[(i, i)])
    }

    /// The sign of the swaps.
    pub(crate) fn sign(&self) -> f64 {
        self.swaps.iter().fold(1.0, |sign, (i, j)| if i == j { sign } else { -sign })
    }

    /// The X with `A X = B`, if A is not singular.
    pub(crate) fn solve(&self, b: &Matrix) -> Option<Matrix> {
        let mut x = b.clone();
        self.swaps.iter().for_each(|&(i, j)| x.swap_rows(i, j));
        each_part(&mut x, |part| lower(self.both.as_view(), part, true));
        solve_upper(&self.both, x)
    }
}

/// The X with `L X = B` for a lower triangle, if it is not singular.
pub(crate) fn solve_lower(l: &Matrix, mut b: Matrix) -> Option<Matrix> {
    each_part(&mut b, |part| lower(l.as_view(), part, false));
    l.diagonal().iter().all(|&x| x != 0.0).then_some(b)
}

/// The X with `U X = B` for an upper triangle, if it is not singular.
pub(crate) fn solve_upper(u: &Matrix, mut b: Matrix) -> Option<Matrix> {
    each_part(&mut b, |part| upper(u.as_view(), part));
    u.diagonal().iter().all(|&x| x != 0.0).then_some(b)
}

fn each_part(b: &mut Matrix, solve: impl Fn(DMatrixViewMut<'_, f64>) + Sync) {
    let rows = b.nrows();
    b.as_mut_slice().par_chunks_mut(rows * TOGETHER).for_each(|part| {
        let columns = part.len() / rows;
        solve(DMatrixViewMut::from_slice(part, rows, columns));
    });
}

fn lower(l: DMatrixView<'_, f64>, mut b: DMatrixViewMut<'_, f64>, has_unit_diagonal: bool) {
    let n = l.nrows();
    if n <= FEW {
        match has_unit_diagonal {
            true => l.solve_lower_triangular_with_diag_mut(&mut b, 1.0),
            false => l.solve_lower_triangular_mut(&mut b),
        };
        return;
    }
    let half = n / 2;
    let (mut above, mut below) = b.rows_range_pair_mut(..half, half..);
    lower(l.view((0, 0), (half, half)), above.as_view_mut(), has_unit_diagonal);
    below.gemm(-1.0, &l.view((half, 0), (n - half, half)), &above, 1.0);
    lower(l.view((half, half), (n - half, n - half)), below, has_unit_diagonal);
}

fn upper(u: DMatrixView<'_, f64>, mut b: DMatrixViewMut<'_, f64>) {
    let n = u.nrows();
    if n <= FEW {
        u.solve_upper_triangular_mut(&mut b);
        return;
    }
    let half = n / 2;
    let (mut above, mut below) = b.rows_range_pair_mut(..half, half..);
    upper(u.view((half, half), (n - half, n - half)), below.as_view_mut());
    above.gemm(-1.0, &u.view((0, half), (half, n - half)), &below, 1.0);
    upper(u.view((0, 0), (half, half)), above);
}

/// Columns with at least as many rows, in place (Toledo 1997, "Locality of reference in LU decomposition with partial pivoting"). The swaps
/// are counted from the first row of all.
fn factor(mut a: DMatrixViewMut<'_, f64>, swaps: &mut Vec<(usize, usize)>) {
    let n = a.ncols();
    if n <= FEW / 4 {
        return factor_few(a, swaps);
    }
    let (half, start) = (n / 2, swaps.len());
    let (mut left, mut right) = a.columns_range_pair_mut(..half, half..);
    factor(left.as_view_mut(), swaps);
    swaps[start..].iter().for_each(|&(i, j)| right.swap_rows(i - start, j - start));
    let (mut above, mut below) = right.rows_range_pair_mut(..half, half..);
    lower(left.view((0, 0), (half, half)), above.as_view_mut(), true);
    below.gemm(-1.0, &left.rows_range(half..), &above, 1.0);
    factor(below, swaps);
    swaps[start + half..].iter().for_each(|&(i, j)| left.swap_rows(i - start, j - start));
}

fn factor_few(mut a: DMatrixViewMut<'_, f64>, swaps: &mut Vec<(usize, usize)>) {
    let start = swaps.len();
    for k in 0..a.ncols() {
        let pivot = k + a.view_range(k.., k).icamax();
        swaps.push((start + k, start + pivot));
        a.swap_rows(k, pivot);
        let diagonal = a[(k, k)];
        // A column without one is left as it is: its pivot says that the matrix is singular.
        if diagonal == 0.0 {
            continue;
        }
        let (mut done, mut rest) = a.columns_range_pair_mut(..k + 1, k + 1..);
        let mut factors = done.view_range_mut(k + 1.., k);
        factors /= diagonal;
        for mut column in rest.column_iter_mut() {
            let times = -column[k];
            column.rows_range_mut(k + 1..).axpy(times, &factors, 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_autograd::prelude::{Rng, Tensor};

    fn random(rows: usize, columns: usize, seed: u64) -> Matrix {
        let numbers = Tensor::randn([columns, rows], &mut Rng::seed(seed));
        Matrix::from_iterator(rows, columns, numbers.iter().map(f64::from))
    }

    #[test]
    fn halves_are_the_whole_of_the_library() {
        for (n, k) in [(1, 1), (8, 3), (33, 1), (65, 70), (200, 130)] {
            let [a, b] = [(n, 1), (k, 2)].map(|(columns, seed)| random(n, columns, seed));
            let close = |x: &Matrix, y: &Matrix| assert!((x - y).amax() <= 1e-9 * y.amax(), "{n}, {k}");
            let (lu, theirs) = (Lu::new(&a), a.clone().lu());
            close(&lu.solve(&b).unwrap(), &theirs.solve(&b).unwrap());
            let determinant = lu.sign() * lu.pivots().product::<f64>();
            assert!((determinant / theirs.determinant() - 1.0).abs() < 1e-9, "{n}");
            let heavy = a + Matrix::identity(n, n) * n as f64;
            close(&solve_lower(&heavy, b.clone()).unwrap(), &heavy.solve_lower_triangular(&b).unwrap());
            close(&solve_upper(&heavy, b.clone()).unwrap(), &heavy.solve_upper_triangular(&b).unwrap());
        }
    }

    #[test]
    fn what_is_singular_has_no_solution() {
        let mut a = Matrix::from_fn(70, 70, |i, j| if i == j { 2.0 } else { 0.0 });
        a[(50, 50)] = 0.0;
        let b = Matrix::identity(70, 70);
        assert!(Lu::new(&a).solve(&b).is_none());
        assert!(solve_lower(&a, b.clone()).is_none());
        assert!(solve_upper(&a, b).is_none());
    }
}
