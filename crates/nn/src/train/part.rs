//! The part of an epoch that was trained before the run was stopped, and its sums.

use crate::save::{State, StateError};
use gradus_tensor::{Rng, RngState};
use std::fmt;

/// How far an epoch is, after a step of the optimizer.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Where the generator stood before the order of the examples was drawn.
    pub(super) start: RngState,
    pub(super) examples: usize,
    /// The number of batches so far.
    pub(super) batches: usize,
    pub(super) sums: Sums,
}

/// What the record of an epoch is made of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) loss: f64,
    pub(super) weight: f64,
    pub(super) norm: f64,
    pub(super) steps: f64,
}

/// What must be the same for the rest of the epoch: the settings by which it is cut into batches and steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cut {
    pub(super) batch: usize,
    pub(super) accumulate: usize,
    pub(super) drop_last: bool,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let &Cut { batch, accumulate, drop_last } = self;
        write!(f, "batches of {batch}, of which {accumulate} make a step")?;
        if drop_last { f.write_str(", without the last one if it is smaller") } else { Ok(()) }
    }
}

impl Part {
    /// As a part of the state of a run.
    pub(super) fn state(&self, cut: Cut) -> State {
        let mut state = State::new();
        state.put_rng("start", &Rng::restore(self.start));
        state.put("examples", self.examples);
        state.put("batches", self.batches);
        state.put("loss", self.sums.loss);
        state.put("weight", self.sums.weight);
        state.put("norm", self.sums.norm);
        state.put("steps", self.sums.steps);
        state.put("batch", cut.batch);
        state.put("accumulate", cut.accumulate);
        state.put("drop_last", cut.drop_last);
        state
    }

    /// From a part of the state of a run; none when it ends with an epoch.
    pub(super) fn restore(state: &State, cut: Cut) -> Result<Option<Part>, StateError> {
        if *state == State::new() {
            return Ok(None);
        }
        let saved = Cut {
            batch: state.get("batch")?,
            accumulate: state.get("accumulate")?,
            drop_last: state.get("drop_last")?,
        };
        if saved != cut {
            return Err(StateError::new(format!(
                "the run was stopped within an epoch of {saved}, and this trainer has {cut}"
            )));
        }
        let sums = Sums {
            loss: state.get("loss")?,
            weight: state.get("weight")?,
            norm: state.get("norm")?,
            steps: state.get("steps")?,
        };
        let (start, examples, batches) =
            (state.rng("start")?.state(), state.get("examples")?, state.get("batches")?);
        let count = if cut.drop_last { examples / cut.batch } else { usize::div_ceil(examples, cut.batch) };
        if batches == 0 || batches >= count || batches % cut.accumulate != 0 {
            return Err(StateError::new(format!(
                "the run was stopped after {batches} of {count} batches, which is no place between two steps"
            )));
        }
        Ok(Some(Part { start, examples, batches, sums }))
    }
}
