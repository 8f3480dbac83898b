//! Channels of one element an image: batch normalisation of a matrix, whose columns are gone over row by row.

use super::{Moments, for_each};
use crate::{
    Isa,
    array::Tensor,
    kernels::moments::{is_sure_about, moments},
    simd::{
        Kernel, Simd, dispatch,
        vectors::{read_padded, write_clipped},
    },
    threads::share,
};

/// Blocks that column sums are taken in, at most; it depends on nothing else, so that the same bits come out of any
/// number of threads.
const MOST_BLOCKS: usize = 32;
/// Rows in a block, at least.
const BLOCK_ROWS: usize = 16;

/// The mean and the variance of each column; `eps` is what will be added to the variance.
pub(super) fn statistics(x: &Tensor, eps: f32) -> Vec<Moments> {
    let (rows, columns) = (x.size(0), x.size(1));
    let mean = x.sum_axes(0, false) / rows as f32;
    let variance = x.var_axes(0, 0, false);
    let x = x.as_slice().expect("arranged contiguously");
    let of_column = |(column, (mean, variance)): (usize, (f32, f32))| {
        if is_sure_about(mean, variance, eps) {
            return Moments { mean: mean.into(), variance: variance.into() };
        }
        let elements: Vec<f32> = x[column..].iter().step_by(columns).copied().collect();
        let [mean, squares] = moments(&elements);
        Moments { mean, variance: squares / rows as f64 }
    };
    mean.iter().zip(variance.iter()).enumerate().map(of_column).collect()
}

/// Of each column the sums of `g` and of `g (x - mean)`.
pub(super) fn products(x: &[f32], g: &[f32], mean: &[f32]) -> Vec<[f64; 2]> {
    let columns = mean.len();
    let mut sums = vec![[0.0; 2]; columns];
    if g.is_empty() {
        return sums;
    }
    let rows = g.len() / columns;
    let block = rows.div_ceil(MOST_BLOCKS).max(BLOCK_ROWS);
    let blocks = rows.div_ceil(block);
    let mut partial = vec![0.0; blocks * 2 * columns];
    let inputs = x.chunks(block * columns).zip(g.chunks(block * columns));
    for_each(2 * g.len(), blocks, partial.chunks_mut(2 * columns).zip(inputs), |(sums, (x, g))| {
        dispatch(Isa::current(), Products { x, g, mean, sums });
    });
    for partial in partial.chunks(2 * columns) {
        let (first, second) = partial.split_at(columns);
        for (sum, (a, b)) in sums.iter_mut().zip(first.iter().zip(second)) {
            sum[0] += *a as f64;
            sum[1] += *b as f64;
        }
    }
    sums
}

/// `y = (x - mean) factor + summand`, each column with its own numbers.
pub(super) fn scaled(x: &[f32], of_column: &[[f32; 3]], y: &mut [f32]) {
    let [mean, factor, summand] = apart(of_column);
    share::for_each_run_chunk(y, mean.len(), share::ELEMENTWISE, &|rows, y| {
        let x = &x[rows.start * mean.len()..rows.end * mean.len()];
        dispatch(Isa::current(), Scaled { x, mean: &mean, factor: &factor, summand: &summand, y });
    });
}

/// `dx = factor g - offset - slope (x - mean)`, each column with its own numbers.
pub(super) fn gradient(x: &[f32], g: &[f32], of_column: &[[f32; 4]], dx: &mut [f32]) {
    let [mean, factor, offset, slope] = apart(of_column);
    let numbers = [&mean[..], &factor, &offset, &slope];
    share::for_each_run_chunk(dx, mean.len(), share::ELEMENTWISE, &|rows, dx| {
        let part = rows.start * mean.len()..rows.end * mean.len();
        dispatch(Isa::current(), Gradient { x: &x[part.clone()], g: &g[part], numbers, dx });
    });
}

/// A list for each of the numbers.
fn apart<const N: usize>(of_column: &[[f32; N]]) -> [Vec<f32>; N] {
    std::array::from_fn(|k| of_column.iter().map(|numbers| numbers[k]).collect())
}

struct Products<'a> {
    x: &'a [f32],
    g: &'a [f32],
    mean: &'a [f32],
    /// For each column the sum of g, then for each the other.
    sums: &'a mut [f32],
}

impl Kernel for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Products { x, g, mean, sums } = self;
        let (sum, product) = sums.split_at_mut(mean.len());
        for (x, g) in x.chunks_exact(mean.len()).zip(g.chunks_exact(mean.len())) {
            let mut i = 0;
            while i < mean.len() {
                let (d, g) = (read_padded(simd, x, i) - read_padded(simd, mean, i), read_padded(simd, g, i));
                write_clipped(read_padded(simd, sum, i) + g, sum, i);
                write_clipped(g.mul_add(d, read_padded(simd, product, i)), product, i);
                i += S::LANES;
            }
        }
    }
}

struct Scaled<'a> {
    x: &'a [f32],
    mean: &'a [f32],
    factor: &'a [f32],
    summand: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Scaled<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Scaled { x, mean, factor, summand, y } = self;
        for (x, y) in x.chunks_exact(mean.len()).zip(y.chunks_exact_mut(mean.len())) {
            let mut i = 0;
            while i < y.len() {
                let d = read_padded(simd, x, i) - read_padded(simd, mean, i);
                write_clipped(d.mul_add(read_padded(simd, factor, i), read_padded(simd, summand, i)), y, i);
                i += S::LANES;
            }
        }
    }
}

struct Gradient<'a> {
    x: &'a [f32],
    g: &'a [f32],
    /// Mean, factor, offset and slope of each column.
    numbers: [&'a [f32]; 4],
    dx: &'a mut [f32],
}

impl Kernel for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let [mean, factor, offset, slope] = self.numbers;
        let inputs = self.x.chunks_exact(mean.len()).zip(self.g.chunks_exact(mean.len()));
        for ((x, g), dx) in inputs.zip(self.dx.chunks_exact_mut(mean.len())) {
            let mut i = 0;
            while i < dx.len() {
                let d = read_padded(simd, x, i) - read_padded(simd, mean, i);
                let rest = d.mul_add(read_padded(simd, slope, i), read_padded(simd, offset, i));
                write_clipped(read_padded(simd, g, i) * read_padded(simd, factor, i) - rest, dx, i);
                i += S::LANES;
            }
        }
    }
}
