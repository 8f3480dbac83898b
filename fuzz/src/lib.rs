//! What the fuzz targets share: a file for the bytes, and an allocator that knows how much was taken while they were read.

use gradus::tensor::memory;
use std::{
    alloc::{GlobalAlloc, Layout, System},
    fs,
    io::{Cursor, Write},
    path::{Path, PathBuf},
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use tempfile::TempDir;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// The system's allocator, which counts bytes.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn taken(bytes: usize) {
    let now = NOW.fetch_add(bytes, Relaxed) + bytes;
    MOST.fetch_max(now, Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: the caller's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new may stand beside each other for a moment.
        taken(size);
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's.
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// How much memory a reader may take.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// For a file that is not compressed: 64 bytes for each of its bytes. Four times four for an element of one byte that is
    /// held in three forms while a vector grows, and what a line, a name or a field of one byte costs.
    Plain,
    /// For one that may be compressed: the limit of `docs/files.md`, 64 MiB or 100 times the file, in bytes, in f32s of four
    /// bytes, and these in two places.
    Packed,
}

/// What any call may take beside.
const SPARE: usize = 1 << 20;

/// Reads the bytes as a file and sees that memory stays within the limit.
pub fn within<T>(limit: Limit, bytes: &[u8], read: impl FnOnce(&Path) -> T) -> T {
    static PLACE: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
        let dir = tempfile::tempdir().expect("a directory for temporary files");
        let path = dir.path().join("file");
        (dir, path)
    });
    let path = &PLACE.1;
    fs::write(path, bytes).expect("the file can be written");
    memory::trim();
    let before = NOW.load(Relaxed);
    MOST.store(before, Relaxed);
    let result = read(path);
    let taken = MOST.load(Relaxed).saturating_sub(before);
    let most = match limit {
        Limit::Plain => 64 * bytes.len() + SPARE,
        Limit::Packed => 12 * (100 * bytes.len()).max(64 << 20) + SPARE,
    };
    assert!(taken <= most, "{taken} bytes were taken for a file of {}", bytes.len());
    result
}

/// The first byte says how the others are meant, so that the fuzzer finds its way behind checksums.
pub fn split(data: &[u8]) -> Option<(u8, &[u8])> {
    data.split_first().map(|(&how, rest)| (how, rest))
}

/// A zip archive of these entries.
pub fn archive(entries: &[(&str, &[u8])], compressed: bool) -> Vec<u8> {
    let method = if compressed { CompressionMethod::Deflated } else { CompressionMethod::Stored };
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        archive
            .start_file(*name, SimpleFileOptions::default().compression_method(method))
            .expect("in memory");
        archive.write_all(bytes).expect("in memory");
    }
    archive.finish().expect("in memory").into_inner()
}
