//! Early stopping, and the best model.

use super::{Callback, Epoch};
use crate::{
    module::Module,
    save::{self, State, StateError},
};
use gradus_tensor::Tensor;
use std::collections::BTreeMap;

/// Watches a metric: remembers the parameters of the epoch in which it was best, and ends the training when it has not
/// become better for some epochs.
///
/// A metric that is NaN is no improvement, not even on none.
///
/// The metric must be one of validation examples: on the examples that are trained on, over-fitting looks best.
///
/// ```
/// use gradus_nn::{Linear, train::KeepBest};
///
/// let mut best = KeepBest::least("val_loss").patience(5);
/// // trainer.fit(&mut net, &train, 100, loss, &mut [&mut evaluate, &mut best]);
/// // best.restore_model(&mut net);
/// # let _ = &mut best;
/// ```
#[derive(Clone, Debug)]
pub struct KeepBest {
    metric: String,
    greatest: bool,
    patience: Option<u64>,
    best: Option<Best>,
    /// Epochs since the best.
    waited: u64,
}

#[derive(Clone, Debug)]
struct Best {
    value: f64,
    epoch: u64,
    params: BTreeMap<String, Tensor>,
}

impl KeepBest {
    /// The least value of this metric is best, as of a loss.
    pub fn least(metric: &str) -> KeepBest {
        KeepBest { metric: metric.to_owned(), greatest: false, patience: None, best: None, waited: 0 }
    }

    /// The greatest value of this metric is best, as of an accuracy.
    pub fn greatest(metric: &str) -> KeepBest {
        KeepBest { greatest: true, ..KeepBest::least(metric) }
    }

    /// Ends the training when so many epochs in a row were no better than the best.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    pub fn patience(self, epochs: u64) -> KeepBest {
        assert!(epochs > 0, "keep_best: a patience of 0 epochs would end the training at once");
        KeepBest { patience: Some(epochs), ..self }
    }

    /// The best value and its epoch, counted from 1.
    pub fn best(&self) -> Option<(f64, u64)> {
        self.best.as_ref().map(|best| (best.value, best.epoch))
    }

    /// Gives the model the best epoch's parameters; without one it stays as it is.
    ///
    /// # Panics
    /// When the model is not the one that was trained.
    #[track_caller]
    pub fn restore_model(&self, model: &mut dyn Module) {
        if let Some(best) = &self.best
            && let Err(faults) = save::set_params(model, best.params.clone(), true, "the best")
        {
            panic!("restore_model: {faults}")
        }
    }

    fn of(&self) -> String {
        format!("{} {}", if self.greatest { "greatest" } else { "least" }, self.metric)
    }

    /// What is to be saved for going on later, the best parameters with it.
    pub fn state(&self) -> State {
        let mut state = State::new();
        state.put("of", self.of());
        state.put("waited", self.waited);
        if let Some(best) = &self.best {
            state.put("value", best.value);
            state.put("epoch", best.epoch);
            for (name, param) in &best.params {
                state.put_tensor(name, param.clone());
            }
        }
        state
    }

    /// Goes on from a saved state. When it fails nothing is changed.
    ///
    /// # Errors
    /// When something is missing from the state, it is that of another metric, or the best value is NaN.
    pub fn restore(&mut self, state: &State) -> Result<(), StateError> {
        // States of the first versions do not say it.
        if let Ok(of) = state.get::<String>("of")
            && of != self.of()
        {
            return Err(StateError::new(format!("it is the state of the {of}, not of the {}", self.of())));
        }
        let waited = state.get("waited")?;
        let params = state.tensors().clone();
        let best = match params.is_empty() {
            true => None,
            false => Some(Best { value: state.get("value")?, epoch: state.get("epoch")?, params }),
        };
        if best.as_ref().is_some_and(|best| best.value.is_nan()) {
            return Err(StateError::new("value is NaN, which is never the best"));
        }
        self.best = best;
        self.waited = waited;
        Ok(())
    }
}

impl<M: Module> Callback<M> for KeepBest {
    /// # Panics
    /// When the epoch has no such metric: a callback that puts it in must come before.
    #[track_caller]
    fn on_epoch(&mut self, epoch: &mut Epoch<'_, M>) {
        let Some(value) = epoch.record.get(&self.metric) else {
            panic!(
                "keep_best: the epoch has no metric {}; put it in with a callback before this one",
                self.metric
            )
        };
        let better = match &self.best {
            Some(best) if self.greatest => value > best.value,
            Some(best) => value < best.value,
            None => !value.is_nan(),
        };
        if better {
            let params = epoch.model.params().into_iter().map(|(name, param)| (name, param.value().clone()));
            self.best = Some(Best { value, epoch: epoch.number, params: params.collect() });
            self.waited = 0;
        } else {
            self.waited = self.waited.saturating_add(1);
            if self.patience.is_some_and(|patience| self.waited >= patience) {
                epoch.stop();
            }
        }
    }
}
