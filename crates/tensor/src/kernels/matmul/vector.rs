//! The product of a vector, or of a few, and a matrix, without packing: an element of the matrix is used so
//! seldom that reading it is most of the work.

use super::arena::Scratch;
use super::operand::Mat;
use super::tile::Walk;
use super::{Activation, Product};
use crate::simd::{Kernel, Lane, Simd};
use crate::threads::share;

/// Computes `x * B` for a few vectors of `k` contiguous elements, over which `x` walks. `sums` receives the
/// results, vector after vector.
///
/// # Safety
/// The processor has the instruction set; the vectors may be read; `sums` divides evenly into `vectors`
/// parts; and what the kernel's own description says of the matrix is right.
pub(super) type VectorMatrix = unsafe fn(vectors: usize, k: usize, x: Walk, b: Walk, sums: &mut [f32]);

/// For columns that are contiguous: dot products. `b` walks over the columns.
///
/// # Safety
/// See [`VectorMatrix`].
pub(super) unsafe fn contiguous_columns<S: Simd>(
    vectors: usize,
    k: usize,
    x: Walk,
    b: Walk,
    sums: &mut [f32],
) {
    // SAFETY: the caller's promise.
    unsafe { S::run(ContiguousColumns { vectors, k, x, b, sums }) }
}

/// For rows that are contiguous: adds up multiples of rows. `b` walks over the rows, one for each element of
/// a vector.
///
/// # Safety
/// See [`VectorMatrix`].
pub(super) unsafe fn contiguous_rows<S: Simd>(vectors: usize, k: usize, x: Walk, b: Walk, sums: &mut [f32]) {
    // SAFETY: the caller's promise.
    unsafe { S::run(ContiguousRows { vectors, k, x, b, sums }) }
}

/// A product whose maker has kept the conditions of [`contiguous_columns`].
struct ContiguousColumns<'a> {
    vectors: usize,
    k: usize,
    x: Walk,
    b: Walk,
    sums: &'a mut [f32],
}

impl Kernel for ContiguousColumns<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        // So many vectors and four columns at a time share what is loaded.
        if S::TILE_ROWS > 8 { self.dots::<S, 4>(simd) } else { self.dots::<S, 2>(simd) }
    }
}

impl ContiguousColumns<'_> {
    #[inline(always)]
    fn dots<S: Simd, const R: usize>(self, simd: S) {
        let ContiguousColumns { vectors, k, x, b, sums } = self;
        let n = sums.len() / vectors;
        let sums = sums.as_mut_ptr();
        let mut i = 0;
        while i < vectors {
            let rows = if i + R <= vectors { R } else { 1 };
            let vector = x.from(i);
            let mut j = 0;
            while j < n {
                let column = b.from(j);
                // SAFETY: there is a column for each of the n sums of a vector.
                unsafe {
                    let out = sums.add(i * n + j);
                    j += match (rows == R, n - j) {
                        (true, 4..) => dots::<S, R, 4>(simd, k, vector, column, out, n),
                        (true, _) => dots::<S, R, 1>(simd, k, vector, column, out, n),
                        (false, 8..) => dots::<S, 1, 8>(simd, k, vector, column, out, n),
                        (false, _) => dots::<S, 1, 1>(simd, k, vector, column, out, n),
                    };
                }
            }
            i += rows;
        }
    }
}

/// The dot products of `R` vectors and `C` columns. Each has one register of partial sums, so its value does
/// not depend on its neighbours. Returns `C`.
///
/// # Safety
/// As for [`contiguous_columns`]; the sums of two vectors are `out_stride` apart.
#[inline(always)]
unsafe fn dots<S: Simd, const R: usize, const C: usize>(
    simd: S,
    k: usize,
    x: Walk,
    b: Walk,
    out: *mut f32,
    out_stride: usize,
) -> usize {
    let whole = k / S::LANES * S::LANES;
    let rest = k - whole;
    let at = |walk: Walk, i: usize, p: usize| walk.from(i).start.wrapping_add(p);
    // SAFETY: reads `k` elements of each vector and column and writes the sums.
    unsafe {
        let mut sums = [[Lane::splat(simd, 0.0); C]; R];
        let step = |sums: &mut [[Lane<S>; C]; R], xs: [Lane<S>; R], columns: [Lane<S>; C]| {
            for (row, x) in sums.iter_mut().zip(xs) {
                for (sum, column) in row.iter_mut().zip(columns) {
                    *sum = x.mul_add(column, *sum);
                }
            }
        };
        for p in (0..whole).step_by(S::LANES) {
            let xs = std::array::from_fn(|i| Lane::load(simd, at(x, i, p)));
            step(&mut sums, xs, std::array::from_fn(|j| Lane::load(simd, at(b, j, p))));
        }
        if rest > 0 {
            let xs = std::array::from_fn(|i| Lane::load_partial(simd, at(x, i, whole), rest));
            step(&mut sums, xs, std::array::from_fn(|j| Lane::load_partial(simd, at(b, j, whole), rest)));
        }
        for (i, row) in sums.into_iter().enumerate() {
            for (j, sum) in row.into_iter().enumerate() {
                out.add(i * out_stride + j).write(sum.sum());
            }
        }
    }
    C
}

/// A product whose maker has kept the conditions of [`contiguous_rows`].
struct ContiguousRows<'a> {
    vectors: usize,
    k: usize,
    x: Walk,
    b: Walk,
    sums: &'a mut [f32],
}

impl Kernel for ContiguousRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let ContiguousRows { vectors, k, x, b, sums } = self;
        let n = sums.len() / vectors;
        for (i, sums) in sums.chunks_exact_mut(n).enumerate() {
            let x = x.from(i).start;
            sums.fill(0.0);
            let eights = k / 8 * 8;
            // SAFETY: there are `k` elements of `x` and as many rows.
            unsafe {
                for p in (0..eights).step_by(8) {
                    add_rows::<S, 8>(simd, x.add(p), b.from(p), sums);
                }
                for p in eights..k {
                    add_rows::<S, 1>(simd, x.add(p), b.from(p), sums);
                }
            }
        }
    }
}

/// Adds multiples of `N` rows to `sums`, one after the other within each element.
///
/// # Safety
/// As for [`contiguous_rows`], with `N` elements of one vector.
#[inline(always)]
unsafe fn add_rows<S: Simd, const N: usize>(simd: S, x: *const f32, b: Walk, sums: &mut [f32]) {
    let whole = sums.len() / S::LANES * S::LANES;
    let rest = sums.len() - whole;
    let at = |p: usize, j: usize| b.from(p).start.wrapping_add(j);
    let out = sums.as_mut_ptr();
    // SAFETY: reads as many elements of each row as there are sums, and changes those.
    unsafe {
        let factors: [Lane<S>; N] = std::array::from_fn(|p| Lane::splat(simd, *x.add(p)));
        for j in (0..whole).step_by(S::LANES) {
            let mut sum = Lane::load(simd, out.add(j));
            for (p, factor) in factors.iter().enumerate() {
                sum = Lane::load(simd, at(p, j)).mul_add(*factor, sum);
            }
            sum.store(out.add(j));
        }
        if rest > 0 {
            let mut sum = Lane::load_partial(simd, out.add(whole), rest);
            for (p, factor) in factors.iter().enumerate() {
                sum = Lane::load_partial(simd, at(p, whole), rest).mul_add(*factor, sum);
            }
            sum.store_partial(out.add(whole), rest);
        }
    }
}

/// Results that one call of a kernel computes at most: their sums stay in the first cache level.
const STRIP: usize = 512;

/// The most vectors that count as a few.
pub(super) const MAX_VECTORS: usize = 32;

/// Floats of the matrix that several vectors share before the next part is read: they too stay in the first
/// cache level.
const SHARED: usize = 1 << 13;

/// Computes a product of which one operand is a vector, or a few of them, on up to `threads` threads; `b` is the right one. Does
/// nothing and returns false when the matrix does not lie in memory as a kernel wants it.
///
/// # Safety
/// There are at most [`MAX_VECTORS`] vectors, and nothing else uses the output during the call.
pub(super) unsafe fn product(product: &Product<'_>, b: Mat<'_>, threads: usize) -> bool {
    let Product { kernels, a, out, epilogue, .. } = product;
    // A product with few columns is the transpose of one with few rows.
    let wide = a.rows() <= b.cols();
    let (x, b) = if wide { (**a, b) } else { (b.transposed(), a.transposed()) };
    let place = |i: usize, j: usize| if wide { out.at(i, j) } else { out.at(j, i) };
    let (vectors, k, n) = (x.rows(), b.rows(), b.cols());

    let by_columns = b.effective_row_stride() == 1;
    let by_rows = vectors == 1 && b.effective_col_stride() == 1;
    let (kernel, stride) = if by_columns && (n == 1 || !by_rows) {
        (kernels.contiguous_columns, b.col_stride())
    } else if by_rows {
        (kernels.contiguous_rows, b.row_stride())
    } else {
        return false;
    };

    let contiguous = x.effective_col_stride() == 1;
    let mut copy = Scratch::take(if contiguous { 0 } else { vectors * k });
    let x = if contiguous {
        x
    } else {
        for (i, row) in copy.chunks_exact_mut(k).enumerate().take(vectors) {
            for (p, element) in row.iter_mut().enumerate() {
                // SAFETY: this element exists.
                *element = unsafe { *x.at(i, p) };
            }
        }
        Mat::new(&copy, 0, [vectors, k], [k as isize, 1])
    };

    let threads = if (vectors * n).saturating_mul(k) < share::VECTOR_MATRIX_MIN_WORK { 1 } else { threads };
    let shared = if vectors == 1 { STRIP } else { (SHARED / k.max(1)).clamp(4, STRIP / vectors) };
    let strip = n.div_ceil(threads).min(shared);
    share::for_each_part(n.div_ceil(strip), &|part| {
        let from = part * strip;
        let count = strip.min(n - from);
        let mut sums = [0.0; STRIP];
        let sums = &mut sums[..vectors * count];
        let x = Walk { start: x.at(0, 0), stride: x.row_stride() };
        // SAFETY: the columns of the strip exist, and the matrix is as the kernel wants it.
        unsafe { kernel(vectors, k, x, Walk { start: b.at(0, from), stride }, sums) };
        for (i, sums) in sums.chunks_exact_mut(count).enumerate() {
            if epilogue.accumulate {
                for (j, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: this element of the output belongs to this part.
                    *sum += unsafe { *place(i, from + j) };
                }
            }
            if let Some(bias) = epilogue.bias {
                for (j, sum) in sums.iter_mut().enumerate() {
                    *sum += bias[if wide { from + j } else { i }];
                }
            }
            match epilogue.activation {
                Activation::None => {}
                Activation::Relu => sums.iter_mut().filter(|x| **x < 0.0).for_each(|x| *x = 0.0),
                Activation::Map(map) => map(sums),
            }
            for (j, sum) in sums.iter().enumerate() {
                // SAFETY: as above.
                unsafe { *place(i, from + j) = *sum };
            }
        }
    });
    true
}
