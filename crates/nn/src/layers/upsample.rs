//! Larger images.

use super::sizes::{Sizes, demand, positive};
use crate::{layer::Layer, module};
use gradus_autograd::prelude::*;

/// Images `[n, c, h, w]` of another size: each pixel the nearest one, or linear between its four neighbours.
///
/// ```
/// use gradus_nn::{Layer, Upsample};
/// use gradus_tensor::Tensor;
///
/// let x = Tensor::from([[[[1.0, 2.0], [3.0, 4.0]]]]);
/// let y = Upsample::nearest(2).forward(x.clone());
/// assert_eq!(y.to_vec()[..8], [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
/// let y = Upsample::bilinear(2).forward(x);
/// assert_eq!(y.to_vec()[..4], [1.0, 1.25, 1.75, 2.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Upsample {
    /// What becomes of height and width.
    pub size: UpsampleSize,
    /// How pixels are made of pixels.
    pub how: Interpolation,
}

/// What becomes of an image's height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpsampleSize {
    /// They are multiplied by these.
    Times([usize; 2]),
    /// They are these.
    Exactly([usize; 2]),
}

module!(Upsample { ; size, how });

impl Upsample {
    /// Larger by a factor, each pixel the nearest one.
    ///
    /// # Panics
    /// When a factor is 0.
    #[track_caller]
    pub fn nearest(factor: impl Sizes<2>) -> Upsample {
        let factor = positive("upsample", "a factor of", factor);
        Upsample { size: UpsampleSize::Times(factor), how: Interpolation::Nearest }
    }

    /// Larger by a factor, pixels linear between their neighbours; the edges of the image stay where they are.
    ///
    /// # Panics
    /// When a factor is 0.
    #[track_caller]
    pub fn bilinear(factor: impl Sizes<2>) -> Upsample {
        Upsample { how: Interpolation::Linear { align_corners: false }, ..Upsample::nearest(factor) }
    }

    /// The same layer, giving images of this height and width, which may be smaller ones.
    ///
    /// ```
    /// use gradus_nn::{Layer, Upsample};
    /// use gradus_tensor::Tensor;
    ///
    /// let y = Upsample::bilinear(1).to_size([7, 5]).forward(Tensor::ones([1, 3, 4, 4]));
    /// assert_eq!(y.shape(), &[1, 3, 7, 5]);
    /// ```
    ///
    /// # Panics
    /// When one is 0.
    #[track_caller]
    pub fn to_size(self, size: [usize; 2]) -> Upsample {
        Upsample { size: UpsampleSize::Exactly(positive("upsample", "a size of", size)), ..self }
    }

    /// The same layer, linear, with the centres of the corner pixels staying where they are.
    pub fn align_corners(self) -> Upsample {
        Upsample { how: Interpolation::Linear { align_corners: true }, ..self }
    }
}

impl Layer for Upsample {
    /// # Panics
    /// When `x` is not `[n, c, h, w]`, or has no pixels.
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        let shape = x.shape();
        demand(shape.rank() == 4, || format!("upsample: shape {shape} has not four axes: [n, c, h, w]"));
        let size = match self.size {
            UpsampleSize::Times([h, w]) => [shape[2].saturating_mul(h), shape[3].saturating_mul(w)],
            UpsampleSize::Exactly(size) => size,
        };
        x.interpolate(3, size[1], self.how).interpolate(2, size[0], self.how)
    }
}
