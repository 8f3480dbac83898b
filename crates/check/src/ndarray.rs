//! The arrays of `ndarray` as points and gradients.

use crate::given::{Number, Numbers, Point};
use ndarray::{Array, Dimension};

impl<N: Number, D: Dimension> Numbers for Array<N, D> {
    const EPSILON: f64 = N::EPSILON;

    fn numbers(&self) -> Vec<f64> {
        self.iter().map(|x| x.to_f64()).collect()
    }
}

impl<N: Number, D: Dimension> Point for Array<N, D> {
    fn shape(&self) -> Vec<usize> {
        Array::shape(self).to_vec()
    }

    fn with(&self, numbers: &[f64]) -> Array<N, D> {
        // In logical order, as `iter` gives them; `map` would go through memory.
        let numbers = numbers.iter().map(|&x| N::nearest(x)).collect();
        Array::from_shape_vec(self.raw_dim(), numbers).expect("as many numbers as the array has elements")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn numbers_are_in_logical_order_whatever_the_layout() {
        let x = array![[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]].reversed_axes();
        assert_eq!((Point::shape(&x), x.numbers()), (vec![3, 2], vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
        assert_eq!(x.with(&x.numbers()), x);
    }
}
