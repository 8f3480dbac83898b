//! Borders around a tensor.

use crate::{
    ShapeError,
    array::{
        Tensor,
        layout::{Layout, Slice},
    },
    error::OrFail,
    limit::list,
    ops::shape::concat::copy_into,
    shape::Shape,
};

/// What [`Tensor::pad`] puts around the elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Padding {
    /// One value.
    Constant(f32),
    /// The elements mirrored at the edge, which is not repeated: `c b | a b c | b a`.
    Reflect,
    /// The element at the edge: `a a | a b c | c c`.
    Replicate,
    /// The elements over and over: `b c | a b c | a b`.
    Circular,
}

impl Tensor {
    /// Puts `(before, after)` elements before and after those of each axis.
    ///
    /// # Panics
    /// When there is not one pair for each axis; when a reflection is to be as long as its axis or longer; when there is
    /// no element to replicate or go around.
    ///
    /// ```
    /// # use gradus_tensor::{Padding, Tensor};
    /// let x = Tensor::from([1.0, 2.0, 3.0]);
    /// assert_eq!(x.pad([(1, 2)], Padding::Constant(0.0)).to_vec(), [0.0, 1.0, 2.0, 3.0, 0.0, 0.0]);
    /// assert_eq!(x.pad([(1, 2)], Padding::Reflect).to_vec(), [2.0, 1.0, 2.0, 3.0, 2.0, 1.0]);
    /// assert_eq!(x.pad([(1, 2)], Padding::Replicate).to_vec(), [1.0, 1.0, 2.0, 3.0, 3.0, 3.0]);
    /// assert_eq!(x.pad([(1, 2)], Padding::Circular).to_vec(), [3.0, 1.0, 2.0, 3.0, 1.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn pad(&self, widths: impl AsRef<[(usize, usize)]>, padding: Padding) -> Tensor {
        let (widths, shape) = (widths.as_ref(), self.shape());
        if widths.len() != self.rank() {
            ShapeError::new(format!("pad: {widths:?} must have one pair for each axis of shape {shape}"))
                .fail()
        }
        let size = |(&n, &(before, after)): (&usize, &(usize, usize))| {
            n.saturating_add(before).saturating_add(after)
        };
        let padded: Shape = shape.iter().zip(widths).map(size).collect();
        let padded = padded.checked("pad").or_fail();
        let wrap = match padding {
            Padding::Constant(value) => {
                let mut region = Layout::contiguous(padded.clone());
                for (axis, (&n, &(before, _))) in shape.iter().zip(widths).enumerate() {
                    region = region.slice(axis, &Slice::from(before..before + n)).or_fail();
                }
                return Tensor::written(padded, |out| {
                    out.fill(value);
                    copy_into(out, &region, self);
                });
            }
            Padding::Reflect => reflect,
            Padding::Replicate => replicate,
            Padding::Circular => |i: isize, n: isize| i.rem_euclid(n) as usize,
        };
        for (axis, (&n, &(before, after))) in shape.iter().zip(widths).enumerate() {
            if before.max(after) > 0 && (n == 0 || padding == Padding::Reflect && before.max(after) >= n) {
                let rule = match padding {
                    Padding::Reflect => "a reflection must be shorter than its axis",
                    Padding::Circular => "there is no element to go around",
                    _ => "there is no element to replicate",
                };
                ShapeError::new(format!("pad: ({before}, {after}) on axis {axis} of shape {shape}: {rule}"))
                    .fail()
            }
        }
        let mut result = self.contiguous();
        for (axis, &(before, after)) in widths.iter().enumerate() {
            if (before, after) != (0, 0) {
                let n = shape[axis] as isize;
                let mut rows: Vec<usize> = list("pad", padded[axis]).or_fail();
                rows.extend((-(before as isize)..n + after as isize).map(|i| wrap(i, n)));
                result = result.take_rows(axis, &rows);
            }
        }
        result
    }
}

fn reflect(i: isize, n: isize) -> usize {
    let i = i.unsigned_abs();
    i.min(2 * (n as usize - 1) - i)
}

fn replicate(i: isize, n: isize) -> usize {
    i.clamp(0, n - 1) as usize
}
