//! The error of a wrong shape: one type, one way to panic with it.

use crate::within::named_place;
use std::fmt;

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
        panic!("{}{}", self.0, named_place())
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
