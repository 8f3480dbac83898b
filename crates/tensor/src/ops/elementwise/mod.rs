//! Elementwise passes over tensors of any layout: they split the work, broadcast, and call a kernel on runs.

pub mod functions;
mod many;

pub use many::map_many;

use crate::{
    Isa,
    array::{Tensor, layout::Layout, strided::Coalesced},
    error::OrFail,
    kernels::map::{self, BinaryFn, Operand, UnaryFn, map, map_inplace, zip},
    limit,
    shape::{Shape, broadcast},
    threads::share,
};

impl Tensor {
    /// `f` of each element; `op` is its name for messages.
    #[track_caller]
    pub(crate) fn unary(&self, op: &str, f: impl UnaryFn + Sync) -> Tensor {
        match self.as_slice() {
            Some(x) => Tensor::written(self.shape().clone(), |out| {
                share::for_each_chunk(out, share::ELEMENTWISE, &|start, out| {
                    map(Isa::current(), f, &x[start..][..out.len()], out);
                });
            }),
            None => self.copy_for(op).into_unary(op, f),
        }
    }

    /// Like [`Tensor::unary`], in the same buffer when nobody shares it.
    #[track_caller]
    pub(crate) fn into_unary(mut self, op: &str, f: impl UnaryFn + Sync) -> Tensor {
        if !(self.is_unique() && self.is_contiguous()) {
            return self.unary(op, f);
        }
        let out = self.as_mut_slice();
        share::for_each_chunk(out, share::ELEMENTWISE, &|_, out| map_inplace(Isa::current(), f, out));
        self
    }

    /// `f` of the elements of two tensors, broadcast to one shape.
    #[track_caller]
    pub(crate) fn binary(&self, op: &str, other: &Tensor, f: impl BinaryFn + Sync) -> Tensor {
        broadcast_runs(op, self, other, &|a, b, out| zip(Isa::current(), f, a, b, out))
    }

    /// `f` of each element and a scalar.
    #[track_caller]
    pub(crate) fn with_scalar(&self, op: &str, scalar: f32, f: impl BinaryFn + Sync) -> Tensor {
        match self.as_slice() {
            Some(x) => Tensor::written(self.shape().clone(), |out| {
                share::for_each_chunk(out, share::ELEMENTWISE, &|start, out| {
                    zip(Isa::current(), f, &x[start..][..out.len()], scalar, out);
                });
            }),
            None => self.copy_for(op).into_binary(Operand::Scalar(scalar), f),
        }
    }

    /// A copy that an operation will change. Of a broadcast view it may be more than memory holds.
    #[track_caller]
    fn copy_for(&self, op: &str) -> Tensor {
        if !limit::is_affordable(self.numel()) {
            limit::refusal(op, self.shape(), self.numel()).fail()
        }
        self.copied()
    }

    /// Each element replaced by `f` of it and an operand that fits; in place when nobody shares the buffer.
    #[track_caller]
    pub(crate) fn apply_binary(&mut self, other: Operand<'_>, f: impl BinaryFn + Sync) {
        share::for_each_chunk(self.as_mut_slice(), share::ELEMENTWISE, &|start, out| {
            let part = match other {
                Operand::Slice(y) => Operand::Slice(&y[start..][..out.len()]),
                other => other,
            };
            zip(Isa::current(), f, Operand::Output, part, out);
        });
    }

    /// [`Tensor::apply_binary`] as an expression.
    #[track_caller]
    pub(crate) fn into_binary(mut self, other: Operand<'_>, f: impl BinaryFn + Sync) -> Tensor {
        self.apply_binary(other, f);
        self
    }

    /// Whether a result of this shape may be written into this tensor's buffer.
    pub(crate) fn is_reusable(&self) -> bool {
        self.is_unique() && self.is_contiguous()
    }

    /// This tensor as an operand of a pass over elements of this shape, if it needs no loops.
    pub(crate) fn operand_for(&self, shape: &Shape) -> Option<Operand<'_>> {
        match self.as_slice()? {
            x if self.shape() == shape => Some(Operand::Slice(x)),
            &[x] if self.rank() <= shape.rank() => Some(Operand::Scalar(x)),
            _ => None,
        }
    }

    /// Each element replaced by `f` of it.
    ///
    /// For a function of your own; the functions that this crate has as methods are vectorised by hand.
    #[track_caller]
    pub fn map(&self, f: impl Fn(f32) -> f32 + Sync) -> Tensor {
        let mut result = if self.is_reusable() { self.copied() } else { self.contiguous() };
        let out = result.as_mut_slice();
        share::for_each_chunk(out, share::ELEMENTWISE, &|_, out| out.iter_mut().for_each(|x| *x = f(*x)));
        result
    }

    /// `f` of the elements of two tensors, broadcast to one shape.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    #[track_caller]
    pub fn zip(&self, other: &Tensor, f: impl Fn(f32, f32) -> f32 + Sync) -> Tensor {
        broadcast_runs("zip", self, other, &|a, b, out| map::zip_with(&f, a, b, out))
    }

    /// As [`zip`](Tensor::zip), into this tensor's own memory where it can be: nobody shares it, and it has the shape of the result.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let halves = Tensor::from([1.0, 2.0]).into_zip(&Tensor::from([2.0, 4.0]), |x, y| x / y);
    /// assert_eq!(halves.to_vec(), [0.5, 0.5]);
    /// ```
    #[track_caller]
    pub fn into_zip(mut self, other: &Tensor, f: impl Fn(f32, f32) -> f32 + Sync) -> Tensor {
        match other.operand_for(self.shape()) {
            Some(Operand::Slice(y)) if self.is_reusable() => {
                share::for_each_chunk(self.as_mut_slice(), share::ELEMENTWISE, &|start, out| {
                    out.iter_mut().zip(&y[start..]).for_each(|(x, &y)| *x = f(*x, y));
                });
                self
            }
            _ => self.zip(other, f),
        }
    }
}

/// `kernel(a, b, out)` for runs of two tensors broadcast to one shape. A reference to the kernel, so that this is compiled
/// once and not for every formula.
#[track_caller]
fn broadcast_runs(
    op: &str,
    a: &Tensor,
    b: &Tensor,
    kernel: &(dyn Fn(Operand<'_>, Operand<'_>, &mut [f32]) + Sync),
) -> Tensor {
    if a.shape() == b.shape()
        && let (Some(x), Some(y)) = (a.as_slice(), b.as_slice())
    {
        return Tensor::written(a.shape().clone(), |out| {
            share::for_each_chunk(out, share::ELEMENTWISE, &|start, out| {
                let range = start..start + out.len();
                kernel(Operand::Slice(&x[range.clone()]), Operand::Slice(&y[range]), out);
            });
        });
    }
    let shape = broadcast(op, a.shape(), b.shape()).or_fail();
    if !limit::is_affordable(shape.numel()) {
        let both = format!("{op}: shapes {} and {}", a.shape(), b.shape());
        limit::refusal(&both, &shape, shape.numel()).fail()
    }
    if shape.is_empty() {
        return Tensor::zeros(shape);
    }
    let (a_layout, b_layout) =
        (a.layout.broadcast_to(&shape).or_fail(), b.layout.broadcast_to(&shape).or_fail());
    let (x, y) = (a.data(), b.data());
    let result = Layout::contiguous(shape.clone());
    let loops = Coalesced::new([&result, &a_layout, &b_layout]);
    let (n, [_, a_stride, b_stride]) = loops.inner();
    // Copies in tiles, and then runs side by side, are faster than to pick every element for itself.
    if a_stride != 0 && a_stride != 1 {
        return broadcast_runs(op, &a.contiguous(), b, kernel);
    }
    if b_stride != 0 && b_stride != 1 {
        return broadcast_runs(op, a, &b.contiguous(), kernel);
    }
    let [_, [_, a_outer, b_outer]] = loops.row_strides();
    Tensor::written(shape, |out| {
        share::for_each_run_chunk(out, n, share::ELEMENTWISE, &|runs, out| {
            let first = runs.start;
            loops.for_each_rows(runs, |rows, [_, mut a_at, mut b_at]| {
                let count = rows.len();
                let out = &mut out[(rows.start - first) * n..][..count * n];
                let (a, b) = (
                    rows_of(x, a_at, [a_outer, a_stride], count, n),
                    rows_of(y, b_at, [b_outer, b_stride], count, n),
                );
                if let (Some(a), Some(b)) = (a, b) {
                    return kernel(a, b, out);
                }
                for out in out.chunks_exact_mut(n) {
                    kernel(run_of(x, a_at, a_stride, n), run_of(y, b_at, b_stride, n), out);
                    a_at = a_at.wrapping_add_signed(a_outer);
                    b_at = b_at.wrapping_add_signed(b_outer);
                }
            });
        });
    })
}

/// The operand of `count` runs of `n` elements, the first from position `at`; strides from run to run and along a run. None
/// where no [`Operand`] is such rows.
fn rows_of(data: &[f32], at: usize, strides: [isize; 2], count: usize, n: usize) -> Option<Operand<'_>> {
    match strides {
        [0, 0] => Some(Operand::Scalar(data[at])),
        [0, 1] => Some(Operand::Row(&data[at..at + n])),
        [1, 0] => Some(Operand::Column(&data[at..at + count])),
        [outer, 1] if outer == n as isize => Some(Operand::Slice(&data[at..at + count * n])),
        _ => None,
    }
}

/// The operand of a run of `n` elements from position `at`, which lie side by side or are all the same.
fn run_of(data: &[f32], at: usize, stride: isize, n: usize) -> Operand<'_> {
    match stride {
        0 => Operand::Scalar(data[at]),
        _ => Operand::Slice(&data[at..at + n]),
    }
}

/// Copies elements that lie `stride` apart.
pub(crate) fn gather(data: &[f32], at: usize, stride: isize, out: &mut [f32]) {
    match stride {
        1 => out.copy_from_slice(&data[at..at + out.len()]),
        0 => out.fill(data[at]),
        _ => {
            let mut at = at as isize;
            for y in out {
                *y = data[at as usize];
                at += stride;
            }
        }
    }
}

impl Tensor {
    /// The reverse of [`Tensor::broadcast_to`]: elements that came from one are added up.
    ///
    /// # Panics
    /// When `shape` does not broadcast to this tensor's shape.
    #[track_caller]
    pub fn sum_to(&self, shape: impl AsRef<[usize]>) -> Tensor {
        let shape = Shape::new(shape.as_ref());
        if self.shape() == &shape {
            return self.clone();
        }
        let fits = broadcast("sum_to", self.shape(), &shape).or_fail() == *self.shape();
        if !fits {
            crate::ShapeError::new(format!("sum_to: {shape} does not broadcast to {}", self.shape())).fail()
        }
        let missing = self.rank() - shape.rank();
        let axes: Vec<isize> = (0..self.rank())
            .filter(|&i| i < missing || shape[i - missing] == 1 && self.shape()[i] != 1)
            .map(|i| i as isize)
            .collect();
        self.sum_axes(axes, true).reshape(&shape)
    }
}
