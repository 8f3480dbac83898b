//! The book's nets, and its way to train them.

use gradus_autograd::prelude::*;
use gradus_nn::{
    BatchNorm1d, Dropout, Init, Layer, Linear, Optimizer,
    data::Dataset,
    metrics::{accuracy, predict},
    module,
};

/// The book's `MultiLayerNetExtend`: after every hidden layer a normalisation, a ReLU and dropout, as wished.
pub(crate) struct MultiLayerNet {
    hidden: Vec<Linear>,
    norms: Vec<BatchNorm1d>,
    output: Linear,
    dropout: Option<Dropout>,
}
module!(MultiLayerNet { hidden, norms, output; dropout });

impl MultiLayerNet {
    /// With hidden layers of these sizes between inputs and ten classes.
    pub(crate) fn new(inputs: usize, hidden: &[usize], init: Init, seed: u64) -> MultiLayerNet {
        let mut rng = Rng::seed(seed);
        let sizes = [&[inputs], hidden].concat();
        MultiLayerNet {
            hidden: sizes
                .windows(2)
                .map(|pair| Linear::with_init(pair[0], pair[1], init, &mut rng))
                .collect(),
            norms: Vec::new(),
            output: Linear::with_init(sizes[sizes.len() - 1], 10, init, &mut rng),
            dropout: None,
        }
    }

    pub(crate) fn with_norms(self) -> MultiLayerNet {
        let of = |layer: &Linear| BatchNorm1d::new(layer.weight.value().size(0)).eps(1e-6);
        MultiLayerNet { norms: self.hidden.iter().map(of).collect(), ..self }
    }

    /// In the book's form: what is left is not scaled up in training, but everything is scaled down in evaluation.
    pub(crate) fn dropout(self, p: f32) -> MultiLayerNet {
        MultiLayerNet { dropout: Some(Dropout::new(p).scaled_in_evaluation()), ..self }
    }
}

impl Layer for MultiLayerNet {
    fn forward<V: Value>(&self, x: V) -> V {
        let mut x = x;
        for (i, layer) in self.hidden.iter().enumerate() {
            x = layer.forward(x);
            if let Some(norm) = self.norms.get(i) {
                x = norm.forward(x);
            }
            x = x.relu();
            if let Some(dropout) = self.dropout {
                x = dropout.forward(x);
            }
        }
        self.output.forward(x)
    }
}

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
