//! Many threads at once: each with a model of its own, all with one model, inside rayon, and beside one that panics.

use gradus_autograd::prelude::*;
use gradus_nn::{
    Adam, BatchNorm1d, Dropout, Layer, Linear, Relu, Sequential, flatten, metrics::predict, train::Trainer,
};
use rayon::prelude::*;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use crate::training::{cross_entropy, flat_digits};

const MANY: u64 = 12;

/// A run of its own for each seed: it tapes, sweeps, recycles memory, and shares its work in the pool.
fn trained(seed: u64) -> Vec<u32> {
    let (train, _) = flat_digits();
    let mut rng = Rng::seed(seed);
    let mut net = Sequential::new()
        .push(Linear::new(64, 30, &mut rng))
        .push(BatchNorm1d::new(30))
        .push(Relu)
        .push(Dropout::new(0.2))
        .push(Linear::new(30, 10, &mut rng));
    let train = train.select(&(0..300).collect::<Vec<_>>());
    Trainer::new(Adam::new(0.01), 100, seed).shards(2).fit(&mut net, &train, 2, cross_entropy, &mut []);
    flatten(&net).iter().map(f32::to_bits).collect()
}

fn alone() -> Vec<Vec<u32>> {
    (0..MANY).map(trained).collect()
}

fn beside_each_other<R: Send>(run: impl Fn(u64) -> R + Sync) -> Vec<thread::Result<R>> {
    thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..MANY).map(|seed| scope.spawn(move || run(seed))).collect();
        threads.into_iter().map(|thread| thread.join()).collect()
    })
}

#[test]
fn models_trained_beside_each_other_have_the_bits_of_those_trained_alone() {
    let expected = alone();
    let together = beside_each_other(trained);
    assert!(together.iter().zip(&expected).all(|(found, expected)| found.as_ref().unwrap() == expected));
    // Within the workers of a pool, one in another.
    let inside: Vec<Vec<u32>> = (0..MANY).into_par_iter().map(trained).collect();
    assert_eq!(inside, expected);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let (a, (b, c)) =
        pool.install(|| rayon::join(|| trained(0), || rayon::join(|| trained(1), || trained(2))));
    assert_eq!([a, b, c], expected[..3]);
    // Each in a pool of its own.
    let own = beside_each_other(|seed| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1 + seed as usize % 3).build().unwrap();
        pool.install(|| trained(seed))
    });
    assert!(own.iter().zip(&expected).all(|(found, expected)| found.as_ref().unwrap() == expected));
}

#[test]
fn one_model_answers_many_threads_at_once() {
    let (train, test) = flat_digits();
    let mut net = Sequential::new()
        .push(Linear::new(64, 30, &mut Rng::seed(1)))
        .push(BatchNorm1d::new(30))
        .push(Dropout::new(0.2))
        .push(Linear::new(30, 10, &mut Rng::seed(2)));
    Trainer::new(Adam::new(0.01), 100, 1).fit(&mut net, &train, 1, cross_entropy, &mut []);
    let expected = predict(&net, test.inputs(), 100);
    let answers = beside_each_other(|_| {
        let answers = (0..10).map(|_| predict(&net, test.inputs(), 100));
        answers.into_iter().all(|answer| answer == expected)
    });
    assert!(answers.into_iter().all(|same| same.unwrap()));
    let rows: Vec<Tensor> =
        (0..test.len()).into_par_iter().map(|i| net.forward(test.inputs().slice(0, i..i + 1))).collect();
    assert!(
        rows.iter().enumerate().all(|(i, row)| (row - expected.slice(0, i..i + 1)).abs().max().item() < 1e-4)
    );
    // Gradients of one model on many tapes.
    let gradient = |i: u64| {
        let tape = Tape::training(i);
        let x = tape.constant(test.inputs());
        let gradients = net.forward(x).cross_entropy(test.labels()).backward();
        gradus_nn::flatten_gradients(&net, &gradients)
    };
    let alone: Vec<Tensor> = (0..MANY).map(gradient).collect();
    let together = beside_each_other(gradient);
    assert!(together.into_iter().zip(alone).all(|(found, expected)| found.unwrap() == expected));
}

#[test]
fn a_panic_in_one_of_them_leaves_the_others_alone() {
    let expected = alone();
    // In the forward, in a shard, in the loss, in the pool's own work.
    let breaks = |seed: u64| {
        let (train, _) = flat_digits();
        let mut net = Sequential::new().push(Linear::new(64, 8, &mut Rng::seed(seed))).push(Linear::new(
            9,
            10,
            &mut Rng::seed(seed),
        ));
        let mut trainer = Trainer::new(Adam::new(0.01), 100, seed).shards(1 + seed as usize % 3);
        trainer.fit(&mut net, &train, 1, cross_entropy, &mut []);
    };
    let together = beside_each_other(|seed| {
        if seed % 3 == 0 {
            breaks(seed);
        }
        trained(seed)
    });
    for (seed, (found, expected)) in together.into_iter().zip(&expected).enumerate() {
        match found {
            Ok(found) => assert!(seed % 3 != 0 && found == *expected, "seed {seed}"),
            Err(_) => assert!(seed % 3 == 0, "seed {seed} panicked"),
        }
    }
    // And within one pool, whose workers go on.
    let inside: Vec<Option<Vec<u32>>> = (0..MANY)
        .into_par_iter()
        .map(|seed| {
            let run = || {
                if seed % 3 == 0 {
                    breaks(seed);
                }
                trained(seed)
            };
            catch_unwind(AssertUnwindSafe(run)).ok()
        })
        .collect();
    for (seed, (found, expected)) in inside.iter().zip(&expected).enumerate() {
        assert_eq!(found.as_ref(), (seed % 3 != 0).then_some(expected), "seed {seed}");
    }
    assert_eq!(trained(0), expected[0], "the thread that saw panics trains as before");
}
