//! The loop of a trainer: epochs of batches, alone or on every rank of a group.

use super::{
    Callback, Epoch, History, Progress, Record, Trainer,
    objective::Objective,
    part::{Part, Sums},
    shards::{batch_gradients, find_anomaly},
    slices::Slices,
};
use crate::{
    data::{Dataset, Examples},
    group::{Group, GroupError, HASH, gather_texts, gather_words, hash_model, hash_words},
    module::Module,
    optim::{Optimizer, clip_grad_norm},
};
use gradus_autograd::Gradients;
use gradus_tensor::Rng;
use std::fmt::Write;

impl<O: Optimizer> Trainer<O> {
    #[allow(clippy::too_many_arguments, reason = "all that a run is made of")]
    #[track_caller]
    pub(super) fn run<M: Module + Sync, I: Examples, T: Examples>(
        &mut self,
        group: &mut dyn Group,
        model: &mut M,
        train: &Dataset<T, I>,
        epochs: u64,
        objective: &impl Objective<M, I, T>,
        prepare: &dyn Fn(I, &mut Rng) -> I,
        callbacks: &mut [&mut dyn Callback<M>],
    ) -> Result<(), GroupError> {
        assert!(!train.is_empty(), "fit: there are no examples");
        let last = self.epochs().saturating_add(epochs);
        self.stopped = false;
        let is_split = self.zero_redundancy && group.size() > 1;
        let mut slices = is_split.then(|| Slices::new(group, model, &mut self.optimizer));
        while self.epochs() < last && !self.stopped {
            let ended = self.epoch(group, model, &mut slices, train, objective, prepare, callbacks)?;
            let Some((record, weights)) = ended else { break };
            let epoch = Epoch {
                number: self.epochs() + 1,
                model: &*model,
                record,
                weights,
                optimizer: &mut self.optimizer,
                group,
                failed: None,
                stopped: false,
            };
            let mut ended = Ended { epoch, history: &mut self.history };
            for callback in callbacks.iter_mut() {
                callback.on_epoch(&mut ended.epoch);
            }
            ended.epoch.agree()?;
            if ended.epoch.stopped {
                break;
            }
        }
        match slices {
            Some(slices) => slices.gather(group, &mut self.optimizer),
            None => Ok(()),
        }
    }

    /// Gives the record and the hash of the model's numbers; nothing where the run was stopped within the epoch.
    #[allow(clippy::too_many_arguments, reason = "as above")]
    #[track_caller]
    fn epoch<M: Module + Sync, I: Examples, T: Examples>(
        &mut self,
        group: &mut dyn Group,
        model: &mut M,
        slices: &mut Option<Slices>,
        train: &Dataset<T, I>,
        objective: &impl Objective<M, I, T>,
        prepare: &dyn Fn(I, &mut Rng) -> I,
        callbacks: &mut [&mut dyn Callback<M>],
    ) -> Result<Option<(Record, u64)>, GroupError> {
        // The order is drawn once more where the epoch was stopped.
        let part = self.part.take();
        let start = part.as_ref().map_or(self.rng.state(), |part| part.start);
        let mut batches = match &part {
            Some(part) => {
                assert!(
                    part.examples == train.len(),
                    "fit: the run was stopped within an epoch of {} examples, these are {}",
                    part.examples,
                    train.len()
                );
                train.batches(self.batch, &mut Rng::restore(start))
            }
            None => train.batches(self.batch, &mut self.rng),
        };
        if self.drop_last {
            batches = batches.drop_last();
        }
        let count = batches.len();
        assert!(
            count > 0,
            "fit: {} examples are less than a batch of {}, which drop_last leaves out",
            train.len(),
            self.batch
        );
        let hash = hash_words(self.hash(), batches.order().map(|i| i as u32));
        let (done, mut sums) = part.map_or((0, Sums::default()), |part| (part.batches, part.sums));
        batches.skip_batches(done);
        let mut held = None;
        for (i, (inputs, targets)) in (done..).zip(batches) {
            let inputs = prepare(inputs, &mut self.rng);
            if let Some(schedule) = &self.schedule {
                self.optimizer.set_lr(schedule.lr(self.steps));
            }
            // Every rank draws the seeds of all, so that all go on with the same random state.
            let seeds: Vec<u64> = (0..self.shards * group.size()).map(|_| self.rng.bits()).collect();
            let examples = (&inputs, &targets);
            let watched = !self.allow_nan;
            let batch = batch_gradients(group, objective, model, examples, &seeds, watched, slices.as_ref())?;
            if let Some(shard) = batch.faulty {
                // The rank whose shard it is looks for it and tells the others.
                let mut anomaly = None;
                if shard / self.shards == group.rank() {
                    anomaly = find_anomaly(objective, model, examples, &seeds, shard);
                }
                let anomaly = gather_texts(group, &anomaly.unwrap_or_default())?.concat();
                if let Some(slices) = slices.take() {
                    slices.gather(group, &mut self.optimizer)?;
                }
                panic!(
                    "fit: the loss of batch {} of {count} in epoch {} is {}{}; {}\nThe parameters are those from before \
                     this batch. Trainer::allow_nan goes on instead.",
                    i + 1,
                    self.epochs() + 1,
                    batch.loss,
                    if batch.loss.is_finite() { ", and a gradient is not finite" } else { "" },
                    if anomaly.is_empty() { "where that was born was not found" } else { &anomaly },
                );
            }
            if batch.weight > 0.0 {
                sums.loss += batch.loss * batch.weight;
                sums.weight += batch.weight;
            }
            let (weight, mut gradients) = mean(held.take(), batch.weight, batch.gradients);
            let steps = (i + 1) % self.accumulate == 0 || i + 1 == count;
            if steps {
                let norm = match slices {
                    Some(slices) => {
                        slices.step(group, model, &mut self.optimizer, gradients, self.clip_norm)?
                    }
                    None => {
                        let clip = |max_norm| clip_grad_norm(model, &mut gradients, max_norm);
                        let norm = self.clip_norm.map(clip);
                        self.optimizer.step(model, &gradients);
                        norm
                    }
                };
                sums.norm += norm.unwrap_or(0.0);
                self.steps += 1;
                sums.steps += 1.0;
            } else {
                held = Some((weight, gradients));
            }
            let progress = Progress {
                epoch: self.epochs() + 1,
                batch: i + 1,
                batches: count,
                loss: batch.loss,
                rank: group.rank(),
            };
            for callback in callbacks.iter_mut() {
                callback.on_batch(&progress);
            }
            if steps && self.is_to_stop(group)? {
                self.stopped = true;
                if i + 1 < count {
                    self.part = Some(Part { start, examples: train.len(), batches: i + 1, sums });
                    return Ok(None);
                }
            }
        }
        let mut record = Record::default();
        record.put("loss", sums.loss / sums.weight);
        record.put("lr", self.optimizer.lr());
        if self.clip_norm.is_some() {
            record.put("grad_norm", sums.norm / sums.steps);
        }
        let weights = hash_model(model);
        record.set_hash(Some(hash_words(hash, [weights as u32, (weights >> 32) as u32])));
        Ok(Some((record, weights)))
    }

    /// What the hash of the next epoch begins with: that of the last one, or of nothing, and the version.
    fn hash(&self) -> u64 {
        let last = self.history.records().last().and_then(Record::hash).unwrap_or(HASH);
        hash_words(last, env!("CARGO_PKG_VERSION").bytes().map(u32::from))
    }

    /// Asks what [`Trainer::stop_when`] was given, on all ranks.
    fn is_to_stop(&self, group: &mut dyn Group) -> Result<bool, GroupError> {
        let Some(stop) = &self.stop else { return Ok(false) };
        Ok(gather_words(group, vec![u32::from(stop())])?.iter().any(|words| words[..] == [1]))
    }
}

impl<M: Module> Epoch<'_, M> {
    /// Compares with the other ranks, takes rank 0's record, and stops if any does.
    fn agree(&mut self) -> Result<(), GroupError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if self.group.size() == 1 {
            return Ok(());
        }
        let mut text = format!("{}\n", u8::from(self.stopped));
        writeln!(text, "weights of hash {:016x}, learning rate {}", self.weights, self.optimizer.lr())
            .expect("a string takes all");
        for (name, value) in self.record.iter() {
            writeln!(text, "{name} {}", value.to_bits()).expect("a string takes all");
        }
        let texts = gather_texts(self.group, &text)?;
        let states: Vec<&str> = texts.iter().map(|text| text.lines().nth(1).unwrap_or_default()).collect();
        if let Some(rank) = states.iter().position(|state| *state != states[0]) {
            return Err(GroupError::new(format!(
                "after epoch {} rank {rank} has {}, and rank 0 {}: what changes them, callbacks too, must be the same \
                 on all ranks",
                self.number, states[rank], states[0]
            )));
        }
        self.stopped = texts.iter().any(|text| text.starts_with('1'));
        // Hashes are the same on all, for the weights are.
        let hash = self.record.hash();
        self.record = Record::default();
        self.record.set_hash(hash);
        for line in texts[0].lines().skip(2) {
            if let Some((name, bits)) = line.split_once(' ') {
                self.record.put(name, f64::from_bits(bits.parse().unwrap_or_default()));
            }
        }
        Ok(())
    }
}

/// An epoch whose record goes into the history whatever its callbacks do.
struct Ended<'a, M> {
    epoch: Epoch<'a, M>,
    history: &'a mut History,
}

impl<M> Drop for Ended<'_, M> {
    fn drop(&mut self) {
        self.history.push(std::mem::take(&mut self.epoch.record));
    }
}

/// The mean of gradients, by what each was a mean over.
fn mean(held: Option<(f64, Gradients)>, weight: f64, mut gradients: Gradients) -> (f64, Gradients) {
    let Some((before, mut sum)) = held else { return (weight, gradients) };
    let all = before + weight;
    if all > 0.0 {
        sum.scale((before / all) as f32);
        gradients.scale((weight / all) as f32);
    }
    (all, sum.merge(gradients))
}
