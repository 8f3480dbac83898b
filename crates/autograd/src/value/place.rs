//! Where values live: on a tape, or nowhere in particular.

use super::{Value, param::Param, values::Values};
use gradus_tensor::{ShapeError, Tensor};

/// A place where values of kind `V` live: a tape, or no tape at all ([`eager`]).
///
/// It brings parameters and constants there, and knows whether the computation trains a model.
#[derive(Debug)]
pub struct Place<V: Value>(V::Tape);

impl<V: Value> Clone for Place<V> {
    fn clone(&self) -> Place<V> {
        *self
    }
}

impl<V: Value> Copy for Place<V> {}

impl<V: Value> Place<V> {
    pub(crate) fn new(place: V::Tape) -> Place<V> {
        Place(place)
    }

    /// A value that no gradient flows to.
    #[track_caller]
    pub fn constant(self, value: impl Into<Tensor>) -> V {
        V::constant_at(self.0, value.into())
    }

    /// The value of a parameter; on a tape the same variable however often it is asked for.
    #[track_caller]
    pub fn param(self, param: &Param) -> V {
        V::param_at(self.0, param)
    }

    /// Whether the computation trains a model: only on a tape in training mode. Who asks works otherwise in training, so that
    /// [`Tape::step`](crate::Tape::step) refuses a tape on which nobody has decided.
    #[track_caller]
    pub fn is_training(self) -> bool {
        V::is_training_at(self.0)
    }

    /// Says that a loss that is being recorded is a mean over this weight: so many labels that are not ignored, or the sum of
    /// their classes' weights. What trains on a batch in parts weighs the parts so, and the means together are that of the
    /// whole batch; a loss that says nothing is weighed by its number of examples. Of several such means in one loss the
    /// weights are added. The methods of [`ClassLoss`](crate::ops::loss::ClassLoss) that take labels say it themselves.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// let w = Param::new(2.0);
    /// let (_, gradients, ()) = Tape::new().step(|tape| {
    ///     tape.place().weigh(3.0);
    ///     (tape.param(&w).square(), ())
    /// });
    /// assert_eq!(gradients.weight(), Some(3.0));
    /// ```
    pub fn weigh(self, weight: f64) {
        V::weigh_at(self.0, weight);
    }

    /// Asks for a change of a [buffer](Param::buffer): `buffer ← keep · buffer + add`. With `keep` 1 - m and `add` m times
    /// a batch's value it moves a running average by the share m; with 1 and 1 it counts.
    ///
    /// The buffer stays as it is during the step. The tape's [`Gradients`](crate::Gradients) carry the change to the
    /// optimizer, which makes it together with its own; without an optimizer
    /// [`Gradients::update_buffer`](crate::Gradients::update_buffer) does. Outside training nothing happens.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// let (w, mut seen) = (Param::new(2.0), Param::buffer(0.0));
    /// let (_, gradients, ()) = Tape::training(0).step(|tape| {
    ///     tape.place().update_buffer(&seen, 1.0, Tensor::scalar(1.0));
    ///     (tape.param(&w).square(), ())
    /// });
    /// assert_eq!(seen.value().item(), 0.0);
    /// gradients.update_buffer(&mut seen);
    /// assert_eq!(seen.value().item(), 1.0);
    /// ```
    ///
    /// # Panics
    /// When it is no buffer, or `add` has another shape.
    #[track_caller]
    pub fn update_buffer(self, buffer: &Param, keep: f32, add: Tensor) {
        assert!(buffer.is_buffer(), "update_buffer: this is a parameter; make a buffer with Param::buffer");
        if add.shape() != buffer.value().shape() {
            let (found, wanted) = (add.shape(), buffer.value().shape());
            ShapeError::new(format!("update_buffer: the buffer has shape {wanted}, what is added {found}"))
                .fail()
        }
        V::update_buffer_at(self.0, buffer, keep, add);
    }

    /// Records `f` and keeps only what it returns: the values in between are dropped, and computed again when a sweep
    /// needs them. It trades time, one more forward of this part, for memory. On tensors it is just `f`.
    ///
    /// Results and gradients have the bits that they have without it, randomness included, since a random operation
    /// keeps its seed. Checkpoints nest, may use parameters, and gradients of gradients go through them. A value from
    /// inside that is not returned cannot be read or used outside.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// fn block<V: Value>(x: &V) -> V {
    ///     (x * x).sin().exp()
    /// }
    ///
    /// let tape = Tape::new();
    /// let x = tape.var([0.1, 0.2]);
    /// let y = x.place().checkpoint(|| block(&x));
    /// assert_eq!(y.sum().backward()[x], block(&x).sum().backward()[x]);
    /// ```
    ///
    /// # Panics
    /// When `f` returns a variable of another tape.
    #[track_caller]
    pub fn checkpoint<R: Values<V>>(self, f: impl FnOnce() -> R) -> R {
        V::checkpoint_at(self.0, f)
    }

    /// A fresh seed for an operation that is random in training, such as dropout; `None` in evaluation.
    ///
    /// An operation keeps the seed as an attribute, so that replays and every order of derivative see one mask.
    #[track_caller]
    pub fn draw(self) -> Option<u64> {
        V::draw_at(self.0)
    }
}

/// The place of tensors: operations are evaluated at once, in evaluation mode.
pub fn eager() -> Place<Tensor> {
    Place(())
}
