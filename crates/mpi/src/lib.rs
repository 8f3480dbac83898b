//! Ranks of [`gradus_nn::group`] that are processes, on one machine or on many, over MPI.
//!
//! ```no_run
//! use gradus_autograd::prelude::*;
//! use gradus_mpi::MpiGroup;
//! use gradus_nn::{Adam, Linear, data::digits, group::{Group, GroupError, on_rank_0}, train::Trainer};
//!
//! // mpirun -n 4 target/release/train
//! fn main() -> Result<(), GroupError> {
//!     let mut group = MpiGroup::new()?;
//!     let digits = digits::load().map_inputs(|images| images.reshape([1797, 64]));
//!     let mut net = Linear::new(64, 10, &mut Rng::seed(0));
//!     let mut trainer = Trainer::new(Adam::new(0.01), 100, 1);
//!     trainer.group(&mut group).fit(&mut net, &digits, 5, |y, labels| y.cross_entropy(labels), &mut [])?;
//!     on_rank_0(&mut group, || trainer.state(&net).save("run.safetensors"))
//! }
//! ```
//!
//! The guide is `docs/distributed.md` of gradus.

#![forbid(unsafe_code)]

mod carrier;
mod group;
mod watch;

pub use group::MpiGroup;
