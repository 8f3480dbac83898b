//! A variational autoencoder (D. Kingma, M. Welling, 2013), after the third book's example: digits from two numbers.
//!
//! ```text
//! cargo run --release --example vae
//! cargo run --release --example vae -- --data path/to/mnist --full
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, Setup, training},
    chart::{Chart, figure},
    csv::{column, write_csv},
    grid::mosaic,
};
use gradus::{nn::data::Dataset, prelude::*};
use std::process::ExitCode;

fn main() -> ExitCode {
    training("vae", "A variational autoencoder of digits.", run)
}

/// An image to the mean and the logarithm of the variance of two numbers; two numbers to an image.
struct Vae {
    encoder: Sequential,
    decoder: Sequential,
}
module!(Vae { encoder, decoder });

impl Vae {
    fn new(pixels: usize, rng: &mut Rng) -> Vae {
        let net = |sizes: [usize; 3], rng: &mut Rng| {
            let first = Linear::with_init(sizes[0], sizes[1], Init::XavierNormal, rng);
            let second = Linear::with_init(sizes[1], sizes[2], Init::XavierNormal, rng);
            Sequential::new().push(first).push(Tanh).push(second)
        };
        Vae { encoder: net([pixels, 64, 4], rng), decoder: net([2, 64, pixels], rng) }
    }

    fn encode<V: Value>(&self, x: V) -> [V; 2] {
        let both = self.encoder.forward(x);
        [both.slice(-1, ..2), both.slice(-1, 2..)]
    }

    /// For each image, by how much an image at random numbers of its own misses it, and how far these are from standard normal
    /// ones. The third book multiplies the noise by the variance: it takes its root, the deviation.
    fn losses<V: Value>(&self, x: V, noise: &Tensor) -> [V; 2] {
        let [mean, log_var] = self.encode(x.clone());
        let z = mean.clone() + (log_var.clone() * 0.5).exp() * x.place().constant(noise);
        let n = x.shape()[0] as f32;
        let logits = self.decoder.forward(z);
        let missed = (logits.softplus() - logits * x).sum() / n;
        [missed, divergence(mean, log_var).sum() / n]
    }
}

/// The divergence of normal distributions from standard ones, in closed form: (m² + v - 1 - log v) / 2.
fn divergence<V: Value>(mean: V, log_var: V) -> V {
    (mean.square() + log_var.exp() - 1.0 - log_var) * 0.5
}

fn run(setup: &Setup) -> Outcome {
    let (data, test) = setup.flat()?;
    let pixels = data.inputs().size(-1);
    let mut rng = Rng::seed(1);
    let mut vae = Vae::new(pixels, &mut rng);
    let (mut adam, mut tape) = (Adam::new(0.003), Tape::training(1));
    let epochs = if setup.full {
        100
    } else if setup.is_mnist() {
        3
    } else {
        120
    };
    let mut rows = vec![judge(&vae, &test, 0)];
    println!("On {}, losses of the test images:\n\n epoch   missed  divergence  together", setup.source());
    for epoch in 1..=epochs {
        for (images, _) in data.batches(50, &mut rng) {
            let noise = Tensor::randn([images.size(0), 2], &mut rng);
            let (_, gradients, ()) = tape.step(|tape| {
                let [missed, far] = vae.losses(tape.constant(&images), &noise);
                (missed + far, ())
            });
            adam.step(&mut vae, &gradients);
        }
        rows.push(judge(&vae, &test, epoch));
        let row = rows[epoch];
        if epoch * 5 % epochs < 5 {
            println!("{:6}  {:7.3}  {:10.3}  {:8.3}", row[0], row[1], row[2], row[3]);
        }
    }
    write_csv(setup.out.join("vae.csv"), "epoch,missed,divergence,together", &rows)?;
    let loss = Chart::new("epoch", "loss of an image").line("missed", column(&rows, 1));
    let loss = loss.line("divergence", column(&rows, 2)).line("together", column(&rows, 3));
    let [mean, log_var] = vae.encode(test.inputs().clone());
    let code = |k: usize, i: usize| f64::from(mean.get([i, k]));
    let labels = test.labels().as_slice();
    let codes: Vec<[f64; 3]> =
        (0..test.len().min(1000)).map(|i| [code(0, i), code(1, i), labels[i].into()]).collect();
    write_csv(setup.out.join("vae_codes.csv"), "z0,z1,label", &codes)?;
    let map = [0, 1, 4, 6].into_iter().fold(
        Chart::new("z0", "z1").title("means of test images"),
        |chart, digit| {
            let of = codes.iter().filter(|row| row[2] == f64::from(digit));
            chart.dots(&digit.to_string(), of.map(|row| (row[0], row[1])).collect())
        },
    );
    figure(setup.out.join("vae.svg"), "A variational autoencoder", 2, &[loss.title("on test images"), map])?;

    // Images of the numbers at which a normal distribution has 1/24, 3/24 ... 23/24 of its weight below.
    let quantile = |k: usize| (2.0 * (k as f32 + 0.5) / 12.0 - 1.0, 2f32.sqrt());
    let at = |k: usize| Tensor::scalar(quantile(k).0).erfinv().item() * quantile(k).1;
    let grid = Tensor::from_fn([144, 2], |i| if i[1] == 0 { at(i[0] % 12) } else { -at(i[0] / 12) });
    let side = (pixels as f64).sqrt() as usize;
    let images: Vec<Tensor> = vae.decoder.forward(grid).sigmoid().reshape([144, side, side]).unbind(0);
    mosaic(setup.out.join("vae.png"), &images, 12, if setup.is_mnist() { 2 } else { 5 })?;

    // The divergence once more, as a mean over random numbers of the first test image's: log q(z) - log p(z).
    let first = |t: &Tensor| t.slice(0, ..1);
    let noise = Tensor::randn([200_000, 2], &mut rng);
    let z = first(&mean) + (first(&log_var) * 0.5).exp() * &noise;
    let sampled = ((z.square() - noise.square() - first(&log_var)) * 0.5).sum_axes(1, false).mean().item();
    let exact = divergence(first(&mean), first(&log_var)).sum().item();
    println!("\nThe first image's divergence: {exact:.4} in closed form, {sampled:.4} from 200 000 samples.");
    let [start, end] = [rows[0], rows[epochs]].map(|row| row[3]);
    Ok(Figures::default()
        .put("start", start)
        .put("end", end)
        .put("divergence", exact)
        .put("sampled", sampled))
}

/// The losses of test images, with the same noise each time.
fn judge(vae: &Vae, test: &Dataset, epoch: usize) -> [f64; 4] {
    let noise = Tensor::randn([test.len(), 2], &mut Rng::seed(2));
    let [missed, far] = vae.losses(test.inputs().clone(), &noise).map(|loss| f64::from(loss.item()));
    [epoch as f64, missed, far, missed + far]
}
