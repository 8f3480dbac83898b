//! The book's chapters as programs: the figures and the data that they write, against the book's numbers and closed forms.

mod common;

use common::{example, text};
use std::{collections::HashMap, fs};

/// The figures of the last line, `ok name key=value ...`.
fn figures(name: &str, out: &str) -> HashMap<String, f64> {
    let last = out.lines().last().unwrap_or_default();
    let pairs = last.strip_prefix(&format!("ok {name} ")).unwrap_or_else(|| panic!("no ok line in\n{out}"));
    pairs
        .split(' ')
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(k, v)| (k.into(), v.parse().unwrap()))
        .collect()
}

/// The numbers of a CSV file, below the names of its columns.
fn table(text: &str) -> Vec<Vec<f64>> {
    text.lines().skip(1).map(|line| line.split(',').map(|number| number.parse().unwrap()).collect()).collect()
}

#[test]
fn chapter_4_has_the_books_slopes_and_paths() {
    let dir = tempfile::tempdir().unwrap();
    let run = example("ch04_gradients", &["--out", dir.path().to_str().unwrap()]);
    let out = text(&run.stdout);
    assert!(run.status.success(), "{out}{}", text(&run.stderr));
    let found = figures("ch04_gradients", out);
    // The slope is 0.02 x + 0.1, and each step multiplies by 1 - 2 lr.
    let shrunk = 0.8_f64.powi(20);
    for (key, expected) in [
        ("slope_5", 0.2),
        ("slope_10", 0.3),
        ("end_0", -3.0 * shrunk),
        ("end_1", 4.0 * shrunk),
        ("small_0", -3.0 * (1.0 - 2e-10_f64).powi(100)),
        ("small_1", 4.0 * (1.0 - 2e-10_f64).powi(100)),
    ] {
        assert!((found[key] - expected).abs() <= 1e-9, "{key}: {} is not {expected}", found[key]);
    }
    // With lr 10 rounding takes over; the book's own differences in f64 end at these points.
    for (key, expected) in [("large_0", -2.58984e13), ("large_1", -1.29525e12)] {
        assert!((found[key] / expected - 1.0).abs() <= 5e-6, "{key}: {} is not {expected}", found[key]);
    }
    for (at, expected) in [("[3.0, 4.0]", [6.0, 8.0]), ("[0.0, 2.0]", [0.0, 4.0]), ("[3.0, 0.0]", [6.0, 0.0])]
    {
        let (_, printed) = out.split_once(&format!("at {at}: [")).unwrap();
        let gradient = printed.split_once(']').unwrap().0.split(", ").map(|v| v.parse::<f64>().unwrap());
        assert!(gradient.zip(expected).all(|(v, e)| (v - e).abs() <= 1e-9), "the gradient at {at}\n{out}");
    }
    let read = |file: &str| fs::read_to_string(dir.path().join(file)).unwrap();
    let path = table(&read("ch04_path.csv"));
    assert_eq!(path.len(), 21);
    for (i, x) in path.iter().enumerate() {
        let factor = 0.8_f64.powi(i as i32);
        assert!(
            (x[0] + 3.0 * factor).abs() <= 1e-9 && (x[1] - 4.0 * factor).abs() <= 1e-9,
            "step {i}: {x:?}"
        );
    }
    let tangent = table(&read("ch04_tangent.csv"));
    assert_eq!(tangent.len(), 200);
    for row in tangent {
        let x = row[0];
        // The tangent lies below the curve by 0.01 (x - 5)^2.
        assert!((row[1] - (0.01 * x * x + 0.1 * x)).abs() <= 1e-12, "{row:?}");
        assert!((row[1] - row[2] - 0.01 * (x - 5.0).powi(2)).abs() <= 1e-9, "{row:?}");
    }
    let field = table(&read("ch04_field.csv"));
    assert_eq!(field.len(), 18 * 18);
    for row in field {
        assert!((row[2] + 2.0 * row[0]).abs() <= 1e-9 && (row[3] + 2.0 * row[1]).abs() <= 1e-9, "{row:?}");
    }
    for picture in ["ch04_tangent.svg", "ch04_surface.svg", "ch04_field.svg", "ch04_path.svg"] {
        assert!(read(picture).contains("</svg>"), "{picture}");
    }
}

#[test]
fn a_directory_that_cannot_be_made_is_a_sentence() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let run = example("ch04_gradients", &["--out", file.path().to_str().unwrap()]);
    assert_eq!(run.status.code(), Some(1));
    let errors = text(&run.stderr);
    assert!(errors.starts_with("ch04_gradients: ") && errors.lines().count() == 1, "{errors}");
}

#[test]
fn the_table_of_rows_is_whole_and_names_files_that_exist() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(root.join("docs/book/rows.md")).unwrap();
    let (scripts, rows) = table.split_once("## Rows").unwrap();
    assert_eq!(scripts.lines().filter(|line| line.starts_with("| ch")).count(), 48);
    let numbers: Vec<usize> =
        rows.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok()).collect();
    assert!(numbers.into_iter().eq(1..=129), "a row is missing");
    for file in table.split('`').skip(1).step_by(2).filter(|name| name.contains('/')) {
        assert!(root.join(file).is_file(), "{file} does not exist");
    }
}
