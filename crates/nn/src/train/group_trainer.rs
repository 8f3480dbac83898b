//! A trainer in a group: ranks that train one model together, with the bits of one.

use super::{
    Callback, Trainer,
    objective::{OfModel, OfOutputs},
};
use crate::{
    data::{Dataset, Examples},
    group::{Agreement, Group, GroupError, HASH, hash_words},
    layer::Layer,
    module::Module,
    optim::Optimizer,
};
use gradus_autograd::{Tape, Var};
use gradus_tensor::{Rng, Tensor};
use std::fmt;

/// A [`Trainer`] and the group of ranks that it trains with: from [`Trainer::group`].
///
/// All ranks run the same program: the same model, trainer, data and callbacks. Every batch, in the same random order, is
/// shared out: [`Trainer::shards`] on each rank, so that a group has as many as its ranks times that. The weights after every
/// step are the same on all ranks, to the last bit, and the same as those of one process with as many shards; if the
/// shards of a rank are a power of two, then those of any number of ranks with together as many.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Adam, Linear, data::digits, flatten, group::{Group, LocalGroup}, train::Trainer};
///
/// let digits = digits::load().map_inputs(|images| images.reshape([1797, 64]));
/// let train = |group: &mut dyn Group, shards: usize| {
///     let mut net = Linear::new(64, 10, &mut Rng::seed(0));
///     let mut trainer = Trainer::new(Adam::new(0.01), 100, 1).shards(shards).clip_norm(1.0);
///     trainer.group(group).fit(&mut net, &digits, 1, |y, labels| y.cross_entropy(labels), &mut []).unwrap();
///     flatten(&net)
/// };
/// let four = LocalGroup::run(4, |mut group| train(&mut group, 1));
/// let two = LocalGroup::run(2, |mut group| train(&mut group, 2));
/// assert!(four[1..] == [four[0].clone(), four[0].clone(), four[0].clone()] && two[0] == four[0]);
/// ```
pub struct GroupTrainer<'t, O> {
    trainer: &'t mut Trainer<O>,
    group: &'t mut dyn Group,
}

impl<'t, O: Optimizer> GroupTrainer<'t, O> {
    pub(super) fn new(trainer: &'t mut Trainer<O>, group: &'t mut dyn Group) -> GroupTrainer<'t, O> {
        GroupTrainer { trainer, group }
    }

    /// [`Trainer::fit`] on all ranks. They compare first what they begin with: model, settings, number of examples, random
    /// state, instruction set, version. After every epoch they compare their weights, and all have the record of
    /// rank 0. A callback that stops on one rank stops all.
    ///
    /// # Errors
    /// When ranks differ, which names what does; when a rank is lost. The model is then as after some step of this epoch,
    /// not on every rank the same: go on from what was saved.
    ///
    /// # Panics
    /// As `Trainer::fit`; where a loss or a gradient is not finite, on all ranks with the same message.
    #[track_caller]
    pub fn fit<M: Layer + Sync, T: Examples>(
        &mut self,
        model: &mut M,
        train: &Dataset<T>,
        epochs: u64,
        loss: impl for<'a> Fn(Var<'a>, &T) -> Var<'a> + Sync,
        callbacks: &mut [&mut dyn Callback<M>],
    ) -> Result<(), GroupError> {
        let augment = self.trainer.augment.clone();
        let prepare = |inputs: Tensor, rng: &mut Rng| match &augment {
            Some(augment) => augment(&inputs, rng),
            None => inputs,
        };
        self.agree(model, train.len())?;
        self.trainer.run(self.group, model, train, epochs, &OfOutputs(loss), &prepare, callbacks)
    }

    /// [`Trainer::fit_with`] on all ranks, as [`GroupTrainer::fit`].
    ///
    /// # Errors
    /// As `fit`.
    ///
    /// # Panics
    /// As `Trainer::fit_with`.
    #[track_caller]
    pub fn fit_with<M: Module + Sync, I: Examples, T: Examples>(
        &mut self,
        model: &mut M,
        train: &Dataset<T, I>,
        epochs: u64,
        loss: impl for<'a> Fn(&M, &'a Tape, &I, &T) -> Var<'a> + Sync,
        callbacks: &mut [&mut dyn Callback<M>],
    ) -> Result<(), GroupError> {
        assert!(
            self.trainer.augment.is_none(),
            "fit_with: an augmentation is for the inputs of fit; change the inputs in the loss"
        );
        self.agree(model, train.len())?;
        self.trainer.run(self.group, model, train, epochs, &OfModel(loss), &|inputs, _| inputs, callbacks)
    }

    /// Compares what this rank begins with to what the others do.
    fn agree(&mut self, model: &dyn Module, examples: usize) -> Result<(), GroupError> {
        if self.group.size() == 1 {
            return Ok(());
        }
        let trainer = &*self.trainer;
        let mut mine = Agreement::new();
        mine.add("the number of examples", examples);
        mine.add("the batch", trainer.batch);
        mine.add("the number of shards", trainer.shards);
        mine.add("accumulate", trainer.accumulate);
        mine.add("zero_redundancy", trainer.zero_redundancy);
        mine.add("drop_last", trainer.drop_last);
        mine.add("allow_nan", trainer.allow_nan);
        mine.add("stop_when", trainer.stop.is_some());
        mine.add("the batches of this epoch so far", trainer.part.as_ref().map_or(0, |part| part.batches));
        mine.add("clip_norm", format!("{:?}", trainer.clip_norm));
        let rng = trainer.rng.state();
        mine.add("the seed", rng.seed);
        mine.add("the random numbers drawn so far", rng.position);
        mine.add("the epochs so far", trainer.epochs());
        mine.add("the steps so far", trainer.steps);
        mine.add("the learning rate", trainer.optimizer.lr());
        let state = trainer.optimizer.state();
        let kind: Result<String, _> = state.get("optimizer");
        mine.add("the optimizer", kind.unwrap_or_default());
        let bits = state.tensors().values().flat_map(|tensor| tensor.iter().map(f32::to_bits));
        mine.add("the hash of the optimizer's state", format!("{:016x}", hash_words(HASH, bits)));
        mine.add_model(model);
        mine.check(self.group)
    }
}

impl<O> fmt::Debug for GroupTrainer<'_, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupTrainer(rank {} of {})", self.group.rank(), self.group.size())
    }
}
