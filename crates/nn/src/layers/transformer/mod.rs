//! Attention, and the layers of a Transformer.

mod attention;
mod blocks;
mod positional;

pub use attention::{AttentionMask, MultiheadAttention};
pub use blocks::{TransformerDecoderLayer, TransformerEncoderLayer, TransformerOptions};
pub use positional::PositionalEncoding;
