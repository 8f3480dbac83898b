//! The pages of docs/book: none missing from the summary, each listing and each link to another page there.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands between two marks, each time.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).filter_map(move |rest| Some(rest.split_once(close)?.0))
}

/// The pages by their file names, without the summary.
fn pages() -> BTreeSet<String> {
    let names = fs::read_dir(root().join("docs/book"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".md") && name != "SUMMARY.md").collect()
}

fn page(name: &str) -> String {
    read(root().join("docs/book").join(name))
}

#[test]
fn the_summary_lists_every_page_once() {
    let summary = page("SUMMARY.md");
    let listed: Vec<&str> = between(&summary, "](", ")").collect();
    let set: BTreeSet<String> = listed.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(set.len(), listed.len(), "a page is listed twice");
    assert_eq!(set, pages());
}

#[test]
fn each_listing_is_an_example_and_each_chapters_example_a_listing() {
    let mut included = BTreeSet::new();
    for name in pages() {
        for file in between(&page(&name), "{{#include ", "}}") {
            assert!(
                root().join("docs/book").join(file).is_file(),
                "{name} includes {file}, which does not exist"
            );
            included.insert(file.trim_start_matches("../../examples/").to_owned());
        }
    }
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        if file.starts_with("ch0") || file.starts_with("book_") {
            assert!(included.contains(&file), "no page shows {file}");
        }
    }
}

/// What mdBook makes of a heading: lower case, blanks as hyphens, signs away.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn links_lead_to_pages_and_their_headings() {
    for name in pages() {
        let text = page(&name);
        for link in between(&text, "](", ")").filter(|link| !link.starts_with("http")) {
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            if let Some(example) = file.strip_prefix("../book/") {
                let is_chapters = name.starts_with("ch");
                assert!(!is_chapters || example.starts_with(&name[..4]), "{name} shows {example}");
                continue;
            }
            assert!(pages().contains(file), "{name} links to {file}, which does not exist");
            let found = page(file)
                .lines()
                .any(|line| line.strip_prefix("## ").is_some_and(|heading| anchor(heading) == place));
            assert!(place.is_empty() || found, "{name}: {file} has no heading #{place}");
        }
    }
}

#[test]
fn chapters_have_titles_in_three_languages_and_three_exercises() {
    for name in pages().iter().filter(|name| name.starts_with("ch")) {
        let text = page(name);
        let titles = text.lines().nth(2).unwrap();
        assert!(titles.starts_with('*') && titles.contains(" · "), "{name}: {titles}");
        let (_, exercises) = text.split_once("## Exercises").unwrap_or_else(|| panic!("{name} has none"));
        let count = exercises.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).count();
        assert_eq!(count, 3, "{name}");
    }
}
