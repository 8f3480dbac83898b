//! Folds: many numbers become one, over slices.
//!
//! An element's place in a slice, not the instruction set, decides where it is added in: sums have the same bits on
//! every instruction set.

use crate::simd::{
    Lane, Simd,
    vectors::{read, read_partial, write, write_partial},
};
use std::ops::{Add, Mul, Sub};

/// What a fold computes with: a number, or a vector of them.
pub trait Number: Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> {
    /// The greater of both, NaN where either is NaN.
    fn maximum(self, other: Self) -> Self;
    /// The lesser of both, NaN where either is NaN.
    fn minimum(self, other: Self) -> Self;
    /// eˣ
    fn exp(self) -> Self;
}

impl Number for f32 {
    #[inline(always)]
    fn maximum(self, other: f32) -> f32 {
        // No short circuit: it would be a branch.
        if (self < other) | other.is_nan() { other } else { self }
    }

    #[inline(always)]
    fn minimum(self, other: f32) -> f32 {
        if (self > other) | other.is_nan() { other } else { self }
    }

    #[inline(always)]
    fn exp(self) -> f32 {
        f32::exp(self)
    }
}

impl<S: Simd> Number for Lane<S> {
    #[inline(always)]
    fn maximum(self, other: Lane<S>) -> Lane<S> {
        Lane::maximum(self, other)
    }

    #[inline(always)]
    fn minimum(self, other: Lane<S>) -> Lane<S> {
        Lane::minimum(self, other)
    }

    #[inline(always)]
    fn exp(self) -> Lane<S> {
        Lane::exp(self)
    }
}

/// A way to join numbers into one, in any order, after each is lifted by a number that its group shares.
pub trait Fold: Copy + Send + Sync + 'static {
    /// What no numbers at all are joined to.
    const IDENTITY: f32;

    /// Two numbers joined. Implementations must be `#[inline(always)]`.
    fn join<N: Number>(a: N, b: N) -> N;

    /// What one element contributes. Implementations must be `#[inline(always)]`.
    #[inline(always)]
    fn lift<N: Number>(x: N, _shift: N) -> N {
        x
    }
}

/// Σ x
#[derive(Clone, Copy, Debug)]
pub struct Sum;

impl Fold for Sum {
    const IDENTITY: f32 = 0.0;

    #[inline(always)]
    fn join<N: Number>(a: N, b: N) -> N {
        a + b
    }
}

/// Σ (x - shift)²
#[derive(Clone, Copy, Debug)]
pub struct SquaredDeviations;

impl Fold for SquaredDeviations {
    const IDENTITY: f32 = 0.0;

    #[inline(always)]
    fn join<N: Number>(a: N, b: N) -> N {
        a + b
    }

    #[inline(always)]
    fn lift<N: Number>(x: N, shift: N) -> N {
        (x - shift) * (x - shift)
    }
}

/// Σ e^(x - shift)
#[derive(Clone, Copy, Debug)]
pub struct ExpSum;

impl Fold for ExpSum {
    const IDENTITY: f32 = 0.0;

    #[inline(always)]
    fn join<N: Number>(a: N, b: N) -> N {
        a + b
    }

    #[inline(always)]
    fn lift<N: Number>(x: N, shift: N) -> N {
        (x - shift).exp()
    }
}

/// The maximum; NaN if there is a NaN.
#[derive(Clone, Copy, Debug)]
pub struct Max;

impl Fold for Max {
    const IDENTITY: f32 = f32::NEG_INFINITY;

    #[inline(always)]
    fn join<N: Number>(a: N, b: N) -> N {
        a.maximum(b)
    }
}

/// The minimum; NaN if there is a NaN.
#[derive(Clone, Copy, Debug)]
pub struct Min;

impl Fold for Min {
    const IDENTITY: f32 = f32::INFINITY;

    #[inline(always)]
    fn join<N: Number>(a: N, b: N) -> N {
        a.minimum(b)
    }
}

/// Numbers that are added up side by side: enough independent chains to hide the latency of an addition.
pub const LANES: usize = 64;

/// The vectors that hold [`LANES`] numbers on the narrowest instruction set.
const VECTORS: usize = 16;

/// 0, 1, 2, .. for the widest vector.
const PLACES: [f32; 16] = [0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12., 13., 14., 15.];

/// [`LANES`] folds side by side: element `i` of every run goes to number `i % LANES`.
#[derive(Clone, Copy, Debug)]
pub struct Accumulators<S: Simd> {
    simd: S,
    /// The first `LANES / S::LANES` are used.
    sums: [Lane<S>; VECTORS],
}

impl<S: Simd> Accumulators<S> {
    const USED: usize = LANES / S::LANES;

    /// Nothing joined so far.
    #[inline(always)]
    pub fn new<F: Fold>(simd: S) -> Self {
        const { assert!(LANES / S::LANES <= VECTORS && S::LANES <= PLACES.len()) };
        Accumulators { simd, sums: [Lane::splat(simd, F::IDENTITY); VECTORS] }
    }

    /// Joins the elements of a run, each lifted by `shift`.
    #[inline(always)]
    pub fn join_run<F: Fold>(&mut self, run: &[f32], shift: f32) {
        let (simd, shift) = (self.simd, Lane::splat(self.simd, shift));
        // A copy that never has its address taken, so that it lives in registers.
        let mut sums = self.sums;
        let (chunks, rest) = run.as_chunks::<LANES>();
        for chunk in chunks {
            for (k, sum) in sums[..Self::USED].iter_mut().enumerate() {
                *sum = F::join(*sum, F::lift(read(simd, chunk, k * S::LANES), shift));
            }
        }
        for (k, sum) in sums[..Self::USED].iter_mut().enumerate() {
            if rest.len() >= (k + 1) * S::LANES {
                *sum = F::join(*sum, F::lift(read(simd, rest, k * S::LANES), shift));
            } else if rest.len() > k * S::LANES {
                let rest = &rest[k * S::LANES..];
                let there = read(simd, &PLACES, 0).lt(rest.len() as f32);
                let x = F::lift(read_partial(simd, rest), shift);
                *sum = F::join(*sum, there.select(x, F::IDENTITY));
            }
        }
        self.sums = sums;
    }

    /// All of them joined, halves first.
    #[inline(always)]
    pub fn joined<F: Fold>(self) -> f32 {
        let mut sums = self.sums;
        let mut used = Self::USED;
        while used * S::LANES > 16 {
            used /= 2;
            for k in 0..used {
                sums[k] = F::join(sums[k], sums[k + used]);
            }
        }
        let mut last = [0.0; 16];
        for (k, &sum) in sums[..used].iter().enumerate() {
            write(sum, &mut last, k * S::LANES);
        }
        let mut width = 16;
        while width > 1 {
            width /= 2;
            for i in 0..width {
                last[i] = F::join(last[i], last[i + width]);
            }
        }
        last[0]
    }
}

/// The fold of a run, each element lifted by `shift`.
#[inline(always)]
pub fn fold_run<F: Fold, S: Simd>(simd: S, run: &[f32], shift: f32) -> f32 {
    // Joining the lanes would take longer than such a run.
    if run.len() < 16 {
        let mut sum = F::IDENTITY;
        for &x in run {
            sum = F::join(sum, F::lift(x, shift));
        }
        return sum;
    }
    let mut sums = Accumulators::new::<F>(simd);
    sums.join_run::<F>(run, shift);
    sums.joined::<F>()
}

/// Joins rows to `out`, column by column: row `k` is `out.len()` elements of `data` from `rows[k]` on; column `j` is
/// lifted by `shift[j]`.
///
/// # Panics
/// When `shift` is shorter than `out` or a row leaves `data`.
#[inline(always)]
pub fn join_rows<F: Fold, S: Simd>(simd: S, data: &[f32], rows: &[usize], shift: &[f32], out: &mut [f32]) {
    let width = out.len();
    let shift = &shift[..width];
    // Four rows at a time: `out` is read and written a quarter as often.
    let (fours, rest) = rows.as_chunks::<4>();
    for starts in fours {
        join_some_rows::<F, S, 4>(
            simd,
            starts.map(
                #[inline(always)]
                |at| &data[at..at + width],
            ),
            shift,
            out,
        );
    }
    for &at in rest {
        join_some_rows::<F, S, 1>(simd, [&data[at..at + width]], shift, out);
    }
}

#[inline(always)]
fn join_some_rows<F: Fold, S: Simd, const N: usize>(
    simd: S,
    rows: [&[f32]; N],
    shift: &[f32],
    out: &mut [f32],
) {
    let whole = out.len() - out.len() % S::LANES;
    let mut j = 0;
    while j < whole {
        let shift = read(simd, shift, j);
        let mut x = [Lane::splat(simd, 0.0); N];
        for k in 0..N {
            x[k] = F::lift(read(simd, rows[k], j), shift);
        }
        write(F::join(read(simd, out, j), joined_in_tree::<F, S, N>(x)), out, j);
        j += S::LANES;
    }
    if whole < out.len() {
        let shift = read_partial(simd, &shift[whole..]);
        let mut x = [Lane::splat(simd, 0.0); N];
        for k in 0..N {
            x[k] = F::lift(read_partial(simd, &rows[k][whole..]), shift);
        }
        let out = &mut out[whole..];
        write_partial(F::join(read_partial(simd, out), joined_in_tree::<F, S, N>(x)), out);
    }
}

#[inline(always)]
fn joined_in_tree<F: Fold, S: Simd, const N: usize>(mut x: [Lane<S>; N]) -> Lane<S> {
    let mut width = N;
    while width > 1 {
        width /= 2;
        for k in 0..width {
            x[k] = F::join(x[k], x[k + width]);
        }
    }
    x[0]
}
