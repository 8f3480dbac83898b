//! What layers, metrics and data say of sizes that no memory holds: a sentence at the user's line.

use gradus_autograd::prelude::*;
use gradus_nn::{
    BatchNorm2d, Conv2d, ConvTranspose2d, Embedding, GroupNorm, Gru, Init, Layer, LayerNorm, Linear, Lstm,
    LstmCell, MaxUnpool2d, MultiheadAttention, PositionalEncoding, TransformerEncoderLayer,
    TransformerOptions, Upsample, data::augment::crop, metrics::ConfusionMatrix, optim::Sgd, train::Trainer,
};

use crate::panics::panic_of;

const WIDE: usize = 1 << 32;
const MOST: usize = usize::MAX;
/// A `usize` holds the elements of a square of this side, no machine their bytes.
const MANY: usize = 1 << 29;

macro_rules! refused {
    ($message:expr, $call:expr) => {{
        let (line, call) = (line!(), stringify!($call));
        let (text, file, at) = panic_of(|| drop($call));
        assert!(text.contains($message), "{call} says: {text}");
        assert!(file.ends_with("huge.rs"), "{call}: {text}: points to {file}:{at}");
        assert!((line..line + 8).contains(&at), "{call}: {text}: points to line {at}, not {line}");
    }};
}

fn rng() -> Rng {
    Rng::seed(0)
}

#[test]
fn layers_that_no_memory_holds() {
    refused!("shape [4294967296, 4294967296] has more elements", Linear::new(WIDE, WIDE, &mut rng()));
    refused!(
        "shape [536870912, 536870912] takes 1152921504606846976 bytes",
        Linear::new(MANY, MANY, &mut rng())
    );
    refused!(
        "init: shape [536870912, 536870912] takes 1152921504606846976 bytes (1.0 EiB)",
        Linear::with_init(MANY, MANY, Init::Orthogonal(1.0), &mut rng())
    );
    refused!(
        "tensor: shape [536870912, 536870912] takes 1152921504606846976 bytes (1.0 EiB)",
        Linear::with_init(MANY, MANY, Init::XavierNormal, &mut rng())
    );
    refused!(
        "tensor: shape [536870912, 536870912] takes 1152921504606846976 bytes (1.0 EiB)",
        Linear::with_init(MANY, MANY, Init::TruncatedNormal(1.0), &mut rng())
    );
    refused!(
        "tensor: shape [1, 1, 4294967296, 4294967296] has more elements than memory can hold",
        Conv2d::new(1, 1, [WIDE, WIDE], &mut rng())
    );
    refused!(
        "tensor: shape [536870912, 536870912, 1, 1] takes 1152921504606846976 bytes (1.0 EiB)",
        Conv2d::new(MANY, MANY, 1, &mut rng())
    );
    refused!(
        "tensor: shape [4294967296, 4294967296, 3, 3] has more elements than memory can hold",
        ConvTranspose2d::new(WIDE, WIDE, 3, &mut rng())
    );
    refused!(
        "tensor: shape [536870912, 536870912] takes 1152921504606846976 bytes (1.0 EiB)",
        Embedding::new(MANY, MANY, &mut rng())
    );
    refused!(
        "tensor: shape [12, 9223372036854775807] has more elements than memory can hold",
        Lstm::new(MOST / 2, 3, &mut rng())
    );
    refused!(
        "tensor: shape [18446744073709551615, 3] has more elements than memory can hold",
        Lstm::new(3, MOST, &mut rng())
    );
    refused!(
        "tensor: shape [1610612736, 536870912] takes 3458764513820540928 bytes (3.0 EiB)",
        Gru::new(MANY, MANY, &mut rng())
    );
    refused!(
        "tensor: shape [268435456, 536870912] takes 576460752303423488 bytes (512.0 PiB)",
        LstmCell::new(MANY, MANY / 8, &mut rng())
    );
    refused!(
        "tensor: shape [18446744073709551615, 18446744073709551615] has more elements than memory can hold",
        MultiheadAttention::new(MOST, 1, &mut rng())
    );
    refused!(
        "tensor: shape [1610612736, 536870912] takes 3458764513820540928 bytes (3.0 EiB)",
        MultiheadAttention::new(MANY, 1, &mut rng())
    );
    refused!(
        "tensor: shape [1610612736, 536870912] takes 3458764513820540928 bytes (3.0 EiB)",
        TransformerEncoderLayer::new(MANY, 1, MANY, TransformerOptions::default(), &mut rng())
    );
    refused!(
        "tensor: shape [536870912, 536870912] takes 1152921504606846976 bytes (1.0 EiB)",
        PositionalEncoding::new(MANY, MANY)
    );
    refused!(
        "tensor: shape [536870912, 536870912] takes 1152921504606846976 bytes (1.0 EiB)",
        LayerNorm::new([MANY, MANY])
    );
    refused!(
        "tensor: shape [144115188075855872] takes 576460752303423488 bytes (512.0 PiB)",
        GroupNorm::new(1, MANY << 28)
    );
    refused!(
        "tensor: shape [144115188075855872] takes 576460752303423488 bytes (512.0 PiB)",
        BatchNorm2d::new(MANY << 28)
    );
}

#[test]
fn layers_data_and_metrics_that_are_used_so() {
    let image = Tensor::ones([1, 1, 2, 2]);
    let at = Indices::new([0, 1, 2, 3], [1, 1, 2, 2]);
    refused!(
        "interpolate: shape [1, 1, 2, 18446744073709551615] has more elements",
        Upsample::new(MOST as f64, Interpolation::Nearest).forward(image.clone())
    );
    refused!(
        "interpolate: shape [1, 1, 2, 18446744073709551615] has more elements than memory can hold",
        Upsample::new(MOST as f64, Interpolation::Linear { align_corners: false }).forward(image.clone())
    );
    refused!(
        "plane_scatter: shape [1, 1, 18446744073709551615, 18446744073709551615] has more elements than memory can hold",
        MaxUnpool2d::new(2).stride(MOST).forward(image.clone(), &at)
    );
    refused!(
        "plane_scatter of [1, 1, 2, 2]: tensor: shape [1, 1, 536870914, 536870914] takes 1152921513196781584 bytes (1.0 EiB)",
        MaxUnpool2d::new(2).stride(MANY).forward(image.clone(), &at)
    );
    refused!(
        "confusion matrix: a list of 18446744073709551615 entries takes 18446744073709551615 bytes (16.0 EiB)",
        ConfusionMatrix::new(WIDE)
    );
    refused!(
        "confusion matrix: a list of 288230376151711744 entries takes 2305843009213693952 bytes (2.0 EiB)",
        ConfusionMatrix::new(MANY)
    );
    refused!(
        "crop: 18446744073709551615 pixels around images of 2 by 2 are too many",
        crop(&image, [MOST, 1], MOST, &mut rng())
    );
    refused!(
        "crop: shape [1, 1, 536870912, 536870912] takes 1152921504606846976 bytes (1.0 EiB)",
        crop(&image, [MANY, MANY], MANY, &mut rng())
    );
    refused!(
        "trainer: shards: a list of 18446744073709551615 entries takes 18446744073709551615 bytes (16.0 EiB)",
        Trainer::new(Sgd::new(0.1), 10, 0).shards(MOST)
    );
}
