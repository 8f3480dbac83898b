//! What the pages show as printed is what is printed. That their programs run, their own tests say.

use gradus::prelude::*;

/// Every line must stand in the page, up to the place in the program, where this file is another one.
#[track_caller]
fn shows(page: &str, printed: impl ToString) {
    let printed = printed.to_string();
    for line in printed.lines() {
        let text = line.split("tests/pages.rs:").next().unwrap_or(line).trim_end();
        assert!(page.lines().any(|line| line.starts_with(text)), "not in the page: {text}\n{printed}");
    }
}

#[test]
fn a_tape_and_where_a_number_went_wrong() {
    let page = include_str!("../docs/looking-inside.md");
    let mut rng = Rng::seed(0);
    let net =
        Sequential::new().push(Linear::new(2, 16, &mut rng)).push(Tanh).push(Linear::new(16, 1, &mut rng));
    let tape = Tape::new();
    let x = tape.constant(Tensor::randn([64, 2], &mut rng));
    let loss = (net.forward(x) - 1.0).square().mean();
    shows(page, loss.graph().params(&net.params()).name(x, "x").name(loss, "loss"));

    let tape = Tape::new();
    let loss = (tape.var([2.0, -1.0]) + 0.5).log().mean();
    shows(page, loss.find_anomaly().expect("there is a NaN"));

    let (tape, w) = (Tape::new(), Param::new([4.0, 0.0]));
    let loss = tape.param(&w).sqrt().sum();
    shows(page, loss.find_anomaly().expect("the root has no slope at 0"));
}

#[test]
fn a_summary() {
    let rng = &mut Rng::seed(0);
    let net = Sequential::new()
        .push(Conv2d::new(1, 16, 3, rng).padding(1))
        .push(BatchNorm2d::new(16))
        .push(Relu)
        .push(MaxPool2d::new(2))
        .push(Residual::new(Conv2d::new(16, 16, 3, rng).padding(1)))
        .push(Flatten)
        .push(Linear::new(16 * 14 * 14, 10, rng));
    shows(include_str!("../docs/training.md"), Summary::new(&net, [1, 1, 28, 28]));
}
