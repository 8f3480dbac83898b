//! Chapter 3 of the book: what the handwritten digits are, and how they look.
//!
//! ```text
//! cargo run --example ch03_mnist_show
//! cargo run --example ch03_mnist_show -- --data path/to/mnist
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, Setup, training},
    csv::write_csv,
    grid::{digit_grid, mosaic},
};
use gradus::{nn::data::digits, prelude::*};
use std::process::ExitCode;

fn main() -> ExitCode {
    training("ch03_mnist_show", "Handwritten digits and their labels, after chapter 3 of the book.", run)
}

fn run(setup: &Setup) -> Outcome {
    // The digits that are built in come in the order of their file, as MNIST's do.
    let data = if setup.is_mnist() { setup.images()?.0 } else { digits::load() };
    let (image, label) = data.get(0);
    let flat = image.reshape([image.numel()]);
    println!("{}: {} images to learn from, with values from 0 to 1.", setup.source(), data.len());
    println!(
        "The first one's label is {label}; its pixels in a row {}, as an image {}.",
        flat.shape(),
        image.shape()
    );

    let counts = Tensor::bincount(data.labels(), 10);
    println!("\n label  images");
    counts.iter().enumerate().for_each(|(label, count)| println!("{label:6}  {count:6}"));
    let rows: Vec<[f64; 2]> = counts.iter().enumerate().map(|(k, n)| [k as f64, n.into()]).collect();
    write_csv(setup.out.join("ch03_labels.csv"), "label,images", &rows)?;

    let (images, labels): (Vec<Tensor>, Vec<i32>) = (0..36).map(|i| data.get(i)).unzip();
    let captions: Vec<String> = labels.iter().map(|label| format!("label {label}")).collect();
    let title = format!("The first of the {}", setup.source());
    digit_grid(setup.out.join("ch03_mnist_show.svg"), &title, &images, &captions)?;
    let scale = if setup.is_mnist() { 2 } else { 6 };
    mosaic(setup.out.join("ch03_mnist_show.png"), &images, 9, scale)?;
    let rows: Vec<Vec<f64>> = (images.iter().zip(&labels))
        .map(|(image, label)| std::iter::once((*label).into()).chain(image.iter().map(f64::from)).collect())
        .collect();
    let names: Vec<String> = (0..flat.numel()).map(|i| format!("pixel{i}")).collect();
    write_csv(setup.out.join("ch03_mnist_show.csv"), &format!("label,{}", names.join(",")), &rows)?;

    Ok(Figures::default()
        .put("images", data.len() as f64)
        .put("label", label)
        .put("pixels", flat.numel() as f64)
        .put("ones", counts.get([1])))
}
