//! The patches of images that a convolution's kernel meets, as columns of a matrix (im2col), and the reverse (col2im).

use crate::{
    Conv2dOptions, ConvShape, ShapeError, array::Tensor, error::OrFail, shape::Shape, threads::share,
};
use std::ops::Range;

/// The sizes of an unfolding of images `[n, c, h, w]` to `[n, c · kh · kw, patches]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfoldShape(
    /// The convolution that has these patches.
    pub ConvShape,
);

impl UnfoldShape {
    /// The sizes for images of a shape, or why they do not fit. `op` begins the messages.
    pub fn new(
        op: &str,
        x: &[usize],
        [height, width]: [usize; 2],
        options: Conv2dOptions,
    ) -> Result<UnfoldShape, ShapeError> {
        let kernel = [1, x.get(1).copied().unwrap_or(0), height, width];
        let shape = UnfoldShape(ConvShape::new(op, x, &kernel, Conv2dOptions { groups: 1, ..options })?);
        shape.columns().checked(op)?;
        Ok(shape)
    }

    /// The sizes for columns of a shape that are folded to images of height and width `size`.
    pub fn of_fold(
        op: &str,
        columns: &[usize],
        size: [usize; 2],
        kernel: [usize; 2],
        options: Conv2dOptions,
    ) -> Result<UnfoldShape, ShapeError> {
        let taps = kernel[0].saturating_mul(kernel[1]);
        let &[images, rows, _] = columns else {
            return Err(ShapeError::new(format!(
                "{op}: the columns have shape {columns:?}, not [images, channels · {taps}, patches]"
            )));
        };
        if taps == 0 || rows % taps != 0 {
            return Err(ShapeError::new(format!(
                "{op}: {rows} rows of {columns:?} are no multiple of a patch of {kernel:?}"
            )));
        }
        let shape = UnfoldShape::new(op, &[images, rows / taps, size[0], size[1]], kernel, options)?;
        if shape.columns()[..] == *columns {
            return Ok(shape);
        }
        Err(ShapeError::new(format!(
            "{op}: the columns have shape {columns:?}, but unfolding {} gives {}",
            shape.0.x(),
            shape.columns()
        )))
    }

    /// The shape of the columns.
    pub fn columns(&self) -> Shape {
        let ConvShape { images, in_channels, kernel, output, .. } = self.0;
        let rows = in_channels.saturating_mul(kernel[0]).saturating_mul(kernel[1]);
        [images, rows, output[0].saturating_mul(output[1])].into()
    }

    /// The outputs along an axis whose kernel element `k` lies on the image, and the position of the first one's.
    fn inside(&self, axis: usize, k: usize) -> (Range<usize>, usize) {
        let ConvShape { input, output, options, .. } = &self.0;
        let (stride, padding, at) = (options.stride[axis], options.padding[axis], k * options.dilation[axis]);
        let before = |end: usize| end.saturating_sub(at).div_ceil(stride).min(output[axis]);
        let outputs = before(padding)..before(padding + input[axis]);
        let first = (outputs.start * stride + at).saturating_sub(padding);
        (outputs, first)
    }

    /// Calls `f(first column, first pixel, how many)` for every row of outputs in a band whose kernel element `(a, b)` lies on
    /// the image; columns count from the band's first, and are one apart, pixels one stride.
    pub(super) fn for_each_row(
        &self,
        band: &Range<usize>,
        [a, b]: [usize; 2],
        mut f: impl FnMut(usize, usize, usize),
    ) {
        let ((rows, top), (columns, left)) = (self.inside(0, a), self.inside(1, b));
        if columns.is_empty() {
            return;
        }
        for row in rows.start.max(band.start)..rows.end.min(band.end) {
            let pixel = (top + (row - rows.start) * self.0.options.stride[0]) * self.0.input[1] + left;
            f((row - band.start) * self.0.output[1] + columns.start, pixel, columns.len());
        }
    }

    /// The rows of outputs.
    fn rows(&self) -> Range<usize> {
        0..self.0.output[0]
    }
}

impl Tensor {
    /// The patches of images `[n, c, h, w]` that kernels of size `kernel` meet, as columns: `[n, c · kh · kw, patches]`,
    /// with zeros where a patch lies in the padding. The number of groups is without effect.
    ///
    /// # Panics
    /// When there are not four axes, the dilated kernel is larger than the padded image, or a size is 0 where it must
    /// not be.
    ///
    /// ```
    /// # use gradus_tensor::{Conv2dOptions, Tensor};
    /// let x = Tensor::from([[[[1.0, 2.0, 3.0]]]]);
    /// let columns = x.unfold([1, 2], Conv2dOptions::default());
    /// assert_eq!(columns, Tensor::from([[[1.0, 2.0], [2.0, 3.0]]]));
    /// ```
    #[track_caller]
    pub fn unfold(&self, kernel: [usize; 2], options: Conv2dOptions) -> Tensor {
        let shape = UnfoldShape::new("unfold", self.shape(), kernel, options).or_fail();
        let source = self.contiguous();
        let x = source.as_slice().expect("made contiguous");
        let (taps, plane) = (kernel[0] * kernel[1], shape.0.input[0] * shape.0.input[1]);
        let (patches, stride) = (shape.0.output[0] * shape.0.output[1], options.stride[1]);
        Tensor::written(shape.columns(), |columns| {
            share::for_each_run_chunk(columns, patches, share::ELEMENTWISE, &|rows, columns| {
                for (row, columns) in rows.zip(columns.chunks_exact_mut(patches)) {
                    let x = &x[row / taps * plane..][..plane];
                    columns.fill(0.0);
                    let tap = [row % taps / kernel[1], row % kernel[1]];
                    shape.for_each_row(&shape.rows(), tap, |to, from, n| {
                        let to = &mut columns[to..to + n];
                        to.iter_mut().zip(x[from..].iter().step_by(stride)).for_each(|(to, x)| *to = *x);
                    });
                }
            });
        })
    }

    /// The reverse of [`Tensor::unfold`]: images of height and width `size` of the patches in columns `[n, c · kh · kw,
    /// patches]`. Where patches overlap their elements are added up.
    ///
    /// # Panics
    /// When unfolding such images does not give columns like these.
    ///
    /// ```
    /// # use gradus_tensor::{Conv2dOptions, Tensor};
    /// let columns = Tensor::from([[[1.0, 2.0], [2.0, 3.0]]]);
    /// let x = columns.fold([1, 3], [1, 2], Conv2dOptions::default());
    /// assert_eq!(x.to_vec(), [1.0, 4.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn fold(&self, size: [usize; 2], kernel: [usize; 2], options: Conv2dOptions) -> Tensor {
        let shape = UnfoldShape::of_fold("fold", self.shape(), size, kernel, options).or_fail();
        let source = self.contiguous();
        let columns = source.as_slice().expect("made contiguous");
        let (taps, plane) = (kernel[0] * kernel[1], size[0] * size[1]);
        let (patches, stride) = (shape.0.output[0] * shape.0.output[1], options.stride[1]);
        Tensor::written(shape.0.x(), |x| {
            x.fill(0.0);
            share::for_each_run_chunk(x, plane, share::ELEMENTWISE, &|channels, x| {
                for (channel, x) in channels.zip(x.chunks_exact_mut(plane)) {
                    for tap in 0..taps {
                        let columns = &columns[(channel * taps + tap) * patches..][..patches];
                        let tap = [tap / kernel[1], tap % kernel[1]];
                        shape.for_each_row(&shape.rows(), tap, |from, to, n| {
                            let pixels = x[to..].iter_mut().step_by(stride);
                            pixels.zip(&columns[from..from + n]).for_each(|(x, column)| *x += column);
                        });
                    }
                }
            });
        })
    }
}
