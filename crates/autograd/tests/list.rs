//! The list of operations is whole: what is written under `src/ops` is in it, and nothing is half declared.

use gradus_autograd::{check::Gen, ops};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn ops_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops")
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn is_type(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase()) && text.chars().all(|c| c.is_ascii_alphanumeric())
}

/// The name of the operation that a line declares, if it does: an `impl`'s constant, or the head of a table's row, which
/// is `name => Type {`, `name(parameters) => Type {` or `Type "name" ..`.
fn declared(line: &str) -> Option<&str> {
    let line = line.trim();
    if let Some(rest) = line.strip_prefix("const NAME: &'static str = \"") {
        return rest.strip_suffix("\";");
    }
    if let Some((left, right)) = line.split_once(" => ") {
        let name = left.split('(').next()?;
        return (is_name(name) && is_type(right.split(' ').next()?) && right.contains('{')).then_some(name);
    }
    let (first, rest) = line.split_once(" \"")?;
    let name = rest.split('"').next()?;
    (is_type(first) && is_name(name)).then_some(name)
}

#[test]
fn every_operation_is_in_the_list() {
    let mut written = Vec::new();
    for path in sources(&ops_folder()) {
        let text = fs::read_to_string(&path).unwrap();
        let implementations = text.matches("impl Op for ").count() - text.matches("impl Op for $").count();
        let constants = text.matches("const NAME: &'static str = \"").count();
        assert_eq!(implementations, constants, "{path:?}: each `impl Op for X` writes its NAME out");
        written.extend(text.lines().filter_map(declared).map(String::from));
    }
    let listed: BTreeSet<&str> = ops::ALL.iter().map(|spec| spec.name).collect();
    let distinct: BTreeSet<&str> = written.iter().map(String::as_str).collect();
    assert_eq!(distinct.len(), written.len(), "a name is declared twice: {written:?}");
    assert_eq!(listed.len(), ops::ALL.len(), "a name is listed twice");
    let missing: Vec<_> = distinct.difference(&listed).collect();
    assert!(missing.is_empty(), "not in ops::ALL: {missing:?}");
    // The other way round it is this test that would have overlooked a declaration.
    let unseen: Vec<_> = listed.difference(&distinct).collect();
    assert!(unseen.is_empty(), "in ops::ALL, but not found in the sources: {unseen:?}");
    assert!(listed.len() > 60, "{} operations", listed.len());
}

#[test]
fn every_operation_is_wholly_declared() {
    for spec in ops::ALL {
        assert!(is_name(spec.name), "{} is not snake case", spec.name);
        assert!(spec.formula.contains('='), "{}: the formula is {:?}", spec.name, spec.formula);
        let gives_elements = |seed| {
            let samples = spec.sample_shapes(&mut Gen::new(seed, 5));
            samples.iter().any(|inputs| inputs.iter().any(|shape| !shape.is_empty()))
        };
        assert!((0..50).any(gives_elements), "{}: no sample has elements", spec.name);
    }
}

#[test]
fn every_file_is_reachable() {
    for path in sources(&ops_folder()) {
        let is_root = path.file_name().unwrap() == "mod.rs";
        let module = if is_root { path.parent().unwrap() } else { &path };
        if module == ops_folder() {
            continue;
        }
        let declaration = format!("mod {};", module.file_stem().unwrap().to_str().unwrap());
        let parent = fs::read_to_string(module.parent().unwrap().join("mod.rs")).unwrap();
        assert!(parent.lines().any(|line| line.trim_start_matches("pub ").trim() == declaration), "{path:?}");
    }
}
