//! The map in ARCHITECTURE.md is the one of the files, and imports go one way. `UPDATE=1` writes the map anew.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Component, Path, PathBuf},
};

/// The layers of each crate, from the ground up: a file imports from its own layer and from those before it.
const LAYERS: &[(&str, &[&[&str]])] = &[
    (
        "check",
        &[
            &["estimate", "given", "json", "noise", "rng"],
            &["ladder", "pattern", "verdict", "ndarray", "nalgebra"],
            &["report", "roughness", "scan"],
            &["slope", "unseen"],
            &["calls", "check", "jacobian", "kinks", "search"],
            &["argmin", "functions"],
        ],
    ),
    (
        "tensor",
        &[
            &["within"],
            &["error"],
            &["limit", "shape", "random"],
            &["simd"],
            &["memory", "threads"],
            &["kernels"],
            &["array", "indices", "ops"],
        ],
    ),
    (
        "autograd",
        &[
            &["op", "value", "tape"],
            &["ops"],
            &["sweep"],
            &["batched", "inspect", "replay"],
            &["functional"],
            &["backward"],
            &["check", "exact"],
        ],
    ),
    (
        "linalg",
        &[
            &["block", "matrices"],
            &["equations", "reference", "samples"],
            &["solve"],
            &["cholesky", "determinant", "exponential", "qr", "spectral"],
        ],
    ),
    (
        "nn",
        &[
            &["module", "flat", "gradcheck", "init", "decode"],
            &["layer", "summary"],
            &["layers", "save"],
            &["book", "data", "group", "metrics", "optim", "schedule"],
            &["train"],
            &["report", "tensorboard"],
        ],
    ),
    ("onnx", &[&["proto"], &["graph"], &["elementwise", "layers", "structure", "translate"]]),
];

fn sources(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("crates").join(of).join("src")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let both = entries(folder).into_iter().map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    both.flatten().filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// What a file says first of itself, up to the end of the sentence.
fn job(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().map_while(|line| line.strip_prefix("//! "));
    let about = lines.collect::<Vec<_>>().join(" ");
    // A full stop after a capital belongs to a name.
    let ends = about.match_indices(". ").map(|(at, _)| at);
    let end = ends.into_iter().find(|&at| !about[..at].ends_with(|c: char| c.is_uppercase()));
    about[..end.unwrap_or(about.len() - usize::from(about.ends_with('.')))].to_owned()
}

/// Whether a folder's `mod.rs` declares this file or folder by itself, and not in a list of many alike.
fn is_declared(path: &Path) -> bool {
    let text = fs::read_to_string(path.with_file_name("mod.rs")).unwrap();
    let name = path.file_stem().unwrap().to_str().unwrap();
    text.contains(&format!("mod {name};"))
}

/// A line for each file up to two folders deep, and one for each folder below. Files that a folder lists as alike are told
/// of by the folder.
fn map(of: &str) -> String {
    let root = sources(of);
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut add = |path: &Path, job: String| {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        lines.push((if path.is_dir() { name + "/" } else { name }, job));
    };
    for path in entries(&root) {
        if path.is_dir() {
            let inner = entries(&path);
            add(&path, job(&path.join("mod.rs")));
            let is_source = |path: &&PathBuf| path.extension().is_none_or(|extension| extension == "rs");
            let told = inner.iter().filter(is_source).filter(|path| !path.ends_with("mod.rs"));
            for path in told.filter(|path| is_declared(path)) {
                add(path, job(&if path.is_dir() { path.join("mod.rs") } else { path.clone() }));
            }
        } else if !path.ends_with("lib.rs") {
            add(&path, job(&path));
        }
    }
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap();
    let mut text = String::new();
    for (name, job) in lines {
        writeln!(text, "{name:width$}  {job}").unwrap();
    }
    text
}

#[test]
fn the_map_is_that_of_the_files() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let page = fs::read_to_string(&path).unwrap();
    let mut new = page.clone();
    for (of, _) in LAYERS {
        let title = format!("`crates/{of}/src`");
        let start = new.find(&title).unwrap_or_else(|| panic!("ARCHITECTURE.md has no {title}"));
        let start = start + new[start..].find("```text\n").unwrap() + "```text\n".len();
        let end = start + new[start..].find("```").unwrap();
        new.replace_range(start..end, &map(of));
    }
    if env::var_os("UPDATE").is_some() {
        return fs::write(&path, &new).unwrap();
    }
    let wrong =
        new.lines().find(|line| !page.lines().any(|old| old == *line)).unwrap_or("order or too many lines");
    assert!(
        new == page,
        "ARCHITECTURE.md is not the map of the files any more (UPDATE=1 writes it): {wrong}"
    );
}

/// The modules of its own crate that a source names in `use` lines, with what stands within braces.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for statement in text.split("use crate::").skip(1) {
        let statement = &statement[..statement.find(';').unwrap()];
        match statement.strip_prefix('{') {
            None => found.push(statement.to_owned()),
            Some(list) => {
                let mut depth = 0;
                let parts = list.split(|c| {
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    c == ',' && depth == 0
                });
                found.extend(parts.map(|part| part.trim().to_owned()));
            }
        }
    }
    found.retain(|import| !import.is_empty() && import != "}");
    found.iter().map(|import| import.split([':', ';', ' ', '}']).next().unwrap().to_owned()).collect()
}

/// The imports that go up, as `file: module`.
fn upward(of: &str, layers: &[&[&str]]) -> Vec<String> {
    let root = sources(of);
    let layer = |module: &str| layers.iter().position(|layer| layer.contains(&module));
    let mut found = Vec::new();
    for path in files(&root) {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        let module = name.split(['/', '.']).next().unwrap();
        if module == "lib" {
            continue;
        }
        let own = layer(module).unwrap_or_else(|| panic!("{name} stands in no layer of {of}"));
        let text = fs::read_to_string(&path).unwrap();
        let up = imports(&text).into_iter().filter(|import| layer(import).is_some_and(|other| other > own));
        found.extend(up.map(|import| format!("{name}: {import}")));
    }
    found
}

#[test]
fn imports_go_one_way() {
    for (of, layers) in LAYERS {
        assert_eq!(upward(of, layers), [""; 0], "crates/{of}");
    }
    let text = "use crate::{\n    a::{b, c},\n    d,\n};\npub use crate::e::F;\n";
    assert_eq!(imports(text), ["a", "d", "e"]);
}

#[test]
fn one_file_borrows_the_nodes_of_a_tape() {
    for path in files(&sources("autograd")) {
        let text = fs::read_to_string(&path).unwrap();
        let borrows = text.contains("nodes.borrow") || text.contains("RefCell<Vec<Node>>");
        assert!(!borrows || path.ends_with("tape/node.rs"), "{path:?}");
    }
}

#[test]
fn every_file_of_tests_is_run() {
    for (of, _) in LAYERS {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates").join(of);
        let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
        let suite = fs::read_to_string(root.join("tests/suite.rs")).unwrap();
        for path in entries(&root.join("tests")).iter().filter(|path| path.extension().is_some()) {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let is_test = path.extension().is_some_and(|extension| extension == "rs");
            let is_run = suite.lines().any(|line| line == format!("mod {name};"))
                || manifest.contains(&format!("[[test]]\nname = \"{name}\"\n"));
            assert!(!is_test || is_run, "{path:?} is neither in tests/suite.rs nor a test of its own");
        }
    }
}

/// The file that a `#[path]` leads to, from the folder of the one that says it.
fn led_to(from: &Path, line: &str) -> Option<PathBuf> {
    let path = line.trim().strip_prefix("#[path = \"")?.split('"').next()?;
    let mut found = from.parent()?.to_owned();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => _ = found.pop(),
            part => found.push(part),
        }
    }
    Some(found)
}

/// A crate's tests may use files of the crates below it, in the order in which the layers are listed, and of none above.
#[test]
fn crates_read_no_files_of_those_above_them() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let homes: Vec<PathBuf> = LAYERS.iter().map(|(of, _)| crates.join(of)).collect();
    for (number, home) in homes.iter().enumerate() {
        let folders = ["src", "tests", "benches", "examples"].map(|folder| home.join(folder));
        for path in folders.iter().filter(|folder| folder.is_dir()).flat_map(|folder| files(folder)) {
            let text = fs::read_to_string(&path).unwrap();
            for read in text.lines().filter_map(|line| led_to(&path, line)) {
                let is_below = homes[..=number].iter().any(|home| read.starts_with(home));
                assert!(is_below, "{path:?} reads {read:?}, which stands above it");
            }
        }
    }
}
