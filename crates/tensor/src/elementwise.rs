//! Elementwise passes over tensors of any layout: they split the work, broadcast, and call a kernel on runs.

use crate::{
    error::OrFail,
    layout::Layout,
    par,
    shape::{Shape, broadcast},
    strided::Coalesced,
    tensor::Tensor,
};

/// One operand of a run: elements side by side, or one value for all of them.
#[derive(Clone, Copy)]
pub(crate) enum Operand<'a> {
    Slice(&'a [f32]),
    Scalar(f32),
}

/// Elements gathered at a time when an operand does not lie side by side: 1 KiB, well inside the first cache.
const BLOCK: usize = 256;

impl Tensor {
    /// Applies `kernel`, which maps every element of a slice in place, to all elements.
    pub(crate) fn map_slices(&self, kernel: impl Fn(&mut [f32]) + Sync) -> Tensor {
        match self.as_slice() {
            Some(x) => Tensor::written(self.shape().clone(), |out| {
                par::for_each_chunk(out, par::ELEMENTWISE, |start, out| {
                    out.copy_from_slice(&x[start..][..out.len()]);
                    kernel(out);
                });
            }),
            None => self.copied().into_mapped_slices(kernel),
        }
    }

    /// Like [`Tensor::map_slices`], in the same buffer when nobody shares it.
    pub(crate) fn into_mapped_slices(mut self, kernel: impl Fn(&mut [f32]) + Sync) -> Tensor {
        if !(self.is_unique() && self.is_contiguous()) {
            return self.map_slices(kernel);
        }
        par::for_each_chunk(self.as_mut_slice(), par::ELEMENTWISE, |_, out| kernel(out));
        self
    }

    /// Each element replaced by `f` of it.
    pub fn map(&self, f: impl Fn(f32) -> f32 + Sync) -> Tensor {
        self.map_slices(|xs| xs.iter_mut().for_each(|x| *x = f(*x)))
    }

    /// `f` of the elements of two tensors, broadcast to one shape.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    #[track_caller]
    pub fn zip(&self, other: &Tensor, f: impl Fn(f32, f32) -> f32 + Sync) -> Tensor {
        binary("zip", self, other, |a, b, out| zip_slices(&f, a, b, out))
    }
}

/// The plain loop behind [`Tensor::zip`].
fn zip_slices(f: &impl Fn(f32, f32) -> f32, a: Operand<'_>, b: Operand<'_>, out: &mut [f32]) {
    use Operand::{Scalar, Slice};
    match (a, b) {
        (Slice(a), Slice(b)) => out.iter_mut().zip(a.iter().zip(b)).for_each(|(y, (&a, &b))| *y = f(a, b)),
        (Slice(a), Scalar(b)) => out.iter_mut().zip(a).for_each(|(y, &a)| *y = f(a, b)),
        (Scalar(a), Slice(b)) => out.iter_mut().zip(b).for_each(|(y, &b)| *y = f(a, b)),
        (Scalar(a), Scalar(b)) => out.fill(f(a, b)),
    }
}

/// `kernel(a, b, out)` over two tensors broadcast to one shape.
#[track_caller]
pub(crate) fn binary(
    op: &str,
    a: &Tensor,
    b: &Tensor,
    kernel: impl Fn(Operand<'_>, Operand<'_>, &mut [f32]) + Sync,
) -> Tensor {
    if a.shape() == b.shape()
        && let (Some(x), Some(y)) = (a.as_slice(), b.as_slice())
    {
        return Tensor::written(a.shape().clone(), |out| {
            par::for_each_chunk(out, par::ELEMENTWISE, |start, out| {
                let range = start..start + out.len();
                kernel(Operand::Slice(&x[range.clone()]), Operand::Slice(&y[range]), out);
            });
        });
    }
    let shape = broadcast(op, a.shape(), b.shape()).or_fail();
    let (a_layout, b_layout) =
        (a.layout.broadcast_to(&shape).or_fail(), b.layout.broadcast_to(&shape).or_fail());
    let (x, y) = (a.data(), b.data());
    let result = Layout::contiguous(shape.clone());
    let loops = Coalesced::new([&result, &a_layout, &b_layout]);
    let (n, [_, a_stride, b_stride]) = loops.inner();
    Tensor::written(shape, |out| {
        // Whole runs to a thread; a single long run is split by the contiguous path or stays whole.
        par::for_each_run_chunk(out, n, par::ELEMENTWISE, |runs, out| {
            let first = runs.start;
            loops.for_each_run(runs, |run, [_, a_at, b_at]| {
                let out = &mut out[(run - first) * n..][..n];
                let (mut a_block, mut b_block) = ([0.0; BLOCK], [0.0; BLOCK]);
                if direct(a_stride) && direct(b_stride) {
                    return kernel(
                        operand(x, a_at, a_stride, n, &mut []),
                        operand(y, b_at, b_stride, n, &mut []),
                        out,
                    );
                }
                for (k, out) in out.chunks_mut(BLOCK).enumerate() {
                    let skip =
                        |at: usize, stride: isize| at.wrapping_add_signed(stride * (k * BLOCK) as isize);
                    let a = operand(x, skip(a_at, a_stride), a_stride, out.len(), &mut a_block);
                    let b = operand(y, skip(b_at, b_stride), b_stride, out.len(), &mut b_block);
                    kernel(a, b, out);
                }
            });
        });
    })
}

/// `in_place(a, b)` where nobody shares `a` and `b` broadcasts to its shape without loops; else `a` comes back.
#[track_caller]
pub(crate) fn binary_into(
    mut a: Tensor,
    b: &Tensor,
    in_place: impl Fn(&mut [f32], Operand<'_>) + Sync,
) -> Result<Tensor, Tensor> {
    if !(a.is_unique() && a.is_contiguous()) {
        return Err(a);
    }
    let operand = match b.as_slice() {
        Some(y) if b.shape() == a.shape() => Operand::Slice(y),
        Some(y) if y.len() == 1 && b.rank() <= a.rank() => Operand::Scalar(y[0]),
        _ => return Err(a),
    };
    par::for_each_chunk(a.as_mut_slice(), par::ELEMENTWISE, |start, out| {
        let part = match operand {
            Operand::Slice(y) => Operand::Slice(&y[start..][..out.len()]),
            scalar => scalar,
        };
        in_place(out, part);
    });
    Ok(a)
}

fn direct(stride: isize) -> bool {
    stride == 0 || stride == 1
}

/// The operand of a run of `n` elements from position `at`; gathered into `block` when they lie apart.
fn operand<'a>(data: &'a [f32], at: usize, stride: isize, n: usize, block: &'a mut [f32]) -> Operand<'a> {
    match stride {
        _ if n == 0 => Operand::Scalar(0.0),
        0 => Operand::Scalar(data[at]),
        1 => Operand::Slice(&data[at..at + n]),
        _ => {
            gather(data, at, stride, &mut block[..n]);
            Operand::Slice(&block[..n])
        }
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
        let missing = self.rank() - shape.len_axes();
        let axes: Vec<isize> = (0..self.rank())
            .filter(|&i| i < missing || shape[i - missing] == 1 && self.shape()[i] != 1)
            .map(|i| i as isize)
            .collect();
        self.sum_axes(axes, true).reshape(&shape)
    }
}
