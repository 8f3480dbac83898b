//! Layers that only reshape.

use crate::{layer::Layer, module};
use gradus_autograd::{Value, prelude::*};

/// All axes but the first made one: `[n, c, h, w]` becomes `[n, c h w]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flatten;

module!(Flatten {});

impl Layer for Flatten {
    /// # Panics
    /// When `x` is a scalar.
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        let shape = x.shape();
        assert!(!shape[..].is_empty(), "flatten: a scalar has no first axis to keep");
        x.reshape([shape[0], shape[1..].iter().product()])
    }
}
