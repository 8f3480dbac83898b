//! Layers that only reshape.

use super::sizes::demand;
use crate::{layer::Layer, module};
use gradus_autograd::prelude::*;
use gradus_tensor::{OrFail, Shape, ShapeError, shape::resolve_axis};

/// All axes but the first made one: `[n, c, h, w]` becomes `[n, c h w]`.
///
/// ```
/// use gradus_nn::{Flatten, Layer};
/// use gradus_tensor::Tensor;
/// assert_eq!(Flatten.forward(Tensor::ones([100, 30, 12, 12])).shape(), &[100, 4320]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Flatten;

module!(Flatten {});

impl Layer for Flatten {
    /// # Panics
    /// When `x` is a scalar.
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        let shape = x.shape();
        demand(!shape[..].is_empty(), || "flatten: a scalar has no first axis to keep".into());
        x.reshape([shape[0], shape[1..].iter().product()])
    }
}

/// An axis made several: the reverse of [`Flatten`].
///
/// ```
/// use gradus_nn::{Layer, Unflatten};
/// use gradus_tensor::Tensor;
///
/// let y = Unflatten::new(1, [16, 7, 7]).forward(Tensor::ones([2, 784]));
/// assert_eq!(y.shape(), &[2, 16, 7, 7]);
/// ```
#[derive(Clone, Debug)]
pub struct Unflatten {
    /// The axis, counted from the back where it is negative.
    pub axis: isize,
    /// The sizes that it becomes.
    pub sizes: Shape,
}

module!(Unflatten { ; axis, sizes });

impl Unflatten {
    /// This axis (negative from the back) made axes of these sizes.
    ///
    /// # Panics
    /// When there are no sizes.
    #[track_caller]
    pub fn new(axis: isize, sizes: impl AsRef<[usize]>) -> Unflatten {
        let sizes = Shape::new(sizes.as_ref());
        assert!(!sizes[..].is_empty(), "unflatten: an axis becomes at least one");
        Unflatten { axis, sizes }
    }
}

impl Layer for Unflatten {
    /// # Panics
    /// When there is no such axis, or its size is not the product of the sizes.
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        let shape = x.shape();
        let axis = resolve_axis("unflatten", self.axis, &shape).or_fail();
        if shape[axis] != self.sizes.numel() {
            ShapeError::new(format!("unflatten: axis {axis} of {shape} does not become {}", self.sizes))
                .fail()
        }
        x.reshape([&shape[..axis], &self.sizes, &shape[axis + 1..]].concat())
    }
}
