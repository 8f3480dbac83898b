//! Data parallelism: a batch in shards, each with a tape of its own.

use super::{
    combine::{About, Batch, Part, combine},
    objective::{Objective, OfOutputs},
};
use crate::{
    data::Examples,
    group::{Alone, Group, GroupError, share},
    layer::Layer,
    module::Module,
};
use gradus_autograd::{Gradients, Tape, Var};
use gradus_tensor::{Tensor, threads::map_parts};
use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
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
    let batch = batch_gradients(&mut Alone, &OfOutputs(loss), model, (inputs, targets), seeds, false);
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
    let batch = batch_gradients(group, &OfOutputs(loss), model, (inputs, targets), seeds, false)?;
    Ok((batch.loss, batch.gradients))
}

/// [`group_gradients`] of any objective. `watched` says whether NaN and infinities are looked for.
#[track_caller]
pub(super) fn batch_gradients<M: Module + Sync, I: Examples, T: Examples>(
    group: &mut dyn Group,
    objective: &impl Objective<M, I, T>,
    model: &M,
    (inputs, targets): (&I, &T),
    seeds: &[u64],
    watched: bool,
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
    let run = Run { objective, model, inputs, targets, n, shards };
    // The last ranks have none of a batch of fewer examples than shards.
    let mine = seeds.len() / ranks;
    let mine = (group.rank() * mine).min(shards)..((group.rank() + 1) * mine).min(shards);
    let mut parts = Vec::with_capacity(mine.len());
    if mine.len() == 1 {
        // Without a closure, which would hide the caller's line.
        parts.push(run.shard(mine.start, seeds[mine.start], watched));
    } else {
        let results = map_parts(mine.len(), |i| {
            let i = mine.start + i;
            catch_unwind(AssertUnwindSafe(|| run.shard(i, seeds[i], watched))).map_err(|panic| (i, panic))
        });
        for result in results {
            match result {
                Ok(part) => parts.push(part),
                Err((i, panic)) => {
                    run.shard(i, seeds[i], watched);
                    resume_unwind(panic)
                }
            }
        }
    }
    combine(group, model, parts)
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
}

impl<M, I: Examples, T: Examples, O: Objective<M, I, T>> Run<'_, M, I, T, O> {
    #[track_caller]
    fn shard(&self, shard: usize, seed: u64, watched: bool) -> Part {
        let range: Range<usize> = share(self.n, shard, self.shards);
        let (count, share) = (range.len() as f64, range.len() as f32 / self.n as f32);
        let tape = Tape::training(seed);
        let loss = if self.shards == 1 {
            self.objective.record(self.model, &tape, self.inputs, self.targets)
        } else {
            let (inputs, targets) = (self.inputs.range(range.clone()), self.targets.range(range));
            self.objective.record(self.model, &tape, &inputs, &targets) * share
        };
        let value = loss.value();
        let gradients = loss.backward_releasing();
        let value = value.item();
        let about = About {
            loss: value.into(),
            share: count / self.n as f64,
            weight: gradients.weight().unwrap_or(count),
            is_finite: !watched || value.is_finite() && gradients.is_finite(),
        };
        Part { about, gradients }
    }
}
