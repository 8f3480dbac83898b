//! Variables: handles to the values on a tape, with operators.

use crate::tape::Tape;
use gradus_tensor::{Shape, Tensor};
use std::fmt;

/// A value on a tape: a handle, as cheap to copy as a number. Operations on it are recorded.
///
/// It cannot leave the thread of its tape:
///
/// ```compile_fail
/// fn send<T: Send>() {}
/// send::<gradus_autograd::Var<'static>>();
/// ```
#[derive(Clone, Copy)]
pub struct Var<'t> {
    tape: &'t Tape,
    id: u32,
    /// How many scopes of the tape had ended when the handle was made.
    scopes: u32,
}

impl<'t> Var<'t> {
    pub(crate) fn new(tape: &'t Tape, id: u32) -> Var<'t> {
        Var { tape, id, scopes: tape.scopes.ended() }
    }

    /// The tape that it lives on.
    pub fn tape(self) -> &'t Tape {
        self.tape
    }

    #[inline]
    #[track_caller]
    pub(crate) fn id(self) -> u32 {
        self.check_alive();
        self.id
    }

    /// [`id`](Var::id) for who has checked before that it is alive.
    #[inline]
    pub(super) fn checked_id(self) -> u32 {
        self.id
    }

    /// Refuses a variable whose value a scope has dropped: another one may stand in its place.
    #[inline]
    #[track_caller]
    pub(crate) fn check_alive(self) {
        assert!(
            self.tape.scopes.keep(self.id, self.scopes),
            "the variable was recorded in a tape.scope that has ended: carry its numbers out of the scope, with value() or item()"
        );
    }

    pub(crate) fn tape_and_generation(self) -> (u64, u64) {
        self.tape.id_and_generation()
    }

    /// The numbers: a handle to the same buffer, not a copy.
    #[track_caller]
    pub fn value(self) -> Tensor {
        self.tape.nodes.read()[self.id() as usize].value().clone()
    }

    /// The sizes of the axes.
    #[track_caller]
    pub fn shape(self) -> Shape {
        self.tape.nodes.read()[self.id() as usize].value().shape().clone()
    }

    /// The one number of a value that has just one.
    ///
    /// # Panics
    /// When there are more, or none.
    #[track_caller]
    pub fn item(self) -> f32 {
        self.value().item()
    }

    /// Whether a gradient flows to it: a variable or a parameter lies under it.
    #[track_caller]
    pub(crate) fn needs_gradient(self) -> bool {
        self.tape.nodes.read()[self.id() as usize].needs
    }

    /// Shape and place, for messages: `%5 [2, 3] (src/model.rs:14)`.
    pub(crate) fn describe(self) -> String {
        if !self.tape.scopes.keep(self.id, self.scopes) {
            return format!("%{} of a scope that has ended", self.id);
        }
        let nodes = self.tape.nodes.read();
        let node = &nodes[self.id as usize];
        let shape = node.value.as_ref().map_or("released".into(), |value| value.shape().to_string());
        format!("%{} {shape} ({}:{})", self.id, node.location.file(), node.location.line())
    }
}

impl fmt::Debug for Var<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Var {}", self.describe())
    }
}
