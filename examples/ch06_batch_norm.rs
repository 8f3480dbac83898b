//! Chapter 6 of the book: batch normalisation, with which a net learns from initial weights of nearly any scale.
//!
//! ```text
//! cargo run --release --example ch06_batch_norm
//! cargo run --release --example ch06_batch_norm -- --data path/to/mnist
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, Setup, training},
    chart::{Chart, figure},
    csv::{column, write_csv},
    learning::{accuracy, train},
    nets::{Extras, multi_layer_net},
};
use gradus::{autograd::check::GradCheck, prelude::*};
use std::{error::Error, process::ExitCode};

const SCALES: i32 = 16;

fn main() -> ExitCode {
    training(
        "ch06_batch_norm",
        "Batch normalisation at sixteen scales of weights, after chapter 6 of the book.",
        run,
    )
}

fn run(setup: &Setup) -> Outcome {
    check_gradients()?;
    let (data, _) = setup.flat()?;
    // The book's 1000 images: over-fitted on purpose, to see how fast.
    let few = data.select(&(0..1000).collect::<Vec<_>>());
    println!("\nTraining accuracy after 20 epochs of 1000 images, {}, five hidden layers:", setup.source());
    println!("{:>8} {:>8} {:>8}", "std", "without", "with");
    let (mut rows, mut charts, mut figures) = (Vec::new(), Vec::new(), Figures::default());
    let mut better = 0;
    for scale in 0..SCALES {
        // From 1 to 1e-4, evenly in their logarithms.
        let std = 10f32.powf(-4.0 * scale as f32 / (SCALES - 1) as f32);
        let curve = |norms: bool| {
            let (extras, mut rng) = (Extras { norms, dropout: None }, Rng::seed(2));
            let inputs = few.inputs().size(1);
            let mut net = multi_layer_net(inputs, &[100; 5], Init::Normal(std), extras, &mut rng);
            let mut curve = vec![accuracy(&net, &few)];
            train(&mut net, &mut Sgd::new(0.01), &few, 100, 200, |step, _, net| {
                if step % 10 == 0 {
                    curve.push(accuracy(net, &few));
                }
            });
            curve
        };
        let (without, with) = (curve(false), curve(true));
        println!("{std:8.5} {:8.3} {:8.3}", without[20], with[20]);
        // A net that has diverged gives NaN, which is no accuracy.
        better += usize::from(with[20] > without[20] || without[20].is_nan());
        if scale == 2 || scale == 7 {
            let key = ["large", "small"][usize::from(scale == 7)];
            figures = figures.put(format!("without_{key}"), without[20]).put(format!("with_{key}"), with[20]);
        }
        let table: Vec<[f64; 4]> =
            (0..=20).map(|epoch| [epoch as f64, without[epoch], with[epoch], std.into()]).collect();
        let chart = Chart::new("epoch", "accuracy").title(format!("std {std:.5}")).y(0.0, 1.05);
        let names = if scale == SCALES - 1 { ["without", "with norm"] } else { [""; 2] };
        charts.push(chart.line(names[0], column(&table, 1)).line(names[1], column(&table, 2)));
        rows.extend(table.iter().map(|[epoch, without, with, std]| [*std, *epoch, *without, *with]));
    }
    write_csv(setup.out.join("ch06_batch_norm.csv"), "std,epoch,without,with", &rows)?;
    let title = "Training accuracy with batch normalisation (dashed) and without";
    figure(setup.out.join("ch06_batch_norm.svg"), title, 4, &charts)?;
    Ok(figures.put("better_of_16", better as f64))
}

/// The gradients of a net with batch normalisation, on 8 examples. The book's own check has a batch of one, whose variance
/// is 0 and whose gradients say nothing.
fn check_gradients() -> Result<(), Box<dyn Error>> {
    let mut rng = Rng::seed(0);
    // A bias before a normalisation changes nothing: the mean that is taken away has it too.
    let net = Sequential::new()
        .push(Linear::new(16, 10, &mut rng).without_bias())
        .push(BatchNorm1d::new(10).eps(1e-6))
        .push(Relu)
        .push(Linear::new(10, 10, &mut rng));
    let x = Tensor::randn([8, 16], &mut rng);
    let labels: Indices = (0..8).collect();
    let check = GradCheck { elements: 20, ..GradCheck::default() };
    let report = check.params(&net.params(), &Tape::training(0), |tape| {
        net.forward(tape.constant(&x)).cross_entropy(&labels)
    });
    println!("Gradients through batch normalisation against differences in f64, 8 examples:\n{report}");
    if report.passed() { Ok(()) } else { Err("the gradient check failed".into()) }
}
