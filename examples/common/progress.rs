//! A progress bar.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on stderr for so many steps, which shows only on a terminal. Call `inc` after each step, `set_message` for
/// what is to stand at its end, and print through `suspend`, so that lines and bar do not mix.
pub(crate) fn bar(steps: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:32} {pos}/{len}, {eta} left  {msg}");
    ProgressBar::new(steps as u64).with_style(style.expect("the template is well-formed"))
}
