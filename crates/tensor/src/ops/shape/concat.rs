//! Tensors put together and taken apart.

use crate::{
    ShapeError,
    array::{
        Tensor,
        layout::{Layout, Slice},
        strided::Coalesced,
    },
    error::OrFail,
    limit::list,
    ops::elementwise::gather,
    shape::{Shape, new_axis, resolve_axis},
};

/// Along which axis these shapes are put one after the other, and what shape that gives.
pub(crate) fn concat_shape(shapes: &[&Shape], axis: isize) -> Result<(usize, Shape), ShapeError> {
    let Some(&first) = shapes.first() else { return Err(ShapeError::new("concat: there are no tensors")) };
    let axis = resolve_axis("concat", axis, first)?;
    let fits = |other: &Shape| first.rank() == other.rank() && first.with(axis, other[axis]) == *other;
    if let Some(other) = shapes.iter().find(|other| !fits(other)) {
        return Err(ShapeError::new(format!(
            "concat: shapes {first} and {other} may differ on axis {axis} only"
        )));
    }
    let total = shapes.iter().map(|shape| shape[axis]).fold(0, usize::saturating_add);
    Ok((axis, first.with(axis, total).checked("concat")?))
}

/// At which position the new axis stands along which these shapes are stacked.
pub(crate) fn stack_axis(shapes: &[&Shape], axis: isize) -> Result<usize, ShapeError> {
    let Some(&first) = shapes.first() else { return Err(ShapeError::new("stack: there are no tensors")) };
    let axis = new_axis("stack", axis, first)?;
    match shapes.iter().find(|&&other| other != first) {
        Some(other) => Err(ShapeError::new(format!("stack: shapes {first} and {other} differ"))),
        None => Ok(axis),
    }
}

impl Tensor {
    /// Tensors one after the other along an axis, on which alone their sizes may differ.
    ///
    /// # Panics
    /// When there are none, there is no such axis, or their sizes differ elsewhere.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let (a, b) = (Tensor::from([[1.0], [2.0]]), Tensor::from([[3.0, 4.0], [5.0, 6.0]]));
    /// assert_eq!(Tensor::concat(&[&a, &b], 1), Tensor::from([[1.0, 3.0, 4.0], [2.0, 5.0, 6.0]]));
    /// ```
    #[track_caller]
    pub fn concat(tensors: &[&Tensor], axis: isize) -> Tensor {
        let shapes: Vec<&Shape> = tensors.iter().map(|tensor| tensor.shape()).collect();
        let (axis, shape) = concat_shape(&shapes, axis).or_fail();
        let layout = Layout::contiguous(shape);
        Tensor::written(layout.shape.clone(), |out| {
            let mut end = 0;
            for tensor in tensors {
                let range = Slice::from(end..end + tensor.shape()[axis]);
                end += tensor.shape()[axis];
                copy_into(out, &layout.slice(axis, &range).or_fail(), tensor);
            }
        })
    }

    /// Tensors of one shape one after the other along a new axis, which stands at position `axis` of the result.
    ///
    /// # Panics
    /// When there are none, the result has no such position, or the shapes differ.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let (a, b) = (Tensor::from([1.0, 2.0]), Tensor::from([3.0, 4.0]));
    /// assert_eq!(Tensor::stack(&[&a, &b], 0), Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// ```
    #[track_caller]
    pub fn stack(tensors: &[&Tensor], axis: isize) -> Tensor {
        let shapes: Vec<&Shape> = tensors.iter().map(|tensor| tensor.shape()).collect();
        let axis = stack_axis(&shapes, axis).or_fail() as isize;
        let parts: Vec<Tensor> = tensors.iter().map(|t| t.unsqueeze(axis)).collect();
        Tensor::concat(&parts.iter().collect::<Vec<_>>(), axis)
    }

    /// Views of parts of these sizes along an axis.
    ///
    /// # Panics
    /// When there is no such axis, or the sizes do not add up to its own.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let parts = Tensor::arange(5).split(&[2, 3], 0);
    /// assert_eq!(parts[1].to_vec(), [2.0, 3.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn split(&self, sizes: &[usize], axis: isize) -> Vec<Tensor> {
        let axis = resolve_axis("split", axis, self.shape()).or_fail();
        let n = self.shape()[axis];
        if sizes.iter().try_fold(0usize, |sum, &size| sum.checked_add(size)) != Some(n) {
            let shape = self.shape();
            ShapeError::new(format!("split: sizes {sizes:?} do not add up to axis {axis} of shape {shape}"))
                .fail()
        }
        let mut end = 0;
        let part = |&size: &usize| {
            end += size;
            self.slice(axis as isize, end - size..end)
        };
        sizes.iter().map(part).collect()
    }

    /// Views of `chunks` parts along an axis, of one size but for the last, which may be smaller; fewer parts if the
    /// axis is too short.
    ///
    /// # Panics
    /// When there is no such axis, or `chunks` is 0.
    #[track_caller]
    pub fn chunk(&self, chunks: usize, axis: isize) -> Vec<Tensor> {
        let axis = resolve_axis("chunk", axis, self.shape()).or_fail();
        if chunks == 0 {
            ShapeError::new(format!("chunk: shape {} in no chunks", self.shape())).fail()
        }
        let n = self.shape()[axis];
        let size = n.div_ceil(chunks).max(1);
        let mut sizes: Vec<usize> = list("chunk", n.div_ceil(size)).or_fail();
        sizes.extend((0..n).step_by(size).map(|start| size.min(n - start)));
        if sizes.is_empty() { vec![self.clone()] } else { self.split(&sizes, axis as isize) }
    }

    /// Copies side by side: as many along each axis as `counts` says. More counts than axes make new axes at the front.
    ///
    /// # Panics
    /// When there are fewer counts than axes.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0]).repeat([2]).to_vec(), [1.0, 2.0, 1.0, 2.0]);
    /// assert_eq!(Tensor::from([1.0, 2.0]).repeat([3, 1]).shape(), &[3, 2]);
    /// ```
    #[track_caller]
    pub fn repeat(&self, counts: impl AsRef<[usize]>) -> Tensor {
        let counts = counts.as_ref();
        let Some(new) = counts.len().checked_sub(self.rank()) else {
            let shape = self.shape();
            ShapeError::new(format!("repeat: {counts:?} has fewer entries than shape {shape} has axes"))
                .fail()
        };
        let (mut apart, mut repeated, mut merged) = (Vec::new(), Vec::new(), Vec::new());
        for (i, &count) in counts.iter().enumerate() {
            let n = if i < new { 1 } else { self.shape()[i - new] };
            apart.extend([1, n]);
            repeated.extend([count, n]);
            merged.push(count.saturating_mul(n));
        }
        crate::Shape::new(&merged).checked("repeat").or_fail();
        self.reshape(apart).broadcast_to(repeated).reshape(merged).contiguous()
    }

    /// The elements of an axis moved on by `shift` places, those that leave it coming in at the other end.
    ///
    /// # Panics
    /// When there is no such axis.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::arange(4).roll(1, 0).to_vec(), [3.0, 0.0, 1.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn roll(&self, shift: isize, axis: isize) -> Tensor {
        let axis = resolve_axis("roll", axis, self.shape()).or_fail();
        let n = self.shape()[axis];
        let axis = axis as isize;
        let cut = (-(shift.checked_rem_euclid(n as isize).unwrap_or(0))).rem_euclid(n.max(1) as isize);
        Tensor::concat(&[&self.slice(axis, cut..), &self.slice(axis, 0..cut)], axis)
    }

    /// This tensor with the part of an axis that `slice` names replaced: the reverse of [`Tensor::slice`].
    ///
    /// # Panics
    /// When there is no such axis, the range leaves it, or the shape of `source` is not that of the slice.
    ///
    /// ```
    /// # use gradus_tensor::{Slice, Tensor};
    /// let x = Tensor::zeros([5]).slice_scatter(0, Slice::from(..).step(2), &Tensor::from([1.0, 2.0, 3.0]));
    /// assert_eq!(x.to_vec(), [1.0, 0.0, 2.0, 0.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn slice_scatter(&self, axis: isize, slice: impl Into<Slice>, source: &Tensor) -> Tensor {
        let axis = resolve_axis("slice_scatter", axis, self.shape()).or_fail();
        let region = Layout::contiguous(self.shape().clone()).slice(axis, &slice.into()).or_fail();
        if *source.shape() != region.shape {
            let (found, expected) = (source.shape(), &region.shape);
            ShapeError::new(format!("slice_scatter: the source has shape {found}, the slice {expected}"))
                .fail()
        }
        let mut result = self.clone();
        copy_into(result.as_mut_slice(), &region, source);
        result
    }
}

/// Copies a tensor to the positions of `out` that a layout of the same shape names.
pub(crate) fn copy_into(out: &mut [f32], region: &Layout, source: &Tensor) {
    if source.is_empty() {
        return;
    }
    let data = source.data();
    let loops = Coalesced::new([region, &source.layout]);
    let (n, [to_stride, from_stride]) = loops.inner();
    loops.for_each_run(0..loops.runs(), |_, [to, from]| {
        if to_stride == 1 {
            return gather(data, from, from_stride, &mut out[to..to + n]);
        }
        for i in 0..n as isize {
            out[to.wrapping_add_signed(i * to_stride)] = data[from.wrapping_add_signed(i * from_stride)];
        }
    });
}
