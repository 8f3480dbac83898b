//! The pool that recycles buffers, so that a steady training step asks the system for nothing.
//!
//! Allocations come in size classes, four to a doubling. Small ones are kept by the thread that dropped them (no
//! lock, warm in its cache); large ones, and what a thread has too much of, lie in lists that all threads share. A large
//! buffer may take an allocation that is larger than it needs, before more is asked of the system: so layers whose
//! activations have many sizes share the memory of the largest.

pub(crate) mod buffer;

use crate::limit;
use buffer::Header;
use std::{
    cell::RefCell,
    ptr::NonNull,
    sync::{
        Mutex,
        atomic::{AtomicIsize, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

/// Elements in the smallest class: one cache line.
const SMALLEST: usize = 16;
/// Classes up to this one (64 KiB) are cached by each thread.
const LOCAL_CLASSES: usize = 41;
/// How much of one class a thread keeps, about: with 41 classes 10 MiB in all.
const KEEP_BYTES: usize = 256 << 10;
/// The change in use that a thread may keep to itself.
const UNCOUNTED_BYTES: usize = 64 << 10;
/// Four classes for each of the doublings that an `isize` of bytes allows.
const CLASSES: usize = 240;
/// How many classes above its own a large buffer looks for an allocation that waits: up to four times its size.
const LARGER: usize = 8;

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

/// What a thread may keep of one class.
#[inline]
fn most_kept(class: usize) -> usize {
    (KEEP_BYTES / bytes_of(class)).clamp(4, 256)
}

/// The size of an allocation of this class.
#[inline]
fn bytes_of(class: usize) -> usize {
    size_of::<Header>() + class_len(class) * size_of::<f32>()
}

/// Allocations without owners, by class.
struct Lists(Vec<Vec<NonNull<Header>>>);

// SAFETY: an allocation in a list has no owner; whoever takes it out has it alone.
unsafe impl Send for Lists {}

impl Lists {
    #[inline]
    fn class(&mut self, class: usize) -> &mut Vec<NonNull<Header>> {
        if self.0.is_empty() {
            self.0.resize_with(CLASSES, Vec::new);
        }
        &mut self.0[class]
    }

    fn clear(&mut self) {
        for (class, list) in self.0.iter_mut().enumerate() {
            for header in list.drain(..) {
                FROM_SYSTEM.fetch_sub(bytes_of(class), Relaxed);
                // SAFETY: allocations are listed under their own class, without owners.
                unsafe { buffer::free(header, class) };
            }
        }
    }
}

/// What a thread keeps for itself.
struct Local {
    lists: Lists,
    /// The change of the bytes in use that `LIVE` does not know of yet.
    change: isize,
}

impl Local {
    /// Takes note of bytes taken into use or given back. The counters that all threads share are touched seldom.
    #[inline]
    fn count(&mut self, bytes: isize) {
        self.change += bytes;
        if self.change.unsigned_abs() > UNCOUNTED_BYTES {
            self.tell();
        }
    }

    #[cold]
    fn tell(&mut self) {
        count_shared(std::mem::take(&mut self.change));
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.tell();
        self.lists.clear();
    }
}

/// Bytes in use, but for the changes that threads have not told yet: those can make it negative.
static LIVE: AtomicIsize = AtomicIsize::new(0);
/// The greatest value of `LIVE` so far.
static PEAK: AtomicIsize = AtomicIsize::new(0);
/// Bytes that the system has given and not got back, and how many times it has given some.
static FROM_SYSTEM: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

static SHARED: Mutex<Lists> = Mutex::new(Lists(Vec::new()));

thread_local! {
    static LOCAL: RefCell<Local> = const { RefCell::new(Local { lists: Lists(Vec::new()), change: 0 }) };
}

fn shared() -> std::sync::MutexGuard<'static, Lists> {
    // A panic while the lists are locked cannot leave them half-changed.
    SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn count_shared(bytes: isize) {
    let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(live, Relaxed);
}

/// A recycled allocation for `len` elements if there is one, else a fresh one, if there is memory for it; and its class.
#[inline]
pub(crate) fn take(len: usize) -> Option<(NonNull<Header>, usize)> {
    let class = class_of(len);
    if class < LOCAL_CLASSES {
        // A thread that is ending has no lists any more.
        let local = LOCAL.try_with(|local| {
            let mut local = local.borrow_mut();
            local.count(bytes_of(class) as isize);
            let list = local.lists.class(class);
            if list.is_empty() {
                refill(list, class);
            }
            list.pop()
        });
        if let Ok(found) = local {
            let header = found.or_else(|| fresh(class, len));
            if header.is_none() {
                count_shared(-(bytes_of(class) as isize));
            }
            return Some((header?, class));
        }
    }
    let taken = find(class).or_else(|| Some((fresh(class, len)?, class)))?;
    count_shared(bytes_of(class) as isize);
    Some(taken)
}

/// The smallest allocation of the shared lists that this class fits into, and its own class.
fn find(class: usize) -> Option<(NonNull<Header>, usize)> {
    let mut shared = shared();
    let most = if class < LOCAL_CLASSES { class } else { (class + LARGER).min(CLASSES - 1) };
    (class..=most).find_map(|class| Some((shared.class(class).pop()?, class)))
}

/// Keeps an allocation of this class that has lost its last owner, who used `len` elements of it.
#[inline]
pub(crate) fn give(header: NonNull<Header>, class: usize, len: usize) {
    if class < LOCAL_CLASSES {
        let kept = LOCAL.try_with(|local| {
            let mut local = local.borrow_mut();
            local.count(-(bytes_of(class) as isize));
            let list = local.lists.class(class);
            list.push(header);
            if list.len() > most_kept(class) {
                spill(list, class);
            }
        });
        if kept.is_ok() {
            return;
        }
    }
    count_shared(-(bytes_of(class_of(len)) as isize));
    shared().class(class).push(header);
}

/// Moves some allocations from the shared lists to a thread's own: a batch, so that the lock is taken seldom.
#[cold]
fn refill(list: &mut Vec<NonNull<Header>>, class: usize) {
    let mut shared = shared();
    let from = shared.class(class);
    list.extend(from.drain(from.len().saturating_sub(most_kept(class) / 2)..));
}

/// Moves half of what a thread has to the shared lists, where the threads find it that allocate what others free.
#[cold]
fn spill(list: &mut Vec<NonNull<Header>>, class: usize) {
    shared().class(class).extend(list.drain(..most_kept(class) / 2));
}

/// An allocation from the system. Before it is refused, what waits in the pool is given back.
#[cold]
fn fresh(class: usize, len: usize) -> Option<NonNull<Header>> {
    if !limit::is_affordable(len) {
        return None;
    }
    let header = buffer::allocate(class).or_else(|| {
        trim();
        buffer::allocate(class)
    })?;
    FROM_SYSTEM.fetch_add(bytes_of(class), Relaxed);
    ALLOCATIONS.fetch_add(1, Relaxed);
    Some(header)
}

/// What the pool has done so far: see [`stats`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Bytes of all buffers that a tensor holds.
    pub live_bytes: usize,
    /// The greatest number of `live_bytes` since the start or the last [`reset_peak`].
    pub peak_bytes: usize,
    /// Bytes that wait in the pool to be used again, or that buffers do not use of larger allocations.
    pub recycled_bytes: usize,
    /// How many times memory was asked of the system.
    pub allocations: u64,
}

/// How much memory tensors use. Buffers count with their size class, up to a quarter more than their elements.
///
/// Other threads count their small buffers in steps, so `live_bytes` and `peak_bytes` may be off by 64 KiB for each
/// of them. The calling thread's are exact.
///
/// ```
/// use gradus_tensor::{Tensor, memory};
///
/// let before = memory::stats().live_bytes;
/// let x = Tensor::zeros([1000, 1000]);
/// assert!(memory::stats().live_bytes >= before + 4_000_000);
/// ```
pub fn stats() -> Stats {
    let _ = LOCAL.try_with(|local| local.borrow_mut().tell());
    let live_bytes = LIVE.load(Relaxed).max(0) as usize;
    Stats {
        live_bytes,
        peak_bytes: PEAK.load(Relaxed).max(0) as usize,
        recycled_bytes: FROM_SYSTEM.load(Relaxed).saturating_sub(live_bytes),
        allocations: ALLOCATIONS.load(Relaxed),
    }
}

/// Makes the bytes in use now the peak from which [`stats`] counts on.
pub fn reset_peak() {
    let _ = LOCAL.try_with(|local| local.borrow_mut().tell());
    PEAK.store(LIVE.load(Relaxed), Relaxed);
}

/// Gives the recycled memory back to the system. What other threads keep for themselves, 10 MiB each at most, stays.
pub fn trim() {
    let _ = LOCAL.try_with(|local| local.borrow_mut().lists.clear());
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
