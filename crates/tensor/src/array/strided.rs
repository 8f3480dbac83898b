//! Walking the elements of strided layouts: one position at a time, or in runs for several operands at once.

use crate::array::layout::Layout;
use smallvec::SmallVec;
use std::ops::Range;

/// The buffer positions of a layout's elements, in row-major order.
pub(crate) struct Positions {
    axes: SmallVec<[(usize, isize); 4]>,
    index: SmallVec<[usize; 4]>,
    at: isize,
    left: usize,
}

impl Positions {
    pub(crate) fn new(layout: &Layout) -> Positions {
        let axes = layout.shape.iter().copied().zip(layout.strides.iter().copied());
        Positions::from(&merge_axes(axes), layout.offset, 0)
    }

    /// The positions from number `first` on of axes given as sizes and strides, outermost first.
    pub(crate) fn from(axes: &[(usize, isize)], offset: usize, first: usize) -> Positions {
        let left = axes.iter().map(|&(n, _)| n).product::<usize>() - first;
        let mut index = SmallVec::from_elem(0, axes.len());
        let (mut at, mut rest) = (offset as isize, first);
        if first > 0 {
            for (i, &(n, stride)) in index.iter_mut().zip(axes).rev() {
                *i = rest % n;
                at += stride * *i as isize;
                rest /= n;
            }
        }
        Positions { axes: SmallVec::from_slice(axes), index, at, left }
    }
}

/// Axes given as sizes and strides, outermost first, without those of size 1, and with neighbours merged where one
/// continues the other; one axis of size 1 if none are left.
pub(crate) fn merge_axes(axes: impl Iterator<Item = (usize, isize)>) -> SmallVec<[(usize, isize); 4]> {
    let mut merged: SmallVec<[(usize, isize); 4]> = SmallVec::new();
    for (n, stride) in axes.filter(|&(n, _)| n != 1) {
        match merged.last_mut() {
            Some(outer) if outer.1 == stride * n as isize => *outer = (outer.0 * n, stride),
            _ => merged.push((n, stride)),
        }
    }
    if merged.is_empty() {
        merged.push((1, 1));
    }
    merged
}

impl Iterator for Positions {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let at = self.at as usize;
        for (i, &(n, stride)) in self.index.iter_mut().zip(&self.axes).rev() {
            *i += 1;
            self.at += stride;
            if *i < n {
                break;
            }
            self.at -= stride * n as isize;
            *i = 0;
        }
        Some(at)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }

    /// As `next` again and again, without looking at the outer axes within a row of the innermost.
    fn fold<T, F: FnMut(T, usize) -> T>(mut self, start: T, mut f: F) -> T {
        let mut so_far = start;
        while self.left > 0 {
            if let (Some(index), Some(&(n, stride))) = (self.index.last_mut(), self.axes.last()) {
                let more = (n - *index).min(self.left) - 1;
                for _ in 0..more {
                    so_far = f(so_far, self.at as usize);
                    self.at += stride;
                }
                *index += more;
                self.left -= more;
            }
            so_far = self.next().into_iter().fold(so_far, &mut f);
        }
        so_far
    }
}

impl ExactSizeIterator for Positions {}

/// A contiguous tensor seen from one axis: `outer` blocks of `n` rows of `inner` elements.
#[derive(Clone, Copy)]
pub(crate) struct AxisView {
    pub(crate) outer: usize,
    pub(crate) n: usize,
    pub(crate) inner: usize,
}

impl AxisView {
    pub(crate) fn new(shape: &[usize], axis: usize) -> AxisView {
        AxisView {
            outer: shape[..axis].iter().product(),
            n: shape[axis],
            inner: shape[axis + 1..].iter().product(),
        }
    }
}

/// N operands of one shape, with axes that all of them can treat as one merged: what an elementwise kernel loops over.
pub(crate) struct Coalesced<const N: usize> {
    /// Sizes, outermost first; at least one axis.
    pub(crate) sizes: SmallVec<[usize; 4]>,
    /// The strides of each operand.
    pub(crate) strides: SmallVec<[[isize; N]; 4]>,
    offsets: [usize; N],
}

impl<const N: usize> Coalesced<N> {
    /// The layouts have one shape, broadcast already.
    pub(crate) fn new(layouts: [&Layout; N]) -> Coalesced<N> {
        let mut sizes: SmallVec<[usize; 4]> = SmallVec::new();
        let mut strides: SmallVec<[[isize; N]; 4]> = SmallVec::new();
        for (axis, &n) in layouts[0].shape.iter().enumerate() {
            if n == 1 {
                continue;
            }
            let step: [isize; N] = std::array::from_fn(|k| layouts[k].strides[axis]);
            if let (Some(outer), Some(size)) = (strides.last_mut(), sizes.last_mut())
                && (0..N).all(|k| outer[k] == step[k] * n as isize)
            {
                *size *= n;
                *outer = step;
                continue;
            }
            sizes.push(n);
            strides.push(step);
        }
        if sizes.is_empty() {
            sizes.push(1);
            strides.push([1; N]);
        }
        Coalesced { sizes, strides, offsets: std::array::from_fn(|k| layouts[k].offset) }
    }

    /// The number of runs along the innermost axis.
    pub(crate) fn runs(&self) -> usize {
        self.sizes[..self.sizes.len() - 1].iter().product()
    }

    /// The length of a run, and the stride of each operand along it.
    pub(crate) fn inner(&self) -> (usize, [isize; N]) {
        (self.sizes[self.sizes.len() - 1], self.strides[self.strides.len() - 1])
    }

    /// Calls `f` with the position of each operand at the start of each of these runs, in row-major order.
    pub(crate) fn for_each_run(&self, runs: Range<usize>, mut f: impl FnMut(usize, [usize; N])) {
        let [_, step] = self.row_strides();
        self.for_each_rows(runs, |rows, mut at| {
            for run in rows {
                f(run, at);
                at = std::array::from_fn(|k| at[k].wrapping_add_signed(step[k]));
            }
        });
    }

    /// The strides of each operand along a run, and from one run to its neighbour on the axis before the innermost.
    pub(crate) fn row_strides(&self) -> [[isize; N]; 2] {
        let mut strides = self.strides.iter().rev().copied();
        std::array::from_fn(|_| strides.next().unwrap_or([0; N]))
    }

    /// The same for neighbours on the axis before the innermost together: their numbers, and the position of each operand at
    /// the start of the first.
    pub(crate) fn for_each_rows(&self, runs: Range<usize>, mut f: impl FnMut(Range<usize>, [usize; N])) {
        let outer = self.sizes.len() - 1;
        let mut index: SmallVec<[usize; 4]> = SmallVec::from_elem(0, outer);
        let mut at: [isize; N] = self.offsets.map(|offset| offset as isize);
        let mut rest = runs.start;
        for axis in (0..outer).rev() {
            index[axis] = rest % self.sizes[axis];
            rest /= self.sizes[axis];
            for (at, stride) in at.iter_mut().zip(self.strides[axis]) {
                *at += stride * index[axis] as isize;
            }
        }
        let mut run = runs.start;
        while run < runs.end {
            let rows = if outer == 0 { 1 } else { self.sizes[outer - 1] - index[outer - 1] };
            let mut step = rows.min(runs.end - run);
            f(run..run + step, at.map(|at| at as usize));
            run += step;
            for axis in (0..outer).rev() {
                index[axis] += step;
                for (at, stride) in at.iter_mut().zip(self.strides[axis]) {
                    *at += stride * step as isize;
                }
                if index[axis] < self.sizes[axis] {
                    break;
                }
                for (at, stride) in at.iter_mut().zip(self.strides[axis]) {
                    *at -= stride * self.sizes[axis] as isize;
                }
                index[axis] = 0;
                step = 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;

    #[test]
    fn folded_positions_are_those_one_by_one() {
        let whole = Tensor::zeros([3, 4, 5, 1, 2]);
        let views = [
            whole.clone(),
            whole.permute([2, 0, 1, 4, 3]),
            whole.slice(1, 1..3).slice(2, 0..4),
            whole.flip(0).flip(2),
            Tensor::zeros([]).broadcast_to([2, 3]),
            Tensor::zeros([2, 0, 3]),
            Tensor::zeros([]),
        ];
        for view in &views {
            for skipped in [0, 1, 2, 7] {
                let positions = || Positions::new(&view.layout).skip_first(skipped);
                let mut one_by_one = Vec::new();
                // `for` asks for one after the other.
                for at in positions() {
                    one_by_one.push(at);
                }
                let folded = positions().fold(Vec::new(), |mut all, at| {
                    all.push(at);
                    all
                });
                assert_eq!(folded, one_by_one, "{:?} from {skipped} on", view.layout);
            }
        }
    }

    impl Positions {
        fn skip_first(mut self, count: usize) -> Positions {
            for _ in 0..count {
                self.next();
            }
            self
        }
    }
}
