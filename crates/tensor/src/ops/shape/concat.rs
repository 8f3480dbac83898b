//! Tensors put together.

use crate::{
    ShapeError,
    array::{
        Tensor,
        layout::{Layout, Slice},
        strided::Coalesced,
    },
    error::OrFail,
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
