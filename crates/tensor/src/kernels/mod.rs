//! Inner loops, compiled for each instruction set.

pub(crate) mod conv;
