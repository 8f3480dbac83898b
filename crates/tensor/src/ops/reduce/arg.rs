//! Where the largest and smallest elements stand.

use crate::{
    Isa, ShapeError,
    array::{Tensor, strided::AxisView},
    error::OrFail,
    indices::Indices,
    kernels::fold::{Fold, Max, Min, fold_run},
    shape::{reduced, resolve_axis},
    simd::{Kernel, Simd, dispatch},
    threads::share,
};
use std::marker::PhantomData;

/// Columns that are searched together.
const STRIP: usize = 1024;
/// Elements compared at once when a value is looked for in a run.
const STRETCH: usize = 64;

impl Tensor {
    /// The position of the largest element along an axis, which goes away: the first one on a tie, a NaN before all.
    ///
    /// # Panics
    /// When there is no such axis, or it is empty.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 5.0, 5.0], [7.0, 0.0, 2.0]]);
    /// assert_eq!(x.argmax(-1).as_slice(), [1, 0]);
    /// ```
    #[track_caller]
    pub fn argmax(&self, axis: isize) -> Indices {
        self.extreme::<Max>("argmax", axis)
    }

    /// The position of the smallest element along an axis, which goes away: the first one on a tie, a NaN before all.
    ///
    /// # Panics
    /// When there is no such axis, or it is empty.
    #[track_caller]
    pub fn argmin(&self, axis: isize) -> Indices {
        self.extreme::<Min>("argmin", axis)
    }

    #[track_caller]
    fn extreme<F: Fold>(&self, op: &str, axis: isize) -> Indices {
        let axis = resolve_axis(op, axis, self.shape()).or_fail();
        let AxisView { n, inner, .. } = AxisView::new(self.shape(), axis);
        let shape = reduced(self.shape(), &[axis], false);
        if n == 0 {
            ShapeError::new(format!("{op}: axis {axis} of shape {} is empty", self.shape())).fail()
        }
        if n > i32::MAX as usize {
            ShapeError::new(format!("{op}: axis {axis} of shape {} is too long for i32", self.shape())).fail()
        }
        let source = self.contiguous();
        let x = source.as_slice().expect("made contiguous");
        let mut places = vec![0; shape.numel()];
        // The largest or smallest elements so far are kept for the search alone.
        Tensor::written(shape.clone(), |values| {
            share::for_each_weighted_pair(
                (values, &mut places),
                n,
                share::REDUCTION,
                |start, values, places| {
                    let order = PhantomData::<F>;
                    dispatch(Isa::current(), Search { x, n, inner, start, values, places, order });
                },
            );
        });
        Indices::new(places, shape)
    }
}

/// Finds the extremes from number `start` on: those of column `i % inner` in block `i / inner`.
struct Search<'a, F> {
    x: &'a [f32],
    n: usize,
    inner: usize,
    start: usize,
    values: &'a mut [f32],
    places: &'a mut [i32],
    order: PhantomData<F>,
}

impl<F: Fold> Kernel for Search<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Search { x, n, inner, start, mut values, mut places, .. } = self;
        if inner == 1 {
            for ((row, value), place) in x[start * n..].chunks_exact(n).zip(values).zip(places) {
                let first = first_of(row, fold_run::<F, S>(simd, row, 0.0));
                *place = first as i32;
                *value = row[first];
            }
            return;
        }
        let mut at = start;
        while !values.is_empty() {
            let (block, column) = (&x[at / inner * n * inner..], at % inner);
            let width = (inner - column).min(STRIP).min(values.len());
            let (strip, strip_places) = (&mut values[..width], &mut places[..width]);
            strip.copy_from_slice(&block[column..][..width]);
            strip_places.fill(0);
            for i in 1..n {
                improve::<F>(&block[i * inner + column..], i as i32, strip, strip_places);
            }
            (values, places) = (&mut values[width..], &mut places[width..]);
            at += width;
        }
    }
}

/// Takes the elements of row `i` that go before the best so far.
#[inline(always)]
fn improve<F: Fold>(row: &[f32], i: i32, values: &mut [f32], places: &mut [i32]) {
    let width = values.len();
    let (row, places) = (&row[..width], &mut places[..width]);
    for j in 0..width {
        let better = goes_before::<F>(row[j], values[j]);
        values[j] = if better { row[j] } else { values[j] };
        places[j] = if better { i } else { places[j] };
    }
}

/// Whether `x` is a better extreme than one before it: a tie keeps the old one, and so does an old NaN.
#[inline(always)]
fn goes_before<F: Fold>(x: f32, old: f32) -> bool {
    (F::join(old, x) != old) & !old.is_nan()
}

/// The first place of the extreme of a run: of its first NaN, if it has one, as the extreme is NaN then.
#[inline(always)]
fn first_of(run: &[f32], extreme: f32) -> usize {
    if extreme.is_nan() { first_that(run, f32::is_nan) } else { first_that(run, |x| x == extreme) }
}

/// The first place of a run whose element matches.
#[inline(always)]
fn first_that(run: &[f32], matches: impl Fn(f32) -> bool) -> usize {
    let mut start = 0;
    if run.len() > STRETCH {
        for stretch in run.chunks(STRETCH) {
            let mut found = false;
            for &x in stretch {
                found |= matches(x);
            }
            if found {
                break;
            }
            start += STRETCH;
        }
    }
    // Backwards and without a way out, so that no branch has to be guessed.
    let mut place = start;
    for i in (start..run.len().min(start + STRETCH)).rev() {
        place = if matches(run[i]) { i } else { place };
    }
    place
}
