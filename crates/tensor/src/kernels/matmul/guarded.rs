//! No kernel touches memory beside its operands: they are put right next to pages that no one may touch.

use std::ffi::{c_int, c_void};
use std::ptr;

use super::blocked::Blocking;
use super::{Activation, Epilogue, Mat, MatMut, matmul_with};
use crate::Isa;

// The standard library links the C library, so these need no crate. Constants of Linux.
unsafe extern "C" {
    fn mmap(
        at: *mut c_void,
        len: usize,
        protection: c_int,
        flags: c_int,
        file: c_int,
        offset: i64,
    ) -> *mut c_void;
    fn mprotect(at: *mut c_void, len: usize, protection: c_int) -> c_int;
    fn munmap(at: *mut c_void, len: usize) -> c_int;
}
const PROT_NONE: c_int = 0;
const PROT_READ_WRITE: c_int = 3;
const MAP_PRIVATE_ANONYMOUS: c_int = 0x22;
/// The largest page size in common use.
const PAGE: usize = 1 << 16;

/// Floats with a forbidden page right behind them, or right before them.
struct Guarded {
    pages: *mut c_void,
    size: usize,
    start: *mut f32,
    len: usize,
}

impl Guarded {
    fn new(len: usize, at_end: bool) -> Guarded {
        let middle = (len * 4).next_multiple_of(PAGE);
        let size = middle + 2 * PAGE;
        // SAFETY: asks for fresh pages, and changes only those.
        unsafe {
            let pages = mmap(ptr::null_mut(), size, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
            assert_ne!(pages as isize, -1, "mmap");
            assert_eq!(mprotect(pages, PAGE, PROT_NONE), 0);
            assert_eq!(mprotect(pages.byte_add(PAGE + middle), PAGE, PROT_NONE), 0);
            let start = pages.byte_add(if at_end { PAGE + middle - len * 4 } else { PAGE }).cast();
            Guarded { pages, size, start, len }
        }
    }

    fn floats(&mut self) -> &mut [f32] {
        // SAFETY: `len` zeroed floats that belong to self.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the pages are this value's own.
        unsafe { munmap(self.pages, self.size) };
    }
}

#[test]
fn kernels_keep_to_their_operands() {
    let blocking = Blocking { k: 20, m: 30, n: 70 };
    let sizes = [1, 2, 3, 5, 7, 8, 13, 15, 17, 31, 33, 47];
    for at_end in [true, false] {
        for m in sizes {
            for n in sizes {
                for k in [1, 3, 16, 17, 33, 100] {
                    let (mut a, mut b) = (Guarded::new(m * k, at_end), Guarded::new(k * n, at_end));
                    let (mut out, mut bias) = (Guarded::new(m * n, at_end), Guarded::new(n, at_end));
                    let (a, b) = (&*a.floats(), &*b.floats());
                    let [row_major_a, col_major_a] = [[k as isize, 1], [1, m as isize]];
                    let [row_major_b, col_major_b] = [[n as isize, 1], [1, k as isize]];
                    for (a_strides, b_strides) in [
                        (row_major_a, row_major_b),
                        (row_major_a, col_major_b),
                        (col_major_a, row_major_b),
                        (col_major_a, col_major_b),
                    ] {
                        let (a, b) = (Mat::new(a, 0, [m, k], a_strides), Mat::new(b, 0, [k, n], b_strides));
                        let epilogue = Epilogue {
                            bias: Some(bias.floats()),
                            activation: Activation::Relu,
                            accumulate: true,
                        };
                        for isa in [Isa::Portable, Isa::Avx2, Isa::Avx512] {
                            if isa <= Isa::detect() {
                                for blocking in [&blocking, &Blocking::default()] {
                                    matmul_with(
                                        isa,
                                        blocking,
                                        a,
                                        b.into(),
                                        &MatMut::new(out.floats(), [m, n], n),
                                        &epilogue,
                                    );
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
