//! Chapter 1 of the book: hello, a class, the sine and the cosine as curves, and an image.
//!
//! ```text
//! cargo run --example ch01_plots
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, pictures},
    chart::{Chart, figure},
    csv::{column, write_csv},
    grid::digit_grid,
};
use gradus::{
    nn::data::{digits, images},
    prelude::*,
};
use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    pictures("ch01_plots", "Hello, curves and an image, after chapter 1 of the book.", run)
}

/// The book's class: a type, what makes it, and what it can do.
struct Man {
    name: String,
}

impl Man {
    fn new(name: &str) -> Man {
        println!("Initialized!");
        Man { name: name.to_owned() }
    }

    fn hello(&self) {
        println!("Hello {}!", self.name);
    }

    fn goodbye(&self) {
        println!("Good-bye {}!", self.name);
    }
}

fn run(out: &Path) -> Outcome {
    println!("I'm hungry!");
    let man = Man::new("David");
    man.hello();
    man.goodbye();

    // Arithmetic of arrays: element by element, and a smaller shape is repeated ("broadcast").
    let a = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    println!("\n{a}\ntimes [10, 20]:\n{}", &a * Tensor::from([10.0, 20.0]));

    // The book's arange(0, 6, 0.1).
    let x = Tensor::arange(60) * 0.1;
    let (sin, cos) = (x.sin(), x.cos());
    let rows: Vec<[f64; 3]> =
        (0..60).map(|i| [x.get([i]).into(), sin.get([i]).into(), cos.get([i]).into()]).collect();
    write_csv(out.join("ch01_curves.csv"), "x,sin,cos", &rows)?;
    let charts = [
        Chart::new("x", "y").title("the sine").line("", column(&rows, 1)),
        Chart::new("x", "y").title("sin & cos").line("sin", column(&rows, 1)).line("cos", column(&rows, 2)),
    ];
    figure(out.join("ch01_curves.svg"), "Two curves", 2, &charts)?;

    // Instead of the book's photograph, the first of the digits that are built in: on paper, 0 is white.
    let (image, label) = digits::load().get(0);
    let path = out.join("ch01_image.png");
    images::write(&path, &(1.0 - &image))?;
    let read = images::read(&path)?;
    println!("\nAn image of a {label}, {}, written as PNG and read again: {}", image.shape(), read.shape());
    let off = (1.0 - read - &image).abs().max().item();
    let caption = format!("a {label}");
    digit_grid(out.join("ch01_image.svg"), "An image", &[image], &[caption])?;

    Ok(Figures::default()
        .put("points", rows.len() as f64)
        .put("sin_last", rows[59][1])
        .put("cos_last", rows[59][2])
        .put("label", label)
        .put("png_off", off))
}
