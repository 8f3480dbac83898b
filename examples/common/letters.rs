//! Texts as numbers, one for each letter.

use super::{
    args::Args,
    book::{OUT, OUT_HELP, Outcome, directory, finish},
    grammar,
};
use gradus::prelude::*;
use std::{error::Error, fs, path::PathBuf, process::ExitCode};

/// The letters of a text, sorted: a letter's number is its place.
pub(crate) struct Letters(Vec<char>);

impl Letters {
    pub(crate) fn of(text: &str) -> Letters {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters.dedup();
        Letters(letters)
    }

    /// How many different ones there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// A text in numbers.
    ///
    /// # Panics
    /// When it has a letter that is not among these.
    pub(crate) fn numbers(&self, text: &str) -> Vec<i32> {
        let number = |letter: char| match self.0.binary_search(&letter) {
            Ok(number) => number as i32,
            Err(_) => panic!("{letter:?} is none of the letters"),
        };
        text.chars().map(number).collect()
    }

    /// The text that these numbers stand for.
    pub(crate) fn text(&self, numbers: &[i32]) -> String {
        numbers.iter().map(|&number| self.0[number as usize]).collect()
    }

    /// Texts of one length in numbers, `[texts, length]`.
    pub(crate) fn table<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Indices {
        let rows: Vec<Vec<i32>> = texts.into_iter().map(|text| self.numbers(text)).collect();
        let length = rows.first().map_or(0, Vec::len);
        Indices::new(rows.concat(), [rows.len(), length])
    }
}

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
