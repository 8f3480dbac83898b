//! All tests of the crate in one program, which links once.

mod golden;
mod identities;
mod laws;
#[path = "../../check/tests/support/messages.rs"]
mod messages;
#[allow(dead_code, unreachable_pub)] // not every part is used in this crate
#[path = "../../autograd/tests/common/numbers.rs"]
mod numbers;
#[allow(unreachable_pub)] // pub for other crates
#[path = "../../tensor/tests/common/panics.rs"]
mod panics;
mod refusals;
