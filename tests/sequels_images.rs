//! The examples of images and derivatives as programs, with those of the chapters that only show: what they print and write,
//! against closed forms and the books' numbers.

mod common;
#[path = "common/run.rs"]
mod run;

use gradus::{
    nn::data::{Dataset, digits, images},
    tensor::Rng,
};
use run::{run, run_with};
use std::f64::consts::LN_2;

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

/// The slope of a sigmoid is at most 1/4: twenty layers leave little of a gradient where no way leads past them. Row 60 asks
/// for ten times as much with one.
#[test]
fn deep_nets_learn_by_a_way_past_their_layers() {
    let run = run("residual_net");
    for row in run.table("residual_net.csv") {
        let [layers, plain, residual, test, test_residual] = row[..] else { panic!("{row:?}") };
        assert!(residual > 10.0 * plain && test_residual > test, "{row:?}");
        assert!(layers < 20.0 || (plain < 1e-6 && test < 0.2 && test_residual > 0.8), "{row:?}");
    }
    run.shows("residual_net.svg", &["plain", "residual", "layers"]);
}

#[test]
fn derivatives_of_derivatives_are_the_third_books() {
    let run = run("dezero_steps");
    for row in run.table("dezero_sines.csv") {
        let x = row[0];
        let expected = [x, x.sin(), x.cos(), -x.sin(), -x.cos()];
        assert!(row.iter().zip(expected).all(|(found, e)| (found - e).abs() < 1e-6), "{row:?}");
    }
    // The same valley in f64, with the slopes and the matrix of second derivatives by hand.
    let slope = |[x, y]: [f64; 2]| [-400.0 * x * (y - x * x) + 2.0 * (x - 1.0), 200.0 * (y - x * x)];
    let rows = run.table("dezero_valley.csv");
    let path = |newton: f64| rows.iter().filter(move |row| row[0] == newton).map(|row| [row[1], row[2]]);
    let mut at = [0.0, 2.0];
    for (step, found) in path(0.0).enumerate() {
        let off = (found[0] - at[0]).abs().max((found[1] - at[1]).abs());
        assert!(off < 1e-5, "step {step}: {found:?} is not {at:?}");
        let [dx, dy] = slope(at);
        at = [at[0] - 0.001 * dx, at[1] - 0.001 * dy];
    }
    for pair in path(1.0).collect::<Vec<_>>().windows(2) {
        let [x, y] = pair[0];
        let [dx, dy] = slope(pair[0]);
        let (a, b, d) = (1200.0 * x * x - 400.0 * y + 2.0, -400.0 * x, 200.0);
        let det = a * d - b * b;
        let expected = [x - (d * dx - b * dy) / det, y - (a * dy - b * dx) / det];
        let off = (pair[1][0] - expected[0]).abs().max((pair[1][1] - expected[1]).abs());
        assert!(off < 1e-4, "{:?} is not {expected:?}", pair[1]);
    }
    run.shows("dezero_valley.svg", &["Newton", "x", "y"]);
    run.shows("dezero_sines.svg", &["sin", "3rd"]);
}

/// Behind a mean of channels the map has a closed form, which the example compares; here: that each map is there.
#[test]
fn a_net_shows_where_it_looks() {
    let run = run("grad_cam");
    let rows = run.table("grad_cam.csv");
    assert_eq!(rows.len(), 10 * 64);
    assert!(
        rows.chunks(64).all(|map| map.iter().any(|row| row[2] > 0.0)),
        "a map without a place that speaks for it"
    );
}

#[test]
fn an_autoencoder_learns_the_digits_and_a_normal_distribution() {
    let run = run("vae");
    let rows = run.table("vae.csv");
    assert!(rows[0][3] > 1.5 * rows[rows.len() - 1][3]);
    for row in rows {
        assert!(row[2] >= 0.0 && apart(row[1] + row[2], row[3]) < 1e-5, "{row:?}");
    }
    // 200 000 samples of a variance of about 2.
    let [exact, sampled] = ["divergence", "sampled"].map(|name| run.figures[name]);
    assert!((exact - sampled).abs() < 0.02, "{exact} and {sampled}");
    run.shows("vae.svg", &["missed", "divergence", "z0", "z1"]);
}

/// Two passes of a hundred. What the example measures by is measured again here.
#[test]
fn digits_are_made_of_noise() {
    let run = run_with("gan", &["--epochs", "2"]);
    let rows = run.table("gan.csv");
    assert_eq!(rows.len(), 2);
    // At first the judge is better than 2 ln 2, a guess about either image, and the maker worse than ln 2.
    assert!(rows.iter().all(|row| row[1] < 2.0 * LN_2 && row[2] > LN_2), "{rows:?}");
    let made: Vec<f64> = run.table("gan_digits.csv").iter().map(|row| row[2]).collect();
    assert!(made.len() == 10 && (made.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{made:?}");
    let entropy: f64 = made.iter().filter(|share| **share > 0.0).map(|share| -share * share.ln()).sum();
    assert!((run.figures["spread"] - entropy.exp()).abs() < 1e-9, "{made:?}");
    assert_eq!(rows[1][4], made.iter().filter(|share| **share >= 0.02).count() as f64);
    // The nearest of 1400 real digits to each of the 397 others.
    let (data, test) = digits::load().split(1400, &mut Rng::seed(0));
    let pixels = |data: &Dataset| data.inputs().to_vec();
    let (known, new) = (pixels(&data), pixels(&test));
    let squares = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
    let nearest = |new: &[f32]| known.chunks(64).map(|known| squares(known, new)).fold(f32::MAX, f32::min);
    let usual = new.chunks(64).map(|new| f64::from(nearest(new)).sqrt()).sum::<f64>() / 397.0;
    assert!((run.figures["usual"] - usual).abs() < 1e-4, "{usual}");
    run.shows("gan.svg", &["judge", "maker", "real", "made"]);
    let sheet = images::read(run.dir.path().join("gan.png")).unwrap();
    assert_eq!(sheet.shape()[..], [1, 3 * 33 + 1, 12 * 33 + 1]);
}
