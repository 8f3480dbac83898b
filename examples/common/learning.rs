//! How the book trains, what it measures on the way, and the pictures of that.

use super::{
    chart::{Chart, figure},
    csv::{column, write_csv},
    print::say,
};
use gradus::{nn::data::Dataset, prelude::*};
use std::{error::Error, path::Path};

/// So many steps, each on a batch drawn with replacement, as the book draws them. After each `look` gets its number, from
/// 1 on, the loss of its batch and the net.
pub(crate) fn train<N: Layer>(
    net: &mut N,
    optimizer: &mut impl Optimizer,
    data: &Dataset,
    batch: usize,
    steps: usize,
    mut look: impl FnMut(usize, f64, &N),
) {
    let mut rng = Rng::seed(1);
    let mut tape = Tape::training(1);
    for step in 1..=steps {
        let drawn: Vec<usize> = (0..batch).map(|_| rng.below(data.len())).collect();
        let batch = data.select(&drawn);
        let (loss, gradients, ()) =
            tape.step(|tape| (net.forward(tape.constant(batch.inputs())).cross_entropy(batch.labels()), ()));
        optimizer.step(net, &gradients);
        look(step, f64::from(loss), net);
    }
}

/// The share of the images whose class a net gets right, computed on plain tensors.
pub(crate) fn accuracy(net: &impl Layer, data: &Dataset) -> f64 {
    metrics::accuracy(&metrics::predict(net, data.inputs(), 500), data.labels())
}

/// [`train`] with batches of 100, which `looks` times on its way prints and returns the step, the mean loss since the last
/// look, and the accuracy on the first `judged` images of either set.
pub(crate) fn learn(
    net: &mut impl Layer,
    optimizer: &mut impl Optimizer,
    [data, test]: [&Dataset; 2],
    steps: usize,
    looks: usize,
    judged: usize,
) -> Vec<[f64; 4]> {
    let first = |data: &Dataset| data.select(&(0..data.len().min(judged)).collect::<Vec<_>>());
    let (some_data, some_test) = (first(data), first(test));
    let every = steps / looks;
    let (mut curve, mut sum) = (Vec::new(), 0.0);
    say("\n  step    loss   train    test");
    train(net, optimizer, data, 100, steps, |step, loss, net| {
        sum += loss;
        if step % every == 0 {
            let row = [step as f64, sum / every as f64, accuracy(net, &some_data), accuracy(net, &some_test)];
            say(&format!("{:6}  {:.4}  {:.4}  {:.4}", row[0], row[1], row[2], row[3]));
            curve.push(row);
            sum = 0.0;
        }
    });
    curve
}

/// Writes what [`learn`] returned as a table and as a picture, to files of this name.
pub(crate) fn draw_learning(
    out: &Path,
    name: &str,
    title: &str,
    curve: &[[f64; 4]],
) -> Result<(), Box<dyn Error>> {
    write_csv(out.join(format!("{name}.csv")), "step,loss,train,test", curve)?;
    let charts = [
        Chart::new("step", "loss").line("train", column(curve, 1)),
        Chart::new("step", "accuracy").line("train", column(curve, 2)).line("test", column(curve, 3)),
    ];
    figure(out.join(format!("{name}.svg")), title, 2, &charts)
}

/// The book's `smooth_curve`: means over eleven values, weighted by a Kaiser window with β = 2; the ends are mirrored.
pub(crate) fn smooth_curve(curve: &[f64]) -> Vec<f64> {
    // I₀, the modified Bessel function: the sum of ((x/2)^k / k!)².
    let bessel = |x: f64| {
        let term = |last: &mut f64, k: i32| {
            *last *= (0.5 * x / f64::from(k)).powi(2);
            Some(*last)
        };
        1.0 + (1..30).scan(1.0, term).sum::<f64>()
    };
    let weights: [f64; 11] =
        std::array::from_fn(|k| bessel(2.0 * (1.0 - (k as f64 / 5.0 - 1.0).powi(2)).sqrt()));
    let total: f64 = weights.iter().sum();
    let n = curve.len() as i64;
    // -1 is 1, and n is n - 2; what is still outside stays at the end.
    let mirrored = |i: i64| curve[(if i < n { i.abs() } else { 2 * (n - 1) - i }).clamp(0, n - 1) as usize];
    let mean =
        |i: i64| (-5..=5).zip(weights).map(|(by, weight)| weight * mirrored(i + by)).sum::<f64>() / total;
    (0..n).map(mean).collect()
}
