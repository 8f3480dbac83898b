//! Calls of other people's functions: counted, limited, and alive after a panic.

use crate::search::Subject;
use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// What a call gave, or the message of its panic.
pub(crate) fn guarded<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|panic| message(&*panic))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

/// A function of numbers, near a point.
pub(crate) struct Calls<'a> {
    f: &'a dyn Fn(&[f64]) -> Vec<f64>,
    x: Vec<f64>,
    moved: RefCell<Vec<f64>>,
    limit: usize,
    pub(crate) count: Cell<usize>,
    /// How often it panicked, and the first message.
    panics: RefCell<(usize, String)>,
}

impl<'a> Calls<'a> {
    pub(crate) fn new(f: &'a dyn Fn(&[f64]) -> Vec<f64>, x: &[f64], limit: usize) -> Calls<'a> {
        let moved = RefCell::new(x.to_vec());
        Calls { f, x: x.to_vec(), moved, limit, count: Cell::new(0), panics: RefCell::default() }
    }

    /// The values at the point itself.
    pub(crate) fn at_point(&self) -> Result<Vec<f64>, String> {
        self.count.set(self.count.get() + 1);
        guarded(|| (self.f)(&self.x))
    }

    /// The values at `t` times a direction from the point; none after a panic or the limit.
    pub(crate) fn values(&self, direction: &[(usize, f64)], t: f64) -> Option<Vec<f64>> {
        if self.is_exhausted() {
            return None;
        }
        self.count.set(self.count.get() + 1);
        let mut moved = self.moved.borrow_mut();
        direction.iter().for_each(|&(i, d)| moved[i] = self.x[i] + t * d);
        let values = guarded(|| (self.f)(&moved));
        direction.iter().for_each(|&(i, _)| moved[i] = self.x[i]);
        values
            .map_err(|message| {
                let mut panics = self.panics.borrow_mut();
                if panics.0 == 0 {
                    panics.1 = message;
                }
                panics.0 += 1;
            })
            .ok()
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.count.get() >= self.limit
    }

    /// What should be known of the calls.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let (count, first) = &*self.panics.borrow();
        if *count > 0 {
            notes.push(format!(
                "the function panicked {count} times near the point, as where it is not defined: {first}"
            ));
        }
        if self.is_exhausted() {
            notes.push(format!("the limit of {} evaluations was reached", self.limit));
        }
        notes
    }
}

/// The first value of a function, times the weights where there are several.
pub(crate) struct Weighted<'a> {
    pub(crate) calls: &'a Calls<'a>,
    pub(crate) weights: Vec<f64>,
}

impl Subject for Weighted<'_> {
    fn value(&self, direction: &[(usize, f64)], t: f64) -> f64 {
        let Some(values) = self.calls.values(direction, t) else { return f64::NAN };
        match values.len() == self.weights.len() {
            true => values.iter().zip(&self.weights).map(|(y, weight)| y * weight).sum(),
            false => f64::NAN,
        }
    }

    fn is_exhausted(&self) -> bool {
        self.calls.is_exhausted()
    }
}

/// All values of a function along one direction, each step computed once for all of them.
pub(crate) struct Outputs<'a> {
    calls: &'a Calls<'a>,
    direction: &'a [(usize, f64)],
    known: RefCell<HashMap<u64, Option<Vec<f64>>>>,
}

impl<'a> Outputs<'a> {
    pub(crate) fn new(calls: &'a Calls<'a>, direction: &'a [(usize, f64)]) -> Outputs<'a> {
        Outputs { calls, direction, known: RefCell::default() }
    }

    pub(crate) fn value(&self, output: usize, t: f64) -> f64 {
        let mut known = self.known.borrow_mut();
        let values = known.entry(t.to_bits()).or_insert_with(|| self.calls.values(self.direction, t));
        values.as_ref().and_then(|values| values.get(output)).copied().unwrap_or(f64::NAN)
    }
}
