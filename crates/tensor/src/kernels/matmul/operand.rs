//! The operands of a matrix product: strided views whose bounds are checked once, when they are made.

use crate::simd::MAX_LANES;
use std::{marker::PhantomData, ops::Range};

/// A matrix to read: element (i, j) is `data[offset + i * row_stride + j * col_stride]`. Strides may be zero
/// or negative.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mat<'a> {
    data: &'a [f32],
    offset: usize,
    rows: usize,
    cols: usize,
    row_stride: isize,
    col_stride: isize,
}

impl<'a> Mat<'a> {
    /// # Panics
    /// When an element lies outside of `data`.
    pub(crate) fn new(
        data: &'a [f32],
        offset: usize,
        [rows, cols]: [usize; 2],
        [row_stride, col_stride]: [isize; 2],
    ) -> Self {
        if rows > 0 && cols > 0 {
            let span = |len: usize, stride: isize| (len as i128 - 1) * stride as i128;
            let (down, right) = (span(rows, row_stride), span(cols, col_stride));
            let lowest = offset as i128 + down.min(0) + right.min(0);
            let highest = offset as i128 + down.max(0) + right.max(0);
            assert!(
                lowest >= 0 && highest < data.len() as i128,
                "matrix operand: {rows}x{cols} with strides [{row_stride}, {col_stride}] from offset {offset} \
                 leaves its {} elements",
                data.len()
            );
        }
        Mat { data, offset, rows, cols, row_stride, col_stride }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn cols(&self) -> usize {
        self.cols
    }

    pub(super) fn row_stride(&self) -> isize {
        self.row_stride
    }

    pub(super) fn col_stride(&self) -> isize {
        self.col_stride
    }

    /// The transposed matrix, in the same memory.
    pub(crate) fn transposed(self) -> Self {
        Mat {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }

    /// Some of its rows.
    ///
    /// # Panics
    /// When there are not so many.
    pub(crate) fn rows_of(self, rows: Range<usize>) -> Self {
        assert!(
            rows.start <= rows.end && rows.end <= self.rows,
            "matrix operand: {rows:?} of {} rows",
            self.rows
        );
        let offset = self.offset.wrapping_add_signed(rows.start as isize * self.row_stride);
        Mat { rows: rows.len(), offset, ..self }
    }

    /// Whether both are the same matrix in the same memory.
    pub(super) fn is_same(&self, other: &Mat<'_>) -> bool {
        std::ptr::eq(self.data, other.data)
            && self.offset == other.offset
            && (self.rows, self.cols) == (other.rows, other.cols)
            && (self.row_stride, self.col_stride) == (other.row_stride, other.col_stride)
    }

    /// The matrices `item(0)`, which is this one, to `item(count - 1)` as one, each below the one before, if
    /// they lie in memory that way.
    pub(super) fn stacked(&self, count: usize, item: impl Fn(usize) -> Mat<'a>) -> Option<Mat<'a>> {
        let rows = self.rows as isize;
        let row_stride = match count {
            0 | 1 => self.row_stride,
            // A matrix of one row leaves the distance to the next row open.
            _ if rows == 1 => item(1).offset as isize - self.offset as isize,
            _ => self.row_stride,
        };
        let stacked = (1..count).all(|i| {
            let offset = self.offset as isize + i as isize * rows * row_stride;
            let expected = Mat { offset: usize::try_from(offset).unwrap_or(usize::MAX), ..*self };
            item(i).is_same(&expected)
        });
        stacked.then_some(Mat { rows: count * self.rows, row_stride, ..*self })
    }

    /// Where element (i, j) stands. Forming the address is always sound; it may be read when (i, j) is an
    /// element.
    pub(super) fn at(&self, i: usize, j: usize) -> *const f32 {
        let step = i as isize * self.row_stride + j as isize * self.col_stride;
        self.data.as_ptr().wrapping_add(self.offset).wrapping_offset(step)
    }

    /// Element (i, j), checked.
    #[cfg(test)]
    pub(super) fn get(&self, i: usize, j: usize) -> f32 {
        assert!(i < self.rows && j < self.cols);
        let step = i as isize * self.row_stride + j as isize * self.col_stride;
        self.data[self.offset.checked_add_signed(step).unwrap()]
    }

    /// The distance from one element to the next downwards; 1 when there is no next, since then any value
    /// serves.
    pub(super) fn effective_row_stride(&self) -> isize {
        if self.rows > 1 { self.row_stride } else { 1 }
    }

    /// As `effective_row_stride`, to the right.
    pub(super) fn effective_col_stride(&self) -> isize {
        if self.cols > 1 { self.col_stride } else { 1 }
    }
}

/// A matrix to read whose rows are stretches of one array that begin anywhere, and may overlap, as the patches of an image
/// do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    data: &'a [f32],
    starts: &'a [usize],
    cols: usize,
}

impl<'a> Rows<'a> {
    /// # Panics
    /// When an element lies outside of `data`, or the columns do not make up whole vectors of any instruction set.
    pub(crate) fn new(data: &'a [f32], starts: &'a [usize], cols: usize) -> Self {
        assert!(cols.is_multiple_of(MAX_LANES), "rows of {cols} elements");
        let last = starts.iter().max().and_then(|start| start.checked_add(cols));
        assert!(last.is_none_or(|last| last <= data.len()), "rows leave their {} elements", data.len());
        Rows { data, starts, cols }
    }

    /// The array from column `j` on.
    pub(super) fn at_column(&self, j: usize) -> *const f32 {
        self.data.as_ptr().wrapping_add(j)
    }

    /// Where rows start.
    pub(super) fn starts(&self) -> &'a [usize] {
        self.starts
    }
}

/// The right operand of a product.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Right<'a> {
    Matrix(Mat<'a>),
    Rows(Rows<'a>),
}

impl Right<'_> {
    pub(super) fn rows(&self) -> usize {
        match self {
            Right::Matrix(b) => b.rows(),
            Right::Rows(b) => b.starts.len(),
        }
    }

    pub(super) fn cols(&self) -> usize {
        match self {
            Right::Matrix(b) => b.cols(),
            Right::Rows(b) => b.cols,
        }
    }
}

impl<'a> From<Mat<'a>> for Right<'a> {
    fn from(matrix: Mat<'a>) -> Self {
        Right::Matrix(matrix)
    }
}

impl<'a> From<Rows<'a>> for Right<'a> {
    fn from(rows: Rows<'a>) -> Self {
        Right::Rows(rows)
    }
}

/// A matrix to write: its rows are contiguous and lie `row_stride` apart.
#[derive(Debug)]
pub(crate) struct MatMut<'a> {
    start: *mut f32,
    rows: usize,
    cols: usize,
    row_stride: usize,
    data: PhantomData<&'a mut [f32]>,
}

// SAFETY: a MatMut stands for a `&mut [f32]`, which may be sent to and shared with other threads.
unsafe impl Send for MatMut<'_> {}
// SAFETY: as above; a shared MatMut hands out nothing but addresses.
unsafe impl Sync for MatMut<'_> {}

impl<'a> MatMut<'a> {
    /// The matrix whose first element is `data[0]`.
    ///
    /// # Panics
    /// When rows overlap, or an element lies outside of `data`.
    pub(crate) fn new(data: &'a mut [f32], [rows, cols]: [usize; 2], row_stride: usize) -> Self {
        if rows > 0 && cols > 0 {
            assert!(
                rows == 1 || row_stride >= cols,
                "matrix output: rows of {cols} at a distance of {row_stride}"
            );
            let end = (rows as u128 - 1) * row_stride as u128 + cols as u128;
            assert!(
                end <= data.len() as u128,
                "matrix output: {rows}x{cols} with row stride {row_stride} leaves its {} elements",
                data.len()
            );
        }
        MatMut { start: data.as_mut_ptr(), rows, cols, row_stride, data: PhantomData }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn cols(&self) -> usize {
        self.cols
    }

    pub(super) fn row_stride(&self) -> usize {
        self.row_stride
    }

    /// Rows `from` to `from + rows`, in the same memory.
    ///
    /// # Safety
    /// The rows exist, and nothing else uses them while the block lives.
    pub(super) unsafe fn row_block(&self, from: usize, rows: usize) -> MatMut<'_> {
        debug_assert!(from + rows <= self.rows);
        MatMut { start: self.at(from, 0), rows, data: PhantomData, ..*self }
    }

    /// Where element (i, j) stands. Forming the address is always sound; threads may write through it when
    /// each keeps to elements of its own and no one else uses the matrix.
    pub(super) fn at(&self, i: usize, j: usize) -> *mut f32 {
        self.start.wrapping_add(i * self.row_stride + j)
    }
}
