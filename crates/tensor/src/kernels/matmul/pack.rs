//! Packing: copies a part of an operand into panels that the register tile reads from front to back.

use crate::simd::{Kernel, Lane, Simd};

/// The part of an operand that becomes one panel: `lines` rows of A, or columns of B, with `k` elements each.
#[derive(Clone, Copy)]
pub(super) struct Lines {
    pub(super) start: *const f32,
    pub(super) lines: usize,
    pub(super) k: usize,
    /// The distance between the same element of two lines.
    pub(super) line_stride: isize,
    /// The distance between two elements of a line.
    pub(super) k_stride: isize,
}

/// Writes a panel: `panel[p * width + i]` is element `p` of line `i`, or zero when there is no such line.
///
/// # Safety
/// * The processor has the instruction set.
/// * All elements of `lines` may be read, and `lines.k * width + LANES` floats written at `panel`.
/// * `width` is `lines.lines` (at most `LANES`), or the next multiple of `LANES` from there.
pub(super) type Pack = unsafe fn(lines: &Lines, width: usize, panel: *mut f32);

/// The [`Pack`] of an instruction set.
///
/// # Safety
/// See [`Pack`].
pub(super) unsafe fn kernel<S: Simd>(lines: &Lines, width: usize, panel: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe { S::run(Packing { lines, width, panel }) }
}

/// Writes a panel: `panel[p * width + i]` is what stands `starts[p] + i` floats behind `from`.
///
/// # Safety
/// * The processor has the instruction set, and `width` is a multiple of its vectors' length.
/// * `width` floats may be read from each place, and `starts.len() * width` written at `panel`.
pub(super) type PackRows = unsafe fn(from: *const f32, starts: &[usize], width: usize, panel: *mut f32);

/// The [`PackRows`] of an instruction set.
///
/// # Safety
/// See [`PackRows`].
pub(super) unsafe fn rows_kernel<S: Simd>(from: *const f32, starts: &[usize], width: usize, panel: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe { S::run(PackingRows { from, starts, width, panel }) }
}

/// A panel of rows to write, whose maker has kept the conditions of [`PackRows`].
struct PackingRows<'a> {
    from: *const f32,
    starts: &'a [usize],
    width: usize,
    panel: *mut f32,
}

impl Kernel for PackingRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let PackingRows { from, starts, width, panel } = self;
        for (p, &start) in starts.iter().enumerate() {
            for i in (0..width).step_by(S::LANES) {
                // SAFETY: the maker's promise covers whole vectors of each row and of the panel.
                unsafe {
                    let row = Lane::load(simd, from.wrapping_add(start + i));
                    row.store(panel.wrapping_add(p * width + i));
                }
            }
        }
    }
}

/// A panel to write, whose maker has kept the conditions of [`Pack`].
struct Packing<'a> {
    lines: &'a Lines,
    width: usize,
    panel: *mut f32,
}

impl Kernel for Packing<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Packing { lines, width, panel } = self;
        // SAFETY: each path reads elements of `lines` only and keeps to the panel (and the `LANES` floats behind
        // it).
        unsafe {
            if lines.k_stride == 1 {
                pack_contiguous_lines(simd, lines, width, panel);
            } else if lines.line_stride == 1 {
                pack_adjacent_lines(simd, lines, width, panel);
            } else {
                pack_elements(lines, 0, width, panel);
            }
        }
    }
}

/// Each line is contiguous: transposes squares in registers.
///
/// # Safety
/// See [`Pack`].
#[inline(always)]
unsafe fn pack_contiguous_lines<S: Simd>(simd: S, lines: &Lines, width: usize, panel: *mut f32) {
    let whole = lines.k / S::LANES * S::LANES;
    // SAFETY: a square lies within the lines. Its rows overlap those of the next steps when the width is
    // below LANES, and then only what a later store overwrites, or the LANES floats behind the panel.
    unsafe {
        for p in (0..whole).step_by(S::LANES) {
            for i in (0..width).step_by(S::LANES) {
                let src = lines.start.wrapping_offset(i as isize * lines.line_stride).wrapping_add(p);
                let dst = panel.wrapping_add(p * width + i);
                simd.transpose(src, lines.line_stride, lines.lines.saturating_sub(i), dst, width);
            }
        }
        pack_elements(lines, whole, width, panel);
    }
}

/// The same element of all lines is contiguous: copies vectors.
///
/// # Safety
/// See [`Pack`].
#[inline(always)]
unsafe fn pack_adjacent_lines<S: Simd>(simd: S, lines: &Lines, width: usize, panel: *mut f32) {
    let whole = lines.lines / S::LANES * S::LANES;
    let rest = lines.lines - whole;
    let mut src = lines.start;
    let mut dst = panel;
    // SAFETY: reads whole vectors of the lines, then the rest under a mask. The last store of a step may
    // reach into the next step, which is written later, or into the LANES floats behind the panel.
    unsafe {
        for _ in 0..lines.k {
            for i in (0..whole).step_by(S::LANES) {
                Lane::load(simd, src.wrapping_add(i)).store(dst.wrapping_add(i));
            }
            if rest > 0 {
                Lane::load_partial(simd, src.wrapping_add(whole), rest).store(dst.wrapping_add(whole));
            }
            src = src.wrapping_offset(lines.k_stride);
            dst = dst.wrapping_add(width);
        }
    }
}

/// Any strides, from step `from` on: copies element by element.
///
/// # Safety
/// See [`Pack`].
#[inline(always)]
unsafe fn pack_elements(lines: &Lines, from: usize, width: usize, panel: *mut f32) {
    for p in from..lines.k {
        let src = lines.start.wrapping_offset(p as isize * lines.k_stride);
        for i in 0..width {
            // SAFETY: reads only lines that exist, writes within the panel.
            unsafe {
                let x =
                    if i < lines.lines { *src.wrapping_offset(i as isize * lines.line_stride) } else { 0.0 };
                panel.wrapping_add(p * width + i).write(x);
            }
        }
    }
}
