//! What the examples of the book's chapters share: their options, their data and their last line.

use super::{args::Args, print::say};
use gradus::nn::data::{Dataset, digits, mnist};
use gradus::tensor::Rng;
use std::{
    error::Error,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The figures of the last line, `ok name key=value ...`.
#[derive(Default)]
pub(crate) struct Figures(Vec<(String, f64)>);

impl Figures {
    pub(crate) fn put(mut self, key: impl Into<String>, value: impl Into<f64>) -> Figures {
        self.0.push((key.into(), value.into()));
        self
    }
}

pub(crate) type Outcome = Result<Figures, Box<dyn Error>>;

/// The main function of an example that only computes and draws: gives it the directory for its pictures.
pub(crate) fn pictures(name: &str, about: &str, run: impl FnOnce(&Path) -> Outcome) -> ExitCode {
    let mut out = String::from(OUT);
    Args::new(about).option("out", &mut out, .., OUT_HELP).parse();
    finish(name, directory(&out).and_then(|out| run(&out)))
}

/// The main function of an example that trains.
pub(crate) fn training(name: &str, about: &str, run: impl FnOnce(&Setup) -> Outcome) -> ExitCode {
    let (mut data, mut full, mut out) = (String::new(), false, String::from(OUT));
    Args::new(about)
        .option(
            "data",
            &mut data,
            ..,
            "directory with the four MNIST files, instead of the 8x8 digits that are built in",
        )
        .flag("full", &mut full, "train as long as the book does")
        .option("out", &mut out, .., OUT_HELP)
        .parse();
    finish(name, directory(&out).and_then(|out| run(&Setup { data, full, out })))
}

/// The default of `--out` and its help, for examples with options of their own.
pub(crate) const OUT: &str = "target/book";
pub(crate) const OUT_HELP: &str = "directory for the pictures and their data";

/// The directory of `--out`, made if it is not there.
pub(crate) fn directory(out: &str) -> Result<PathBuf, Box<dyn Error>> {
    fs::create_dir_all(out).map_err(|error| format!("{out}: {error}"))?;
    Ok(out.into())
}

/// The last line and the status.
pub(crate) fn finish(name: &str, outcome: Outcome) -> ExitCode {
    // A closed stdout or stderr is no reason to panic on the way out.
    match outcome {
        Ok(Figures(figures)) => {
            let figures: String = figures.iter().map(|(key, value)| format!(" {key}={value}")).collect();
            say(&format!("\nok {name}{figures}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The options of an example that trains.
pub(crate) struct Setup {
    data: String,
    /// Whether to train as long as the book.
    pub(crate) full: bool,
    /// The directory for pictures.
    pub(crate) out: PathBuf,
}

impl Setup {
    /// Whether the images are MNIST's.
    pub(crate) fn is_mnist(&self) -> bool {
        !self.data.is_empty()
    }

    /// What the images are called in titles.
    pub(crate) fn source(&self) -> &'static str {
        if self.is_mnist() { "MNIST" } else { "8x8 digits" }
    }

    /// Images to train on and to test, `[n, 1, side, side]`: MNIST's, or 1400 and 397 of the 8x8 digits.
    pub(crate) fn images(&self) -> Result<(Dataset, Dataset), Box<dyn Error>> {
        if self.is_mnist() {
            return Ok(mnist::load(&self.data)?);
        }
        Ok(digits::load().split(1400, &mut Rng::seed(0)))
    }

    /// The same with the pixels in a row, `[n, pixels]`.
    pub(crate) fn flat(&self) -> Result<(Dataset, Dataset), Box<dyn Error>> {
        let flat = |images: Dataset| {
            let n = images.len();
            images.map_inputs(|images| {
                let pixels = images.numel() / n;
                images.reshape([n, pixels])
            })
        };
        let (train, test) = self.images()?;
        Ok((flat(train), flat(test)))
    }
}
