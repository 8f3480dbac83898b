//! Shared storage of f32s, or of the i32s of indices: one allocation with its count of owners, taken from and given back to the pool.

use crate::memory;
use std::{
    alloc::{self, Layout},
    ptr::NonNull,
    sync::atomic::{AtomicUsize, Ordering, fence},
};

/// The start of every allocation; the elements follow it, 64-byte aligned.
#[repr(C, align(64))]
pub(crate) struct Header {
    owners: AtomicUsize,
    /// Elements in use.
    len: usize,
    /// The size class of the allocation, see [`memory`].
    class: usize,
}

/// A counted handle to 64-byte-aligned f32s. They are always initialised (a fresh allocation is zeroed, a recycled
/// one holds old values), so a kernel may be given them as plain slices.
pub(crate) struct Buffer(NonNull<Header>);

// SAFETY: the elements are written only through `get_mut`, which proves that there is one owner; the count is atomic.
unsafe impl Send for Buffer {}
// SAFETY: as above.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// Room for `len` elements with unspecified values, and one owner; `None` when there is no memory for them.
    pub(crate) fn new(len: usize) -> Option<Buffer> {
        let (header, class) = memory::take(len)?;
        // SAFETY: the allocation is at least a header long, aligned for it, and nobody else has it.
        unsafe { header.write(Header { owners: AtomicUsize::new(1), len, class }) };
        Some(Buffer(header))
    }

    fn header(&self) -> &Header {
        // SAFETY: the allocation lives as long as any handle to it.
        unsafe { self.0.as_ref() }
    }

    fn elements(&self) -> *mut f32 {
        // SAFETY: every allocation is longer than its header.
        unsafe { self.0.add(1).cast::<f32>().as_ptr() }
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[f32] {
        // SAFETY: `len` elements follow the header, initialised; no `&mut` exists while `self` is borrowed, because
        // `get_mut` needs this handle exclusively or another handle alone.
        unsafe { std::slice::from_raw_parts(self.elements(), self.header().len) }
    }

    /// The elements for writing, if this is the only handle.
    #[inline]
    pub(crate) fn get_mut(&mut self) -> Option<&mut [f32]> {
        if !self.is_unique() {
            return None;
        }
        // SAFETY: one owner, exclusively borrowed.
        Some(unsafe { std::slice::from_raw_parts_mut(self.elements(), self.header().len) })
    }

    /// The bits of the elements as whole numbers.
    pub(crate) fn as_i32s(&self) -> &[i32] {
        let elements = self.as_slice();
        // SAFETY: both types have one size and alignment, and any bits are of both.
        unsafe { std::slice::from_raw_parts(elements.as_ptr().cast(), elements.len()) }
    }

    /// The same for writing, if this is the only handle.
    pub(crate) fn get_mut_i32s(&mut self) -> Option<&mut [i32]> {
        let elements = self.get_mut()?;
        // SAFETY: as above, and they are borrowed exclusively.
        Some(unsafe { std::slice::from_raw_parts_mut(elements.as_mut_ptr().cast(), elements.len()) })
    }

    #[inline]
    pub(crate) fn is_unique(&self) -> bool {
        // Acquire: writes of owners that let go happened before ours.
        self.header().owners.load(Ordering::Acquire) == 1
    }

    /// Where the elements start: equal for handles of one allocation, and only for those.
    pub(crate) fn address(&self) -> usize {
        self.0.as_ptr() as usize
    }
}

impl Clone for Buffer {
    #[inline]
    fn clone(&self) -> Buffer {
        // Relaxed: a new owner comes from an existing one.
        let owners = self.header().owners.fetch_add(1, Ordering::Relaxed);
        // Only leaked handles can get here; a wrapped count would free memory in use.
        if owners > isize::MAX as usize {
            std::process::abort();
        }
        Buffer(self.0)
    }
}

impl Drop for Buffer {
    #[inline]
    fn drop(&mut self) {
        if self.header().owners.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
            let &Header { class, len, .. } = self.header();
            memory::give(self.0, class, len);
        }
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({} elements at {:#x})", self.header().len, self.address())
    }
}

fn allocation(class: usize) -> Layout {
    let bytes = size_of::<Header>() + memory::class_len(class) * size_of::<f32>();
    Layout::from_size_align(bytes, align_of::<Header>()).expect("sizes are checked when a shape is made")
}

/// Asks the system for an allocation of this class, with all elements 0; `None` when it refuses.
pub(crate) fn allocate(class: usize) -> Option<NonNull<Header>> {
    // SAFETY: the layout has a size above 0, the header.
    NonNull::new(unsafe { alloc::alloc_zeroed(allocation(class)) }.cast::<Header>())
}

/// Gives an allocation back to the system.
///
/// # Safety
/// `header` came from [`allocate`] with this class and has no owner.
pub(crate) unsafe fn free(header: NonNull<Header>, class: usize) {
    // SAFETY: the caller's promise; the layout is the one it was allocated with.
    unsafe { alloc::dealloc(header.as_ptr().cast(), allocation(class)) };
}
