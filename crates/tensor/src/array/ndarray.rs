//! The arrays of the crate `ndarray`, from tensors and to them. Needs the feature `ndarray`.

use super::Tensor;
use ndarray::{ArrayBase, ArrayViewD, Axis, Data, Dimension, IxDyn, ShapeBuilder};

impl Tensor {
    /// The same elements seen by `ndarray`, whatever the layout: nothing is copied.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(x.t().as_ndarray().sum_axis(ndarray::Axis(1)), ndarray::array![5.0, 7.0, 9.0].into_dyn());
    /// ```
    pub fn as_ndarray(&self) -> ArrayViewD<'_, f32> {
        if self.is_empty() {
            return ArrayViewD::from_shape(IxDyn(self.shape()), &[]).expect("no element needs none");
        }
        // There strides in a slice go up: one that goes down is a reversed one that goes up.
        let strides = self.strides();
        let sizes = self.shape().iter();
        let down = |(&size, &stride): (&usize, &isize)| {
            if stride < 0 { (size - 1) * stride.unsigned_abs() } else { 0 }
        };
        let start = self.layout.offset - sizes.zip(strides).map(down).sum::<usize>();
        let up: Vec<usize> = strides.iter().map(|stride| stride.unsigned_abs()).collect();
        let data = &self.data()[start..];
        let mut view = ArrayViewD::from_shape(IxDyn(self.shape()).strides(IxDyn(&up)), data)
            .expect("every layout of a tensor is within its buffer");
        for axis in (0..strides.len()).filter(|&axis| strides[axis] < 0) {
            view.invert_axis(Axis(axis));
        }
        view
    }
}

/// Copies the elements of an array or a view of any layout.
///
/// ```
/// use gradus_tensor::Tensor;
///
/// let array = ndarray::array![[1.0f32, 2.0], [3.0, 4.0]];
/// assert_eq!(Tensor::from(&array.t()), Tensor::from([[1.0, 3.0], [2.0, 4.0]]));
/// ```
impl<S: Data<Elem = f32>, D: Dimension> From<&ArrayBase<S, D>> for Tensor {
    fn from(array: &ArrayBase<S, D>) -> Tensor {
        match array.as_slice() {
            Some(elements) => Tensor::new(elements, array.shape()),
            None => Tensor::new(array.iter().copied().collect::<Vec<f32>>(), array.shape()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Slice;

    #[test]
    fn every_layout_is_seen_without_a_copy_and_comes_back() {
        let block = Tensor::arange(60).reshape([3, 4, 5]);
        let tensors = [
            block.clone(),
            block.transpose(0, 2),
            block.flip(1).slice(2, Slice::from(..).step(-2)),
            block.slice(0, 1..2).flip(0),
            block.slice(1, 2..).select(0, 1),
            Tensor::from([1.0, 2.0]).broadcast_to([3, 2]),
            Tensor::scalar(7.0),
            Tensor::zeros([0]),
            block.slice(0, 3..),
            block.slice(1, 0..0).flip(2),
        ];
        for tensor in &tensors {
            let view = tensor.as_ndarray();
            assert_eq!(view.shape(), &tensor.shape()[..]);
            assert!(view.iter().copied().eq(tensor.iter()), "{view:?} {tensor:?}");
            assert_eq!(&Tensor::from(&view), tensor);
            if let (Some(first), Some(there)) = (view.first(), tensor.data().get(tensor.layout.offset)) {
                assert!(std::ptr::eq(first, there));
            }
        }
        // A row-major array and one of columns.
        let array = ndarray::Array::from_shape_fn((2, 3), |(i, j)| (10 * i + j) as f32);
        assert_eq!(Tensor::from(&array).to_vec(), [0.0, 1.0, 2.0, 10.0, 11.0, 12.0]);
        assert_eq!(Tensor::from(&array.t()).to_vec(), [0.0, 10.0, 1.0, 11.0, 2.0, 12.0]);
    }
}
