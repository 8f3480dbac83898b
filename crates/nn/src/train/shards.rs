//! Data parallelism: a batch in shards, each with a tape of its own.

use super::objective::{Objective, OfOutputs};
use crate::{data::Examples, layer::Layer};
use gradus_autograd::{Gradients, Tape, Var};
use gradus_tensor::{Tensor, threads::map_parts};
use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

/// The loss of a batch and its gradients. The batch is cut into `seeds.len()` shards, of which each is recorded on a tape in
/// training mode with its seed, on any thread; losses and gradients are added in the order of the shards, so that they
/// have the same bits on any number of threads.
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
    let batch = batch_gradients(&OfOutputs(loss), model, (inputs, targets), seeds, false);
    (batch.loss, batch.gradients)
}

/// What was found of a batch.
pub(super) struct Batch {
    pub(super) loss: f64,
    /// What the loss is a mean over.
    pub(super) weight: f64,
    pub(super) gradients: Gradients,
    /// The first shard in which something is not finite.
    pub(super) faulty: Option<usize>,
}

/// [`shard_gradients`] of any objective. `watched` says whether NaN and infinities are looked for.
#[track_caller]
pub(super) fn batch_gradients<M: Sync, I: Examples, T: Examples>(
    objective: &impl Objective<M, I, T>,
    model: &M,
    (inputs, targets): (&I, &T),
    seeds: &[u64],
    watched: bool,
) -> Batch {
    let n = inputs.count().unwrap_or(0);
    assert!(
        n > 0 && !seeds.is_empty() && targets.count() == Some(n),
        "shard_gradients: inputs {} and targets {} in {} shards",
        inputs.describe(),
        targets.describe(),
        seeds.len()
    );
    let shards = seeds.len().min(n);
    let run = Run { objective, model, inputs, targets, n, shards };
    let mut parts = Vec::with_capacity(shards);
    if shards == 1 {
        // Without a closure, which would hide the caller's line.
        parts.push(run.shard(0, seeds[0], watched));
    } else {
        let results = map_parts(shards, |i| {
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
    let faulty = parts.iter().position(|part| part.weight > 0.0 && !part.is_finite);
    let weight: f64 = parts.iter().map(|part| part.weight).sum();
    let mut loss = if weight > 0.0 { 0.0 } else { f64::NAN };
    let mut sum: Option<Gradients> = None;
    for mut part in parts {
        // Each was recorded with its share of the examples. Where it weighs otherwise, that is set right.
        let factor = if weight > 0.0 { part.weight / weight / part.share } else { 1.0 };
        if part.weight > 0.0 {
            loss += part.loss * factor;
        }
        if factor != 1.0 {
            part.gradients.scale(factor as f32);
        }
        sum = Some(match sum {
            None => part.gradients,
            Some(sum) => sum.merge(part.gradients),
        });
    }
    Batch { loss, weight, gradients: sum.expect("there is at least one shard"), faulty }
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
    let range = range(shard, seeds.len().min(n), n);
    let tape = Tape::training(seeds[shard]);
    let loss = objective.record(model, &tape, &inputs.range(range.clone()), &targets.range(range));
    Some(loss.find_anomaly()?.to_string())
}

fn range(shard: usize, shards: usize, n: usize) -> Range<usize> {
    n * shard / shards..n * (shard + 1) / shards
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

struct Part {
    /// With its share of the examples as a factor, like the gradients.
    loss: f64,
    share: f64,
    weight: f64,
    gradients: Gradients,
    is_finite: bool,
}

impl<M, I: Examples, T: Examples, O: Objective<M, I, T>> Run<'_, M, I, T, O> {
    #[track_caller]
    fn shard(&self, shard: usize, seed: u64, watched: bool) -> Part {
        let range = range(shard, self.shards, self.n);
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
        Part {
            loss: value.into(),
            share: count / self.n as f64,
            weight: gradients.weight().unwrap_or(count),
            is_finite: !watched || value.is_finite() && gradients.is_finite(),
            gradients,
        }
    }
}
