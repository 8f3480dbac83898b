//! The two inner loops of convolution: a matrix times shifted rows, and dot products with shifted rows.
//!
//! An element of a result is always added up in the same order, whatever tile it falls into: how a caller divides the
//! rows among threads does not change a bit.

use crate::Isa;
use crate::simd::{
    Kernel, Lane, Simd, dispatch,
    vectors::{read, write},
};

/// Columns come in multiples of this.
pub(crate) const CHUNK: usize = 16;

/// `out[r][p] = Σ_t weights[r][t] · x[offsets[t] + p]` for `p < columns`, the terms added in the order of `t`.
pub(crate) fn multiply(weights: &[f32], offsets: &[usize], x: &[f32], columns: usize, out: &mut [f32]) {
    debug_assert!(columns.is_multiple_of(CHUNK) && weights.len() * columns == out.len() * offsets.len());
    dispatch(Isa::current(), Multiply { weights, offsets, x, columns, out });
}

/// `out[r][t] += Σ_p g[r][p] · x[offsets[t] + p]` for `p < columns`.
pub(crate) fn dots(g: &[f32], offsets: &[usize], x: &[f32], columns: usize, out: &mut [f32]) {
    debug_assert!(columns.is_multiple_of(CHUNK) && g.len() * offsets.len() == out.len() * columns);
    dispatch(Isa::current(), Dots { g, offsets, x, columns, out });
}

/// The operands of [`multiply`], of which each tile takes the rows that it computes.
struct Multiply<'a> {
    weights: &'a [f32],
    offsets: &'a [usize],
    x: &'a [f32],
    columns: usize,
    out: &'a mut [f32],
}

impl Kernel for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        if S::TILE_ROWS >= 8 {
            self.rows::<S, 8, 2>(simd);
        }
        if S::TILE_ROWS >= 6 {
            self.rows::<S, 6, 2>(simd);
        }
        self.rows::<S, 4, 2>(simd);
        self.rows::<S, 2, 2>(simd);
        // A row alone, as each channel of a depthwise convolution is, needs chains of sums side by side.
        self.rows::<S, 1, 8>(simd);
    }
}

impl Multiply<'_> {
    /// Computes rows, so many at a time, until there are fewer left.
    #[inline(always)]
    fn rows<S: Simd, const ROWS: usize, const VECTORS: usize>(&mut self, simd: S) {
        while self.out.len() >= ROWS * self.columns {
            let mut p = 0;
            while self.columns - p >= VECTORS * S::LANES {
                self.tile::<S, ROWS, VECTORS>(simd, p);
                p += VECTORS * S::LANES;
            }
            while self.columns - p >= 2 * S::LANES {
                self.tile::<S, ROWS, 2>(simd, p);
                p += 2 * S::LANES;
            }
            while p < self.columns {
                self.tile::<S, ROWS, 1>(simd, p);
                p += S::LANES;
            }
            self.weights = &self.weights[ROWS * self.offsets.len()..];
            self.out = &mut std::mem::take(&mut self.out)[ROWS * self.columns..];
        }
    }

    /// A tile of `ROWS` rows and `VECTORS` vectors of columns from `p` on.
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(&mut self, simd: S, p: usize) {
        let (offsets, x) = (self.offsets, self.x);
        let taps = offsets.len();
        // Not by a closure, which is not always inlined: then each weight below would be looked for in its row's bounds.
        let mut weights = [&[][..]; ROWS];
        for r in 0..ROWS {
            weights[r] = &self.weights[r * taps..][..taps];
        }
        let mut sums = [[Lane::splat(simd, 0.0); VECTORS]; ROWS];
        for t in 0..taps {
            let x = &x[offsets[t] + p..][..VECTORS * S::LANES];
            for r in 0..ROWS {
                let w = Lane::splat(simd, weights[r][t]);
                for j in 0..VECTORS {
                    sums[r][j] = w.mul_add(read(simd, x, j * S::LANES), sums[r][j]);
                }
            }
        }
        for r in 0..ROWS {
            for j in 0..VECTORS {
                write(sums[r][j], self.out, r * self.columns + p + j * S::LANES);
            }
        }
    }
}

/// The operands of [`dots`], of which each tile takes the rows that it computes.
struct Dots<'a> {
    g: &'a [f32],
    offsets: &'a [usize],
    x: &'a [f32],
    columns: usize,
    out: &'a mut [f32],
}

impl Kernel for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        // The sums that registers have room for, of a chunk each.
        let room = 2 * S::TILE_ROWS * S::LANES / CHUNK;
        if room >= 16 {
            self.rows::<S, 4, 4>(simd);
            self.rows::<S, 2, 4>(simd);
            self.rows::<S, 1, 4>(simd);
        } else {
            if room >= 4 {
                self.rows::<S, 2, 2>(simd);
            }
            self.rows::<S, 1, 2>(simd);
        }
    }
}

impl Dots<'_> {
    /// Computes rows, so many at a time, until there are fewer left.
    #[inline(always)]
    fn rows<S: Simd, const ROWS: usize, const TAPS: usize>(&mut self, simd: S) {
        let taps = self.offsets.len();
        while self.g.len() >= ROWS * self.columns {
            let mut first = 0;
            while first < taps {
                // The last tile repeats the last offset; what that gives is dropped.
                let mut at = [self.offsets[taps - 1]; TAPS];
                let count = TAPS.min(taps - first);
                at[..count].copy_from_slice(&self.offsets[first..first + count]);
                let tile = self.tile::<S, ROWS, TAPS>(simd, at);
                for r in 0..ROWS {
                    for t in 0..count {
                        self.out[r * taps + first + t] += tile[r][t];
                    }
                }
                first += TAPS;
            }
            self.g = &self.g[ROWS * self.columns..];
            self.out = &mut std::mem::take(&mut self.out)[ROWS * taps..];
        }
    }

    /// The dot products of `ROWS` rows with the rows of `x` at `TAPS` offsets.
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const TAPS: usize>(
        &self,
        simd: S,
        offsets: [usize; TAPS],
    ) -> [[f32; TAPS]; ROWS] {
        // Slices of one length: no index below needs a check, and the sums stay in registers.
        let chunks = self.columns / CHUNK;
        let x = offsets.map(|at| &self.x[at..].as_chunks::<CHUNK>().0[..chunks]);
        let g: [_; ROWS] =
            std::array::from_fn(|r| &self.g[r * self.columns..].as_chunks::<CHUNK>().0[..chunks]);
        let mut sums = [[Chunk::zero(simd); TAPS]; ROWS];
        for p in 0..chunks {
            for r in 0..ROWS {
                for t in 0..TAPS {
                    sums[r][t].add_product(&g[r][p], &x[t][p]);
                }
            }
        }
        let mut totals = [[0.0; TAPS]; ROWS];
        for r in 0..ROWS {
            for t in 0..TAPS {
                totals[r][t] = sums[r][t].total();
            }
        }
        totals
    }
}

/// The vectors that hold a chunk on the narrowest instruction set.
const CHUNK_VECTORS: usize = 4;

/// As many sums as a chunk has columns.
#[derive(Clone, Copy)]
struct Chunk<S: Simd> {
    simd: S,
    /// The first `CHUNK / S::LANES` are used.
    sums: [Lane<S>; CHUNK_VECTORS],
}

impl<S: Simd> Chunk<S> {
    const USED: usize = CHUNK / S::LANES;

    #[inline(always)]
    fn zero(simd: S) -> Self {
        const { assert!(CHUNK.is_multiple_of(S::LANES) && Self::USED <= CHUNK_VECTORS) };
        Chunk { simd, sums: [Lane::splat(simd, 0.0); CHUNK_VECTORS] }
    }

    #[inline(always)]
    fn add_product(&mut self, a: &[f32; CHUNK], b: &[f32; CHUNK]) {
        for k in 0..Self::USED {
            let at = k * S::LANES;
            self.sums[k] = read(self.simd, a, at).mul_add(read(self.simd, b, at), self.sums[k]);
        }
    }

    /// The sums added up by halves.
    #[inline(always)]
    fn total(mut self) -> f32 {
        let mut used = Self::USED;
        while used > 1 {
            used /= 2;
            for k in 0..used {
                self.sums[k] = self.sums[k] + self.sums[k + used];
            }
        }
        self.sums[0].sum()
    }
}
