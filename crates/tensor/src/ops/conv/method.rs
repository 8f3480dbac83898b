//! Which way a convolution is computed.

use super::{columns, direct, pointwise, shape::ConvShape, winograd};
use std::{cell::Cell, marker::PhantomData};

/// Tiles from which Winograd's method pays for the gradient by the weight, beside columns.
const FEWEST_TILES: usize = 24;

thread_local! {
    static DIRECT: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f`, in which this thread computes every convolution by its definition, as sums of products.
///
/// Elsewhere convolutions by kernels of 3 x 3 with stride 1 take a third of the multiplications by Winograd's method where
/// both sides have 16 channels or more. Their error is about twice that of the sums (root mean square), and it is one beside
/// the largest numbers within a tile of 6 x 6 pixels: an output whose own pixels are tiny beside their neighbours has fewer
/// digits. Where a result is infinite or NaN, all are computed again as sums. The choice depends on the sizes of an image and
/// of the kernel alone, not on the batch or the number of threads. Gradient checks compute directly.
///
/// ```
/// use gradus_tensor::{Conv2dOptions, Rng, Tensor, direct_convolutions};
///
/// let mut rng = Rng::seed(0);
/// let (x, w) = (Tensor::randn([1, 16, 8, 8], &mut rng), Tensor::randn([16, 16, 3, 3], &mut rng));
/// let fast = x.conv2d(&w, None, Conv2dOptions::default());
/// let sums = direct_convolutions(|| x.conv2d(&w, None, Conv2dOptions::default()));
/// assert!((fast - sums).abs().max().item() < 1e-4);
/// ```
pub fn direct_convolutions<T>(f: impl FnOnce() -> T) -> T {
    let _direct = DirectConvolutions::begin();
    f()
}

/// The same as long as it lives, for functions whose panics name their caller's line, which a closure would hide.
#[doc(hidden)]
#[derive(Debug)]
pub struct DirectConvolutions {
    before: bool,
    /// It is this thread's.
    thread: PhantomData<*const ()>,
}

impl DirectConvolutions {
    pub fn begin() -> Self {
        DirectConvolutions { before: DIRECT.replace(true), thread: PhantomData }
    }
}

impl Drop for DirectConvolutions {
    fn drop(&mut self) {
        DIRECT.set(self.before);
    }
}

/// `y = x * w + bias`.
pub(super) fn forward(shape: &ConvShape, x: &[f32], w: &[f32], bias: &[f32], y: &mut [f32]) {
    if pointwise::fits(shape) {
        pointwise::forward(shape, x, w, bias, y);
    } else if by_winograd(shape) && winograd::forward(shape, x, w, bias, y) {
    } else if columns::suit_forward(shape) {
        columns::forward(shape, x, w, bias, y);
    } else {
        direct::forward(shape, x, w, bias, y);
    }
}

/// `dx`
pub(super) fn input_grad(shape: &ConvShape, w: &[f32], g: &[f32], dx: &mut [f32]) {
    if pointwise::fits(shape) {
        pointwise::input_grad(shape, w, g, dx);
    } else if by_winograd(shape) && winograd::input_grad(shape, w, g, dx) {
    } else if columns::suit_input_grad(shape) {
        columns::input_grad(shape, w, g, dx);
    } else {
        direct::input_grad(shape, w, g, dx);
    }
}

/// `dw`
pub(super) fn weight_grad(shape: &ConvShape, x: &[f32], g: &[f32], dw: &mut [f32]) {
    let suits_columns = columns::suit_weight_grad(shape);
    let has_tiles = !suits_columns || winograd::tiles(shape) >= FEWEST_TILES;
    if pointwise::fits(shape) {
        pointwise::weight_grad(shape, x, g, dw);
    } else if has_tiles && by_winograd(shape) && winograd::weight_grad(shape, x, g, dw) {
    } else if suits_columns {
        columns::weight_grad(shape, x, g, dw);
    } else {
        direct::weight_grad(shape, x, g, dw);
    }
}

fn by_winograd(shape: &ConvShape) -> bool {
    !DIRECT.get() && winograd::fits(shape)
}
