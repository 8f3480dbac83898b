//! What ranks say to each other of a batch, while its gradients are being computed.
//!
//! Losses and weights go first: the gradients' factors depend on those of all shards. Gradients follow in buckets, in the
//! one order that all ranks have, each bucket as soon as it is full. What is known at the end alone goes at the end: which
//! parameters the loss reaches, what is not finite, and how buffers change.

use super::{
    combine::{About, Batch, Whole, merge},
    slices::Slices,
};
use crate::{
    group::{BUCKET, Group, GroupError, Parts, Reader, gather_words, in_pairs, put_f64},
    module::Module,
};
use gradus_autograd::{Gradients, Param, ParamId};
use gradus_tensor::Tensor;

/// What becomes known of a shard, in this order.
pub(super) enum News {
    /// Its forward pass is over.
    Recorded(About),
    /// The gradient of a parameter, by its place among those that are trained, is complete; none if the loss does not
    /// reach it. There is one for every parameter.
    Gradient(usize, Option<Tensor>),
    /// The sweep is over: the other gradients, the changes of buffers, and whether all was finite.
    Swept(Gradients, bool),
}

/// The parameters that have gradients, in the order in which a sweep usually completes them: the last first.
pub(super) fn trained(model: &dyn Module) -> Vec<&Param> {
    let params = model.params().into_iter().rev();
    params.map(|(_, param)| param).filter(|param| !param.is_frozen()).collect()
}

/// A batch of the parts of all ranks, of which `shards` are this one's: their news come with their numbers, as they are
/// known. Gradients are of the parameters `trained`; where there are slices, of these alone.
///
/// Losses and weights are added one after the other, and buffers change so; gradients are added in the order of
/// [`in_pairs`]. So all is in the order of the shards, and who computed them makes no difference.
pub(super) fn exchange(
    group: &mut dyn Group,
    model: &dyn Module,
    trained: &[&Param],
    slices: Option<&Slices>,
    shards: usize,
    news: &mut dyn Iterator<Item = (usize, News)>,
) -> Result<Batch, GroupError> {
    let mut mine = Mine::new(news, shards, trained.len());
    let abouts = mine.abouts()?;
    let (parts, weight) = tell_abouts(group, trained.len(), &abouts)?;
    let whole = Whole::new(parts);
    let factors: Vec<f64> = abouts.iter().map(|about| whole.factor(about)).collect();

    // Gradients that wait for more, until they fill a bucket.
    let (mut waiting, mut numbers) = (Vec::new(), 0);
    let (mut sums, mut reached) = (Vec::with_capacity(trained.len()), Vec::with_capacity(trained.len()));
    for (at, param) in trained.iter().enumerate() {
        let is_last = at + 1 == trained.len();
        // One that was complete before has waited for its turn.
        let scaled = mine.gradients(at)?.into_iter().zip(&factors).map(|(gradient, &factor)| {
            gradient.map(|gradient| if factor != 1.0 { &gradient * factor as f32 } else { gradient })
        });
        let gradient = in_pairs(scaled.collect(), |a: Option<Tensor>, b| match (a, b) {
            (Some(a), Some(b)) => Some(a + &b),
            (a, b) => a.or(b),
        });
        let gradient = gradient.flatten();
        if is_last {
            group.set_computing(false);
        }
        reached.push(gradient.is_some());
        numbers += param.value().numel();
        waiting.push(gradient);
        if numbers >= BUCKET || is_last {
            let params = &trained[at + 1 - waiting.len()..=at];
            sums.extend(sums_of(group, params, std::mem::take(&mut waiting), slices)?);
            numbers = 0;
        }
    }

    let (rest, is_finite): (Vec<Gradients>, Vec<bool>) = mine.swept()?.into_iter().unzip();
    let buffers: Vec<ParamId> = model.params().iter().map(|(_, param)| param.id()).collect();
    let ends = tell_ends(group, &buffers, &rest, &is_finite, reached)?;
    let mut gradients = merge(rest.into_iter().zip(factors));
    let of: Vec<&Param> = slices.map_or_else(|| trained.to_vec(), |slices| slices.trained().collect());
    for ((param, sum), reached) in of.into_iter().zip(sums).zip(ends.reached) {
        if reached {
            gradients.insert(param, sum);
        }
    }
    gradients.set_weight(weight);
    gradients.set_buffer_updates(ends.updates.into_iter().map(|(at, keep, add)| (buffers[at], keep, add)));
    Ok(whole.batch(gradients, &ends.is_finite))
}

/// The sums over all ranks of gradients of these parameters; with slices those of this rank's rows alone.
fn sums_of(
    group: &mut dyn Group,
    params: &[&Param],
    gradients: Vec<Option<Tensor>>,
    slices: Option<&Slices>,
) -> Result<Vec<Tensor>, GroupError> {
    let shapes = || params.iter().map(|param| param.value().shape());
    let parts = Parts::new(shapes(), group.size());
    // What is added to -0 keeps its bits, as it would not with 0: -0 + 0 is 0.
    let or_nothing =
        |(gradient, shape): (Option<Tensor>, _)| gradient.unwrap_or_else(|| Tensor::full(shape, -0.0));
    let mut sums: Vec<Tensor> = gradients.into_iter().zip(shapes()).map(or_nothing).collect();
    let mut whole = slices_of(&mut sums);
    for bucket in 0..parts.buckets {
        parts.reduce(group, bucket, &mut whole)?;
        if slices.is_none() {
            parts.spread(group, bucket, &mut whole)?;
        }
    }
    Ok(match slices {
        Some(slices) => sums.iter().map(|sum| slices.rows(sum)).collect(),
        None => sums,
    })
}

fn slices_of(tensors: &mut [Tensor]) -> Vec<&mut [f32]> {
    tensors.iter_mut().map(Tensor::as_mut_slice).collect()
}

/// What is known of this rank's shards so far.
struct Mine<'n> {
    news: &'n mut dyn Iterator<Item = (usize, News)>,
    abouts: Vec<Option<About>>,
    /// By parameter, those of every shard.
    gradients: Vec<Vec<Option<Tensor>>>,
    /// How many shards each parameter waits for.
    missing: Vec<usize>,
    swept: Vec<Option<(Gradients, bool)>>,
}

impl<'n> Mine<'n> {
    fn new(news: &'n mut dyn Iterator<Item = (usize, News)>, shards: usize, params: usize) -> Mine<'n> {
        Mine {
            news,
            abouts: vec![None; shards],
            gradients: vec![vec![None; shards]; params],
            missing: vec![shards; params],
            swept: (0..shards).map(|_| None).collect(),
        }
    }

    /// Waits for the next news.
    fn hear(&mut self) -> Result<(), GroupError> {
        let panicked = || GroupError::new("a shard of this rank has panicked");
        match self.news.next().ok_or_else(panicked)? {
            (shard, News::Recorded(about)) => self.abouts[shard] = Some(about),
            (shard, News::Gradient(at, gradient)) => {
                self.gradients[at][shard] = gradient;
                self.missing[at] -= 1;
            }
            (shard, News::Swept(rest, is_finite)) => self.swept[shard] = Some((rest, is_finite)),
        }
        Ok(())
    }

    fn abouts(&mut self) -> Result<Vec<About>, GroupError> {
        while self.abouts.iter().any(Option::is_none) {
            self.hear()?;
        }
        Ok(self.abouts.drain(..).flatten().collect())
    }

    fn gradients(&mut self, at: usize) -> Result<Vec<Option<Tensor>>, GroupError> {
        while self.missing[at] > 0 {
            self.hear()?;
        }
        Ok(std::mem::take(&mut self.gradients[at]))
    }

    fn swept(&mut self) -> Result<Vec<(Gradients, bool)>, GroupError> {
        while self.swept.iter().any(Option::is_none) {
            self.hear()?;
        }
        Ok(self.swept.drain(..).flatten().collect())
    }
}

/// The parts of all ranks, in their order, and the sum of what the means were taken over, if a part says so.
fn tell_abouts(
    group: &mut dyn Group,
    params: usize,
    mine: &[About],
) -> Result<(Vec<About>, Option<f64>), GroupError> {
    let mut words = vec![params as u32];
    for about in mine {
        put_f64(&mut words, about.loss);
        put_f64(&mut words, about.share);
        put_f64(&mut words, about.weight);
        words.push(u32::from(about.is_weighed));
    }
    let mut parts: Vec<About> = Vec::new();
    for (rank, words) in gather_words(group, words)?.iter().enumerate() {
        let mut words = Reader::new(rank, words);
        let trained = words.u32()? as usize;
        if trained != params {
            return Err(GroupError::new(format!("rank {rank} trains {trained} parameters, others {params}")));
        }
        while !words.is_empty() {
            let (loss, share, weight) = (words.f64()?, words.f64()?, words.f64()?);
            parts.push(About { loss, share, weight, is_weighed: words.u32()? == 1 });
        }
    }
    let weights = parts.iter().filter(|part| part.is_weighed).map(|part| part.weight);
    let weight = weights.reduce(|sum, weight| sum + weight);
    Ok((parts, weight))
}

/// What the ranks know at the end.
struct Ends {
    /// Of all parts, in their order.
    is_finite: Vec<bool>,
    /// Which of the trained parameters the loss reaches in any part.
    reached: Vec<bool>,
    /// The positions of buffers in the model, what stays of them and what is added.
    updates: Vec<(usize, f32, Tensor)>,
}

fn tell_ends(
    group: &mut dyn Group,
    buffers: &[ParamId],
    parts: &[Gradients],
    is_finite: &[bool],
    reached: Vec<bool>,
) -> Result<Ends, GroupError> {
    let mut words = vec![is_finite.len() as u32];
    words.extend(is_finite.iter().chain(&reached).map(|&is| u32::from(is)));
    for (buffer, keep, add) in parts.iter().flat_map(Gradients::buffer_updates) {
        // A buffer of no parameter of the model would not be changed by a step either.
        let Some(at) = buffers.iter().position(|&id| id == buffer) else { continue };
        words.extend([at as u32, keep.to_bits(), add.rank() as u32]);
        words.extend(add.shape().iter().map(|&size| size as u32));
        words.extend(add.iter().map(f32::to_bits));
    }
    let mut ends = Ends { is_finite: Vec::new(), reached, updates: Vec::new() };
    for (rank, words) in gather_words(group, words)?.iter().enumerate() {
        ends.read(Reader::new(rank, words), buffers.len(), rank)?;
    }
    Ok(ends)
}

impl Ends {
    fn read(&mut self, mut words: Reader<'_>, buffers: usize, rank: usize) -> Result<(), GroupError> {
        let parts = words.u32()? as usize;
        self.is_finite.extend(words.words(parts)?.iter().map(|&word| word == 1));
        let there = words.words(self.reached.len())?;
        self.reached.iter_mut().zip(there).for_each(|(reached, &there)| *reached |= there == 1);
        while !words.is_empty() {
            let (at, keep) = (words.u32()? as usize, f32::from_bits(words.u32()?));
            let axes = words.u32()? as usize;
            let shape: Vec<usize> = words.words(axes)?.iter().map(|&size| size as usize).collect();
            let numbers = words.words(shape.iter().product())?.iter().map(|&word| f32::from_bits(word));
            if at >= buffers {
                return Err(GroupError::new(format!("rank {rank} has more buffers than others")));
            }
            self.updates.push((at, keep, Tensor::new(numbers.collect::<Vec<f32>>(), shape)));
        }
        Ok(())
    }
}
