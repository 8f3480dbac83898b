//! Reductions: sums, means, maxima over axes.

use crate::{
    error::OrFail,
    indices::Indices,
    shape::{Axes, reduced, resolve_axis},
    tensor::Tensor,
};

impl Tensor {
    /// The sum of all elements, as a scalar. Added pairwise: the error grows like the logarithm of their number.
    pub fn sum(&self) -> Tensor {
        self.sum_axes(Axes::all(), false)
    }

    /// Sums over axes, which become 1 with `keepdims` and go away without.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.sum_axes(0, false).to_vec(), [4.0, 6.0]);
    /// ```
    #[track_caller]
    pub fn sum_axes(&self, axes: impl Into<Axes>, keepdims: bool) -> Tensor {
        self.reduce_rows("sum", axes.into(), keepdims, pairwise_sum)
    }

    /// The mean of all elements, as a scalar; NaN when there are none.
    pub fn mean(&self) -> Tensor {
        self.sum() / self.len() as f32
    }

    /// Means over axes; NaN where there are no elements.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    #[track_caller]
    pub fn mean_axes(&self, axes: impl Into<Axes>, keepdims: bool) -> Tensor {
        let sum = self.sum_axes(axes, keepdims);
        let count = self.len() as f32 / sum.len() as f32;
        sum / count
    }

    /// The largest of all elements, as a scalar; NaN if there is a NaN, -inf when there are none.
    pub fn max(&self) -> Tensor {
        self.max_axes(Axes::all(), false)
    }

    /// Maxima over axes; NaN where there is a NaN, -inf where there are no elements.
    ///
    /// # Panics
    /// When an axis is out of range or named twice.
    #[track_caller]
    pub fn max_axes(&self, axes: impl Into<Axes>, keepdims: bool) -> Tensor {
        self.reduce_rows("max", axes.into(), keepdims, |row| {
            row.iter().fold(f32::NEG_INFINITY, |m, &x| if x > m || x.is_nan() { x } else { m })
        })
    }

    /// The position of the largest element along an axis, which goes away: the first one on a tie, a NaN before all.
    ///
    /// # Panics
    /// When there is no such axis, or it is empty.
    #[track_caller]
    pub fn argmax(&self, axis: isize) -> Indices {
        let axis = resolve_axis("argmax", axis, self.shape()).or_fail();
        let n = self.shape()[axis];
        if n == 0 {
            crate::ShapeError::new(format!("argmax: axis {axis} of shape {} is empty", self.shape())).fail()
        }
        let rows = self.rows(&[axis]);
        let first_max = |row: &[f32]| {
            (0..n).fold(0, |best, i| {
                if row[i] > row[best] || row[i].is_nan() && !row[best].is_nan() { i } else { best }
            })
        };
        let found: Vec<i32> = rows.to_vec().chunks(n).map(|row| first_max(row) as i32).collect();
        Indices::new(found, reduced(self.shape(), &[axis], false))
    }

    /// Brings the axes to the back, as one contiguous axis.
    fn rows(&self, axes: &[usize]) -> Tensor {
        let kept = (0..self.rank()).filter(|i| !axes.contains(i));
        let order: Vec<isize> = kept.chain(axes.iter().copied()).map(|i| i as isize).collect();
        self.permute(order).contiguous()
    }

    #[track_caller]
    fn reduce_rows(&self, op: &str, axes: Axes, keepdims: bool, f: impl Fn(&[f32]) -> f32) -> Tensor {
        let axes = axes.resolve(op, self.shape()).or_fail();
        let n: usize = axes.iter().map(|&a| self.shape()[a]).product();
        let rows = self.rows(&axes);
        let elements = rows.as_slice().expect("rows are contiguous");
        Tensor::written(reduced(self.shape(), &axes, keepdims), |out| {
            for (i, y) in out.iter_mut().enumerate() {
                *y = f(&elements[i * n..][..n]);
            }
        })
    }
}

/// Halves added up recursively, down to runs that eight accumulators share.
fn pairwise_sum(x: &[f32]) -> f32 {
    const RUN: usize = 256;
    if x.len() > RUN {
        let half = (x.len() / 2).next_multiple_of(RUN);
        return pairwise_sum(&x[..half]) + pairwise_sum(&x[half..]);
    }
    let mut sums = [0.0; 8];
    let chunks = x.chunks_exact(8);
    let rest: f32 = chunks.remainder().iter().sum();
    for chunk in chunks {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += x;
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + b) + (c + d)) + ((e + f) + (g + h)) + rest
}
