//! Axes made longer or shorter, and the reverse, by which gradients flow back.

use crate::{
    ShapeError,
    array::{Tensor, strided::AxisView},
    error::OrFail,
    limit::list,
    shape::{Shape, resolve_axis},
    threads::share,
};

/// How the elements of a resized axis are made from those that there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// Each is one of them: number `⌊i · input / output⌋`.
    Nearest,
    /// Each lies between two of them, and has a share of either. With `align_corners` the first and last elements of both
    /// axes lie on each other, else the outer edges of these elements do.
    Linear {
        /// What lies on what.
        align_corners: bool,
    },
}

/// What an element of a resized axis is made of: `(1 - share) · x[first] + share · x[second]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blend {
    /// The one element.
    pub first: usize,
    /// The other, the same or the next.
    pub second: usize,
    /// The part that the second has, at least 0 and below 1.
    pub share: f64,
}

impl Interpolation {
    /// What each element of an axis of length `output` is made of, of one of length `input`; neither may be 0.
    pub fn blends(self, input: usize, output: usize) -> impl ExactSizeIterator<Item = Blend> {
        (0..output).map(move |i| {
            let place = match self {
                Interpolation::Nearest => (i as u128 * input as u128 / output as u128) as f64,
                Interpolation::Linear { align_corners: true } => {
                    (i as f64 * (input - 1) as f64) / (output - 1).max(1) as f64
                }
                Interpolation::Linear { align_corners: false } => {
                    ((i as f64 + 0.5) * input as f64 / output as f64 - 0.5).max(0.0)
                }
            };
            let first = (place as usize).min(input - 1);
            let second = (first + 1).min(input - 1);
            Blend { first, second, share: if second == first { 0.0 } else { place - first as f64 } }
        })
    }

    /// The shape with another size of an axis, and the number of the axis.
    pub fn shape(op: &str, x: &[usize], axis: isize, size: usize) -> Result<(Shape, usize), ShapeError> {
        let axis = resolve_axis(op, axis, x)?;
        if x[axis] == 0 || size == 0 {
            return Err(ShapeError::new(format!(
                "{op}: axis {axis} of shape {x:?} to {size} elements: neither size may be 0"
            )));
        }
        Ok((Shape::new(x).with(axis, size).affordable(op)?, axis))
    }
}

impl Tensor {
    /// An axis brought to `size` elements.
    ///
    /// # Panics
    /// When there is no such axis, or one of the sizes is 0.
    ///
    /// ```
    /// # use gradus_tensor::{Interpolation, Tensor};
    /// let x = Tensor::from([1.0, 2.0]);
    /// assert_eq!(x.interpolate(0, 4, Interpolation::Nearest).to_vec(), [1.0, 1.0, 2.0, 2.0]);
    /// let linear = |align_corners| Interpolation::Linear { align_corners };
    /// assert_eq!(x.interpolate(0, 3, linear(true)).to_vec(), [1.0, 1.5, 2.0]);
    /// assert_eq!(x.interpolate(0, 4, linear(false)).to_vec(), [1.0, 1.25, 1.75, 2.0]);
    /// ```
    #[track_caller]
    pub fn interpolate(&self, axis: isize, size: usize, how: Interpolation) -> Tensor {
        let (shape, axis) = Interpolation::shape("interpolate", self.shape(), axis, size).or_fail();
        let AxisView { n, inner, .. } = AxisView::new(self.shape(), axis);
        let blends = weights("interpolate", how, n, size).or_fail();
        let source = self.contiguous();
        let x = source.as_slice().expect("made contiguous");
        Tensor::written(shape, |y| {
            share::for_each_run_chunk(y, size * inner, share::ELEMENTWISE, &|blocks, y| {
                for (block, y) in blocks.zip(y.chunks_exact_mut(size * inner)) {
                    let x = &x[block * n * inner..][..n * inner];
                    for (&(first, second, [of_first, of_second]), y) in
                        blends.iter().zip(y.chunks_exact_mut(inner))
                    {
                        let (a, b) = (&x[first * inner..][..inner], &x[second * inner..][..inner]);
                        if of_second == 0.0 {
                            y.copy_from_slice(a);
                        } else {
                            let pairs = a.iter().zip(b);
                            y.iter_mut().zip(pairs).for_each(|(y, (a, b))| *y = of_first * a + of_second * b);
                        }
                    }
                }
            });
        })
    }

    /// The gradient of [`Tensor::interpolate`] by its input, whose axis has `size` elements: this is the gradient by the
    /// result.
    ///
    /// # Panics
    /// When there is no such axis, or one of the sizes is 0.
    ///
    /// ```
    /// # use gradus_tensor::{Interpolation, Tensor};
    /// let g = Tensor::from([1.0, 2.0, 4.0]);
    /// assert_eq!(g.interpolate_grad(0, 2, Interpolation::Nearest).to_vec(), [3.0, 4.0]);
    /// assert_eq!(g.interpolate_grad(0, 2, Interpolation::Linear { align_corners: true }).to_vec(), [2.0, 5.0]);
    /// ```
    #[track_caller]
    pub fn interpolate_grad(&self, axis: isize, size: usize, how: Interpolation) -> Tensor {
        let (shape, axis) = Interpolation::shape("interpolate_grad", self.shape(), axis, size).or_fail();
        let AxisView { n, inner, .. } = AxisView::new(self.shape(), axis);
        let blends = weights("interpolate_grad", how, size, n).or_fail();
        let source = self.contiguous();
        let g = source.as_slice().expect("made contiguous");
        Tensor::written(shape, |dx| {
            dx.fill(0.0);
            share::for_each_run_chunk(dx, size * inner, share::ELEMENTWISE, &|blocks, dx| {
                for (block, dx) in blocks.zip(dx.chunks_exact_mut(size * inner)) {
                    let g = &g[block * n * inner..][..n * inner];
                    for (&(first, second, shares), g) in blends.iter().zip(g.chunks_exact(inner)) {
                        for (to, share) in [first, second].into_iter().zip(shares) {
                            if share != 0.0 {
                                let dx = &mut dx[to * inner..][..inner];
                                dx.iter_mut().zip(g).for_each(|(dx, g)| *dx += share * g);
                            }
                        }
                    }
                }
            });
        })
    }
}

/// Of each blend both places, and what is taken of each.
fn weights(op: &str, how: Interpolation, input: usize, output: usize) -> Result<Vec<Weight>, ShapeError> {
    let weight = |Blend { first, second, share }| (first, second, [(1.0 - share) as f32, share as f32]);
    let mut weights = list(op, output)?;
    weights.extend(how.blends(input, output).map(weight));
    Ok(weights)
}

type Weight = (usize, usize, [f32; 2]);
