//! The kernels of each instruction set in a table: the loops around them are compiled once for all sets.

use super::pack::{self, Pack, PackRows};
use super::tile::{self, TileKernel};
use super::vector::{self, VectorMatrix};
use crate::Isa;
use crate::simd::{Kernel, Simd, dispatch};

/// The most vectors of columns in a register tile.
pub(super) const TILE_VECTORS: usize = 2;

/// The greatest [`Simd::TILE_ROWS`].
const MOST_ROWS: usize = 14;

/// `[r - 1][v - 1]` computes a tile of `r` rows and `v` vectors of columns.
pub(super) type Tiles = [[TileKernel; TILE_VECTORS]; MOST_ROWS];

/// One instruction set's kernels.
pub(super) struct Kernels {
    /// Floats in a vector.
    pub(super) lanes: usize,
    /// Rows of the tallest tile.
    pub(super) tile_rows: usize,
    /// Up to that many rows.
    pub(super) tiles: Tiles,
    /// The same for rows of A that are adjacent: packed, or in place if A is transposed.
    pub(super) adjacent_tiles: Tiles,
    pub(super) pack: Pack,
    pub(super) pack_rows: PackRows,
    /// See [`vector::contiguous_columns`].
    pub(super) contiguous_columns: VectorMatrix,
    /// See [`vector::contiguous_rows`].
    pub(super) contiguous_rows: VectorMatrix,
}

impl Kernels {
    /// # Panics
    /// When the processor lacks the instruction set: this check is what makes calling its kernels sound.
    pub(super) fn of(isa: Isa) -> &'static Kernels {
        dispatch(isa, Table)
    }

    /// Columns of the widest tile.
    pub(super) fn tile_cols(&self) -> usize {
        TILE_VECTORS * self.lanes
    }
}

/// Finds the table of an instruction set.
struct Table;

impl Kernel for Table {
    type Output = &'static Kernels;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> &'static Kernels {
        const {
            assert!(S::TILE_ROWS <= MOST_ROWS);
            &Kernels {
                lanes: S::LANES,
                tile_rows: S::TILE_ROWS,
                tiles: tiles::<S, false>(),
                adjacent_tiles: tiles::<S, true>(),
                pack: pack::kernel::<S>,
                pack_rows: pack::rows_kernel::<S>,
                contiguous_columns: vector::contiguous_columns::<S>,
                contiguous_rows: vector::contiguous_rows::<S>,
            }
        }
    }
}

const fn tiles<S: Simd, const ADJACENT: bool>() -> Tiles {
    macro_rules! rows {
        ($($rows:literal)*) => { [$(row::<S, $rows, ADJACENT>()),*] };
    }
    rows![1 2 3 4 5 6 7 8 9 10 11 12 13 14]
}

/// The tiles of `ROWS` rows; those that would overfill the registers are never asked for, nor compiled.
const fn row<S: Simd, const ROWS: usize, const ADJACENT: bool>() -> [TileKernel; TILE_VECTORS] {
    if ROWS <= S::TILE_ROWS {
        [tile::kernel::<S, ROWS, 1, ADJACENT>, tile::kernel::<S, ROWS, 2, ADJACENT>]
    } else {
        [tile::kernel::<S, 1, 1, ADJACENT>, tile::kernel::<S, 1, 2, ADJACENT>]
    }
}
