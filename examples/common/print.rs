//! A line on stdout.

use std::io::Write;

/// Prints a line; that nobody reads on is no reason to fail.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
