//! The tests of this crate in one program, which links once: a file for each subject.

#[path = "support/messages.rs"]
mod messages;
#[allow(dead_code, unreachable_pub)] // not every part is used in this crate
mod support;

mod bad_input;
mod functions;
mod programs;
mod waves;
mod wrong;
