//! The elementary functions, as methods of [`Lane`](super::Lane), one file per family.

mod activation;
mod exp;
mod huge_angle;
mod hyperbolic;
mod log;
mod normal;
mod power;
mod trigonometric;
