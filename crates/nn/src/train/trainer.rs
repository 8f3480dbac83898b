//! The trainer: epochs of mini-batches, and all that a run needs to go on later bit for bit.

use super::{
    Callback, GroupTrainer, History,
    part::{Cut, Part},
};
use crate::{
    data::{Dataset, Examples},
    group::{Alone, Group},
    layer::Layer,
    module::Module,
    optim::Optimizer,
    save::{self, State, StateError},
    schedule::Schedule,
};
use gradus_autograd::{Tape, Var};
use gradus_tensor::{OrFail, Rng, Tensor, list};
use std::{fmt, rc::Rc};

/// The steps that optimizers can count to.
const MOST_STEPS: u64 = 1 << 48;

/// Trains layers with an optimizer, on mini-batches in random order.
///
/// All that is random comes from one seed. [`Trainer::state`] holds the whole run, parameters, optimizer, random state,
/// history: from a state saved after any epoch, or where [`Trainer::stop_when`] has stopped within one, a run goes on as if it
/// had never stopped, to the last bit.
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
    pub(super) batch: usize,
    pub(super) clip_norm: Option<f64>,
    pub(super) shards: usize,
    pub(super) zero_redundancy: bool,
    pub(super) accumulate: usize,
    pub(super) drop_last: bool,
    pub(super) allow_nan: bool,
    pub(super) schedule: Option<Box<dyn Schedule>>,
    pub(super) augment: Option<Rc<Augment>>,
    pub(super) rng: Rng,
    pub(super) steps: u64,
    pub(super) history: History,
    pub(super) stop: Option<Box<dyn Fn() -> bool>>,
    pub(super) stopped: bool,
    /// The epoch that was stopped before its end.
    pub(super) part: Option<Part>,
}

pub(super) type Augment = dyn Fn(&Tensor, &mut Rng) -> Tensor;

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
            zero_redundancy: false,
            accumulate: 1,
            drop_last: false,
            allow_nan: false,
            schedule: None,
            augment: None,
            rng: Rng::seed(seed),
            steps: 0,
            history: History::default(),
            stop: None,
            stopped: false,
            part: None,
        }
    }

    /// Clips the gradients of every step by their global norm, and records the mean norm before as `grad_norm`.
    ///
    /// # Panics
    /// When it is not positive.
    #[track_caller]
    pub fn clip_norm(self, max_norm: f64) -> Trainer<O> {
        assert!(max_norm > 0.0, "trainer: the greatest norm is {max_norm}; it must be positive");
        Trainer { clip_norm: Some(max_norm), ..self }
    }

    /// Computes every batch in so many shards, see [`shard_gradients`](super::shard_gradients).
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    pub fn shards(self, shards: usize) -> Trainer<O> {
        assert!(shards > 0, "trainer: a batch is at least one shard");
        // Each needs a seed.
        list::<u64>("trainer: shards", shards).or_fail();
        Trainer { shards, ..self }
    }

    /// Splits the optimizer's state over the ranks of a [group](Trainer::group), as PyTorch's `ZeroRedundancyOptimizer`
    /// does (S. Rajbhandari and others, 2020): each remembers and changes the rows that fall to it of every parameter, and
    /// sends them to the others. The weights have the same bits as without; with N ranks the optimizer's step takes an
    /// Nth of the time, and what Adam remembers an Nth of the memory. Alone it changes nothing.
    ///
    /// The state is split when `fit` begins and whole on all ranks when it ends, so that a run is saved and restored as any
    /// other, by as many ranks or by others. In callbacks it is split, and [`Trainer::state`] is refused; so it is after a
    /// `fit` that ended with an error.
    ///
    /// For optimizers that are elementwise, as all of gradus are: a step that looks at whole parameters
    /// ([`Base::each`](crate::optim::Base::each)) panics. What chooses the parameters of an [`optim::Group`](crate::optim::Group)
    /// sees a parameter of as many axes, with some of the rows.
    #[doc(alias = "ZeroRedundancyOptimizer")]
    pub fn zero_redundancy(self) -> Trainer<O> {
        Trainer { zero_redundancy: true, ..self }
    }

    /// Takes a step of the optimizer only after so many batches, with the mean of their gradients: as if they were one batch,
    /// in the memory that one of them needs. The last step of an epoch has the batches that are left.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    pub fn accumulate(self, batches: usize) -> Trainer<O> {
        assert!(batches > 0, "trainer: a step needs the gradients of at least one batch");
        Trainer { accumulate: batches, ..self }
    }

    /// Leaves out the last batch of an epoch if it is smaller than the others: other examples each time. For models with
    /// batch normalisation, which a batch of one example has no statistics for.
    pub fn drop_last(self) -> Trainer<O> {
        Trainer { drop_last: true, ..self }
    }

    /// Goes on where a loss or a gradient is NaN or infinite, instead of panicking: for callbacks that handle it
    /// themselves. It also saves the reading of all gradients once a batch.
    pub fn allow_nan(self) -> Trainer<O> {
        Trainer { allow_nan: true, ..self }
    }

    /// Sets the learning rate of every step by a schedule, whose steps are those of the optimizer, from the first of the run.
    pub fn schedule(self, schedule: impl Schedule + 'static) -> Trainer<O> {
        Trainer { schedule: Some(Box::new(schedule)), ..self }
    }

    /// Changes the inputs of every batch, as the functions of [`augment`](crate::data::augment) do.
    pub fn augment(self, augment: impl Fn(&Tensor, &mut Rng) -> Tensor + 'static) -> Trainer<O> {
        Trainer { augment: Some(Rc::new(augment)), ..self }
    }

    /// Ends `fit` after the step in which `stop` is true, within an epoch too: for a signal (Ctrl-C), a limit of time. `stop` is
    /// asked after every step of the optimizer. In a group one rank that stops stops all.
    ///
    /// [`Trainer::state`] then has the place within the epoch. The next `fit`, of this trainer or of one that was restored, does
    /// the rest of the epoch first, which counts as one of its epochs: over the same examples, and as if it had never
    /// stopped, to the last bit.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// use gradus_nn::{Adam, Linear, data::digits, flatten, train::Trainer};
    /// use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    ///
    /// static STOP: AtomicBool = AtomicBool::new(false); // which a handler of signals sets
    ///
    /// let data = digits::load().map_inputs(|images| images.reshape([1797, 64]));
    /// let train = |trainer: &mut Trainer<Adam>, net: &mut Linear, epochs| {
    ///     trainer.fit(net, &data, epochs, |y, labels| y.cross_entropy(labels), &mut []);
    /// };
    /// let (mut net, mut whole) = (Linear::new(64, 10, &mut Rng::seed(0)), Linear::new(64, 10, &mut Rng::seed(0)));
    /// let mut trainer = Trainer::new(Adam::new(0.01), 100, 1).stop_when(|| STOP.load(Relaxed));
    ///
    /// STOP.store(true, Relaxed);
    /// train(&mut trainer, &mut net, 2);
    /// assert!(trainer.is_stopped() && trainer.epochs() == 0);
    /// let saved = trainer.state(&net); // after one of 18 batches
    ///
    /// STOP.store(false, Relaxed);
    /// trainer.restore(&saved, &mut net)?;
    /// train(&mut trainer, &mut net, 2);
    /// train(&mut Trainer::new(Adam::new(0.01), 100, 1), &mut whole, 2);
    /// assert_eq!(flatten(&net), flatten(&whole));
    /// # Ok::<(), gradus_nn::StateError>(())
    /// ```
    pub fn stop_when(self, stop: impl Fn() -> bool + 'static) -> Trainer<O> {
        Trainer { stop: Some(Box::new(stop)), ..self }
    }

    /// Whether [`Trainer::stop_when`] ended the last `fit`.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Trains for `epochs` more epochs, or until a callback or [`Trainer::stop_when`] stops it. `loss` is a mean over the
    /// examples of a batch; a closure that is kept in a variable before needs [`train::loss`](super::loss).
    ///
    /// Every epoch is recorded in the history: its mean `loss`, the `lr` of its last step, what callbacks put in, and the
    /// [hash](super::Record::hash) of the run so far. An epoch in which something panics is given up: the next `fit` begins
    /// another.
    ///
    /// # Panics
    /// When there are no examples, or others than those of the epoch that was stopped, or the loss does not reach a
    /// parameter. What panics in a layer is said at the line of this call, or at that of your own layer or loss in which it
    /// happens.
    ///
    /// When a loss or a gradient is NaN or infinite: the message names the operation and the line where it was born. The
    /// model has then the parameters, and the trainer the history, from before this batch; what callbacks have saved
    /// is untouched. [`Trainer::allow_nan`] goes on instead. A batch in which every label is ignored has no loss, and is
    /// no reason to stop.
    #[track_caller]
    pub fn fit<M: Layer + Sync, T: Examples>(
        &mut self,
        model: &mut M,
        train: &Dataset<T>,
        epochs: u64,
        loss: impl for<'t> Fn(Var<'t>, &T) -> Var<'t> + Sync,
        callbacks: &mut [&mut dyn Callback<M>],
    ) {
        let run = self.group(&mut Alone).fit(model, train, epochs, loss, callbacks);
        run.expect("nobody else is there");
    }

    /// [`Trainer::fit`] for models of several inputs, of words, or that are called in another way: `loss` records the loss
    /// of a batch from the model, the tape, the inputs and the targets.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// use gradus_nn::{Adam, Embedding, Linear, data::Dataset, module, train::Trainer};
    ///
    /// /// How much somebody likes something, by who and what they are.
    /// struct Taste { people: Embedding, things: Embedding }
    /// module!(Taste { people, things });
    ///
    /// impl Taste {
    ///     fn forward<V: Value>(&self, at: Place<V>, people: &Indices, things: &Indices) -> V {
    ///         (self.people.forward(at, people) * self.things.forward(at, things)).sum_axes(1, false)
    ///     }
    /// }
    ///
    /// let rng = &mut Rng::seed(0);
    /// let mut taste = Taste { people: Embedding::new(4, 2, rng), things: Embedding::new(4, 2, rng) };
    /// let pairs = || (0..16).map(|i| (i / 4, i % 4));
    /// let inputs = (pairs().map(|(who, _)| who).collect::<Indices>(), pairs().map(|(_, what)| what).collect::<Indices>());
    /// let likes: Vec<f32> = pairs().map(|(who, what)| if (who < 2) == (what < 2) { 1.0 } else { -1.0 }).collect();
    /// let data = Dataset::new(inputs, Tensor::new(likes, [16]));
    ///
    /// let mut trainer = Trainer::new(Adam::new(0.05), 4, 1);
    /// trainer.fit_with(
    ///     &mut taste,
    ///     &data,
    ///     60,
    ///     |taste, tape, (people, things), likes| {
    ///         taste.forward(tape.place(), people, things).mse_loss(&tape.constant(likes))
    ///     },
    ///     &mut [],
    /// );
    /// assert!(trainer.history().column("loss")[59] < 0.01);
    /// ```
    ///
    /// # Panics
    /// As `fit`; and when there is an augmentation, which is for the inputs of `fit`: change these in the loss, with
    /// randomness from `tape.place().draw()`.
    #[track_caller]
    pub fn fit_with<M: Module + Sync, I: Examples, T: Examples>(
        &mut self,
        model: &mut M,
        train: &Dataset<T, I>,
        epochs: u64,
        loss: impl for<'t> Fn(&M, &'t Tape, &I, &T) -> Var<'t> + Sync,
        callbacks: &mut [&mut dyn Callback<M>],
    ) {
        let run = self.group(&mut Alone).fit_with(model, train, epochs, loss, callbacks);
        run.expect("nobody else is there");
    }

    /// Trains with the other ranks of a group: [`GroupTrainer::fit`] and [`GroupTrainer::fit_with`].
    #[doc(alias = "DistributedDataParallel")]
    pub fn group<'t>(&'t mut self, group: &'t mut dyn Group) -> GroupTrainer<'t, O> {
        GroupTrainer::new(self, group)
    }

    /// The number of epochs so far.
    pub fn epochs(&self) -> u64 {
        self.history.records().len() as u64
    }

    /// The number of steps of the optimizer so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The metrics of all epochs so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The whole run: parameters, optimizer, random state, number of steps, history, and the place within an epoch that was
    /// stopped. A callback with a memory, such as
    /// [`KeepBest`](super::KeepBest), is added with [`State::put_part`].
    ///
    /// # Panics
    /// While the optimizer's state is split over ranks, see [`Trainer::zero_redundancy`].
    #[track_caller]
    pub fn state(&self, model: &dyn Module) -> State {
        let mut state = State::new();
        state.put_model("model", model);
        state.put_part("optimizer", self.optimizer.state());
        state.put_rng("rng", &self.rng);
        state.put("steps", self.steps);
        state.put("history", self.history.to_csv());
        if let Some(part) = &self.part {
            state.put_part("part", part.state(self.cut()));
        }
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
    /// When something is missing from the state, or does not fit the model or the optimizer; when the run was stopped within an
    /// epoch, and batches are cut otherwise now.
    pub fn restore(&mut self, state: &State, model: &mut dyn Module) -> Result<(), StateError> {
        let rng = state.rng("rng")?;
        let (steps, history) =
            (state.get::<u64>("steps")?, History::from_csv(&state.get::<String>("history")?)?);
        if steps > MOST_STEPS {
            return Err(StateError::new(format!("steps is {steps}, which no run reaches")));
        }
        let part = Part::restore(&state.part("part"), self.cut())?;
        save::check_params(model, state.part("model").tensors(), true, "the file")
            .map_err(StateError::new)?;
        // The last that can fail; what has no name of a part fails here too.
        self.optimizer.restore(&state.part("optimizer"), model)?;
        state.restore_model("model", model).expect("checked above");
        (self.rng, self.steps, self.history, self.part) = (rng, steps, history, part);
        Ok(())
    }

    pub(super) fn cut(&self) -> Cut {
        Cut { batch: self.batch, accumulate: self.accumulate, drop_last: self.drop_last }
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
