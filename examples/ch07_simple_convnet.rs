//! Chapter 7 of the book: convolution in small numbers and as a product of matrices; a convolutional net, its filters before
//! and after training, and what an image becomes behind them.
//!
//! ```text
//! cargo run --release --example ch07_simple_convnet
//! cargo run --release --example ch07_simple_convnet -- --data path/to/mnist --full
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, Setup, training},
    csv::write_csv,
    grid::{digit_grid, mosaic},
    learning::{accuracy, draw_learning, learn},
    nets::simple_conv_net,
};
use gradus::{nn::gradcheck_model, prelude::*};
use std::{error::Error, process::ExitCode};

fn main() -> ExitCode {
    training("ch07_simple_convnet", "Convolution and a convolutional net, after chapter 7 of the book.", run)
}

fn run(setup: &Setup) -> Outcome {
    let figures = small_numbers(Figures::default());

    let (train_data, test) = setup.images()?;
    let mut net = simple_conv_net(train_data.inputs().size(-1), &mut Rng::seed(1));
    println!("\n{}", Summary::new(&net, &[&[1], &train_data.inputs().shape()[1..]].concat()[..]));
    let few = train_data.select(&[0, 1]);
    let report =
        gradcheck_model(&net, |tape| net.forward(tape.constant(few.inputs())).cross_entropy(few.labels()));
    println!("Its gradients against differences in f64, on 2 images:\n{report}");
    if !report.passed() {
        return Err("the gradient check failed".into());
    }
    let before = net.params()[0].1.value().clone();

    // The book's 20 epochs of 600 batches; two of them, or 400 batches of the small digits, tell as much.
    let steps = if setup.full {
        12_000
    } else if setup.is_mnist() {
        1200
    } else {
        400
    };
    // As the book does, it looks at 1000 images of either set on its way.
    let curve = learn(&mut net, &mut Adam::new(0.001), [&train_data, &test], steps, 20, 1000);
    let found = accuracy(&net, &test);
    println!("accuracy on all {} test images: {found:.4}", test.len());
    let title = format!("A convolutional net learns {}", setup.source());
    draw_learning(&setup.out, "ch07_convnet", &title, &curve)?;

    draw_filters(setup, &before, net.params()[0].1.value())?;
    draw_filtered(setup, &net, &test)?;
    Ok(figures.put("params", net.param_count() as f64).put("test", found))
}

/// The chapter's small convolutions, and im2col: every window of the image a row, so that convolution is one product.
fn small_numbers(figures: Figures) -> Figures {
    let rows = [[1.0, 2.0, 3.0, 0.0], [0.0, 1.0, 2.0, 3.0], [3.0, 0.0, 1.0, 2.0], [2.0, 3.0, 0.0, 1.0]];
    let image = Tensor::from(rows).reshape([1, 1, 4, 4]);
    let filter = Tensor::from([[2.0, 0.0, 1.0], [0.0, 1.0, 2.0], [1.0, 0.0, 2.0]]).reshape([1, 1, 3, 3]);
    let padded = Conv2dOptions { padding: [1, 1], ..Default::default() };
    let plain = image.conv2d(&filter, None, Conv2dOptions::default());
    let biased = image.conv2d(&filter, Some(&Tensor::from([3.0])), Conv2dOptions::default());
    println!(
        "A 4x4 image and a 3x3 filter:\n{}\nwith bias 3:\n{}",
        plain.reshape([2, 2]),
        biased.reshape([2, 2])
    );
    println!("padded by 1:\n{}", image.conv2d(&filter, None, padded).reshape([4, 4]));

    let mut rng = Rng::seed(0);
    let images = Tensor::randn([10, 3, 7, 7], &mut rng);
    let filters = Tensor::randn([4, 3, 5, 5], &mut rng);
    // [n, 75, 9]: a column for each window; the book's rows are these columns, image after image.
    let windows =
        images.unfold([5, 5], Conv2dOptions::default()).permute([0, 2, 1]).contiguous().reshape([90, 75]);
    let product = windows.matmul(&filters.reshape([4, 75]).t());
    let direct = images.conv2d(&filters, None, Conv2dOptions::default());
    let apart = (product.reshape([10, 3, 3, 4]).permute([0, 3, 1, 2]) - direct).abs().max().item();
    println!(
        "im2col of ten 3x7x7 images for 5x5 filters: {}; product against convolution: {apart:.1e}",
        windows.shape()
    );
    figures
        .put("conv_00", plain.get([0, 0, 0, 0]))
        .put("conv_11", plain.get([0, 0, 1, 1]))
        .put("im2col_rows", windows.size(0) as f64)
        .put("im2col_columns", windows.size(1) as f64)
        .put("im2col_apart", apart)
}

/// From 0 for the least to 1 for the greatest.
fn stretched(image: &Tensor) -> Tensor {
    let (low, high) = (image.min().item(), image.max().item());
    (image - low) / (high - low).max(1e-12)
}

fn draw_filters(setup: &Setup, before: &Tensor, after: &Tensor) -> Result<(), Box<dyn Error>> {
    let mut rows = Vec::new();
    for (k, (name, filters)) in [("before", before), ("after", after)].into_iter().enumerate() {
        let images: Vec<Tensor> = (0..30).map(|i| stretched(&filters.select(0, i))).collect();
        let captions: Vec<String> = (1..=30).map(|i| format!("filter {i}")).collect();
        let title = format!("The first layer's filters {name} training");
        digit_grid(setup.out.join(format!("ch07_filters_{name}.svg")), &title, &images, &captions)?;
        mosaic(setup.out.join(format!("ch07_filters_{name}.png")), &images, 10, 12)?;
        rows.extend(filters.iter().enumerate().map(|(i, w)| [k as f64, i as f64, f64::from(w)]));
    }
    write_csv(setup.out.join("ch07_filters.csv"), "after,element,weight", &rows)
}

/// The first test image and what sixteen trained filters, with their biases and ReLU, make of it.
fn draw_filtered(setup: &Setup, net: &Sequential, test: &data::Dataset) -> Result<(), Box<dyn Error>> {
    let image = test.inputs().slice(0, ..1);
    let behind = net.activations(image.clone())[1].select(0, 0);
    let mut images = vec![image.select(0, 0)];
    images.extend((0..16).map(|i| stretched(&behind.select(0, i))));
    let captions: Vec<String> =
        std::iter::once("the image".to_owned()).chain((1..=16).map(|i| format!("filter {i}"))).collect();
    digit_grid(setup.out.join("ch07_filtered.svg"), "An image behind sixteen filters", &images, &captions)?;
    mosaic(setup.out.join("ch07_filtered.png"), &images[1..], 8, 6)?;
    let rows: Vec<[f64; 2]> = behind.iter().enumerate().map(|(i, y)| [i as f64, y.into()]).collect();
    write_csv(setup.out.join("ch07_filtered.csv"), "element,activation", &rows)
}
