//! Moving elements within image planes: taking those at some positions, and putting them back.

use crate::{
    array::Tensor,
    error::{OrFail, ShapeError},
    indices::Indices,
    shape::Shape,
    threads::share,
};

impl Tensor {
    /// From each image plane of `[n, c, h, w]` the elements at these positions, `row · w + column`.
    ///
    /// # Panics
    /// When the indices have other images or channels, or one lies outside its plane.
    ///
    /// ```
    /// # use gradus_tensor::{Indices, Tensor};
    /// let x = Tensor::from([[[[1.0, 2.0], [3.0, 4.0]]]]);
    /// let at = Indices::new([3, 0, 3], [1, 1, 1, 3]);
    /// assert_eq!(x.plane_gather(&at).to_vec(), [4.0, 1.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn plane_gather(&self, indices: &Indices) -> Tensor {
        let shape = plane_gather_shape(self.shape(), indices.shape()).or_fail();
        let (input, output) = (area(self.shape()), area(&shape));
        check_positions("plane_gather", indices, input);
        let x = self.contiguous();
        let (x, at) = (x.as_slice().expect("made contiguous above"), indices.as_slice());
        Tensor::written(shape, |y| {
            share::for_each_run_chunk(y, output, share::ELEMENTWISE, &|planes, y| {
                for (plane, y) in planes.zip(y.chunks_exact_mut(output)) {
                    let x = &x[plane * input..][..input];
                    let at = &at[plane * output..][..output];
                    y.iter_mut().zip(at).for_each(|(y, &at)| *y = x[at as usize]);
                }
            });
        })
    }

    /// The reverse of [`Tensor::plane_gather`]: image planes of height and width `size`, zero but for these elements at
    /// these positions. What goes to one place is added up.
    ///
    /// # Panics
    /// When the indices have another shape than this, or one lies outside a plane.
    ///
    /// ```
    /// # use gradus_tensor::{Indices, Tensor};
    /// let x = Tensor::from([[[[1.0, 2.0, 3.0]]]]);
    /// let at = Indices::new([3, 0, 3], [1, 1, 1, 3]);
    /// assert_eq!(x.plane_scatter(&at, [2, 2]).to_vec(), [2.0, 0.0, 0.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn plane_scatter(&self, indices: &Indices, size: [usize; 2]) -> Tensor {
        let shape = plane_scatter_shape(self.shape(), indices.shape(), size).or_fail();
        let (input, output) = (area(self.shape()), area(&shape));
        check_positions("plane_scatter", indices, output);
        let x = self.contiguous();
        let (x, at) = (x.as_slice().expect("made contiguous above"), indices.as_slice());
        Tensor::written(shape, |y| {
            share::for_each_run_chunk(y, output, share::ELEMENTWISE, &|planes, y| {
                for (plane, y) in planes.zip(y.chunks_exact_mut(output)) {
                    y.fill(0.0);
                    let part = plane * input..(plane + 1) * input;
                    x[part.clone()].iter().zip(&at[part]).for_each(|(x, &at)| y[at as usize] += x);
                }
            });
        })
    }
}

/// The shape of what [`Tensor::plane_gather`] takes with indices of a shape.
pub fn plane_gather_shape(x: &[usize], indices: &[usize]) -> Result<Shape, ShapeError> {
    if x.len() == 4 && indices.len() == 4 && x[..2] == indices[..2] {
        return Ok(indices.into());
    }
    Err(ShapeError::new(format!(
        "plane_gather: input {x:?} and indices {indices:?} must have four axes, the first two the same"
    )))
}

/// The shape of what [`Tensor::plane_scatter`] makes.
pub fn plane_scatter_shape(
    x: &[usize],
    indices: &[usize],
    [height, width]: [usize; 2],
) -> Result<Shape, ShapeError> {
    match x {
        &[images, channels, _, _] if x == indices => {
            Shape::from([images, channels, height, width]).checked("plane_scatter")
        }
        _ => Err(ShapeError::new(format!(
            "plane_scatter: input {x:?} and indices {indices:?} must have one shape of four axes"
        ))),
    }
}

#[track_caller]
fn check_positions(op: &str, indices: &Indices, plane: usize) {
    // One look at all of them is quicker than a way out at each; a negative one is large.
    let largest = indices.as_slice().iter().fold(0, |largest, &at| (at as u32).max(largest));
    let outside = |at: u32| at as usize >= plane;
    if !outside(largest) {
        return;
    }
    if let Some(at) = indices.as_slice().iter().find(|at| outside(**at as u32)) {
        ShapeError::new(format!("{op}: position {at} lies outside a plane of {plane} elements")).fail()
    }
}

/// The elements of an image plane.
fn area(shape: &[usize]) -> usize {
    shape[2] * shape[3]
}
