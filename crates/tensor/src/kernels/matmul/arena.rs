//! Scratch memory for packed panels: one buffer per thread, recycled from product to product.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

const LINE: usize = 16;

/// A cache line: vectors loaded from the start of a buffer or of a panel in it never straddle two lines.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

thread_local! {
    static SPARE: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

/// Scratch floats, aligned to 64 bytes, with arbitrary contents. While it lives it is taken out of its
/// thread: another product that this thread starts meanwhile (a stolen task, say) gets memory of its own.
pub(super) struct Scratch(Vec<Line>);

impl Scratch {
    pub(super) fn take(floats: usize) -> Self {
        let mut lines = SPARE.take();
        let needed = floats.div_ceil(LINE);
        if lines.len() < needed {
            lines = vec![Line([0.0; LINE]); needed];
        }
        Scratch(lines)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Of two buffers in use at once the larger one is kept. A thread that is ending has no place to keep
        // either.
        let _ = SPARE.try_with(|spare| {
            let other = spare.take();
            let own = std::mem::take(&mut self.0);
            spare.set(if own.len() >= other.len() { own } else { other });
        });
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: a Line is exactly 16 floats without padding, and the vector owns all of its lines.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len() * LINE) }
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`; the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len() * LINE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_at_once_do_not_share_memory_and_the_larger_is_kept() {
        let mut outer = Scratch::take(100);
        outer.fill(1.0);
        let mut inner = Scratch::take(1000);
        inner.fill(2.0);
        assert!(outer.iter().all(|&x| x == 1.0));
        assert_eq!(inner.as_ptr() as usize % 64, 0);
        let kept = inner.as_ptr();
        drop(inner);
        drop(outer);
        assert_eq!(Scratch::take(1000).as_ptr(), kept);
    }
}
