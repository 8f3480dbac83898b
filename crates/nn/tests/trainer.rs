//! The trainer: what it takes, whom it tells what, when it stops and what it says then.

use gradus_autograd::prelude::*;
use gradus_nn::{
    Adam, BatchNorm1d, Dropout, Embedding, Layer, Linear, Module, Optimizer, Sequential, Sgd,
    data::Dataset,
    flatten, module,
    schedule::Plateau,
    train::{self, Callback, Epoch, Fit, KeepBest, Progress, Trainer, diagnose_accuracy},
};
use gradus_tensor::threads::with_threads;

use crate::panics::panic_of;
use crate::training::{accuracy_on, cross_entropy, flat_digits, mlp};

/// Counts what it is told.
#[derive(Default)]
struct Watch {
    batches: Vec<Progress>,
    epochs: Vec<u64>,
}

impl<M> Callback<M> for Watch {
    fn on_batch(&mut self, progress: &Progress) {
        self.batches.push(*progress);
    }

    fn on_epoch(&mut self, epoch: &mut Epoch<'_, M>) {
        self.epochs.push(epoch.number);
    }
}

#[test]
fn callbacks_are_told_of_every_batch_and_epoch() {
    let (train, _) = flat_digits();
    let mut watch = Watch::default();
    let (mut trainer, mut net) =
        (Trainer::new(Sgd::new(0.1), 600, 1), Linear::new(64, 10, &mut Rng::seed(1)));
    trainer.fit(&mut net, &train, 2, cross_entropy, &mut [&mut watch]);
    assert_eq!(watch.epochs, [1, 2]);
    let seen: Vec<_> = watch.batches.iter().map(|p| (p.epoch, p.batch, p.batches)).collect();
    assert_eq!(seen, [(1, 1, 3), (1, 2, 3), (1, 3, 3), (2, 1, 3), (2, 2, 3), (2, 3, 3)]);
    // The epoch's loss is the mean over examples, and the last batch has 200 of 1400.
    let mean = |k: usize| (600.0 * watch.batches[k].loss + 600.0 * watch.batches[k + 1].loss) / 1400.0;
    for (epoch, loss) in trainer.history().column("loss").iter().enumerate() {
        let expected = mean(3 * epoch) + watch.batches[3 * epoch + 2].loss / 7.0;
        assert!((loss - expected).abs() < 1e-12);
    }
}

#[test]
fn the_best_model_is_kept_and_training_ends_after_the_patience() {
    let (train, validation) = flat_digits();
    // 60 examples and a large net: it over-fits at once.
    let few = train.select(&(0..60).collect::<Vec<_>>());
    let (mut trainer, mut net) = (Trainer::new(Adam::new(0.01), 20, 1), mlp(100, &mut Rng::seed(1)));
    let mut params = Vec::new();
    let mut evaluate = |epoch: &mut Epoch<'_, Sequential>| {
        epoch.record.put("val_accuracy", accuracy_on(epoch.model, &validation));
        epoch.record.put("accuracy", accuracy_on(epoch.model, &few));
        params.push(flatten(epoch.model));
    };
    let mut best = KeepBest::greatest("val_accuracy").patience(4);
    trainer.fit(&mut net, &few, 200, cross_entropy, &mut [&mut evaluate, &mut best]);
    let curve = trainer.history().column("val_accuracy");
    let (value, epoch) = best.best().unwrap();
    let top = curve.iter().fold(0.0f64, |max, &x| max.max(x));
    let first = curve.iter().position(|&x| x == top).unwrap();
    assert_eq!((value, epoch), (top, first as u64 + 1));
    assert_eq!(curve.len(), first + 1 + 4);
    assert_ne!(flatten(&net), params[first]);
    best.restore_model(&mut net);
    assert_eq!(flatten(&net), params[first]);
    assert_eq!(accuracy_on(&net, &validation), value);
    let train_accuracy = *trainer.history().column("accuracy").last().unwrap();
    assert_eq!(diagnose_accuracy(train_accuracy, curve[curve.len() - 1], 0.95, 0.05), Fit::Overfitting);
}

#[test]
#[should_panic = "keep_best: the epoch has no metric val_loss"]
fn a_metric_that_nobody_puts_in_panics() {
    let (train, _) = flat_digits();
    let mut net = Linear::new(64, 10, &mut Rng::seed(1));
    let mut best = KeepBest::least("val_loss");
    Trainer::new(Sgd::new(0.1), 600, 1).fit(&mut net, &train, 1, cross_entropy, &mut [&mut best]);
}

#[test]
fn a_callback_sets_the_learning_rate_from_a_plateau() {
    let (train, _) = flat_digits();
    let (mut trainer, mut net) =
        (Trainer::new(Sgd::new(1e-9), 600, 1), Linear::new(64, 10, &mut Rng::seed(1)));
    // With that rate nothing moves.
    let mut plateau = Plateau::new(1e-9).factor(0.5).patience(1);
    let mut lower = |epoch: &mut Epoch<'_, Linear>| {
        let lr = plateau.observe(epoch.record.get("loss").unwrap());
        epoch.optimizer.set_lr(lr);
    };
    trainer.fit(&mut net, &train, 6, cross_entropy, &mut [&mut lower]);
    assert_eq!(trainer.history().column("lr"), [1e-9, 1e-9, 1e-9, 0.5e-9, 0.5e-9, 0.25e-9]);
}

#[test]
fn a_loss_kept_in_a_variable_and_a_function_are_taken() {
    let (train, _) = flat_digits();
    let run = |which: usize| {
        let mut net = Linear::new(64, 10, &mut Rng::seed(1));
        let mut trainer = Trainer::new(Adam::new(0.01), 200, 1);
        let kept = train::loss(|y, labels: &Indices| y.cross_entropy(labels));
        match which {
            0 => trainer.fit(&mut net, &train, 1, kept, &mut []),
            1 => trainer.fit(&mut net, &train, 1, cross_entropy, &mut []),
            _ => trainer.fit(&mut net, &train, 1, |y, labels| y.cross_entropy(labels), &mut []),
        }
        flatten(&net)
    };
    assert_eq!(run(0), run(1));
    assert_eq!(run(0), run(2));
}

#[test]
fn the_trainer_takes_an_optimizer_that_is_chosen_at_run_time() {
    let (train, _) = flat_digits();
    fn run(train: &Dataset, optimizer: impl Optimizer) -> Tensor {
        let mut net = Linear::new(64, 10, &mut Rng::seed(1));
        Trainer::new(optimizer, 200, 1).fit(&mut net, train, 2, cross_entropy, &mut []);
        flatten(&net)
    }
    let choices: [Box<dyn Optimizer>; 2] = [Box::new(Adam::new(0.01)), Box::new(Sgd::new(0.1))];
    let [adam, sgd] = choices.map(|optimizer| run(&train, optimizer));
    assert_eq!(adam, run(&train, Adam::new(0.01)));
    assert_eq!(sgd, run(&train, Sgd::new(0.1)));
}

/// Two batches of 30 are one of 60; the last step of an epoch has what is left.
#[test]
fn gradients_are_accumulated_over_batches() {
    let (train, _) = flat_digits();
    let train = train.select(&(0..210).collect::<Vec<_>>());
    let run = |batch, accumulate| {
        let mut net = mlp(20, &mut Rng::seed(1));
        let mut trainer = Trainer::new(Sgd::new(0.1), batch, 1).accumulate(accumulate).clip_norm(0.5);
        trainer.fit(&mut net, &train, 1, cross_entropy, &mut []);
        (flatten(&net), trainer.history().clone())
    };
    let ((small, by_two), (large, whole)) = (run(30, 2), run(60, 1));
    assert!((&small - &large).abs().max().item() < 1e-6);
    for name in ["loss", "grad_norm"] {
        let (a, b) = (by_two.column(name)[0], whole.column(name)[0]);
        assert!(name == "loss" || (a / b - 1.0).abs() < 1e-5, "{name}: {a}, not {b}");
    }
    assert_ne!(run(30, 1).0, small);
}

#[test]
fn a_last_batch_of_one_is_said_to_be_that_and_can_be_left_out() {
    let data = Dataset::new(Tensor::randn([9, 3], &mut Rng::seed(1)), (0..9).map(|i| i % 2).collect());
    let net = || {
        let rng = &mut Rng::seed(2);
        Sequential::new().push(Linear::new(3, 4, rng)).push(BatchNorm1d::new(4)).push(Linear::new(4, 2, rng))
    };
    let (text, file, at) = panic_of(|| {
        let mut trainer = Trainer::new(Sgd::new(0.1), 4, 1);
        trainer.fit(&mut net(), &data, 1, cross_entropy, &mut []);
    });
    assert!(text.contains("leave out a last batch of one with drop_last"), "{text}");
    assert!(file.ends_with("trainer.rs") && at == line!() - 3, "{file}:{at}");
    let mut watch = Watch::default();
    let mut trainer = Trainer::new(Sgd::new(0.1), 4, 1).drop_last();
    trainer.fit(&mut net(), &data, 2, cross_entropy, &mut [&mut watch]);
    assert_eq!(watch.batches.len(), 4);
    let mean = (watch.batches[0].loss + watch.batches[1].loss) / 2.0;
    assert!((trainer.history().column("loss")[0] - mean).abs() < 1e-12);
    let (text, ..) = panic_of(|| {
        Trainer::new(Sgd::new(0.1), 10, 1).drop_last().fit(&mut net(), &data, 1, cross_entropy, &mut []);
    });
    assert_eq!(text, "fit: 9 examples are less than a batch of 10, which drop_last leaves out");
}

/// A layer of one's own.
struct Own(Linear);

impl Module for Own {
    fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, &'a Param)) {
        self.0.visit(path, f);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, &'a mut Param)) {
        self.0.visit_mut(path, f);
    }
}

const OWN_LINE: u32 = line!() + 4;

impl Layer for Own {
    fn forward<V: Value>(&self, x: V) -> V {
        self.0.forward(x)
    }
}

#[test]
fn panics_within_fit_name_the_users_line() {
    let (train, _) = flat_digits();
    let rng = &mut Rng::seed(1);
    // In layers of gradus: the call of fit, in one shard and in several.
    for shards in [1, 3] {
        let mut wrong = Sequential::new().push(Linear::new(64, 8, rng)).push(Linear::new(9, 10, rng));
        let mut trainer = Trainer::new(Sgd::new(0.1), 50, 1).shards(shards);
        let (text, file, at) = panic_of(|| trainer.fit(&mut wrong, &train, 1, cross_entropy, &mut []));
        assert!(text.starts_with("linear: x "), "{text}");
        assert!(file.ends_with("trainer.rs") && at == line!() - 2, "{shards} shards: {file}:{at}");
        // In one's own layer and in one's own loss: there.
        let mut own = Own(Linear::new(9, 10, rng));
        let (_, file, at) = panic_of(|| trainer.fit(&mut own, &train, 1, cross_entropy, &mut []));
        assert!(file.ends_with("trainer.rs") && at == OWN_LINE, "{shards} shards: {file}:{at}");
        let mut net = Linear::new(64, 10, rng);
        let (text, file, at) = panic_of(|| {
            trainer.fit(&mut net, &train, 1, |y, labels| y.sum_axes(1, false).cross_entropy(labels), &mut [])
        });
        assert!(text.starts_with("cross_entropy: "), "{text}");
        assert!(file.ends_with("trainer.rs") && at == line!() - 3, "{shards} shards: {file}:{at}");
        // A loss of many elements, and a parameter that it does not reach.
        let (text, file, at) =
            panic_of(|| trainer.fit(&mut net, &train, 1, |y, _: &Indices| y.relu(), &mut []));
        assert!(text.starts_with("backward: the loss must have one element"), "{text}");
        assert!(file.ends_with("trainer.rs") && at == line!() - 2, "{shards} shards: {file}:{at}");
        let mut best = KeepBest::least("val_loss");
        let (text, file, at) = panic_of(|| trainer.fit(&mut net, &train, 1, cross_entropy, &mut [&mut best]));
        assert!(text.starts_with("keep_best: "), "{text}");
        assert!(file.ends_with("trainer.rs") && at == line!() - 2, "{shards} shards: {file}:{at}");
    }
}

#[test]
fn a_loss_that_is_nan_stops_the_run_and_tells_where_it_was_born() {
    let (train, _) = flat_digits();
    for shards in [1, 3] {
        let mut net = Linear::new(64, 10, &mut Rng::seed(1));
        let start = flatten(&net);
        let mut trainer = Trainer::new(Sgd::new(0.1), 700, 1).shards(shards);
        let line = line!() + 3;
        let (text, file, at) = panic_of(|| {
            // The logarithm of a negative number.
            trainer.fit(&mut net, &train, 1, |y, _: &Indices| (y.log().sum() * 1e-3).exp(), &mut [])
        });
        assert!(
            text.starts_with(
                "fit: the loss of batch 1 of 2 in epoch 1 is NaN; NaN was born in the forward of"
            ),
            "{text}"
        );
        let born = format!("trainer.rs:{line}");
        assert!(text.contains("= log %") && text.contains(&born), "{text}");
        assert!(text.contains("Trainer::allow_nan"), "{text}");
        assert!(file.ends_with("trainer.rs") && at == line, "{file}:{at}");
        assert_eq!((flatten(&net), trainer.epochs()), (start, 0));
    }
    // A gradient that is not finite beside a loss that is: √x at 0.
    let mut net = Linear::new(64, 10, &mut Rng::seed(1));
    let start = flatten(&net);
    let (text, ..) = panic_of(|| {
        let mut trainer = Trainer::new(Sgd::new(0.1), 700, 1);
        trainer.fit(&mut net, &train, 1, |y, _: &Indices| (y * 0.0).sqrt().sum(), &mut []);
    });
    assert!(
        text.starts_with("fit: the loss of batch 1 of 2")
            && text.contains("0, and a gradient is not finite; "),
        "{text}"
    );
    assert!(text.contains("born in the backward of"), "{text}");
    assert_eq!(flatten(&net), start);
    // Who asks for it goes on.
    let mut trainer = Trainer::new(Sgd::new(0.1), 700, 1).allow_nan();
    trainer.fit(&mut net, &train, 2, |y, _: &Indices| y.log().sum(), &mut []);
    assert!(trainer.history().column("loss").iter().all(|loss| loss.is_nan()));
}

#[test]
fn a_metric_that_is_nan_is_no_improvement() {
    let (train, _) = flat_digits();
    for greatest in [false, true] {
        let mut metrics = [f64::NAN, 3.0, f64::NAN, 3.0, f64::NAN].into_iter();
        let mut put = |epoch: &mut Epoch<'_, Linear>| epoch.record.put("m", metrics.next().unwrap());
        let mut best = if greatest { KeepBest::greatest("m") } else { KeepBest::least("m") }.patience(3);
        let mut net = Linear::new(64, 10, &mut Rng::seed(1));
        let mut trainer = Trainer::new(Sgd::new(0.1), 1400, 1);
        trainer.fit(&mut net, &train, 1, cross_entropy, &mut [&mut put, &mut best]);
        assert_eq!(best.best(), None);
        trainer.fit(&mut net, &train, 9, cross_entropy, &mut [&mut put, &mut best]);
        assert_eq!((best.best(), trainer.epochs()), (Some((3.0, 2)), 5));
    }
}

#[test]
fn a_callback_that_panics_leaves_the_epoch_in_the_history() {
    let (train, _) = flat_digits();
    let (mut net, mut trainer) = (mlp(10, &mut Rng::seed(1)), Trainer::new(Adam::new(0.01), 300, 5));
    let (mut whole, mut expected) = (mlp(10, &mut Rng::seed(1)), Trainer::new(Adam::new(0.01), 300, 5));
    expected.fit(&mut whole, &train, 3, cross_entropy, &mut []);
    let mut breaks = |epoch: &mut Epoch<'_, Sequential>| assert!(epoch.number != 2, "full disk");
    panic_of(|| trainer.fit(&mut net, &train, 3, cross_entropy, &mut [&mut breaks]));
    assert_eq!(trainer.epochs(), 2);
    trainer.fit(&mut net, &train, 1, cross_entropy, &mut []);
    assert_eq!(flatten(&net), flatten(&whole));
    assert_eq!(trainer.history(), expected.history());
}

#[test]
fn as_many_epochs_as_there_can_be_are_trained_from_a_resumed_run_too() {
    let (train, _) = flat_digits();
    let (mut net, mut trainer) =
        (Linear::new(64, 10, &mut Rng::seed(1)), Trainer::new(Sgd::new(0.1), 700, 1));
    trainer.fit(&mut net, &train, 2, cross_entropy, &mut []);
    let mut stop = |epoch: &mut Epoch<'_, Linear>| {
        if epoch.number == 4 {
            epoch.stop();
        }
    };
    trainer.fit(&mut net, &train, u64::MAX, cross_entropy, &mut [&mut stop]);
    assert_eq!(trainer.epochs(), 4);
}

/// Words and numbers in, with dropout, in shards and accumulated: resumed bit for bit, on any number of threads.
struct Mixed {
    words: Embedding,
    norm: BatchNorm1d,
    output: Linear,
    dropout: Dropout,
}

module!(Mixed { words, norm, output, dropout });

impl Mixed {
    fn forward<V: Value>(&self, words: &Indices, x: V) -> V {
        let embedded = self.words.forward(x.place(), words).mean_axes(1, false);
        self.output.forward(self.dropout.forward(self.norm.forward(embedded * x)))
    }
}

#[test]
fn models_of_several_inputs_are_trained() {
    let rng = &mut Rng::seed(4);
    let words: Indices = (0..120).map(|i| (i * 7 + i / 3) % 10).collect();
    let words = Indices::new(words.as_slice(), [40, 3]);
    let x = Tensor::uniform([40, 4], 0.5, 1.5, rng);
    let labels: Indices = (0..40).map(|i| words.get([i, 0]) % 3).collect();
    let data = Dataset::new((words, x), labels);
    let start = || Mixed {
        words: Embedding::new(10, 4, &mut Rng::seed(5)),
        norm: BatchNorm1d::new(4),
        output: Linear::new(4, 3, &mut Rng::seed(6)),
        dropout: Dropout::new(0.1),
    };
    let trainer = || Trainer::new(Adam::new(0.02), 8, 3).shards(2).accumulate(2);
    let run = |trainer: &mut Trainer<Adam>, model: &mut Mixed, epochs| {
        trainer.fit_with(
            model,
            &data,
            epochs,
            |model, tape, (words, x), labels| model.forward(words, tape.constant(x)).cross_entropy(labels),
            &mut [],
        );
    };
    let whole = |threads| {
        with_threads(threads, || {
            let (mut trainer, mut model) = (trainer(), start());
            run(&mut trainer, &mut model, 60);
            (trainer.state(&model), trainer.history().column("loss"))
        })
    };
    let (state, loss) = whole(1);
    assert_eq!(state, whole(2).0);
    assert!(loss[59] < 0.5 * loss[0], "{loss:?}");
    let (mut first, mut model) = (trainer(), start());
    run(&mut first, &mut model, 20);
    let (mut later, mut copy) = (trainer(), start());
    later.restore(&first.state(&model), &mut copy).unwrap();
    run(&mut later, &mut copy, 40);
    assert_eq!(later.state(&copy), state);
    let (text, ..) = panic_of(|| {
        let mut trainer = Trainer::new(Sgd::new(0.1), 8, 1).augment(|x, _| x.clone());
        trainer.fit_with(&mut start(), &data, 1, |_, tape, _, _| tape.constant(0.0), &mut []);
    });
    assert!(text.starts_with("fit_with: an augmentation is for the inputs of fit"), "{text}");
}
