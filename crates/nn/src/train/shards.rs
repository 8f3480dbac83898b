//! Data parallelism: a batch in shards, each with a tape of its own.

use super::{
    combine::{About, Batch, Part, combine},
    exchange::{News, exchange, trained},
    objective::{Objective, OfOutputs},
    slices::Slices,
};
use crate::{
    data::Examples,
    group::{Alone, BUCKET, Group, GroupError, share},
    layer::Layer,
    module::Module,
};
use gradus_autograd::{Gradients, Param, Tape, Var};
use gradus_tensor::{
    Tensor,
    threads::{alone, map_parts},
};
use std::{
    any::Any,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::mpsc::channel,
    thread,
};

/// The loss of a batch and its gradients. The batch is cut into `seeds.len()` shards, of which each is recorded on a tape in
/// training mode with its seed, on any thread. Losses are added in the order of the shards. Of gradients neighbouring shards'
/// are added first, then neighbours among the sums, and so on: the bits are the same on any number of threads, and on any
/// number of ranks ([`group`](crate::group)).
///
/// The loss must be a mean. A shard's counts by what it is taken over: by its share of the examples, or where it says more,
/// as a cross-entropy with ignored labels or class weights does, by that ([`Place::weigh`](gradus_autograd::Place::weigh)).
/// So shards together have the loss of the batch, and one in which all labels are ignored counts for nothing.
///
/// One shard is the batch as it is; several pay where a model's operations are too small to be shared between threads
/// themselves. What a layer computes from the whole batch, such as the statistics of batch normalisation, it computes from
/// its shard. A panic in a shard is repeated on the calling thread, so that the last message names the caller's line.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Linear, train::shard_gradients};
///
/// let mut rng = Rng::seed(0);
/// let (layer, x) = (Linear::new(4, 3, &mut rng), Tensor::randn([10, 4], &mut rng));
/// let labels: Indices = (0..10).map(|i| i % 3).collect();
/// let (one, _) = shard_gradients(&layer, &x, &labels, &[7], |y, labels| y.cross_entropy(labels));
/// let (four, gradients) = shard_gradients(&layer, &x, &labels, &[7, 8, 9, 10], |y, labels| y.cross_entropy(labels));
/// assert!((one - four).abs() < 1e-6);
/// assert_eq!(gradients[&layer.weight].shape(), &[3, 4]);
/// ```
///
/// # Panics
/// When there are no seeds or no examples, or inputs and targets differ in number.
#[track_caller]
pub fn shard_gradients<M: Layer + Sync, T: Examples>(
    model: &M,
    inputs: &Tensor,
    targets: &T,
    seeds: &[u64],
    loss: impl for<'t> Fn(Var<'t>, &T) -> Var<'t> + Sync,
) -> (f64, Gradients) {
    let batch = batch_gradients(&mut Alone, &OfOutputs(loss), model, (inputs, targets), seeds, false, None);
    let batch = batch.expect("nobody else is there");
    (batch.loss, batch.gradients)
}

/// [`shard_gradients`] over the ranks of a group: a step of a loop of one's own, with the bits that one process has. All ranks
/// have the same model, the whole batch, and the seeds of all shards, of which each takes as many; all get the
/// same loss and gradients.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Adam, Linear, Optimizer, flatten, group::LocalGroup, train::{group_gradients, shard_gradients}};
///
/// let x = Tensor::randn([8, 4], &mut Rng::seed(0));
/// let labels: Indices = (0..8).map(|i| i % 3).collect();
/// let seeds = [1, 2, 3, 4];
/// let start = || (Linear::new(4, 3, &mut Rng::seed(1)), Adam::new(0.01));
///
/// let two = LocalGroup::run(2, |mut group| {
///     let (mut net, mut adam) = start();
///     let step = group_gradients(&mut group, &net, &x, &labels, &seeds, |y, labels| y.cross_entropy(labels));
///     let (_loss, gradients) = step.unwrap();
///     adam.step(&mut net, &gradients);
///     flatten(&net)
/// });
///
/// let (mut net, mut adam) = start();
/// let (_loss, gradients) = shard_gradients(&net, &x, &labels, &seeds, |y, labels| y.cross_entropy(labels));
/// adam.step(&mut net, &gradients);
/// assert_eq!(two, [flatten(&net), flatten(&net)]);
/// ```
///
/// # Errors
/// When a rank is lost, or the ranks have other parameters.
///
/// # Panics
/// As `shard_gradients`, and when the seeds are no multiple of the ranks.
#[track_caller]
pub fn group_gradients<M: Layer + Sync, T: Examples>(
    group: &mut dyn Group,
    model: &M,
    inputs: &Tensor,
    targets: &T,
    seeds: &[u64],
    loss: impl for<'t> Fn(Var<'t>, &T) -> Var<'t> + Sync,
) -> Result<(f64, Gradients), GroupError> {
    let batch = batch_gradients(group, &OfOutputs(loss), model, (inputs, targets), seeds, false, None)?;
    Ok((batch.loss, batch.gradients))
}

/// [`group_gradients`] of any objective. `watched` says whether NaN and infinities are looked for; where there are slices of
/// the parameters, gradients are those of the slices.
#[track_caller]
pub(super) fn batch_gradients<M: Module + Sync, I: Examples, T: Examples>(
    group: &mut dyn Group,
    objective: &impl Objective<M, I, T>,
    model: &M,
    (inputs, targets): (&I, &T),
    seeds: &[u64],
    watched: bool,
    slices: Option<&Slices>,
) -> Result<Batch, GroupError> {
    let n = inputs.count().unwrap_or(0);
    assert!(
        n > 0 && !seeds.is_empty() && targets.count() == Some(n),
        "shard_gradients: inputs {} and targets {} in {} shards: there must be as many of both, and one of each at least",
        inputs.describe(),
        targets.describe(),
        seeds.len()
    );
    let ranks = group.size();
    assert!(
        seeds.len().is_multiple_of(ranks),
        "shard_gradients: {} shards are not to be shared out evenly over {ranks} ranks",
        seeds.len()
    );
    let shards = seeds.len().min(n);
    let run = Run { objective, model, inputs, targets, n, shards, seeds, watched };
    // The last ranks have none of a batch of fewer examples than shards.
    let mine = seeds.len() / ranks;
    let mine = (group.rank() * mine).min(shards)..((group.rank() + 1) * mine).min(shards);
    if ranks > 1 {
        return run.with_others(group, mine, slices);
    }
    if mine.len() == 1 {
        // Without a closure, which would hide the caller's line.
        return Ok(combine(vec![run.shard(0)]));
    }
    match each(mine, |shard| run.shard(shard)) {
        Ok(parts) => Ok(combine(parts)),
        Err(panicked) => run.repeat(panicked),
    }
}

/// What `f` gives for each shard, on any thread; or the first that panicked.
fn each<R: Send>(shards: Range<usize>, f: impl Fn(usize) -> R + Sync) -> Result<Vec<R>, Panicked> {
    let of = |i| caught(shards.start + i, || f(shards.start + i));
    map_parts(shards.len(), of).into_iter().collect()
}

fn caught<R>(shard: usize, f: impl FnOnce() -> R) -> Result<R, Panicked> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|said| Panicked { shard, said })
}

/// A shard that panicked in a closure, which hid the caller's line.
struct Panicked {
    shard: usize,
    said: Box<dyn Any + Send>,
}

/// Where the first NaN, or infinity of finite numbers, of this shard was born: the shard is recorded once more for it.
#[track_caller]
pub(super) fn find_anomaly<M, I: Examples, T: Examples>(
    objective: &impl Objective<M, I, T>,
    model: &M,
    (inputs, targets): (&I, &T),
    seeds: &[u64],
    shard: usize,
) -> Option<String> {
    let n = inputs.count().unwrap_or(0);
    let range = share(n, shard, seeds.len().min(n));
    let tape = Tape::training(seeds[shard]);
    let loss = objective.record(model, &tape, &inputs.range(range.clone()), &targets.range(range));
    Some(loss.find_anomaly()?.to_string())
}

/// All that the shards of a batch have in common.
struct Run<'a, M, I, T, O> {
    objective: &'a O,
    model: &'a M,
    inputs: &'a I,
    targets: &'a T,
    n: usize,
    shards: usize,
    seeds: &'a [u64],
    watched: bool,
}

impl<M: Module + Sync, I: Examples, T: Examples, O: Objective<M, I, T>> Run<'_, M, I, T, O> {
    /// All of a shard, for a rank that is alone.
    #[track_caller]
    fn shard(&self, shard: usize) -> Part {
        let tape = Tape::training(self.seeds[shard]);
        let loss = self.record(shard, &tape);
        let about = self.about(shard, loss);
        let gradients = loss.backward_releasing();
        let is_finite = !self.watched || about.loss.is_finite() && gradients.is_finite();
        Part { about, gradients, is_finite }
    }

    /// The batch of all ranks, of which these shards are this one's. In a group that overlaps, a thread speaks with the others
    /// while the sweeps go on, if there is more than one bucket: the last one is full when they are over.
    #[track_caller]
    fn with_others(
        &self,
        group: &mut dyn Group,
        mine: Range<usize>,
        slices: Option<&Slices>,
    ) -> Result<Batch, GroupError> {
        let (model, params) = (self.model, &trained(self.model)[..]);
        let (news, heard) = channel();
        // A single shard is recorded here: a closure, as those below, would hide the caller's line.
        let tape = (mine.len() == 1).then(|| Tape::training(self.seeds[mine.start]));
        let mut recorded = None;
        if let Some(tape) = &tape {
            recorded = Some(self.record(mine.start, tape));
        }
        let (first, count) = (mine.start, mine.len());
        let sweep = move || {
            let tell = |shard, what| {
                // When a rank is lost nobody hears it.
                let _ = news.send((shard - first, what));
            };
            match recorded {
                Some(loss) => caught(first, || self.sweep(first, loss, params, &tell)),
                None => each(mine, |shard| {
                    let tape = Tape::training(self.seeds[shard]);
                    self.sweep(shard, self.record(shard, &tape), params, &tell);
                })
                .map(drop),
            }
        };
        let numbers: usize = params.iter().map(|param| param.value().numel()).sum();
        let overlaps = group.overlaps() && numbers > BUCKET;
        let speak = |computing| {
            group.set_computing(computing);
            exchange(group, model, params, slices, count, &mut heard.into_iter())
        };
        if !overlaps {
            return match sweep() {
                Ok(()) => speak(false),
                Err(panicked) => self.repeat(panicked),
            };
        }
        let (batch, swept) = thread::scope(|scope| {
            // The pool has the shards to do, and would come to what this thread shares late.
            let speaker = scope.spawn(move || alone(|| speak(true)));
            let swept = sweep();
            (speaker.join(), swept)
        });
        match swept {
            Ok(()) => batch.unwrap_or_else(|said| resume_unwind(said)),
            Err(panicked) => self.repeat(panicked),
        }
    }

    /// The sweep of a shard that is recorded. It tells what it finds as soon as that is known.
    fn sweep(&self, shard: usize, loss: Var<'_>, params: &[&Param], tell: &dyn Fn(usize, News)) {
        let about = self.about(shard, loss);
        tell(shard, News::Recorded(about));
        let mut is_finite = !self.watched || about.loss.is_finite();
        let rest = loss.backward_handing_out(params, &mut |at, gradient| {
            is_finite &= !self.watched || gradient.as_ref().is_none_or(Gradients::is_sound);
            tell(shard, News::Gradient(at, gradient));
        });
        is_finite &= !self.watched || rest.is_finite();
        tell(shard, News::Swept(rest, is_finite));
    }

    #[track_caller]
    fn record<'t>(&self, shard: usize, tape: &'t Tape) -> Var<'t> {
        if self.shards == 1 {
            return self.objective.record(self.model, tape, self.inputs, self.targets);
        }
        let range = share(self.n, shard, self.shards);
        let (inputs, targets) = (self.inputs.range(range.clone()), self.targets.range(range.clone()));
        self.objective.record(self.model, tape, &inputs, &targets) * (range.len() as f32 / self.n as f32)
    }

    /// What is known of a shard that is recorded.
    fn about(&self, shard: usize, loss: Var<'_>) -> About {
        let count = share(self.n, shard, self.shards).len() as f64;
        let weight = loss.tape().weight();
        About {
            // The sweep refuses a loss that is not one number.
            loss: loss.value().iter().next().map_or(f64::NAN, f64::from),
            share: count / self.n as f64,
            weight: weight.unwrap_or(count),
            is_weighed: weight.is_some(),
        }
    }

    /// Does a shard that has panicked once more, so that the last message names the caller's line.
    #[track_caller]
    fn repeat(&self, panicked: Panicked) -> ! {
        self.shard(panicked.shard);
        resume_unwind(panicked.said)
    }
}
