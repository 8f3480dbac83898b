//! The tests of this crate in one program, which links once: a file for each subject.

#[allow(dead_code, unreachable_pub)] // not every part is used in this crate
mod common;
#[path = "../../check/tests/support/messages.rs"]
mod messages;
#[allow(dead_code, unreachable_pub)] // not every part is used in this crate
#[path = "common/panics.rs"]
mod panics;
#[allow(dead_code, unreachable_pub)] // not every part is used in this crate
mod reference;

mod accuracy;
mod conv;
mod from_and_apart;
mod indexing;
mod layouts;
mod linear;
mod map;
mod normalize;
mod patches;
mod pool;
mod reductions;
mod refusals;
mod special_values;
