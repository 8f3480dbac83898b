//! Running statistics: what a layer asks for in training is done by the optimizer, on every way that trains.

use gradus_autograd::prelude::*;
use gradus_nn::{
    BatchNorm1d, Layer, Linear, Module, Optimizer, Parameters, Sequential, Sgd, State,
    data::Dataset,
    flatten, load,
    optim::Lbfgs,
    save,
    train::{Trainer, shard_gradients},
    unflatten, update_buffers,
};

fn batch(seed: u64) -> Tensor {
    Tensor::randn([6, 2], &mut Rng::seed(seed)) * 3.0 + 1.0
}

/// Mean and unbiased variance of each column, in f64.
fn moments(x: &Tensor) -> [Vec<f64>; 2] {
    let n = x.size(0) as f64;
    let column = |k: usize| (0..x.size(0)).map(move |i| f64::from(x.get([i, k])));
    let mean: Vec<f64> = (0..x.size(1)).map(|k| column(k).sum::<f64>() / n).collect();
    let variance =
        (0..x.size(1)).map(|k| column(k).map(|x| (x - mean[k]).powi(2)).sum::<f64>() / (n - 1.0)).collect();
    [mean, variance]
}

/// Means and variances that have followed these batches.
fn followed(batches: &[Tensor], share: impl Fn(usize) -> f64) -> [Vec<f64>; 2] {
    let mut running = [vec![0.0; 2], vec![1.0; 2]];
    for (i, x) in batches.iter().enumerate() {
        for (old, new) in running.iter_mut().zip(moments(x)) {
            old.iter_mut().zip(new).for_each(|(old, new)| *old += share(i) * (new - *old));
        }
    }
    running
}

#[track_caller]
fn assert_running(norm: &BatchNorm1d, expected: [Vec<f64>; 2], count: f32) {
    for (found, expected) in [&norm.running_mean, &norm.running_var].into_iter().zip(expected) {
        for (found, expected) in found.value().iter().zip(expected) {
            // Some ten roundings of numbers below 20.
            assert!((f64::from(found) - expected).abs() < 2e-5, "{found} is not {expected}");
        }
    }
    assert_eq!(norm.num_batches_tracked.value().item(), count);
}

fn train_on(norm: &mut BatchNorm1d, batches: &[Tensor]) {
    let mut tape = Tape::training(0);
    for x in batches {
        let (_, gradients, ()) = tape.step(|tape| (norm.forward(tape.constant(x)).exp().sum(), ()));
        Sgd::new(0.01).step(norm, &gradients);
    }
}

#[test]
fn averages_follow_the_batches() {
    let batches = [batch(0), batch(1), batch(2)];
    let mut norm = BatchNorm1d::new(2);
    train_on(&mut norm, &batches);
    assert_running(&norm, followed(&batches, |_| 0.1), 3.0);

    let mut norm = BatchNorm1d::new(2).momentum(0.3);
    train_on(&mut norm, &batches);
    assert_running(&norm, followed(&batches, |_| 0.3), 3.0);

    let mut norm = BatchNorm1d::new(2).cumulative();
    train_on(&mut norm, &batches);
    assert_running(&norm, followed(&batches, |i| 1.0 / (i + 1) as f64), 3.0);
}

#[test]
fn evaluation_and_a_loop_without_an_optimizer() {
    let x = batch(0);
    let mut norm = BatchNorm1d::new(2);
    norm.forward(x.clone());
    let evaluated = norm.forward(Tape::new().constant(&x)).backward_from(Tensor::ones([6, 2]));
    update_buffers(&mut norm, &evaluated);
    assert_running(&norm, followed(&[], |_| 0.1), 0.0);

    let gradients = norm.forward(Tape::training(0).constant(&x)).sum().backward();
    update_buffers(&mut norm, &gradients);
    assert_running(&norm, followed(&[x], |_| 0.1), 1.0);
}

#[test]
fn a_checkpointed_layer_sees_a_batch_once() {
    let x = batch(0);
    let run = |checkpoint: bool| {
        let mut norm = BatchNorm1d::new(2);
        let (_, gradients, ()) = Tape::training(0).step(|tape| {
            let x = tape.var(&x);
            let y = if checkpoint { x.place().checkpoint(|| norm.forward(x)) } else { norm.forward(x) };
            (y.exp().sum(), ())
        });
        update_buffers(&mut norm, &gradients);
        (norm, gradients)
    };
    let ((with, gradients), (without, plain)) = (run(true), run(false));
    assert_running(&with, followed(std::slice::from_ref(&x), |_| 0.1), 1.0);
    assert_eq!(with.running_var.value(), without.running_var.value());
    let weight = |norm: &BatchNorm1d, gradients: &Gradients| gradients[norm.weight.as_ref().unwrap()].clone();
    assert_eq!(weight(&with, &gradients), weight(&without, &plain));
}

#[test]
fn shards_are_batches_of_their_own() {
    let x = Tensor::concat(&[&batch(3), &batch(4)], 0);
    let labels: Indices = (0..12).map(|i| i % 2).collect();
    let mut norm = BatchNorm1d::new(2);
    let (_, gradients) = shard_gradients(&norm, &x, &labels, &[1, 2], |y, labels| y.cross_entropy(labels));
    Sgd::new(0.1).step(&mut norm, &gradients);
    assert_running(&norm, followed(&[batch(3), batch(4)], |_| 0.1), 2.0);
}

#[test]
fn a_trainer_goes_on_with_its_averages() {
    let data =
        Dataset::new(Tensor::concat(&[&batch(5), &batch(6)], 0), (0..12).map(|i| i % 2).collect::<Indices>());
    let start = || {
        let net = Sequential::new().push(Linear::new(2, 2, &mut Rng::seed(0))).push(BatchNorm1d::new(2));
        (Trainer::new(Sgd::new(0.1), 4, 1), net)
    };
    let (mut trainer, mut net) = start();
    trainer.fit(&mut net, &data, 2, |y, labels| y.cross_entropy(labels), &mut []);
    let state: State = trainer.state(&net);
    trainer.fit(&mut net, &data, 1, |y, labels| y.cross_entropy(labels), &mut []);
    let (mut later, mut copy) = start();
    later.restore(&state, &mut copy).unwrap();
    later.fit(&mut copy, &data, 1, |y, labels| y.cross_entropy(labels), &mut []);
    for ((name, a), (_, b)) in net.params().into_iter().zip(copy.params()) {
        assert_eq!(a.value(), b.value(), "{name}");
    }
    let count = net.params().into_iter().find(|(name, _)| name == "1.num_batches_tracked").unwrap().1;
    assert_eq!(count.value().item(), 9.0);
}

#[test]
fn lbfgs_moves_averages_and_leaves_them_out_of_its_vector() {
    let x = batch(0);
    let mut norm = BatchNorm1d::new(2);
    let found = Lbfgs::default().step(&mut norm, |norm| {
        let (loss, gradients, ()) = Tape::training(0)
            .step(|tape| ((norm.forward(tape.constant(&x)) - tape.constant(&x)).square().sum(), ()));
        (loss, gradients)
    });
    let n = found.evaluations;
    assert!(found.iterations > 1 && n > 2, "{found:?}");
    assert_running(&norm, followed(&vec![x; n], |_| 0.1), n as f32);
}

#[test]
fn buffers_are_named_and_saved_but_not_counted() {
    let mut rng = Rng::seed(0);
    let mut net = Sequential::new().push(Linear::new(3, 2, &mut rng)).push(BatchNorm1d::new(2));
    net.params_mut()[0].1.set_frozen(true);
    assert_eq!(net.param_count(), 8 + 4);
    assert_eq!(
        Parameters(&net).to_string(),
        "\
0.weight               [2, 3]                   6  frozen
0.bias                 [2]                      2
1.weight               [2]                      2
1.bias                 [2]                      2
1.running_mean         [2]                      2  buffer
1.running_var          [2]                      2  buffer
1.num_batches_tracked  []                       1  buffer
total                                          12"
    );
    let vector = flatten(&net);
    assert_eq!(vector.shape(), &[12]);
    unflatten(&mut net, &(vector * 2.0));
    assert_eq!(net.params()[5].1.value().to_vec(), [1.0, 1.0]);

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net.safetensors");
    *net.params_mut()[4].1.value_mut() = Tensor::from([7.0, 8.0]);
    save(&net, &path).unwrap();
    let mut other = Sequential::new().push(Linear::new(3, 2, &mut rng)).push(BatchNorm1d::new(2));
    load(&mut other, &path).unwrap();
    assert_eq!(other.params()[4].1.value().to_vec(), [7.0, 8.0]);
}
