//! Cross-entropy or squared error behind a sigmoid: where it is sure and wrong, the squares' gradient is lost in the slope of
//! the sigmoid, which is a factor of BP1; in that of the cross-entropy it cancels.
//!
//! ```text
//! cargo run --release --example cross_entropy_or_squares
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, pictures},
    chart::{Chart, figure},
    csv::{column, write_csv},
};
use gradus::prelude::*;
use std::{path::Path, process::ExitCode};

const STEPS: usize = 300;
const LR: f64 = 0.15;

fn main() -> ExitCode {
    pictures("cross_entropy_or_squares", "The learning slowdown behind a sigmoid, and its cure.", run)
}

fn run(out: &Path) -> Outcome {
    let figures = slopes(out, Figures::default())?;
    one_unit(out, figures)
}

/// Gradients by z of the two losses of a = σ(z), for the target 0: squares a σ'(z), cross-entropy a.
fn slopes(out: &Path, figures: Figures) -> Outcome {
    let tape = Tape::new();
    let z = tape.var(Tensor::linspace(-10.0, 10.0, 81));
    let zero = tape.constant(Tensor::zeros([81]));
    let squares = ((z.sigmoid() - zero).square() * 0.5).sum().backward();
    let entropy = z.binary_cross_entropy_with_logits_with(&zero, Reduction::Sum).backward();
    let columns = [z.value(), squares[z].clone(), entropy[z].clone()];
    let rows: Vec<[f64; 3]> = (0..81).map(|i| [0, 1, 2].map(|k| f64::from(columns[k].get([i])))).collect();
    write_csv(out.join("cross_entropy_or_squares.csv"), "z,squares,entropy", &rows)?;
    let chart = Chart::new("z, where 0 is right", "gradient by z")
        .line("squared error", column(&rows, 1))
        .line("cross-entropy", column(&rows, 2));
    figure(out.join("cross_entropy_or_squares.svg"), "BP1 for two losses", 1, &[chart])?;
    let at_10 = rows[80];
    println!(
        "At z = 10 the gradient of the squared error is {:.3e}, that of the cross-entropy {:.6}",
        at_10[1], at_10[2]
    );
    Ok(figures.put("squares_at_10", at_10[1]).put("entropy_at_10", at_10[2]))
}

/// M. Nielsen's example: one unit that is to answer 0 to the input 1, from a start that is a little wrong and from one that is
/// very wrong.
fn one_unit(out: &Path, mut figures: Figures) -> Outcome {
    let starts = [("near", 0.6, 0.9), ("far", 2.0, 2.0)];
    let mut rows: Vec<Vec<f64>> = (0..=STEPS).map(|step| vec![step as f64]).collect();
    println!("\nOne unit, learning rate {LR}: its answer, which should be 0");
    for (start, weight, bias) in starts {
        for loss in ["squares", "entropy"] {
            let mut unit = Linear { weight: Param::new([[weight]]), bias: Some(Param::new([bias])) };
            let (mut sgd, mut tape) = (Sgd::new(LR), Tape::training(0));
            for row in &mut rows {
                let (_, gradients, answer) = tape.step(|tape| {
                    let z = unit.forward(tape.constant([[1.0]]));
                    let a = z.sigmoid();
                    let target = tape.constant([[0.0]]);
                    let cost = match loss {
                        "squares" => (a - target).square().sum() * 0.5,
                        _ => z.binary_cross_entropy_with_logits(&target),
                    };
                    (cost, a.item())
                });
                row.push(answer.into());
                sgd.step(&mut unit, &gradients);
            }
            let answers: Vec<f64> = rows.iter().map(|row| row[row.len() - 1]).collect();
            println!(
                "  {start:5} {loss:8} from {:.4} to {:.4} in 100 steps, {:.4} in 300",
                answers[0], answers[100], answers[STEPS]
            );
            figures = figures
                .put(format!("{start}_{loss}_0"), answers[0])
                .put(format!("{start}_{loss}_300"), answers[STEPS]);
        }
    }
    write_csv(
        out.join("cross_entropy_or_squares_unit.csv"),
        "step,near_squares,near_entropy,far_squares,far_entropy",
        &rows,
    )?;
    let chart = |title: &str, k: usize| {
        Chart::new("step", "answer")
            .title(title)
            .y(0.0, 1.4)
            .line("squared error", column(&rows, k))
            .line("cross-entropy", column(&rows, k + 1))
    };
    let charts = [chart("from a small error", 1), chart("from a large one", 3)];
    figure(out.join("cross_entropy_or_squares_unit.svg"), "A unit learns to answer 0", 2, &charts)?;
    Ok(figures)
}
