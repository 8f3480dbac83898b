//! The book's nets, and its way to train them.

use gradus_autograd::prelude::*;
use gradus_nn::{
    Init, Layer, Linear, Optimizer,
    data::Dataset,
    metrics::{accuracy, predict},
    module,
};

/// The book's `MultiLayerNetExtend`: after every hidden layer a normalisation, a ReLU and dropout, as wished.
pub(crate) struct MultiLayerNet {
    hidden: Vec<Linear>,
    norms: Vec<Norm>,
    output: Linear,
    /// The probability of dropping a hidden unit.
    dropout: f32,
}
module!(MultiLayerNet { hidden, norms, output; dropout });

/// Batch normalisation by the statistics of the batch, in evaluation too: those of the examples that are judged.
struct Norm {
    weight: Param,
    bias: Param,
}
module!(Norm { weight, bias });

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
            dropout: 0.0,
        }
    }

    pub(crate) fn with_norms(self) -> MultiLayerNet {
        let of = |layer: &Linear| {
            let units = layer.weight.value().size(0);
            Norm { weight: Param::new(Tensor::ones([units])), bias: Param::new(Tensor::zeros([units])) }
        };
        MultiLayerNet { norms: self.hidden.iter().map(of).collect(), ..self }
    }

    pub(crate) fn dropout(self, p: f32) -> MultiLayerNet {
        MultiLayerNet { dropout: p, ..self }
    }
}

impl Layer for MultiLayerNet {
    fn forward<V: Value>(&self, x: V) -> V {
        let mut x = x;
        for (i, layer) in self.hidden.iter().enumerate() {
            x = layer.forward(x);
            if let Some(Norm { weight, bias }) = self.norms.get(i) {
                let (weight, bias) = (x.at().param(weight), x.at().param(bias));
                [x, _, _] = x.batch_norm(Some(&weight), Some(&bias), 1e-6);
            }
            x = x.relu();
            if self.dropout > 0.0 {
                // The book's form: what is left is not scaled up in training, but everything is scaled down in evaluation.
                x = x.dropout(self.dropout) * (1.0 - self.dropout);
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
