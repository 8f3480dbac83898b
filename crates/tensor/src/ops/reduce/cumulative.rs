//! Sums of each element and all before it on an axis.

use crate::{
    Isa,
    array::{Tensor, strided::AxisView},
    error::OrFail,
    shape::resolve_axis,
    simd::{Kernel, Simd, dispatch},
    threads::share,
};

/// Columns that run along an axis together, their f64 sums in the first cache.
const STRIP: usize = 512;

impl Tensor {
    /// Cumulative sums along an axis: y_i = x_0 + .. + x_i. Added in f64, so each is rounded once.
    ///
    /// # Panics
    /// When there is no such axis.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0, 3.0]).cumsum(0).to_vec(), [1.0, 3.0, 6.0]);
    /// ```
    #[track_caller]
    pub fn cumsum(&self, axis: isize) -> Tensor {
        let axis = resolve_axis("cumsum", axis, self.shape()).or_fail();
        let AxisView { n, inner, .. } = AxisView::new(self.shape(), axis);
        let source = self.contiguous();
        let x = source.as_slice().expect("made contiguous");
        Tensor::written(self.shape().clone(), |out| {
            share::for_each_run_chunk(out, n * inner, share::ELEMENTWISE, &|blocks, out| {
                let x = &x[blocks.start * n * inner..][..out.len()];
                dispatch(Isa::current(), Cumulate { n, inner, x, out });
            });
        })
    }
}

/// Cumulates blocks of `n` rows of `inner` columns, down each column.
struct Cumulate<'a> {
    n: usize,
    inner: usize,
    x: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Cumulate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Cumulate { n, inner, x, out } = self;
        if inner == 1 {
            return along_runs(n, x, out);
        }
        for (x, out) in x.chunks_exact(n * inner).zip(out.chunks_exact_mut(n * inner)) {
            down_columns(inner, x, out);
        }
    }
}

/// Cumulates runs of `n` elements, some abreast: a sum waits for the one before it, and not for those of other runs.
#[inline(always)]
fn along_runs(n: usize, x: &[f32], out: &mut [f32]) {
    /// As many of `x` and of the sums lie in one set of the first cache when `n` is a power of two: it holds eight lines.
    const ABREAST: usize = 4;
    let (mut many, mut groups) = (out.chunks_exact_mut(ABREAST * n), x.chunks_exact(ABREAST * n));
    for (x, out) in groups.by_ref().zip(many.by_ref()) {
        abreast::<ABREAST>(n, x, out);
    }
    for (x, out) in groups.remainder().chunks_exact(n).zip(many.into_remainder().chunks_exact_mut(n)) {
        abreast::<1>(n, x, out);
    }
}

#[inline(always)]
fn abreast<const RUNS: usize>(n: usize, x: &[f32], out: &mut [f32]) {
    // Slices of one length: no index below needs a check.
    let mut rest = out;
    let x: [&[f32]; RUNS] = std::array::from_fn(|run| &x[run * n..][..n]);
    let out: [&mut [f32]; RUNS] = std::array::from_fn(|_| {
        let (run, behind) = std::mem::take(&mut rest).split_at_mut(n);
        rest = behind;
        run
    });
    let mut sums = [0.0; RUNS];
    for j in 0..n {
        for run in 0..RUNS {
            sums[run] += f64::from(x[run][j]);
            out[run][j] = sums[run] as f32;
        }
    }
}

#[inline(always)]
fn down_columns(inner: usize, x: &[f32], out: &mut [f32]) {
    for first in (0..inner).step_by(STRIP) {
        let width = STRIP.min(inner - first);
        let mut sums = [0.0; STRIP];
        for (x, out) in x.chunks_exact(inner).zip(out.chunks_exact_mut(inner)) {
            let (x, out) = (&x[first..][..width], &mut out[first..][..width]);
            for j in 0..width {
                sums[j] += f64::from(x[j]);
                out[j] = sums[j] as f32;
            }
        }
    }
}
