//! Runs that are stopped within an epoch, after any step: saved to a file and restored elsewhere they end with the bits of a
//! run that never stopped, and so does their history with its hashes.

use gradus_autograd::prelude::*;
use gradus_nn::{
    AdamW, BatchNorm1d, Dropout, Layer, Linear, Relu, Sequential, Sgd, State,
    data::{Dataset, augment},
    flatten,
    group::LocalGroup,
    schedule::Cosine,
    train::{Callback, Epoch, Progress, Trainer},
};
use gradus_tensor::threads::with_threads;
use std::{cell::Cell, rc::Rc};

use crate::panics::panic_of;
use crate::training::{cross_entropy, flat_digits};

const EPOCHS: u64 = 3;

/// 90 images: 9 batches of 10 in an epoch, and so 5 steps of two batches, the last one of one.
fn images() -> Dataset {
    let (train, _) = flat_digits();
    train.select(&(0..90).collect::<Vec<_>>()).map_inputs(|x| x.reshape([90, 1, 8, 8]))
}

#[derive(Clone)]
struct Net(Sequential);

impl gradus_nn::Module for Net {
    fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, &'a Param)) {
        self.0.visit(path, f);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, &'a mut Param)) {
        self.0.visit_mut(path, f);
    }
}

impl Layer for Net {
    fn forward<V: Value>(&self, x: V) -> V {
        let n = x.shape()[0];
        self.0.forward(x.reshape([n, 64]))
    }
}

/// With all that a step may depend on: dropout, running averages, augmentation, a schedule, clipping, accumulation, shards.
fn start(seed: u64) -> (Trainer<AdamW>, Net) {
    let mut rng = Rng::seed(seed);
    let net = Sequential::new()
        .push(Linear::new(64, 12, &mut rng))
        .push(BatchNorm1d::new(12))
        .push(Relu)
        .push(Dropout::new(0.3))
        .push(Linear::new(12, 10, &mut rng));
    let trainer = Trainer::new(AdamW::new(0.01), 10, 5)
        .schedule(Cosine::new(0.01, 15))
        .clip_norm(1.0)
        .accumulate(2)
        .shards(2)
        .augment(|images, rng| augment::shift(images, 1, rng));
    (trainer, Net(net))
}

/// All that a run ends with.
fn end(trainer: &Trainer<AdamW>, net: &Net) -> (State, Vec<Option<u64>>) {
    (trainer.state(net), trainer.history().records().iter().map(|record| record.hash()).collect())
}

fn whole(data: &Dataset) -> (State, Vec<Option<u64>>) {
    let (mut trainer, mut net) = start(1);
    trainer.fit(&mut net, data, EPOCHS, cross_entropy, &mut []);
    end(&trainer, &net)
}

/// The same run, stopped after every so many steps; each time another process would go on from the file.
fn in_parts(data: &Dataset, steps: u64) -> (State, Vec<Option<u64>>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.safetensors");
    let mut stops = 0;
    loop {
        let (trainer, mut net) = start(1 + stops);
        let left = Cell::new(steps);
        let mut trainer = trainer.stop_when(move || {
            left.set(left.get() - 1);
            left.get() == 0
        });
        if stops > 0 {
            trainer.restore(&State::load(&path).unwrap(), &mut net).unwrap();
        }
        let before = trainer.steps();
        trainer.fit(&mut net, data, EPOCHS - trainer.epochs(), cross_entropy, &mut []);
        if trainer.epochs() == EPOCHS {
            return end(&trainer, &net);
        }
        assert!(trainer.is_stopped() && trainer.steps() == before + steps);
        assert_eq!(trainer.epochs(), trainer.steps() / 5);
        trainer.state(&net).save(&path).unwrap();
        stops += 1;
    }
}

#[test]
fn a_run_that_is_stopped_anywhere_goes_on_bit_for_bit() {
    let data = images();
    let expected = with_threads(1, || whole(&data));
    assert_eq!(with_threads(2, || whole(&data)), expected);
    assert!(expected.1.iter().all(Option::is_some) && expected.1[0] != expected.1[1]);
    for steps in [1, 2, 3, 5, 7, 14] {
        let threads = 1 + steps as usize % 2;
        assert_eq!(with_threads(threads, || in_parts(&data, steps)), expected, "after every {steps} steps");
    }
}

#[test]
fn callbacks_see_every_batch_once_and_the_epoch_at_its_end() {
    #[derive(Default)]
    struct Seen(Vec<(u64, usize)>, Vec<u64>);
    impl Callback<Net> for Seen {
        fn on_batch(&mut self, progress: &Progress) {
            assert_eq!(progress.batches, 9);
            self.0.push((progress.epoch, progress.batch));
        }

        fn on_epoch(&mut self, epoch: &mut Epoch<'_, Net>) {
            self.1.push(epoch.number);
        }
    }
    let (data, mut seen) = (images(), Seen::default());
    let (trainer, mut net) = start(1);
    let stop = Rc::new(Cell::new(true));
    let asked = stop.clone();
    let mut trainer = trainer.stop_when(move || asked.get());
    trainer.fit(&mut net, &data, 1, cross_entropy, &mut [&mut seen]);
    assert_eq!((&seen.0[..], &seen.1[..]), (&[(1, 1), (1, 2)][..], &[][..]));
    assert!(trainer.is_stopped() && trainer.epochs() == 0 && trainer.steps() == 1);
    stop.set(false);
    trainer.fit(&mut net, &data, 1, cross_entropy, &mut [&mut seen]);
    assert_eq!(seen.0, (1..=9).map(|batch| (1, batch)).collect::<Vec<_>>());
    assert_eq!((&seen.1[..], trainer.is_stopped()), (&[1][..], false));
    // In an epoch's last step the epoch ends first, and the run with it.
    let asked_after = Rc::new(Cell::new(0));
    let count = asked_after.clone();
    trainer = trainer.stop_when(move || {
        count.set(count.get() + 1);
        count.get() == 5
    });
    trainer.fit(&mut net, &data, 7, cross_entropy, &mut [&mut seen]);
    assert_eq!((&seen.1[..], trainer.epochs(), trainer.is_stopped()), (&[1, 2][..], 2, true));
    assert_eq!(trainer.state(&net).part("part"), State::new());
}

#[test]
fn the_rest_of_an_epoch_must_be_of_the_same_examples_in_the_same_batches() {
    let data = images();
    let (trainer, mut net) = start(1);
    let mut trainer = trainer.stop_when(|| true);
    trainer.fit(&mut net, &data, 1, cross_entropy, &mut []);
    let state = trainer.state(&net);
    let before = flatten(&net);
    for (batch, accumulate, drop_last) in [(11, 2, false), (10, 1, false), (10, 2, true)] {
        let mut other = Trainer::new(AdamW::new(0.01), batch, 5).accumulate(accumulate);
        if drop_last {
            other = other.drop_last();
        }
        let untouched = other.state(&net);
        let error = other.restore(&state, &mut net).unwrap_err().to_string();
        assert!(
            error.starts_with(
                "the run was stopped within an epoch of batches of 10, of which 2 make a step, and this trainer has batches of "
            ),
            "{error}"
        );
        assert_eq!((other.state(&net), flatten(&net)), (untouched, before.clone()));
    }
    let fewer = data.select(&(0..80).collect::<Vec<_>>());
    let (text, file, at) = panic_of(|| trainer.fit(&mut net, &fewer, 1, cross_entropy, &mut []));
    assert_eq!(text, "fit: the run was stopped within an epoch of 90 examples, these are 80");
    assert!(file.ends_with("stopped.rs") && at == line!() - 2, "{file}:{at}");
    // A place that no run is stopped at, after which the trainer is what it was.
    let kept = trainer.state(&net);
    for batches in [0, 1, 9, 10, usize::MAX] {
        let mut wrong = state.clone();
        wrong.put("part.batches", batches);
        let error = trainer.restore(&wrong, &mut net).unwrap_err().to_string();
        assert!(error.contains("which is no place between two steps"), "{batches}: {error}");
        assert_eq!(trainer.state(&net), kept);
    }
    let mut wrong = state.part("part");
    wrong.put("loss", "much");
    let mut broken = state.clone();
    broken.put_part("part", wrong);
    assert!(trainer.restore(&broken, &mut net).unwrap_err().to_string().starts_with("loss is \"much\""));
}

#[test]
fn a_rank_that_stops_stops_all_and_they_go_on_together() {
    let data = images();
    let train = |stop_at: Option<u64>| {
        LocalGroup::run(2, |mut group| {
            let rank = gradus_nn::group::Group::rank(&group);
            let start = || Trainer::new(Sgd::new(0.1).momentum(0.9), 30, 1);
            let mut net = Net(Sequential::new().push(Linear::new(64, 10, &mut Rng::seed(1))));
            let mut trainer = start();
            if let Some(stop_at) = stop_at {
                let asked = Cell::new(0);
                trainer = start().stop_when(move || {
                    asked.set(asked.get() + 1);
                    // Rank 1 alone is asked to stop.
                    rank == 1 && asked.get() == stop_at
                });
                trainer.group(&mut group).fit(&mut net, &data, 2, cross_entropy, &mut []).unwrap();
                assert!(trainer.is_stopped() && trainer.steps() == stop_at);
                let state = trainer.state(&net);
                trainer = start();
                trainer.restore(&state, &mut net).unwrap();
            }
            let left = 2 - trainer.epochs();
            trainer.group(&mut group).fit(&mut net, &data, left, cross_entropy, &mut []).unwrap();
            (flatten(&net), trainer.history().to_csv())
        })
    };
    let expected = train(None);
    assert_eq!(expected[0], expected[1]);
    for stop_at in 1..6 {
        assert_eq!(train(Some(stop_at)), expected, "after {stop_at} steps");
    }
}

/// What the hash is made of: change one of them and it is another.
#[test]
fn a_hash_tells_runs_apart() {
    let data = images();
    let hashes = |net_seed, seed, lr, data: &Dataset| {
        let mut net = Linear::new(64, 10, &mut Rng::seed(net_seed));
        let flat = data.clone().map_inputs(|x| x.reshape([90, 64]));
        let mut trainer = Trainer::new(Sgd::new(lr), 30, seed);
        trainer.fit(&mut net, &flat, 2, cross_entropy, &mut []);
        let records = trainer.history().records();
        [records[0].hash().unwrap(), records[1].hash().unwrap()]
    };
    let first = hashes(1, 1, 0.1, &data);
    assert_eq!(hashes(1, 1, 0.1, &data), first);
    let brighter = data.clone().map_inputs(|x| x * 1.0001);
    for other in [hashes(2, 1, 0.1, &data), hashes(1, 1, 0.1001, &data), hashes(1, 1, 0.1, &brighter)] {
        assert!(other[0] != first[0] && other[1] != first[1]);
    }
    // So small a rate changes no weights: the order alone does.
    let tiny = f64::from(f32::MIN_POSITIVE);
    assert_ne!(hashes(1, 1, tiny, &data), hashes(1, 2, tiny, &data), "of the order of the examples");
}
