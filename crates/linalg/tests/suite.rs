//! All tests of the crate in one program, which links once.

mod golden;
mod identities;
mod laws;
#[allow(dead_code, unreachable_pub)] // not every part is used in this crate
#[path = "../../autograd/tests/common/numbers.rs"]
mod numbers;
