//! The main job: trains a net on real handwritten digits, and says what it did.
//!
//! ```text
//! cargo run --release --example digits
//! cargo run --release --example digits -- --data path/to/mnist --epochs 3
//! cargo run --release --example digits -- --report target/digits/report.html
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
    autograd::check::{self, GradCheck},
    nn::{
        DynLayer,
        data::{Dataset, digits, mnist},
        metrics::ConfusionMatrix,
        report::RunReport,
        schedule::Cosine,
        train::{Distributions, History, Record},
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
    report: String,
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
        report: String::new(),
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
        .option("report", &mut options.report, .., "file for a page (HTML) about the run, if any")
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
    let check = check_gradients(&net, &train)?;

    let mut adam = Adam::new(options.lr);
    // Smaller steps towards the end: the weights come to rest.
    let schedule = Cosine::new(options.lr, options.epochs as u64);
    let (mut history, mut distributions) = (History::default(), Distributions::default());
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
        let mut record = Record::default();
        for (name, value) in [
            ("loss", loss),
            ("train_accuracy", train_accuracy),
            ("test_accuracy", test_accuracy),
            ("lr", adam.lr()),
        ] {
            record.put(name, value);
        }
        history.push(record);
        if !options.report.is_empty() {
            let few = train.select(&(0..train.len().min(100)).collect::<Vec<_>>());
            distributions.look(epoch as u64, &net, |tape| loss_of(&net, &few, tape));
        }
    }

    gradus::nn::save(&net, out.join("weights.safetensors"))?;
    draw_history(&out, &history)?;
    let wrong = Misclassified::of(&net, &test);
    digit_grid(out.join("misclassified.svg"), "Misclassified test images", &wrong.images, &wrong.captions)?;
    if !options.report.is_empty() {
        let mut report = RunReport::new(format!("{source}: {}", options.model));
        report
            .fact("test accuracy", format!("{:.4}", accuracy(&net, &test)))
            .fact("epochs", options.epochs)
            .fact("seed", options.seed)
            .fact("batch", options.batch)
            .fact("learning rate", options.lr)
            .fact("optimizer", "Adam")
            .history(&history);
        describe(&mut report, &net, &train, &test, &wrong);
        report.distributions(&distributions).gradcheck(&check).save(&options.report)?;
    }
    println!(
        "\n{} of {} test images misclassified; weights and pictures are in {}",
        wrong.count,
        test.len(),
        out.display()
    );
    println!("test_accuracy {:.4}", accuracy(&net, &test));
    Ok(())
}

/// Holds every gradient of this very model to differences in f64.
fn check_gradients(net: &impl Layer, train: &Dataset) -> Result<check::Report, Box<dyn Error>> {
    let few: Vec<usize> = (0..train.len().min(4)).collect();
    let few = train.select(&few);
    let check = GradCheck { elements: 8, directions: 2, ..GradCheck::default() };
    let report = check.params(&net.params(), &Tape::new(), |tape| loss_of(net, &few, tape));
    println!("Gradient check, on {} images:\n{report}", few.len());
    if report.passed() { Ok(report) } else { Err("the gradient check failed".into()) }
}

/// The mean loss of some images.
fn loss_of<'t>(net: &impl Layer, images: &Dataset, tape: &'t Tape) -> Var<'t> {
    net.forward(tape.constant(images.inputs())).cross_entropy(images.labels())
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

fn draw_history(out: &std::path::Path, history: &History) -> Result<(), Box<dyn Error>> {
    let line = |name: &str| (1..).map(f64::from).zip(history.column(name)).collect();
    let charts = [
        Chart::new("epoch", "loss").line("train", line("loss")),
        Chart::new("epoch", "accuracy")
            .line("train", line("train_accuracy"))
            .line("test", line("test_accuracy")),
    ];
    figure(out.join("learning_curve.svg"), "Handwritten digits", 2, &charts)
}

/// The misclassified test images: the first of them, each with label and guess, and how many there are.
struct Misclassified {
    images: Vec<Tensor>,
    captions: Vec<String>,
    count: usize,
}

impl Misclassified {
    fn of(net: &impl Layer, test: &Dataset) -> Misclassified {
        const SHOWN: usize = 40;
        let guesses = guesses(net, test);
        let wrong: Vec<usize> = (0..test.len()).filter(|&i| guesses[i] != test.get(i).1).collect();
        let shown = &wrong[..wrong.len().min(SHOWN)];
        let images = shown.iter().map(|&i| test.get(i).0).collect();
        let captions =
            shown.iter().map(|&i| format!("label {}, guess {}", test.get(i).1, guesses[i])).collect();
        Misclassified { images, captions, count: wrong.len() }
    }
}

/// Adds to a report what the net is, how good it is and what it costs.
fn describe(
    report: &mut RunReport,
    net: &impl Layer,
    train: &Dataset,
    test: &Dataset,
    wrong: &Misclassified,
) {
    let mut matrix = ConfusionMatrix::new(10);
    matrix.add(&guesses(net, test).into(), test.labels());
    report.confusion_matrix("Test images", &matrix, &[]);
    if !wrong.images.is_empty() {
        // As on paper: 0 is white.
        let images = 1.0 - Tensor::stack(&wrong.images.iter().collect::<Vec<_>>(), 0);
        report.pictures("Misclassified test images", &images, &wrong.captions);
    }
    let size = test.inputs().size(-1);
    report.summary(&Summary::new(net, [1, 1, size, size]));
    let tape = Tape::new();
    let few = train.select(&(0..train.len().min(32)).collect::<Vec<_>>());
    let loss = loss_of(net, &few, &tape);
    let profile = loss.profile(9);
    report.tape(&loss.graph().params(&net.params()).name(loss, "loss").times(&profile)).profile(&profile);
}
