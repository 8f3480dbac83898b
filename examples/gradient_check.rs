//! Automatic against numerical differentiation, on a model of your choice: do they agree, and what does each cost?
//!
//! ```text
//! cargo run --release --example gradient_check
//! cargo run --release --example gradient_check -- --model conv
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    args::Args,
    chart::{Chart, figure},
};
use gradus::{
    autograd::check::{Differencing, GradCheck, StepSweep, step_sweep},
    nn::data::digits,
    prelude::*,
};
use std::{error::Error, fmt, fs, path::Path, str::FromStr, time::Instant};

/// The models, as functions of their parameters.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Model {
    Mlp,
    Conv,
}

impl FromStr for Model {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Model, &'static str> {
        match text {
            "mlp" => Ok(Model::Mlp),
            "conv" => Ok(Model::Conv),
            _ => Err("must be mlp or conv"),
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Model::Mlp => "mlp",
            Model::Conv => "conv",
        })
    }
}

impl Model {
    /// Names and initial values of the parameters.
    fn params(self, rng: &mut Rng) -> Vec<(&'static str, Tensor)> {
        let mut weight = |shape: &[usize]| {
            let inputs: usize = shape[1..].iter().product();
            Tensor::randn(shape, rng) * (2.0 / inputs as f32).sqrt()
        };
        let (hidden, output) = match self {
            Model::Mlp => (weight(&[20, 64]), weight(&[10, 20])),
            Model::Conv => (weight(&[6, 1, 3, 3]), weight(&[10, 6 * 4 * 4])),
        };
        let biases = [hidden.size(0), output.size(0)].map(|n| Tensor::zeros([n]));
        let [hidden_bias, output_bias] = biases;
        vec![
            ("hidden.weight", hidden),
            ("hidden.bias", hidden_bias),
            ("output.weight", output),
            ("output.bias", output_bias),
        ]
    }

    /// The mean loss on these digits.
    fn loss<V: Value>(self, params: &[V], images: &Tensor, labels: &Indices) -> V {
        let (x, n) = (params[0].place().constant(images), images.size(0));
        let hidden = match self {
            Model::Mlp => x.reshape([n, 64]).linear(&params[0], Some(&params[1])).sigmoid(),
            Model::Conv => {
                let padded = Conv2dOptions { padding: [1, 1], ..Conv2dOptions::default() };
                let y = x.conv2d(&params[0], Some(&params[1]), padded).relu();
                y.max_pool2d(2).reshape([n, 6 * 4 * 4])
            }
        };
        hidden.linear(&params[2], Some(&params[3])).cross_entropy(labels)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut model, mut seed, mut out) = (Model::Mlp, 0u64, String::from("target/gradient_check"));
    Args::new("Compares automatic with numerical differentiation on a small net and ten digits.")
        .option("model", &mut model, .., "mlp, a two-layer net, or conv, a small convolutional net")
        .option("seed", &mut seed, .., "decides the weights")
        .option("out", &mut out, .., "directory for the picture")
        .parse();
    let data = digits::load().select(&(0..10).collect::<Vec<_>>());
    let (images, labels) = (data.inputs().reshape([10, 1, 8, 8]), data.labels().clone());
    let params = model.params(&mut Rng::seed(seed));
    let values: Vec<Tensor> = params.iter().map(|(_, value)| value.clone()).collect();

    // Automatic: one sweep for all parameters.
    let start = Instant::now();
    let tape = Tape::new();
    let vars: Vec<_> = values.iter().map(|value| tape.var(value)).collect();
    let gradients = model.loss(&vars, &images, &labels).backward();
    let automatic_time = start.elapsed().as_secs_f64();

    // Numerical, the book's way: two losses a parameter.
    println!("{:14} {:>8}   largest difference, relative to the largest gradient", "", "elements");
    let start = Instant::now();
    for (i, (name, value)) in params.iter().enumerate() {
        let mut moved = values.clone();
        let loss = |x: &Tensor| {
            moved[i] = x.clone();
            model.loss(&moved, &images, &labels).item()
        };
        let numerical = Differencing::Central.gradient(loss, value, 1e-2);
        let exact = &gradients[vars[i]];
        let off = (&numerical - exact).abs().max().item() / exact.abs().max().item();
        println!("{name:14} {:>8}   {off:.1e}", value.numel());
    }
    let numerical_time = start.elapsed().as_secs_f64();
    let count: usize = values.iter().map(Tensor::numel).sum();
    println!(
        "Where a step crosses a kink, of ReLU or max-pooling, numerical gradients are wrong: seen in f64 below."
    );
    println!(
        "automatic {:.2} ms, numerical {:.0} ms for {count} parameters: {:.0} times as long",
        1e3 * automatic_time,
        1e3 * numerical_time,
        numerical_time / automatic_time
    );

    // The gradient check: differences in f64 of every element, each with its error.
    let check = GradCheck { elements: usize::MAX, ..GradCheck::default() };
    let owned: Vec<Param> = values.iter().map(Param::new).collect();
    let named: Vec<(String, &Param)> =
        params.iter().zip(&owned).map(|((name, _), param)| (name.to_string(), param)).collect();
    let report = check.params(&named, &Tape::new(), |tape| {
        let vars: Vec<_> = owned.iter().map(|param| tape.param(param)).collect();
        model.loss(&vars, &images, &labels)
    });
    println!("\n{report}\n");

    // The errors of numerical gradients of the last bias, by step.
    fn with_last<'t>(values: &[Tensor], last: Var<'t>) -> Vec<Var<'t>> {
        let front = &values[..values.len() - 1];
        front.iter().map(|value| last.place().constant(value)).chain([last]).collect()
    }
    let sweep = step_sweep(|bias| model.loss(&with_last(&values, bias), &images, &labels), &values[3]);
    println!("Relative error of numerical gradients by output.bias, by step:\n{sweep}");
    fs::create_dir_all(&out)?;
    let picture = Path::new(&out).join("steps.svg");
    draw(&picture, &sweep)?;
    println!("The same as a picture: {}", picture.display());
    if report.passed() { Ok(()) } else { Err("the gradient check failed".into()) }
}

/// Error against step, both logarithmic.
fn draw(path: &Path, sweep: &StepSweep) -> Result<(), Box<dyn Error>> {
    let chart = |half: usize| {
        let title = ["in f32", "in f64"][half];
        let mut chart = Chart::new("step h", "relative error").title(title).log(true, true);
        for (formula, name) in Differencing::ALL.iter().enumerate() {
            let point = |row: usize| {
                let row = &sweep.rows[row];
                let error = if half == 0 { row.f32[formula] } else { row.f64[formula] };
                (row.h.log10(), error.clamp(1e-16, 10.0).log10())
            };
            chart = chart.line(&name.to_string(), (0..sweep.rows.len()).map(point).collect());
        }
        chart.x(-13.0, 0.0).y(-16.0, 1.0)
    };
    figure(path, "Error of numerical gradients", 2, &[chart(0), chart(1)])
}
