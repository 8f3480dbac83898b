//! Strided f32 arrays and their kernels: the ground that gradus stands on. Knows nothing of gradients.

mod array;
mod error;
mod indices;
#[allow(clippy::needless_range_loop)] // tiles and registers are counted
#[doc(hidden)]
pub mod kernels;
mod limit;
pub mod memory;
mod ops;
mod random;
pub mod shape;
#[doc(hidden)]
pub mod simd;
pub mod threads;
mod within;

pub use array::{
    Tensor,
    layout::{ResolvedSlice, Slice, resolve_permutation},
    views::resolve_reshape,
};
pub use error::{OrFail, ShapeError};
pub use indices::{Indices, Integer};
pub use limit::list;
#[doc(hidden)]
pub use ops::elementwise::{functions, map_many};
pub use ops::{
    attention::AttentionShape,
    conv::{
        Conv1dOptions, Conv2dOptions, Conv3dOptions, ConvOptions, ConvShape, DirectConvolutions,
        check_conv_bias, direct_convolutions, unfold::UnfoldShape,
    },
    grid_sample::{GridMode, GridOptions, GridPadding},
    interpolation::{Blend, Interpolation, Resize},
    linear::PackedMatrix,
    normalize::{ChannelNorm, RowNorm, StatisticsOver},
    pool::{Pool, Pool2d, PoolOptions, PoolShape, PoolWindow, plane_gather_shape, plane_scatter_shape},
    update::{Update, update_all},
};
pub use random::{Rng, RngState};
pub use shape::{Axes, Shape};
pub use simd::Isa;
pub use within::{Part, Within};
