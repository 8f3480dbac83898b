//! Where in a model an error arose: the parts that are being computed, for messages.

use std::{
    cell::{Cell, RefCell},
    fmt::Write as _,
    io::Write as _,
    thread::panicking,
};

thread_local! {
    /// The parts that this thread is in, the outer ones first.
    static PARTS: RefCell<Vec<(Part, &'static str)>> = const { RefCell::new(Vec::new()) };
    /// Whether the message of the panic that unwinds this thread names them.
    static IS_NAMED: Cell<bool> = const { Cell::new(false) };
}

/// What a part of a model is called in the whole.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// Its place in a list.
    Place(usize),
    /// The name of a field.
    Field(&'static str),
}

/// A part of a model that is being computed. While it lives, the [`ShapeError`](crate::ShapeError)s that this thread panics
/// with name the part; another panic that passes it is followed by a line with that name on the standard error.
///
/// ```should_panic
/// use gradus_tensor::{Part, Tensor, Within};
///
/// let _model = Within::new(Part::Field("encoder"), "Sequential");
/// let _layer = Within::new(Part::Place(2), "Linear");
/// // add: shapes [2] and [3] do not broadcast (axis -1: 2 and 3); in layer encoder.2, Linear
/// let _ = Tensor::ones([2]) + Tensor::ones([3]);
/// ```
#[must_use = "the part ends when this is dropped"]
#[derive(Debug)]
pub struct Within(());

impl Within {
    /// Begins a part of this name and kind.
    pub fn new(part: Part, kind: &'static str) -> Within {
        PARTS.with_borrow_mut(|parts| parts.push((part, kind)));
        Within(())
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        if panicking() && !IS_NAMED.replace(true) {
            // Where that cannot be written there is nobody to read it.
            let _ =
                writeln!(std::io::stderr(), "the panic came from {}", place().trim_start_matches("; in "));
        }
        let is_last = PARTS.with_borrow_mut(|parts| {
            parts.pop();
            parts.is_empty()
        });
        if is_last {
            IS_NAMED.set(false);
        }
    }
}

/// What a message ends with: `; in layer 1.0, Linear`, or nothing outside of any part.
pub(crate) fn place() -> String {
    PARTS.with_borrow(|parts| {
        let Some((_, kind)) = parts.last() else { return String::new() };
        let mut place = "; in layer ".to_string();
        for (i, (part, _)) in parts.iter().enumerate() {
            let dot = if i > 0 { "." } else { "" };
            // Writing to a string does not fail.
            let _ = match part {
                Part::Place(place_in_list) => write!(place, "{dot}{place_in_list}"),
                Part::Field(name) => write!(place, "{dot}{name}"),
            };
        }
        place + ", " + kind
    })
}

/// [`place`], for the message of a panic.
pub(crate) fn named_place() -> String {
    let place = place();
    IS_NAMED.set(!place.is_empty());
    place
}
