//! The trainer: epochs of mini-batches, and all that a run needs to go on later bit for bit.

use super::{Callback, Epoch, History, Progress, Record, shard_gradients};
use crate::{
    data::{Dataset, Targets},
    layer::Layer,
    module::Module,
    optim::{Optimizer, clip_grad_norm},
    save::{self, State, StateError},
    schedule::Schedule,
};
use gradus_autograd::Var;
use gradus_tensor::{Rng, Tensor};
use std::fmt;

/// Trains layers with an optimizer, on mini-batches in random order.
///
/// All that is random comes from one seed. [`Trainer::state`] holds the whole run, parameters, optimizer, random state,
/// history: from a state saved after any epoch a run goes on as if it had never stopped, to the last bit.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Adam, Layer, Linear, data::digits, metrics::{accuracy, predict}, train::{Epoch, KeepBest, Trainer}};
///
/// let mut rng = Rng::seed(0);
/// let digits = digits::load().map_inputs(|images| images.reshape([1797, 64]));
/// let (train, validation) = digits.split(1400, &mut rng);
/// let mut net = Linear::new(64, 10, &mut rng);
///
/// let mut trainer = Trainer::new(Adam::new(0.01), 50, 1);
/// let mut evaluate = |epoch: &mut Epoch<'_, Linear>| {
///     let scores = predict(epoch.model, validation.inputs(), 500);
///     epoch.record.put("val_accuracy", accuracy(&scores, validation.labels()));
/// };
/// let mut best = KeepBest::greatest("val_accuracy").patience(3);
/// trainer.fit(&mut net, &train, 10, |y, labels| y.cross_entropy(labels), &mut [&mut evaluate, &mut best]);
/// best.restore_model(&mut net);
/// assert!(best.best().unwrap().0 > 0.9);
/// assert_eq!(trainer.history().names(), ["loss", "lr", "val_accuracy"]);
/// ```
pub struct Trainer<O> {
    /// How parameters follow their gradients.
    pub optimizer: O,
    batch: usize,
    clip_norm: Option<f64>,
    shards: usize,
    schedule: Option<Box<dyn Schedule>>,
    augment: Option<Box<Augment>>,
    rng: Rng,
    steps: u64,
    history: History,
}

type Augment = dyn Fn(&Tensor, &mut Rng) -> Tensor;

impl<O: Optimizer> Trainer<O> {
    /// With batches of `batch` examples. `seed` decides their order, and what is random in layers and augmentation.
    ///
    /// # Panics
    /// When `batch` is 0.
    #[track_caller]
    pub fn new(optimizer: O, batch: usize, seed: u64) -> Trainer<O> {
        assert!(batch > 0, "trainer: a batch needs at least one example");
        Trainer {
            optimizer,
            batch,
            clip_norm: None,
            shards: 1,
            schedule: None,
            augment: None,
            rng: Rng::seed(seed),
            steps: 0,
            history: History::default(),
        }
    }

    /// Clips the gradients of every batch by their global norm, and records the mean norm before as `grad_norm`.
    pub fn clip_norm(self, max_norm: f64) -> Trainer<O> {
        Trainer { clip_norm: Some(max_norm), ..self }
    }

    /// Computes every batch in so many shards, see [`shard_gradients`].
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    pub fn shards(self, shards: usize) -> Trainer<O> {
        assert!(shards > 0, "trainer: a batch is at least one shard");
        Trainer { shards, ..self }
    }

    /// Sets the learning rate of every batch by a schedule, whose steps are batches, from the first of the run.
    pub fn schedule(self, schedule: impl Schedule + 'static) -> Trainer<O> {
        Trainer { schedule: Some(Box::new(schedule)), ..self }
    }

    /// Changes the inputs of every batch, as the functions of [`augment`](crate::data::augment) do.
    pub fn augment(self, augment: impl Fn(&Tensor, &mut Rng) -> Tensor + 'static) -> Trainer<O> {
        Trainer { augment: Some(Box::new(augment)), ..self }
    }

    /// Trains for `epochs` more epochs, or until a callback stops it. `loss` is a mean over the examples of a batch.
    ///
    /// Every epoch is recorded in the history: its mean `loss`, the `lr` of its last batch, and what callbacks put in.
    ///
    /// # Panics
    /// When there are no examples, or the loss does not reach a parameter.
    #[track_caller]
    pub fn fit<M: Layer + Sync, T: Targets>(
        &mut self,
        model: &mut M,
        train: &Dataset<T>,
        epochs: u64,
        loss: impl for<'t> Fn(Var<'t>, &T) -> Var<'t> + Sync,
        callbacks: &mut [&mut dyn Callback<M>],
    ) {
        assert!(!train.is_empty(), "fit: there are no examples");
        let last = self.epochs() + epochs;
        while self.epochs() < last {
            let record = self.epoch(model, train, &loss, callbacks);
            let mut epoch = Epoch {
                number: self.epochs() + 1,
                model: &*model,
                record,
                optimizer: &mut self.optimizer,
                stopped: false,
            };
            callbacks.iter_mut().for_each(|callback| callback.on_epoch(&mut epoch));
            let (record, stopped) = (epoch.record, epoch.stopped);
            self.history.push(record);
            if stopped {
                break;
            }
        }
    }

    #[track_caller]
    fn epoch<M: Layer + Sync, T: Targets>(
        &mut self,
        model: &mut M,
        train: &Dataset<T>,
        loss: &(impl for<'t> Fn(Var<'t>, &T) -> Var<'t> + Sync),
        callbacks: &mut [&mut dyn Callback<M>],
    ) -> Record {
        let batches = train.batches(self.batch, &mut self.rng);
        let (count, mut loss_sum, mut norm_sum) = (batches.len(), 0.0, 0.0);
        for (i, (inputs, targets)) in batches.enumerate() {
            let inputs = match &self.augment {
                Some(augment) => augment(&inputs, &mut self.rng),
                None => inputs,
            };
            if let Some(schedule) = &self.schedule {
                self.optimizer.set_lr(schedule.lr(self.steps));
            }
            let seeds: Vec<u64> = (0..self.shards).map(|_| self.rng.bits()).collect();
            let (batch_loss, mut gradients) = shard_gradients(model, &inputs, &targets, &seeds, loss);
            if let Some(max_norm) = self.clip_norm {
                norm_sum += clip_grad_norm(model, &mut gradients, max_norm);
            }
            self.optimizer.step(model, &gradients);
            self.steps += 1;
            loss_sum += batch_loss * inputs.size(0) as f64;
            let progress =
                Progress { epoch: self.epochs() + 1, batch: i + 1, batches: count, loss: batch_loss };
            callbacks.iter_mut().for_each(|callback| callback.on_batch(&progress));
        }
        let mut record = Record::default();
        record.put("loss", loss_sum / train.len() as f64);
        record.put("lr", self.optimizer.lr());
        if self.clip_norm.is_some() {
            record.put("grad_norm", norm_sum / count as f64);
        }
        record
    }

    /// The number of epochs so far.
    pub fn epochs(&self) -> u64 {
        self.history.records().len() as u64
    }

    /// The metrics of all epochs so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The whole run: parameters, optimizer, random state, number of steps and history. A callback with a memory, such as
    /// [`KeepBest`](super::KeepBest), is added with [`State::put_part`].
    pub fn state(&self, model: &dyn Module) -> State {
        let mut state = State::new();
        state.put_model("model", model);
        state.put_part("optimizer", self.optimizer.state());
        state.put_rng("rng", &self.rng);
        state.put("steps", self.steps);
        state.put("history", self.history.to_csv());
        state
    }

    /// Goes on from a saved run. When it fails neither the trainer nor the model is changed.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// use gradus_nn::{Adam, Linear, State, data::digits, train::Trainer};
    ///
    /// let data = digits::load().map_inputs(|images| images.reshape([1797, 64]));
    /// let start = || (Trainer::new(Adam::new(0.01), 100, 1), Linear::new(64, 10, &mut Rng::seed(0)));
    ///
    /// let (mut trainer, mut net) = start();
    /// trainer.fit(&mut net, &data, 1, |y, labels| y.cross_entropy(labels), &mut []);
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("run.safetensors");
    /// trainer.state(&net).save(&path)?;
    /// trainer.fit(&mut net, &data, 1, |y, labels| y.cross_entropy(labels), &mut []);
    ///
    /// let (mut later, mut copy) = start();
    /// later.restore(&State::load(&path)?, &mut copy)?;
    /// later.fit(&mut copy, &data, 1, |y, labels| y.cross_entropy(labels), &mut []);
    /// assert_eq!(copy.weight.value(), net.weight.value());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When something is missing from the state, or does not fit the model or the optimizer.
    pub fn restore(&mut self, state: &State, model: &mut dyn Module) -> Result<(), StateError> {
        let rng = state.rng("rng")?;
        let (steps, history) = (state.get("steps")?, History::from_csv(&state.get::<String>("history")?)?);
        save::check_params(model, state.part("model").tensors(), true, "the file")
            .map_err(StateError::new)?;
        // The last that can fail; what has no name of a part fails here too.
        self.optimizer.restore(&state.part("optimizer"), model)?;
        state.restore_model("model", model).expect("checked above");
        (self.rng, self.steps, self.history) = (rng, steps, history);
        Ok(())
    }
}

impl<O: fmt::Debug> fmt::Debug for Trainer<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Trainer(batch {}, {} epochs, {:?})",
            self.batch,
            self.history.records().len(),
            self.optimizer
        )
    }
}
