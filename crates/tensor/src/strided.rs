//! Walking the elements of strided layouts: one position at a time, or in runs for several operands at once.

use crate::layout::Layout;
use smallvec::SmallVec;

/// The buffer positions of a layout's elements, in row-major order.
pub(crate) struct Positions {
    axes: SmallVec<[(usize, isize); 4]>,
    index: SmallVec<[usize; 4]>,
    at: isize,
    left: usize,
}

impl Positions {
    pub(crate) fn new(layout: &Layout) -> Positions {
        Positions {
            axes: layout.shape.iter().copied().zip(layout.strides.iter().copied()).collect(),
            index: SmallVec::from_elem(0, layout.shape.len_axes()),
            at: layout.offset as isize,
            left: layout.shape.len(),
        }
    }
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
}

impl ExactSizeIterator for Positions {}

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
    pub(crate) fn for_each_run(&self, runs: std::ops::Range<usize>, mut f: impl FnMut(usize, [usize; N])) {
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
        for run in runs {
            f(run, at.map(|at| at as usize));
            for axis in (0..outer).rev() {
                index[axis] += 1;
                for (at, stride) in at.iter_mut().zip(self.strides[axis]) {
                    *at += stride;
                }
                if index[axis] < self.sizes[axis] {
                    break;
                }
                for (at, stride) in at.iter_mut().zip(self.strides[axis]) {
                    *at -= stride * self.sizes[axis] as isize;
                }
                index[axis] = 0;
            }
        }
    }
}
