//! The tests of this crate in one program, which links once: a file for each subject.

#[allow(dead_code, unreachable_pub)] // not every part is used in this crate
mod common;
#[path = "common/messages.rs"]
mod messages;
#[allow(dead_code, unreachable_pub)] // not every part is used in this crate
#[path = "../../tensor/tests/common/mod.rs"]
mod model;
#[allow(dead_code, unreachable_pub)] // not every part is used in this crate
#[path = "common/numbers.rs"]
mod numbers;
#[allow(dead_code, unreachable_pub)] // not every part is used in this crate
#[path = "common/panics.rs"]
mod panics;
#[allow(dead_code, unused_imports, unreachable_pub)] // shared with the programs in `benches/checkers`
mod planted;

mod check_op;
mod custom;
mod docs_ops;
mod faults;
mod found;
mod gradcheck;
mod large_checks;
mod no_alarm;
mod programs;
mod random_models;
mod report;
mod special;
