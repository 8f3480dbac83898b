//! Predicts MNIST's test images with weights saved under the book's names: W1, b1, ... in an npz archive, affine weights as
//! `[in, out]`, convolutions as `[out, in, h, w]`, in single or half precision.
//!
//! ```text
//! cargo run --release --example book_predict
//! cargo run --release --example book_predict -- --model three_layer --weights sample_weight.npz --data path/to/mnist
//! ```
//!
//! The book's weights are pickles; with NumPy `numpy.savez("sample_weight.npz", **pickle.load(file))` makes an archive of
//! them. Without options it trains on the 8x8 digits that are built in, saves, loads and compares.

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    args::Args,
    learning::{accuracy, train},
    nets::{deep_conv_net, simple_conv_net, three_layer_net},
};
use gradus::{
    nn::{
        book,
        data::{Dataset, digits, mnist, npy::npz},
    },
    prelude::*,
};
use std::{error::Error, fmt, fs, io::Write as _, path::Path, process::ExitCode, str::FromStr};

/// The book's nets that come with weights.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Model {
    ThreeLayer,
    SimpleConvnet,
    DeepConvnet,
}

impl FromStr for Model {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Model, &'static str> {
        let all = [Model::ThreeLayer, Model::SimpleConvnet, Model::DeepConvnet];
        all.into_iter()
            .find(|model| model.to_string() == text)
            .ok_or("must be three_layer, simple_convnet or deep_convnet")
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(["three_layer", "simple_convnet", "deep_convnet"][*self as usize])
    }
}

impl Model {
    /// With random weights, for square images.
    fn net(self, side: usize, seed: u64) -> Sequential {
        let rng = &mut Rng::seed(seed);
        match self {
            Model::ThreeLayer => three_layer_net(side * side, rng),
            Model::SimpleConvnet => simple_conv_net(side, rng),
            Model::DeepConvnet => deep_conv_net(side, rng),
        }
    }
}

fn main() -> ExitCode {
    let mut model = Model::ThreeLayer;
    let (mut weights, mut data, mut out) = (String::new(), String::new(), String::from("target/book"));
    Args::new("Predicts MNIST's test images with weights saved under the book's names.")
        .option("model", &mut model, .., "three_layer, simple_convnet or deep_convnet")
        .option("weights", &mut weights, .., "npz archive of the weights")
        .option("data", &mut data, .., "directory with MNIST's test images and labels")
        .option("out", &mut out, .., "directory for the weights that it trains itself")
        .parse();
    let found = match (weights.as_str(), data.as_str()) {
        ("", "") => train_and_compare(model, Path::new(&out)),
        ("", _) => Err("--data needs --weights, the weights to predict with".into()),
        (_, "") => Err("--weights needs --data, the directory of MNIST's test images".into()),
        (weights, data) => predict(model, weights, data),
    };
    match found {
        Ok(accuracy) => {
            println!("accuracy {accuracy:.4}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            // A closed stderr is no reason to panic on the way out.
            let _ = writeln!(std::io::stderr(), "book_predict: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A net with the weights of a file.
fn load(model: Model, side: usize, path: impl AsRef<Path>) -> Result<Sequential, Box<dyn Error>> {
    let path = path.as_ref();
    let mut net = model.net(side, 0);
    book::load_state_dict(&mut net, npz::read(path)?)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(net)
}

fn predict(model: Model, weights: &str, data: &str) -> Result<f64, Box<dyn Error>> {
    let net = load(model, 28, weights)?;
    let test = mnist::load_test(data)?;
    println!("{model}: {} parameters from {weights}, {} test images", net.param_count(), test.len());
    if model == Model::ThreeLayer {
        // As the book does it first, and slowly.
        let guesses = test.chunks(1).map(|(image, _)| net.forward(image).argmax(-1).as_slice()[0]);
        let right = guesses.zip(test.labels().as_slice()).filter(|(guess, label)| guess == *label).count();
        println!("one image at a time: {:.4}", right as f64 / test.len() as f64);
    }
    Ok(accuracy(&net, &test))
}

/// Trains on the 8x8 digits, saves under the book's names, loads into another net, and compares the two.
fn train_and_compare(model: Model, out: &Path) -> Result<f64, Box<dyn Error>> {
    fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
    let (train_data, test): (Dataset, Dataset) = digits::load().split(1400, &mut Rng::seed(0));
    let mut net = model.net(8, 1);
    println!(
        "{model}: training {} parameters on {} digits of 8x8 pixels",
        net.param_count(),
        train_data.len()
    );
    train(&mut net, &mut Adam::new(0.003), &train_data, 100, 200, |step, loss, _| {
        if step % 50 == 0 {
            println!("  step {step}: loss {loss:.4}");
        }
    });
    let path = out.join(format!("book_predict_{model}.npz"));
    let params = book::state_dict(&net)?;
    npz::write(&path, params.iter().map(|(name, tensor)| (name.clone(), tensor)))?;
    for (name, tensor) in &params {
        println!("  {name:3} {}", tensor.shape());
    }
    let loaded = load(model, 8, &path)?;
    let [ours, theirs] = [&net, &loaded].map(|net| metrics::predict(net, test.inputs(), 500));
    if ours != theirs {
        return Err(format!("the net from {} predicts something else", path.display()).into());
    }
    println!("saved to {} and loaded: the same predictions, bit by bit", path.display());
    Ok(accuracy(&loaded, &test))
}
