//! Chapter 3 of the book: activation functions, the forward pass of a net of three layers, and softmax; with chapter 4's
//! curve of -log.
//!
//! ```text
//! cargo run --example ch03_functions
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

fn main() -> ExitCode {
    pictures("ch03_functions", "Activation functions and a forward pass, after chapter 3 of the book.", run)
}

fn run(out: &Path) -> Outcome {
    draw_activations(out)?;

    println!("A net of three layers, 2-3-2-2, on [1, 0.5]:");
    let x = Tensor::from([1.0, 0.5]);
    let affine = |x: &Tensor, w: Tensor, b: Tensor| x.matmul(&w) + &b;
    let w1 = Tensor::from([[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]]);
    let a1 = affine(&x, w1, Tensor::from([0.1, 0.2, 0.3]));
    let z1 = a1.sigmoid();
    let w2 = Tensor::from([[0.1, 0.4], [0.2, 0.5], [0.3, 0.6]]);
    let a2 = affine(&z1, w2, Tensor::from([0.1, 0.2]));
    let z2 = a2.sigmoid();
    // The output of a regression is left as it is.
    let y = affine(&z2, Tensor::from([[0.1, 0.3], [0.2, 0.4]]), Tensor::from([0.1, 0.2]));
    for (name, value) in [("A1", &a1), ("Z1", &z1), ("A2", &a2), ("Z2", &z2), ("Y", &y)] {
        println!("  {name} = {:?}", value.to_vec());
    }
    let product = Tensor::from([1.0, 2.0]).matmul(&Tensor::from([[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]));
    println!("[1, 2] times [[1, 3, 5], [2, 4, 6]] = {:?}", product.to_vec());

    println!("\nLayers without an activation are one: h(x) = c x gives h(h(h(x))) = c^3 x.");
    let mut rng = Rng::seed(0);
    let [m1, m2, m3] = [[4, 5], [5, 6], [6, 3]].map(|shape| Tensor::randn(shape, &mut rng));
    let inputs = Tensor::randn([8, 4], &mut rng);
    let three = inputs.matmul(&m1).matmul(&m2).matmul(&m3);
    let one = inputs.matmul(&m1.matmul(&m2).matmul(&m3));
    let apart = (&three - &one).abs().max().item() / one.abs().max().item();
    println!("  three random matrices one after the other, and their product: {apart:.1e} apart");

    println!("\nSoftmax:");
    let small = Tensor::from([0.3, 2.9, 4.0]).softmax(-1);
    println!("  of [0.3, 2.9, 4]: {:?}, sum {}", small.to_vec(), small.sum().item());
    // e^1010 is beyond every float: softmax takes the largest away first.
    let large = Tensor::from([1010.0, 1000.0, 990.0]).softmax(-1);
    println!("  of [1010, 1000, 990]: {:?}", large.to_vec());

    let slope = slope_of_sigmoid(&[0.0])[0];
    Ok(Figures::default()
        .put("y_0", y.get([0]))
        .put("y_1", y.get([1]))
        .put("z1_0", z1.get([0]))
        .put("a2_1", a2.get([1]))
        .put("product_2", product.get([2]))
        .put("softmax_0", small.get([0]))
        .put("softmax_2", small.get([2]))
        .put("large_1", large.get([1]))
        .put("sigmoid_1", Tensor::scalar(1.0).sigmoid().item())
        .put("sigmoid_2", Tensor::scalar(2.0).sigmoid().item())
        .put("slope_0", slope)
        .put("linear_apart", apart))
}

/// σ', by the tape.
fn slope_of_sigmoid(x: &[f32]) -> Vec<f64> {
    let tape = Tape::new();
    let x = tape.var(x);
    x.sigmoid().sum().backward()[x].iter().map(f64::from).collect()
}

/// The book's curves: its arange(-5, 5, 0.1) for most, linspace(-10, 10, 60) for all activations together.
fn draw_activations(out: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let near: Vec<f32> = (-50..50).map(|i| i as f32 / 10.0).collect();
    let x = Tensor::from(&near[..]);
    let slopes = slope_of_sigmoid(&near);
    let values = [x.is_positive(), x.sigmoid(), x.relu()].map(|y| y.to_vec());
    let rows: Vec<[f64; 5]> = (0..near.len())
        .map(|i| [near[i].into(), values[0][i].into(), values[1][i].into(), values[2][i].into(), slopes[i]])
        .collect();
    write_csv(out.join("ch03_activations.csv"), "x,step,sigmoid,relu,slope_of_sigmoid", &rows)?;
    let both = Chart::new("x", "y").title("step and sigmoid").y(-0.1, 1.1);
    let charts = [
        Chart::new("x", "y").title("step").y(-0.1, 1.1).line("", column(&rows, 1)),
        Chart::new("x", "y").title("sigmoid").y(-0.1, 1.1).line("", column(&rows, 2)),
        Chart::new("x", "y").title("ReLU").y(-1.0, 5.5).line("", column(&rows, 3)),
        both.line("sigmoid", column(&rows, 2)).line("step", column(&rows, 1)),
        Chart::new("x", "slope").title("slope of sigmoid").y(-0.02, 0.3).line("", column(&rows, 4)),
    ];
    figure(out.join("ch03_activations.svg"), "Activation functions", 3, &charts)?;

    let x = Tensor::linspace(-10.0, 10.0, 60);
    let (slope, alpha) = (Tensor::scalar(0.25), 11.0 / 48.0);
    let all = [
        ("step", x.is_positive()),
        ("sigmoid", x.sigmoid()),
        ("tanh", x.tanh()),
        ("ReLU", x.relu()),
        ("leaky ReLU 0.1", x.leaky_relu(0.1)),
        ("PReLU 0.25", x.prelu(&slope)),
        ("RReLU in evaluation", x.leaky_relu(alpha)),
        ("ELU", x.elu(1.0)),
    ];
    let rows: Vec<Vec<f64>> = (0..60)
        .map(|i| [&x].into_iter().chain(all.iter().map(|(_, y)| y)).map(|y| y.get([i]).into()).collect())
        .collect();
    write_csv(out.join("ch03_all.csv"), "x,step,sigmoid,tanh,relu,leaky_relu,prelu,rrelu,elu", &rows)?;
    let charts: Vec<Chart> = (all.iter().zip(1..))
        .map(|((name, _), k)| Chart::new("x", "y").title(*name).line("", column(&rows, k)))
        .collect();
    figure(out.join("ch03_all.svg"), "Activation functions from -10 to 10", 4, &charts)?;

    let rows: Vec<[f64; 2]> = (1..=1000).map(|i| f64::from(i) / 1000.0).map(|p| [p, -p.ln()]).collect();
    write_csv(out.join("ch03_log.csv"), "p,loss", &rows)?;
    let chart = Chart::new("probability of the right class", "loss").line("-log", column(&rows, 1));
    figure(out.join("ch03_log.svg"), "Cross-entropy", 1, &[chart])
}
