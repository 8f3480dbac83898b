//! The page for people who come from PyTorch names nothing that is not there.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    files.into_iter().chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}

/// What is declared in a line: the word after `fn`, `struct` and the like, or the head of a row in a table of operations,
/// layers or losses.
fn declared(line: &str) -> Option<&str> {
    let line = line.trim().trim_start_matches("pub ");
    let end = |rest: &str| rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let item = ["fn ", "struct ", "enum ", "trait ", "type "].iter().find_map(|kind| line.strip_prefix(kind));
    let layer = line.starts_with(char::is_uppercase) && line.contains(" = ");
    let row = || (layer || line.contains(" => ")).then_some(line);
    // The last word before what the method takes: `mse_loss, mse_loss_with(target: &Self) |x| {`.
    let loss = || line.ends_with(" |x| {").then(|| line.split('(').next()?.rsplit(' ').next()).flatten();
    let rest = item.or_else(row).or_else(loss)?;
    Some(&rest[..end(rest)])
}

/// The second cells of the rows of the page's tables.
fn ours(page: &str) -> Vec<&str> {
    page.lines().filter(|line| line.starts_with("| `")).map(|line| line.split('|').nth(2).unwrap()).collect()
}

#[test]
fn every_name_of_gradus_is_declared_in_the_sources() {
    let page = include_str!("../docs/from-pytorch.md");
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let mut known = HashSet::new();
    for krate in ["tensor", "autograd", "linalg", "nn", "onnx"] {
        for path in sources(&crates.join(krate).join("src")) {
            if let Ok(text) = fs::read_to_string(path) {
                known.extend(text.lines().filter_map(declared).map(String::from));
            }
        }
    }
    let named: Vec<&str> = ours(page).iter().flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(named.len() > 120, "{} names", named.len());
    let missing: Vec<_> = named.iter().filter(|name| !known.contains(**name)).collect();
    assert!(missing.is_empty(), "in the page, but not in the sources: {missing:?}");
}
