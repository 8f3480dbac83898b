//! The main function of examples that learn a text, and where the text comes from.

use super::{
    args::Args,
    book::{OUT, OUT_HELP, Outcome, directory, finish},
    grammar,
};
use gradus::tensor::Rng;
use std::{error::Error, fs, path::PathBuf, process::ExitCode};

/// What an example that learns a text is given.
pub(crate) struct Task {
    pub(crate) text: String,
    /// Whether no file was named, so that the text is of the small language.
    pub(crate) is_own: bool,
    /// Epochs or steps.
    pub(crate) count: usize,
    pub(crate) seed: u64,
    pub(crate) out: PathBuf,
}

/// The main function of an example that learns a text: a file's, or sentences of the small language. What it counts its
/// training in has a name, a default and a help.
pub(crate) fn example(
    name: &str,
    about: &str,
    (unit, mut count, help): (&str, usize, &str),
    run: impl FnOnce(&Task) -> Outcome,
) -> ExitCode {
    let (mut file, mut seed, mut out) = (String::new(), 1, OUT.to_owned());
    Args::new(about)
        .option("text", &mut file, .., "file to learn from, instead of a small language's sentences")
        .option(unit, &mut count, 1..=1_000_000, help)
        .option("seed", &mut seed, .., "of sentences, weights and batches")
        .option("out", &mut out, .., OUT_HELP)
        .parse();
    let outcome = text_of(&file, || grammar::text(3000, &mut Rng::seed(seed)))
        .and_then(|text| run(&Task { text, is_own: file.is_empty(), count, seed, out: directory(&out)? }));
    finish(name, outcome)
}

/// The text of a file, or that which an example has itself where no file is named.
pub(crate) fn text_of(file: &str, own: impl FnOnce() -> String) -> Result<String, Box<dyn Error>> {
    if file.is_empty() {
        return Ok(own());
    }
    Ok(fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?)
}
