//! The book's chapters as programs: the figures and the data that they write, against the book's numbers and closed forms.

mod common;
#[path = "common/run.rs"]
mod run;

use common::{example, text};
use gradus::{nn::data::npy::npz, prelude::*};
use run::run;
use std::{fs, path::Path};

#[test]
fn chapter_2_draws_where_gates_say_1() {
    let run = run("ch02_gates");
    let table = run.table("ch02_boundaries.csv");
    assert_eq!(table.len(), 5 * 48 * 48);
    for row in table {
        let [gate, x1, x2, y] = row[..] else { panic!("{row:?}") };
        let sum = x1 + x2;
        let wanted = match gate as usize {
            0 => sum > 1.4,
            1 => sum < 1.4,
            2 => sum > 0.4,
            3 => sum > 0.4 && sum < 1.4,
            // OR of AND and NOR with sigmoids, whose middles are at 1.5 and 0.5.
            _ => {
                if (sum - 1.5).abs().min((sum - 0.5).abs()) < 0.06 {
                    continue;
                }
                !(0.5..1.5).contains(&sum)
            }
        };
        assert_eq!(y > 0.5, wanted, "{row:?}");
    }
    run.shows("ch02_boundaries.svg", &["AND", "NAND", "OR", "XOR", "XNOR", "x1", "x2"]);
}

#[test]
fn chapter_3_draws_its_functions() {
    let run = run("ch03_functions");
    let close = |found: f64, expected: f64| (found - expected).abs() <= 2e-6 * expected.abs().max(1.0);
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let near = run.table("ch03_activations.csv");
    assert_eq!(near.len(), 100);
    for row in near {
        let [x, step, y, relu, slope] = row[..] else { panic!("{row:?}") };
        assert!(step == f64::from(x > 0.0) && close(y, sigmoid(x)) && relu == x.max(0.0), "{row:?}");
        assert!(close(slope, sigmoid(x) * (1.0 - sigmoid(x))), "{row:?}");
    }
    let all = run.table("ch03_all.csv");
    assert_eq!(all.len(), 60);
    for row in all {
        let x = row[0];
        let below = |slope: f64| if x > 0.0 { x } else { slope * x };
        let elu = if x > 0.0 { x } else { x.exp() - 1.0 };
        let expected = [
            f64::from(x > 0.0),
            sigmoid(x),
            x.tanh(),
            below(0.0),
            below(0.1),
            below(0.25),
            below(11.0 / 48.0),
            elu,
        ];
        assert!(row[1..].iter().zip(expected).all(|(found, e)| close(*found, e)), "{row:?}");
    }
    assert!(run.table("ch03_log.csv").iter().all(|row| close(row[1], -row[0].ln())));
    run.shows("ch03_all.svg", &["ELU", "tanh"]);
    run.shows("ch03_activations.svg", &["step", "sigmoid", "slope of sigmoid"]);
}

#[test]
fn chapter_4_has_the_books_slopes_and_paths() {
    let run = run("ch04_gradients");
    for (at, expected) in [("[3.0, 4.0]", [6.0, 8.0]), ("[0.0, 2.0]", [0.0, 4.0]), ("[3.0, 0.0]", [6.0, 0.0])]
    {
        let (_, printed) = run.out.split_once(&format!("at {at}: [")).unwrap();
        let gradient = printed.split_once(']').unwrap().0.split(", ").map(|v| v.parse::<f64>().unwrap());
        assert!(
            gradient.zip(expected).all(|(v, e)| (v - e).abs() <= 1e-9),
            "the gradient at {at}\n{}",
            run.out
        );
    }
    let path = run.table("ch04_path.csv");
    assert_eq!(path.len(), 21);
    for (i, x) in path.iter().enumerate() {
        let factor = 0.8_f64.powi(i as i32);
        assert!(
            (x[0] + 3.0 * factor).abs() <= 1e-9 && (x[1] - 4.0 * factor).abs() <= 1e-9,
            "step {i}: {x:?}"
        );
    }
    let tangent = run.table("ch04_tangent.csv");
    assert_eq!(tangent.len(), 200);
    for row in tangent {
        let x = row[0];
        // The tangent lies below the curve by 0.01 (x - 5)^2.
        assert!((row[1] - (0.01 * x * x + 0.1 * x)).abs() <= 1e-12, "{row:?}");
        assert!((row[1] - row[2] - 0.01 * (x - 5.0).powi(2)).abs() <= 1e-9, "{row:?}");
    }
    let field = run.table("ch04_field.csv");
    assert_eq!(field.len(), 18 * 18);
    for row in field {
        assert!((row[2] + 2.0 * row[0]).abs() <= 1e-9 && (row[3] + 2.0 * row[1]).abs() <= 1e-9, "{row:?}");
    }
    run.shows("ch04_surface.svg", &["x0", "x1", "18"]);
    run.shows("ch04_field.svg", &["x0", "x1"]);
    run.shows("ch04_tangent.svg", &["tangent at 5"]);
    run.shows("ch04_path.svg", &["x0"]);
}

#[test]
fn two_layers_learn_the_digits() {
    let run = run("ch04_two_layer_net");
    for name in ["sigmoid", "relu"] {
        let curve = run.table(&format!("ch04_two_layer_net_{name}.csv"));
        assert_eq!(curve.len(), 20);
        assert!(curve[0][1] > curve[19][1] && curve[19][3] == run.figures[&format!("{name}_test")]);
        run.shows(&format!("ch04_two_layer_net_{name}.svg"), &["loss", "accuracy", "train", "test"]);
    }
    assert!(run.out.contains("4 of 4 pass"), "{}", run.out);
}

#[test]
fn chapter_5_goes_shopping_and_checks_its_gradients() {
    let run = run("ch05_backprop");
    let table = run.table("ch05_shopping.csv");
    let expected = [
        [100.0, 2.2],
        [2.0, 110.0],
        [150.0, 3.3],
        [3.0, 165.0],
        [200.0, 1.1],
        [450.0, 1.1],
        [650.0, 1.1],
        [1.1, 650.0],
        [715.0, 1.0],
    ];
    let close = |(found, expected): (&Vec<f64>, [f64; 2])| {
        found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-6 * b.abs())
    };
    assert!(table.len() == 9 && table.iter().zip(expected).all(close), "{table:?}");
    run.shows("ch05_shopping.svg", &["apple", "oranges", "tax", "150 ↩ 3.3", "650 ↩ 1.1", "+"]);
}

#[test]
fn chapter_6_compares_optimizers() {
    let run = run("ch06_optimizers");
    // SGD in closed form: x is multiplied by 1 - 0.95 / 10 and y by 1 - 2 · 0.95 at every step.
    let sgd: Vec<Vec<f64>> = run.table("ch06_paths.csv").into_iter().filter(|row| row[0] == 0.0).collect();
    assert_eq!(sgd.len(), 31);
    for row in sgd {
        let step = row[1] as i32;
        let [x, y] = [-7.0 * 0.905f64.powi(step), 2.0 * (-0.9f64).powi(step)];
        assert!((row[2] - x).abs() < 3e-6 && (row[3] - y).abs() < 3e-6, "{row:?}");
    }
    for better in ["momentum", "adagrad", "adam"] {
        assert!(run.figures[&format!("test_{better}")] >= run.figures["test_sgd"] + 0.03, "{better}");
    }
    run.shows("ch06_paths.svg", &["SGD", "Momentum", "AdaGrad", "Adam"]);
}

#[test]
fn chapter_6_compares_initial_weights() {
    let run = run("ch06_initializers");
    for name in ["sigmoid", "tanh", "relu"] {
        let table = run.table(&format!("ch06_activations_{name}.csv"));
        assert_eq!(table.len(), 4 * 5 * 30);
        // Every activation is in a bin.
        for of_layer in table.chunks(30) {
            assert_eq!(of_layer.iter().map(|row| row[3]).sum::<f64>(), 100_000.0, "{name} {:?}", of_layer[0]);
        }
        run.shows(&format!("ch06_activations_{name}.svg"), &["std 1, layer 1", "He, layer 5"]);
    }
    // Row 95, on the small digits.
    assert!(run.figures["loss_he"] < 0.45 && run.figures["loss_he"] < run.figures["loss_xavier"]);
}

#[test]
fn chapter_6_normalises_batches() {
    let run = run("ch06_batch_norm");
    assert_eq!(run.table("ch06_batch_norm.csv").len(), 16 * 21);
    assert!(run.out.contains("5 of 5 pass"), "{}", run.out);
    run.shows("ch06_batch_norm.svg", &["std 1.00000", "std 0.00010", "with norm"]);
}

#[test]
fn chapter_6_narrows_the_gap() {
    let run = run("ch06_regularization");
    let gap = |name: &str| run.figures[&format!("{name}_train")] - run.figures[&format!("{name}_test")];
    assert!(gap("weight_decay") <= gap("no_decay") - 0.02, "{:?}", run.figures);
    assert!(gap("dropout") <= 0.8 * gap("no_dropout"), "{:?}", run.figures);
    run.shows("ch06_regularization.svg", &["weight decay", "dropout"]);
}

#[test]
fn chapter_6_searches_at_random() {
    let run = run("ch06_hyperparameters");
    let table = run.table("ch06_hyperparameters.csv");
    assert_eq!(table.len(), 30);
    assert!(table.windows(2).all(|pair| pair[0][2] >= pair[1][2]), "they are ranked");
    assert!(table.iter().all(|row| (1e-6..=1e-2).contains(&row[0]) && (1e-8..=1e-4).contains(&row[1])));
    assert!((1e-3..=1e-2).contains(&table[0][0]) && run.figures["least_lr_of_best_5"] > 1e-3, "{table:?}");
}

#[test]
fn chapter_7_convolves() {
    let run = run("ch07_simple_convnet");
    assert!(run.out.contains("6 of 6 pass") && run.out.contains("[[18., 19.],\n [ 9., 18.]]"), "{}", run.out);
    let padded =
        "[[ 7., 12., 10.,  2.],\n [ 4., 15., 16., 10.],\n [10.,  6., 15.,  6.],\n [ 8., 10.,  4.,  3.]]";
    assert!(run.out.contains(padded), "{}", run.out);
    assert_eq!(run.table("ch07_filters.csv").len(), 2 * 30 * 9);
    assert_eq!(run.table("ch07_filtered.csv").len(), 30 * 6 * 6);
    run.shows("ch07_filters_after.svg", &["filter 1", "filter 30"]);
    run.shows("ch07_filtered.svg", &["the image", "filter 16"]);
}

#[test]
fn chapter_8_errs_seldom_and_saves_in_half_precision() {
    let run = run("ch08_deep_convnet");
    let wrong = run.table("ch08_misclassified.csv");
    assert_eq!(wrong.len(), run.figures["wrong"] as usize);
    assert!(wrong.iter().all(|row| row[1] != row[2]));
    assert!((1.0 - run.figures["wrong"] / 397.0 - run.figures["test"]).abs() < 1e-12);
    assert!((run.figures["test_half"] - run.figures["test"]).abs() <= 0.01, "{:?}", run.figures);
    let weights = npz::read(run.dir.path().join("ch08_weights.npz")).unwrap();
    assert!(
        weights.len() == 16
            && weights["W7"].shape()[..] == [64, 50]
            && weights["W1"].shape()[..] == [16, 1, 3, 3]
    );
}

#[test]
fn weights_under_the_books_names_are_trained_saved_and_loaded() {
    let run = run("book_predict");
    let weights = npz::read(run.dir.path().join("book_predict_three_layer.npz")).unwrap();
    assert_eq!(weights.keys().collect::<Vec<_>>(), ["W1", "W2", "W3", "b1", "b2", "b3"]);
    assert_eq!(weights["W1"].shape()[..], [64, 50]);
}

/// Weights that always say 7, and four test images in IDX files, of which three are one: no training images are there.
#[test]
fn the_books_weights_predict_with_the_test_images_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let sizes = [784, 50, 100, 10];
    let mut arrays: Vec<(String, Tensor)> = Vec::new();
    for k in 1..=3 {
        arrays.push((format!("W{k}"), Tensor::zeros([sizes[k - 1], sizes[k]])));
        arrays.push((format!("b{k}"), Tensor::from_fn([sizes[k]], |i| f32::from(u8::from(i[0] == 7)))));
    }
    let write = |file: &str, arrays: &[(String, Tensor)]| {
        npz::write_half(path(file), arrays.iter().map(|(name, tensor)| (name.clone(), tensor))).unwrap();
    };
    write("good.npz", &arrays);
    arrays.pop();
    write("short.npz", &arrays);
    let images = [vec![0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 28, 0, 0, 0, 28], vec![100; 4 * 784]].concat();
    fs::write(path("t10k-images-idx3-ubyte"), images).unwrap();
    fs::write(path("t10k-labels-idx1-ubyte"), [0, 0, 8, 1, 0, 0, 0, 4, 7, 1, 7, 7]).unwrap();

    let data = path("");
    let predict = |options: &[&str]| example("book_predict", options);
    let run = predict(&["--model", "three_layer", "--weights", &path("good.npz"), "--data", &data]);
    assert_eq!(text(&run.stdout).lines().last(), Some("accuracy 0.7500"), "{}", text(&run.stderr));

    let refused = |options: &[&str], said: &str| {
        let run = predict(options);
        let errors = text(&run.stderr);
        assert_eq!(run.status.code(), Some(1), "{options:?}: {errors}");
        assert!(errors.starts_with("book_predict: ") && errors.lines().count() == 1, "{errors}");
        assert!(errors.contains(said), "{options:?}: {errors}");
    };
    refused(&["--weights", &path("short.npz"), "--data", &data], "b3 is missing");
    refused(&["--weights", &path("none.npz"), "--data", &data], "none.npz");
    refused(&["--model", "deep_convnet", "--weights", &path("good.npz"), "--data", &data], "W4 is missing");
    refused(&["--weights", &path("good.npz"), "--data", &path("none")], "t10k-images-idx3-ubyte");
    refused(&["--weights", &path("good.npz")], "--data");
    refused(&["--data", &data], "--weights");
}

#[test]
fn what_is_missing_is_a_sentence() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    for (name, options) in [
        ("ch04_gradients", vec!["--out".to_owned(), path(file.path())]),
        ("book_predict", vec!["--out".to_owned(), path(file.path())]),
        (
            "ch06_optimizers",
            ["--data".to_owned(), path(&dir.path().join("none")), "--out".to_owned(), path(dir.path())]
                .into(),
        ),
    ] {
        let run = example(name, &options.iter().map(String::as_str).collect::<Vec<_>>());
        let errors = text(&run.stderr);
        assert_eq!(run.status.code(), Some(1), "{errors}");
        assert!(errors.starts_with(&format!("{name}: ")) && errors.lines().count() == 1, "{errors}");
    }
}

#[test]
fn the_table_of_rows_is_whole_and_names_files_and_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(root.join("docs/book/rows.md")).unwrap();
    let (scripts, rows) = table.split_once("## Rows").unwrap();
    assert_eq!(scripts.lines().filter(|line| line.starts_with("| ch")).count(), 48);
    let numbers: Vec<usize> =
        rows.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok()).collect();
    assert!(numbers.into_iter().eq(1..=129), "a row is missing");
    for line in table.lines().filter(|line| line.starts_with("| ")) {
        let mut source = None;
        for name in line.split('`').skip(1).step_by(2) {
            if name.contains('/') {
                let path = root.join(name);
                source = Some((
                    name,
                    fs::read_to_string(&path).unwrap_or_else(|_| panic!("{name} does not exist")),
                ));
            } else {
                let (file, text) = source.as_ref().unwrap_or_else(|| panic!("{line}: {name} of which file?"));
                assert!(text.contains(&format!("fn {name}(")), "{file} has no test {name}");
            }
        }
        let says = line.rsplit('|').nth(1).map(str::trim).unwrap_or_default();
        let is_mapped = source.is_some() && !says.contains("open");
        assert!(is_mapped || says == "open" || says == "where", "{line}");
    }
}
