//! The main job: trains a net on real handwritten digits, and says what it did.
//!
//! ```text
//! cargo run --release --example digits
//! cargo run --release --example digits -- --data path/to/mnist --epochs 3
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    args::Args,
    chart::{Chart, figure},
    grid::digit_grid,
    progress,
};
use gradus::{
    autograd::check::GradCheck,
    nn::{
        DynLayer,
        data::{Dataset, digits, mnist},
        schedule::Cosine,
    },
    prelude::*,
};
use std::{
    error::Error, fmt, fs, io::Write as _, path::PathBuf, process::ExitCode, str::FromStr, time::Instant,
};

/// Two convolutions with pooling, two fully connected layers.
#[derive(Clone)]
struct ConvNet {
    conv1: Conv2d,
    conv2: Conv2d,
    hidden: Linear,
    output: Linear,
}
module!(ConvNet { conv1, conv2, hidden, output });

impl ConvNet {
    /// For square images with sides of `size` pixels.
    fn new(size: usize, rng: &mut Rng) -> ConvNet {
        let he = Init::KaimingNormal;
        ConvNet {
            conv1: Conv2d::with_init(1, 16, 3, he, rng).padding(1),
            conv2: Conv2d::with_init(16, 32, 3, he, rng).padding(1),
            hidden: Linear::with_init(32 * (size / 4) * (size / 4), 64, he, rng),
            output: Linear::with_init(64, 10, he, rng),
        }
    }
}

impl Layer for ConvNet {
    fn forward<V: Value>(&self, x: V) -> V {
        let pool = MaxPool2d::new(2);
        let x = pool.forward(self.conv1.forward(x).relu());
        let x = pool.forward(self.conv2.forward(x).relu());
        self.output.forward(self.hidden.forward(Flatten.forward(x)).relu())
    }
}

/// The book's two-layer net, with ReLU.
#[derive(Clone)]
struct TwoLayerNet {
    hidden: Linear,
    output: Linear,
}
module!(TwoLayerNet { hidden, output });

impl TwoLayerNet {
    fn new(pixels: usize, rng: &mut Rng) -> TwoLayerNet {
        let he = Init::KaimingNormal;
        TwoLayerNet {
            hidden: Linear::with_init(pixels, 100, he, rng),
            output: Linear::with_init(100, 10, he, rng),
        }
    }
}

impl Layer for TwoLayerNet {
    fn forward<V: Value>(&self, x: V) -> V {
        self.output.forward(self.hidden.forward(Flatten.forward(x)).relu())
    }
}

#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Kind {
    Conv,
    Mlp,
}

impl FromStr for Kind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Kind, &'static str> {
        match text {
            "conv" => Ok(Kind::Conv),
            "mlp" => Ok(Kind::Mlp),
            _ => Err("must be conv or mlp"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Conv => "conv",
            Kind::Mlp => "mlp",
        })
    }
}

struct Options {
    model: Kind,
    data: String,
    epochs: usize,
    seed: u64,
    batch: usize,
    lr: f64,
    out: String,
}

fn main() -> ExitCode {
    let mut options = Options {
        model: Kind::Conv,
        data: String::new(),
        epochs: 20,
        seed: 0,
        batch: 32,
        lr: 0.002,
        out: "target/digits".into(),
    };
    Args::new("Trains a net on handwritten digits: the 1797 of 8x8 pixels that are built in, or MNIST.")
        .option("model", &mut options.model, .., "conv, a small convolutional net, or mlp, a two-layer net")
        .option("data", &mut options.data, .., "directory with the four MNIST files, gzipped or not")
        .option("epochs", &mut options.epochs, 1..=10_000, "passes over the training images")
        .option(
            "seed",
            &mut options.seed,
            ..,
            "decides the split, the initial weights and the order of the images",
        )
        .option("batch", &mut options.batch, 1..=100_000, "images in a mini-batch")
        .option(
            "lr",
            &mut options.lr,
            f64::MIN_POSITIVE..=10.0,
            "learning rate of Adam at first; it falls by half a cosine",
        )
        .option("out", &mut options.out, .., "directory for the weights and the pictures")
        .parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed stderr is no reason to panic on the way out.
            let _ = writeln!(std::io::stderr(), "digits: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut rng = Rng::seed(options.seed);
    let (train, test, source) = if options.data.is_empty() {
        let all = digits::load();
        let (train, test) = all.split(all.len() * 4 / 5, &mut rng);
        (train, test, "8x8 digits")
    } else {
        let (train, test) = mnist::load(&options.data)?;
        (train, test, "MNIST")
    };
    let size = train.inputs().size(-1);
    let out = PathBuf::from(&options.out);
    fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;

    let mut net: Box<dyn DynLayer> = match options.model {
        Kind::Conv => Box::new(ConvNet::new(size, &mut rng)),
        Kind::Mlp => Box::new(TwoLayerNet::new(size * size, &mut rng)),
    };
    println!("{source}: {} images to train on, {} to test", train.len(), test.len());
    println!("\n{}", Summary::new(&net, [1, 1, size, size]));
    check_gradients(&net, &train)?;

    let mut adam = Adam::new(options.lr);
    // Smaller steps towards the end: the weights come to rest.
    let schedule = Cosine::new(options.lr, options.epochs as u64);
    let mut history = Vec::new();
    println!("\nepoch    loss   train    test  seconds");
    for epoch in 1..=options.epochs {
        let start = Instant::now();
        adam.set_lr(schedule.lr(epoch as u64 - 1));
        let (loss, train_accuracy) = train_epoch(&mut net, &mut adam, &train, options.batch, &mut rng);
        let test_accuracy = accuracy(&net, &test);
        println!(
            "{epoch:5}  {loss:.4}  {train_accuracy:.4}  {test_accuracy:.4}  {:7.2}",
            start.elapsed().as_secs_f64()
        );
        history.push([loss, train_accuracy, test_accuracy]);
    }

    gradus::nn::save(&net, out.join("weights.safetensors"))?;
    draw_history(&out, &history)?;
    let wrong = draw_misclassified(&out, &net, &test)?;
    println!(
        "\n{wrong} of {} test images misclassified; weights and pictures are in {}",
        test.len(),
        out.display()
    );
    println!("test_accuracy {:.4}", accuracy(&net, &test));
    Ok(())
}

/// Holds every gradient of this very model to differences in f64.
fn check_gradients(net: &impl Layer, train: &Dataset) -> Result<(), Box<dyn Error>> {
    let few: Vec<usize> = (0..train.len().min(4)).collect();
    let few = train.select(&few);
    let check = GradCheck { elements: 8, directions: 2, ..GradCheck::default() };
    let report = check.params(&net.params(), &Tape::new(), |tape| {
        net.forward(tape.constant(few.inputs())).cross_entropy(few.labels())
    });
    println!("Gradient check, on {} images:\n{report}", few.len());
    if report.passed() { Ok(()) } else { Err("the gradient check failed".into()) }
}

/// One pass over the training images: mean loss and accuracy, as they were while training.
fn train_epoch(
    net: &mut impl Layer,
    adam: &mut Adam,
    train: &Dataset,
    batch: usize,
    rng: &mut Rng,
) -> (f64, f64) {
    // The seed of the tape would decide dropout; this net has none.
    let mut tape = Tape::training(0);
    let (mut loss_sum, mut correct) = (0.0, 0);
    let batches = train.batches(batch, rng);
    let bar = progress::bar(batches.len());
    for (images, labels) in batches {
        let (loss, gradients, guesses) = tape.step(|tape| {
            let y = net.forward(tape.constant(images));
            (y.cross_entropy(&labels), y.value().argmax(-1))
        });
        adam.step(net, &gradients);
        loss_sum += loss as f64 * labels.numel() as f64;
        correct += count_equal(&guesses, &labels);
        bar.inc(1);
    }
    bar.finish_and_clear();
    (loss_sum / train.len() as f64, correct as f64 / train.len() as f64)
}

fn count_equal(guesses: &Indices, labels: &Indices) -> usize {
    guesses.as_slice().iter().zip(labels.as_slice()).filter(|(guess, label)| guess == label).count()
}

/// The net's guesses, computed on plain tensors: nothing is recorded.
fn guesses(net: &impl Layer, data: &Dataset) -> Vec<i32> {
    data.chunks(500).flat_map(|(images, _)| net.forward(images).argmax(-1).as_slice().to_vec()).collect()
}

fn accuracy(net: &impl Layer, data: &Dataset) -> f64 {
    count_equal(&guesses(net, data).into(), data.labels()) as f64 / data.len() as f64
}

fn draw_history(out: &std::path::Path, history: &[[f64; 3]]) -> Result<(), Box<dyn Error>> {
    let line = |k: usize| history.iter().enumerate().map(|(i, row)| (i as f64 + 1.0, row[k])).collect();
    let charts = [
        Chart::new("epoch", "loss").line("train", line(0)),
        Chart::new("epoch", "accuracy").line("train", line(1)).line("test", line(2)),
    ];
    figure(out.join("learning_curve.svg"), "Handwritten digits", 2, &charts)
}

/// Draws the first misclassified test images, each with label and guess, and counts them all.
fn draw_misclassified(
    out: &std::path::Path,
    net: &impl Layer,
    test: &Dataset,
) -> Result<usize, Box<dyn Error>> {
    const SHOWN: usize = 40;
    let guesses = guesses(net, test);
    let wrong: Vec<usize> = (0..test.len()).filter(|&i| guesses[i] != test.get(i).1).collect();
    let shown = &wrong[..wrong.len().min(SHOWN)];
    let images: Vec<Tensor> = shown.iter().map(|&i| test.get(i).0).collect();
    let captions: Vec<String> =
        shown.iter().map(|&i| format!("label {}, guess {}", test.get(i).1, guesses[i])).collect();
    digit_grid(out.join("misclassified.svg"), "Misclassified test images", &images, &captions)?;
    Ok(wrong.len())
}
