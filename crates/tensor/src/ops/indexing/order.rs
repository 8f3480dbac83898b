//! Sorting along an axis.

use crate::{
    Indices, Isa, ShapeError,
    array::Tensor,
    error::OrFail,
    shape::resolve_axis,
    simd::{Kernel, Simd, dispatch},
    threads::share,
};

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
    let k = values.len();
    let mut keys = match k * FEW <= row.len() {
        true => dispatch(Isa::current(), Candidates { row, descending, k }),
        false => row.iter().zip(0..).map(|(&x, place)| with_place(key(x, descending), place)).collect(),
    };
    if k < keys.len() {
        keys.select_nth_unstable(k);
    }
    let first = &mut keys[..k];
    first.sort_unstable();
    for ((value, place), &key) in values.iter_mut().zip(places).zip(&*first) {
        *place = key as u32 as i32;
        *value = row[*place as usize];
    }
}

/// Sorting by place after value keeps the order of equal elements.
#[inline(always)]
fn with_place(key: u32, place: u64) -> u64 {
    u64::from(key) << 32 | place
}

/// How many times as long as what is asked for a row is whose elements are nearly all passed over.
const FEW: usize = 16;
/// Elements that are passed over together.
const PASSED: usize = 32;

/// Elements of a row among which the first `k` in order are: those that come before the first `k` of what was seen earlier.
struct Candidates<'a> {
    row: &'a [f32],
    descending: bool,
    k: usize,
}

impl Kernel for Candidates<'_> {
    type Output = Vec<u64>;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> Vec<u64> {
        let Candidates { row, descending, k } = self;
        let most = 2 * k + PASSED;
        let mut found = Vec::with_capacity(most + PASSED);
        // What comes first is before it; an equal one further on is not.
        let mut limit = u64::MAX;
        for (block, xs) in row.chunks(PASSED).enumerate() {
            let mut keys = [u32::MAX; PASSED];
            keys.iter_mut().zip(xs).for_each(|(to, &x)| *to = key(x, descending));
            let bound = (limit >> 32) as u32;
            if keys.iter().fold(0, |any, &key| any | u32::from(key <= bound)) == 0 {
                continue;
            }
            for (i, &key) in keys[..xs.len()].iter().enumerate() {
                let key = with_place(key, (block * PASSED + i) as u64);
                if key < limit {
                    found.push(key);
                }
            }
            if found.len() >= most {
                limit = *found.select_nth_unstable(k - 1).1;
                found.truncate(k);
            }
        }
        found
    }
}

/// A number that orders like `x`: the same for both zeros, NaN beyond infinity.
#[inline(always)]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rng, Slice};

    #[test]
    fn the_first_few_of_long_rows_are_those_of_the_sorted_ones() {
        let mut rng = Rng::seed(1);
        for n in [16, 100, 1000, 5000] {
            // Numbers that are often equal, falling and rising ones, with zeros of both signs and NaN.
            let mut x = (Tensor::randn([6, n], &mut rng) * 3.0).map(f32::round);
            for i in 0..n {
                x.set([1, i], i as f32);
                x.set([2, i], -(i as f32));
                x.set([3, i], if i % 3 == 0 { -0.0 } else { 0.0 });
                x.set([4, i], if i % 7 == 3 { f32::NAN } else { x.get([4, i]) });
                x.set([5, i], f32::NAN);
            }
            for (k, largest) in
                [0, 1, n / 16, n / 17, n / 15].into_iter().flat_map(|k| [(k, true), (k, false)])
            {
                let (values, places) = x.topk(k, 1, largest);
                let (sorted, all) = x.sort(1, largest);
                let first = sorted.slice(1, Slice::from(..k as isize));
                let bits = |x: &Tensor| x.iter().map(f32::to_bits).collect::<Vec<_>>();
                assert_eq!(bits(&values), bits(&first), "{k} of {n}, largest {largest}");
                assert_eq!(places, all.slice(1, Slice::from(..k as isize)), "{k} of {n}, largest {largest}");
            }
        }
    }
}
