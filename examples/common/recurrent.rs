//! What recurrent layers have in common.

use gradus::prelude::*;

/// A recurrent layer of any kind.
pub(crate) trait Recurrent: Module {
    /// The outputs along a sequence, from a state or from zeros, and the state after it.
    fn along<V: Value>(&self, x: V, state: Option<&RecurrentState<V>>) -> (V, RecurrentState<V>);
}

impl Recurrent for Rnn {
    fn along<V: Value>(&self, x: V, state: Option<&RecurrentState<V>>) -> (V, RecurrentState<V>) {
        self.forward_from(x, state)
    }
}

impl Recurrent for Lstm {
    fn along<V: Value>(&self, x: V, state: Option<&RecurrentState<V>>) -> (V, RecurrentState<V>) {
        self.forward_from(x, state)
    }
}
