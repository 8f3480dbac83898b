//! The examples of images and derivatives as programs, with those of the chapters that only show: what they print and write,
//! against closed forms and the books' numbers.

mod common;
#[path = "common/run.rs"]
mod run;

use gradus::nn::data::{digits, images};
use run::run;

/// How far apart two numbers are, relative to the second where that is large.
fn apart(found: f64, expected: f64) -> f64 {
    (found - expected).abs() / expected.abs().max(1.0)
}

#[test]
fn chapter_1_greets_and_draws() {
    let run = run("ch01_plots");
    assert!(run.out.starts_with("I'm hungry!\nInitialized!\nHello David!\nGood-bye David!\n"), "{}", run.out);
    let rows = run.table("ch01_curves.csv");
    for (i, row) in rows.iter().enumerate() {
        let x = i as f64 / 10.0;
        assert!(apart(row[0], x).max(apart(row[1], x.sin())).max(apart(row[2], x.cos())) < 1e-6, "{row:?}");
    }
    run.shows("ch01_curves.svg", &["sin", "cos", "sin &amp; cos"]);
    // On paper ink is dark.
    let (image, _) = digits::load().get(0);
    let shown = images::read(run.dir.path().join("ch01_image.png")).unwrap();
    assert!((shown + image - 1.0).abs().max().item() <= 0.5 / 255.0 + 1e-6);
}

/// The digits of the UCI repository begin with 0 to 9 three times; how many there are of each is printed there.
#[test]
fn chapter_3_shows_its_digits() {
    let run = run("ch03_mnist_show");
    let counts: Vec<f64> = run.table("ch03_labels.csv").iter().map(|row| row[1]).collect();
    assert_eq!(counts, [178.0, 182.0, 177.0, 183.0, 181.0, 182.0, 181.0, 179.0, 174.0, 180.0]);
    let rows = run.table("ch03_mnist_show.csv");
    for (i, row) in rows.iter().enumerate() {
        assert!(i >= 30 || row[0] == (i % 10) as f64, "image {i} is a {}", row[0]);
        // Sixteenths.
        assert!(
            row.len() == 65 && row[1..].iter().all(|p| (0.0..=1.0).contains(p) && (p * 16.0).fract() == 0.0)
        );
    }
    run.shows("ch03_mnist_show.svg", &["label 0", "label 9"]);
}

#[test]
fn a_spiral_is_unwound() {
    let run = run("spiral");
    for (i, row) in run.table("spiral_points.csv").iter().enumerate() {
        let radius = (i % 100) as f64 / 100.0;
        assert!((row[0].hypot(row[1]) - radius).abs() < 1e-6 && row[2] == (i / 100) as f64, "{row:?}");
    }
    // Row 108.
    let (loss, right) = (run.figures["net_loss"], run.figures["net_train"]);
    assert!(loss <= 0.15 && right >= 0.95, "loss {loss}, accuracy {right}");
    assert!(
        run.figures["linear_train"] < 0.65 && loss < 0.3 * run.figures["linear_loss"],
        "{:?}",
        run.figures
    );
    // A linear model's regions have no bays: along a row or a column each is met once.
    let cells = run.table("spiral_boundary.csv");
    let most_changes = |model: usize| {
        let changes = |cells: Vec<f64>| cells.windows(2).filter(|pair| pair[0] != pair[1]).count();
        let lines = (0..60).flat_map(|k| {
            let at = |i: usize| cells[i][model];
            [(0..60).map(|i| at(60 * k + i)).collect(), (0..60).map(|i| at(60 * i + k)).collect()]
        });
        lines.map(changes).max().unwrap()
    };
    assert!(most_changes(2) <= 2 && most_changes(3) >= 3);
    run.shows("spiral.svg", &["ten hidden units", "x", "loss"]);
}
