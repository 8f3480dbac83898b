//! Training: the loop over epochs and batches, what watches it, and what is learnt from its curves.

mod best;
mod combine;
mod diagnosis;
mod distributions;
mod exchange;
mod group_trainer;
mod history;
mod mean;
mod objective;
mod part;
mod run;
mod search;
mod shards;
mod slices;
mod statistics;
mod trainer;

pub use best::KeepBest;
pub use diagnosis::{Diagnosis, Fit, Trend, diagnose_accuracy, diagnose_loss};
pub use distributions::{Distributions, Kind, Series, Snapshot};
pub use group_trainer::GroupTrainer;
pub use history::{History, Record};
pub use mean::mean_gradients;
pub use objective::loss;
pub use search::{Distribution, HyperParams, RandomSearch, Trial};
pub use shards::{group_gradients, shard_gradients};
pub use statistics::{Flow, Statistics, dead_units, gradient_flow};
pub use trainer::Trainer;

use crate::{
    group::{Group, GroupError, Reader, gather_words, in_pairs, put_f64},
    optim::Optimizer,
};

/// What is called while a [`Trainer`] trains: to evaluate, to log, to show progress, to stop. The library itself prints
/// nothing.
///
/// A closure that takes an `&mut Epoch<'_, M>` is one: it is called after every epoch.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no callback for a trainer of `{M}`",
    note = "a closure is one if its argument has its type: `|epoch: &mut Epoch<'_, Net>| ..`"
)]
pub trait Callback<M> {
    /// After a batch.
    #[track_caller]
    fn on_batch(&mut self, progress: &Progress) {
        let _ = progress;
    }

    /// After an epoch. Its record is in the history also when this panics.
    #[track_caller]
    fn on_epoch(&mut self, epoch: &mut Epoch<'_, M>);
}

impl<M, F: FnMut(&mut Epoch<'_, M>)> Callback<M> for F {
    fn on_epoch(&mut self, epoch: &mut Epoch<'_, M>) {
        self(epoch);
    }
}

/// How far an epoch is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The epoch, counted from 1 over the whole run.
    pub epoch: u64,
    /// The batch, counted from 1.
    pub batch: usize,
    /// The number of batches in the epoch.
    pub batches: usize,
    /// The loss of this batch; NaN when all its labels are ignored.
    pub loss: f64,
    /// The number of this rank in the group that trains; 0 without one.
    pub rank: usize,
}

/// An epoch that has ended.
#[allow(missing_debug_implementations, reason = "the model may not have one")]
pub struct Epoch<'a, M> {
    /// Its number, counted from 1 over the whole run.
    pub number: u64,
    /// The model as it stands.
    pub model: &'a M,
    /// Its metrics, for reading and for adding more.
    pub record: Record,
    /// The hash of the model's numbers.
    weights: u64,
    /// The optimizer, whose learning rate a [`Plateau`](crate::schedule::Plateau) sets.
    pub optimizer: &'a mut dyn Optimizer,
    group: &'a mut dyn Group,
    /// What failed in a callback, for the trainer to return.
    failed: Option<GroupError>,
    stopped: bool,
}

impl<M> Epoch<'_, M> {
    /// Ends the training after this epoch. In a group one rank that stops stops all.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// The number of this rank in the group that trains; 0 without one.
    pub fn rank(&self) -> usize {
        self.group.rank()
    }

    /// The number of ranks that train; 1 without a group.
    pub fn ranks(&self) -> usize {
        self.group.size()
    }

    /// The sums over all ranks, such as of right answers and of examples, where each rank evaluates other examples; in an
    /// order that is always the same. All ranks must call it. When a rank is lost the sums are NaN, and the training ends
    /// with the error after this epoch.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// use gradus_nn::{Adam, Linear, data::digits, group::{LocalGroup, share}};
    /// use gradus_nn::{metrics::{accuracy, predict}, train::{Epoch, Trainer}};
    ///
    /// let digits = digits::load().map_inputs(|images| images.reshape([1797, 64]));
    /// let (train, validation) = digits.split(1400, &mut Rng::seed(0));
    /// let accuracies = LocalGroup::run(2, |mut group| {
    ///     let mut evaluate = |epoch: &mut Epoch<'_, Linear>| {
    ///         let mine: Vec<usize> = share(validation.len(), epoch.rank(), epoch.ranks()).collect();
    ///         let mine = validation.select(&mine);
    ///         let right = accuracy(&predict(epoch.model, mine.inputs(), 500), mine.labels()) * mine.len() as f64;
    ///         let right = epoch.sum_over_ranks(&[right])[0];
    ///         epoch.record.put("val_accuracy", right / validation.len() as f64);
    ///     };
    ///     let mut net = Linear::new(64, 10, &mut Rng::seed(0));
    ///     let mut trainer = Trainer::new(Adam::new(0.01), 50, 1);
    ///     let run = &mut trainer.group(&mut group);
    ///     run.fit(&mut net, &train, 2, |y, labels| y.cross_entropy(labels), &mut [&mut evaluate]).unwrap();
    ///     trainer.history().column("val_accuracy")[1]
    /// });
    /// assert!(accuracies[0] > 0.85 && accuracies[0] == accuracies[1]);
    /// ```
    pub fn sum_over_ranks(&mut self, values: &[f64]) -> Vec<f64> {
        let sums = sums(self.group, values);
        sums.unwrap_or_else(|error| {
            self.failed.get_or_insert(error);
            vec![f64::NAN; values.len()]
        })
    }
}

fn sums(group: &mut dyn Group, values: &[f64]) -> Result<Vec<f64>, GroupError> {
    let mut words = Vec::new();
    values.iter().for_each(|&x| put_f64(&mut words, x));
    let all = gather_words(group, words)?;
    let rows = all.iter().enumerate().map(|(rank, words)| {
        let mut words = Reader::new(rank, words);
        values.iter().map(|_| words.f64()).collect::<Result<Vec<f64>, _>>()
    });
    let rows: Vec<Vec<f64>> = rows.collect::<Result<_, _>>()?;
    let add = |a: Vec<f64>, b: Vec<f64>| a.iter().zip(b).map(|(a, b)| a + b).collect();
    Ok(in_pairs(rows, add).expect("this rank is there"))
}
