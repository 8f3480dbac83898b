//! What chapter 6 of the book compares, on any data: each function gives the figures, the tests judge them.

use crate::{
    nets::{Extras, multi_layer_net},
    runs::{Outcome, train},
};
use gradus::{
    nn::{
        data::Dataset,
        init::Fan,
        metrics::{accuracy, predict},
        optim::Group,
        train::{Distribution, Epoch, KeepBest, RandomSearch, Trial},
    },
    prelude::*,
};

/// Neither batch normalisation nor dropout.
const PLAIN: Extras = Extras { norms: false, dropout: None };

/// Flat examples to train on and to judge by.
pub(crate) struct Data {
    pub(crate) train: Dataset,
    pub(crate) test: Dataset,
}

impl Data {
    pub(crate) fn inputs(&self) -> usize {
        self.train.inputs().size(1)
    }

    /// The same with so many examples to train on.
    pub(crate) fn few(&self, count: usize) -> Data {
        let train = self.train.select(&(0..count).collect::<Vec<_>>());
        Data { train, test: self.test.clone() }
    }

    /// A net for these examples.
    fn net(&self, hidden: &[usize], init: Init, extras: Extras, seed: u64) -> Sequential {
        multi_layer_net(self.inputs(), hidden, init, extras, &mut Rng::seed(seed))
    }

    fn run(
        &self,
        mut net: Sequential,
        mut optimizer: impl Optimizer,
        batch: usize,
        steps: usize,
        seed: u64,
    ) -> Outcome {
        train(&mut net, &mut optimizer, &self.train, batch, steps, seed);
        Outcome::of(&net, &self.train, &self.test)
    }
}

/// SGD, momentum, AdaGrad and Adam with the book's learning rates, on four hidden layers from He's initial weights.
pub(crate) fn optimizers(data: &Data, steps: usize) -> [Outcome; 4] {
    let net = || data.net(&[100; 4], Init::KaimingNormal, PLAIN, 2);
    [
        data.run(net(), Sgd::new(0.01), 128, steps, 1),
        data.run(net(), Sgd::new(0.01).momentum(0.9), 128, steps, 1),
        data.run(net(), AdaGrad::new(0.01), 128, steps, 1),
        data.run(net(), Adam::new(0.001), 128, steps, 1),
    ]
}

/// A standard deviation of 0.01, the book's Xavier, and He's, under SGD.
pub(crate) fn initial_scales(data: &Data, steps: usize) -> [Outcome; 3] {
    [Init::Normal(0.01), Init::ScaledNormal(Fan::In, 1.0), Init::KaimingNormal]
        .map(|init| data.run(data.net(&[100; 4], init, PLAIN, 2), Sgd::new(0.01), 128, steps, 1))
}

/// Without and with batch normalisation, five hidden layers from weights of this standard deviation.
pub(crate) fn batch_norm(data: &Data, std: f32, steps: usize) -> [Outcome; 2] {
    [false, true].map(|norms| {
        let net = data.net(&[100; 5], Init::Normal(std), Extras { norms, ..PLAIN }, 2);
        data.run(net, Sgd::new(0.01), 100, steps, 1)
    })
}

/// Means of three runs with other initial weights and batches.
fn of_three_seeds(run: impl Fn(u64) -> Outcome) -> Outcome {
    let runs = [0, 1, 2].map(run);
    let mean = |field: fn(&Outcome) -> f64| runs.iter().map(field).sum::<f64>() / 3.0;
    Outcome { train: mean(|run| run.train), test: mean(|run| run.test), loss: mean(|run| run.loss) }
}

/// Without and with weight decay (of weights, not of biases), six hidden layers.
pub(crate) fn weight_decay(data: &Data, decay: f64, lr: f64, steps: usize) -> [Outcome; 2] {
    [0.0, decay].map(|decay| {
        of_three_seeds(|seed| {
            let net = data.net(&[100; 6], Init::KaimingNormal, PLAIN, seed);
            let sgd = Sgd::new(lr).weight_decay(decay).group(Group::vectors().weight_decay(0.0));
            data.run(net, sgd, 100, steps, seed)
        })
    })
}

/// Without and with dropout of a fifth of the hidden units, six hidden layers.
pub(crate) fn dropout(data: &Data, lr: f64, steps: usize) -> [Outcome; 2] {
    [None, Some(0.2)].map(|dropout| {
        of_three_seeds(|seed| {
            let net = data.net(&[100; 6], Init::KaimingNormal, Extras { dropout, ..PLAIN }, seed);
            data.run(net, Sgd::new(lr), 100, steps, seed)
        })
    })
}

/// The book's search over learning rate and weight decay; a fifth of the examples is held back to judge by.
pub(crate) fn search(train_data: &Dataset, hidden: &[usize], trials: usize, steps: usize) -> Vec<Trial> {
    let search = RandomSearch::new(3)
        .range("weight_decay", Distribution::LogUniform(1e-8, 1e-4))
        .range("lr", Distribution::LogUniform(1e-6, 1e-2));
    search.run(train_data, 0.2, trials, |settings, train_data, validation| {
        let data = Data { train: train_data.clone(), test: validation.clone() };
        let net = data.net(hidden, Init::KaimingNormal, PLAIN, settings.seed);
        let sgd = Sgd::new(settings["lr"]).weight_decay(settings["weight_decay"]);
        data.run(net, sgd, 100, steps, settings.seed).test
    })
}

/// A run that stops when the validation loss has not fallen for 10 epochs.
pub(crate) struct Stopped {
    /// The epoch with the least validation loss, and the last one.
    pub(crate) best: u64,
    pub(crate) last: u64,
    /// The validation loss of the model as it was then, and as it is in the end.
    pub(crate) best_loss: f64,
    pub(crate) last_loss: f64,
    /// The model of the best epoch on examples that had no say in anything.
    pub(crate) test: f64,
}

/// Few examples and a learning rate that over-fits them: early stopping on a fifth of them.
pub(crate) fn early_stopping(data: &Data, epochs: u64) -> Stopped {
    let mut rng = Rng::seed(4);
    let (validation, few) = data.train.split(data.train.len() / 5, &mut rng);
    let validation_loss = |net: &Sequential| -> f64 {
        predict(net, validation.inputs(), 500).cross_entropy(validation.labels()).item().into()
    };
    let mut net = data.net(&[100; 2], Init::KaimingNormal, PLAIN, 1);
    let mut evaluate = |epoch: &mut Epoch<'_, Sequential>| {
        let loss = validation_loss(epoch.model);
        epoch.record.put("val_loss", loss);
    };
    let mut best = KeepBest::least("val_loss").patience(10);
    let mut trainer = Trainer::new(Adam::new(0.003), 20, 1);
    trainer.fit(&mut net, &few, epochs, |y, labels| y.cross_entropy(labels), &mut [&mut evaluate, &mut best]);
    let last_loss = validation_loss(&net);
    let (_, epoch) = best.best().expect("there were epochs");
    best.restore_model(&mut net);
    Stopped {
        best: epoch,
        last: trainer.epochs(),
        best_loss: validation_loss(&net),
        last_loss,
        test: accuracy(&predict(&net, data.test.inputs(), 500), data.test.labels()),
    }
}
