//! The second book, chapter 1: three arms of a spiral, which no line tells apart, and ten hidden units that do.
//!
//! ```text
//! cargo run --release --example spiral
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, pictures},
    chart::{Chart, Point, figure},
    csv::{column, write_csv},
    learning::accuracy,
};
use gradus::{nn::data::Dataset, prelude::*};
use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    pictures("spiral", "Three arms of a spiral and the net that tells them apart.", run)
}

/// 100 points of each arm: the angle grows with the radius, with some noise.
fn spiral(rng: &mut Rng) -> Dataset {
    let noise = Tensor::randn([300], rng);
    let points = Tensor::from_fn([300, 2], |at| {
        let (arm, radius) = ((at[0] / 100) as f32, (at[0] % 100) as f32 / 100.0);
        let angle = 4.0 * (arm + radius) + 0.2 * noise.get([at[0]]);
        radius * if at[1] == 0 { angle.sin() } else { angle.cos() }
    });
    Dataset::new(points, (0..300).map(|i| i / 100).collect::<Indices>())
}

fn run(out: &Path) -> Outcome {
    let mut rng = Rng::seed(1984);
    let (data, fresh) = (spiral(&mut rng), spiral(&mut rng));
    let small = Init::Normal(0.01);
    let line = Sequential::new().push(Linear::with_init(2, 3, small, &mut rng));
    let net = Sequential::new()
        .push(Linear::with_init(2, 10, small, &mut rng))
        .push(Sigmoid)
        .push(Linear::with_init(10, 3, small, &mut rng));

    let mut figures = Figures::default();
    let (mut losses, mut fields) = (Vec::new(), Vec::new());
    println!("300 epochs of SGD 1.0 with batches of 30:\n\n model       loss  accuracy  on new points");
    for (name, mut net) in [("linear", line), ("net", net)] {
        let mut trainer = Trainer::new(Sgd::new(1.0), 30, 1);
        trainer.fit(&mut net, &data, 300, |y, labels| y.cross_entropy(labels), &mut []);
        let curve = trainer.history().column("loss");
        let [right, on_new] = [&data, &fresh].map(|data| accuracy(&net, data));
        println!(" {name:8}  {:.4}  {right:8.4}  {on_new:13.4}", curve[299]);
        figures = figures
            .put(format!("{name}_loss"), curve[299])
            .put(format!("{name}_train"), right)
            .put(format!("{name}_new"), on_new);
        losses.push(curve);
        fields.push(field(&net));
    }

    let rows: Vec<[f64; 3]> = (0..300).map(|i| [(i + 1) as f64, losses[0][i], losses[1][i]]).collect();
    write_csv(out.join("spiral_loss.csv"), "epoch,linear,net", &rows)?;
    let loss = Chart::new("epoch", "loss")
        .title("loss")
        .line("linear", column(&rows, 1))
        .line("ten hidden units", column(&rows, 2));
    write_csv(out.join("spiral_points.csv"), "x,y,arm", &points(&data))?;
    let cells: Vec<[f64; 4]> =
        fields[0].iter().zip(&fields[1]).map(|(line, net)| [line[0], line[1], line[2], net[2]]).collect();
    write_csv(out.join("spiral_boundary.csv"), "x,y,linear,net", &cells)?;
    let charts = [
        boundary("what a linear model says", &fields[0], &data),
        boundary("what ten hidden units say", &fields[1], &data),
        loss,
    ];
    figure(out.join("spiral.svg"), "Three arms of a spiral", 3, &charts)?;
    Ok(figures)
}

/// The arm that a net says on each of 60 by 60 cells of the square of side 2.2.
fn field(net: &Sequential) -> Vec<[f64; 3]> {
    let cells = Tensor::from_fn([60 * 60, 2], |at| {
        let k = if at[1] == 0 { at[0] % 60 } else { at[0] / 60 };
        (k as f32 + 0.5) / 60.0 * 2.2 - 1.1
    });
    let arms = net.forward(cells.clone()).argmax(-1);
    points(&Dataset::new(cells, arms))
}

/// Points with their arms, as a table.
fn points(data: &Dataset) -> Vec<[f64; 3]> {
    let all = data.labels().as_slice().iter().enumerate();
    all.map(|(i, arm)| [data.inputs().get([i, 0]).into(), data.inputs().get([i, 1]).into(), (*arm).into()])
        .collect()
}

/// The regions as shades, and the arms as dots in them.
fn boundary(title: &str, field: &[[f64; 3]], data: &Dataset) -> Chart {
    let cells = field.iter().map(|[x, y, arm]| ((*x, *y), 0.5 * arm)).collect();
    let size = 2.2 / 60.0;
    let chart =
        Chart::new("x", "y").title(title).equal().x(-1.1, 1.1).y(-1.1, 1.1).shade((size, size), cells);
    let of = |arm: f64| -> Vec<Point> {
        points(data).iter().filter(|p| p[2] == arm).map(|p| (p[0], p[1])).collect()
    };
    (0..3).fold(chart, |chart, arm| chart.dots("", of(arm.into())))
}
