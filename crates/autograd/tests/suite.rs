//! The tests of this crate in one program, which links once: a file for each subject.

#[allow(dead_code, unreachable_pub)] // not every part is used in this crate
mod common;
#[path = "../../check/tests/support/messages.rs"]
mod messages;
#[allow(dead_code, unreachable_pub)] // not every part is used in this crate
#[path = "../../tensor/tests/common/mod.rs"]
mod model;
#[allow(dead_code, unreachable_pub)] // not every part is used in this crate
#[path = "common/numbers.rs"]
mod numbers;
#[allow(dead_code, unreachable_pub)] // not every part is used in this crate
#[path = "../../tensor/tests/common/panics.rs"]
mod panics;
#[allow(dead_code, unused_imports, unreachable_pub)] // shared with the programs in `benches/checkers`
mod planted;

mod attention;
mod buffers;
mod bug_classes;
mod check_op;
mod checkpoint;
mod compositions;
mod conv;
mod conventions;
mod custom;
mod dezero;
mod differences;
mod exact;
mod faults;
mod found;
mod functional;
mod golden;
mod golden_layers;
mod golden_losses;
mod gradcheck;
mod guessed;
mod hooks;
mod huge;
mod infinities;
mod inspect;
mod large_checks;
mod laws;
mod layers;
mod list;
mod losses;
mod magnitudes;
mod misuse;
mod no_alarm;
mod overflow;
mod per_example;
mod programs;
mod random_models;
mod refusals;
mod report;
mod same_bits;
mod sampling;
mod scope;
mod shaping;
mod special;
mod tape;
mod volumes;
