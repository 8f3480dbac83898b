//! The book's way to train its nets.

use gradus::{
    nn::{
        data::Dataset,
        metrics::{accuracy, predict},
    },
    prelude::*,
};

/// What a training run came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// Accuracy on the examples that it trained on.
    pub(crate) train: f64,
    /// Accuracy on others.
    pub(crate) test: f64,
    /// The mean loss over the examples that it trained on.
    pub(crate) loss: f64,
}

impl Outcome {
    pub(crate) fn of(net: &impl Layer, train: &Dataset, test: &Dataset) -> Outcome {
        let scores = predict(net, train.inputs(), 1000);
        Outcome {
            train: accuracy(&scores, train.labels()),
            test: accuracy(&predict(net, test.inputs(), 1000), test.labels()),
            loss: scores.cross_entropy(train.labels()).item().into(),
        }
    }

    /// How much better the examples that it has seen.
    pub(crate) fn gap(&self) -> f64 {
        self.train - self.test
    }
}

/// So many steps, each on a batch drawn with replacement, as the book draws them.
pub(crate) fn train(
    net: &mut impl Layer,
    optimizer: &mut impl Optimizer,
    data: &Dataset,
    batch: usize,
    steps: usize,
    seed: u64,
) {
    let mut rng = Rng::seed(seed);
    let mut tape = Tape::training(seed);
    for _ in 0..steps {
        let drawn: Vec<usize> = (0..batch).map(|_| rng.below(data.len())).collect();
        let batch = data.select(&drawn);
        let (_, gradients, ()) =
            tape.step(|tape| (net.forward(tape.constant(batch.inputs())).cross_entropy(batch.labels()), ()));
        optimizer.step(net, &gradients);
    }
}
