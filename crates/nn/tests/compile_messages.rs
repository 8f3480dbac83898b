//! What the compiler says to a mistake: the sentences that a user reads, kept in `compile_messages.txt`.
//!
//! `UPDATE=1 cargo test -p gradus-nn --test compile_messages` writes the file anew.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

const USES: &str =
    "use gradus_autograd::prelude::*; use gradus_nn::{Layer, Linear, Relu, Sequential, module};";

/// Each a heading and the lines of a function, in which the mistake stands.
const MISTAKES: &[(&str, &str)] = &[
    ("a reference to a tensor given to a layer", "Relu.forward(&Tensor::scalar(1.0));"),
    ("a number given to a layer", "Relu.forward(1.0f32);"),
    ("a list of what is no layer", "let _ = Sequential::new().push(3);"),
    (
        "a list of a layer that cannot be copied",
        "struct Own; module!(Own {}); impl Layer for Own { fn forward<V: Value>(&self, x: V) -> V { x } }
         let _ = Sequential::new().push(Own);",
    ),
    (
        "a field forgotten in module!",
        "struct Net { hidden: Linear, output: Linear } module!(Net { hidden });",
    ),
    ("a field forgotten in module! of a tuple struct", "struct Net(Linear, Linear); module!(Net(0));"),
    (
        "a field without parameters before the semicolon",
        "struct Net { hidden: Linear, classes: usize } module!(Net { hidden, classes });",
    ),
    ("indices of floats", "let _ = Indices::from([1.0f32]);"),
    ("a comparison with a whole number", "let _ = Tensor::ones([2]).gt(1i32);"),
    ("an axis given to std", "let _ = Tensor::ones([2, 2]).std(1);"),
];

/// The library of this name that this test was linked with: the newest, as others are left from other builds.
fn library(folder: &Path, name: &str) -> PathBuf {
    let built = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_ours = |path: &PathBuf| {
        let file = path.file_name().unwrap().to_string_lossy();
        file.starts_with(&format!("lib{name}-")) && file.ends_with(".rlib")
    };
    let age = |path: &PathBuf| {
        fs::metadata(path).and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
    };
    built.filter(is_ours).max_by_key(age).expect("the test's library lies beside the test")
}

/// The errors, and the notes that gradus gives them. What else is said depends on where the libraries' sources lie.
fn sentences(said: &str) -> Vec<&str> {
    let is_error = |line: &str| line.starts_with("error") && !line.starts_with("error: aborting");
    let others = ["in this macro", "this error", "required", "the full", "consider", "downstream"];
    let is_note = |line: &str| {
        line.strip_prefix("= note: ")
            .is_some_and(|note| note.contains(' ') && !others.iter().any(|other| note.starts_with(other)))
    };
    let mut sentences: Vec<&str> = Vec::new();
    for line in said.lines().map(str::trim).filter(|line| is_error(line) || is_note(line)) {
        if !sentences.contains(&line) {
            sentences.push(line);
        }
    }
    sentences
}

#[test]
fn mistakes_are_named() {
    let exe = std::env::current_exe().unwrap();
    let folder = exe.parent().unwrap();
    let libraries = ["gradus_nn", "gradus_autograd"]
        .map(|name| format!("--extern={name}={}", library(folder, name).display()));
    let work = std::env::temp_dir().join(format!("gradus-{}", std::process::id()));
    fs::create_dir_all(&work).unwrap();
    let mut text = String::new();
    for (heading, mistake) in MISTAKES {
        let source = work.join("mistake.rs");
        fs::write(&source, format!("{USES}\npub fn mistake() {{\n{mistake}\n}}\n")).unwrap();
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output = Command::new(rustc)
            .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--color=never", "-Awarnings"])
            .args(&libraries)
            .arg("-L")
            .arg(format!("dependency={}", folder.display()))
            .arg("--out-dir")
            .arg(&work)
            .arg(&source)
            .output()
            .expect("rustc runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "it compiles: {mistake}");
        assert!(!said.contains("E0463"), "the libraries are not of one build: {said}");
        text += &format!("{heading}\n");
        sentences(&said).iter().for_each(|line| text += &format!("    {line}\n"));
    }
    fs::remove_dir_all(&work).unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_messages.txt");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, &text).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap();
    assert_eq!(
        text, expected,
        "{text}\nif that is as it should be: UPDATE=1 cargo test -p gradus-nn --test compile_messages"
    );
}
