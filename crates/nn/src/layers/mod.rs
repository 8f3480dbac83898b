//! The layers, with PyTorch's names, parameters and initial values; where the book has another name it stands beside.
//!
//! | | shapes | in the book |
//! | --- | --- | --- |
//! | [`Linear`] | `[.., in]` to `[.., out]` | Affine |
//! | [`Conv1d`], [`Conv2d`], [`Conv3d`] | `[n, in, size..]` to `[n, out, size..]` | Convolution |
//! | [`ConvTranspose1d`], [`ConvTranspose2d`], [`ConvTranspose3d`] | the same, to larger sizes | |
//! | [`MaxPool1d`], [`MaxPool2d`], [`MaxPool3d`] | `[n, c, size..]` to smaller sizes | Pooling |
//! | [`AvgPool1d`], [`AvgPool2d`], [`AvgPool3d`] | the same | |
//! | [`AdaptiveMaxPool1d`], [`AdaptiveMaxPool2d`], [`AdaptiveAvgPool1d`], [`AdaptiveAvgPool2d`] | the same, to given sizes | |
//! | [`GlobalAvgPool2d`] | `[n, c, h, w]` to `[n, c]` | |
//! | [`MaxUnpool2d`] | back from [`MaxPool2d`] | |
//! | [`Upsample`] | `[n, c, h, w]` to another height and width | |
//! | [`Flatten`], [`Unflatten`] | axes made one, and one made several | |
//! | [`BatchNorm1d`], [`BatchNorm2d`], [`BatchNorm3d`] | `[n, channels, ..]` | BatchNormalization |
//! | [`LayerNorm`], [`RmsNorm`] | `[.., shape]` | |
//! | [`GroupNorm`], [`InstanceNorm1d`], [`InstanceNorm2d`] | `[n, channels, ..]` | |
//! | [`Dropout`], [`AlphaDropout`] | any | Dropout, which scales in evaluation |
//! | [`Dropout2d`] | `[n, channels, ..]` | |
//! | [`Embedding`] | indices `[..]` to `[.., size]` | Embedding |
//! | [`EmbeddingBag`] | indices `[bags, n]` to `[bags, size]` | |
//! | [`Rnn`], [`Lstm`], [`Gru`] | `[n, steps, inputs]` to `[n, steps, hidden]` | TimeRNN, TimeLSTM, TimeGRU |
//! | [`RnnCell`], [`LstmCell`], [`GruCell`] | `[n, inputs]` to a state `[n, hidden]` | RNN, LSTM, GRU |
//! | [`MultiheadAttention`] | `[n, queries, size]` and `[n, keys, size]` to `[n, queries, size]` | TimeAttention |
//! | [`TransformerEncoderLayer`], [`TransformerDecoderLayer`], [`PositionalEncoding`] | `[n, steps, size]` | |
//! | [`Residual`] | those of its block | |
//! | [`Step`], [`Sigmoid`], [`Tanh`], [`Relu`], [`Identity`], [`Softmax`] | any | step_function, Sigmoid, Tanh, Relu, identity_function, softmax |
//! | [`LeakyRelu`], [`PRelu`], [`RRelu`], [`Relu6`], [`Elu`], [`Selu`], [`Celu`], [`Gelu`], [`GeluTanh`], [`Silu`], [`Mish`], [`Softplus`], [`Softsign`], [`Hardsigmoid`], [`Hardswish`], [`Hardtanh`], [`LogSigmoid`], [`LogSoftmax`] | any | |
//! | [`gates`] | `[n, 2]` to `[n, 1]` | AND, NAND, OR, XOR |

mod activation;
mod batch_norm;
mod conv;
mod dropout;
mod embedding;
pub mod gates;
mod linear;
mod norm;
mod pool;
mod recurrent;
mod residual;
mod shape;
mod sizes;
mod transformer;
mod upsample;

pub use activation::{
    Celu, Elu, Gelu, GeluTanh, Hardsigmoid, Hardswish, Hardtanh, Identity, LeakyRelu, LogSigmoid, LogSoftmax,
    Mish, PRelu, RRelu, Relu, Relu6, Selu, Sigmoid, Silu, Softmax, Softplus, Softsign, Step, Tanh,
};
pub use batch_norm::{BatchNorm, BatchNorm1d, BatchNorm2d, BatchNorm3d};
pub use conv::{
    Conv, Conv1d, Conv2d, Conv3d, ConvTranspose, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d,
};
pub use dropout::{AlphaDropout, Dropout, Dropout2d};
pub use embedding::{Embedding, EmbeddingBag};
pub use linear::Linear;
pub use norm::{GroupNorm, InstanceNorm, InstanceNorm1d, InstanceNorm2d, LayerNorm, RmsNorm};
pub use pool::{
    AdaptiveAvgPool, AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveMaxPool, AdaptiveMaxPool1d,
    AdaptiveMaxPool2d, AvgPool, AvgPool1d, AvgPool2d, AvgPool3d, GlobalAvgPool2d, MaxPool, MaxPool1d,
    MaxPool2d, MaxPool3d, MaxUnpool2d,
};
pub use recurrent::{Gru, GruCell, Lstm, LstmCell, RecurrentOptions, RecurrentState, Rnn, RnnCell};
pub use residual::Residual;
pub use shape::{Flatten, Unflatten};
pub use sizes::Sizes;
pub use transformer::{
    AttentionMask, MultiheadAttention, PositionalEncoding, TransformerDecoderLayer, TransformerEncoderLayer,
    TransformerOptions,
};
pub use upsample::{Upsample, UpsampleSize};
