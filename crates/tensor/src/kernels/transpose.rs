//! The copy of a transposed matrix.

use crate::Isa;
use crate::simd::{Kernel, Simd, dispatch};

/// Rows and columns of a block: those of a cache line, so that every line is read once and written once. Lines whose
/// distance is a power of two fall into one set of the cache, and do not stay there until they would be needed again.
const BLOCK: usize = 16;

/// `out[j * out_stride + i] = x[i * stride + j]` for `i < rows` and `j < columns`.
///
/// # Panics
/// When the processor lacks the instruction set, or `x` or `out` is too short.
pub(crate) fn transpose(
    isa: Isa,
    x: &[f32],
    stride: usize,
    [rows, columns]: [usize; 2],
    out: &mut [f32],
    out_stride: usize,
) {
    if rows == 0 || columns == 0 {
        return;
    }
    let reach = |rows: usize, stride: usize, columns: usize| {
        (rows - 1).checked_mul(stride).and_then(|last| last.checked_add(columns))
    };
    let fits = |reach: Option<usize>, len: usize| reach.is_some_and(|reach| reach <= len);
    assert!(fits(reach(rows, stride, columns), x.len()), "transpose: the source is too short");
    assert!(fits(reach(columns, out_stride, rows), out.len()), "transpose: the result is too short");
    let whole = [rows - rows % BLOCK, columns - columns % BLOCK];
    dispatch(isa, Blocks { x: x.as_ptr(), stride, size: whole, out: out.as_mut_ptr(), out_stride });
    for j in 0..columns {
        let first = if j < whole[1] { whole[0] } else { 0 };
        for i in first..rows {
            out[j * out_stride + i] = x[i * stride + j];
        }
    }
}

/// The rows and columns that make whole blocks. Both sizes are multiples of [`BLOCK`]; `x` may be read and `out` written
/// at every place that [`transpose`] names, and they do not overlap.
struct Blocks {
    x: *const f32,
    stride: usize,
    size: [usize; 2],
    out: *mut f32,
    out_stride: usize,
}

impl Kernel for Blocks {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        const { assert!(BLOCK.is_multiple_of(S::LANES)) };
        let Blocks { x, stride, size: [rows, columns], out, out_stride } = self;
        for column in (0..columns).step_by(BLOCK) {
            for row in (0..rows).step_by(BLOCK) {
                for j in (column..column + BLOCK).step_by(S::LANES) {
                    for i in (row..row + BLOCK).step_by(S::LANES) {
                        // SAFETY: the square lies within the sizes, and a slice is never longer than an `isize` can
                        // count.
                        unsafe {
                            let (from, to) = (x.add(i * stride + j), out.add(j * out_stride + i));
                            simd.transpose(from, stride as isize, S::LANES, to, out_stride);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_every_element_in_its_place_and_touches_nothing_else() {
        for isa in [Isa::Portable, Isa::Avx2, Isa::Avx512] {
            if isa > Isa::detect() {
                continue;
            }
            for (rows, columns) in
                [(0, 3), (3, 0), (1, 1), (1, 40), (40, 1), (15, 17), (16, 16), (17, 15), (33, 70)]
            {
                for (gap, out_gap) in [(0, 0), (1, 0), (0, 3), (5, 2)] {
                    let (stride, out_stride) = (columns + gap, rows + out_gap);
                    let x: Vec<f32> = (0..(rows.max(1) - 1) * stride + columns).map(|i| i as f32).collect();
                    let mut out = vec![-1.0; (columns.max(1) - 1) * out_stride + rows];
                    transpose(isa, &x, stride, [rows, columns], &mut out, out_stride);
                    for (at, &found) in out.iter().enumerate() {
                        let (j, i) = (at / out_stride.max(1), at % out_stride.max(1));
                        let expected = if i < rows && j < columns { (i * stride + j) as f32 } else { -1.0 };
                        assert_eq!(
                            found, expected,
                            "{isa:?}, {rows} x {columns}, strides {stride} and {out_stride}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "the source is too short")]
    fn a_source_that_is_too_short_is_refused() {
        transpose(Isa::Portable, &[0.0; 5], 3, [2, 3], &mut [0.0; 6], 2);
    }

    #[test]
    #[should_panic(expected = "the result is too short")]
    fn a_result_that_is_too_short_is_refused() {
        transpose(Isa::Portable, &[0.0; 6], 3, [2, 3], &mut [0.0; 5], 2);
    }
}
