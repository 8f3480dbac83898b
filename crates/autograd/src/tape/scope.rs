//! Scopes: recordings that are dropped when a block ends.

use super::Tape;
use std::cell::{Cell, RefCell};

impl Tape {
    /// Runs `f`, and then drops what it recorded: values, the updates of buffers that its layers asked for,
    /// and what its losses weigh.
    ///
    /// For work beside a recording that goes on, such as many Hessian-vector products of one loss: each records a gradient
    /// and its gradient, and without a scope all of them stay until the tape is cleared. What `f` gives is carried out as
    /// tensors, numbers or [`Gradients`](crate::Gradients). Values from before the scope can be used in it, and scopes nest.
    /// The random state goes on.
    ///
    /// ```
    /// use gradus_autograd::{functional::hvp, prelude::*};
    ///
    /// let tape = Tape::new();
    /// let x = tape.var([1.0, 2.0]);
    /// let before = tape.len();
    /// let mut v = Tensor::from([1.0, 1.0]);
    /// for _ in 0..60 {
    ///     // The power method: the Hessian of Σ x⁴ is diagonal, with 12 x².
    ///     v = tape.scope(|| hvp(|x| x.square().square().sum(), x, tape.constant(&v)).value());
    ///     v = &v / v.norm();
    /// }
    /// assert_eq!(tape.len(), before);
    /// assert!((v.get([1]) - 1.0).abs() < 1e-6);
    /// ```
    ///
    /// A variable of the scope that is used after its end, or given to it, is refused:
    ///
    /// ```should_panic
    /// # use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var(3.0);
    /// let y = tape.scope(|| x * x);
    /// y.item(); // the variable was recorded in a tape.scope that has ended
    /// ```
    ///
    /// # Panics
    /// As `f` does; what it recorded is dropped then too. When a [`graph`](Tape::graph) of the tape that was made in the
    /// scope is still there at its end.
    #[track_caller]
    pub fn scope<R>(&self, f: impl FnOnce() -> R) -> R {
        let updates = self.updates.borrow().len();
        let scope = Scope { tape: self, start: self.len(), updates, weight: self.weight.get() };
        let result = f();
        self.inspect_from(scope.start);
        result
    }
}

/// Drops what was recorded since, also when that panicked.
struct Scope<'t> {
    tape: &'t Tape,
    start: usize,
    updates: usize,
    weight: Option<f64>,
}

impl Drop for Scope<'_> {
    fn drop(&mut self) {
        let Scope { tape, start, updates, weight } = *self;
        tape.updates.borrow_mut().truncate(updates);
        tape.weight.set(weight);
        if tape.len() == start {
            return; // nothing to drop, so there is no variable to refuse
        }
        if !tape.nodes.truncate(start) {
            // A second panic would end the program.
            assert!(
                std::thread::panicking(),
                "scope: a graph of the tape, made in the scope, is still there at its end"
            );
            return;
        }
        tape.params.borrow_mut().retain(|_, id| (*id as usize) < start);
        tape.segments.borrow_mut().truncate(start);
        tape.scopes.end(start as u32);
    }
}

/// The scopes that have ended, by which variables that outlive theirs are known: positions are used again.
#[derive(Default)]
pub(crate) struct Scopes {
    ended: Cell<u32>,
    /// Of those that still matter, the number and the position from which on values were dropped, both ascending: one that
    /// dropped more makes those before it superfluous.
    dropped: RefCell<Vec<(u32, u32)>>,
}

impl Scopes {
    /// How many have ended: what a new variable remembers.
    #[inline]
    pub(crate) fn ended(&self) -> u32 {
        self.ended.get()
    }

    /// Whether the value at a position, recorded when `ended` scopes had ended, is still there.
    #[inline]
    pub(crate) fn keep(&self, id: u32, ended: u32) -> bool {
        ended == self.ended.get() || !self.has_dropped(id, ended)
    }

    fn has_dropped(&self, id: u32, ended: u32) -> bool {
        let dropped = self.dropped.borrow();
        // Of those that ended since, the first one dropped the most.
        let since = dropped.partition_point(|&(number, _)| number < ended);
        dropped.get(since).is_some_and(|&(_, start)| start <= id)
    }

    fn end(&self, start: u32) {
        let mut dropped = self.dropped.borrow_mut();
        while dropped.last().is_some_and(|&(_, earlier)| earlier >= start) {
            dropped.pop();
        }
        let number = self.ended.get();
        dropped.push((number, start));
        self.ended.set(number.checked_add(1).expect("a tape holds at most 2^32 scopes"));
    }

    pub(crate) fn clear(&mut self) {
        *self = Scopes::default();
    }
}
