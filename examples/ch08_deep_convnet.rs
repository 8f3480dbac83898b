//! Chapter 8 of the book: a deep convolutional net, the digits that it gets wrong, and its weights in half precision.
//!
//! ```text
//! cargo run --release --example ch08_deep_convnet
//! cargo run --release --example ch08_deep_convnet -- --data path/to/mnist --full
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, Setup, training},
    csv::write_csv,
    grid::{digit_grid, mosaic},
    learning::{accuracy, draw_learning, learn},
    nets::deep_conv_net,
};
use gradus::{
    nn::{
        book,
        data::{Dataset, npy::npz},
    },
    prelude::*,
};
use std::{error::Error, fs, process::ExitCode};

fn main() -> ExitCode {
    training(
        "ch08_deep_convnet",
        "A deep convolutional net and its mistakes, after chapter 8 of the book.",
        run,
    )
}

fn run(setup: &Setup) -> Outcome {
    let (train_data, test) = setup.images()?;
    let mut net = deep_conv_net(train_data.inputs().size(-1), &mut Rng::seed(1));
    println!("{}", Summary::new(&net, &[&[1], &train_data.inputs().shape()[1..]].concat()[..]));
    println!(
        "On {}. The dropout behind the last layer is the book's.\n\n  step    loss    test",
        setup.source()
    );

    // The book's 20 epochs of 600 batches, each judged by all test images.
    let (steps, looks, judged) = if setup.full {
        (12_000, 20, test.len())
    } else if setup.is_mnist() {
        (1200, 10, 500)
    } else {
        (120, 10, 500)
    };
    let curve = learn(&mut net, &mut Adam::new(0.001), [&train_data, &test], steps, looks, judged);
    let title = format!("A deep convolutional net learns {}", setup.source());
    draw_learning(&setup.out, "ch08_deep_convnet", &title, &curve)?;

    let wrong = draw_misclassified(setup, &net, &test)?;
    let figures =
        Figures::default().put("params", net.param_count() as f64).put("test", accuracy(&net, &test));
    half_precision(setup, &net, &test, figures.put("wrong", wrong as f64))
}

/// The first 20 test images that are taken for another digit, as the book lists them; and how many there are.
fn draw_misclassified(setup: &Setup, net: &Sequential, test: &Dataset) -> Result<usize, Box<dyn Error>> {
    let guesses = metrics::predict(net, test.inputs(), 500).argmax(-1);
    let pairs = guesses.as_slice().iter().zip(test.labels().as_slice());
    let wrong: Vec<(usize, i32, i32)> = pairs
        .enumerate()
        .filter(|(_, (guess, label))| guess != label)
        .map(|(i, (g, l))| (i, *l, *g))
        .collect();
    let rows: Vec<[f64; 3]> =
        wrong.iter().map(|&(i, label, guess)| [i as f64, label.into(), guess.into()]).collect();
    write_csv(setup.out.join("ch08_misclassified.csv"), "image,label,guess", &rows)?;
    let shown = &wrong[..wrong.len().min(20)];
    println!(
        "\n{} of {} test images are misclassified; the first, as (label, guess):",
        wrong.len(),
        test.len()
    );
    let list: Vec<String> = shown.iter().map(|(_, label, guess)| format!("({label}, {guess})")).collect();
    println!("  {}", list.join(" "));
    let images: Vec<Tensor> = shown.iter().map(|&(i, ..)| test.get(i).0).collect();
    let captions: Vec<String> =
        shown.iter().map(|(_, label, guess)| format!("label {label}, guess {guess}")).collect();
    digit_grid(setup.out.join("ch08_misclassified.svg"), "Misclassified digits", &images, &captions)?;
    mosaic(setup.out.join("ch08_misclassified.png"), &images, 10, 4)?;
    Ok(wrong.len())
}

/// The same net with weights and images of 16 bits: the file is half as large, the accuracy the same.
fn half_precision(setup: &Setup, net: &Sequential, test: &Dataset, figures: Figures) -> Outcome {
    let params = book::state_dict(net)?;
    let files = ["ch08_weights.npz", "ch08_weights_half.npz"].map(|name| setup.out.join(name));
    let named = || params.iter().map(|(name, tensor)| (name.clone(), tensor));
    npz::write(&files[0], named())?;
    npz::write_half(&files[1], named())?;
    let mut half = net.clone();
    book::load_state_dict(&mut half, npz::read(&files[1])?)?;
    let images = setup.out.join("ch08_images_half.npz");
    npz::write_half(&images, [("x".to_owned(), test.inputs())])?;
    let test_half = Dataset::new(npz::read_array(&images, "x")?, test.labels().clone());
    let found = accuracy(&half, &test_half);
    let [bytes, half_bytes] = [fs::metadata(&files[0])?.len(), fs::metadata(&files[1])?.len()];
    println!("\nWeights of 32 bits: {bytes} bytes, accuracy {:.4}", accuracy(net, test));
    println!("Weights and images of 16 bits: {half_bytes} bytes, accuracy {found:.4}");
    Ok(figures.put("test_half", found).put("half_size", half_bytes as f64 / bytes as f64))
}
