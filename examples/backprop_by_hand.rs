//! Backpropagation as the notes derive it, three times by hand: the four equations (M. Nielsen), A. Ng's way with bias
//! units, and Zhou Zhihua's with thresholds. Beside them the tape, and numerical gradients.
//!
//! ```text
//! cargo run --example backprop_by_hand
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, pictures},
    by_hand::{Net, bias_units, four_equations, thresholds},
    chart::{Chart, figure},
    csv::{column, write_csv},
};
use gradus::{autograd::check::Differencing, prelude::*};
use std::{iter::zip, path::Path, process::ExitCode};

type Cost = for<'t> fn(&Net<Var<'t>>, [&Tensor; 2]) -> Var<'t>;
const LAMBDA: f32 = 0.6;

fn main() -> ExitCode {
    pictures("backprop_by_hand", "Three derivations of backpropagation, the tape and differences.", run)
}

fn run(out: &Path) -> Outcome {
    // The notes' worked example, without biases.
    let weights = [Tensor::from([[0.1, 0.8], [0.4, 0.6]]), Tensor::from([[0.3, 0.9]])];
    let small = weights.map(|w| [w.clone(), Tensor::zeros([1, w.size(0)])]).to_vec();
    let found = four_equations(&small, [&Tensor::from([[0.35, 0.9]]), &Tensor::from([[0.5]])]);
    let mut figures = Figures::default();
    for (name, g) in zip(
        ["d_w31", "d_w32", "d_w41", "d_w42", "d_w53", "d_w54"],
        found[0][0].iter().chain(found[1][0].iter()),
    ) {
        figures = figures.put(name, g);
    }
    println!(
        "The notes' 2-2-1 net: dC/dw of the hidden units\n{}\nand of the output {}",
        found[0][0], found[1][0]
    );

    // A deeper one, 4-5-3-2, and six examples.
    let rng = &mut Rng::seed(0);
    let mut layer = |i, o| [Tensor::randn([o, i], rng), Tensor::randn([1, o], rng)];
    let net = vec![layer(4, 5), layer(5, 3), layer(3, 2)];
    let data = [&Tensor::randn([6, 4], rng), &Tensor::bernoulli([6, 2], 0.5, rng)];
    let differences = |cost| by_differences(&net, data, cost, 1e-4);
    let ways = [
        ("equations", four_equations(&net, data)),
        ("Zhou", thresholds(&net, data)),
        ("tape", by_tape(&net, data, squares)),
        ("differences", differences(squares)),
    ];
    figures = compare(out, "squares", &ways, figures)?;
    let ng = [
        ("Ng", bias_units(&net, data, LAMBDA)),
        ("tape", by_tape(&net, data, entropy)),
        ("differences", differences(entropy)),
    ];
    figures = compare(out, "entropy", &ng, figures)?;

    // How far differences are off depends on their step.
    let off = |step| largest(&by_differences(&net, data, squares, step), &ways[0].1);
    let rows: Vec<[f64; 2]> =
        (1..=10).map(|k| -0.5 * f64::from(k)).map(|k| [k, off(10f64.powf(k)).log10()]).collect();
    write_csv(out.join("backprop_by_hand.csv"), "log10_step,log10_off", &rows)?;
    let chart = Chart::new("step", "largest relative distance").log(true, true).line("", column(&rows, 1));
    figure(out.join("backprop_by_hand.svg"), "Numerical gradients and those by hand", 1, &[chart])?;
    Ok(figures)
}

/// Scores on a tape: the last sigmoid belongs to the costs.
fn scores<'t>(net: &Net<Var<'t>>, x: &Tensor) -> Var<'t> {
    let first = net[0][0].place().constant(x);
    net.iter()
        .enumerate()
        .fold(first, |z, (l, [w, b])| if l > 0 { z.sigmoid() } else { z }.matmul(&w.t()) + b)
}

fn squares<'t>(net: &Net<Var<'t>>, [x, y]: [&Tensor; 2]) -> Var<'t> {
    let z = scores(net, x);
    (z.sigmoid() - z.place().constant(y)).square().sum() * (0.5 / x.size(0) as f32)
}

fn entropy<'t>(net: &Net<Var<'t>>, [x, y]: [&Tensor; 2]) -> Var<'t> {
    let (z, weights) = (scores(net, x), net.iter().map(|[w, _]| w).collect::<Vec<_>>());
    z.multi_label_cost(&z.place().constant(y), &weights, LAMBDA)
}

fn by_tape(net: &Net<Tensor>, data: [&Tensor; 2], cost: Cost) -> Net<Tensor> {
    let tape = Tape::new();
    let vars = net.iter().map(|layer| layer.clone().map(|t| tape.var(t))).collect();
    let gradients = cost(&vars, data).backward();
    vars.iter().map(|layer| layer.map(|var| gradients[var].clone())).collect()
}

fn by_differences(net: &Net<Tensor>, data: [&Tensor; 2], cost: Cost, step: f64) -> Net<Tensor> {
    let gradient = |l: usize, k: usize| {
        let found = Differencing::Central.gradient_f64(
            |moved| {
                let constant = |t: Tensor| moved.place().constant(t);
                let mut all: Net<_> = net.iter().map(|layer| layer.clone().map(constant)).collect();
                all[l][k] = moved;
                cost(&all, data)
            },
            &net[l][k],
            step,
        );
        Tensor::from_fn(net[l][k].shape(), |i| found.data()[i[0] * net[l][k].size(1) + i[1]] as f32)
    };
    (0..net.len()).map(|l| [gradient(l, 0), gradient(l, 1)]).collect()
}

/// The largest distance of two gradients, relative to the largest entry of its layer.
fn largest(a: &Net<Tensor>, b: &Net<Tensor>) -> f64 {
    let relative = |a: &Tensor, b: &Tensor| f64::from((a - b).abs().max().item() / b.abs().max().item());
    zip(a.iter().flatten(), b.iter().flatten()).map(|(a, b)| relative(a, b)).fold(0.0, f64::max)
}

/// Prints the ways side by side, layer by layer, writes all entries, and holds each to the last way.
fn compare(out: &Path, cost: &str, ways: &[(&str, Net<Tensor>)], mut figures: Figures) -> Outcome {
    let (names, nets): (Vec<&str>, Vec<&Net<Tensor>>) = ways.iter().map(|(name, net)| (*name, net)).unzip();
    println!("\n{cost:8}           {}", names.iter().map(|name| format!("{name:>13}")).collect::<String>());
    let mut rows: Vec<Vec<f64>> = Vec::new();
    for (l, layer) in nets[0].iter().enumerate() {
        for (k, param) in layer.iter().enumerate() {
            let values: Vec<Vec<f32>> = nets.iter().map(|net| net[l][k].to_vec()).collect();
            let line: String = values.iter().map(|values| format!("{:13.8}", values[0])).collect();
            println!("layer {} dC/d{} first {line}", l + 1, ["w", "b"][k]);
            for entry in 0..param.numel() {
                let place = [l + 1, k, entry].map(|i| i as f64);
                rows.push(
                    place.into_iter().chain(values.iter().map(|values| values[entry].into())).collect(),
                );
            }
        }
    }
    let (last, others) = nets.split_last().expect("there are ways");
    for (name, net) in zip(names.iter(), others) {
        let off = largest(net, last);
        println!("{name} and differences: {off:.1e} of the largest entry apart at most");
        figures = figures.put(format!("{cost}_{}", name.to_lowercase()), off);
    }
    let names = format!("layer,bias,entry,{}", names.join(","));
    write_csv(out.join(format!("backprop_by_hand_{cost}.csv")), &names, &rows)?;
    Ok(figures)
}
