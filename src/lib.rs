//! Automatic differentiation and neural networks on the CPU, from scratch.

pub use gradus_autograd as autograd;
pub use gradus_nn as nn;
pub use gradus_tensor as tensor;
