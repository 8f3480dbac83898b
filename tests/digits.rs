//! The main job as a program: what it prints, what it writes, how it refuses.

mod common;

use common::{example, text};
use std::{fs, path::Path, process::Output};

/// The example with these options, writing to a directory.
fn digits(options: &[&str], out: &Path) -> Output {
    example("digits", &[options, &["--out", out.to_str().unwrap()]].concat())
}

#[test]
fn it_trains_and_says_what_it_did() {
    let dir = tempfile::tempdir().unwrap();
    let run = digits(&["--model", "mlp", "--epochs", "12"], dir.path());
    let (out, errors) = (text(&run.stdout), text(&run.stderr));
    assert!(run.status.success(), "{out}{errors}");
    assert_eq!(errors, "", "a progress bar is only for terminals");
    let last = out.lines().last().unwrap();
    let accuracy = last.strip_prefix("test_accuracy ").unwrap();
    assert_eq!(accuracy.len(), 6, "{last}");
    assert!(accuracy.parse::<f64>().unwrap() >= 0.95, "{last}");
    // The model, the gradient check, a line an epoch.
    for part in ["hidden.weight  [100, 64]", "output.bias    [10]", "7,510", "4 of 4 pass", "\n   12  "] {
        assert!(out.contains(part), "{part} is not in\n{out}");
    }
    let mut files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["learning_curve.svg", "misclassified.svg", "weights.safetensors"]);
}

#[test]
fn a_report_is_written_where_it_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (report, out) = (dir.path().join("report.html"), dir.path().join("out"));
    let run = digits(&["--model", "mlp", "--epochs", "2", "--report", report.to_str().unwrap()], &out);
    assert!(run.status.success(), "{}", text(&run.stderr));
    let page = fs::read_to_string(&report).unwrap();
    for section in ["Curves", "Test images", "Model", "Tape", "Profile", "Distributions", "Gradient check"] {
        assert!(page.contains(&format!("\">{section}</h2>")), "{section}");
    }
    let last = text(&run.stdout).lines().last().unwrap().to_owned();
    assert!(page.contains(&format!("<dd>{}</dd>", last.strip_prefix("test_accuracy ").unwrap())), "{last}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 3);
}

#[test]
fn one_seed_gives_the_same_bytes() {
    let weights = |seed: &str| {
        let dir = tempfile::tempdir().unwrap();
        let run = digits(&["--epochs", "1", "--seed", seed], dir.path());
        assert!(run.status.success(), "{}", text(&run.stderr));
        fs::read(dir.path().join("weights.safetensors")).unwrap()
    };
    let first = weights("3");
    assert_eq!(first, weights("3"));
    assert_ne!(first, weights("4"));
}

#[test]
fn bad_options_are_refused_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let cases = [
        (vec!["--modle", "mlp"], "--modle"),
        (vec!["--model", "tree"], "--model tree: must be conv or mlp"),
        (vec!["--epochs", "0"], "--epochs 0"),
        (vec!["--epochs", "many"], "--epochs many"),
        (vec!["--lr", "NaN"], "--lr NaN"),
        (vec!["--batch"], "--batch"),
        (vec!["stray"], "stray"),
    ];
    for (options, said) in cases {
        let run = digits(&options, &dir.path().join("out"));
        let errors = text(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{options:?}: {errors}");
        assert!(errors.contains(said) && errors.lines().count() == 1, "{options:?}: {errors}");
        assert!(!dir.path().join("out").exists(), "{options:?} left something behind");
    }
}

#[test]
fn bad_data_is_an_error_with_path_and_reason_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (data, out) = (dir.path().join("data"), dir.path().join("out"));
    let refused = |said: &[&str]| {
        let run = digits(&["--data", data.to_str().unwrap()], &out);
        let errors = text(&run.stderr);
        assert_eq!(run.status.code(), Some(1), "{errors}");
        assert!(said.iter().all(|part| errors.contains(part)), "{errors}");
        assert!(!out.exists(), "something was written");
    };
    refused(&["data", "train-images-idx3-ubyte"]);
    fs::create_dir(&data).unwrap();
    refused(&["data", "t10k-labels-idx1-ubyte"]);
    for name in [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ] {
        fs::write(data.join(name), [0, 0, 8, 1, 0, 0, 0]).unwrap();
    }
    refused(&["train-images-idx3-ubyte"]);
}

#[test]
fn an_output_directory_that_cannot_be_made_is_an_error_before_training() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let run = digits(&["--epochs", "1"], &file);
    assert_eq!(run.status.code(), Some(1));
    assert!(text(&run.stderr).contains("file"), "{}", text(&run.stderr));
    assert!(!text(&run.stdout).contains("epoch"), "it trained first");
    assert_eq!(fs::read_to_string(&file).unwrap(), "in the way");
}
