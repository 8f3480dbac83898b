//! What several tests use: the examples as programs.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

/// Runs an example with these options.
pub(crate) fn example(name: &str, options: &[&str]) -> Output {
    example_command(name).args(options).output().unwrap()
}

/// An example as cargo built it beside the test; `cargo test` builds both.
pub(crate) fn example_command(name: &str) -> Command {
    let mut program: PathBuf = std::env::current_exe().unwrap();
    program.pop();
    program.pop();
    program.push("examples");
    program.push(name);
    program.set_extension(std::env::consts::EXE_EXTENSION);
    assert!(program.exists(), "{} is missing: run cargo build --examples first", program.display());
    Command::new(program)
}

/// What a program wrote, which must be UTF-8.
pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
