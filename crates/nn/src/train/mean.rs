//! The mean of gradients that each rank has computed of examples of its own.

use super::{
    combine::{About, Part, combine},
    exchange::{News, exchange, trained},
};
use crate::{
    group::{Group, GroupError},
    module::Module,
};
use gradus_autograd::Gradients;

/// The mean over all ranks of a loss and its gradients, which each rank has computed of other examples: a step of a loop of
/// one's own. Each counts by what its loss is a mean over: by its `examples`, or where it says more by that
/// ([`Place::weigh`](gradus_autograd::Place::weigh)). All ranks get the same bits.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Adam, Layer, Linear, Optimizer, data::Examples, flatten};
/// use gradus_nn::{group::{Group, LocalGroup, share}, train::mean_gradients};
///
/// let x = Tensor::randn([8, 4], &mut Rng::seed(0));
/// let weights = LocalGroup::run(2, |mut group| {
///     let (mut net, mut adam) = (Linear::new(4, 3, &mut Rng::seed(1)), Adam::new(0.01));
///     let mut tape = Tape::training(group.rank() as u64);
///     let mine = share(8, group.rank(), group.size());
///     let x = x.range(mine.clone());
///     for _ in 0..3 {
///         let (loss, gradients, ()) = tape.step(|tape| (net.forward(tape.constant(&x)).square().mean(), ()));
///         let (_loss, gradients) = mean_gradients(&mut group, &net, loss.into(), mine.len(), gradients).unwrap();
///         adam.step(&mut net, &gradients);
///     }
///     flatten(&net)
/// });
/// assert_eq!(weights[0], weights[1]);
/// ```
///
/// # Errors
/// When a rank is lost, or the ranks have other parameters.
pub fn mean_gradients(
    group: &mut dyn Group,
    model: &dyn Module,
    loss: f64,
    examples: usize,
    mut gradients: Gradients,
) -> Result<(f64, Gradients), GroupError> {
    let weight = gradients.weight();
    let about =
        About { loss, share: 1.0, weight: weight.unwrap_or(examples as f64), is_weighed: weight.is_some() };
    let batch = if group.size() == 1 {
        combine(vec![Part { about, gradients, is_finite: true }])
    } else {
        let params = trained(model);
        let mut news = vec![News::Recorded(about)];
        news.extend((0..).zip(&params).map(|(at, param)| News::Gradient(at, gradients.take(param))));
        news.push(News::Swept(gradients, true));
        exchange(group, model, &params, None, 1, &mut news.into_iter().map(|news| (0, news)))?
    };
    Ok((batch.loss, batch.gradients))
}
