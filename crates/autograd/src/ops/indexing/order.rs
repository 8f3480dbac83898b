//! Elements in order: sorted, the largest, and the one in the middle.

use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::{Indices, shape::resolve_axis};

/// Elements in the order of their size along an axis. The gradient goes to the elements where they stood.
pub trait Order: Value {
    /// The elements sorted along an axis, and where each stood. Equal elements keep their order; NaN comes last.
    ///
    /// `dx` takes each element of g to where its element stood
    ///
    /// # Panics
    /// When there is no such axis.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var([2.0, 3.0, 1.0]);
    /// let (y, places) = x.sort(0, false);
    /// assert_eq!((y.value().to_vec(), places.as_slice()), (vec![1.0, 2.0, 3.0], &[2, 0, 1][..]));
    /// assert_eq!(y.backward_from([10.0, 20.0, 30.0])[x].to_vec(), [20.0, 30.0, 10.0]);
    /// ```
    #[track_caller]
    fn sort(&self, axis: isize, descending: bool) -> (Self, Indices) {
        let (_, places) = self.to_tensor().sort(axis, descending);
        (self.gather(axis, &places), places)
    }

    /// The `k` largest elements along an axis in descending order, and where each stood: of equal ones the first.
    ///
    /// # Panics
    /// When there is no such axis, or it has fewer than `k` elements.
    #[track_caller]
    fn topk(&self, k: usize, axis: isize) -> (Self, Indices) {
        let (_, places) = self.to_tensor().topk(k, axis);
        (self.gather(axis, &places), places)
    }

    /// The `k`-th smallest element along an axis, counted from 0, and where it stood. The axis goes away.
    ///
    /// # Panics
    /// When there is no such axis, or it has not more than `k` elements.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let (y, place) = Tensor::from([30.0, 10.0, 20.0]).kthvalue(1, 0);
    /// assert_eq!((y.item(), place.as_slice()), (20.0, &[2][..]));
    /// ```
    #[track_caller]
    fn kthvalue(&self, k: usize, axis: isize) -> (Self, Indices) {
        let shape = self.shape();
        let position = resolve_axis("kthvalue", axis, &shape).or_fail();
        if k >= shape[position] {
            ShapeError::new(format!("kthvalue: axis {axis} of shape {shape} has no element {k}")).fail()
        }
        let (_, places) = self.to_tensor().sort(axis, false);
        let rows = places.transpose(position as isize, 0);
        let row = rows.index_select(0, &Indices::from([k as i32])).transpose(position as isize, 0);
        (self.gather(axis, &row).squeeze(axis), row.reshape(shape.remove(position)))
    }

    /// The element in the middle of an axis, the lower one of two, and where it stood. The axis goes away; NaN counts as
    /// larger than every number.
    ///
    /// # Panics
    /// When there is no such axis, or it is empty.
    #[track_caller]
    fn median(&self, axis: isize) -> (Self, Indices) {
        let shape = self.shape();
        let n = shape[resolve_axis("median", axis, &shape).or_fail()];
        if n == 0 {
            ShapeError::new(format!("median: axis {axis} of shape {shape} is empty")).fail()
        }
        self.kthvalue((n - 1) / 2, axis)
    }

    /// The value below which a share `q` of the elements of an axis lies, between two elements on the straight line. The
    /// axis goes away.
    ///
    /// # Panics
    /// When there is no such axis, it is empty, or q is not between 0 and 1.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// assert_eq!(Tensor::from([4.0, 1.0, 2.0]).quantile(0.25, 0).item(), 1.5);
    /// ```
    #[track_caller]
    fn quantile(&self, q: f32, axis: isize) -> Self {
        assert!((0.0..=1.0).contains(&q), "quantile: {q} is not between 0 and 1");
        let shape = self.shape();
        let n = shape[resolve_axis("quantile", axis, &shape).or_fail()];
        if n == 0 {
            ShapeError::new(format!("quantile: axis {axis} of shape {shape} is empty")).fail()
        }
        let place = q * (n - 1) as f32;
        let (low, _) = self.kthvalue(place.floor() as usize, axis);
        let (high, _) = self.kthvalue(place.ceil() as usize, axis);
        &low + (high - &low) * place.fract()
    }
}

impl<V: Value> Order for V {}
