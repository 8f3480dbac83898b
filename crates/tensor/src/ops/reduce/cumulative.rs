//! What is computed of each element and all before it on an axis: sums, products, and what other files bring.

use crate::{
    Isa,
    array::{Tensor, strided::AxisView},
    error::OrFail,
    shape::resolve_axis,
    simd::{Kernel, Simd, dispatch},
    threads::share,
};
use std::{array::from_fn, marker::PhantomData};

/// Columns that run along an axis together, their f64 states in the first cache.
const STRIP: usize = 512;

/// A state in f64 that goes along an axis, and changes with the elements of `N` tensors at each place. The result has it
/// rounded there. In plain multiplications and additions, so that every instruction set gives the same bits.
pub(super) trait Running<const N: usize> {
    /// The state at the first place.
    fn first(x: [f32; N]) -> f64;
    /// The state at the place behind one with this state.
    fn next(state: f64, x: [f32; N]) -> f64;
}

struct Sums;

impl Running<1> for Sums {
    #[inline(always)]
    fn first([x]: [f32; 1]) -> f64 {
        Self::next(0.0, [x])
    }

    #[inline(always)]
    fn next(sum: f64, [x]: [f32; 1]) -> f64 {
        sum + f64::from(x)
    }
}

struct Products;

impl Running<1> for Products {
    #[inline(always)]
    fn first([x]: [f32; 1]) -> f64 {
        x.into()
    }

    #[inline(always)]
    fn next(product: f64, [x]: [f32; 1]) -> f64 {
        product * f64::from(x)
    }
}

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
        cumulate::<Sums, 1>([self], resolve_axis("cumsum", axis, self.shape()).or_fail())
    }

    /// Cumulative products along an axis: y_i = x_0 · .. · x_i. Multiplied in f64, so each is rounded to f32 once: one that
    /// f32 can hold is right, though one before it overflows.
    ///
    /// # Panics
    /// When there is no such axis.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::from([2.0, 3.0, 4.0]).cumprod(0).to_vec(), [2.0, 6.0, 24.0]);
    /// ```
    #[track_caller]
    pub fn cumprod(&self, axis: isize) -> Tensor {
        cumulate::<Products, 1>([self], resolve_axis("cumprod", axis, self.shape()).or_fail())
    }
}

/// The states along an axis of tensors of one shape.
#[track_caller]
pub(super) fn cumulate<F: Running<N>, const N: usize>(inputs: [&Tensor; N], axis: usize) -> Tensor {
    let shape = inputs[0].shape();
    let AxisView { n, inner, .. } = AxisView::new(shape, axis);
    let mut sources = inputs.map(Tensor::clone);
    for source in &mut sources {
        // Not in a closure: what no memory can hold is refused at the caller's line.
        *source = source.contiguous();
    }
    let x = sources.each_ref().map(|x| x.as_slice().expect("made contiguous"));
    Tensor::written(shape.clone(), |out| {
        share::for_each_run_chunk(out, n * inner, share::ELEMENTWISE, &|blocks, out| {
            let x = x.map(|x| &x[blocks.start * n * inner..][..out.len()]);
            dispatch(Isa::current(), Cumulate::<F, N> { n, inner, x, out, running: PhantomData });
        });
    })
}

/// Cumulates blocks of `n` rows of `inner` columns, down each column.
struct Cumulate<'a, F, const N: usize> {
    n: usize,
    inner: usize,
    x: [&'a [f32]; N],
    out: &'a mut [f32],
    running: PhantomData<F>,
}

impl<F: Running<N>, const N: usize> Kernel for Cumulate<'_, F, N> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Cumulate { n, inner, x, out, .. } = self;
        if inner == 1 {
            return along_runs::<F, N>(n, x, out);
        }
        for (block, out) in out.chunks_exact_mut(n * inner).enumerate() {
            down_columns::<F, N>(inner, part(x, block * n * inner, n * inner), out);
        }
    }
}

/// The same part of each.
#[inline(always)]
fn part<const N: usize>(x: [&[f32]; N], first: usize, len: usize) -> [&[f32]; N] {
    from_fn(|k| &x[k][first..][..len])
}

/// The elements at a place.
#[inline(always)]
fn at<const N: usize>(x: [&[f32]; N], place: usize) -> [f32; N] {
    from_fn(|k| x[k][place])
}

/// Cumulates runs of `n` elements, some abreast: a state waits for the one before it, and not for those of other runs.
#[inline(always)]
fn along_runs<F: Running<N>, const N: usize>(n: usize, x: [&[f32]; N], out: &mut [f32]) {
    // As many lines of each input and of the results lie in one set of the first cache when `n` is a power of two: it holds
    // eight.
    let together = if N == 1 { 4 } else { 2 };
    let (many, rest) = out.split_at_mut(out.len() / (together * n) * together * n);
    for (group, out) in many.chunks_exact_mut(together * n).enumerate() {
        let x = part(x, group * together * n, together * n);
        if N == 1 { abreast::<F, N, 4>(n, x, out) } else { abreast::<F, N, 2>(n, x, out) }
    }
    for (run, out) in rest.chunks_exact_mut(n).enumerate() {
        abreast::<F, N, 1>(n, part(x, many.len() + run * n, n), out);
    }
}

#[allow(clippy::needless_range_loop)] // places are counted, over several runs
#[inline(always)]
fn abreast<F: Running<N>, const N: usize, const RUNS: usize>(n: usize, x: [&[f32]; N], out: &mut [f32]) {
    // Slices of one length: no index below needs a check.
    let mut rest = out;
    let x: [[&[f32]; N]; RUNS] = from_fn(|run| part(x, run * n, n));
    let out: [&mut [f32]; RUNS] = from_fn(|_| {
        let (run, behind) = std::mem::take(&mut rest).split_at_mut(n);
        rest = behind;
        run
    });
    let mut states = [0.0; RUNS];
    for run in 0..RUNS {
        states[run] = F::first(at(x[run], 0));
        out[run][0] = states[run] as f32;
    }
    for j in 1..n {
        for run in 0..RUNS {
            states[run] = F::next(states[run], at(x[run], j));
            out[run][j] = states[run] as f32;
        }
    }
}

#[inline(always)]
fn down_columns<F: Running<N>, const N: usize>(inner: usize, x: [&[f32]; N], out: &mut [f32]) {
    for first in (0..inner).step_by(STRIP) {
        let width = STRIP.min(inner - first);
        let mut states = [0.0; STRIP];
        for (row, out) in out.chunks_exact_mut(inner).enumerate() {
            let (x, out) = (part(x, row * inner + first, width), &mut out[first..][..width]);
            for (j, (state, out)) in states.iter_mut().zip(out).enumerate() {
                let x = at(x, j);
                *state = if row == 0 { F::first(x) } else { F::next(*state, x) };
                *out = *state as f32;
            }
        }
    }
}
