//! The book's experiments on training (chapter 6), on the embedded digits, with thresholds of their own.

use gradus_autograd::prelude::*;
use gradus_nn::{
    AdaGrad, Adam, Init, Linear, Optimizer, Relu, Sequential, Sgd,
    data::{Dataset, digits},
    init::Fan,
    metrics::{accuracy, predict},
    optim::Group,
    train::{Range, Search, Trainer},
};

fn flat_digits() -> (Dataset, Dataset) {
    let digits = digits::load().map_inputs(|images| images.reshape([1797, 64]));
    digits.split(1400, &mut Rng::seed(0))
}

/// The book's net: `layers` hidden layers of 100 units with ReLU.
fn multi_layer_net(layers: usize, init: Init, seed: u64) -> Sequential {
    let mut rng = Rng::seed(seed);
    let mut net = Sequential::new();
    for layer in 0..layers {
        net = net.push(Linear::with_init(if layer == 0 { 64 } else { 100 }, 100, init, &mut rng)).push(Relu);
    }
    net.push(Linear::with_init(100, 10, init, &mut rng))
}

/// Accuracy on the training and on the test images, and the last epoch's loss.
fn train(
    optimizer: impl Optimizer,
    mut net: Sequential,
    data: &[&Dataset; 2],
    batch: usize,
    epochs: u64,
) -> [f64; 3] {
    let mut trainer = Trainer::new(optimizer, batch, 1);
    trainer.fit(&mut net, data[0], epochs, |y, labels| y.cross_entropy(labels), &mut []);
    let [on_train, on_test] = data.map(|data| accuracy(&predict(&net, data.inputs(), 500), data.labels()));
    [on_train, on_test, *trainer.history().column("loss").last().unwrap()]
}

/// With their usual learning rates the other optimizers are ahead of SGD after the same steps.
#[test]
fn momentum_adagrad_and_adam_are_ahead_of_sgd() {
    let (train_data, test) = flat_digits();
    let data = [&train_data, &test];
    let net = || multi_layer_net(4, Init::KaimingNormal, 2);
    let sgd = train(Sgd::new(0.01), net(), &data, 128, 10)[1];
    let momentum = train(Sgd::new(0.01).momentum(0.9), net(), &data, 128, 10)[1];
    let adagrad = train(AdaGrad::new(0.01), net(), &data, 128, 10)[1];
    let adam = train(Adam::new(0.001), net(), &data, 128, 10)[1];
    for other in [momentum, adagrad, adam] {
        assert!(other >= sgd + 0.03, "sgd {sgd}, momentum {momentum}, adagrad {adagrad}, adam {adam}");
    }
}

/// Five layers with ReLU do not start to learn from small weights, and do best from He's.
#[test]
fn the_initial_scale_decides_whether_a_deep_net_learns() {
    let (train_data, test) = flat_digits();
    let loss = |init| train(Sgd::new(0.01), multi_layer_net(4, init, 2), &[&train_data, &test], 128, 40)[2];
    let [small, xavier, he] =
        [Init::Normal(0.01), Init::ScaledNormal(Fan::In, 1.0), Init::KaimingNormal].map(loss);
    assert!(small > 2.29 && xavier < 1.9 && he < 0.6 && he < xavier, "{small}, {xavier}, {he}");
}

/// 300 images and six layers: weight decay makes the gap between training and test accuracy smaller. As in the book, the
/// test accuracy itself gains nothing.
#[test]
fn weight_decay_narrows_the_gap() {
    let (train_data, test) = flat_digits();
    let few = train_data.select(&(0..300).collect::<Vec<_>>());
    let gap = |decay: f64| {
        let gaps = (0..3).map(|seed| {
            let sgd = Sgd::new(0.05).weight_decay(decay).group(Group::vectors().weight_decay(0.0));
            let [on_train, on_test, _] =
                train(sgd, multi_layer_net(6, Init::KaimingNormal, seed), &[&few, &test], 100, 100);
            on_train - on_test
        });
        gaps.sum::<f64>() / 3.0
    };
    let (without, with) = (gap(0.0), gap(0.1));
    assert!(without > with + 0.02, "{without} without, {with} with weight decay");
}

/// The book's search: the learning rate is what matters, and the best are large ones.
#[test]
fn a_random_search_finds_the_learning_rates_that_work() {
    let (train_data, _test_stays_out) = flat_digits();
    let few = train_data.select(&(0..500).collect::<Vec<_>>());
    let search = Search::new(3)
        .range("weight_decay", Range::LogUniform(1e-8, 1e-4))
        .range("lr", Range::LogUniform(1e-6, 1e-2));
    let trials = search.run(&few, 0.2, 30, |settings, train_data, validation| {
        let sgd = Sgd::new(settings["lr"]).weight_decay(settings["weight_decay"]);
        let net = multi_layer_net(2, Init::KaimingNormal, settings.seed);
        train(sgd, net, &[train_data, validation], 50, 40)[1]
    });
    assert_eq!(trials.len(), 30);
    // From 1e-6 to 1e-2: without a connection the five best would all lie in the upper quarter once in a thousand times.
    assert!(trials[..5].iter().all(|trial| trial.settings["lr"] > 1e-3), "{:?}", &trials[..5]);
    assert!(trials[0].score > trials[29].score + 0.3);
}
