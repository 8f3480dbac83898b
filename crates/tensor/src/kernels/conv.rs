//! The two inner loops of convolution: a matrix times shifted rows, and dot products with shifted rows.
//!
//! An element of a result is always added up in the same order, whatever tile it falls into: how a caller divides the
//! rows among threads does not change a bit.

use crate::isa::Isa;

/// Columns come in multiples of this.
pub(crate) const CHUNK: usize = 16;

/// `out[r][p] = Σ_t weights[r][t] · x[offsets[t] + p]` for `p < columns`, the terms added in the order of `t`.
pub(crate) fn multiply(weights: &[f32], offsets: &[usize], x: &[f32], columns: usize, out: &mut [f32]) {
    debug_assert!(columns.is_multiple_of(CHUNK) && weights.len() * columns == out.len() * offsets.len());
    match Isa::current() {
        // SAFETY: `Isa::current` names only sets that this processor has.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512::multiply(weights, offsets, x, columns, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::multiply(weights, offsets, x, columns, out) },
        _ => portable::multiply(weights, offsets, x, columns, out),
    }
}

/// `out[r][t] += Σ_p g[r][p] · x[offsets[t] + p]` for `p < columns`.
pub(crate) fn dots(g: &[f32], offsets: &[usize], x: &[f32], columns: usize, out: &mut [f32]) {
    debug_assert!(columns.is_multiple_of(CHUNK) && g.len() * offsets.len() == out.len() * columns);
    match Isa::current() {
        // SAFETY: `Isa::current` names only sets that this processor has.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512::dots(g, offsets, x, columns, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::dots(g, offsets, x, columns, out) },
        _ => portable::dots(g, offsets, x, columns, out),
    }
}

/// The loops compiled for one instruction set, with tiles that fill its registers: `multiply` in tiles of `rows` x
/// `wide` columns, `dots` in tiles of `dot_rows` x `dot_taps`.
macro_rules! compiled {
    ($isa:ident, fused: $fused:literal, [$($rows:literal)*] x $wide:literal, [$($dot_rows:literal)*] x $dot_taps:literal
     $(, #[$enable:meta])?) => {
        mod $isa {
            $(#[$enable])?
            pub(super) fn multiply(weights: &[f32], offsets: &[usize], x: &[f32], columns: usize, out: &mut [f32]) {
                let (mut weights, mut out, taps) = (weights, out, offsets.len());
                $(while out.len() >= $rows * columns {
                    let (tile, rest) = out.split_at_mut($rows * columns);
                    super::multiply_rows::<$fused, $rows, $wide>(weights, offsets, x, columns, tile);
                    (weights, out) = (&weights[$rows * taps..], rest);
                })*
            }

            $(#[$enable])?
            pub(super) fn dots(g: &[f32], offsets: &[usize], x: &[f32], columns: usize, out: &mut [f32]) {
                let (mut g, mut out, taps) = (g, out, offsets.len());
                $(while g.len() >= $dot_rows * columns {
                    let (tile, rest) = out.split_at_mut($dot_rows * taps);
                    super::dot_rows::<$fused, $dot_rows, $dot_taps>(g, offsets, x, columns, tile);
                    (g, out) = (&g[$dot_rows * columns..], rest);
                })*
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
compiled!(avx512, fused: true, [8 4 2 1] x 32, [4 2 1] x 4, #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]);
#[cfg(target_arch = "x86_64")]
compiled!(avx2, fused: true, [4 2 1] x 16, [2 1] x 2, #[target_feature(enable = "avx2,fma")]);
compiled!(portable, fused: false, [2 1] x 16, [1] x 2);

#[inline(always)]
fn multiply_rows<const FUSED: bool, const ROWS: usize, const WIDE: usize>(
    weights: &[f32],
    offsets: &[usize],
    x: &[f32],
    columns: usize,
    out: &mut [f32],
) {
    let mut p = 0;
    while columns - p >= WIDE {
        multiply_tile::<FUSED, ROWS, WIDE>(weights, offsets, x, p, columns, out);
        p += WIDE;
    }
    while p < columns {
        multiply_tile::<FUSED, ROWS, CHUNK>(weights, offsets, x, p, columns, out);
        p += CHUNK;
    }
}

#[inline(always)]
fn multiply_tile<const FUSED: bool, const ROWS: usize, const WIDE: usize>(
    weights: &[f32],
    offsets: &[usize],
    x: &[f32],
    p: usize,
    columns: usize,
    out: &mut [f32],
) {
    let taps = offsets.len();
    let weights: [&[f32]; ROWS] = std::array::from_fn(|r| &weights[r * taps..][..taps]);
    let mut sums = [[0.0; WIDE]; ROWS];
    for t in 0..taps {
        let x = row::<WIDE>(x, offsets[t] + p);
        for r in 0..ROWS {
            let w = weights[r][t];
            for j in 0..WIDE {
                sums[r][j] = mul_add::<FUSED>(w, x[j], sums[r][j]);
            }
        }
    }
    for r in 0..ROWS {
        out[r * columns + p..][..WIDE].copy_from_slice(&sums[r]);
    }
}

#[inline(always)]
fn dot_rows<const FUSED: bool, const ROWS: usize, const TAPS: usize>(
    g: &[f32],
    offsets: &[usize],
    x: &[f32],
    columns: usize,
    out: &mut [f32],
) {
    let taps = offsets.len();
    let mut first = 0;
    while first < taps {
        // The last tile repeats the last offset; what that gives is dropped.
        let mut at = [offsets[taps - 1]; TAPS];
        let count = TAPS.min(taps - first);
        at[..count].copy_from_slice(&offsets[first..first + count]);
        let tile = dot_tile::<FUSED, ROWS, TAPS>(g, at, x, columns);
        for r in 0..ROWS {
            for t in 0..count {
                out[r * taps + first + t] += tile[r][t];
            }
        }
        first += TAPS;
    }
}

#[inline(always)]
fn dot_tile<const FUSED: bool, const ROWS: usize, const TAPS: usize>(
    g: &[f32],
    offsets: [usize; TAPS],
    x: &[f32],
    columns: usize,
) -> [[f32; TAPS]; ROWS] {
    // Slices of one length: no index below needs a check, and the sums stay in registers.
    let chunks = columns / CHUNK;
    let x = offsets.map(|at| &x[at..][..columns].as_chunks::<CHUNK>().0[..chunks]);
    let g: [_; ROWS] = std::array::from_fn(|r| &g[r * columns..][..columns].as_chunks::<CHUNK>().0[..chunks]);
    let mut sums = [[[0.0; CHUNK]; TAPS]; ROWS];
    for p in 0..chunks {
        let x = x.map(|x| x[p]);
        for (sums, g) in sums.iter_mut().zip(g) {
            let g = g[p];
            for t in 0..TAPS {
                for j in 0..CHUNK {
                    sums[t][j] = mul_add::<FUSED>(g[j], x[t][j], sums[t][j]);
                }
            }
        }
    }
    totals(sums)
}

/// The sums of the lanes. A call of its own: seen together with the loop above, these sums make the compiler put the
/// taps side by side in vectors there, which was measured to be five times slower.
#[inline(never)]
fn totals<const ROWS: usize, const TAPS: usize>(sums: [[[f32; CHUNK]; TAPS]; ROWS]) -> [[f32; TAPS]; ROWS] {
    sums.map(|row| row.map(total))
}

/// The sum of the lanes, by halves.
fn total(mut lanes: [f32; CHUNK]) -> f32 {
    let mut half = CHUNK / 2;
    while half > 0 {
        for j in 0..half {
            lanes[j] += lanes[j + half];
        }
        half /= 2;
    }
    lanes[0]
}

#[inline(always)]
fn row<const N: usize>(x: &[f32], at: usize) -> [f32; N] {
    *x[at..].first_chunk().expect("there is room behind the last row")
}

/// `a * b + c`. Without the instruction, fusing would be a call into the C library.
#[inline(always)]
fn mul_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}
