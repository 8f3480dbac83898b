//! The product of a vector and a matrix, without packing: every element of the matrix is used once, so reading it is all
//! the work.

use super::arena::Scratch;
use super::kernels::Kernels;
use super::lanes::Lanes;
use super::operand::{Mat, MatMut};
use super::tile::Walk;
use super::{Activation, Epilogue};
use crate::par;

/// Computes the elements `sums` of `x * B`.
///
/// # Safety
/// The processor has the instruction set, and what the kernel's own description says of the matrix is right.
pub(super) type VectorMatrix = unsafe fn(x: &[f32], b: Walk, sums: &mut [f32]);

/// For columns that are contiguous: dot products. `b` walks over `sums.len()` columns, each with `x.len()` floats.
///
/// # Safety
/// See [`VectorMatrix`].
#[inline(always)]
pub(super) unsafe fn contiguous_columns<L: Lanes>(x: &[f32], b: Walk, sums: &mut [f32]) {
    let mut column = b;
    let (eights, rest) = sums.as_chunks_mut::<8>();
    // SAFETY: there is a column for each of the sums.
    unsafe {
        for sums in eights {
            dots::<L, 8>(x, column, sums);
            column.start = column.start.wrapping_offset(8 * b.stride);
        }
        for sum in rest {
            dots::<L, 1>(x, column, std::array::from_mut(sum));
            column.start = column.start.wrapping_offset(b.stride);
        }
    }
}

/// `N` dot products side by side, which hides the latency of the additions. Each has one register of partial sums, so its
/// value does not depend on its neighbours.
///
/// # Safety
/// As for [`contiguous_columns`].
#[inline(always)]
unsafe fn dots<L: Lanes, const N: usize>(x: &[f32], b: Walk, out: &mut [f32; N]) {
    let whole = x.len() / L::COUNT * L::COUNT;
    let rest = x.len() - whole;
    let at = |p: usize, j: usize| b.start.wrapping_offset(j as isize * b.stride).wrapping_add(p);
    // SAFETY: reads the elements of `x` and as many of each column.
    unsafe {
        let mut sums = [L::zero(); N];
        for p in (0..whole).step_by(L::COUNT) {
            let x = L::load(x.as_ptr().add(p));
            for (j, sum) in sums.iter_mut().enumerate() {
                *sum = L::load(at(p, j)).mul_add(x, *sum);
            }
        }
        if rest > 0 {
            let x = L::load_first(x.as_ptr().add(whole), rest);
            for (j, sum) in sums.iter_mut().enumerate() {
                *sum = L::load_first(at(whole, j), rest).mul_add(x, *sum);
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = sum.sum();
        }
    }
}

/// For rows that are contiguous: adds up multiples of rows. `b` walks over `x.len()` rows, each with `sums.len()` floats.
///
/// # Safety
/// See [`VectorMatrix`].
#[inline(always)]
pub(super) unsafe fn contiguous_rows<L: Lanes>(x: &[f32], b: Walk, sums: &mut [f32]) {
    sums.fill(0.0);
    let mut row = b;
    let (eights, rest) = x.as_chunks::<8>();
    // SAFETY: there is a row for each element of `x`.
    unsafe {
        for x in eights {
            add_rows::<L, 8>(x, row, sums);
            row.start = row.start.wrapping_offset(8 * b.stride);
        }
        for x in rest {
            add_rows::<L, 1>(std::array::from_ref(x), row, sums);
            row.start = row.start.wrapping_offset(b.stride);
        }
    }
}

/// Adds `N` multiples of rows to `sums`, one after the other within each element.
///
/// # Safety
/// As for [`contiguous_rows`].
#[inline(always)]
unsafe fn add_rows<L: Lanes, const N: usize>(x: &[f32; N], b: Walk, sums: &mut [f32]) {
    let whole = sums.len() / L::COUNT * L::COUNT;
    let rest = sums.len() - whole;
    let at = |p: usize, j: usize| b.start.wrapping_offset(p as isize * b.stride).wrapping_add(j);
    let out = sums.as_mut_ptr();
    // SAFETY: reads as many elements of each row as there are sums, and changes those.
    unsafe {
        let factors = x.map(|x| L::splat(x));
        for j in (0..whole).step_by(L::COUNT) {
            let mut sum = L::load(out.add(j));
            for (p, factor) in factors.iter().enumerate() {
                sum = L::load(at(p, j)).mul_add(*factor, sum);
            }
            sum.store(out.add(j));
        }
        if rest > 0 {
            let mut sum = L::load_first(out.add(whole), rest);
            for (p, factor) in factors.iter().enumerate() {
                sum = L::load_first(at(p, whole), rest).mul_add(*factor, sum);
            }
            sum.store_first(out.add(whole), rest);
        }
    }
}

/// Outputs that one call of a kernel computes at most: their sums stay in the first cache level.
const STRIP: usize = 512;

/// Computes `a * b` where one of them is a vector, on up to `threads` threads. Does nothing and returns false when the
/// matrix has neither contiguous rows nor contiguous columns.
///
/// # Safety
/// `a` has one row or `b` one column, the sizes of `a`, `b`, `out` and the bias fit together, and nothing else uses `out`
/// during the call.
pub(super) unsafe fn product(
    kernels: &Kernels,
    a: &Mat<'_>,
    b: &Mat<'_>,
    out: &MatMut<'_>,
    epilogue: &Epilogue<'_>,
    threads: usize,
) -> bool {
    // A product with a column vector is the transpose of one with a row vector.
    let row = a.rows() == 1;
    let (x, b) = if row { (*a, *b) } else { (b.transposed(), a.transposed()) };
    let (k, n) = (b.rows(), b.cols());
    let place = |j: usize| if row { out.at(0, j) } else { out.at(j, 0) };
    let bias = |j: usize| epilogue.bias.map_or(0.0, |bias| bias[if row { j } else { 0 }]);

    let (kernel, stride) = if b.effective_col_stride() == 1 {
        (kernels.contiguous_rows, b.row_stride())
    } else if b.effective_row_stride() == 1 {
        (kernels.contiguous_columns, b.col_stride())
    } else {
        return false;
    };

    let mut scratch = Scratch::take(if x.effective_col_stride() == 1 { 0 } else { k });
    let x = if x.effective_col_stride() == 1 {
        // SAFETY: the k elements of the vector are contiguous. (With k = 0 the address may be beyond its memory.)
        if k == 0 { &[] } else { unsafe { std::slice::from_raw_parts(x.at(0, 0), k) } }
    } else {
        for (p, element) in scratch[..k].iter_mut().enumerate() {
            // SAFETY: element (0, p) exists.
            *element = unsafe { *x.at(0, p) };
        }
        &scratch[..k]
    };

    let threads = if k * n < par::VECTOR_MATRIX_MIN_WORK { 1 } else { threads };
    let strip = n.div_ceil(threads).next_multiple_of(16).min(STRIP);
    par::for_each_part(n.div_ceil(strip), |part| {
        let from = part * strip;
        let mut sums = [0.0; STRIP];
        let sums = &mut sums[..strip.min(n - from)];
        // SAFETY: the columns of the strip exist, and the matrix is as the kernel wants it.
        unsafe { kernel(x, Walk { start: b.at(0, from), stride }, sums) };
        for (j, sum) in sums.iter_mut().enumerate() {
            if epilogue.accumulate {
                // SAFETY: this element of the output belongs to this part.
                *sum += unsafe { *place(from + j) };
            }
            *sum += bias(from + j);
        }
        match epilogue.activation {
            Activation::None => {}
            Activation::Relu => sums.iter_mut().filter(|x| **x < 0.0).for_each(|x| *x = 0.0),
            Activation::Map(map) => map(sums),
        }
        for (j, sum) in sums.iter().enumerate() {
            // SAFETY: as above.
            unsafe { *place(from + j) = *sum };
        }
    });
    true
}
