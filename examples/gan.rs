//! A generative adversarial net (I. Goodfellow and others, 2014), as in the third book's examples: one net makes digits of
//! noise, a second one tells them from real ones, and each learns from the other. A third net, which has only seen real
//! digits, says what came of it.
//!
//! ```text
//! cargo run --release --example gan
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    args::Args,
    book::{Figures, OUT, OUT_HELP, Outcome, directory, finish},
    chart::{Chart, figure},
    csv::{column, write_csv},
    grid::mosaic,
    learning::train,
    nets::{Extras, multi_layer_net},
};
use gradus::{
    nn::data::{Dataset, digits},
    prelude::*,
};
use std::{path::Path, process::ExitCode};

/// How many numbers of noise an image is made of, and how many images are judged.
const NOISE: usize = 16;
const JUDGED: usize = 1000;
const BATCH: usize = 50;

fn main() -> ExitCode {
    let (mut epochs, mut seed, mut out) = (100, 1, OUT.to_owned());
    Args::new("A generative adversarial net that makes digits.")
        .option("epochs", &mut epochs, 1..=10_000, "passes over the real digits")
        .option("seed", &mut seed, .., "of weights, batches and noise")
        .option("out", &mut out, .., OUT_HELP)
        .parse();
    finish("gan", directory(&out).and_then(|out| run(&out, epochs, seed)))
}

/// Noise to images of 2 x 2 pixels, of 4 x 4, of 8 x 8: transposed convolutions double the sides.
fn maker(rng: &mut Rng) -> Sequential {
    let double =
        |inputs, outputs, rng: &mut Rng| ConvTranspose2d::new(inputs, outputs, 4, rng).stride(2).padding(1);
    Sequential::new()
        .push(Linear::new(NOISE, 32 * 2 * 2, rng))
        .push(Unflatten::new(1, [32, 2, 2]))
        .push(BatchNorm2d::new(32))
        .push(Relu)
        .push(double(32, 16, rng))
        .push(BatchNorm2d::new(16))
        .push(Relu)
        .push(double(16, 1, rng))
        .push(Sigmoid)
}

/// Images to a score: above 0 it takes them for real.
fn judge(rng: &mut Rng) -> Sequential {
    let halve = |inputs, outputs, rng: &mut Rng| Conv2d::new(inputs, outputs, 4, rng).stride(2).padding(1);
    Sequential::new()
        .push(halve(1, 16, rng))
        .push(LeakyRelu::new(0.2))
        .push(halve(16, 32, rng))
        .push(LeakyRelu::new(0.2))
        .push(Flatten)
        .push(Dropout::new(0.3))
        .push(Linear::new(32 * 2 * 2, 1, rng))
}

/// Digits made of noise, seen by a net that knows real ones: how sure it is, and of each digit the share.
fn opinion(classifier: &Sequential, images: &Tensor) -> (f64, Vec<f64>) {
    let scores = metrics::predict(classifier, images, 500);
    let sure = scores.softmax(1).max_axes(1, false).mean().item();
    let found = scores.argmax(1);
    let share = |digit| found.iter().filter(|d| *d == digit).count() as f64 / found.numel() as f64;
    (sure.into(), (0..10).map(share).collect())
}

/// Of each image the nearest of some others, and how far that is on the average.
fn nearest(images: &Tensor, others: &Tensor) -> (Indices, f64) {
    let squares = |x: &Tensor| x.square().sum_axes(1, true);
    let apart = squares(images) + squares(others).t() - images.matmul(&others.t()) * 2.0;
    (apart.argmin(1), apart.min_axes(1, false).relu().sqrt().mean().item().into())
}

fn run(out: &Path, epochs: usize, seed: u64) -> Outcome {
    let (data, test) = digits::load().split(1400, &mut Rng::seed(0));
    let rng = &mut Rng::seed(seed);
    let flat = |data: &Dataset| data.inputs().reshape([data.len(), 64]);
    let mut classifier = multi_layer_net(64, &[100], Init::KaimingNormal, Extras::default(), rng);
    let real = Dataset::new(flat(&data), data.labels().clone());
    train(&mut classifier, &mut Adam::new(0.003), &real, BATCH, 1000, |_, _, _| ());
    let (mut maker, mut judge, mut tape) = (maker(rng), judge(rng), Tape::training(rng.bits()));
    let [mut maker_adam, mut judge_adam] = [0.002, 0.001].map(|lr| Adam::new(lr).betas(0.5, 0.999));
    let same = Tensor::randn([JUDGED, NOISE], rng);
    let (mut rows, mut sheet) = (Vec::new(), Vec::new());
    println!(" epoch   judge   maker    sure  digits");
    for epoch in 1..=epochs {
        let mut sums = [0.0; 2];
        for (images, _) in data.batches(BATCH, rng) {
            let [for_judge, for_maker] = [(); 2].map(|()| Tensor::randn([images.size(0), NOISE], rng));
            // softplus(-z) is -ln of the probability that an image of the score z is real, softplus(z) that it is not.
            let (judged, gradients, ()) = tape.step(|tape| {
                let made = maker.forward(tape.constant(&for_judge)).detach();
                let real = (-judge.forward(tape.constant(&images))).softplus().mean();
                (real + judge.forward(made).softplus().mean(), ())
            });
            judge_adam.step(&mut judge, &gradients);
            let (believed, gradients, ()) = tape.step(|tape| {
                let made = maker.forward(tape.constant(&for_maker));
                ((-judge.forward(made)).softplus().mean(), ())
            });
            maker_adam.step(&mut maker, &gradients);
            sums = [sums[0] + f64::from(judged), sums[1] + f64::from(believed)];
        }
        if epoch * 12 % epochs < 12 {
            let made = maker.forward(same.clone());
            sheet.extend(made.slice(0, ..12).reshape([12, 8, 8]).unbind(0));
            let (sure, shares) = opinion(&classifier, &made.reshape([JUDGED, 64]));
            let digits = shares.iter().filter(|share| **share >= 0.02).count() as f64;
            let [judged, believed] = sums.map(|sum| sum / (data.len() / BATCH) as f64);
            println!("{epoch:6}  {judged:6.3}  {believed:6.3}  {sure:6.3}  {digits:6}");
            rows.push([epoch as f64, judged, believed, sure, digits]);
        }
    }
    let made = maker.forward(same).reshape([JUDGED, 64]);
    let [(like, far), (_, usual)] = [&made, &flat(&test)].map(|images| nearest(images, real.inputs()));
    sheet.extend((0..12).map(|i| data.get(like.as_slice()[i] as usize).0));
    mosaic(out.join("gan.png"), &sheet, 12, 4)?;
    write_csv(out.join("gan.csv"), "epoch,judge,maker,sure,digits", &rows)?;
    let [(sure, shares), (_, real_shares)] = [&made, real.inputs()].map(|x| opinion(&classifier, x));
    // Noise that has at each place the inks that real digits have there.
    let mut mixed: Vec<Vec<f32>> = real.inputs().t().unbind(0).iter().map(Tensor::to_vec).collect();
    mixed.iter_mut().for_each(|inks| rng.shuffle(inks));
    let (unsure, _) = opinion(&classifier, &Tensor::new(mixed.concat(), [64, data.len()]).t());
    // By its entropy: so many digits would be as varied, were all as frequent.
    let spread = (-shares.iter().filter(|s| **s > 0.0).map(|s| s * s.ln()).sum::<f64>()).exp();
    println!("\nThe classifier is sure of what was made to {sure:.3}, of mixed pixels to {unsure:.3};");
    println!("the nearest real digit is {far:.3} away, {usual:.3} from a real one that is new.");
    let by_digit: Vec<[f64; 3]> = (0..10).map(|d| [d as f64, real_shares[d], shares[d]]).collect();
    write_csv(out.join("gan_digits.csv"), "digit,real,made", &by_digit)?;
    let losses = Chart::new("epoch", "loss").line("judge", column(&rows, 1)).line("maker", column(&rows, 2));
    let shares = Chart::new("digit, as classified", "share").y(0.0, 0.4);
    let shares = shares.line("real", column(&by_digit, 1)).line("made", column(&by_digit, 2));
    figure(out.join("gan.svg"), "Digits made of noise", 2, &[losses, shares])?;
    let figures = Figures::default().put("digits", rows[rows.len() - 1][4]).put("spread", spread);
    Ok(figures.put("sure", sure).put("unsure", unsure).put("far", far).put("usual", usual))
}
