//! Two-dimensional pooling: maxima and means over windows.

mod options;
mod plane;
mod scatter;
mod shape;
mod tiled;

pub use options::PoolOptions;
pub use scatter::{plane_gather_shape, plane_scatter_shape};
pub use shape::{Pool, Pool2d, PoolShape, PoolWindow};

use crate::{Isa, array::Tensor, error::OrFail, indices::Indices, simd::dispatch, threads::share};
use plane::{MaxPlanes, avg_plane, avg_plane_grad};
use tiled::{TiledMax, TiledMaxGrad, tiling};

impl Tensor {
    /// The largest element of each window of images `[n, c, h, w]`, and its position in its image plane, `row · w +
    /// column`. Of equal ones the first in row-major order counts; a NaN counts as larger than all; padding never does.
    ///
    /// # Panics
    /// When there are not four axes, a window does not fit the padded image or lies in the padding alone, a size is 0 where
    /// it must not be, or an option is set that only means have.
    ///
    /// ```
    /// # use gradus_tensor::{Indices, Pool2d, Tensor};
    /// let x = Tensor::from([[[[1.0, 2.0, 5.0], [4.0, 3.0, 0.0]]]]);
    /// let (y, winners) = x.max_pool(&Pool2d::Adaptive { output: [1, 2] });
    /// assert_eq!((y.to_vec(), winners.as_slice()), (vec![4.0, 5.0], &[3, 2][..]));
    /// ```
    #[track_caller]
    pub fn max_pool(&self, windows: &Pool2d) -> (Tensor, Indices) {
        let shape = windows.max_shape("max_pool2d", self.shape()).or_fail();
        let x = self.contiguous();
        let x = x.as_slice().expect("made contiguous above");
        let (input, output) = (shape.input[0] * shape.input[1], shape.output[0] * shape.output[1]);
        let mut y = None;
        let winners = Indices::written(shape.y(), |winners| {
            y = Some(Tensor::written(shape.y(), |y| {
                share::for_each_run_pair((y, winners), output, self.numel(), |planes, y, winners| {
                    let x = &x[planes.start * input..planes.end * input];
                    let planes = MaxPlanes { shape: &shape, x, y, winners };
                    match tiling(&shape) {
                        Some(2) => dispatch(Isa::current(), TiledMax::<2>(planes)),
                        Some(3) => dispatch(Isa::current(), TiledMax::<3>(planes)),
                        _ => dispatch(Isa::current(), planes),
                    }
                });
            }));
        });
        (y.expect("written above"), winners)
    }

    /// The gradient of [`Tensor::max_pool`] by its input, for images of height and width `size`: this is the gradient by the
    /// output, and `winners` are those that the maxima came with: of others the result is not specified. Each window gives its
    /// gradient to its winner.
    ///
    /// # Panics
    /// When pooling such images does not have an output like this, or the winners have another shape.
    ///
    /// ```
    /// # use gradus_tensor::{Pool2d, PoolOptions, Tensor};
    /// let x = Tensor::from([[[[1.0, 2.0, 5.0, 4.0], [4.0, 3.0, 0.0, 6.0]]]]);
    /// let windows = Pool2d::Sliding(PoolOptions::from(2));
    /// let (_, winners) = x.max_pool(&windows);
    /// let g = Tensor::from([[[[0.5, 0.25]]]]);
    /// assert_eq!(g.max_pool_grad(&winners, &windows, [2, 4]).to_vec(), [0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.25]);
    /// ```
    #[track_caller]
    pub fn max_pool_grad(&self, winners: &Indices, windows: &Pool2d, size: [usize; 2]) -> Tensor {
        let shape = windows.grad_shape("max_pool2d_grad", self.shape(), size).or_fail();
        let Some(side @ (2 | 3)) = tiling(&shape) else { return self.plane_scatter(winners, size) };
        plane_scatter_shape(self.shape(), winners.shape(), size).or_fail();
        let g = self.contiguous();
        let (g, winners) = (g.as_slice().expect("made contiguous above"), winners.as_slice());
        let (input, output) = (shape.input[0] * shape.input[1], shape.output[0] * shape.output[1]);
        Tensor::written(shape.x(), |dx| {
            share::for_each_run_chunk(dx, input, share::ELEMENTWISE, &|planes, dx| {
                let part = planes.start * output..planes.end * output;
                let (g, winners) = (&g[part.clone()], &winners[part]);
                match side {
                    2 => dispatch(Isa::current(), TiledMaxGrad::<2> { shape: &shape, g, winners, dx }),
                    _ => dispatch(Isa::current(), TiledMaxGrad::<3> { shape: &shape, g, winners, dx }),
                }
            });
        })
    }

    /// The mean of each window of images `[n, c, h, w]`. Padding counts as zeros, or with `count_include_pad` false not
    /// at all; what a last window of ceil mode has beyond the padding never counts. With `divisor_override` it is the sum of
    /// each window, divided by that.
    ///
    /// # Panics
    /// When there are not four axes, a window does not fit the padded image or lies in the padding alone, or a size or the
    /// divisor is 0 where it must not be.
    ///
    /// ```
    /// # use gradus_tensor::{Pool2d, PoolOptions, Tensor};
    /// let x = Tensor::from([[[[1.0, 2.0, 6.0], [4.0, 3.0, 0.0]]]]);
    /// assert_eq!(x.avg_pool(&Pool2d::Adaptive { output: [2, 2] }).to_vec(), [1.5, 4.0, 3.5, 1.5]);
    /// assert_eq!(x.avg_pool(&Pool2d::Sliding(PoolOptions::new([2, 3]))).to_vec(), [16.0 / 6.0]);
    /// ```
    #[track_caller]
    pub fn avg_pool(&self, windows: &Pool2d) -> Tensor {
        let shape = windows.shape("avg_pool2d", self.shape()).or_fail();
        let x = self.contiguous();
        let x = x.as_slice().expect("made contiguous above");
        let (input, output) = (shape.input[0] * shape.input[1], shape.output[0] * shape.output[1]);
        Tensor::written(shape.y(), |y| {
            share::for_each_run_chunk(y, output, share::ELEMENTWISE, &|planes, y| {
                for (plane, y) in planes.zip(y.chunks_exact_mut(output)) {
                    avg_plane(&shape, &x[plane * input..][..input], y);
                }
            });
        })
    }

    /// The gradient of [`Tensor::avg_pool`] by its input, for images of height and width `size`: this is the gradient
    /// by the output. Each window hands its gradient out in equal parts.
    ///
    /// # Panics
    /// When pooling such images does not have an output like this.
    #[track_caller]
    pub fn avg_pool_grad(&self, windows: &Pool2d, size: [usize; 2]) -> Tensor {
        let shape = windows.grad_shape("avg_pool2d_grad", self.shape(), size).or_fail();
        let g = self.contiguous();
        let g = g.as_slice().expect("made contiguous above");
        let (input, output) = (shape.input[0] * shape.input[1], shape.output[0] * shape.output[1]);
        Tensor::written(shape.x(), |dx| {
            share::for_each_run_chunk(dx, input, share::ELEMENTWISE, &|planes, dx| {
                for (plane, dx) in planes.zip(dx.chunks_exact_mut(input)) {
                    avg_plane_grad(&shape, &g[plane * output..][..output], dx);
                }
            });
        })
    }
}
