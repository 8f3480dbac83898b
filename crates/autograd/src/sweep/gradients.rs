//! The gradients that a sweep found.

use crate::{
    tape::{Tape, undecided_at, var::Var},
    value::param::{BufferUpdate, Param, ParamId},
};
use gradus_tensor::{ShapeError, Tensor};
use std::{collections::HashMap, fmt, ops::Index, panic::Location};

/// The gradients of a loss by the variables and parameters of its tape.
///
/// Index it by a [`Var`] made with [`Tape::var`](crate::Tape::var) or by a [`Param`]. The gradients of values in
/// between are not kept: ask for them with [`Hooks::retain`](crate::Hooks::retain) or [`Var::grad`].
#[derive(Debug, Clone, Default)]
pub struct Gradients {
    /// The tape and its generation, which variables must match; `None` for sums over several tapes.
    pub(crate) tape: Option<(u64, u64)>,
    /// How many scopes of the tape had ended.
    pub(crate) scopes: u32,
    /// By position on the tape, ascending.
    pub(crate) by_var: Vec<(u32, Option<Tensor>)>,
    /// `None` for a parameter that is on the tape but that the loss does not depend on.
    pub(crate) by_param: HashMap<ParamId, Option<Tensor>>,
    /// In the order in which they were asked for.
    pub(crate) updates: Vec<BufferUpdate>,
    /// What the means in the recording were taken over.
    pub(crate) weight: Option<f64>,
    /// Where the recording asked for a mode that nobody had decided on.
    pub(crate) undecided: Option<&'static Location<'static>>,
}

impl Gradients {
    /// The gradient by a variable that [`Tape::var`](crate::Tape::var) made; `None` when the loss does not depend on it.
    ///
    /// # Panics
    /// When the variable is of another tape, of an earlier use of this tape, or a value that was computed.
    #[track_caller]
    pub fn get(&self, var: Var<'_>) -> Option<&Tensor> {
        assert!(
            self.tape == Some(var.tape_and_generation()),
            "gradients: the variable is not of the tape, or the use of the tape, that these gradients came from"
        );
        let id = var.id();
        assert!(
            var.tape().scopes.keep(id, self.scopes),
            "gradients: they came from a tape.scope that has ended, before the variable was made"
        );
        match self.by_var.binary_search_by_key(&id, |&(id, _)| id) {
            Ok(found) => self.by_var[found].1.as_ref(),
            Err(_) => panic!(
                "gradients: {} is no variable made by tape.var(..) before the sweep; for a constant there is no gradient, \
                 for a computed value ask loss.grad(&[value]) or retain it with hooks",
                var.describe()
            ),
        }
    }

    /// The gradient by a parameter; `None` when the loss does not depend on it.
    pub fn of(&self, param: &Param) -> Option<&Tensor> {
        self.by_param.get(&param.id())?.as_ref()
    }

    /// The parameters of a list that the loss does not depend on, so that training would leave them as they are: a
    /// branch of a model that is never taken, a layer whose output is dropped, a `detach` too many. Frozen ones, which
    /// are meant to stay, are left out.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// let (used, cut, forgotten) = (Param::new(1.0), Param::new(2.0), Param::new(3.0));
    /// let tape = Tape::new();
    /// let loss = tape.param(&used).square() + tape.param(&cut).detach();
    /// let names = [("used", &used), ("cut", &cut), ("forgotten", &forgotten)].map(|(n, p)| (n.to_string(), p));
    /// let unreached = loss.backward().unreached(&names);
    /// assert_eq!(unreached[0].to_string(), "cut []: used on the tape, but the loss does not depend on it");
    /// assert_eq!(unreached[1].to_string(), "forgotten []: not used on the tape");
    /// ```
    pub fn unreached<'p>(&self, params: &'p [(String, &Param)]) -> Vec<Unreached<'p>> {
        let found = params.iter().filter(|(_, param)| !param.is_frozen() && self.of(param).is_none());
        found
            .map(|(name, param)| Unreached { name, param, used: self.by_param.contains_key(&param.id()) })
            .collect()
    }

    /// The gradient by a parameter, for changing: to clip it, or to scale it.
    pub fn of_mut(&mut self, param: &Param) -> Option<&mut Tensor> {
        self.by_param.get_mut(&param.id())?.as_mut()
    }

    /// Takes the gradient by a parameter out: it counts as one that the loss does not depend on from then on.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// let w = Param::new([1.0, 2.0]);
    /// let (_, mut gradients, ()) = Tape::new().step(|tape| (tape.param(&w).square().sum(), ()));
    /// assert_eq!(gradients.take(&w).unwrap().to_vec(), [2.0, 4.0]);
    /// assert!(gradients.of(&w).is_none());
    /// ```
    pub fn take(&mut self, param: &Param) -> Option<Tensor> {
        self.by_param.get_mut(&param.id())?.take()
    }

    /// Multiplies the gradients of all parameters, as for a mean of several batches. The changes of buffers stay.
    pub fn scale(&mut self, factor: f32) {
        for gradient in self.by_param.values_mut().flatten() {
            // One that was broadcast has all its elements in one place, and keeps it.
            *gradient = &*gradient * factor;
        }
    }

    /// Whether the gradients of all parameters are free of NaN and infinities. It reads each once.
    pub fn is_finite(&self) -> bool {
        self.by_param.values().flatten().all(Gradients::is_sound)
    }

    /// Whether one gradient is free of NaN and infinities.
    #[doc(hidden)]
    pub fn is_sound(gradient: &Tensor) -> bool {
        // A product with 0 is 0 unless something is not finite.
        match gradient.as_slice() {
            Some(elements) => elements.chunks(4096).all(|part| {
                let mut sums = [0.0f32; 16];
                let (blocks, rest) = part.as_chunks::<16>();
                for block in blocks {
                    sums.iter_mut().zip(block).for_each(|(sum, x)| *sum += x * 0.0);
                }
                sums.iter().chain(rest).map(|x| x * 0.0).sum::<f32>() == 0.0
            }),
            None => gradient.iter().all(f32::is_finite),
        }
    }

    /// What the means in the recording were taken over, if they said so: see [`Place::weigh`](crate::Place::weigh). Of
    /// merged gradients it is the sum.
    pub fn weight(&self) -> Option<f64> {
        self.weight
    }

    /// Says what the means were taken over, where they were combined elsewhere.
    pub fn set_weight(&mut self, weight: Option<f64>) {
        self.weight = weight;
    }

    /// Refuses gradients that are not fit for training: an optimizer asks before it changes anything.
    ///
    /// # Panics
    /// When they came from a tape made with [`Tape::new`](crate::Tape::new), and the recording used a layer that works
    /// otherwise in training.
    #[track_caller]
    pub fn check_mode(&self) {
        if let Some(place) = self.undecided {
            panic!("optimizer: {}", undecided_at(place));
        }
    }

    /// Makes the changes of a buffer that the layers of the forward pass asked for, in their order; see
    /// [`Place::update_buffer`](crate::Place::update_buffer). Optimizers do it for all buffers of a model.
    pub fn update_buffer(&self, buffer: &mut Param) {
        let id = buffer.id();
        for update in self.updates.iter().filter(|update| update.buffer == id) {
            let value = buffer.value() * update.keep + &update.add;
            *buffer.value_mut() = value;
        }
    }

    /// Puts a gradient in, or in the place of the one that is there, such as the sum over several processes.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// let w = Param::new([1.0, 2.0]);
    /// let mut gradients = Gradients::default();
    /// gradients.insert(&w, Tensor::from([0.5, -0.5]));
    /// assert_eq!(gradients[&w].to_vec(), [0.5, -0.5]);
    /// ```
    ///
    /// # Panics
    /// When it has another shape than the parameter.
    #[track_caller]
    pub fn insert(&mut self, param: &Param, gradient: Tensor) {
        if gradient.shape() != param.value().shape() {
            ShapeError::new(format!(
                "gradients: a gradient of shape {} is not one of a parameter of shape {}",
                gradient.shape(),
                param.value().shape()
            ))
            .fail()
        }
        self.by_param.insert(param.id(), Some(gradient));
    }

    /// The changes of buffers that the layers of the forward pass asked for, in their order: the buffer, and what the
    /// change keeps of it and adds to it, as [`Place::update_buffer`](crate::Place::update_buffer) was told.
    pub fn buffer_updates(&self) -> impl Iterator<Item = (ParamId, f32, &Tensor)> {
        self.updates.iter().map(|update| (update.buffer, update.keep, &update.add))
    }

    /// Puts other changes of buffers in the place of those, such as the changes of several processes one after the other.
    pub fn set_buffer_updates(&mut self, updates: impl IntoIterator<Item = (ParamId, f32, Tensor)>) {
        // A recording of its own, so that a later merge takes them for no copy of others.
        let (tape, generation) = Tape::new().id_and_generation();
        let new = |(buffer, keep, add)| BufferUpdate { buffer, keep, add, recording: (tape, generation, 0) };
        self.updates = updates.into_iter().map(new).collect();
    }

    /// Adds the gradients of another tape for the same parameters, as the shards of a batch give. The gradients of
    /// variables, which belong to one tape, are dropped. The other's changes of buffers come after these, once for each
    /// tape: two losses of one tape have the same.
    pub fn merge(mut self, mut other: Gradients) -> Gradients {
        other.updates.retain(|new| self.updates.iter().all(|known| known.recording != new.recording));
        self.updates.append(&mut other.updates);
        (self.tape, self.by_var) = (None, Vec::new());
        self.undecided = self.undecided.or(other.undecided);
        self.weight = match (self.weight, other.weight) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
        for (id, gradient) in other.by_param {
            let sum = self.by_param.entry(id).or_default();
            *sum = match (sum.take(), gradient) {
                (Some(a), Some(b)) => Some(a + &b),
                (a, b) => a.or(b),
            };
        }
        self
    }
}

/// A parameter without a gradient: see [`Gradients::unreached`].
#[derive(Clone, Copy, Debug)]
pub struct Unreached<'p> {
    /// Its name in the list.
    pub name: &'p str,
    /// The parameter.
    pub param: &'p Param,
    /// Whether it came onto the tape at all.
    pub used: bool,
}

impl fmt::Display for Unreached<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = if self.used {
            "used on the tape, but the loss does not depend on it"
        } else {
            "not used on the tape"
        };
        write!(f, "{} {}: {why}", self.name, self.param.value().shape())
    }
}

impl Index<Var<'_>> for Gradients {
    type Output = Tensor;

    #[track_caller]
    fn index(&self, var: Var<'_>) -> &Tensor {
        // A closure would lose the caller's line.
        match self.get(var) {
            Some(gradient) => gradient,
            None => panic!(
                "gradients: the loss does not depend on {}; use get(..) where that may be",
                var.describe()
            ),
        }
    }
}

impl Index<&Param> for Gradients {
    type Output = Tensor;

    #[track_caller]
    fn index(&self, param: &Param) -> &Tensor {
        match self.by_param.get(&param.id()) {
            Some(Some(gradient)) => gradient,
            Some(None) => panic!(
                "gradients: the loss does not depend on this parameter of shape {}; `unreached(&model.params())` names it",
                param.value().shape()
            ),
            None => panic!(
                "gradients: this parameter of shape {} was not used on the tape; `unreached(&model.params())` names it",
                param.value().shape()
            ),
        }
    }
}
