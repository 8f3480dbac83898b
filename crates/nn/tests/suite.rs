//! The tests of this crate in one program, which links once: a file for each subject.

#[path = "../../check/tests/support/messages.rs"]
mod messages;
#[allow(dead_code, unreachable_pub)] // not every part is used in this crate
#[path = "../../autograd/tests/common/numbers.rs"]
mod numbers;
#[allow(dead_code, unreachable_pub)] // not every part is used in this crate
#[path = "../../tensor/tests/common/panics.rs"]
mod panics;

#[path = "common/descent.rs"]
mod descent;

mod buffers;
mod clones;
mod concurrency;
mod faults;
mod files;
mod golden_layers;
mod gradcheck;
mod groups;
mod huge;
mod layer_gradients;
mod layers;
mod lbfgs;
mod misuse;
mod models;
mod mutated;
mod optimizer_states;
mod optimizers;
mod overlap;
mod padded_sequences;
mod per_example;
mod refusals;
mod refused_files;
#[cfg(feature = "report")]
mod report;
mod sequence_gradients;
mod sequences;
mod sequences_golden;
mod shards;
mod soak;
mod stopped;
mod summary;
#[cfg(feature = "tensorboard")]
mod tensorboard;
mod trainer;
mod training;
