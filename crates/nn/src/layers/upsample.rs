//! Larger and smaller images.

use crate::{layer::Layer, module};
use gradus_autograd::prelude::*;
use gradus_tensor::OrFail;

/// Rows `[n, c, length]`, images `[n, c, h, w]` or volumes `[n, c, d, h, w]` of another size: each element the nearest one, or
/// linear or cubic between its neighbours, as [`Interpolation`] says, the axes one after the other.
///
/// An array of whole numbers is the new sizes. A floating-point number, or an array of them, is PyTorch's `scale_factor`: see
/// [`Resize`].
///
/// ```
/// use gradus_nn::{Layer, Upsample};
/// use gradus_tensor::{Interpolation, Tensor};
///
/// let x = Tensor::from([[[[1.0, 2.0], [3.0, 4.0]]]]);
/// let y = Upsample::new(2.0, Interpolation::Nearest).forward(x.clone());
/// assert_eq!(y.to_vec()[..8], [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
/// let linear = Interpolation::Linear { align_corners: false };
/// assert_eq!(Upsample::new(2.0, linear).forward(x).to_vec()[..4], [1.0, 1.25, 1.75, 2.0]);
/// let y = Upsample::new([7, 5], linear).forward(Tensor::ones([1, 3, 4, 4]));
/// assert_eq!(y.shape(), &[1, 3, 7, 5]);
/// ```
#[doc(alias = "UpsamplingNearest2d")]
#[doc(alias = "UpsamplingBilinear2d")]
#[derive(Clone, Debug)]
pub struct Upsample {
    /// What becomes of the axes behind the first two.
    pub to: Resize,
    /// How elements are made of elements.
    pub how: Interpolation,
}

module!(Upsample { ; to, how });

impl Upsample {
    /// To these sizes, or by these factors.
    ///
    /// # Panics
    /// When a size is 0, or a factor not positive and finite.
    #[track_caller]
    pub fn new(to: impl Into<Resize>, how: Interpolation) -> Upsample {
        let to = to.into();
        to.check("upsample").or_fail();
        Upsample { to, how }
    }
}

impl Layer for Upsample {
    /// # Panics
    /// When `x` has not one axis for each size behind two others, or no elements there.
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        x.interpolate(self.to.clone(), self.how)
    }
}
