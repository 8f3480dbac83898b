//! The elementary functions, as methods of [`Lane`](super::Lane), one file per family.

mod activation;
mod exp;
mod hyperbolic;
mod log;
