//! Training: the loop over epochs and batches, what watches it, and what is learnt from its curves.

mod best;
mod diagnosis;
mod history;
mod objective;
mod search;
mod shards;
mod statistics;
mod trainer;

pub use best::KeepBest;
pub use diagnosis::{Diagnosis, Fit, Trend, diagnose_accuracy, diagnose_loss};
pub use history::{History, Record};
pub use objective::loss;
pub use search::{Distribution, HyperParams, RandomSearch, Trial};
pub use shards::shard_gradients;
pub use statistics::{Flow, Statistics, dead_units, gradient_flow};
pub use trainer::Trainer;

use crate::optim::Optimizer;

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
    /// The optimizer, whose learning rate a [`Plateau`](crate::schedule::Plateau) sets.
    pub optimizer: &'a mut dyn Optimizer,
    stopped: bool,
}

impl<M> Epoch<'_, M> {
    /// Ends the training after this epoch.
    pub fn stop(&mut self) {
        self.stopped = true;
    }
}
