//! The pool that recycles buffers, so that a steady training step asks the system for nothing.
//!
//! Allocations come in size classes, four to a doubling. Small ones are kept by the thread that dropped them (no
//! lock, warm in its cache); large ones, and what a thread has too much of, lie in lists that all threads share.

use crate::buffer::{self, Header};
use std::{cell::RefCell, ptr::NonNull, sync::Mutex};

/// Elements in the smallest class: one cache line.
const SMALLEST: usize = 16;
/// Classes up to this one (64 KiB) are cached by each thread.
const LOCAL_CLASSES: usize = 41;
/// How many allocations of one class a thread keeps.
const LOCAL_KEEP: usize = 256;
/// Four classes for each of the doublings that an `isize` of bytes allows.
const CLASSES: usize = 240;

/// The class of the smallest allocation that holds `len` elements.
#[inline]
pub(crate) fn class_of(len: usize) -> usize {
    if len <= SMALLEST {
        return 0;
    }
    // Class 4 d + q holds SMALLEST · 2^d · (1 + q/4) elements, rounded up to whole quarters.
    let quarters = len.div_ceil(SMALLEST / 4);
    let doublings = (quarters / 4).ilog2() as usize;
    let quarter = quarters.div_ceil(1 << doublings) - 4;
    4 * doublings + quarter
}

/// The number of elements that an allocation of this class holds.
#[inline]
pub(crate) fn class_len(class: usize) -> usize {
    (SMALLEST / 4 * (4 + class % 4)) << (class / 4)
}

struct Lists(Vec<Vec<NonNull<Header>>>);

// SAFETY: an allocation in a list has no owner; whoever takes it out has it alone.
unsafe impl Send for Lists {}

impl Lists {
    const fn new() -> Lists {
        Lists(Vec::new())
    }

    fn take(&mut self, class: usize) -> Option<NonNull<Header>> {
        self.0.get_mut(class)?.pop()
    }

    fn give(&mut self, header: NonNull<Header>, class: usize) {
        if self.0.is_empty() {
            self.0.resize_with(CLASSES, Vec::new);
        }
        self.0[class].push(header);
    }

    fn clear(&mut self) {
        for (class, list) in self.0.iter_mut().enumerate() {
            for header in list.drain(..) {
                // SAFETY: allocations are listed under their own class, without owners.
                unsafe { buffer::free(header, class) };
            }
        }
    }
}

impl Drop for Lists {
    fn drop(&mut self) {
        self.clear();
    }
}

static SHARED: Mutex<Lists> = Mutex::new(Lists::new());

thread_local! {
    static LOCAL: RefCell<Lists> = const { RefCell::new(Lists::new()) };
}

fn shared() -> std::sync::MutexGuard<'static, Lists> {
    // A panic while the lists are locked cannot leave them half-changed.
    SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A recycled allocation of this class, if there is one.
#[inline]
pub(crate) fn take(class: usize) -> Option<NonNull<Header>> {
    if class < LOCAL_CLASSES {
        // A thread that is ending has no list any more.
        let local = LOCAL.try_with(|lists| lists.borrow_mut().take(class));
        if let Ok(Some(header)) = local {
            return Some(header);
        }
    }
    shared().take(class)
}

/// Keeps an allocation that has lost its last owner.
#[inline]
pub(crate) fn give(header: NonNull<Header>, class: usize) {
    if class < LOCAL_CLASSES {
        let kept = LOCAL.try_with(|lists| {
            let mut lists = lists.borrow_mut();
            let room = lists.0.get(class).is_none_or(|list| list.len() < LOCAL_KEEP);
            if room {
                lists.give(header, class);
            }
            room
        });
        if kept == Ok(true) {
            return;
        }
    }
    shared().give(header, class);
}

/// Gives the recycled memory of the shared lists and of this thread back to the system.
pub fn trim() {
    let _ = LOCAL.try_with(|lists| lists.borrow_mut().clear());
    shared().clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_what_they_are_chosen_for() {
        for len in (0..5000).chain([1 << 20, (1 << 20) + 1, 3 << 28]) {
            let class = class_of(len);
            assert!(class_len(class) >= len, "{len}");
            assert!(class == 0 || class_len(class - 1) < len, "{len} would fit class {}", class - 1);
        }
        assert_eq!(class_len(LOCAL_CLASSES - 1) * 4, 64 << 10);
        assert!(class_of(isize::MAX as usize / 4) < CLASSES);
    }
}
