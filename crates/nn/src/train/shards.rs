//! Data parallelism: a batch in shards, each with a tape of its own.

use crate::{data::Targets, layer::Layer};
use gradus_autograd::{Gradients, Tape, Var};
use gradus_tensor::{Tensor, threads::map_parts};

/// The loss of a batch and its gradients. The batch is cut into `seeds.len()` shards, of which each is recorded on a tape in
/// training mode with its seed, on any thread; losses and gradients are added in the order of the shards, so that they
/// have the same bits on any number of threads.
///
/// The loss must be a mean over the examples: a shard's counts by its share of them. One shard is the batch as it is;
/// several pay where a model's operations are too small to be shared between threads themselves. What a layer computes
/// from the whole batch, such as the statistics of batch normalisation, it computes from its shard.
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
pub fn shard_gradients<M: Layer + Sync, T: Targets>(
    model: &M,
    inputs: &Tensor,
    targets: &T,
    seeds: &[u64],
    loss: impl for<'t> Fn(Var<'t>, &T) -> Var<'t> + Sync,
) -> (f64, Gradients) {
    let n = inputs.shape().first().copied().unwrap_or(0);
    assert!(
        n > 0 && !seeds.is_empty() && targets.shape().first() == Some(&n),
        "shard_gradients: inputs {} and targets {} in {} shards",
        inputs.shape(),
        targets.shape(),
        seeds.len()
    );
    let shards = seeds.len().min(n);
    let parts = map_parts(shards, |i| {
        let range = n * i / shards..n * (i + 1) / shards;
        let share = range.len() as f32 / n as f32;
        let (x, t) = (inputs.slice(0, range.clone()), targets.range(range));
        let (loss, gradients, ()) = Tape::training(seeds[i]).step(|tape| {
            let loss = loss(model.forward(tape.constant(x)), &t);
            (if shards == 1 { loss } else { loss * share }, ())
        });
        (f64::from(loss), gradients)
    });
    let sum = parts.into_iter().reduce(|(loss, sum), (other, more)| (loss + other, sum.merge(more)));
    sum.expect("there is at least one shard")
}
