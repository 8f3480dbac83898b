//! A physics-informed network: a net learns to obey the heat equation, without any data of its solution.
//!
//! ```text
//! cargo run --release --example heat_equation
//! ```
//!
//! A rod has the temperature sin πx at time 0, and both its ends are held at 0: `∂u/∂t = α ∂²u/∂x²` for `0 ≤ x ≤ 1`. The loss is
//! the mean square of `∂u/∂t - α ∂²u/∂x²` at random points. It has first and second derivatives of the net by its inputs in
//! it, and training differentiates them once more, by the weights. What is known is built in: with
//! `u = sin πx + x (1 - x) t net(x, t)` the start and the ends are right, whatever the net says.
//!
//! The solution is known in closed form, `u = e^(-απ²t) sin πx`; the example compares with it, but never trains on it.

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    args::Args,
    chart::{Chart, figure},
};
use gradus::{nn::schedule::Cosine, prelude::*};
use std::{error::Error, f32::consts::PI, fs, path::Path, time::Instant};

/// How fast heat spreads.
const ALPHA: f32 = 0.1;
/// Points at which a step asks for the equation.
const POINTS: usize = 128;
/// The largest error against the closed form that counts as solved.
const ALLOWED: f32 = 1e-3;

/// The temperature, as the net has it now, at points whose x and t are columns of one length.
fn temperature<V: Value>(net: &impl Layer, x: &V, t: &V) -> V {
    let free = x * (c(1.0) - x.clone()) * t;
    (x * PI).sin() + free * net.forward(V::concat(&[x, t], 1))
}

/// How far the net is from obeying the equation, at each point.
fn residual<'t>(net: &impl Layer, x: Var<'t>, t: Var<'t>) -> Var<'t> {
    // `grad` differentiates the sum of the rows. A row depends on its own x and t alone, so that gives each row's derivative.
    let slope =
        |u: Var<'t>, by: Var<'t>| u.grad(&[by])[0].expect("the temperature depends on place and time");
    let u = temperature(net, &x, &t);
    slope(u, t) - slope(slope(u, x), x) * ALPHA
}

fn exact(x: f32, t: f32) -> f32 {
    (PI * x).sin() * (-ALPHA * PI * PI * t).exp()
}

/// The largest error against the closed form, on a grid.
fn largest_error(net: &impl Layer) -> f32 {
    let n = 51;
    let x = Tensor::from_fn([n * n, 1], |i| (i[0] / n) as f32 / (n - 1) as f32);
    let t = Tensor::from_fn([n * n, 1], |i| (i[0] % n) as f32 / (n - 1) as f32);
    (temperature(net, &x, &t) - x.zip(&t, exact)).abs().max().item()
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut steps, mut seed, mut out) = (2000, 0u64, String::from("target/heat_equation"));
    Args::new("Trains a net to solve the heat equation, and compares it with the closed form.")
        .option("steps", &mut steps, 1..=1_000_000, "steps of training")
        .option("seed", &mut seed, .., "decides the initial weights and the points")
        .option("out", &mut out, .., "directory for the picture")
        .parse();
    let mut rng = Rng::seed(seed);
    let mut net = Sequential::new()
        .push(Linear::new(2, 24, &mut rng))
        .push(Tanh)
        .push(Linear::new(24, 24, &mut rng))
        .push(Tanh)
        .push(Linear::new(24, 1, &mut rng));
    println!("u_t = {ALPHA} u_xx, u(x, 0) = sin πx, u(0, t) = u(1, t) = 0, on 0 ≤ x, t ≤ 1\n");
    println!("  step      loss  largest error  seconds");
    println!("{:6}  {:>8}  {:13.6}", 0, "", largest_error(&net));

    let start = Instant::now();
    let (mut adam, mut tape) = (Adam::new(0.01), Tape::new());
    let rate = Cosine::new(0.01, steps);
    for step in 1..=steps {
        adam.set_lr(rate.lr(step - 1));
        let [x, t] = [(); 2].map(|()| Tensor::uniform([POINTS, 1], 0.0, 1.0, &mut rng));
        let (loss, gradients, ()) =
            tape.step(|tape| (residual(&net, tape.var(x), tape.var(t)).square().mean(), ()));
        adam.step(&mut net, &gradients);
        if step % (steps / 10).max(1) == 0 {
            println!(
                "{step:6}  {loss:8.1e}  {:13.6}  {:7.1}",
                largest_error(&net),
                start.elapsed().as_secs_f64()
            );
        }
    }

    fs::create_dir_all(&out)?;
    let picture = Path::new(&out).join("heat_equation.svg");
    draw(&picture, &net)?;
    let error = largest_error(&net);
    println!("\nlargest_error {error:.6}");
    println!("Temperatures and errors as a picture: {}", picture.display());
    if error <= ALLOWED {
        Ok(())
    } else {
        Err(format!("more than {ALLOWED} off: train for more steps").into())
    }
}

/// The temperature along the rod at some times, and how far it is off.
fn draw(path: &Path, net: &impl Layer) -> Result<(), Box<dyn Error>> {
    let times = [0.25, 0.5, 0.75, 1.0];
    let names = times.map(|t| format!("t = {t}"));
    let line = |t: f32, f: fn(f32, f32) -> f32| {
        let x = Tensor::from_fn([101, 1], |i| i[0] as f32 / 100.0);
        let u = temperature(net, &x, &Tensor::full([101, 1], t));
        let point = |(x, u)| (f64::from(x), f64::from(f(u, exact(x, t))));
        x.iter().zip(u.iter()).map(point).collect::<Vec<_>>()
    };
    let chart = |quantity: &str, f: fn(f32, f32) -> f32| {
        let lines = names.iter().zip(times);
        lines.fold(Chart::new("x", quantity), |chart, (name, t)| chart.line(name, line(t, f)))
    };
    let charts = [chart("temperature", |u, _| u), chart("error", |u, exact| u - exact)];
    figure(path, "The heat equation, solved by a net", 2, &charts)
}
