//! Sizes along the axes of a row or an image, and the hint where an axis is missing.

use gradus_tensor::ShapeError;

/// Sizes along `N` axes: one number for all of them, or one for each, as in `3` or `[3, 5]` for a kernel of an image,
/// height first.
///
/// ```
/// use gradus_nn::{Conv2d, Layer};
/// use gradus_tensor::{Rng, Tensor};
///
/// let mut rng = Rng::seed(0);
/// let square = Conv2d::new(1, 4, 3, &mut rng).padding(1);
/// let wide = Conv2d::new(1, 4, [1, 5], &mut rng).padding([0, 2]);
/// let x = Tensor::ones([2, 1, 6, 8]);
/// assert_eq!(square.forward(x.clone()).shape(), wide.forward(x).shape());
/// ```
pub trait Sizes<const N: usize> {
    /// One for each axis.
    fn sizes(self) -> [usize; N];
}

impl<const N: usize> Sizes<N> for usize {
    fn sizes(self) -> [usize; N] {
        [self; N]
    }
}

impl<const N: usize> Sizes<N> for [usize; N] {
    fn sizes(self) -> [usize; N] {
        self
    }
}

/// Panics, unless something holds of a layer's inputs, with a message that names where in a model the layer is.
#[track_caller]
pub(super) fn demand(holds: bool, message: impl FnOnce() -> String) {
    if !holds {
        ShapeError::new(message()).fail()
    }
}

/// Sizes that must not be 0.
#[track_caller]
pub(super) fn positive<const N: usize>(layer: &str, what: &str, sizes: impl Sizes<N>) -> [usize; N] {
    let sizes = sizes.sizes();
    assert!(!sizes.contains(&0), "{layer}: {what} {sizes:?}: sizes must be at least 1");
    sizes
}

/// The end of a message about sequences that lack the axis of the examples: PyTorch takes one alone, gradus does not.
pub(super) fn one_sequence(shape: &[usize], batch_axis: usize) -> String {
    if shape.len() != 2 {
        return String::new();
    }
    format!("; hint: unsqueeze({batch_axis}) makes a batch of one sequence")
}
