//! Softmax and its logarithm, shifted by the maximum so that nothing overflows.

use crate::{
    Isa,
    array::Tensor,
    error::OrFail,
    kernels::{
        fold::{ExpSum, Max, Sum, fold_run},
        map::{UnaryFn, map_run, map_run_from},
    },
    shape::{Shape, resolve_axis},
    simd::{Kernel, Lane, Simd, dispatch},
    threads::share,
};

impl Tensor {
    /// The softmax along an axis: y_i = e^x_i / Σ_k e^x_k. Each row sums to 1; an element of -inf gives 0.
    ///
    /// A row that is -inf throughout, or that has inf or NaN in it, gives NaN.
    ///
    /// # Panics
    /// When there is no such axis.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let y = Tensor::from([1000.0, 1000.0]).softmax(0);
    /// assert_eq!(y.to_vec(), [0.5, 0.5]);
    /// ```
    #[track_caller]
    pub fn softmax(&self, axis: isize) -> Tensor {
        self.each_row("softmax", axis, false)
    }

    /// The logarithm of the softmax along an axis: y_i = x_i - ln Σ_k e^x_k, with its full precision where the softmax
    /// itself is near 0 or 1.
    ///
    /// A row that is -inf throughout, or that has inf or NaN in it, gives NaN.
    ///
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn log_softmax(&self, axis: isize) -> Tensor {
        self.each_row("log_softmax", axis, true)
    }

    /// For each row, along the last axis, its largest element and `ln Σ e^(x - max)`, `[rows, 2]`: what a softmax or its logarithm is made of, for
    /// those who need them later and not in memory until then.
    ///
    /// # Panics
    /// When there is no axis.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let statistics = Tensor::from([[3.0, 3.0], [1.0, f32::NEG_INFINITY]]).softmax_statistics();
    /// assert_eq!(statistics, Tensor::from([[3.0, 2f32.ln()], [1.0, 0.0]]));
    /// ```
    #[track_caller]
    pub fn softmax_statistics(&self) -> Tensor {
        let n = self.size(-1);
        let source = self.contiguous();
        let x = source.as_slice().expect("made contiguous");
        let rows = self.shape().iter().rev().skip(1).product();
        Tensor::written(Shape::from([rows, 2]), |out| {
            share::for_each_row(out.as_chunks_mut().0, n, share::SOFTMAX, |r, statistics| {
                *statistics = dispatch(Isa::current(), Statistics(&x[r * n..][..n]));
            });
        })
    }

    /// The softmax of each row, along the last axis, from [`softmax_statistics`](Tensor::softmax_statistics): `e^(x - max - log_sum)`, after which
    /// `finish` is given the number of the row and the row, while it is in the cache.
    ///
    /// # Panics
    /// When there is no axis, or the statistics are of other rows.
    #[track_caller]
    pub fn softmax_rows(&self, statistics: &Tensor, finish: impl Fn(usize, &mut [f32]) + Sync) -> Tensor {
        let n = self.size(-1);
        let source = self.contiguous();
        let (x, statistics) = (source.as_slice().expect("made contiguous"), statistics.contiguous());
        let statistics = statistics.as_slice().expect("made contiguous");
        assert_eq!(statistics.len() * n, 2 * x.len(), "softmax_rows: the statistics are of other rows");
        Tensor::written(self.shape().clone(), |out| {
            share::for_each_run_chunk(out, n.max(1), share::SOFTMAX, &|rows, out| {
                for (r, out) in rows.zip(out.chunks_exact_mut(n)) {
                    let statistics = [statistics[2 * r], statistics[2 * r + 1]];
                    dispatch(Isa::current(), FromStatistics(statistics, &x[r * n..][..n], out));
                    finish(r, out);
                }
            });
        })
    }

    #[track_caller]
    fn each_row(&self, op: &str, axis: isize, log: bool) -> Tensor {
        let axis = resolve_axis(op, axis, self.shape()).or_fail() as isize;
        // Rows that lie side by side: then each stays in the first cache from the maximum to the result.
        let last_axis = self.transpose(axis, -1);
        let n = last_axis.size(-1);
        let source = last_axis.contiguous();
        let x = source.as_slice().expect("made contiguous");
        let result = Tensor::written(last_axis.shape().clone(), |out| {
            share::for_each_run_chunk(out, n, share::SOFTMAX, &|rows, out| {
                let x = &x[rows.start * n..rows.end * n];
                dispatch(Isa::current(), Softmax { n, log, x, out });
            });
        });
        result.transpose(axis, -1).contiguous()
    }
}

/// The softmax of rows of `n` elements, or its logarithm.
struct Softmax<'a> {
    n: usize,
    log: bool,
    x: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for (x, row) in self.x.chunks_exact(self.n).zip(self.out.chunks_exact_mut(self.n)) {
            let max = fold_run::<Max, S>(simd, x, 0.0);
            if self.log {
                // x - max first: it is exact near the maximum, where the logarithm of the sum is small.
                let log_sum = fold_run::<ExpSum, S>(simd, x, max).ln();
                map_run_from(simd, LessBoth(max, log_sum), x, row);
            } else {
                map_run_from(simd, ExpLess(max), x, row);
                divide_by_sum(simd, row);
            }
        }
    }
}

/// The largest element of a row, and `ln Σ e^(x - max)`.
struct Statistics<'a>(&'a [f32]);

impl Kernel for Statistics<'_> {
    type Output = [f32; 2];

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> [f32; 2] {
        let max = fold_run::<Max, S>(simd, self.0, 0.0);
        [max, fold_run::<ExpSum, S>(simd, self.0, max).ln()]
    }
}

/// The softmax of a row from its statistics.
struct FromStatistics<'a>([f32; 2], &'a [f32], &'a mut [f32]);

impl Kernel for FromStatistics<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let FromStatistics([max, log_sum], x, row) = self;
        map_run_from(simd, ExpLessBoth(max, log_sum), x, row);
    }
}

/// e^((x - a) - b)
#[derive(Clone, Copy)]
struct ExpLessBoth(f32, f32);

impl UnaryFn for ExpLessBoth {
    #[inline(always)]
    fn eval<S: Simd>(self, x: Lane<S>) -> Lane<S> {
        (x - self.0 - self.1).exp()
    }
}

/// The softmax of one row in its own place.
pub(in crate::ops) fn soften(isa: Isa, row: &mut [f32]) {
    dispatch(isa, InPlace(row));
}

struct InPlace<'a>(&'a mut [f32]);

impl Kernel for InPlace<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        softmax_run(simd, self.0);
    }
}

/// The softmax of a row in its own place, within a kernel.
#[inline(always)]
fn softmax_run<S: Simd>(simd: S, row: &mut [f32]) {
    let max = fold_run::<Max, S>(simd, row, 0.0);
    map_run(simd, ExpLess(max), row);
    divide_by_sum(simd, row);
}

#[inline(always)]
fn divide_by_sum<S: Simd>(simd: S, row: &mut [f32]) {
    let sum = fold_run::<Sum, S>(simd, row, 0.0);
    map_run(simd, Times(1.0 / sum), row);
}

/// e^(x - shift)
#[derive(Clone, Copy)]
struct ExpLess(f32);

impl UnaryFn for ExpLess {
    #[inline(always)]
    fn eval<S: Simd>(self, x: Lane<S>) -> Lane<S> {
        (x - self.0).exp()
    }
}

/// (x - a) - b
#[derive(Clone, Copy)]
struct LessBoth(f32, f32);

impl UnaryFn for LessBoth {
    #[inline(always)]
    fn eval<S: Simd>(self, x: Lane<S>) -> Lane<S> {
        x - self.0 - self.1
    }
}

/// x · factor
#[derive(Clone, Copy)]
struct Times(f32);

impl UnaryFn for Times {
    #[inline(always)]
    fn eval<S: Simd>(self, x: Lane<S>) -> Lane<S> {
        x * self.0
    }
}
