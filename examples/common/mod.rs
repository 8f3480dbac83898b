//! What several examples use: options, a progress bar, pictures. Not an example itself.

#![allow(dead_code, reason = "each example uses a part of it")]

pub(crate) mod args;
pub(crate) mod csv;
pub(crate) mod curves;
pub(crate) mod grid;
pub(crate) mod progress;
