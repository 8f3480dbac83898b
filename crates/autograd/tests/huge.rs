//! What is said of sizes that no memory holds: a sentence at the user's line, with the operation and the shapes; never a wrapped
//! product, and never the end of the process.

use gradus_autograd::prelude::*;

use crate::panics::panic_of;

/// More than a `usize` holds when it is squared.
const WIDE: usize = 1 << 32;
const MOST: usize = usize::MAX;
/// A `usize` holds the elements of a square of this side, no machine their bytes.
const MANY: usize = 1 << 29;

/// The call, on a tensor and on a variable, panics at its own line and says this.
macro_rules! refused {
    ($message:expr, $x:expr => |$v:ident| $call:expr) => {{
        let x = Tensor::from($x);
        let tape = Tape::new();
        let var = tape.var(&x);
        let (line, call) = (line!(), stringify!($call));
        let tensor = panic_of(|| {
            let $v = x.clone();
            let _ = $call;
        });
        let recorded = panic_of(|| {
            let $v = var;
            let _ = $call;
        });
        for (text, file, at) in [tensor, recorded] {
            assert!(text.contains($message), "{call} says: {text}");
            assert!(file.ends_with("huge.rs"), "{call}: {text}: points to {file}:{at}");
            assert!((line..line + 8).contains(&at), "{call}: {text}: points to line {at}, not {line}");
        }
    }};
}

fn image() -> Tensor {
    Tensor::ones([1, 1, 2, 2])
}

#[test]
fn sizes_that_overflow() {
    refused!("unfold: shape [1, 1, 4294967296, 4294967296] has more elements than memory can hold", image() => |x| x.unfold([WIDE, WIDE], Conv2dOptions { padding: [WIDE, WIDE], ..Default::default() }));
    refused!("unfold: [1, 1, 2, 2] * [1, 1, 4294967296, 4294967296]: height: a kernel of 4294967296 reaches over 4294967296 elements, the input has 2", image() => |x| x.unfold([WIDE, WIDE], Conv2dOptions::default()));
    refused!("unfold: [1, 1, 2, 2] * [1, 1, 1, 1]: height: too large: Window { kernel: 1, stride: 1, padding: 18446744073709551615, dilation: 1 } on 2 elements", image() => |x| x.unfold([1, 1], Conv2dOptions { padding: [MOST, 0], ..Default::default() }));
    refused!("unfold: [1, 1, 2, 2] * [1, 1, 2, 2]: height: too large: Window { kernel: 2, stride: 1, padding: 0, dilation: 18446744073709551615 } on 2 elements", image() => |x| x.unfold([2, 2], Conv2dOptions { dilation: [MOST, 2], ..Default::default() }));
    refused!("fold: shape [1, 1, 4294967296, 4294967296] has more elements than memory can hold", Tensor::ones([1, 4, 1]) => |x| x.fold([WIDE, WIDE], [2, 2], Conv2dOptions::default()));
    refused!("fold: 4 rows of [1, 4, 1] are no multiple of a patch of [4294967296, 4294967296]", Tensor::ones([1, 4, 1]) => |x| x.fold([2, 2], [WIDE, WIDE], Conv2dOptions::default()));
    refused!("repeat: shape [18446744073709551615] has more elements than memory can hold", [1.0, 2.0] => |x| x.repeat([MOST]));
    refused!("repeat: shape [4294967296, 8589934592] has more elements than memory can hold", [1.0, 2.0] => |x| x.repeat([WIDE, WIDE]));
    refused!("repeat: shape [4294967296, 4294967296, 2] has more elements than memory can hold", [1.0, 2.0] => |x| x.tile([WIDE, WIDE, 1]));
    refused!("repeat_interleave: shape [18446744073709551615] has more elements than memory can hold", [1.0, 2.0] => |x| x.repeat_interleave(MOST, 0));
    refused!("pad: shape [18446744073709551615] has more elements than memory can hold", [1.0, 2.0] => |x| x.pad([(MOST, 1)], Padding::Constant(0.0)));
    refused!("pad: shape [18446744073709551615] has more elements than memory can hold", [1.0, 2.0] => |x| x.pad([(MOST, MOST)], Padding::Replicate));
    refused!("diag: shape [4294967298, 4294967298] has more elements than memory can hold", [1.0, 2.0] => |x| x.diag(WIDE as isize));
    refused!("diag: shape [9223372036854775809, 9223372036854775809] has more elements than memory can hold", [1.0, 2.0] => |x| x.diag(isize::MAX));
    refused!("diag: shape [9223372036854775810, 9223372036854775810] has more elements than memory can hold", [1.0, 2.0] => |x| x.diag(isize::MIN));
    refused!("no diagonal -9223372036854775808", [[1.0, 2.0]] => |x| x.diag(isize::MIN));
    refused!("as_strided: shape [4294967296, 4294967296] has more elements than memory can hold", [1.0, 2.0] => |x| x.as_strided([WIDE, WIDE], [0, 0], 0));
    refused!("broadcast_to: shape [4294967296, 4294967296, 2] has more elements than memory can hold", [1.0, 2.0] => |x| x.broadcast_to([WIDE, WIDE, 2]));
    refused!("split: sizes [18446744073709551615, 3] do not add up to axis 0 of shape [2]", [1.0, 2.0] => |x| x.split(&[MOST, 3], 0));
    refused!("slice: 0..9223372036854775807 is out of range for axis 0 of shape [2], which has 2 elements", [1.0, 2.0] => |x| x.slice(0, 0..MOST));
    refused!("reshape: [2] has 2 elements: they do not fill [4294967296, 4294967296]", [1.0, 2.0] => |x| x.reshape([WIDE, WIDE]));
    refused!("pixel_shuffle: shape [1, 1, 2, 2] by 4294967296: it needs four axes, and channels in multiples of the square", image() => |x| x.pixel_shuffle(WIDE));
    refused!("pixel_shuffle: shape [1, 0, 4294967296, 4294967296] has more elements than memory can hold", Tensor::ones([1, 0, 1, 1]) => |x| x.pixel_shuffle(WIDE));
    refused!("pixel_unshuffle: shape [1, 18446744073709551615, 0, 0] has more elements than memory can hold", Tensor::ones([1, 2, 0, 0]) => |x| x.pixel_unshuffle(WIDE));
    refused!("interpolate: shape [1, 1, 2, 18446744073709551615] has more elements than memory can hold", image() => |x| x.interpolate([1, MOST], Interpolation::Nearest));
    refused!("avg_pool2d: input [1, 1, 2, 2]: height: windows: a list of 18446744073709551615 entries takes 18446744073709551615 bytes (16.0 EiB)", image() => |x| x.adaptive_avg_pool2d([MOST, 1]));
    refused!("max_pool2d: input [1, 1, 2, 2]: height: too large: Window { kernel: 18446744073709551615, stride: 1, padding: 18446744073709551615, dilation: 1 } on 2 elements", image() => |x| x.max_pool2d(PoolOptions { stride: [1, 1], padding: [MOST, 0], ..PoolOptions::new([MOST, 1]) }));
    refused!("avg_pool2d: input [1, 1, 2, 2]: height: too large: Window { kernel: 1, stride: 18446744073709551615, padding: 18446744073709551615, dilation: 1 } on 2 elements", image() => |x| x.avg_pool2d(PoolOptions { stride: [MOST, 1], padding: [MOST, 0], ceil_mode: true, ..PoolOptions::from(1) }));
    refused!("lp_pool2d: input [1, 1, 2, 2]: height: a kernel of 4294967296 reaches over 4294967296 elements, the input has 2", image() => |x| x.lp_pool2d(2.0, PoolOptions { stride: [1, 1], ..PoolOptions::new([WIDE, WIDE]) }));
    refused!("plane_scatter: shape [1, 1, 4294967296, 4294967296] has more elements than memory can hold", image() => |x| x.max_unpool2d(&Indices::new([0, 1, 2, 3], [1, 1, 2, 2]), [WIDE, WIDE]));
    refused!("affine_grid: shape [1, 4294967296, 4294967296, 2] has more elements than memory can hold", Tensor::ones([1, 2, 3]) => |x| x.affine_grid([WIDE, WIDE], true));
    refused!("group_norm: 18446744073709551615 groups do not divide the 1 channels of [1, 1, 2, 2]", image() => |x| x.group_norm(MOST, None, None, 1e-5));
    refused!("conv2d: [1, 1, 2, 2] * [1, 1, 2, 2]: 18446744073709551615 groups do not divide 1 input channels", image() => |x| x.conv2d(&x, None, Conv2dOptions { groups: MOST, ..Default::default() }));
    refused!("conv_transpose2d: [1, 1, 2, 2] by [1, 1, 2, 2]: height: too large: Window { kernel: 2, stride: 18446744073709551615, padding: 0, dilation: 1 } on 2 elements", image() => |x| x.conv_transpose2d(&x, None, [0, 0], Conv2dOptions { stride: [MOST, 1], ..Default::default() }));
    refused!("conv_transpose2d: [1, 1, 2, 2] by [1, 1, 2, 2]: height: the output padding of 18446744073709551615 must be less than the stride of 1 or the dilation of 18446744073709551615", image() => |x| x.conv_transpose2d(&x, None, [MOST, 0], Conv2dOptions { dilation: [MOST, 1], ..Default::default() }));
    refused!("conv_transpose2d: shape [1, 1, 4294967298, 4294967298] has more elements than memory can hold", image() => |x| x.conv_transpose2d(&x, None, [0, 0], Conv2dOptions { stride: [WIDE, WIDE], ..Default::default() }));
    refused!("conv_transpose1d: [1, 1, 1, 4611686018427387905] * [1, 1, 1, 2]: width: too large: Window { kernel: 2, stride: 4611686018427387903, padding: 0, dilation: 1 } on 4611686018427387905 elements", Tensor::ones([1, 1, 2]) => |x| x.conv_transpose1d(&x, None, 0, Conv1dOptions { stride: [MOST / 4], ..Default::default() }));
    refused!("conv_transpose3d: shape [1, 1, 4294967298, 4294967298, 3] has more elements than memory can hold", Tensor::ones([1, 1, 2, 2, 2]) => |x| x.conv_transpose3d(&x, None, [0; 3], Conv3dOptions { stride: [WIDE, WIDE, 1], ..Default::default() }));
    refused!("conv3d: shape [1, 1152921504606846975, 2, 1, 2, 2] has more elements", Tensor::ones([1, 1, 2, 2, 2]) => |x| x.conv3d(&x, None, Conv3dOptions { padding: [MOST / 32, 0, 0], ..Default::default() }));
    refused!("matmul: shape [4294967296, 4294967296] has more elements", Tensor::ones([WIDE, 0]) => |x| x.matmul(&x.t()));
    refused!("kron: shape [18446744073709551615, 0] has more elements", Tensor::ones([WIDE, 0]) => |x| x.kron(&x));
}

#[test]
fn sizes_that_no_machine_has() {
    // A column less a row of as many: the usual slip.
    refused!("sub: shapes [2000000, 1] and [2000000]: shape [2000000, 2000000] takes 16000000000000 bytes (14.6 TiB)", Tensor::ones([2_000_000]) => |x| x.reshape([2_000_000, 1]) - x.flatten());
    refused!("tensor: shape [144115188075855875] takes 576460752303423500 bytes (512.0 PiB)", [1.0, 2.0] => |x| x.pad([(MANY << 28, 1)], Padding::Constant(1.0)));
    refused!("pad: a list of 144115188075855875 entries takes 576460752303423500 bytes (512.0 PiB)", [1.0, 2.0] => |x| x.pad([(MANY << 28, 1)], Padding::Circular));
    refused!("takes 1152921513196781584 bytes (1.0 EiB)", [1.0, 2.0] => |x| x.diag(MANY as isize));
    refused!("as_strided: shape [536870912, 536870912] takes 1152921504606846976 bytes (1.0 EiB)", [1.0, 2.0] => |x| x.as_strided([MANY, MANY], [0, 0], 0));
    refused!("exp: shape [536870912, 536870912, 2] takes 2305843009213693952 bytes (2.0 EiB)", [1.0, 2.0] => |x| x.broadcast_to([MANY, MANY, 2]).exp());
    refused!("shape [536870912, 536870912, 2] takes 2305843009213693952 bytes (2.0 EiB)", [1.0, 2.0] => |x| x.broadcast_to([MANY, MANY, 2]) + 1.0);
    refused!("neg: shape [536870912, 536870912, 2] takes 2305843009213693952 bytes (2.0 EiB)", [1.0, 2.0] => |x| -x.broadcast_to([MANY, MANY, 2]));
    refused!("tensor: shape [536870912, 536870912, 2] takes 2305843009213693952 bytes (2.0 EiB)", [1.0, 2.0] => |x| x.broadcast_to([MANY, MANY, 2]).softmax(-1));
    refused!("tensor: shape [536870912, 536870912, 2] takes 2305843009213693952 bytes (2.0 EiB)", [1.0, 2.0] => |x| x.broadcast_to([MANY, MANY, 2]).cumsum(1));
    refused!("tensor: shape [536870912, 536870912, 2] takes 2305843009213693952 bytes (2.0 EiB)", [1.0, 2.0] => |x| x.broadcast_to([MANY, MANY, 2]).reshape([2 * MANY, MANY]));
    refused!("tensor: shape [536870912, 1, 536870912, 2] takes 2305843009213693952 bytes (2.0 EiB)", [1.0, 2.0] => |x| x.repeat([MANY, MANY]));
    refused!("interpolate: shape [1, 1, 2, 144115188075855872] takes 1152921504606846976 bytes (1.0 EiB)", image() => |x| x.interpolate([1, MANY << 28], Interpolation::Nearest));
    refused!("interpolate: shape [1, 1, 144115188075855872, 1] takes 576460752303423488 bytes (512.0 PiB)", image() => |x| x.interpolate([MANY << 28, 1], Interpolation::Cubic { align_corners: true }));
    refused!("max_pool2d: input [1, 1, 2, 2]: height: windows: a list of 144115188075855872 entries takes 4611686018427387904 bytes (4.0 EiB)", image() => |x| x.adaptive_max_pool2d([MANY << 28, 1]));
    refused!("avg_pool2d: input [1, 1, 2, 2]: width: windows: a list of 144115188075855872 entries takes 4611686018427387904 bytes (4.0 EiB)", image() => |x| x.adaptive_avg_pool2d([1, MANY << 28]));
    refused!("max_pool2d: input [1, 1, 2, 2]: height: windows: a list of 144115188075855873 entries takes 4611686018427387936 bytes (4.0 EiB)", image() => |x| x.max_pool2d(PoolOptions { stride: [1, 1], padding: [(MANY << 28) - 1, 0], ..PoolOptions::new([MANY << 28, 1]) }));
    refused!("plane_scatter of [1, 1, 2, 2]: tensor: shape [1, 1, 536870912, 536870912] takes 1152921504606846976 bytes (1.0 EiB)", image() => |x| x.max_unpool2d(&Indices::new([0, 1, 2, 3], [1, 1, 2, 2]), [MANY, MANY]));
    refused!("affine_grid: shape [1, 536870912, 536870912, 2] takes 2305843009213693952 bytes (2.0 EiB)", Tensor::ones([1, 2, 3]) => |x| x.affine_grid([MANY, MANY], true));
    refused!("tensor: shape [1, 4, 72057595178778625] takes 1152921522860458000 bytes (1.0 EiB)", image() => |x| x.unfold([2, 2], Conv2dOptions { padding: [MANY, MANY / 16], ..Default::default() }));
    refused!("tensor: shape [1, 1, 1073741825, 268435457] takes 1152921509975556100 bytes (1.0 EiB)", image() => |x| x.conv2d(&x, None, Conv2dOptions { padding: [MANY, MANY / 4], ..Default::default() }));
    refused!("conv2d_input_grad of [1, 1, 2, 2] and [1, 1, 2, 2]: tensor: shape [1, 1, 536870914, 536870914] takes 1152921513196781584 bytes (1.0 EiB)", image() => |x| x.conv_transpose2d(&x, None, [0, 0], Conv2dOptions { stride: [MANY, MANY], ..Default::default() }));
    refused!("conv3d: shape [1, 72057594037927937, 2, 1, 2, 2] takes ", Tensor::ones([1, 1, 2, 2, 2]) => |x| x.conv3d(&x, None, Conv3dOptions { padding: [MANY << 26, 0, 0], ..Default::default() }));
    refused!("unbind: a list of 144115188075855872 entries takes ", Tensor::ones([0, MANY << 28]) => |x| x.unbind(1));
    refused!("chunk: a list of 144115188075855872 entries takes 1152921504606846976 bytes (1.0 EiB)", Tensor::ones([0, MANY << 28]) => |x| x.chunk(MANY << 28, 1));
}
