//! The parts of a batch become one: their losses, weights, gradients and changes of buffers, over all ranks of a group.

use crate::{
    group::{Buckets, Group, GroupError, Reader, Unpacked, gather_words, in_pairs, put_f64, sum},
    module::Module,
};
use gradus_autograd::{Gradients, Param};
use gradus_tensor::Tensor;

/// What was found of a part of a batch.
pub(super) struct Part {
    pub(super) about: About,
    pub(super) gradients: Gradients,
}

/// What all ranks are told of a part.
#[derive(Clone, Copy)]
pub(super) struct About {
    /// With its share of the examples as a factor, like the gradients.
    pub(super) loss: f64,
    pub(super) share: f64,
    /// What the loss is a mean over.
    pub(super) weight: f64,
    pub(super) is_finite: bool,
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

/// A batch of the parts of all ranks, of which these are one rank's.
///
/// Losses and weights are added one after the other, and buffers change so; gradients are added in the order of
/// [`in_pairs`]. So all is in the order of the shards, and who computed them makes no difference.
pub(super) fn combine(
    group: &mut dyn Group,
    model: &dyn Module,
    mut parts: Vec<Part>,
) -> Result<Batch, GroupError> {
    let told = match group.size() {
        1 => None,
        _ => Some(tell(group, model, &parts)?),
    };
    let all = match &told {
        Some(told) => told.parts.clone(),
        None => parts.iter().map(|part| part.about).collect(),
    };
    let weight: f64 = all.iter().map(|part| part.weight).sum();
    // Each was recorded with its share of the examples. Where it weighs otherwise, that is set right.
    let factor = |part: &About| if weight > 0.0 { part.weight / weight / part.share } else { 1.0 };
    let counted = || all.iter().filter(|part| part.weight > 0.0);
    let loss = if weight > 0.0 { counted().map(|part| part.loss * factor(part)).sum() } else { f64::NAN };
    for part in &mut parts {
        let factor = factor(&part.about);
        if factor != 1.0 {
            part.gradients.scale(factor as f32);
        }
    }
    let gradients = in_pairs(parts.into_iter().map(|part| part.gradients).collect(), Gradients::merge);
    let mut gradients = gradients.unwrap_or_default();
    if let Some(told) = told {
        sum_gradients(group, model, &mut gradients, &told.reached)?;
        gradients.set_weight(told.weight);
        let buffers = model.params();
        gradients.set_buffer_updates(
            told.updates.into_iter().map(|(at, keep, add)| (buffers[at].1.id(), keep, add)),
        );
    }
    let faulty = all.iter().position(|part| part.weight > 0.0 && !part.is_finite);
    Ok(Batch { loss, weight, gradients, faulty })
}

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
    gradients: Gradients,
) -> Result<(f64, Gradients), GroupError> {
    let weight = gradients.weight().unwrap_or(examples as f64);
    let about = About { loss, share: 1.0, weight, is_finite: true };
    let batch = combine(group, model, vec![Part { about, gradients }])?;
    Ok((batch.loss, batch.gradients))
}

/// What the ranks told each other, in their order.
#[derive(Default)]
struct Told {
    parts: Vec<About>,
    /// The sum of what the gradients' means were taken over, if a part says so.
    weight: Option<f64>,
    /// Which of the trained parameters the loss reaches in any part.
    reached: Vec<bool>,
    /// The positions of buffers in the model, what stays of them and what is added.
    updates: Vec<(usize, f32, Tensor)>,
}

fn tell(group: &mut dyn Group, model: &dyn Module, parts: &[Part]) -> Result<Told, GroupError> {
    let params = model.params();
    let trained = trained(model);
    let mut words = vec![trained.len() as u32, parts.len() as u32];
    for Part { about, gradients } in parts {
        put_f64(&mut words, about.loss);
        put_f64(&mut words, about.share);
        put_f64(&mut words, about.weight);
        words.push(u32::from(about.is_finite));
        words.push(u32::from(gradients.weight().is_some()));
    }
    let reached = |param: &&Param| parts.iter().any(|part| part.gradients.of(param).is_some());
    words.extend(trained.iter().map(|param| u32::from(reached(param))));
    for (buffer, keep, add) in parts.iter().flat_map(|part| part.gradients.buffer_updates()) {
        // A buffer of no parameter of the model would not be changed by a step either.
        let Some(at) = params.iter().position(|(_, param)| param.id() == buffer) else { continue };
        words.extend([at as u32, keep.to_bits(), add.rank() as u32]);
        words.extend(add.shape().iter().map(|&size| size as u32));
        words.extend(add.iter().map(f32::to_bits));
    }
    let mut told = Told { reached: vec![false; trained.len()], ..Told::default() };
    for (rank, words) in gather_words(group, words)?.iter().enumerate() {
        told.read(Reader::new(rank, words), params.len(), rank)?;
    }
    Ok(told)
}

impl Told {
    fn read(&mut self, mut words: Reader<'_>, params: usize, rank: usize) -> Result<(), GroupError> {
        let trained = words.u32()? as usize;
        let other = || {
            GroupError::new(format!("rank {rank} trains {trained} parameters, others {}", self.reached.len()))
        };
        if trained != self.reached.len() {
            return Err(other());
        }
        for _ in 0..words.u32()? {
            let (loss, share, weight) = (words.f64()?, words.f64()?, words.f64()?);
            let is_finite = words.u32()? == 1;
            if words.u32()? == 1 {
                self.weight = Some(self.weight.unwrap_or(0.0) + weight);
            }
            self.parts.push(About { loss, share, weight, is_finite });
        }
        for (reached, &there) in self.reached.iter_mut().zip(words.words(trained)?) {
            *reached |= there == 1;
        }
        while !words.is_empty() {
            let (at, keep) = (words.u32()? as usize, f32::from_bits(words.u32()?));
            let axes = words.u32()? as usize;
            let shape: Vec<usize> = words.words(axes)?.iter().map(|&size| size as usize).collect();
            let numbers = words.words(shape.iter().product())?.iter().map(|&word| f32::from_bits(word));
            if at >= params {
                return Err(GroupError::new(format!("rank {rank} has more buffers than others")));
            }
            self.updates.push((at, keep, Tensor::new(numbers.collect::<Vec<f32>>(), shape)));
        }
        Ok(())
    }
}

/// The parameters that have gradients, in the order in which a sweep usually completes them: the last first.
fn trained(model: &dyn Module) -> Vec<&Param> {
    let params = model.params().into_iter().rev();
    params.map(|(_, param)| param).filter(|param| !param.is_frozen()).collect()
}

/// Adds the gradients of all ranks, of those parameters that any of them reaches.
fn sum_gradients(
    group: &mut dyn Group,
    model: &dyn Module,
    gradients: &mut Gradients,
    reached: &[bool],
) -> Result<(), GroupError> {
    let params: Vec<&Param> = trained(model)
        .into_iter()
        .zip(reached)
        .filter(|(_, reached)| **reached)
        .map(|(param, _)| param)
        .collect();
    let mut mine = Buckets::default();
    for param in &params {
        match gradients.of(param) {
            Some(gradient) => mine.put(gradient.contiguous().as_slice().expect("made contiguous")),
            None => mine.put_nothing(param.value().numel()),
        }
    }
    let sums: Result<Vec<_>, _> = mine.finish().into_iter().map(|bucket| sum(group, bucket)).collect();
    let mut sums = Unpacked::new(sums?);
    for param in params {
        if gradients.of(param).is_none() {
            gradients.insert(param, Tensor::zeros(param.value().shape()));
        }
        sums.take(gradients.of_mut(param).expect("put in").as_mut_slice());
    }
    Ok(())
}
