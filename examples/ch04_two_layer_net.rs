//! Chapter 4 of the book: losses, the gradient of a smallest net, and a net of two layers that learns handwritten digits.
//!
//! ```text
//! cargo run --release --example ch04_two_layer_net
//! cargo run --release --example ch04_two_layer_net -- --data path/to/mnist --full
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, Setup, training},
    learning::{draw_learning, learn},
};
use gradus::{nn::gradcheck_model, prelude::*};
use std::process::ExitCode;

/// The book's net: two affine layers with an activation between them, small random weights.
struct TwoLayerNet {
    hidden: Linear,
    output: Linear,
    activation: Activation,
}
module!(TwoLayerNet { hidden, output; activation });

#[derive(Clone, Copy)]
enum Activation {
    Sigmoid,
    Relu,
}

impl TwoLayerNet {
    fn new(inputs: usize, activation: Activation) -> TwoLayerNet {
        let (rng, small) = (&mut Rng::seed(1), Init::Normal(0.01));
        TwoLayerNet {
            hidden: Linear::with_init(inputs, 50, small, rng),
            output: Linear::with_init(50, 10, small, rng),
            activation,
        }
    }
}

impl Layer for TwoLayerNet {
    /// Scores: softmax and cross-entropy are one operation, the loss.
    fn forward<V: Value>(&self, x: V) -> V {
        let z = self.hidden.forward(x);
        self.output.forward(match self.activation {
            Activation::Sigmoid => z.sigmoid(),
            Activation::Relu => z.relu(),
        })
    }
}

fn main() -> ExitCode {
    training(
        "ch04_two_layer_net",
        "Losses, and a net of two layers that learns, after chapter 4 of the book.",
        run,
    )
}

fn run(setup: &Setup) -> Outcome {
    let figures = simple_net(losses(Figures::default()));
    let (train_data, test) = setup.flat()?;
    println!(
        "\nTwo layers on {}: {} images to train on, {} to test",
        setup.source(),
        train_data.len(),
        test.len()
    );

    let net = TwoLayerNet::new(train_data.inputs().size(1), Activation::Sigmoid);
    let few = train_data.select(&[0, 1, 2]);
    let report =
        gradcheck_model(&net, |tape| net.forward(tape.constant(few.inputs())).cross_entropy(few.labels()));
    println!("Its gradients against differences in f64, on 3 images:\n{report}");
    if !report.passed() {
        return Err("the gradient check failed".into());
    }

    // The book's learning rate, and its 10 000 steps of 100 images.
    let steps = if setup.full { 10_000 } else { 3000 };
    let mut figures = figures;
    for (name, activation) in [("sigmoid", Activation::Sigmoid), ("relu", Activation::Relu)] {
        let mut net = TwoLayerNet::new(train_data.inputs().size(1), activation);
        let curve = learn(&mut net, &mut Sgd::new(0.1), [&train_data, &test], steps, 20, usize::MAX);
        let title = format!("Two layers with {name} learn {}", setup.source());
        draw_learning(&setup.out, &format!("ch04_two_layer_net_{name}"), &title, &curve)?;
        let [_, _, train, test] = curve[curve.len() - 1];
        println!("{name}: accuracy {train:.4} in training, {test:.4} in test");
        figures = figures.put(format!("{name}_train"), train).put(format!("{name}_test"), test);
    }
    Ok(figures)
}

/// The losses of the book's two guesses at a 2: one that is right, and one that takes it for a 7.
fn losses(mut figures: Figures) -> Figures {
    let target = Tensor::from([0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let right = Tensor::from([0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0]);
    let wrong = Tensor::from([0.1, 0.05, 0.1, 0.0, 0.05, 0.1, 0.0, 0.6, 0.0, 0.0]);
    println!("Guess   half the squared error   cross-entropy");
    for (name, guess) in [("right", right), ("wrong", wrong)] {
        let squared = 0.5 * (&guess - &target).square().sum().item();
        // The book's 1e-7 keeps the logarithm of 0 away.
        let entropy = -((guess + 1e-7).log() * &target).sum().item();
        println!("{name}   {squared:22.4}   {entropy:13.4}");
        figures = figures.put(format!("squared_{name}"), squared).put(format!("entropy_{name}"), entropy);
    }
    figures
}

/// The book's simpleNet: scores are x W, and the gradient of the loss by W has W's shape.
fn simple_net(figures: Figures) -> Figures {
    let tape = Tape::new();
    let w = tape.var([[0.47355232, 0.9977393, 0.84668094], [0.85557411, 0.03563661, 0.69422093]]);
    let scores = tape.constant([[0.6, 0.9]]).matmul(&w);
    let loss = scores.cross_entropy(&Indices::from([2]));
    let dw = &loss.backward()[w];
    println!("\nsimpleNet: scores {:?}, loss {}, dL/dW\n{dw}", scores.value().to_vec(), loss.item());
    figures
        .put("simple_loss", loss.item())
        .put("simple_dw_00", dw.get([0, 0]))
        .put("simple_dw_12", dw.get([1, 2]))
}
