//! The kernels of each instruction set, compiled for it and listed in a table.

use super::pack::{self, Lines, Pack};
use super::tile::{self, Tile, TileOut, Walk};
use super::vector::{self, VectorMatrix};
use crate::Isa;
use crate::kernels::lanes::Lanes;

/// The most vectors of columns in a register tile.
pub(super) const TILE_VECTORS: usize = 2;

/// One instruction set's kernels.
pub(super) struct Kernels {
    /// Floats in a vector.
    pub(super) lanes: usize,
    /// `tiles[r - 1][v - 1]` computes a tile of `r` rows and `v` vectors of columns.
    pub(super) tiles: &'static [[Tile; TILE_VECTORS]],
    /// The same for rows of A that are adjacent: packed, or in place if A is transposed.
    pub(super) adjacent_tiles: &'static [[Tile; TILE_VECTORS]],
    pub(super) pack: Pack,
    /// See [`vector::contiguous_columns`].
    pub(super) contiguous_columns: VectorMatrix,
    /// See [`vector::contiguous_rows`].
    pub(super) contiguous_rows: VectorMatrix,
}

impl Kernels {
    /// # Panics
    /// When the processor lacks the instruction set: this check is what makes calling its kernels sound.
    pub(super) fn of(isa: Isa) -> &'static Kernels {
        assert!(isa <= Isa::detect(), "this processor has no {isa:?}");
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => &avx512::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => &avx2::KERNELS,
            _ => &portable::KERNELS,
        }
    }

    /// Rows of the tallest tile.
    pub(super) fn tile_rows(&self) -> usize {
        self.tiles.len()
    }

    /// Columns of the widest tile.
    pub(super) fn tile_cols(&self) -> usize {
        TILE_VECTORS * self.lanes
    }
}

/// Compiles the kernels for one instruction set: the tiles with the given numbers of rows, and the rest.
macro_rules! kernels {
    ($module:ident, $lanes:ident, [$($rows:literal)*], $dot_rows:literal $(, #[$enable:meta])?) => {
        mod $module {
            use crate::kernels::lanes::$lanes;
            use super::*;

            pub(super) static KERNELS: Kernels = Kernels {
                lanes: $lanes::COUNT,
                tiles: &[$([tile::<$rows, 1, false>, tile::<$rows, 2, false>]),*],
                adjacent_tiles: &[$([tile::<$rows, 1, true>, tile::<$rows, 2, true>]),*],
                pack,
                contiguous_columns,
                contiguous_rows,
            };

            $(#[$enable])?
            unsafe fn tile<const MR: usize, const NV: usize, const ADJACENT: bool>(
                k: usize, a: Walk, a_row_stride: isize, b: Walk, out: &TileOut,
            ) {
                // SAFETY: the caller keeps the conditions of `Tile`.
                unsafe { tile::tile::<$lanes, MR, NV, ADJACENT>(k, a, a_row_stride, b, out) }
            }

            $(#[$enable])?
            unsafe fn pack(lines: &Lines, width: usize, panel: *mut f32) {
                // SAFETY: the caller keeps the conditions of `Pack`.
                unsafe { pack::pack::<$lanes>(lines, width, panel) }
            }

            $(#[$enable])?
            unsafe fn contiguous_columns(vectors: usize, k: usize, x: Walk, b: Walk, sums: &mut [f32]) {
                // SAFETY: the caller keeps the conditions of `VectorMatrix`.
                unsafe { vector::contiguous_columns::<$lanes, $dot_rows>(vectors, k, x, b, sums) }
            }

            $(#[$enable])?
            unsafe fn contiguous_rows(vectors: usize, k: usize, x: Walk, b: Walk, sums: &mut [f32]) {
                // SAFETY: the caller keeps the conditions of `VectorMatrix`.
                unsafe { vector::contiguous_rows::<$lanes>(vectors, k, x, b, sums) }
            }
        }
    };
}

// As many rows as leave registers for two vectors of B and one element of A: of 32 registers, of 16, and of
// 16 without an instruction that multiplies and adds.
#[cfg(target_arch = "x86_64")]
kernels!(avx512, Avx512, [1 2 3 4 5 6 7 8 9 10 11 12 13 14], 4,
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]);
#[cfg(target_arch = "x86_64")]
kernels!(avx2, Avx2, [1 2 3 4 5 6], 2, #[target_feature(enable = "avx2,fma")]);
kernels!(portable, Portable, [1 2 3 4], 2);
