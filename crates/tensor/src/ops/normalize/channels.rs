//! Channels brought to mean 0 and variance 1: batch, group and instance normalisation.
//!
//! The pixels of a channel of one image are a run of memory. Statistics are taken of each run, in one pass, and joined;
//! a second pass computes the result, which is linear within a run. So is the gradient, for which the first pass takes
//! sums of products.

use super::{Moments, columns, elements_or};
use crate::{
    Isa, ShapeError,
    array::Tensor,
    kernels::{
        fold::{SquaredDeviations, Sum, fold_run},
        moments::{is_sure_about, moments},
    },
    simd::{
        Kernel, Lane, Simd, dispatch,
        vectors::{read_padded, write_clipped},
    },
    threads::share,
};

/// What the statistics of an input `[images, channels, ..]` are taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatisticsOver {
    /// A channel of all images.
    Batch,
    /// A group of channels, of so many groups, of one image.
    Groups(usize),
}

/// How channels are normalised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChannelNorm {
    /// What statistics are taken over.
    pub over: StatisticsOver,
    /// What is added to the variance.
    pub eps: f32,
}

/// Elements that are added up in f32, at most; their sums are joined in f64.
const PIECE: usize = 4096;
/// Scales outside these bounds leave f32 when they are squared.
const SQUARABLE: std::ops::Range<f32> = 1.0 / (1u64 << 60) as f32..(1u64 << 60) as f32;
/// Runs shorter than this are put side by side, where the statistics are over all images.
const SHORT_RUN: usize = 16;

impl ChannelNorm {
    /// `weight[c] · (x - μ) / √(σ² + eps) + bias[c]`, μ and σ², the mean and the variance Σ (x - μ)² / n: one of each
    /// for every channel, or for every group of every image; and the statistics `[sets, 3]` that [`ChannelNorm::gradients`]
    /// takes: μ in f32, what that lacks to μ where it shows among the deviations, and 1 / √(σ² + eps).
    ///
    /// # Panics
    /// When there are fewer than two axes, the groups do not divide the channels, or weight or bias are not one number
    /// a channel.
    ///
    /// ```
    /// # use gradus_tensor::{ChannelNorm, StatisticsOver, Tensor};
    /// let norm = ChannelNorm { over: StatisticsOver::Batch, eps: 0.0 };
    /// let [y, mean, variance, statistics] = norm.apply(&Tensor::from([[1.0, 0.0], [3.0, 8.0]]), None, None);
    /// assert_eq!(y.to_vec(), [-1.0, -1.0, 1.0, 1.0]);
    /// assert_eq!((mean.to_vec(), variance.to_vec()), (vec![2.0, 4.0], vec![1.0, 16.0]));
    /// assert_eq!(statistics.to_vec(), [2.0, 0.0, 1.0, 4.0, 0.0, 0.25]);
    /// ```
    #[track_caller]
    pub fn apply(&self, x: &Tensor, weight: Option<&Tensor>, bias: Option<&Tensor>) -> [Tensor; 4] {
        let sizes = Sizes::new(self.over, x, [weight, bias]);
        let source = sizes.arranged(x);
        let x = source.as_slice().expect("arranged contiguously");
        let moments = sizes.moments(&source, self.eps);
        let statistics: Vec<[f32; 3]> = moments.iter().map(|&moments| self.statistics(moments)).collect();
        let (weight, bias) =
            (elements_or(weight, 1.0, sizes.channels), elements_or(bias, 0.0, sizes.channels));
        let of_run: Vec<[f32; 3]> = (0..sizes.runs())
            .map(|run| {
                let (channel, [mean, rest, scale]) = (run % sizes.channels, statistics[sizes.set(run)]);
                let factor = weight[channel] * scale;
                // Without a rest the summand keeps its bits, whatever the factor is.
                let shift = if rest == 0.0 { 0.0 } else { rest * factor };
                [mean, factor, bias[channel] - shift]
            })
            .collect();
        let y = Tensor::written(source.shape().clone(), |y| {
            if sizes.in_columns() {
                return columns::scaled(x, &of_run, y);
            }
            share::for_each_run_chunk(y, sizes.run, share::ELEMENTWISE, &|runs, y| {
                let x = &x[runs.start * sizes.run..runs.end * sizes.run];
                dispatch(Isa::current(), Scaled { run: sizes.run, x, of_run: &of_run[runs], y });
            });
        });
        let of_sets = |f: fn(&Moments) -> f64| {
            Tensor::new(moments.iter().map(|m| f(m) as f32).collect::<Vec<f32>>(), [moments.len()])
        };
        let statistics = Tensor::new(statistics.concat(), [moments.len(), 3]);
        [sizes.put_back(y), of_sets(|m| m.mean), of_sets(|m| m.variance), statistics]
    }

    /// The gradients by `x`, weight and bias of a normalisation: `g` is that by its result, `statistics` what
    /// [`ChannelNorm::apply`] gave.
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
        let sizes = Sizes::new(self.over, x, [weight, None]);
        if g.shape() != x.shape() || *statistics.shape() != [sizes.sets(), 3] {
            ShapeError::new(format!(
                "normalize: x {}, its gradient {} and its statistics {} do not fit each other",
                x.shape(),
                g.shape(),
                statistics.shape()
            ))
            .fail()
        }
        let (source, g) = (sizes.arranged(x), sizes.arranged(g));
        let (x, g) = (source.as_slice().expect("arranged"), g.as_slice().expect("arranged"));
        let (statistics, weight) = (statistics.to_vec(), elements_or(weight, 1.0, sizes.channels));
        let statistics = statistics.as_chunks::<3>().0;
        let mean: Vec<f32> = statistics.iter().map(|&[mean, ..]| mean).collect();
        let mut sums = sizes.products(x, g, &mean);
        for (run, sums) in sums.iter_mut().enumerate() {
            let [mean, rest, scale] = statistics[sizes.set(run)];
            if !SQUARABLE.contains(&scale) {
                let product = |i| f64::from(g[i]) * (f64::from(x[i]) - f64::from(mean));
                sums[1] = sizes.elements_of(run).map(product).sum();
            }
            if rest != 0.0 {
                sums[1] -= f64::from(rest) * sums[0];
            }
        }
        // Of each set the means of h = g weight and of h z, z being x normalised.
        let mut along = vec![[0.0f64; 2]; sizes.sets()];
        let (mut dw, mut db) = (vec![0.0f64; sizes.channels], vec![0.0f64; sizes.channels]);
        for (run, &[sum, product]) in sums.iter().enumerate() {
            let (set, channel) = (sizes.set(run), run % sizes.channels);
            let (weight, product) = (weight[channel] as f64, product * statistics[set][2] as f64);
            along[set][0] += weight * sum / sizes.count() as f64;
            along[set][1] += weight * product / sizes.count() as f64;
            dw[channel] += product;
            db[channel] += sum;
        }
        // dx = scale (h - mean h - z mean (h z)) = factor g - offset - slope (x - mean)
        let of_run: Vec<[f32; 4]> = (0..sizes.runs())
            .map(|run| {
                let (set, channel) = (sizes.set(run), run % sizes.channels);
                let ([along_one, along_z], [mean, rest, scale]) = (along[set], statistics[set]);
                let s = scale as f64;
                let (mut offset, slope) = (s * along_one, s * s * along_z);
                if rest != 0.0 {
                    offset -= slope * f64::from(rest);
                }
                [mean, weight[channel] * scale, offset as f32, slope as f32]
            })
            .collect();
        let mut dx = Tensor::written(source.shape().clone(), |dx| {
            if sizes.in_columns() {
                return columns::gradient(x, g, &of_run, dx);
            }
            share::for_each_run_chunk(dx, sizes.run, share::ELEMENTWISE, &|runs, dx| {
                let of_runs = runs.start * sizes.run..runs.end * sizes.run;
                let (x, g) = (&x[of_runs.clone()], &g[of_runs]);
                dispatch(Isa::current(), Gradient { run: sizes.run, x, g, of_run: &of_run[runs], dx });
            });
        });
        for run in (0..sizes.runs()).filter(|&run| !SQUARABLE.contains(&statistics[sizes.set(run)][2])) {
            let set = sizes.set(run);
            let ([along_one, along_z], weight) = (along[set], f64::from(weight[run % sizes.channels]));
            let [mean, rest, scale] = statistics[set].map(f64::from);
            let dx = dx.as_mut_slice();
            for i in sizes.elements_of(run) {
                let z = (f64::from(x[i]) - mean - rest) * scale;
                dx[i] = ((f64::from(g[i]) * weight - along_one - z * along_z) * scale) as f32;
            }
        }
        let narrowed = |sums: Vec<f64>| sums.into_iter().map(|sum| sum as f32).collect::<Vec<f32>>();
        let by_channel = |sums| Tensor::new(narrowed(sums), [sizes.channels]);
        [sizes.put_back(dx), by_channel(dw), by_channel(db)]
    }

    /// Of a set the mean rounded to f32, the rest of the mean where that matters, and 1 / √(σ² + eps).
    fn statistics(&self, Moments { mean, variance }: Moments) -> [f32; 3] {
        let (rounded, narrow) = (mean as f32, variance as f32);
        if is_sure_about(rounded, narrow, self.eps) {
            return [rounded, 0.0, 1.0 / (narrow + self.eps).sqrt()];
        }
        let scale = 1.0 / (variance + f64::from(self.eps)).sqrt();
        [rounded, (mean - f64::from(rounded)) as f32, scale as f32]
    }
}

/// The sizes of an input and of its statistics.
struct Sizes {
    shape: crate::Shape,
    over: StatisticsOver,
    /// Images, or 1 where they were put side by side.
    images: usize,
    channels: usize,
    run: usize,
}

impl Sizes {
    #[track_caller]
    fn new(over: StatisticsOver, x: &Tensor, by_channel: [Option<&Tensor>; 2]) -> Sizes {
        let shape = x.shape();
        let &[images, channels, ref pixels @ ..] = &shape[..] else {
            ShapeError::new(format!("normalize: shape {shape} is not [images, channels, ..]")).fail()
        };
        if let StatisticsOver::Groups(groups) = over
            && (groups == 0 || channels % groups != 0)
        {
            ShapeError::new(format!("normalize: {groups} groups do not divide the channels of {shape}"))
                .fail()
        }
        if let Some(other) = by_channel.into_iter().flatten().find(|other| *other.shape() != [channels]) {
            ShapeError::new(format!("normalize: {} is not one number a channel of {shape}", other.shape()))
                .fail()
        }
        let run: usize = pixels.iter().product();
        let side_by_side = over == StatisticsOver::Batch && run < SHORT_RUN;
        let (images, run) = if side_by_side { (1, images * run) } else { (images, run) };
        Sizes { shape: shape.clone(), over, images, channels, run }
    }

    fn runs(&self) -> usize {
        self.images * self.channels
    }

    fn sets(&self) -> usize {
        match self.over {
            StatisticsOver::Batch => self.channels,
            StatisticsOver::Groups(groups) => self.images * groups,
        }
    }

    /// The set of statistics that a run belongs to.
    fn set(&self, run: usize) -> usize {
        match self.over {
            StatisticsOver::Batch => run % self.channels,
            StatisticsOver::Groups(groups) => run / (self.channels / groups),
        }
    }

    /// Elements in a set.
    fn count(&self) -> usize {
        self.run * self.runs() / self.sets().max(1)
    }

    /// Whether there is one element of a channel in an image, so that channels are the columns of a matrix: they stay
    /// where they are, instead of being put side by side.
    fn in_columns(&self) -> bool {
        self.images != self.shape[0] && self.run == self.shape[0]
    }

    fn is_rearranged(&self) -> bool {
        self.images != self.shape[0] && !self.in_columns()
    }

    /// The elements run by run, or column by column.
    #[track_caller]
    fn arranged(&self, x: &Tensor) -> Tensor {
        if self.is_rearranged() { x.transpose(0, 1).contiguous() } else { x.contiguous() }
    }

    /// The reverse of [`Sizes::arranged`].
    #[track_caller]
    fn put_back(&self, y: Tensor) -> Tensor {
        if self.is_rearranged() { y.transpose(0, 1).contiguous() } else { y }
    }

    /// Where the elements of a run lie in what was [`arranged`](Sizes::arranged).
    fn elements_of(&self, run: usize) -> impl Iterator<Item = usize> {
        let (first, step) = if self.in_columns() { (run, self.channels) } else { (run * self.run, 1) };
        (0..self.run).map(move |k| first + k * step)
    }

    /// The mean and the variance of each set; `eps` is what will be added to the variance.
    fn moments(&self, source: &Tensor, eps: f32) -> Vec<Moments> {
        if self.in_columns() {
            return columns::statistics(&source.reshape([self.run, self.channels]), eps);
        }
        let x = source.as_slice().expect("arranged contiguously");
        let mut of_runs = vec![Gathered::default(); self.runs()];
        share::for_each_row(&mut of_runs, self.run, share::REDUCTION, |run, gathered| {
            *gathered = dispatch(Isa::current(), MomentsOf { x: &x[run * self.run..][..self.run], eps });
        });
        let mut sets = vec![Gathered::default(); self.sets()];
        of_runs.iter().enumerate().for_each(|(run, gathered)| sets[self.set(run)].join(*gathered));
        sets.iter().map(|set| Moments { mean: set.mean, variance: set.squares / set.count }).collect()
    }

    /// Of each run the sums of `g` and of `g (x - mean)`.
    fn products(&self, x: &[f32], g: &[f32], mean: &[f32]) -> Vec<[f64; 2]> {
        if self.in_columns() {
            return columns::products(x, g, mean);
        }
        let mut sums = vec![[0.0; 2]; self.runs()];
        share::for_each_row(&mut sums, 2 * self.run, share::REDUCTION, |run, sums| {
            let of_run = run * self.run..(run + 1) * self.run;
            let (x, g, mean) = (&x[of_run.clone()], &g[of_run], mean[self.set(run)]);
            *sums = dispatch(Isa::current(), Products { x, g, mean });
        });
        sums
    }
}

/// Mean and sum of squared deviations from it, of so many numbers.
#[derive(Clone, Copy, Default)]
struct Gathered {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Gathered {
    /// Those of both lists together.
    #[inline(always)]
    fn join(&mut self, other: Gathered) {
        if other.count == 0.0 {
            return;
        }
        let (count, apart) = (self.count + other.count, other.mean - self.mean);
        self.mean += apart * other.count / count;
        self.squares += other.squares + apart * apart * self.count * other.count / count;
        self.count = count;
    }
}

struct MomentsOf<'a> {
    x: &'a [f32],
    eps: f32,
}

impl Kernel for MomentsOf<'_> {
    type Output = Gathered;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Gathered {
        let mut gathered = Gathered::default();
        for piece in self.x.chunks(PIECE) {
            let count = piece.len() as f64;
            let mean = fold_run::<Sum, S>(simd, piece, 0.0) as f64 / count;
            let squares = fold_run::<SquaredDeviations, S>(simd, piece, mean as f32) as f64;
            let sure = is_sure_about(mean as f32, (squares / count) as f32, self.eps);
            let [mean, squares] = if sure { [mean, squares] } else { moments(piece) };
            gathered.join(Gathered { count, mean, squares });
        }
        gathered
    }
}

struct Products<'a> {
    x: &'a [f32],
    g: &'a [f32],
    mean: f32,
}

impl Kernel for Products<'_> {
    type Output = [f64; 2];

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> [f64; 2] {
        let mut totals = [0.0; 2];
        for (x, g) in self.x.chunks(PIECE).zip(self.g.chunks(PIECE)) {
            // Two chains each, to hide the latency of an addition.
            let mut sums = [[Lane::splat(simd, 0.0); 2]; 2];
            let (mut i, mut k) = (0, 0);
            while i < g.len() {
                let g = read_padded(simd, g, i);
                sums[k] = [sums[k][0] + g, g.mul_add(read_padded(simd, x, i) - self.mean, sums[k][1])];
                i += S::LANES;
                k ^= 1;
            }
            totals[0] += (sums[0][0] + sums[1][0]).sum() as f64;
            totals[1] += (sums[0][1] + sums[1][1]).sum() as f64;
        }
        totals
    }
}

/// `y = (x - mean) factor + summand`, each run with its own numbers.
struct Scaled<'a> {
    run: usize,
    x: &'a [f32],
    of_run: &'a [[f32; 3]],
    y: &'a mut [f32],
}

impl Kernel for Scaled<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let runs = self.x.chunks_exact(self.run).zip(self.y.chunks_exact_mut(self.run));
        for ((x, y), &[mean, factor, summand]) in runs.zip(self.of_run) {
            let (factor, summand) = (Lane::splat(simd, factor), Lane::splat(simd, summand));
            let mut i = 0;
            while i < y.len() {
                write_clipped((read_padded(simd, x, i) - mean).mul_add(factor, summand), y, i);
                i += S::LANES;
            }
        }
    }
}

/// `dx = factor g - offset - slope (x - mean)`, each run with its own numbers.
struct Gradient<'a> {
    run: usize,
    x: &'a [f32],
    g: &'a [f32],
    of_run: &'a [[f32; 4]],
    dx: &'a mut [f32],
}

impl Kernel for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let inputs = self.x.chunks_exact(self.run).zip(self.g.chunks_exact(self.run));
        let runs = inputs.zip(self.dx.chunks_exact_mut(self.run));
        for (((x, g), dx), &[mean, factor, offset, slope]) in runs.zip(self.of_run) {
            let mut i = 0;
            while i < dx.len() {
                let rest = (read_padded(simd, x, i) - mean).mul_add(slope, offset);
                write_clipped(read_padded(simd, g, i) * factor - rest, dx, i);
                i += S::LANES;
            }
        }
    }
}
