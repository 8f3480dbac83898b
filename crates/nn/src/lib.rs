//! Neural network layers, losses, optimizers and training.

#![forbid(unsafe_code)]
