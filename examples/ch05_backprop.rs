//! Chapter 5 of the book: computational graphs, the backward passes of layers, and backpropagation held to numerical
//! gradients.
//!
//! ```text
//! cargo run --example ch05_backprop
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, pictures},
    csv::write_csv,
    picture::{COLORS, INK, picture, text},
};
use gradus::{autograd::check::Differencing, nn::data::digits, prelude::*};
use plotters::{prelude::*, style::text_anchor::HPos};
use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    pictures("ch05_backprop", "Backpropagation through graphs and layers, after chapter 5 of the book.", run)
}

fn run(out: &Path) -> Outcome {
    let figures = shopping(out, Figures::default())?;
    let figures = layers(figures);
    check(out, figures)
}

/// Two apples at 100 each and three oranges at 150, with 10 % tax: what the price depends on, and how much.
fn shopping(out: &Path, figures: Figures) -> Outcome {
    let tape = Tape::new();
    let [apple, apples, orange, oranges, tax] = [100.0, 2.0, 150.0, 3.0, 1.1].map(|x| tape.var(x));
    let only_apples = (apple * apples * tax).item();
    let (apple_price, orange_price) = (apple * apples, orange * oranges);
    let before_tax = apple_price + orange_price;
    let price = before_tax * tax;
    let values = [apple, apples, orange, oranges, apple_price, orange_price, before_tax, tax, price];
    let gradients: Vec<f32> =
        price.grad(&values).into_iter().map(|g| g.expect("the price depends on it").item()).collect();
    let names =
        ["apple", "apples", "orange", "oranges", "apple price", "orange price", "before tax", "tax", "price"];
    println!("{:13} {:>8} {:>10}", "", "value", "gradient");
    for ((name, value), gradient) in names.iter().zip(values).zip(&gradients) {
        println!("{name:13} {:>8} {gradient:>10}", value.item());
    }

    // The book's picture: values go right, in ink; gradients come back, in colour.
    let nodes = [("×", 300, 120), ("×", 300, 280), ("+", 480, 200), ("×", 660, 200)];
    let edges = [
        ((150, 80), (300, 120)),
        ((150, 160), (300, 120)),
        ((150, 240), (300, 280)),
        ((150, 320), (300, 280)),
        ((300, 120), (480, 200)),
        ((300, 280), (480, 200)),
        ((480, 200), (660, 200)),
        ((150, 380), (660, 200)),
        ((660, 200), (850, 200)),
    ];
    let title = "Apples and oranges: values ↩ gradients of the price";
    picture(out.join("ch05_shopping.svg"), (900, 420), title, |root| {
        for (k, (from, to)) in edges.into_iter().enumerate() {
            root.draw(&PathElement::new([from, to], INK))?;
            // Rounded: 3.3 has no exact f32.
            let back = (f64::from(gradients[k]) * 1e4).round() / 1e4;
            let beside = if to.1 < from.1 { 20 } else { -17 };
            let at = ((from.0 + to.0) / 2 + 18, (from.1 + to.1) / 2 + beside);
            root.draw(&Text::new(format!("{} ↩ {back}", values[k].item()), at, text(18.0, HPos::Center)))?;
            if from.0 == 150 {
                root.draw(&Text::new(names[k], (142, from.1), text(18.0, HPos::Right)))?;
            }
        }
        for (sign, x, y) in nodes {
            root.draw(&Circle::new((x, y), 18, WHITE.filled()))?;
            root.draw(&Circle::new((x, y), 18, COLORS[0].stroke_width(2)))?;
            root.draw(&Text::new(sign, (x, y), text(24.0, HPos::Center)))?;
        }
        Ok(())
    })?;
    let rows: Vec<[f64; 2]> =
        values.iter().zip(&gradients).map(|(v, g)| [v.item().into(), (*g).into()]).collect();
    write_csv(out.join("ch05_shopping.csv"), "value,gradient", &rows)?;
    let wanted = [("apple", 0), ("apples", 1), ("orange", 2), ("oranges", 3), ("tax", 7)];
    let figures = figures.put("apples_only", only_apples).put("price", price.item());
    Ok(wanted.into_iter().fold(figures, |figures, (name, k)| figures.put(format!("d_{name}"), gradients[k])))
}

/// The backward passes of the chapter's layers, on a gradient of ones.
fn layers(figures: Figures) -> Figures {
    let tape = Tape::new();
    let x = tape.var([[1.0, -0.5], [-2.0, 3.0]]);
    println!("\nReLU passes gradients where x is positive: {:?}", x.relu().sum().backward()[x].to_vec());
    println!("Sigmoid multiplies them by y (1 - y): {:?}", x.sigmoid().sum().backward()[x].to_vec());

    let (w, b) = (tape.var([[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]), tape.var([1.0, 2.0, 3.0]));
    let gradients = (x.matmul(&w) + b).sum().backward();
    println!(
        "Affine: dx = dy Wᵀ\n{}\ndW = xᵀ dy\n{}\ndb, the sum over the batch: {}",
        gradients[x], gradients[w], gradients[b]
    );

    let db = gradients[b].get([0]);

    // Softmax with cross-entropy: what comes back is simply (y - t) / N.
    let scores = tape.var([[0.3, 2.9, 4.0]]);
    let gradients = scores.cross_entropy(&Indices::from([1])).backward();
    println!("Softmax with loss, label 1: y - t = {:?}", gradients[scores].to_vec());
    figures.put("affine_db", db).put("softmax_d1", gradients[scores].get([0, 1]))
}

/// A net of two layers in the book's layout, as a function of its parameters: weights are `[in, out]`.
fn loss<V: Value>([w1, b1, w2, b2]: [V; 4], x: &V, labels: &Indices) -> V {
    ((x.matmul(&w1) + b1).relu().matmul(&w2) + b2).cross_entropy(labels)
}

/// The book's gradient check: mean differences of backpropagation and numerical gradients, parameter by parameter.
fn check(out: &Path, mut figures: Figures) -> Outcome {
    let few = digits::load().select(&[0, 1, 2]);
    let (images, labels) = (few.inputs().reshape([3, 64]), few.labels());
    let rng = &mut Rng::seed(0);
    let mut weight = |shape: [usize; 2]| Init::Normal(0.1).weight(shape, rng);
    let params = [weight([64, 50]), Tensor::zeros([50]), weight([50, 10]), Tensor::zeros([10])];
    let tape = Tape::new();
    let vars = params.clone().map(|value| tape.var(value));
    let gradients = loss(vars, &tape.constant(&images), labels).backward();
    println!("\nBackpropagation in f32 against central differences in f64, 3 digits, step 1e-4:");
    let mut rows = Vec::new();
    for (k, name) in ["w1", "b1", "w2", "b2"].into_iter().enumerate() {
        let numerical = Differencing::Central.gradient_f64(
            |moved| {
                let mut all = params.clone().map(|value| moved.place().constant(value));
                all[k] = moved;
                loss(all, &moved.place().constant(&images), labels)
            },
            &params[k],
            1e-4,
        );
        let pairs = gradients[vars[k]].iter().zip(numerical.data());
        let mean = pairs.map(|(a, b)| (f64::from(a) - b).abs()).sum::<f64>() / params[k].numel() as f64;
        println!("  {name}: {mean:.2e}");
        rows.push([k as f64, mean]);
        figures = figures.put(format!("check_{name}"), mean);
    }
    write_csv(out.join("ch05_check.csv"), "parameter,mean_difference", &rows)?;
    Ok(figures)
}
