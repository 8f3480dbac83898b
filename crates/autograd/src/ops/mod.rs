//! The operations, each declared once: a row of a table or a file of its own.

pub mod arithmetic;
pub mod elementwise;
pub mod linear;
pub mod reduce;
pub mod shape;
pub mod steps;

/// The traits whose methods are the operations on any [`Value`](crate::Value).
pub mod methods {
    pub use super::{elementwise::Elementwise, linear::Linear, reduce::Reduce, shape::Shaping, steps::Steps};
}
