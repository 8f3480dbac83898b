//! Elements in order: sorted, the largest, and the one in the middle.

use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::{Indices, shape::resolve_axis};

/// Elements in the order of their size along an axis. The gradient goes to the elements where they stood.
pub trait Order: Value {
    /// The elements sorted along an axis, and where each stood. Equal elements keep their order. NaN counts as larger than
    /// every number: it comes last in ascending order, first in descending.
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

    /// The `k` largest elements along an axis in descending order, or the `k` smallest in ascending order, and where each
    /// stood: of equal ones the first. NaN counts as larger than every number: it comes first among the largest and last
    /// among the smallest.
    ///
    /// `dx` takes each element of g to where its element stood, and is 0 elsewhere
    ///
    /// # Panics
    /// When there is no such axis, or it has fewer than `k` elements.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var([2.0, 3.0, 1.0]);
    /// let (y, places) = x.topk(2, 0, false);
    /// assert_eq!((y.value().to_vec(), places.as_slice()), (vec![1.0, 2.0], &[2, 0][..]));
    /// assert_eq!(y.backward_from([10.0, 20.0])[x].to_vec(), [20.0, 0.0, 10.0]);
    /// ```
    #[track_caller]
    fn topk(&self, k: usize, axis: isize, largest: bool) -> (Self, Indices) {
        let (_, places) = self.to_tensor().topk(k, axis, largest);
        (self.gather(axis, &places), places)
    }

    /// The `k`-th smallest element along an axis, counted from 0, and where it stood. The axis goes away; NaN counts as larger
    /// than every number.
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
        Sorted::new(self, position).element(self, |_| k)
    }

    /// The element in the middle of an axis, the lower one of two, and where it stood. The axis goes away; where there is a
    /// NaN, it is the first one.
    ///
    /// # Panics
    /// When there is no such axis, or it is empty.
    #[track_caller]
    fn median(&self, axis: isize) -> (Self, Indices) {
        let (position, n) = filled_axis("median", self, axis);
        Sorted::new(self, position).element(self, |row| first_nan(row).unwrap_or((n - 1) / 2))
    }

    /// The value below which a share `q` of the elements of an axis lies, between two elements on the straight line; NaN
    /// where there is a NaN. The axis goes away.
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
        let (position, n) = filled_axis("quantile", self, axis);
        let sorted = Sorted::new(self, position);
        // At most the last: the number of very many elements rounds up in f32.
        let element =
            |k: f32| sorted.element(self, |row| first_nan(row).unwrap_or((k as usize).min(n - 1))).0;
        let place = q * (n - 1) as f32;
        let (low, weight) = (element(place.floor()), place.fract());
        if weight == 0.0 {
            return low;
        }
        let high = element(place.ceil());
        let gap = &high - &low;
        // Between infinities, or so far apart that the gap is no f32, each has its share instead.
        let shares = &low * (1.0 - weight) + high * weight;
        gap.abs().lt(&self.place().constant(f32::INFINITY)).select_where(&(low + gap * weight), &shares)
    }
}

impl<V: Value> Order for V {}

/// The position of an axis that has elements, and how many.
#[track_caller]
fn filled_axis<V: Value>(op: &str, x: &V, axis: isize) -> (usize, usize) {
    let shape = x.shape();
    let position = resolve_axis(op, axis, &shape).or_fail();
    if shape[position] == 0 {
        ShapeError::new(format!("{op}: axis {axis} of shape {shape} is empty")).fail()
    }
    (position, shape[position])
}

/// Where the NaN of an ascending row begin, if it has any.
fn first_nan(row: &[f32]) -> Option<usize> {
    row.last().filter(|last| last.is_nan()).map(|_| row.partition_point(|x| !x.is_nan()))
}

/// The elements of an axis in ascending order, NaN last.
struct Sorted {
    axis: usize,
    /// Row after row of sorted elements, and where each stood.
    rows: Vec<f32>,
    places: Indices,
}

impl Sorted {
    fn new<V: Value>(x: &V, axis: usize) -> Sorted {
        let (sorted, places) = x.to_tensor().sort(axis as isize, false);
        Sorted {
            axis,
            rows: sorted.transpose(axis as isize, -1).to_vec(),
            places: places.transpose(axis as isize, -1),
        }
    }

    /// The element of each row whose number in order `number` gives, and where it stood; the axis goes away.
    fn element<V: Value>(&self, x: &V, number: impl Fn(&[f32]) -> usize) -> (V, Indices) {
        let (shape, axis) = (x.shape(), self.axis as isize);
        let n = shape[self.axis];
        let rows = self.rows.chunks_exact(n).zip(self.places.as_slice().chunks_exact(n));
        let chosen: Vec<i32> = rows.map(|(row, places)| places[number(row)]).collect();
        let places =
            Indices::new(chosen, self.places.shape().with(shape[..].len() - 1, 1)).transpose(axis, -1);
        (x.gather(axis, &places).squeeze(axis), places.reshape(shape.remove(self.axis)))
    }
}
