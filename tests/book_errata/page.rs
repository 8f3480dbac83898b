//! The page and the tests name each other.

use std::{collections::BTreeSet, fs, path::Path};

const PAGE: &str = include_str!("../../docs/book/errata.md");

/// The rows of the page's tables: number, where, printed, right, why, test.
fn errata() -> Vec<Vec<&'static str>> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| E"));
    rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// The names of the tests beside this file, `module::test`.
fn tests() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/book_errata");
    let mut names = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap();
        if ["main", "page"].contains(&module) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let found = text.split("#[test]\nfn ").skip(1).map(|rest| rest.split('(').next().unwrap());
        assert_eq!(
            found.clone().count(),
            text.matches("#[test]").count(),
            "{module}: a test of another form"
        );
        names.extend(found.map(|name| format!("{module}::{name}")));
    }
    names
}

#[test]
fn each_erratum_names_its_test_and_each_test_stands_in_the_page() {
    let named: BTreeSet<String> = errata()
        .iter()
        .map(|row| row[5])
        .filter(|test| *test != "text")
        .map(|test| test.trim_matches('`').into())
        .collect();
    let tests = tests();
    let missing: Vec<_> = named.difference(&tests).collect();
    assert!(missing.is_empty(), "the page names tests that do not exist: {missing:?}");
    let unnamed: Vec<_> = tests.difference(&named).collect();
    assert!(unnamed.is_empty(), "the page says nothing of {unnamed:?}");
}

#[test]
fn errata_are_whole_and_numbered() {
    let rows = errata();
    assert!(rows.len() >= 45, "{} errata", rows.len());
    for (row, number) in rows.iter().zip(1..) {
        assert_eq!(row[0], format!("E{number}"));
        assert!(row.len() == 6 && row.iter().all(|cell| !cell.is_empty()), "E{number}: {row:?}");
    }
}
