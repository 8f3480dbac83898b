//! The error of a wrong shape: one type, one way to panic with it.

use crate::within::named_place;
use std::{
    cell::Cell,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

thread_local! {
    /// Whether a [`ShapeError::catch`] waits for what fails on this thread.
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// A shape, axis or index that does not fit an operation: a sentence that begins with the operation's name and
/// says both shapes, the rule, and where it helps a hint.
///
/// Operations panic with this message at the caller's line, and with the [part](crate::Within) of the model that they were
/// in; the few `try_` forms return it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError(String);

impl ShapeError {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> ShapeError {
        ShapeError(message.into())
    }

    /// Panics with the message, at the caller's line.
    #[cold]
    #[track_caller]
    pub fn fail(&self) -> ! {
        if IS_CAUGHT.get() {
            // Not a panic yet: it will be one at the line of whoever catches it, and be reported from there.
            resume_unwind(Box::new(self.clone()))
        }
        panic!("{}{}", self.0, named_place())
    }

    /// Whether a [`catch`](ShapeError::catch) waits on this thread.
    #[inline]
    pub fn is_caught() -> bool {
        IS_CAUGHT.get()
    }

    /// Runs `f`, and gives back as an error what fails in it on this thread with a `ShapeError`.
    ///
    /// For code that is called in a way that loses the caller's line (through a table of functions): who calls it knows the
    /// line, and panics there. Other panics pass. In programs that abort on panics nothing is caught, and the message names
    /// the line where it arose.
    ///
    /// # Errors
    /// The first failure.
    ///
    /// ```
    /// use gradus_tensor::{ShapeError, Tensor};
    ///
    /// let error = ShapeError::catch(|| Tensor::ones([2]) + Tensor::ones([3])).unwrap_err();
    /// assert!(error.to_string().starts_with("add: shapes [2] and [3] do not broadcast"));
    /// ```
    #[inline]
    pub fn catch<R>(f: impl FnOnce() -> R) -> Result<R, ShapeError> {
        if !cfg!(panic = "unwind") {
            return Ok(f());
        }
        let outer = IS_CAUGHT.replace(true);
        let result = catch_unwind(AssertUnwindSafe(f));
        IS_CAUGHT.set(outer);
        result.map_err(|payload| match payload.downcast::<ShapeError>() {
            Ok(error) => *error,
            Err(panic) => resume_unwind(panic),
        })
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ShapeError {}

/// Unwraps a shape rule's answer or panics with its message at the caller's line.
pub trait OrFail<T> {
    /// The value, or a panic with the error's message.
    fn or_fail(self) -> T;
}

impl<T> OrFail<T> for Result<T, ShapeError> {
    #[track_caller]
    fn or_fail(self) -> T {
        match self {
            Ok(value) => value,
            Err(error) => error.fail(),
        }
    }
}
