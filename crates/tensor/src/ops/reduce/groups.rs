//! Which elements make up each result of a reduction, and how the work on them is ordered and shared out.
//!
//! The axes are sorted by stride, so the loops follow memory whatever the order of axes is. When the innermost one is
//! reduced, each result is the fold of a [`Row`]: runs of memory, cut into leaves that are joined in a tree. When it is
//! kept, a [`Strip`] of neighbouring results is folded at once: rows of memory, in leaves of some rows that are joined
//! in a tree again. The trees depend on the numbers of elements alone; threads take branches of them, so the same bits
//! come out of any number of threads, and rounding errors grow like the depth of the tree.

use super::Reduction;
use crate::{
    Isa,
    array::{
        Tensor,
        strided::{Positions, merge_axes},
    },
    error::OrFail,
    kernels::fold::{Accumulators, Fold, LANES, fold_run, join_rows},
    ops::elementwise::gather,
    shape::{Axes, reduced},
    simd::{Kernel, Simd, dispatch},
    threads::share,
};
use smallvec::SmallVec;
use std::{marker::PhantomData, ops::Range};

/// Elements in a leaf of a row's tree: each lane adds up 64 of them.
const LEAF: usize = 64 * LANES;
/// Elements in a branch of a row's tree, which one thread folds.
const BRANCH: usize = 16 * LEAF;
/// Rows in a leaf of a strip's tree.
const LEAF_ROWS: usize = 64;
/// Rows in a branch of a strip's tree.
const BRANCH_ROWS: usize = 16 * LEAF_ROWS;
/// The greatest width of a strip: its sums, 4 KiB, stay in the first cache.
const STRIP: usize = 1024;
/// Runs shorter than this are gathered into a block first.
const SHORT_RUN: usize = 64;

/// Groups of elements side by side, which a [`Reduction`] may fold more than once.
pub(super) trait Group {
    /// Folds each group; group `j` is lifted by `shift[j]`. Implementations must be `#[inline(always)]`.
    fn fold<F: Fold, S: Simd>(&self, simd: S, fold: F, shift: &[f32], out: &mut [f32]);
    /// The number of elements in each group.
    fn count(&self) -> usize;
}

/// The shift of a fold that needs none.
pub(super) const NO_SHIFT: &[f32] = &[0.0; STRIP];

/// Room for one number a group.
pub(super) const PER_GROUP: [f32; STRIP] = [0.0; STRIP];

impl Tensor {
    #[track_caller]
    pub(super) fn reduce_axes(&self, op: &str, axes: Axes, keepdims: bool, reduction: Reduction) -> Tensor {
        let axes = axes.resolve(op, self.shape()).or_fail();
        let shape = reduced(self.shape(), &axes, keepdims);
        if self.is_empty() {
            return Tensor::written(shape, |out| dispatch(Isa::current(), Empty { reduction, out }));
        }
        let stride = |axis: usize| self.layout.strides[axis].unsigned_abs();
        // Outermost first; what is repeated (stride 0) is farthest from being side by side.
        let outermost_first = |&axis: &usize| std::cmp::Reverse(stride(axis).wrapping_sub(1));
        let (mut kept, mut gone): (SmallVec<[usize; 4]>, SmallVec<[usize; 4]>) =
            (0..self.rank()).partition(|axis| !axes.contains(axis));
        let in_order = kept.clone();
        kept.sort_by_key(outermost_first);
        gone.sort_by_key(outermost_first);
        let mut plan = Plan {
            data: self.data(),
            offset: self.layout.offset,
            kept: SmallVec::new(),
            gone: SmallVec::new(),
        };
        plan.kept = merge_axes(kept.iter().map(|&axis| (self.shape()[axis], self.layout.strides[axis])));
        plan.gone = merge_axes(gone.iter().map(|&axis| {
            let (n, stride) = (self.shape()[axis], self.layout.strides[axis]);
            // The order within a group is free, so a reversed axis is walked forwards.
            if stride < 0 {
                plan.offset = plan.offset.wrapping_add_signed(stride * (n as isize - 1));
            }
            (n, stride.abs())
        }));
        if kept == in_order {
            return Tensor::written(shape, |out| plan.run(reduction, out));
        }
        let sizes = kept.iter().map(|&axis| self.shape()[axis]).collect();
        let result = Tensor::written(sizes, |out| plan.run(reduction, out));
        let place = |axis| kept.iter().position(|k| k == axis).unwrap_or(0) as isize;
        let back: SmallVec<[isize; 4]> = in_order.iter().map(place).collect();
        result.permute(back).contiguous().reshape(shape)
    }
}

/// The groups of one reduction; its axes as sizes and strides, sorted, outermost first, and merged where they can be.
/// There is at least one of each kind.
struct Plan<'a> {
    data: &'a [f32],
    offset: usize,
    kept: SmallVec<[(usize, isize); 4]>,
    gone: SmallVec<[(usize, isize); 4]>,
}

impl Plan<'_> {
    fn run(&self, reduction: Reduction, out: &mut [f32]) {
        let count = self.gone.iter().map(|&(n, _)| n).product::<usize>();
        let (kept, gone) = (inner_stride(&self.kept), inner_stride(&self.gone));
        // Runs that lie side by side, group after group, are folded where they lie: a strip whose entries are runs.
        let run = match self.gone[..] {
            [.., (_, outer), (n, 1)] if (SHORT_RUN..=LEAF).contains(&n) && kept < outer.unsigned_abs() => n,
            _ if gone <= kept => {
                return share::for_each_weighted_chunk(out, count, share::REDUCTION, &|start, out| {
                    dispatch(Isa::current(), Rows { plan: self, count, reduction, start, out });
                });
            }
            _ => 1,
        };
        share::for_each_weighted_chunk(out, count, share::REDUCTION, &|start, out| {
            dispatch(Isa::current(), Strips { plan: self, run, count, reduction, start, out });
        });
    }
}

/// The distance between neighbours on the innermost axis; beyond all others where there are none.
fn inner_stride(axes: &[(usize, isize)]) -> usize {
    match axes[axes.len() - 1] {
        (1, _) | (_, 0) => usize::MAX,
        (_, stride) => stride.unsigned_abs(),
    }
}

/// The groups of an empty tensor.
struct Nothing;

impl Group for Nothing {
    #[inline(always)]
    fn fold<F: Fold, S: Simd>(&self, _: S, _: F, _: &[f32], out: &mut [f32]) {
        out.fill(F::IDENTITY);
    }

    #[inline(always)]
    fn count(&self) -> usize {
        0
    }
}

/// Reduces groups without elements.
struct Empty<'a> {
    reduction: Reduction,
    out: &'a mut [f32],
}

impl Kernel for Empty<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for out in self.out.chunks_mut(STRIP) {
            self.reduction.reduce(simd, &Nothing, out);
        }
    }
}

/// Reduces the groups from number `start` on, one at a time.
struct Rows<'a> {
    plan: &'a Plan<'a>,
    count: usize,
    reduction: Reduction,
    start: usize,
    out: &'a mut [f32],
}

impl Kernel for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Rows { plan, count, reduction, start, out } = self;
        let starts = Positions::from(&plan.kept, plan.offset, start);
        for (out, at) in out.chunks_mut(1).zip(starts) {
            reduction.reduce(simd, &Row { plan, count, at }, out);
        }
    }
}

/// One group: `count` elements from `at` on, in the order of the plan's `gone` axes.
#[derive(Clone, Copy)]
struct Row<'a> {
    plan: &'a Plan<'a>,
    count: usize,
    at: usize,
}

impl Group for Row<'_> {
    #[inline(always)]
    fn fold<F: Fold, S: Simd>(&self, simd: S, _: F, shift: &[f32], out: &mut [f32]) {
        out[0] = match self.plan.gone[..] {
            [(n, 1)] if n <= LEAF => fold_run::<F, S>(simd, &self.plan.data[self.at..self.at + n], shift[0]),
            _ => self.tree::<F>(shift[0]),
        };
    }

    #[inline(always)]
    fn count(&self) -> usize {
        self.count
    }
}

impl Row<'_> {
    /// The length of the runs of evenly spaced elements, and their spacing.
    fn inner(self) -> (usize, isize) {
        self.plan.gone[self.plan.gone.len() - 1]
    }

    /// Where the runs, or parts of runs, with these elements start, and how many elements each has.
    fn pieces(self, range: Range<usize>) -> impl Iterator<Item = (usize, usize)> {
        let (run, stride) = self.inner();
        let outer = &self.plan.gone[..self.plan.gone.len() - 1];
        let runs = range.start / run..range.end.div_ceil(run);
        let starts = Positions::from(outer, self.at, runs.start);
        runs.zip(starts).map(move |(k, at)| {
            let (first, end) = (range.start.max(k * run), range.end.min((k + 1) * run));
            (at.wrapping_add_signed(stride * (first - k * run) as isize), end - first)
        })
    }

    /// The fold of all elements: branches, on all threads, joined in halves.
    fn tree<F: Fold>(self, shift: f32) -> f32 {
        let mut sums = vec![F::IDENTITY; self.count.div_ceil(BRANCH)];
        share::for_each_weighted_chunk(&mut sums, BRANCH, share::REDUCTION, &|start, sums| {
            for (k, sum) in sums.iter_mut().enumerate() {
                let from = (start + k) * BRANCH;
                *sum = self.branch::<F>(from..self.count.min(from + BRANCH), shift);
            }
        });
        join_branches::<F>(&mut sums, 1);
        sums[0]
    }

    /// The fold of these elements: halves joined, down to leaves.
    fn branch<F: Fold>(self, range: Range<usize>, shift: f32) -> f32 {
        if range.len() <= LEAF {
            return dispatch(Isa::current(), Leaf { row: self, range, shift, fold: PhantomData::<F> });
        }
        let middle = range.start + (range.len() / 2).next_multiple_of(LEAF);
        F::join(self.branch::<F>(range.start..middle, shift), self.branch::<F>(middle..range.end, shift))
    }
}

/// Joins rows of `width` numbers, one for each branch, in halves; the result is in the first row.
fn join_branches<F: Fold>(rows: &mut [f32], width: usize) {
    let mut left = rows.len() / width;
    while left > 1 {
        let half = left.div_ceil(2);
        let (first, second) = rows.split_at_mut(half * width);
        let pairs = (left - half) * width;
        first[..pairs].iter_mut().zip(&second[..pairs]).for_each(|(a, b)| *a = F::join(*a, *b));
        left = half;
    }
}

/// At most [`LEAF`] elements of a row.
struct Leaf<'a, F> {
    row: Row<'a>,
    range: Range<usize>,
    shift: f32,
    fold: PhantomData<F>,
}

impl<F: Fold> Kernel for Leaf<'_, F> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        let (data, shift) = (self.row.plan.data, self.shift);
        let (run, stride) = self.row.inner();
        let mut sums = Accumulators::new::<F>(simd);
        if let [(_, 1)] = self.row.plan.gone[..] {
            let at = self.row.at;
            sums.join_run::<F>(&data[at + self.range.start..at + self.range.end], shift);
        } else if stride == 1 && run >= SHORT_RUN {
            for (at, n) in self.row.pieces(self.range) {
                sums.join_run::<F>(&data[at..at + n], shift);
            }
        } else {
            let mut block = [0.0; LEAF];
            let mut gathered = 0;
            for (at, n) in self.row.pieces(self.range) {
                gather(data, at, stride, &mut block[gathered..gathered + n]);
                gathered += n;
            }
            sums.join_run::<F>(&block[..gathered], shift);
        }
        sums.joined::<F>()
    }
}

/// Reduces the groups from number `start` on, neighbours on the innermost kept axis together.
struct Strips<'a> {
    plan: &'a Plan<'a>,
    run: usize,
    count: usize,
    reduction: Reduction,
    start: usize,
    out: &'a mut [f32],
}

impl Kernel for Strips<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Strips { plan, run, count, reduction, start, mut out } = self;
        let (outer, (columns, stride)) = (&plan.kept[..plan.kept.len() - 1], plan.kept[plan.kept.len() - 1]);
        let rows = &plan.gone[..plan.gone.len() - usize::from(run > 1)];
        let mut column = start % columns;
        for at in Positions::from(outer, plan.offset, start / columns) {
            while column < columns && !out.is_empty() {
                let width = (columns - column).min(STRIP).min(out.len());
                let (strip, rest) = out.split_at_mut(width);
                let at = at.wrapping_add_signed(stride * column as isize);
                reduction.reduce(simd, &Strip { data: plan.data, rows, run, count, at, stride }, strip);
                column += width;
                out = rest;
            }
            column = 0;
        }
    }
}

/// Groups side by side. Each row has an entry of every group, `stride` apart: an element, or a run of elements.
#[derive(Clone, Copy)]
struct Strip<'a> {
    data: &'a [f32],
    /// The axes over the rows.
    rows: &'a [(usize, isize)],
    /// Elements in an entry.
    run: usize,
    /// Elements in a group.
    count: usize,
    at: usize,
    stride: isize,
}

impl Group for Strip<'_> {
    #[inline(always)]
    fn fold<F: Fold, S: Simd>(&self, _: S, _: F, shift: &[f32], out: &mut [f32]) {
        self.tree::<F>(shift, out); // whose leaves are kernels of their own: inlined here, all folds would be one function
    }

    #[inline(always)]
    fn count(&self) -> usize {
        self.count
    }
}

impl Strip<'_> {
    /// The fold of all rows: branches, on all threads, joined in halves.
    fn tree<F: Fold>(self, shift: &[f32], out: &mut [f32]) {
        let (all, width) = (self.count / self.run, out.len());
        if all <= BRANCH_ROWS {
            return self.branch::<F>(0..all, shift, out);
        }
        let mut sums = vec![0.0; all.div_ceil(BRANCH_ROWS) * width];
        share::for_each_run_chunk(
            &mut sums,
            width,
            share::REDUCTION / (BRANCH_ROWS * self.run),
            &|branches, sums| {
                for (branch, sums) in branches.zip(sums.chunks_exact_mut(width)) {
                    let from = branch * BRANCH_ROWS;
                    self.branch::<F>(from..all.min(from + BRANCH_ROWS), shift, sums);
                }
            },
        );
        join_branches::<F>(&mut sums, width);
        out.copy_from_slice(&sums[..width]);
    }

    /// The fold of these rows: halves joined, down to leaves.
    fn branch<F: Fold>(self, rows: Range<usize>, shift: &[f32], out: &mut [f32]) {
        if rows.len() <= LEAF_ROWS {
            let fold = PhantomData::<F>;
            return dispatch(Isa::current(), LeafRows { strip: self, rows, shift, out, fold });
        }
        let middle = rows.start + (rows.len() / 2).next_multiple_of(LEAF_ROWS);
        let mut other = PER_GROUP;
        let other = &mut other[..out.len()];
        self.branch::<F>(rows.start..middle, shift, out);
        self.branch::<F>(middle..rows.end, shift, other);
        out.iter_mut().zip(other).for_each(|(a, b)| *a = F::join(*a, *b));
    }
}

/// At most [`LEAF_ROWS`] rows of a strip.
struct LeafRows<'a, F> {
    strip: Strip<'a>,
    rows: Range<usize>,
    shift: &'a [f32],
    out: &'a mut [f32],
    fold: PhantomData<F>,
}

impl<F: Fold> Kernel for LeafRows<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let LeafRows { strip: Strip { data, rows: axes, run, at, stride, .. }, rows, shift, out, .. } = self;
        let mut starts = [0; LEAF_ROWS];
        let starts = &mut starts[..rows.len()];
        for (start, at) in starts.iter_mut().zip(Positions::from(axes, at, rows.start)) {
            *start = at;
        }
        out.fill(F::IDENTITY);
        if run > 1 {
            for &start in starts.iter() {
                for j in 0..out.len() {
                    let at = start.wrapping_add_signed(stride * j as isize);
                    out[j] = F::join(out[j], fold_run::<F, S>(simd, &data[at..at + run], shift[j]));
                }
            }
        } else if stride == 1 {
            join_rows::<F, S>(simd, data, starts, shift, out);
        } else {
            let mut block = PER_GROUP;
            for &at in starts.iter() {
                gather(data, at, stride, &mut block[..out.len()]);
                join_rows::<F, S>(simd, &block, &[0], shift, out);
            }
        }
    }
}
