//! Elementwise kernels: a formula in one or two numbers, over slices.
//!
//! A formula is a small `Copy` struct with its constants as fields. Each element's result depends on its operands alone,
//! bit for bit: not on its place in the slice, nor on the slice's length. Nothing here is parallel; whoever has threads
//! splits the slices.

use crate::Isa;
use crate::simd::{
    Kernel, Lane, MAX_LANES, Simd, dispatch,
    vectors::{read, read_partial, write, write_partial},
};

/// A formula in one number.
pub trait UnaryFn: Copy {
    /// The formula. Implementations must be `#[inline(always)]`.
    fn eval<S: Simd>(self, x: Lane<S>) -> Lane<S>;
}

/// A formula in two numbers.
pub trait BinaryFn: Copy {
    /// The formula. Implementations must be `#[inline(always)]`.
    fn eval<S: Simd>(self, a: Lane<S>, b: Lane<S>) -> Lane<S>;
}

/// What a formula reads.
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a> {
    /// One number for each element of the output.
    Slice(&'a [f32]),
    /// One number for all elements.
    Scalar(f32),
    /// The output is rows of as many elements as this; all of them read the same numbers.
    Row(&'a [f32]),
    /// One number for each row of the output, of which there are as many.
    Column(&'a [f32]),
    /// What the output held before: the operation is in place.
    Output,
}

impl<'a> From<&'a [f32]> for Operand<'a> {
    fn from(slice: &'a [f32]) -> Self {
        Operand::Slice(slice)
    }
}

impl From<f32> for Operand<'_> {
    fn from(scalar: f32) -> Self {
        Operand::Scalar(scalar)
    }
}

/// `out[i] = f(x[i])`
///
/// # Panics
/// When the lengths differ.
#[inline]
#[track_caller]
pub fn map<'a, F: UnaryFn>(isa: Isa, f: F, x: impl Into<Operand<'a>>, out: &mut [f32]) {
    sweep(isa, Unary(f), [x.into()], out);
}

/// `x[i] = f(x[i])`
#[inline]
pub fn map_inplace<F: UnaryFn>(isa: Isa, f: F, x: &mut [f32]) {
    map(isa, f, Operand::Output, x);
}

/// `out[i] = f(a[i], b[i])`
///
/// # Panics
/// When the lengths differ.
#[inline]
#[track_caller]
pub fn zip<'a, 'b, F: BinaryFn>(
    isa: Isa,
    f: F,
    a: impl Into<Operand<'a>>,
    b: impl Into<Operand<'b>>,
    out: &mut [f32],
) {
    sweep(isa, Binary(f), [a.into(), b.into()], out);
}

/// `out[i] = mask[i] != 0 ? a[i] : b[i]`
///
/// # Panics
/// When the lengths differ.
#[track_caller]
pub(crate) fn choose(isa: Isa, [mask, a, b]: [Operand<'_>; 3], out: &mut [f32]) {
    sweep(isa, Choose, [mask, a, b], out);
}

/// `out[i] = f(out[i])` within a kernel.
#[inline(always)]
pub(crate) fn map_run<S: Simd>(simd: S, f: impl UnaryFn, out: &mut [f32]) {
    let whole = out.len() - out.len() % S::LANES;
    let mut i = 0;
    while i < whole {
        write(f.eval(read(simd, out, i)), out, i);
        i += S::LANES;
    }
    if whole < out.len() {
        let rest = &mut out[whole..];
        write_partial(f.eval(read_partial(simd, rest)), rest);
    }
}

/// `out[i] = f(x[i])` within a kernel.
#[inline(always)]
pub(crate) fn map_run_from<S: Simd>(simd: S, f: impl UnaryFn, x: &[f32], out: &mut [f32]) {
    let x = &x[..out.len()];
    let whole = out.len() - out.len() % S::LANES;
    let mut i = 0;
    while i < whole {
        write(f.eval(read(simd, x, i)), out, i);
        i += S::LANES;
    }
    if whole < out.len() {
        write_partial(f.eval(read_partial(simd, &x[whole..])), &mut out[whole..]);
    }
}

/// A formula in `N` numbers: the form in which [`sweep`] sees all of them.
trait Formula<const N: usize>: Copy {
    fn eval<S: Simd>(self, x: [Lane<S>; N]) -> Lane<S>;
}

#[derive(Clone, Copy)]
struct Unary<F>(F);

#[derive(Clone, Copy)]
struct Binary<F>(F);

impl<F: UnaryFn> Formula<1> for Unary<F> {
    #[inline(always)]
    fn eval<S: Simd>(self, [x]: [Lane<S>; 1]) -> Lane<S> {
        self.0.eval(x)
    }
}

impl<F: BinaryFn> Formula<2> for Binary<F> {
    #[inline(always)]
    fn eval<S: Simd>(self, [a, b]: [Lane<S>; 2]) -> Lane<S> {
        self.0.eval(a, b)
    }
}

#[derive(Clone, Copy)]
struct Choose;

impl Formula<3> for Choose {
    #[inline(always)]
    fn eval<S: Simd>(self, [mask, a, b]: [Lane<S>; 3]) -> Lane<S> {
        // NaN is not 0.
        mask.eq(0.0).select(b, a)
    }
}

/// Where the numbers of one operand lie: element `i` at `start + (i & mask)`. The mask is all ones for a slice, and zero
/// for a scalar, which lies in a small array full of copies; so one loop serves every mixture of operands.
#[derive(Clone, Copy)]
struct Input {
    start: *const f32,
    mask: usize,
}

/// `out[i] = f(operands[i])`
#[inline(always)]
#[track_caller]
fn sweep<F: Formula<N>, const N: usize>(isa: Isa, f: F, operands: [Operand<'_>; N], out: &mut [f32]) {
    let row = row_length(&operands, out.len());
    if !out.is_empty() {
        dispatch(isa, Sweep { f, operands, row, out });
    }
}

/// The elements in a row of the output.
///
/// # Panics
/// When an operand does not fit the output.
#[inline(always)]
#[track_caller]
fn row_length(operands: &[Operand<'_>], len: usize) -> usize {
    let mut row = len;
    for operand in operands {
        match operand {
            Operand::Row(x) => row = x.len(),
            Operand::Column(x) => row = len / x.len().max(1),
            _ => {}
        }
    }
    for operand in operands {
        let (has, wants) = match operand {
            Operand::Slice(x) => (x.len(), len),
            Operand::Row(x) => (x.len() * len.checked_div(row).unwrap_or(0), len),
            Operand::Column(x) => (x.len() * row, len),
            Operand::Scalar(_) | Operand::Output => continue,
        };
        assert!(
            has == wants,
            "map: an operand has {has} elements, the output {wants}; give one number as a scalar"
        );
    }
    row
}

/// `out[i] = f(a[i], b[i])` for any function, an element at a time.
///
/// # Panics
/// When the lengths differ.
#[track_caller]
pub(crate) fn zip_with(f: impl Fn(f32, f32) -> f32, a: Operand<'_>, b: Operand<'_>, out: &mut [f32]) {
    let row = row_length(&[a, b], out.len());
    for (r, out) in out.chunks_mut(row.max(1)).enumerate() {
        let part = |operand| match operand {
            Operand::Slice(x) => Operand::Slice(&x[r * row..][..row]),
            Operand::Row(x) => Operand::Slice(x),
            Operand::Column(x) => Operand::Scalar(x[r]),
            other => other,
        };
        match (part(a), part(b)) {
            (Operand::Slice(a), Operand::Slice(b)) => {
                out.iter_mut().zip(a.iter().zip(b)).for_each(|(y, (&a, &b))| *y = f(a, b));
            }
            (Operand::Slice(a), Operand::Scalar(b)) => out.iter_mut().zip(a).for_each(|(y, &a)| *y = f(a, b)),
            (Operand::Scalar(a), Operand::Slice(b)) => out.iter_mut().zip(b).for_each(|(y, &b)| *y = f(a, b)),
            (Operand::Scalar(a), Operand::Scalar(b)) => out.fill(f(a, b)),
            _ => unreachable!("nothing is computed in place here"),
        }
    }
}

struct Sweep<'a, F, const N: usize> {
    f: F,
    operands: [Operand<'a>; N],
    /// Elements in a row of the output; rows and columns among the operands have lengths that fit.
    row: usize,
    out: &'a mut [f32],
}

impl<F: Formula<N>, const N: usize> Kernel for Sweep<'_, F, N> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        const { assert!(S::LANES <= MAX_LANES) };
        let Sweep { f, operands, row, out } = self;
        let mut copies = [[0.0; MAX_LANES]; N];
        for (r, out) in out.chunks_exact_mut(row).enumerate() {
            let out = out.as_mut_ptr();
            let mut inputs = [Input { start: out, mask: usize::MAX }; N];
            for k in 0..N {
                let mut number = |x| {
                    copies[k] = [x; MAX_LANES];
                    Input { start: copies[k].as_ptr(), mask: 0 }
                };
                match operands[k] {
                    Operand::Slice(x) => inputs[k].start = x[r * row..][..row].as_ptr(),
                    Operand::Row(x) => inputs[k].start = x[..row].as_ptr(),
                    Operand::Scalar(x) => inputs[k] = number(x),
                    Operand::Column(x) => inputs[k] = number(x[r]),
                    Operand::Output => {}
                }
            }

            let mut i = 0;
            // Two vectors at once: their formulas do not wait for each other.
            while i + 2 * S::LANES <= row {
                // SAFETY: i + 2 LANES <= row, and every slice has `row` numbers; a scalar has MAX_LANES copies. Nothing
                // borrows `out` meanwhile: it is only reached through these pointers, and read before it is written.
                unsafe {
                    let x = vectors(simd, &inputs, i, S::LANES);
                    let y = vectors(simd, &inputs, i + S::LANES, S::LANES);
                    f.eval(x).store(out.add(i));
                    f.eval(y).store(out.add(i + S::LANES));
                }
                i += 2 * S::LANES;
            }
            while i < row {
                let count = S::LANES.min(row - i);
                // SAFETY: as above, for i + count <= row.
                unsafe {
                    let x = vectors(simd, &inputs, i, count);
                    f.eval(x).store_partial(out.add(i), count);
                }
                i += count;
            }
        }
    }
}

/// Reads `count` <= LANES elements from `i` on of each operand.
///
/// # Safety
/// Each slice must have these elements.
#[inline(always)]
unsafe fn vectors<S: Simd, const N: usize>(
    simd: S,
    inputs: &[Input; N],
    i: usize,
    count: usize,
) -> [Lane<S>; N] {
    let mut x = [Lane::splat(simd, 0.0); N];
    for k in 0..N {
        // SAFETY: the caller vouches for the elements.
        unsafe {
            let from = inputs[k].start.add(i & inputs[k].mask);
            x[k] = if count == S::LANES {
                Lane::load(simd, from)
            } else {
                Lane::load_partial(simd, from, count)
            };
        }
    }
    x
}
