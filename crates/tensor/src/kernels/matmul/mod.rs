//! The matrix product of strided operands, with a fused tail: `out = activation(A * B (+ out) (+ bias))`.
//!
//! Each element of the result is summed over k in an order that only the shape, the layout and the
//! instruction set decide: never the number of threads.

mod arena;
mod blocked;
mod kernels;
mod operand;
mod pack;
mod packed;
mod panel;
mod panels;
mod parallel;
mod tile;
mod vector;

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod guarded;
#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;

pub(crate) use operand::{Mat, MatMut, Right, Rows};
pub(crate) use packed::Packed;
pub(crate) use panel::{by_panel, panel_width};
pub(crate) use parallel::batched_matmul;

use crate::Isa;
use blocked::Blocking;
use kernels::Kernels;

/// The function applied to each finished element.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "linear and convolution layers will fuse their activations")
)]
pub(crate) enum Activation {
    /// x
    None,
    /// max(x, 0), with NaN kept
    Relu,
    /// Any other, applied to pieces of rows while they are in the cache. Its result for an element must not
    /// depend on where the pieces begin and end.
    Map(fn(&mut [f32])),
}

/// What happens to the product on its way to the output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epilogue<'a> {
    /// Added to each row: one value for each column.
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) activation: Activation,
    /// Whether the product is added to what the output holds, or replaces it. Only tests ask for it yet: gradients will be
    /// added up in place.
    pub(crate) accumulate: bool,
}

impl Epilogue<'_> {
    /// The product itself.
    pub(crate) const NONE: Epilogue<'static> =
        Epilogue { bias: None, activation: Activation::None, accumulate: false };
}

/// Writes `activation(a * b (+ out) (+ bias))` to `out`. With no inner dimension the product is zero.
///
/// # Panics
/// When the sizes do not fit together.
pub(crate) fn matmul<'b>(a: Mat<'_>, b: impl Into<Right<'b>>, out: MatMut<'_>, epilogue: Epilogue<'_>) {
    matmul_with(Isa::current(), &Blocking::default(), a, b.into(), &out, &epilogue);
}

/// [`matmul`] with a choice of instruction set and block sizes.
fn matmul_with(
    isa: Isa,
    blocking: &Blocking,
    a: Mat<'_>,
    b: Right<'_>,
    out: &MatMut<'_>,
    epilogue: &Epilogue<'_>,
) {
    let product = Product::new(Kernels::of(isa), blocking, &a, b, out, epilogue);
    // SAFETY: the caller lends the output to this call alone.
    unsafe { parallel::product(&product, rayon::current_num_threads()) }
}

/// A product to compute: operands whose sizes fit together, and the means.
struct Product<'a> {
    kernels: &'static Kernels,
    blocking: &'a Blocking,
    a: &'a Mat<'a>,
    b: Right<'a>,
    out: &'a MatMut<'a>,
    epilogue: &'a Epilogue<'a>,
}

impl<'a> Product<'a> {
    /// # Panics
    /// When the sizes do not fit together.
    fn new(
        kernels: &'static Kernels,
        blocking: &'a Blocking,
        a: &'a Mat<'a>,
        b: Right<'a>,
        out: &'a MatMut<'a>,
        epilogue: &'a Epilogue<'a>,
    ) -> Self {
        assert_eq!(a.cols(), b.rows(), "matrix product: inner dimensions differ");
        assert_eq!([out.rows(), out.cols()], [a.rows(), b.cols()], "matrix product: size of the output");
        if let Some(bias) = epilogue.bias {
            assert_eq!(bias.len(), b.cols(), "matrix product: length of the bias");
        }
        Product { kernels, blocking, a, b, out, epilogue }
    }

    /// Rows of A, columns of B, and the inner dimension.
    fn sizes(&self) -> [usize; 3] {
        [self.a.rows(), self.b.cols(), self.a.cols()]
    }
}
