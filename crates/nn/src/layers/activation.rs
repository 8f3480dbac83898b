//! Activations as layers, for [`Sequential`](crate::Sequential); in a formula, call the methods of values.

use crate::{layer::Layer, module};
use gradus_autograd::prelude::*;

macro_rules! activations {
    ($($(#[$doc:meta])* $Layer:ident = $method:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $Layer;

        module!($Layer {});

        impl Layer for $Layer {
            #[track_caller]
            fn forward<V: Value>(&self, x: V) -> V {
                x.$method()
            }
        }
    )*};
}

activations! {
    /// The rectifier, max(x, 0).
    Relu = relu;
    /// The logistic function, 1 / (1 + e^-x).
    Sigmoid = sigmoid;
    /// The hyperbolic tangent.
    Tanh = tanh;
}

/// The identity: what regression has for an output activation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity;

module!(Identity {});

impl Layer for Identity {
    fn forward<V: Value>(&self, x: V) -> V {
        x
    }
}
