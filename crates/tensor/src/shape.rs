//! Shapes, axes, and the rules by which shapes combine.

use crate::{error::ShapeError, limit};
use smallvec::SmallVec;
use std::{fmt, ops::Deref};

/// The sizes of a tensor's axes. Up to four axes take no heap; rank 0 is a scalar.
#[derive(Eq, Hash, Default)]
#[expect(clippy::derived_hash_with_manual_eq, reason = "both go by the sizes")]
pub struct Shape(SmallVec<[usize; 4]>);

impl Shape {
    /// A shape with these sizes.
    pub fn new(sizes: &[usize]) -> Shape {
        Shape(short(sizes))
    }

    /// The number of elements, or `None` when it is more than memory can hold: when twice as many bytes (a size class
    /// may round up) do not fit an `isize`. Zero sizes count as 1 in this, so that strides cannot overflow either.
    #[inline]
    pub fn checked_len(&self) -> Option<usize> {
        let (mut len, mut is_empty) = (1usize, false);
        for &n in self.iter() {
            len = len.checked_mul(n.max(1))?;
            is_empty |= n == 0;
        }
        let fits = len <= isize::MAX as usize / (2 * size_of::<f32>());
        fits.then_some(if is_empty { 0 } else { len })
    }

    /// The shape, or an error of `op` when it has more elements than any memory can hold. Every rule that makes a shape of
    /// given numbers ends here. It multiplies by [`usize::saturating_mul`]: what overflows stays too large until then.
    #[inline]
    pub fn checked(self, op: &str) -> Result<Shape, ShapeError> {
        match self.checked_len() {
            Some(_) => Ok(self),
            None => Err(self.too_large(op)),
        }
    }

    /// The shape of a tensor to be made, or an error of `op` when the machine's memory cannot hold it: what a rule asks before
    /// it makes lists as long as the result.
    pub fn affordable(self, op: &str) -> Result<Shape, ShapeError> {
        match self.checked_len() {
            None => Err(self.too_large(op)),
            Some(len) if !limit::is_affordable(len) => Err(limit::refusal(op, &self, len)),
            Some(_) => Ok(self),
        }
    }

    #[cold]
    pub(crate) fn too_large(&self, op: &str) -> ShapeError {
        ShapeError::new(format!("{op}: shape {self} has more elements than memory can hold"))
    }

    /// The number of elements: the product of the sizes, 1 for a scalar.
    ///
    /// # Panics
    /// When it is no `usize`.
    #[track_caller]
    pub fn numel(&self) -> usize {
        let mut numel = 1usize;
        for &n in self.iter() {
            match numel.checked_mul(n) {
                Some(product) => numel = product,
                None if self.is_empty() => return 0,
                None => self.too_large("numel").fail(),
            }
        }
        numel
    }

    /// The number of axes.
    #[inline]
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.contains(&0)
    }

    /// The sizes, taken apart: `let [rows, columns] = shape.dims();`.
    ///
    /// # Panics
    /// When there are not N axes.
    ///
    /// ```
    /// # use gradus_tensor::Shape;
    /// let [n, channels, height, width] = Shape::from([8, 3, 28, 28]).dims();
    /// assert_eq!((n, channels, height * width), (8, 3, 784));
    /// ```
    #[track_caller]
    pub fn dims<const N: usize>(&self) -> [usize; N] {
        match self[..].try_into() {
            Ok(sizes) => sizes,
            Err(_) => {
                let axes = if self.rank() == 1 { "axis" } else { "axes" };
                ShapeError::new(format!("dims: shape {self} has {} {axes}, not {N}", self.rank())).fail()
            }
        }
    }

    /// The same shape with the size of one axis replaced.
    pub fn with(&self, axis: usize, size: usize) -> Shape {
        let mut shape = self.clone();
        shape.0[axis] = size;
        shape
    }

    /// The same shape with an axis of this size put before position `axis`.
    pub fn insert(&self, axis: usize, size: usize) -> Shape {
        let mut shape = self.clone();
        shape.0.insert(axis, size);
        shape
    }

    /// The same shape without one axis.
    pub fn remove(&self, axis: usize) -> Shape {
        let mut shape = self.clone();
        shape.0.remove(axis);
        shape
    }
}

impl PartialEq for Shape {
    // In a loop: for a handful of sizes the derived call of a comparing function costs more than the comparison.
    #[inline]
    fn eq(&self, other: &Shape) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| a == b)
    }
}

impl Clone for Shape {
    #[inline]
    fn clone(&self) -> Shape {
        Shape(short(&self.0))
    }
}

/// A list of an entry for each axis. A loop over a constant number of places: cheaper than the call of a copying function
/// that it would be for any length.
#[inline]
pub(crate) fn short<T: Copy + Default>(entries: &[T]) -> SmallVec<[T; 4]> {
    if entries.len() > 4 {
        return SmallVec::from_slice(entries);
    }
    let few = std::array::from_fn(|axis| entries.get(axis).copied().unwrap_or_default());
    SmallVec::from_buf_and_len(few, entries.len())
}

impl Deref for Shape {
    type Target = [usize];
    #[inline]
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl AsRef<[usize]> for Shape {
    fn as_ref(&self) -> &[usize] {
        self
    }
}

impl From<&[usize]> for Shape {
    fn from(sizes: &[usize]) -> Shape {
        Shape::new(sizes)
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(sizes: [usize; N]) -> Shape {
        Shape::new(&sizes)
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(sizes: I) -> Shape {
        Shape(sizes.into_iter().collect())
    }
}

impl<const N: usize> PartialEq<[usize; N]> for Shape {
    fn eq(&self, other: &[usize; N]) -> bool {
        self[..] == other[..]
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self[..])
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self[..])
    }
}

/// The position of an axis counted from the front (`0`) or from the back (`-1` is the last).
pub fn resolve_axis(op: &str, axis: isize, shape: &[usize]) -> Result<usize, ShapeError> {
    from_either_end(axis, shape.len()).ok_or_else(|| {
        let rank = shape.len() as isize;
        ShapeError::new(match rank {
            0 => format!("{op}: axis {axis} of a scalar: shape [] has no axes"),
            _ => {
                format!("{op}: axis {axis} is out of range for shape {shape:?}: use {}..={}", -rank, rank - 1)
            }
        })
    })
}

/// The position on an axis of an index counted from the front (`0`) or from the back (`-1` is the last).
pub fn resolve_index(op: &str, index: isize, axis: usize, shape: &[usize]) -> Result<usize, ShapeError> {
    let size = shape[axis];
    from_either_end(index, size).ok_or_else(|| {
        let hint = match size {
            0 => "which has no elements".to_string(),
            _ => format!("which has {size} elements: use -{size}..={}", size - 1),
        };
        ShapeError::new(format!(
            "{op}: index {index} is out of range for axis {axis} of shape {shape:?}, {hint}"
        ))
    })
}

/// The position that a new axis gets in front of one of the axes of `shape` or behind the last; `-1` is behind the last.
pub(crate) fn new_axis(op: &str, axis: isize, shape: &Shape) -> Result<usize, ShapeError> {
    let rank = shape.rank();
    from_either_end(axis, rank + 1).ok_or_else(|| {
        let range = format!("use -{}..={rank}", rank + 1);
        ShapeError::new(format!("{op}: axis {axis} is out of range for shape {shape}: {range}"))
    })
}

/// `i`, or `i + n` where it is negative, if that is one of `0..n`.
#[inline]
pub(crate) fn from_either_end(i: isize, n: usize) -> Option<usize> {
    let position = if i < 0 { n.checked_add_signed(i)? } else { i as usize };
    (position < n).then_some(position)
}

/// The axes that a reduction goes over: some, or all of them.
///
/// `2`, `-1`, `[0, 2]`, a slice or a `Vec` of axes; [`Axes::all`] for every axis. The empty list is no axis at all.
#[derive(Clone, PartialEq, Eq)]
pub struct Axes(Option<SmallVec<[isize; 4]>>);

/// `all` or `[0, 2]`.
impl fmt::Debug for Axes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("all"),
            Some(axes) => write!(f, "{axes:?}"),
        }
    }
}

impl Axes {
    /// Every axis.
    pub fn all() -> Axes {
        Axes(None)
    }

    /// The positions, sorted, for a tensor of this shape; an error for an axis out of range or named twice.
    pub fn resolve(&self, op: &str, shape: &[usize]) -> Result<SmallVec<[usize; 4]>, ShapeError> {
        let Some(axes) = &self.0 else { return Ok((0..shape.len()).collect()) };
        let mut found = SmallVec::new();
        for &axis in axes {
            let position = resolve_axis(op, axis, shape)?;
            if found.contains(&position) {
                return Err(ShapeError::new(format!("{op}: axis {axis} of shape {shape:?} is named twice")));
            }
            found.push(position);
        }
        found.sort_unstable();
        Ok(found)
    }
}

impl From<isize> for Axes {
    fn from(axis: isize) -> Axes {
        Axes(Some(SmallVec::from_slice(&[axis])))
    }
}

impl<const N: usize> From<[isize; N]> for Axes {
    fn from(axes: [isize; N]) -> Axes {
        Axes(Some(SmallVec::from_slice(&axes)))
    }
}

impl From<&[isize]> for Axes {
    fn from(axes: &[isize]) -> Axes {
        Axes(Some(SmallVec::from_slice(axes)))
    }
}

impl From<Vec<isize>> for Axes {
    fn from(axes: Vec<isize>) -> Axes {
        Axes(Some(SmallVec::from_vec(axes)))
    }
}

/// The shape of a reduction's result: the axes become 1, or go away.
pub fn reduced(shape: &[usize], axes: &[usize], keepdims: bool) -> Shape {
    let kept = shape.iter().enumerate().filter_map(|(i, &n)| match (axes.contains(&i), keepdims) {
        (false, _) => Some(n),
        (true, true) => Some(1),
        (true, false) => None,
    });
    kept.collect()
}

/// The shape that two shapes broadcast to, by NumPy's rule: axes are aligned at the back; sizes are equal, or one
/// of them is 1 or missing.
pub fn broadcast(op: &str, a: &[usize], b: &[usize]) -> Result<Shape, ShapeError> {
    if a == b {
        return Ok(Shape::new(a));
    }
    let rank = a.len().max(b.len());
    let from_back = |s: &[usize], i: usize| if i < s.len() { s[s.len() - 1 - i] } else { 1 };
    let mut sizes: SmallVec<[usize; 4]> = SmallVec::from_elem(1, rank);
    for i in 0..rank {
        sizes[rank - 1 - i] = match (from_back(a, i), from_back(b, i)) {
            (m, n) if m == n => m,
            (1, n) => n,
            (m, 1) => m,
            (m, n) => return Err(not_broadcastable(op, a, b, i, m, n)),
        };
    }
    Shape(sizes).checked(op)
}

#[cold]
fn not_broadcastable(op: &str, a: &[usize], b: &[usize], i: usize, m: usize, n: usize) -> ShapeError {
    let axis = -(i as isize) - 1;
    let mut text = format!("{op}: shapes {a:?} and {b:?} do not broadcast (axis {axis}: {m} and {n})");
    // A vector meant for the rows of a matrix is the usual slip.
    let hint = |rows: &[usize], v: &[usize]| v.len() == 1 && rows.len() >= 2 && rows[rows.len() - 2] == v[0];
    if hint(a, b) {
        text += &format!("; hint: reshape the second to [{}, 1]", b[0]);
    } else if hint(b, a) {
        text += &format!("; hint: reshape the first to [{}, 1]", a[0]);
    }
    ShapeError::new(text)
}

/// The shape of the matrix product of these shapes: `[.., m, k] · [.., k, n] = [.., m, n]`, batch axes broadcast; a
/// vector on the left is a row, on the right a column, and its axis goes away.
pub fn matmul(a: &[usize], b: &[usize]) -> Result<Shape, ShapeError> {
    if a.is_empty() || b.is_empty() {
        return Err(ShapeError::new(format!(
            "matmul: {a:?} · {b:?}: both sides need at least one axis; multiply by a scalar with *"
        )));
    }
    let (rows, inner_a) = if a.len() == 1 { (None, a[0]) } else { (Some(a[a.len() - 2]), a[a.len() - 1]) };
    let (inner_b, columns) = if b.len() == 1 { (b[0], None) } else { (b[b.len() - 2], Some(b[b.len() - 1])) };
    if inner_a != inner_b {
        let mut text = format!(
            "matmul: inner dimensions differ: {a:?} · {b:?}: left has {inner_a} columns, right has {inner_b} rows"
        );
        if columns == Some(inner_a) {
            let mut flipped = b.to_vec();
            let last = flipped.len() - 1;
            flipped.swap(last, last - 1);
            text += &format!("; hint: right.t() would be {flipped:?}");
        } else if rows == Some(inner_b) {
            let mut flipped = a.to_vec();
            let last = flipped.len() - 1;
            flipped.swap(last, last - 1);
            text += &format!("; hint: left.t() would be {flipped:?}");
        }
        return Err(ShapeError::new(text));
    }
    let batch = |s: &[usize]| Shape::new(&s[..s.len().saturating_sub(2)]);
    let batch = broadcast("matmul: batch axes", &batch(a), &batch(b))?;
    batch.iter().copied().chain(rows).chain(columns).collect::<Shape>().checked("matmul")
}

/// The position of the axis along which a linear recurrence goes, with coefficients and terms of these shapes: equal ones.
pub fn linear_recurrence(a: &[usize], b: &[usize], axis: isize) -> Result<usize, ShapeError> {
    if a != b {
        return Err(ShapeError::new(format!("linear_recurrence: shapes {a:?} and {b:?} must be equal")));
    }
    resolve_axis("linear_recurrence", axis, a)
}

/// The shape of `x Wᵀ + b`: `[.., in]` with a weight `[out, in]` and a bias `[out]` gives `[.., out]`.
pub fn linear(x: &[usize], weight: &[usize], bias: Option<&[usize]>) -> Result<Shape, ShapeError> {
    let &[outputs, inputs] = weight else {
        return Err(ShapeError::new(format!("linear: the weight is [out, in], its shape is {weight:?}")));
    };
    match x.last() {
        Some(&n) if n == inputs => {}
        Some(&n) => {
            return Err(ShapeError::new(format!(
                "linear: x {x:?} has {n} features, the weight {weight:?} takes {inputs}"
            )));
        }
        None => return Err(ShapeError::new("linear: x is a scalar; it needs an axis of features")),
    }
    if let Some(bias) = bias
        && bias != [outputs]
    {
        return Err(ShapeError::new(format!(
            "linear: the bias has shape {bias:?}, the weight {weight:?} wants [{outputs}]"
        )));
    }
    Shape::new(x).with(x.len() - 1, outputs).checked("linear")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        let ok = |a: &[usize], b: &[usize]| broadcast("add", a, b).unwrap().to_vec();
        assert_eq!(ok(&[2, 3], &[3]), [2, 3]);
        assert_eq!(ok(&[2, 1], &[3]), [2, 3]);
        assert_eq!(ok(&[], &[4, 5]), [4, 5]);
        assert_eq!(ok(&[0, 1], &[1, 7]), [0, 7]);
        assert_eq!(ok(&[1], &[0]), [0]);
        let error = broadcast("add", &[32, 10], &[32]).unwrap_err().to_string();
        assert_eq!(
            error,
            "add: shapes [32, 10] and [32] do not broadcast (axis -1: 10 and 32); hint: reshape the second to [32, 1]"
        );
        assert!(broadcast("add", &[0], &[2]).is_err());
    }

    #[test]
    fn matrix_products_of_every_rank() {
        let ok = |a: &[usize], b: &[usize]| matmul(a, b).unwrap().to_vec();
        assert_eq!(ok(&[2, 3], &[3, 4]), [2, 4]);
        assert_eq!(ok(&[3], &[3]), [0usize; 0]);
        assert_eq!(ok(&[3], &[3, 4]), [4]);
        assert_eq!(ok(&[2, 3], &[3]), [2]);
        assert_eq!(ok(&[5, 1, 2, 3], &[7, 3, 4]), [5, 7, 2, 4]);
        assert_eq!(ok(&[7, 2, 3], &[3]), [7, 2]);
        let error = matmul(&[32, 784], &[512, 784]).unwrap_err().to_string();
        assert!(error.ends_with("hint: right.t() would be [784, 512]"), "{error}");
    }

    #[test]
    fn sizes_that_overflow_are_noticed() {
        assert_eq!(Shape::new(&[usize::MAX, 2]).checked_len(), None);
        assert_eq!(Shape::new(&[usize::MAX, 2, 0]).checked_len(), None);
        assert_eq!(Shape::new(&[1 << 20, 0]).checked_len(), Some(0));
        assert_eq!(Shape::new(&[]).checked_len(), Some(1));
    }

    #[test]
    fn axes_count_from_both_ends() {
        assert_eq!(Axes::from([-1, 0]).resolve("sum", &[2, 3, 4]).unwrap()[..], [0, 2]);
        assert_eq!(Axes::all().resolve("sum", &[2, 3]).unwrap()[..], [0, 1]);
        assert!(Axes::from([0, -2]).resolve("sum", &[2, 3]).is_err());
        assert!(resolve_axis("sum", 2, &[2, 3]).unwrap_err().to_string().contains("-2..=1"));
    }
}
