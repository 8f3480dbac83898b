//! Sorting along an axis.

use crate::{Indices, ShapeError, array::Tensor, error::OrFail, shape::resolve_axis, threads::share};

impl Tensor {
    /// The elements sorted along an axis, and where each stood. Equal elements keep their order. NaN counts as larger
    /// than every number: it comes last in ascending order and first in `descending`.
    ///
    /// # Panics
    /// When there is no such axis.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let (sorted, places) = Tensor::from([2.0, 3.0, 1.0]).sort(0, false);
    /// assert_eq!(sorted.to_vec(), [1.0, 2.0, 3.0]);
    /// assert_eq!(places.as_slice(), [2, 0, 1]);
    /// ```
    #[track_caller]
    pub fn sort(&self, axis: isize, descending: bool) -> (Tensor, Indices) {
        let axis = resolve_axis("sort", axis, self.shape()).or_fail();
        self.first_in_order("sort", axis, self.shape()[axis], descending)
    }

    /// The `k` largest elements along an axis in descending order, or the `k` smallest in ascending order, and where each
    /// stood: the first `k` of a [`Tensor::sort`]. NaN, larger than every number, comes first among the largest and
    /// last among the smallest.
    ///
    /// # Panics
    /// When there is no such axis, or it has fewer than `k` elements.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let x = Tensor::from([[2.0, 9.0, 4.0]]);
    /// let (values, places) = x.topk(2, 1, true);
    /// assert_eq!(values, Tensor::from([[9.0, 4.0]]));
    /// assert_eq!(places.as_slice(), [1, 2]);
    /// assert_eq!(x.topk(2, 1, false).0, Tensor::from([[2.0, 4.0]]));
    /// ```
    #[track_caller]
    pub fn topk(&self, k: usize, axis: isize, largest: bool) -> (Tensor, Indices) {
        let axis = resolve_axis("topk", axis, self.shape()).or_fail();
        if k > self.shape()[axis] {
            ShapeError::new(format!(
                "topk: axis {axis} of shape {} has fewer than {k} elements",
                self.shape()
            ))
            .fail()
        }
        self.first_in_order("topk", axis, k, largest)
    }

    #[track_caller]
    fn first_in_order(&self, op: &str, axis: usize, k: usize, descending: bool) -> (Tensor, Indices) {
        let last_axis = self.transpose(axis as isize, -1);
        let n = last_axis.size(-1);
        if n > i32::MAX as usize {
            ShapeError::new(format!("{op}: axis {axis} of shape {} is too long for i32", self.shape())).fail()
        }
        let shape = last_axis.shape().with(self.rank() - 1, k);
        let source = last_axis.contiguous();
        let x = source.as_slice().expect("made contiguous");
        let mut places = vec![0; shape.numel()];
        let values = Tensor::written(shape.clone(), |values| {
            if values.is_empty() {
                return;
            }
            let mut results: Vec<(&mut [f32], &mut [i32])> =
                values.chunks_exact_mut(k).zip(places.chunks_exact_mut(k)).collect();
            share::for_each_row(&mut results, n, share::SORTING, |row, (values, places)| {
                first_of_row(&x[row * n..][..n], descending, values, places);
            });
        });
        let back = |indices: Indices| indices.transpose(axis as isize, -1);
        (values.transpose(axis as isize, -1).contiguous(), back(Indices::new(places, shape)))
    }
}

/// Finds the first elements in order of a row, and their places.
fn first_of_row(row: &[f32], descending: bool, values: &mut [f32], places: &mut [i32]) {
    // Sorting by place after value keeps the order of equal elements.
    let mut keys: Vec<u64> =
        row.iter().zip(0u64..).map(|(&x, place)| u64::from(key(x, descending)) << 32 | place).collect();
    if values.len() < keys.len() {
        keys.select_nth_unstable(values.len());
    }
    let first = &mut keys[..values.len()];
    first.sort_unstable();
    for ((value, place), &key) in values.iter_mut().zip(places).zip(&*first) {
        *place = key as u32 as i32;
        *value = row[*place as usize];
    }
}

/// A number that orders like `x`: the same for both zeros, NaN beyond infinity.
fn key(x: f32, descending: bool) -> u32 {
    // Adding 0 makes -0 a 0.
    let bits = (x + 0.0).to_bits();
    // Negative numbers order backwards and below the others.
    let ascending = match x.is_nan() {
        true => u32::MAX,
        false if bits >> 31 == 1 => !bits,
        false => bits | 1 << 31,
    };
    if descending { !ascending } else { ascending }
}
