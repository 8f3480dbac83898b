//! Ranks that train one model: the bits of one process, whoever computes what; and what they say when they cannot.

use gradus_autograd::{ops::loss::CrossEntropyOptions, prelude::*};
use gradus_nn::{
    Adam, AdamW, BatchNorm1d, Dropout, Layer, Linear, Module, Optimizer, Relu, Sequential, Sgd, State,
    data::{Dataset, digits},
    flatten,
    group::{Alone, Group, GroupError, LocalGroup, share},
    module, optim,
    train::{Callback, Epoch, Trainer, mean_gradients, shard_gradients},
};

use crate::{messages::Messages, training::cross_entropy};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn data(count: usize) -> Dataset {
    digits::load().map_inputs(|images| images.reshape([1797, 64])).split(count, &mut Rng::seed(0)).0
}

/// With all that is random or remembered in training.
fn net() -> Sequential {
    let rng = &mut Rng::seed(1);
    Sequential::new()
        .push(Linear::new(64, 24, rng))
        .push(BatchNorm1d::new(24))
        .push(Relu)
        .push(Dropout::new(0.3))
        .push(Linear::new(24, 10, rng))
}

fn bits(model: &dyn Module) -> Vec<u32> {
    model.params().iter().flat_map(|(_, param)| param.value().to_vec()).map(f32::to_bits).collect()
}

/// What a panic of this rank says.
fn message_of<R>(f: impl FnOnce() -> R) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| drop(f()))).unwrap_err();
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap()
}

/// The same function on every rank; what the ranks return is the same.
fn all<R: PartialEq + Send>(ranks: usize, f: impl Fn(&mut dyn Group) -> R + Sync) -> R {
    let mut results = LocalGroup::run(ranks, |mut group| f(&mut group));
    let last = results.pop().unwrap();
    assert!(results.iter().all(|other| *other == last), "the ranks differ");
    last
}

#[test]
fn any_ranks_and_shards_train_the_same_bits() {
    let train = data(1280);
    let run = |group: &mut dyn Group, shards: usize| {
        let (mut net, mut trainer) =
            (net(), Trainer::new(Adam::new(0.01), 64, 2).shards(shards).clip_norm(0.5));
        trainer.group(group).fit(&mut net, &train, 10, cross_entropy, &mut []).unwrap();
        assert_eq!(trainer.optimizer.base().steps("0.weight"), 200);
        (bits(&net), trainer.history().to_csv())
    };
    let one = run(&mut Alone, 4);
    let history = &one.1;
    assert!(all(2, |group| run(group, 2)) == one, "{history}");
    assert!(all(4, |group| run(group, 1)) == one, "{history}");
    let other = run(&mut Alone, 2);
    assert!(other != one, "in other shards the sums are others");
    // Ranks that are no power of two, with shards that are.
    assert!(all(3, |group| run(group, 2)) == run(&mut Alone, 6));
}

/// A scalar, a parameter of fewer rows than ranks, one that is frozen, and layers that fill more than one bucket together.
struct Mixed {
    scale: Param,
    pair: Param,
    wide: Linear,
    fixed: Param,
    narrow: Linear,
}
module!(Mixed { scale, pair, wide, fixed, narrow });

impl Mixed {
    fn new() -> Mixed {
        let rng = &mut Rng::seed(4);
        let mut fixed = Param::new(Tensor::randn([10], rng));
        fixed.set_frozen(true);
        let scale = Param::new(Tensor::new([0.5], []));
        let pair = Param::new([0.7, 0.9]);
        Mixed { scale, pair, wide: Linear::new(64, 9000, rng), fixed, narrow: Linear::new(9000, 10, rng) }
    }

    fn loss<'t>(&self, tape: &'t Tape, x: &Tensor, labels: &Indices) -> Var<'t> {
        let h = self.wide.forward(tape.constant(x)).relu() * tape.param(&self.scale);
        let h = h * tape.param(&self.pair).sum();
        (self.narrow.forward(h) + tape.param(&self.fixed)).cross_entropy(labels)
    }
}

/// A run of each optimizer with its state on every rank, and split: weights, history and state.
#[test]
fn a_state_that_is_split_trains_the_same_bits() {
    fn run<O: Optimizer>(
        group: &mut dyn Group,
        optimizer: O,
        shards: usize,
        split: bool,
    ) -> (Vec<u32>, String, State) {
        let train = data(80);
        let (mut net, mut trainer) =
            (Mixed::new(), Trainer::new(optimizer, 20, 2).shards(shards).clip_norm(0.5).accumulate(2));
        if split {
            trainer = trainer.zero_redundancy();
        }
        let mut run = trainer.group(group);
        run.fit_with(&mut net, &train, 2, |net, tape, x, labels| net.loss(tape, x, labels), &mut []).unwrap();
        let state = trainer.state(&net);
        (bits(&net), trainer.history().to_csv(), state)
    }
    let vectors = || optim::Group::vectors().weight_decay(0.0).lr_factor(0.5);
    let adam = || AdamW::new(0.01).weight_decay(0.1).group(vectors());
    let momentum = || Sgd::new(0.1).momentum(0.9).group(vectors());
    let (one, plain, moved) = (
        run(&mut Alone, adam(), 4, true),
        run(&mut Alone, Sgd::new(0.1), 4, false),
        run(&mut Alone, momentum(), 4, false),
    );
    for (ranks, shards) in [(2, 2), (4, 1)] {
        assert!(all(ranks, |group| run(group, adam(), shards, true)) == one, "adam on {ranks} ranks");
        assert!(all(ranks, |group| run(group, adam(), shards, false)) == one, "adam whole on {ranks} ranks");
        assert!(all(ranks, |group| run(group, Sgd::new(0.1), shards, true)) == plain, "sgd on {ranks} ranks");
        assert!(
            all(ranks, |group| run(group, momentum(), shards, true)) == moved,
            "momentum on {ranks} ranks"
        );
    }
}

/// What a rank's optimizer remembers meanwhile: of three ranks a third.
#[test]
fn a_rank_remembers_its_rows_alone() {
    let train = data(60);
    let shapes = LocalGroup::run(3, |mut group| {
        let (mut net, mut trainer) = (net(), Trainer::new(Adam::new(0.01), 20, 2).zero_redundancy());
        let mut said = String::new();
        let mut state =
            |epoch: &mut Epoch<'_, Sequential>| said = message_of(|| drop(epoch.optimizer.state()));
        trainer.group(&mut group).fit(&mut net, &train, 1, cross_entropy, &mut [&mut state]).unwrap();
        assert!(said.contains("split over the ranks"), "{said}");
        trainer.state(&net).tensors()["optimizer.0.weight.exp_avg"].shape().clone()
    });
    assert!(shapes.iter().all(|shape| shape == &[24, 64]));
}

#[test]
fn steps_that_look_at_whole_parameters_are_not_split() {
    /// Each parameter moves by its gradient over that one's norm.
    struct Normalized(optim::Base);
    impl Optimizer for Normalized {
        fn step(&mut self, model: &mut dyn Module, gradients: &Gradients) {
            self.0.each(model, gradients, |step| {
                let norm = step.gradient.square().sum().item().sqrt();
                *step.weight = &*step.weight - &(step.gradient * (step.settings.lr as f32 / norm));
            });
        }
        fn base(&self) -> &optim::Base {
            &self.0
        }
        fn base_mut(&mut self) -> &mut optim::Base {
            &mut self.0
        }
    }
    let said = all(2, |group| {
        let (train, mut net) = (data(40), net());
        let mut trainer =
            Trainer::new(Normalized(optim::Base::new("normalized", 0.1)), 20, 2).zero_redundancy();
        message_of(|| trainer.group(group).fit(&mut net, &train, 1, cross_entropy, &mut []).unwrap())
    });
    assert_eq!(
        said,
        "optimizer: normalized looks at whole parameters, and no rank has one where the state is split over ranks: train \
         without zero_redundancy"
    );
}

/// A trainer whose rank was lost has a part of the state, which is not saved as if it were all of it; a file sets it right.
#[test]
fn a_part_of_a_state_is_not_saved() {
    let train = data(60);
    let fit = |trainer: &mut Trainer<Adam>, group: &mut dyn Group, net: &mut Sequential, stop: bool| {
        let mut leave = |_: &mut Epoch<'_, Sequential>| assert!(!stop, "leaves");
        trainer.group(group).fit(net, &train, 2, cross_entropy, &mut [&mut leave])
    };
    let said = LocalGroup::run(2, |mut group| {
        let (mut net, mut trainer) = (net(), Trainer::new(Adam::new(0.01), 20, 2).zero_redundancy());
        let saved = trainer.state(&net);
        if group.rank() == 1 {
            message_of(|| fit(&mut trainer, &mut group, &mut net, true).unwrap());
            drop(group);
        } else {
            let error = fit(&mut trainer, &mut group, &mut net, false).unwrap_err();
            assert_eq!(error.rank(), Some(1));
        }
        let said = message_of(|| drop(trainer.state(&net)));
        trainer.restore(&saved, &mut net).unwrap();
        fit(&mut trainer, &mut Alone, &mut net, false).unwrap();
        trainer.state(&net);
        said
    });
    assert!(said[0].contains("this rank has a part of it: save when fit has ended"), "{}", said[0]);
    assert_eq!(said[0], said[1]);
    let mut list = Messages::of("nn", module_path!(), "a_part_of_a_state_is_not_saved");
    list.add(&said[0]);
    list.check();
}

/// Its second weight is used for examples of one label alone, so that not every shard reaches it.
struct Now {
    always: Linear,
    sometimes: Param,
}
module!(Now { always, sometimes });

/// Short batches, ranks without an example, labels that are ignored, weights that not all reach, steps of several batches.
#[test]
fn uneven_batches_have_the_same_bits_too() {
    let train = data(41);
    let train = Dataset::new(
        train.inputs().clone(),
        train.labels().iter().map(|label| if label == 7 { -100 } else { label }).collect::<Indices>(),
    );
    let run = |group: &mut dyn Group, shards: usize| {
        let mut net =
            Now { always: Linear::new(64, 10, &mut Rng::seed(3)), sometimes: Param::new([0.1; 10]) };
        let mut trainer = Trainer::new(Adam::new(0.05), 13, 4).shards(shards).accumulate(3);
        let options = CrossEntropyOptions { ignore_index: Some(-100), ..Default::default() };
        let run = trainer.group(group).fit_with(
            &mut net,
            &train,
            5,
            |net, tape, x, labels| {
                let y = net.always.forward(tape.constant(x));
                let y =
                    if labels.iter().any(|l| l != 3 && l != 5) { y + tape.param(&net.sometimes) } else { y };
                y.cross_entropy_with(labels, options.clone())
            },
            &mut [],
        );
        run.unwrap();
        (bits(&net), trainer.history().to_csv())
    };
    let one = run(&mut Alone, 8);
    for (ranks, shards) in [(2, 4), (4, 2), (8, 1)] {
        assert!(all(ranks, |group| run(group, shards)) == one, "{ranks} ranks of {shards} shards");
    }
}

/// Of numbers whose sum depends on the order; in the order of the shards it is 0.25, here 0.
#[test]
fn gradients_of_neighbouring_shards_are_added_first() {
    let layer = Linear { weight: Param::new([[0.0]]), bias: None };
    let x = Tensor::from([[1e8], [1.0], [-1e8], [1.0]]);
    let (_, gradients) = shard_gradients(&layer, &x, &Tensor::zeros([4]), &[1; 4], |y, _| y.mean());
    assert_eq!(gradients[&layer.weight].item(), 0.0);
}

/// The gradient of the mean of (w x)² / 2 over all examples is w times the mean of x².
#[test]
fn a_loop_of_ones_own_has_the_mean_over_all_examples() {
    let w = Param::new(0.5);
    let numbers = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
    let means = LocalGroup::run(3, |mut group| {
        let w = Param::new(0.5);
        let mine = share(7, group.rank(), 3);
        let x = Tensor::from(&numbers[mine.clone()]);
        let (loss, gradients, ()) =
            Tape::training(0).step(|tape| ((tape.param(&w) * tape.constant(&x)).square().mean() * 0.5, ()));
        let (loss, gradients) = mean_gradients(&mut group, &w, loss.into(), mine.len(), gradients).unwrap();
        (loss, gradients[&w].item())
    });
    let square: f64 = numbers.iter().map(|x| f64::from(x * x)).sum::<f64>() / 7.0;
    let expected = (0.5 * 0.25 * square, w.value().item() as f64 * square);
    for (loss, gradient) in means {
        assert!((loss - expected.0).abs() < 1e-6 && (f64::from(gradient) - expected.1).abs() < 1e-5);
    }
}

/// What one rank does otherwise, and what all then say.
fn error(f: impl Fn(&mut dyn Group) -> Result<(), GroupError> + Sync) -> String {
    all(3, |group| f(group).unwrap_err().to_string())
}

#[test]
fn what_differs_at_the_start_is_named() {
    let train = data(60);
    let run = |group: &mut dyn Group, seed, rate, width, value: f32| {
        let mut net = Sequential::new().push(Linear::new(64, width, &mut Rng::seed(0)));
        let mut trainer = Trainer::new(Sgd::new(rate), 20, seed);
        for (_, param) in net.params_mut().into_iter().skip(1) {
            *param.value_mut() = Tensor::full([width], value);
        }
        trainer.group(group).fit(&mut net, &train, 1, cross_entropy, &mut [])
    };
    let seed = error(|group| {
        let rank = group.rank();
        run(group, [1, 1, 9][rank], 0.1, 10, 0.0)
    });
    assert_eq!(seed, "group: the ranks differ: the seed is 1 on rank 0 and 9 on rank 2");
    let rate = error(|group| {
        let rank = group.rank();
        run(group, 1, [0.1, 0.2, 0.1][rank], 10, 0.0)
    });
    assert_eq!(rate, "group: the ranks differ: the learning rate is 0.1 on rank 0 and 0.2 on rank 1");
    let width = error(|group| {
        let rank = group.rank();
        run(group, 1, 0.1, [10, 10, 11][rank], 0.0)
    });
    assert!(width.contains("parameter 0.weight is [10, 64] with the hash"), "{width}");
    assert!(width.contains(" on rank 0 and [11, 64] with the hash "), "{width}");
    // The last bit of one weight.
    let values = [0.5, f32::from_bits(0.5f32.to_bits() + 1), 0.5];
    let weight = error(|group| {
        let rank = group.rank();
        run(group, 1, 0.1, 10, values[rank])
    });
    assert!(weight.contains("parameter 0.bias") && !weight.contains("0.weight"), "{weight}");
}

#[test]
fn a_rank_that_leaves_is_named_by_all_others() {
    let train = data(400);
    let losses = LocalGroup::run(4, |group| {
        let rank = group.rank();
        let (mut net, mut trainer) = (net(), Trainer::new(Adam::new(0.01), 40, 2));
        let mut leave = |epoch: &mut Epoch<'_, Sequential>| {
            assert!(epoch.number < 2 || epoch.rank() != 2, "it breaks");
        };
        let callbacks: &mut [&mut dyn Callback<Sequential>] = &mut [&mut leave];
        let mut group = Some(group);
        let run = catch_unwind(AssertUnwindSafe(|| {
            let mut group = group.take().unwrap();
            trainer.group(&mut group).fit(&mut net, &train, 5, cross_entropy, callbacks)
        }));
        match run {
            Ok(result) => result.unwrap_err(),
            Err(_) => GroupError::lost(rank, "it has left the group"),
        }
    });
    for error in losses {
        assert_eq!(error.rank(), Some(2));
        assert_eq!(error.to_string(), "group: rank 2 is lost: it has left the group");
    }
}

#[test]
fn callbacks_that_do_not_do_the_same_are_found() {
    let train = data(60);
    let run = |group: &mut dyn Group, callback: &(dyn Fn(&mut Epoch<'_, Sequential>) + Sync)| {
        let (mut net, mut trainer) = (net(), Trainer::new(Sgd::new(0.1), 20, 2));
        let mut callback = |epoch: &mut Epoch<'_, Sequential>| callback(epoch);
        trainer.group(group).fit(&mut net, &train, 5, cross_entropy, &mut [&mut callback])?;
        Ok(trainer.history().to_csv())
    };
    // One stops, and all do; what rank 0 has recorded all have.
    let history = all(3, |group| {
        run(group, &|epoch| {
            epoch.record.put("rank", epoch.rank() as f64);
            let sums = epoch.sum_over_ranks(&[1.0, epoch.rank() as f64]);
            epoch.record.put("sum", sums[0] * 10.0 + sums[1]);
            if epoch.number == 2 && epoch.rank() == 1 {
                epoch.stop();
            }
        })
    });
    let history = history.unwrap();
    assert!(
        history.starts_with("epoch,loss,lr,rank,sum,hash\n") && history.lines().count() == 3,
        "{history}"
    );
    assert!(history.lines().skip(1).all(|line| line.contains(",0,33,")), "{history}");
    let rate =
        error(|group| run(group, &|epoch| epoch.optimizer.set_lr([0.1, 0.1, 0.3][epoch.rank()])).map(drop));
    assert!(rate.starts_with("group: after epoch 1 rank 2 has weights of hash"), "{rate}");
    assert!(rate.contains("learning rate 0.3, and rank 0 "), "{rate}");
}

#[test]
fn a_number_that_is_not_finite_is_the_same_panic_on_all_ranks() {
    let mut x = Tensor::ones([8, 2]);
    x.as_mut_slice()[13] = f32::INFINITY; // of example 6, which one rank has
    let train = Dataset::new(x, Tensor::zeros([8, 1]));
    let text = all(4, |group| {
        let mut net = Linear { weight: Param::new([[1.0, 0.0]]), bias: None };
        let mut trainer = Trainer::new(Sgd::new(0.1), 8, 2).zero_redundancy();
        let fit = || {
            trainer.group(group).fit(&mut net, &train, 1, |y, t| y.mse_loss(&y.place().constant(t)), &mut [])
        };
        let said = message_of(fit);
        trainer.state(&net); // whole again
        said
    });
    assert!(
        text.contains("the loss of batch 1 of 1 in epoch 1 is NaN; ") && text.contains("groups.rs"),
        "{text}"
    );
}

/// Saved by two ranks of two shards, gone on with by four of one.
#[test]
fn a_run_goes_on_with_other_ranks_of_as_many_shards() {
    let train = data(320);
    let start = |shards| (net(), Trainer::new(Adam::new(0.01), 64, 2).shards(shards).clip_norm(0.5));
    let (mut whole, mut trainer) = start(4);
    trainer.fit(&mut whole, &train, 3, cross_entropy, &mut []);
    let saved = LocalGroup::run(2, |mut group| {
        let (mut net, mut trainer) = start(2);
        trainer.group(&mut group).fit(&mut net, &train, 1, cross_entropy, &mut []).unwrap();
        trainer.state(&net)
    });
    let later = all(4, |group| {
        let (mut net, mut trainer) = start(1);
        trainer.restore(&saved[0], &mut net).unwrap();
        trainer.group(group).fit(&mut net, &train, 2, cross_entropy, &mut []).unwrap();
        bits(&net)
    });
    assert!(later == bits(&whole) && flatten(&whole).numel() > 0);
}
