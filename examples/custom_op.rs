//! Operations of your own: declared outside of gradus, used in a model, and checked like the built-in ones.
//!
//! ```text
//! cargo run --release --example custom_op
//! ```
//!
//! The model learns the temperature of a day from noisy measurements. Hours go around: 24:00 is 0:00. So the first
//! operation puts the hour on a circle, and the second says how near that point is to some centres (radial basis
//! functions). A wrong backward rule, planted on purpose, is found at the end.

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::args::Args;
use gradus::{
    autograd::{check::check_op, op::prelude::*},
    nn::gradcheck_model,
    prelude::*,
};
use std::{error::Error, f64::consts::TAU};

/// The point of a circle that stands for `x`, which repeats itself after a period: two outputs, `sin` and `cos` of
/// `2π x / period`.
#[derive(Clone, Copy, Debug)]
struct Cycle {
    /// An attribute: a number that belongs to the operation, and gets no gradient.
    period: f64,
}

impl Op for Cycle {
    const NAME: &'static str = "cycle";
    const FORMULA: &'static str = "s = sin kx, c = cos kx with k = 2π / period; dx = k (gs c - gc s)";
    // Computed in f64 and rounded once.
    const PRECISION: Precision = Precision::Ulps(0.5);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        Ok(vec![Shape::new(x), Shape::new(x)].into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        let k = TAU / self.period;
        let [sin, cos] = [f64::sin, f64::cos].map(|f| inputs[0].map(|x| f(k * f64::from(x)) as f32));
        (vec![sin, cos].into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        // `c` keeps all digits of an f64; the check differences in f64 and would see an f32's rounding.
        let k = || c(TAU / self.period);
        let (sin, cos) = (cx.outputs()[0], cx.outputs()[1]);
        // An output that the loss does not depend on has no cotangent.
        if let Some(g) = cx.cotangent_of(0) {
            cx.add(0, || k() * (g * cos));
        }
        if let Some(g) = cx.cotangent_of(1) {
            cx.add(0, || -(k() * (g * sin)));
        }
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let k = TAU / self.period;
        vec![inputs[0].map(|x| (k * x).sin()), inputs[0].map(|x| (k * x).cos())]
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (shape, period) = (g.shape(), g.rng().uniform(1.0, 30.0).into());
        vec![Sample::new(Cycle { period }, [g.normal(shape)])]
    }
}

/// How near each point is to each centre: `y[i, j] = exp(-w[j] |x[i] - c[j]|²)`, of three inputs.
#[derive(Clone, Copy, Debug)]
struct Rbf;

impl Op for Rbf {
    const NAME: &'static str = "rbf";
    const FORMULA: &'static str = "y_ij = exp(-w_j |x_i - c_j|²); with p = g y w: dx_i = -2 Σ_j p_ij (x_i - c_j), \
                                   dc_j = 2 Σ_i p_ij (x_i - c_j), dw_j = -Σ_i g_ij y_ij |x_i - c_j|²";
    // The gradients are sums, which may cancel.
    const PRECISION: Precision = Precision::UlpsOfLargest(1.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        match arity::<Self, _>(inputs) {
            [&[n, d], &[m, d2], &[m2]] if d == d2 && m == m2 => Ok(Shape::new(&[n, m]).into()),
            [x, centres, widths] => Err(ShapeError::new(format!(
                "rbf: x {x:?}, centres {centres:?} and widths {widths:?} must be [n, d], [m, d] and [m]"
            ))),
        }
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        let [x, centres, widths] = [inputs[0], inputs[1], inputs[2]];
        let (n, m, d) = (x.size(0), centres.size(0), x.size(1));
        let y = Tensor::from_fn([n, m], |at| {
            let off = |k| f64::from(x.get([at[0], k])) - f64::from(centres.get([at[1], k]));
            let square: f64 = (0..d).map(|k| off(k) * off(k)).sum();
            (-f64::from(widths.get([at[1]])) * square).exp() as f32
        });
        (y.into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        rbf_rule(cx, -2.0);
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let [x, centres, widths] = [inputs[0], inputs[1], inputs[2]];
        let (n, m, d) = (x.shape()[0], centres.shape()[0], x.shape()[1]);
        vec![Array::from_fn([n, m], |at| {
            let square: f64 = (0..d).map(|k| (x.at(&[at[0], k]) - centres.at(&[at[1], k])).powi(2)).sum();
            (-widths.at(&[at[1]]) * square).exp()
        })]
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        // Lengths of 0 and 1 are among them.
        let [n, m, d] = [g.length(), g.length(), g.length()].map(|length| length.min(5));
        vec![Sample::new(Rbf, [g.normal([n, d]), g.normal([m, d]), g.values([m], 0.1, 1.0)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let message = "rbf: x [4, 2], centres [3, 5] and widths [3] must be [n, d], [m, d] and [m]";
        vec![
            ErrorCase::new(Rbf, &[&[4, 2], &[3, 5], &[3]], message),
            ErrorCase::new(Rbf, &[&[4, 2], &[3, 2], &[4]], "rbf: x [4, 2], centres [3, 2] and widths [4]"),
            ErrorCase::new(Rbf, &[&[4], &[3, 2], &[3]], "rbf: x [4]"),
        ]
    }
}

/// The backward rule of [`Rbf`], with the factor of the gradient by x: -2, unless somebody forgets the 2.
fn rbf_rule<V: Value>(cx: &mut Backward<'_, V>, factor: f32) {
    let ([x, centres, widths], y, g) = (cx.inputs(), cx.output(), cx.cotangent());
    let gy = g * y;
    let p = &gy * widths;
    // Each difference once for every pair would be an array of [n, m, d]; the sums over pairs are matrix products.
    cx.add(0, || (p.sum_axes(1, true) * x - p.matmul(centres)) * factor);
    cx.add(1, || (p.t().matmul(x) - p.sum_axes(0, false).unsqueeze(1) * centres) * 2.0);
    cx.add(2, || {
        let squares = (x.unsqueeze(1) - centres).square().sum_axes(2, false);
        -(gy * squares).sum_axes(0, false)
    });
}

/// [`Rbf`] by somebody in a hurry: the gradient by x lacks a factor of 2.
#[derive(Clone, Copy, Debug)]
struct HastyRbf;

impl Op for HastyRbf {
    const NAME: &'static str = "hasty_rbf";
    const FORMULA: &'static str = Rbf::FORMULA;
    const PRECISION: Precision = Rbf::PRECISION;
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        Rbf.infer(inputs)
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        Rbf.forward(inputs)
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        rbf_rule(cx, -1.0);
    }

    fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array> {
        Rbf.reference(inputs, branches)
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        Rbf::samples(g).into_iter().map(|sample| Sample::new(HastyRbf, sample.inputs)).collect()
    }
}

/// The temperature by the hour: a sum of bumps on the circle of the day.
struct Day {
    centres: Param,
    widths: Param,
    output: Linear,
}
module!(Day { centres, widths, output });

impl Day {
    fn new(bumps: usize, rng: &mut Rng) -> Day {
        let angle = |j: usize| j as f32 / bumps as f32 * std::f32::consts::TAU;
        let centres = Tensor::from_fn([bumps, 2], |i| [angle(i[0]).sin(), angle(i[0]).cos()][i[1]]);
        Day {
            centres: Param::new(centres),
            widths: Param::new(Tensor::full([bumps], 1.0)),
            output: Linear::new(bumps, 1, rng),
        }
    }
}

impl Layer for Day {
    /// Operations are applied as the built-in ones are: on tensors to predict, on variables to train.
    fn forward<V: Value>(&self, hours: V) -> V {
        let at = hours.place();
        let [sin, cos] = V::apply_n(Cycle { period: 24.0 }, &[&hours]);
        let x = V::concat(&[&sin, &cos], 1);
        self.output.forward(V::apply(Rbf, &[&x, &at.param(&self.centres), &at.param(&self.widths)]))
    }
}

/// What the thermometer would show on average, in degrees.
fn temperature(hour: f32) -> f32 {
    let wave = |turns: f32, from: f32| (std::f32::consts::TAU * turns * (hour - from) / 24.0).sin();
    12.0 + 6.0 * wave(1.0, 9.0) + 1.5 * wave(2.0, 4.0)
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut steps, mut seed) = (600, 0u64);
    Args::new("Declares operations, trains a model with them, and checks their gradients.")
        .option("steps", &mut steps, 1..=100_000, "steps of training")
        .option("seed", &mut seed, .., "decides the measurements and the initial weights")
        .parse();

    println!("Each operation by itself: its gradients on samples, and the laws.\n");
    let reports = [check_op(&Spec::of::<Cycle>()), check_op(&Spec::of::<Rbf>())];
    reports.iter().for_each(|report| println!("{report}\n"));

    // Measurements at any time of the day, off by half a degree or so.
    let mut rng = Rng::seed(seed);
    let hours = Tensor::uniform([200, 1], 0.0, 24.0, &mut rng);
    let measured = hours.map(temperature) + Tensor::randn([200, 1], &mut rng) * 0.5;
    let mut net = Day::new(8, &mut rng);
    let (mut adam, mut tape) = (Adam::new(0.05), Tape::new());
    println!("Training on 200 measurements:");
    for step in 1..=steps {
        let (loss, gradients, ()) = tape.step(|tape| {
            let y = net.forward(tape.constant(&hours));
            (y.mse_loss(&tape.constant(&measured)), ())
        });
        adam.step(&mut net, &gradients);
        if step % (steps / 5).max(1) == 0 {
            println!("  step {step:4}: off by {:.3} degrees", loss.sqrt());
        }
    }

    println!("\n  hour   true  learned");
    let shown = Tensor::from_fn([9, 1], |i| 3.0 * i[0] as f32);
    let learned = net.forward(shown.clone());
    for (hour, y) in shown.iter().zip(learned.iter()) {
        println!("  {hour:4}  {:5.1}    {y:5.1}", temperature(hour));
    }

    println!("\nThe whole model, by its parameters:\n");
    let few = hours.slice(0, ..10);
    let model = gradcheck_model(&net, |tape| net.forward(tape.constant(&few)).square().mean());
    println!("{model}\n");

    println!("The same operation with a factor of 2 forgotten in its backward rule:\n");
    let wrong = check_op(&Spec::of::<HastyRbf>());
    println!("{wrong}");
    match reports.iter().chain([&model]).all(|report| report.passed()) && !wrong.passed() {
        true => Ok(()),
        false => Err("a right rule was refused, or a wrong one was not".into()),
    }
}
