//! Rows brought to mean 0 and variance 1, or to a mean square of 1: layer and RMS normalisation.
//!
//! A row is read from memory once: it stays in the first cache from its statistics to its result.

use super::{elements_or, for_each};
use crate::{
    Isa, ShapeError,
    array::Tensor,
    kernels::{
        fold::{SquaredDeviations, Sum, fold_run},
        moments::{is_sure_about, moments, sum_of},
    },
    simd::{
        Kernel, Lane, Simd, dispatch,
        vectors::{read_padded, write_clipped},
    },
};

/// Of each row the mean rounded to f32, the rest of the mean where that matters, and 1 / √(σ² + eps).
const STATISTICS: usize = 3;

/// How rows are normalised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowNorm {
    /// How many of the last axes make a row.
    pub axes: usize,
    /// Whether the mean is subtracted; without it rows come to a mean square of 1.
    pub centered: bool,
    /// What is added to the variance, or to the mean square.
    pub eps: f32,
}

/// Blocks that the gradients of weight and bias are summed in, at most; depends on nothing else, so that the same bits
/// come out of any number of threads.
const MOST_BLOCKS: usize = 32;
/// Elements that a thread takes at once, about.
const BLOCK_ELEMENTS: usize = 8 << 10;
/// Rows in a block of the gradient, at least.
const BLOCK_ROWS: usize = 16;

impl RowNorm {
    /// `weight · (x - μ) / √(σ² + eps) + bias` for every row of `x`, weight and bias having the shape of a row; and the
    /// statistics `[rows, 3]` that [`RowNorm::gradients`] takes: μ in f32, what that lacks to μ where it shows among the
    /// deviations, and 1 / √(σ² + eps). Without centering μ is 0.
    ///
    /// # Panics
    /// When there are not so many axes, or weight or bias have another shape than a row.
    ///
    /// ```
    /// # use gradus_tensor::{RowNorm, Tensor};
    /// let norm = RowNorm { axes: 1, centered: true, eps: 0.0 };
    /// let (y, statistics) = norm.apply(&Tensor::from([[1.0, 3.0], [2.0, 6.0]]), None, None);
    /// assert_eq!(y.to_vec(), [-1.0, 1.0, -1.0, 1.0]);
    /// assert_eq!(statistics.to_vec(), [2.0, 0.0, 1.0, 4.0, 0.0, 0.5]);
    /// ```
    #[track_caller]
    pub fn apply(&self, x: &Tensor, weight: Option<&Tensor>, bias: Option<&Tensor>) -> (Tensor, Tensor) {
        let (rows, n) = self.sizes(x, weight, bias);
        let (weight, bias) = (&elements_or(weight, 1.0, n), &elements_or(bias, 0.0, n));
        let source = x.contiguous();
        let x = source.as_slice().expect("made contiguous");
        let mut statistics = Tensor::zeros([rows, STATISTICS]);
        let y = Tensor::written(source.shape().clone(), |y| {
            if y.is_empty() {
                return;
            }
            let block = BLOCK_ELEMENTS.div_ceil(n);
            let parts = y.chunks_mut(block * n).zip(statistics.as_mut_slice().chunks_mut(STATISTICS * block));
            let items = parts.zip(x.chunks(block * n));
            for_each(x.len(), rows.div_ceil(block), items, |((y, statistics), x)| {
                dispatch(Isa::current(), Forward { norm: self, n, x, weight, bias, y, statistics });
            });
        });
        (y, statistics)
    }

    /// The gradients by `x`, weight and bias of a normalisation: `g` is that by its result, `statistics` what
    /// [`RowNorm::apply`] gave.
    ///
    /// # Panics
    /// When the shapes are not those of one normalisation.
    #[track_caller]
    pub fn gradients(
        &self,
        x: &Tensor,
        weight: Option<&Tensor>,
        statistics: &Tensor,
        g: &Tensor,
    ) -> [Tensor; 3] {
        let (rows, n) = self.sizes(x, weight, None);
        if g.shape() != x.shape() || *statistics.shape() != [rows, STATISTICS] {
            ShapeError::new(format!(
                "normalize: x {}, its gradient {} and its statistics {} do not fit each other",
                x.shape(),
                g.shape(),
                statistics.shape()
            ))
            .fail()
        }
        let row = &x.shape()[x.rank() - self.axes..];
        let weight = &elements_or(weight, 1.0, n);
        let (source, g, statistics) = (x.contiguous(), g.contiguous(), statistics.contiguous());
        let slices = [&source, &g, &statistics].map(|t| t.as_slice().expect("made contiguous"));
        let [x, g, statistics] = slices;
        let block = rows.div_ceil(MOST_BLOCKS).max(BLOCK_ROWS);
        let blocks = rows.div_ceil(block);
        // Of each block the gradient of the weight, then that of the bias.
        let mut partial = Tensor::zeros([blocks, 2, n]);
        let dx = Tensor::written(source.shape().clone(), |dx| {
            if dx.is_empty() {
                return;
            }
            let parts = dx.chunks_mut(block * n).zip(partial.as_mut_slice().chunks_mut(2 * n));
            let inputs =
                x.chunks(block * n).zip(g.chunks(block * n)).zip(statistics.chunks(STATISTICS * block));
            for_each(2 * x.len(), blocks, parts.zip(inputs), |((dx, sums), ((x, g), statistics))| {
                let (dw, db) = sums.split_at_mut(n);
                let centered = self.centered;
                dispatch(Isa::current(), Gradients { centered, n, x, g, weight, statistics, dx, dw, db });
            });
        });
        let sums = partial.sum_axes(0, false);
        let part = |k: isize| sums.slice(0, k..k + 1).reshape(row).contiguous();
        [dx, part(0), part(1)]
    }

    /// The number of rows and of elements in each.
    #[track_caller]
    fn sizes(&self, x: &Tensor, weight: Option<&Tensor>, bias: Option<&Tensor>) -> (usize, usize) {
        let shape = x.shape();
        let Some(leading) = x.rank().checked_sub(self.axes) else {
            ShapeError::new(format!("normalize: shape {shape} has fewer than {} axes", self.axes)).fail()
        };
        let (outer, row) = shape.split_at(leading);
        if let Some(other) = [weight, bias].into_iter().flatten().find(|other| other.shape()[..] != *row) {
            ShapeError::new(format!("normalize: {} is not the shape of a row, {row:?}", other.shape())).fail()
        }
        (outer.iter().product(), row.iter().product())
    }
}

/// Normalises rows of `n` elements.
struct Forward<'a> {
    norm: &'a RowNorm,
    n: usize,
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    y: &'a mut [f32],
    statistics: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Forward { norm, n, x, weight, bias, y, statistics } = self;
        let rows = x.chunks_exact(n).zip(y.chunks_exact_mut(n));
        for ((x, y), statistics) in rows.zip(statistics.chunks_exact_mut(STATISTICS)) {
            let mean = if norm.centered { fold_run::<Sum, S>(simd, x, 0.0) / n as f32 } else { 0.0 };
            let variance = fold_run::<SquaredDeviations, S>(simd, x, mean) / n as f32;
            if !is_sure_about(mean, variance, norm.eps) {
                statistics.copy_from_slice(&exact(norm, x, weight, bias, y));
                continue;
            }
            let scale = 1.0 / (variance + norm.eps).sqrt();
            statistics.copy_from_slice(&[mean, 0.0, scale]);
            let mut i = 0;
            while i < n {
                let z = (read_padded(simd, x, i) - mean) * scale;
                write_clipped(z.mul_add(read_padded(simd, weight, i), read_padded(simd, bias, i)), y, i);
                i += S::LANES;
            }
        }
    }
}

/// Normalises a row in f64; its statistics.
fn exact(norm: &RowNorm, x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) -> [f32; STATISTICS] {
    let [mean, squares] = if norm.centered { moments(x) } else { [0.0, sum_of(x, |x| x * x)] };
    let root = (squares / x.len() as f64 + f64::from(norm.eps)).sqrt();
    for (i, y) in y.iter_mut().enumerate() {
        *y = ((f64::from(x[i]) - mean) / root * f64::from(weight[i]) + f64::from(bias[i])) as f32;
    }
    let rounded = mean as f32;
    [rounded, (mean - f64::from(rounded)) as f32, (1.0 / root) as f32]
}

/// The gradients by rows of `n` elements; those by weight and bias are added to `dw` and `db`.
struct Gradients<'a> {
    centered: bool,
    n: usize,
    x: &'a [f32],
    g: &'a [f32],
    weight: &'a [f32],
    statistics: &'a [f32],
    dx: &'a mut [f32],
    dw: &'a mut [f32],
    db: &'a mut [f32],
}

impl Kernel for Gradients<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Gradients { centered, n, x, g, weight, statistics, dx, dw, db } = self;
        let rows = x.chunks_exact(n).zip(g.chunks_exact(n)).zip(dx.chunks_exact_mut(n));
        for (((x, g), dx), statistics) in rows.zip(statistics.chunks_exact(STATISTICS)) {
            let (mean, rest, scale) = (statistics[0], statistics[1], statistics[2]);
            if rest != 0.0 {
                exact_gradients(centered, [x, g, weight], statistics, [&mut *dx, &mut *dw, &mut *db]);
                continue;
            }
            // Of z = (x - mean) scale, with h = g weight: dx = scale (h - mean h - z mean (h z)).
            let mut sums = [Lane::splat(simd, 0.0); 2];
            let mut i = 0;
            while i < n {
                let z = (read_padded(simd, x, i) - mean) * scale;
                let h = read_padded(simd, g, i) * read_padded(simd, weight, i);
                sums = [sums[0] + h, h.mul_add(z, sums[1])];
                i += S::LANES;
            }
            let [along_one, along_z] = sums.map(
                #[inline(always)]
                |sum| sum.sum() / n as f32,
            );
            let along_one = if centered { along_one } else { 0.0 };
            let mut i = 0;
            while i < n {
                let (z, g) = ((read_padded(simd, x, i) - mean) * scale, read_padded(simd, g, i));
                let h = g * read_padded(simd, weight, i);
                write_clipped((h - along_one - z * along_z) * scale, dx, i);
                write_clipped(g.mul_add(z, read_padded(simd, dw, i)), dw, i);
                write_clipped(read_padded(simd, db, i) + g, db, i);
                i += S::LANES;
            }
        }
    }
}

/// The gradients by a row in f64; those by weight and bias are added to `dw` and `db`.
fn exact_gradients(
    centered: bool,
    [x, g, weight]: [&[f32]; 3],
    statistics: &[f32],
    [dx, dw, db]: [&mut [f32]; 3],
) {
    let [mean, rest, scale] = [0, 1, 2].map(|k| f64::from(statistics[k]));
    let z = |i: usize| (f64::from(x[i]) - mean - rest) * scale;
    let h = |i: usize| f64::from(g[i]) * f64::from(weight[i]);
    let n = x.len();
    let along_one = if centered { (0..n).map(h).sum::<f64>() / n as f64 } else { 0.0 };
    let along_z = (0..n).map(|i| h(i) * z(i)).sum::<f64>() / n as f64;
    for i in 0..n {
        dx[i] = ((h(i) - along_one - z(i) * along_z) * scale) as f32;
        dw[i] += (f64::from(g[i]) * z(i)) as f32;
        db[i] += g[i];
    }
}
