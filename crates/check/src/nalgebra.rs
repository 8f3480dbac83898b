//! The vectors and matrices of `nalgebra` as points and gradients.

use crate::given::{Number, Numbers, Point};
use nalgebra::{DefaultAllocator, Dim, OMatrix, Scalar, allocator::Allocator};

impl<N: Number + Scalar, R: Dim, C: Dim> Numbers for OMatrix<N, R, C>
where
    DefaultAllocator: Allocator<R, C>,
{
    const EPSILON: f64 = N::EPSILON;

    /// In row-major order: `nalgebra` keeps columns.
    fn numbers(&self) -> Vec<f64> {
        self.row_iter().flat_map(|row| row.iter().map(|x| x.to_f64()).collect::<Vec<f64>>()).collect()
    }
}

impl<N: Number + Scalar, R: Dim, C: Dim> Point for OMatrix<N, R, C>
where
    DefaultAllocator: Allocator<R, C>,
{
    /// A matrix of one column is a vector.
    fn shape(&self) -> Vec<usize> {
        match self.ncols() {
            1 => vec![self.nrows()],
            columns => vec![self.nrows(), columns],
        }
    }

    fn with(&self, numbers: &[f64]) -> OMatrix<N, R, C> {
        let (rows, columns) = self.shape_generic();
        let width = self.ncols();
        OMatrix::from_fn_generic(rows, columns, |i, j| {
            N::nearest(numbers.get(i * width + j).copied().unwrap_or(f64::NAN))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{DVector, Matrix2x3};

    #[test]
    fn numbers_are_in_row_major_order() {
        let x = Matrix2x3::new(1.0, 2.0, 3.0, 4.0, 5.0, 6.0);
        assert_eq!((Point::shape(&x), x.numbers()), (vec![2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
        assert_eq!(x.with(&x.numbers()), x);
        assert_eq!(Point::shape(&DVector::from_vec(vec![1.0f32, 2.0])), [2]);
    }
}
