//! What a recurrent layer carries from one piece of a sequence to the next.

use crate::{
    layers::sizes::demand,
    save::{State, StateError},
};
use gradus_autograd::{Place, Value};
use gradus_tensor::Tensor;

/// The state of recurrent layers and cells: what they carry along a sequence, and from one piece of it to the next.
///
/// In truncated backpropagation through time (R. J. Williams and J. Peng, 1990; book 2, chapter 5) a long sequence is
/// learnt in pieces: each starts from the state after the last one, but no gradient goes back there. A variable ends with
/// its tape, so the state is carried as plain tensors: [`detach`](RecurrentState::detach) takes them out of one step, and
/// [`on`](RecurrentState::on) brings them to the next as constants.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Adam, Lstm, Module, Optimizer, RecurrentState};
///
/// let mut rng = Rng::seed(0);
/// let mut lstm = Lstm::new(3, 3, &mut rng);
/// let (mut adam, mut tape) = (Adam::new(0.01), Tape::training(1));
/// let long = Tensor::randn([2, 40, 3], &mut rng); // [n, steps, inputs]
///
/// let mut state: Option<RecurrentState<Tensor>> = None;
/// for piece in long.chunk(4, 1) {
///     let (_, gradients, after) = tape.step(|tape| {
///         let before = state.as_ref().map(|state| state.on(tape.place()));
///         let x = tape.constant(&piece);
///         let (y, after) = lstm.forward_from(x, before.as_ref());
///         ((y - x).square().mean(), after.detach())
///     });
///     adam.step(&mut lstm, &gradients);
///     state = Some(after);
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RecurrentState<V> {
    /// The hidden state, which is also the output: of a cell `[n, hidden]`, of a layer
    /// `[layers · directions, n, hidden]`, the reverse direction of a layer after its forward one.
    pub h: V,
    /// The cell state of an LSTM, of the same shape unless h is projected; `None` for the others.
    pub c: Option<V>,
}

impl<V: Value> RecurrentState<V> {
    /// The numbers alone: gradients stop here.
    pub fn detach(&self) -> RecurrentState<Tensor> {
        RecurrentState { h: self.h.to_tensor(), c: self.c.as_ref().map(V::to_tensor) }
    }

    /// Of the values that a recurrence ends with.
    pub(super) fn from_values(values: Vec<V>) -> RecurrentState<V> {
        let mut values = values.into_iter();
        RecurrentState { h: values.next().expect("every cell has a hidden state"), c: values.next() }
    }

    /// The values in a recurrence's order.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        [&self.h].into_iter().chain(&self.c)
    }

    /// Refuses a state whose values are not of these shapes.
    #[track_caller]
    pub(super) fn check(&self, layer: &str, shapes: &[Vec<usize>]) {
        let found: Vec<_> = self.values().map(V::shape).collect();
        demand(
            found.len() == shapes.len()
                && found.iter().zip(shapes).all(|(found, right)| found[..] == right[..]),
            || {
                format!(
                    "{layer}: the state must be {}, but is {}",
                    match shapes {
                        [h] => format!("h of shape {h:?}"),
                        [h, c] if h == c => format!("h and c of shape {h:?}"),
                        shapes => format!("h of shape {:?} and c of shape {:?}", shapes[0], shapes[1]),
                    },
                    match &found[..] {
                        [h] => format!("h {h}"),
                        found => format!("h {} and c {}", found[0], found[1]),
                    }
                )
            },
        );
    }
}

impl RecurrentState<Tensor> {
    /// What is to be saved, where a run stops between two pieces of a sequence.
    ///
    /// ```
    /// use gradus_nn::RecurrentState;
    /// use gradus_tensor::Tensor;
    /// let state = RecurrentState { h: Tensor::ones([1, 2, 3]), c: None };
    /// assert_eq!(RecurrentState::restore(&state.state()), Ok(state));
    /// ```
    pub fn state(&self) -> State {
        let mut state = State::new();
        state.put_tensor("h", self.h.clone());
        self.c.iter().for_each(|c| state.put_tensor("c", c.clone()));
        state
    }

    /// What [`state`](RecurrentState::state) gave.
    ///
    /// # Errors
    /// When there is no h.
    pub fn restore(state: &State) -> Result<RecurrentState<Tensor>, StateError> {
        let [h, c] = ["h", "c"].map(|name| state.tensors().get(name).cloned());
        Ok(RecurrentState { h: h.ok_or_else(|| StateError::new("h is missing"))?, c })
    }

    /// The same state as constants of a place: of a tape, `state.on(tape.place())`.
    #[track_caller]
    pub fn on<V: Value>(&self, at: Place<V>) -> RecurrentState<V> {
        RecurrentState { h: at.constant(&self.h), c: self.c.as_ref().map(|c| at.constant(c)) }
    }
}
