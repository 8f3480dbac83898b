//! Refusals that no test of a subject provokes, for the list of messages: each says what was wrong, where, and what would be right.

use gradus_autograd::prelude::*;
use gradus_nn::{
    data::{Dataset, Normalize, augment, csv},
    decode::Sampler,
    group::{Group, GroupError, LocalGroup},
    metrics::{ConfusionMatrix, accuracy, predict},
    train::{
        Callback, Distribution, Epoch, KeepBest, RandomSearch, Record, Statistics, Trainer, Trend,
        dead_units, group_gradients, shard_gradients,
    },
    *,
};

use crate::{messages::Messages, panics::panic_of, training::cross_entropy};

/// The panic points into this file; what it says is added to the messages.
macro_rules! panics_here {
    ($said:ident, $f:expr) => {{
        let (text, file, at) = panic_of(|| $f);
        assert!(file.ends_with("refusals.rs"), "{text}: points to {file}:{at}");
        $said.add(text);
    }};
}

fn examples(n: usize) -> Dataset {
    Dataset::new(Tensor::randn([n, 3], &mut Rng::seed(1)), (0..n as i32).map(|i| i % 2).collect::<Indices>())
}

#[test]
fn data_say_what_they_must_be() {
    let mut said = Messages::of("nn", module_path!(), "data_say_what_they_must_be");
    let rng = &mut Rng::seed(0);
    let images = Tensor::ones([1, 1, 4, 4]);
    panics_here!(said, augment::flip(&Tensor::ones([2]), rng));
    panics_here!(said, augment::crop(&images, [7, 6], 1, rng));
    panics_here!(said, augment::crop(&images, [2, 2], usize::MAX, rng));
    panics_here!(said, Dataset::new(Tensor::ones([3, 2]), Tensor::ones([2])));
    panics_here!(said, examples(4).split(5, rng));
    panics_here!(said, examples(4).batches(0, rng).len());
    panics_here!(said, examples(4).select(&[4]));
    panics_here!(said, Normalize::channels(&Tensor::ones([2])));
    panics_here!(said, Normalize::features(&Tensor::ones([0, 2])));
    let options = csv::Options { delimiter: Some('\n'), ..Default::default() };
    panics_here!(said, csv::read_with("table.csv", &options));
    let options = csv::Options { delimiter: Some(','), decimal: Some(','), ..Default::default() };
    panics_here!(said, csv::read_with("table.csv", &options));
    said.check();
}

#[cfg(feature = "png")]
#[test]
fn images_say_what_they_must_be() {
    use gradus_nn::data::images::{FolderOptions, folder_with, write};
    let mut said = Messages::of("nn", module_path!(), "images_say_what_they_must_be");
    panics_here!(said, write("image.png", &Tensor::ones([2, 4, 4])));
    panics_here!(said, write("image.png", &Tensor::ones([0, 4])));
    panics_here!(said, folder_with("images", &FolderOptions { channels: Some(2), size: None }));
    said.check();
}

#[test]
fn layers_and_models_say_what_they_take() {
    let mut said = Messages::of("nn", module_path!(), "layers_and_models_say_what_they_take");
    let rng = &mut Rng::seed(0);
    panics_here!(said, book::hidden_units(10, 0, 0, 2.0));
    panics_here!(said, unflatten(&mut Linear::new(2, 1, rng), &Tensor::ones([2])));
    panics_here!(said, Init::Orthogonal(1.0).weight([3], rng));
    panics_here!(said, PRelu::new(0));
    panics_here!(said, AlphaDropout::new(1.0));
    panics_here!(said, InstanceNorm2d::new(0));
    panics_here!(said, MaxPool2d::new(2).padding(2));
    panics_here!(said, MaxUnpool2d::new(2).forward(Tensor::ones([2, 2]), &Indices::from([0])));
    panics_here!(said, GlobalAvgPool2d.forward(Tensor::ones([2, 2])));
    panics_here!(said, Unflatten::new(1, [2, 2]).forward(Tensor::ones([1, 5])));
    panics_here!(said, Residual::new(Linear::new(4, 2, rng)).forward(Tensor::ones([1, 4])));
    let lstm = Lstm::new(1, 2, rng);
    panics_here!(said, lstm.forward_padded(Tensor::ones([1, 2, 1]), &[3], None));
    let options = TransformerOptions::default();
    panics_here!(said, TransformerEncoderLayer::new(4, 2, 0, options, rng));
    panics_here!(said, Softplus::new(0.0, 20.0));
    panics_here!(said, Celu::new(0.0));
    panics_here!(said, Hardtanh::new(1.0, 1.0));
    said.check();
}

#[test]
fn scores_and_samplers_say_what_they_take() {
    let mut said = Messages::of("nn", module_path!(), "scores_and_samplers_say_what_they_take");
    let (scores, labels) = (Tensor::ones([2, 3]), Indices::from([0, 1]));
    let layer = Linear::new(3, 2, &mut Rng::seed(0));
    panics_here!(said, predict(&layer, &scores, 0));
    panics_here!(said, accuracy(&scores, &Indices::from([0])));
    panics_here!(said, accuracy(&scores, &Indices::from([0, 3])));
    panics_here!(said, ConfusionMatrix::new(0));
    panics_here!(said, ConfusionMatrix::new(2).add(&labels, &Indices::from([0])));
    panics_here!(said, ConfusionMatrix::new(2).add(&Indices::from([2, 0]), &labels));
    panics_here!(said, ConfusionMatrix::new(2).count(2, 0));
    let row = Tensor::ones([3]);
    panics_here!(said, Sampler { temperature: -1.0, ..Sampler::default() }.probabilities(&row));
    panics_here!(said, Sampler { top_k: Some(0), ..Sampler::default() }.probabilities(&row));
    panics_here!(said, Sampler { top_p: Some(0.0), ..Sampler::default() }.probabilities(&row));
    panics_here!(said, Sampler::default().probabilities(&scores));
    said.check();
}

/// Two parameters of one name.
struct Twins(Param, Param);

impl Module for Twins {
    fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, &'a Param)) {
        self.0.visit(&join(path, "weight"), f);
        self.1.visit(&join(path, "weight"), f);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, &'a mut Param)) {
        self.0.visit_mut(&join(path, "weight"), f);
        self.1.visit_mut(&join(path, "weight"), f);
    }
}

#[test]
fn training_says_what_it_needs() {
    let mut said = Messages::of("nn", module_path!(), "training_says_what_it_needs");
    let rng = &mut Rng::seed(0);
    let data = examples(4);
    let mut net = Linear::new(3, 2, rng);
    let mut trainer = Trainer::new(Sgd::new(0.1), 8, 1);
    let none = data.select(&[]);
    panics_here!(said, trainer.fit(&mut net, &none, 1, cross_entropy, &mut []));
    let mut strict = Trainer::new(Sgd::new(0.1), 8, 1).drop_last();
    panics_here!(said, strict.fit(&mut net, &data, 1, cross_entropy, &mut []));
    let mut stopped = Trainer::new(Sgd::new(0.1), 2, 1).stop_when(|| true);
    stopped.fit(&mut net, &data, 1, cross_entropy, &mut []);
    let fewer = data.select(&[0, 1, 2]);
    panics_here!(said, stopped.fit(&mut net, &fewer, 1, cross_entropy, &mut []));
    panics_here!(said, trainer.fit(&mut net, &data, 1, |y, _: &Indices| y.log().sum() * f32::NAN, &mut []));
    let mut best = KeepBest::least("val_loss");
    panics_here!(said, trainer.fit(&mut net, &data, 1, cross_entropy, &mut [&mut best]));
    let mut best = KeepBest::least("loss");
    trainer.fit(&mut net, &data, 1, cross_entropy, &mut [&mut best]);
    panics_here!(said, best.restore_model(&mut Linear::new(4, 2, rng)));
    let mut augmented = Trainer::new(Sgd::new(0.1), 8, 1).augment(|x, _| x.clone());
    panics_here!(
        said,
        augmented.fit_with(
            &mut net,
            &data,
            1,
            |net, tape, x, labels| net.forward(tape.constant(x)).cross_entropy(labels),
            &mut []
        )
    );
    let (inputs, labels) = (data.inputs(), data.labels());
    panics_here!(
        said,
        shard_gradients(&net, inputs, &Indices::from([0]), &[1], |y, labels| y.cross_entropy(labels))
    );
    let (_, gradients, ()) =
        Tape::training(0).step(|tape| (net.forward(tape.constant(inputs)).cross_entropy(labels), ()));
    let mut other = Sequential::new().push(Linear::new(3, 2, rng));
    panics_here!(said, Sgd::new(0.1).step(&mut other, &gradients));
    let mut twins = Twins(Param::new(1.0), Param::new(2.0));
    let (_, gradients, ()) = Tape::training(0).step(|tape| (tape.param(&twins.0) * tape.param(&twins.1), ()));
    panics_here!(said, Sgd::new(0.1).step(&mut twins, &gradients));
    panics_here!(said, State::new().put_model("model", &twins));
    fn loss<'t>(y: Var<'t>, _: &Indices) -> Var<'t> {
        (y * 0.0).sqrt().sum()
    }
    let mut fresh = Linear::new(3, 2, rng);
    panics_here!(said, Trainer::new(Sgd::new(0.1), 8, 1).fit(&mut fresh, &data, 1, loss, &mut []));
    let mut adam = Adam::new(0.1);
    let mut step = |inputs: usize| {
        let mut net = Linear::new(inputs, 2, &mut Rng::seed(0));
        let (_, gradients, ()) =
            Tape::training(0).step(|tape| (net.forward(tape.constant(Tensor::ones([1, inputs]))).sum(), ()));
        adam.step(&mut net, &gradients);
    };
    step(2);
    panics_here!(said, step(3));
    let mut ranks = LocalGroup::new(2);
    let seeds = [1, 2, 3];
    panics_here!(
        said,
        group_gradients(&mut ranks[0], &net, inputs, labels, &seeds, |y, labels| y.cross_entropy(labels))
    );
    panics_here!(said, Lbfgs::default().minimize(&mut [0.0], |_| (f64::NAN, vec![0.0])));
    panics_here!(said, Checkpoints::new("run", 0));
    said.check();
}

#[test]
fn what_watches_a_run_says_what_it_takes() {
    let mut said = Messages::of("nn", module_path!(), "what_watches_a_run_says_what_it_takes");
    panics_here!(said, Trend::of(&[1.0, 2.0, 3.0]));
    panics_here!(said, Record::default().put("a b", 1.0));
    panics_here!(said, Record::default().put("hash", 1.0));
    let search = RandomSearch::new(1);
    panics_here!(said, search.clone().range("lr", Distribution::LogUniform(0.0, 1.0)));
    panics_here!(said, search.run(&examples(4), 0.0, 1, |_, _, _| 1.0));
    panics_here!(said, search.run(&examples(4), 0.5, 1, |params, _, _| params["lr"]));
    panics_here!(said, Statistics::histogram(&Tensor::ones([2]), 0, 0.0, 1.0));
    panics_here!(said, dead_units(&Tensor::ones([2])));
    said.check();
}

/// What all ranks of a group say.
fn differ(ranks: usize, f: impl Fn(&mut LocalGroup) -> Result<(), GroupError> + Sync) -> String {
    let mut errors = LocalGroup::run(ranks, |mut group| f(&mut group).unwrap_err().to_string());
    errors.swap_remove(0)
}

#[test]
fn ranks_say_where_they_differ() {
    let mut said = Messages::of("nn", module_path!(), "ranks_say_where_they_differ");
    let train = |group: &mut LocalGroup, lr: f64, width: usize, count: usize| {
        let (mut net, mut trainer) =
            (Linear::new(3, width, &mut Rng::seed(0)), Trainer::new(Sgd::new(lr), 4, 1));
        trainer.group(group).fit(&mut net, &examples(count), 1, cross_entropy, &mut [])
    };
    said.add(differ(2, |group| train(group, [0.1, 0.2][group.rank()], 2, 4)));
    said.add(differ(2, |group| train(group, 0.1, 2, [4, 5][group.rank()])));
    said.add(differ(2, |group| train(group, 0.1, [2, 3][group.rank()], 4)));
    said.add(differ(2, |group| {
        let (mut net, mut trainer) =
            (Linear::new(3, 2, &mut Rng::seed(0)), Trainer::new(Sgd::new(0.1), 4, 1));
        let rank = group.rank();
        let mut apart = |epoch: &mut Epoch<'_, Linear>| epoch.optimizer.set_lr([0.1, 0.3][rank]);
        let callbacks: &mut [&mut dyn Callback<Linear>] = &mut [&mut apart];
        trainer.group(group).fit(&mut net, &examples(4), 1, cross_entropy, callbacks)
    }));
    // Two that exchange other things.
    said.add(differ(2, |group| group.all_gather(vec![1; group.rank()], &[group.rank(); 2]).map(drop)));
    said.add(differ(2, |group| match group.rank() {
        0 => group.barrier(),
        _ => Err(GroupError::new("it had enough")),
    }));
    said.check();
}

#[cfg(feature = "report")]
#[test]
fn pages_say_what_they_show() {
    use gradus_nn::report::RunReport;
    let mut said = Messages::of("nn", module_path!(), "pages_say_what_they_show");
    let (two, pictures) = (Tensor::zeros([2]), Tensor::zeros([2, 4, 4]));
    panics_here!(said, {
        let _ = RunReport::new("").confusion_matrix("", &ConfusionMatrix::new(3), &["a", "b"]);
    });
    panics_here!(said, {
        let _ = RunReport::new("").pictures("", &pictures, &["a"]);
    });
    panics_here!(said, {
        let _ = RunReport::new("").pictures("", &two, &["a", "b"]);
    });
    panics_here!(said, {
        let _ = RunReport::new("").predictions("", &two, &Tensor::zeros([2, 1]));
    });
    said.check();
}
