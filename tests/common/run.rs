//! An example of the book's pages as a program, and what it left.

use crate::common::{example, text};
use gradus::nn::data::npy::npz;
use std::{collections::HashMap, fs};
use tempfile::TempDir;

/// What an example wrote, and the figures of its last line.
pub(crate) struct Run {
    pub(crate) dir: TempDir,
    /// What stood on stdout.
    pub(crate) out: String,
    pub(crate) figures: HashMap<String, f64>,
}

/// Runs an example without options but for the directory, and holds its last line to docs/book/expected.txt and its pictures
/// and tables to their formats.
pub(crate) fn run(name: &str) -> Run {
    let run = run_with(name, &[]);
    let mut count = 0;
    for line in include_str!("../../docs/book/expected.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if words[0] == name {
            let [expected, off] = [words[2], words[3]].map(|number| number.parse::<f64>().unwrap());
            let found = run.figures[words[1]];
            assert!((found - expected).abs() <= off, "{} is {found}, not {expected} within {off}", words[1]);
            count += 1;
        }
    }
    assert!(count > 0, "docs/book/expected.txt says nothing of {name}");
    run
}

/// The same with options, such as one for a shorter run: its last line is not held to anything.
pub(crate) fn run_with(name: &str, options: &[&str]) -> Run {
    let dir = tempfile::tempdir().unwrap();
    let run = example(name, &[&["--out", dir.path().to_str().unwrap()], options].concat());
    let out = text(&run.stdout).to_owned();
    assert!(run.status.success(), "{out}{}", text(&run.stderr));
    let last = out.lines().last().unwrap_or_default();
    let last = match last.strip_prefix("accuracy ") {
        Some(value) => format!("ok book_predict accuracy={value}"),
        None => last.to_owned(),
    };
    let pairs = last.strip_prefix(&format!("ok {name} ")).unwrap_or_else(|| panic!("no ok line in\n{out}"));
    let pairs = pairs.split(' ').map(|pair| pair.split_once('=').unwrap());
    let figures: HashMap<String, f64> = pairs.map(|(k, v)| (k.into(), v.parse().unwrap())).collect();
    for file in fs::read_dir(dir.path()).unwrap() {
        let path = file.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("svg") => assert!(bytes.ends_with(b"</svg>\n"), "{path:?}"),
            Some("png") => assert!(bytes.starts_with(b"\x89PNG"), "{path:?}"),
            Some("csv") => {
                let lines = text(&bytes).lines().map(|line| line.split(',').count()).collect::<Vec<_>>();
                assert!(lines.len() > 1 && lines.iter().all(|count| *count == lines[0]), "{path:?}");
            }
            Some("npz") => assert!(!npz::read(&path).unwrap().is_empty(), "{path:?}"),
            Some("dot") => assert!(bytes.starts_with(b"digraph {") && bytes.ends_with(b"}\n"), "{path:?}"),
            _ => panic!("{path:?}"),
        }
    }
    Run { dir, out, figures }
}

impl Run {
    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.dir.path().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// The numbers of a CSV file, below the names of its columns.
    pub(crate) fn table(&self, file: &str) -> Vec<Vec<f64>> {
        let rows = self.read(file);
        let numbers = |line: &str| line.split(',').map(|number| number.parse().unwrap()).collect();
        rows.lines().skip(1).map(numbers).collect()
    }

    /// That a picture is there and has these texts.
    pub(crate) fn shows(&self, picture: &str, texts: &[&str]) {
        let svg = self.read(picture);
        texts
            .iter()
            .for_each(|text| assert!(svg.contains(&format!("\n{text}\n")), "{text} is not in {picture}"));
    }
}
