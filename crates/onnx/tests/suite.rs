//! The tests of this crate in one program, which links once.

mod files;
#[path = "../../check/tests/support/messages.rs"]
mod messages;
mod refusals;
