//! Chapter 2 of the book: perceptrons as logic gates, the lines that they draw, and why XOR needs two layers.
//!
//! ```text
//! cargo run --example ch02_gates
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, pictures},
    chart::{Chart, figure},
    csv::write_csv,
};
use gradus::{nn::gates, prelude::*};
use std::{path::Path, process::ExitCode};

/// The book's order of inputs.
const INPUTS: [[f32; 2]; 4] = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]];

/// A perceptron: 1 where w1 x1 + w2 x2 + b is positive. The bias says how easily it fires.
fn perceptron([w1, w2]: [f32; 2], b: f32, [x1, x2]: [f32; 2]) -> f32 {
    if w1 * x1 + w2 * x2 + b > 0.0 { 1.0 } else { 0.0 }
}

fn and(x: [f32; 2]) -> f32 {
    perceptron([0.5, 0.5], -0.7, x)
}

/// AND with all signs turned.
fn nand(x: [f32; 2]) -> f32 {
    perceptron([-0.5, -0.5], 0.7, x)
}

/// AND with a smaller threshold.
fn or(x: [f32; 2]) -> f32 {
    perceptron([0.5, 0.5], -0.2, x)
}

/// Two layers: no line has (1, 0) and (0, 1) on one side, and the others on the other.
fn xor(x: [f32; 2]) -> f32 {
    and([nand(x), or(x)])
}

/// XNOR with sigmoids and the weights of A. Ng's course: OR of AND and NOR, never quite 0 or 1.
fn xnor(x: [f32; 2]) -> f32 {
    gates::xnor().forward(Tensor::from([x])).item()
}

/// NOT, by the same means.
fn not(x: f32) -> f32 {
    (Tensor::scalar(10.0) - Tensor::scalar(20.0) * x).sigmoid().item()
}

fn main() -> ExitCode {
    pictures("ch02_gates", "Logic gates as perceptrons, after chapter 2 of the book.", run)
}

fn run(out: &Path) -> Outcome {
    type Gate = fn([f32; 2]) -> f32;
    let all: [(&str, Gate); 5] = [("AND", and), ("NAND", nand), ("OR", or), ("XOR", xor), ("XNOR", xnor)];
    println!("x1 x2   AND  NAND    OR   XOR    XNOR");
    for x in INPUTS {
        let [a, n, o, xo, xn] = all.map(|(_, gate)| gate(x));
        println!(" {}  {}  {a:4} {n:5} {o:5} {xo:5}  {xn:.8}", x[0], x[1]);
    }
    println!("NOT 0 = {:.8}, NOT 1 = {:.8}", not(0.0), not(1.0));
    // The library has them as layers.
    let x = Tensor::from(INPUTS);
    for ((name, gate), layer) in all.iter().zip([gates::and(), gates::nand(), gates::or(), gates::xor()]) {
        assert_eq!(layer.forward(x.clone()).to_vec(), INPUTS.map(gate), "{name}");
    }

    let lines =
        |gate: Gate| INPUTS.map(gate).map(|y| if y > 0.5 { '1' } else { '0' }).iter().collect::<String>();
    let as_number = |gate: Gate| lines(gate).parse::<f64>().expect("four digits");
    let best = best_line(&mut Rng::seed(0));
    println!("\nOne perceptron and XOR: the best of 100 000 random lines gets {best} of 4 points right.");

    // Where a gate says 1, on a grid, beside the four points.
    let mut rows = Vec::new();
    let mut charts = Vec::new();
    for (k, (name, gate)) in all.into_iter().enumerate() {
        let places = (0..48 * 48).map(|i| [i / 48, i % 48].map(|i| -0.48 + 0.05 * i as f32));
        let cells: Vec<((f64, f64), f64)> =
            places.map(|x| ((f64::from(x[0]), f64::from(x[1])), f64::from(gate(x)))).collect();
        rows.extend(cells.iter().map(|((x1, x2), y)| [k as f64, *x1, *x2, *y]));
        let points = |wanted: bool| {
            let of_kind = INPUTS.into_iter().filter(|&x| (gate(x) > 0.5) == wanted);
            of_kind.map(|x| (x[0].into(), x[1].into())).collect()
        };
        charts.push(
            Chart::new("x1", "x2")
                .title(name)
                .x(-0.5, 1.9)
                .y(-0.5, 1.9)
                .equal()
                .shade((0.05, 0.05), cells)
                .dots("0", points(false))
                .dots("1", points(true)),
        );
    }
    write_csv(out.join("ch02_boundaries.csv"), "gate,x1,x2,y", &rows)?;
    figure(out.join("ch02_boundaries.svg"), "Where gates say 1 (grey)", 3, &charts)?;

    let mut figures = Figures::default();
    for (name, gate) in all {
        figures = figures.put(name.to_lowercase(), as_number(gate));
    }
    let [same, other] = [xnor([0.0, 0.0]), xnor([1.0, 0.0])];
    Ok(figures
        .put("xnor_same", same)
        .put("xnor_other", other)
        .put("not_0", not(0.0))
        .put("not_1", not(1.0))
        .put("best_line_xor", best as f64))
}

/// How many of XOR's four points the best of many random perceptrons gets right.
fn best_line(rng: &mut Rng) -> usize {
    let mut try_one = |_| {
        let [w1, w2, b] = [(); 3].map(|()| rng.uniform(-1.0, 1.0));
        INPUTS.into_iter().filter(|&x| perceptron([w1, w2], b, x) == xor(x)).count()
    };
    (0..100_000).map(&mut try_one).max().unwrap_or(0)
}
