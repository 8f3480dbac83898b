//! The windows of a two-dimensional pooling: computed and checked once, for shape rules, kernels and references.

use crate::{
    error::ShapeError,
    limit::list,
    ops::conv::{Window, axis_names, check_images},
    shape::Shape,
};

/// Which windows a pooling looks at, as PyTorch names it; the first number of a pair is for the height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool2d {
    /// Windows of one size at even distances.
    Sliding {
        /// Height and width of a window.
        kernel: [usize; 2],
        /// From one window to the next.
        stride: [usize; 2],
        /// How far windows reach over the edges, on each side.
        padding: [usize; 2],
        /// From one element of a window to the next.
        dilation: [usize; 2],
        /// Whether a last window that reaches further than the padding counts.
        ceil_mode: bool,
    },
    /// As many windows as the output shall have elements: window `i` of `n` goes from `⌊i·size / n⌋` up to, not
    /// including, `⌈(i + 1)·size / n⌉`.
    Adaptive {
        /// Height and width of the output.
        output: [usize; 2],
    },
}

/// Every size of a pooling of `[images, channels, input..]` to `[images, channels, output..]`, and its windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolShape {
    /// The number of images.
    pub images: usize,
    /// Channels of each.
    pub channels: usize,
    /// Height and width of an input image.
    pub input: [usize; 2],
    /// Height and width of an output image.
    pub output: [usize; 2],
    /// For each row of the output the rows that its windows have.
    pub rows: Vec<PoolWindow>,
    /// For each column of the output the columns that its windows have.
    pub columns: Vec<PoolWindow>,
}

/// What a window covers of one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolWindow {
    first: usize,
    step: usize,
    len: usize,
    with_padding: usize,
}

impl PoolWindow {
    /// The positions on the input; at least one.
    pub fn positions(self) -> impl ExactSizeIterator<Item = usize> {
        (0..self.len).map(move |i| self.first + i * self.step)
    }

    /// How many there are, those in the padding counted or not.
    pub fn count(self, include_pad: bool) -> usize {
        if include_pad { self.with_padding } else { self.len }
    }
}

impl Pool2d {
    /// The sizes and windows for an input of this shape, or why they do not fit. `op` begins the messages.
    pub fn shape(&self, op: &str, x: &[usize]) -> Result<PoolShape, ShapeError> {
        check_images::<2>(op, x)?;
        let (images, channels, input) = (x[0], x[1], [x[2], x[3]]);
        if input[0].checked_mul(input[1]).is_none_or(|n| n > i32::MAX as usize) {
            return Err(ShapeError::new(format!(
                "{op}: images of {input:?} are too large to number their pixels"
            )));
        }
        let axis = |i: usize| {
            self.axis(i, input[i])
                .map_err(|e| ShapeError::new(format!("{op}: input {x:?}: {}: {e}", axis_names::<2>()[i])))
        };
        let (rows, columns) = (axis(0)?, axis(1)?);
        let output = [rows.len(), columns.len()];
        let shape = PoolShape { images, channels, input, output, rows, columns };
        // Either may be made of a caller's sizes.
        shape.x().checked(op)?;
        shape.y().checked(op)?;
        Ok(shape)
    }

    /// The sizes for a gradient by the output and images of height and width `size`.
    pub fn grad_shape(&self, op: &str, g: &[usize], size: [usize; 2]) -> Result<PoolShape, ShapeError> {
        let &[images, channels, ..] = g else {
            return Err(ShapeError::new(format!(
                "{op}: the gradient has shape {g:?}, not [images, channels, height, width]"
            )));
        };
        let shape = self.shape(op, &[images, channels, size[0], size[1]])?;
        let (x, y) = (shape.x(), shape.y());
        if y[..] == *g {
            return Ok(shape);
        }
        Err(ShapeError::new(format!("{op}: the gradient has shape {g:?}, but pooling {x} gives {y}")))
    }

    fn axis(&self, i: usize, input: usize) -> Result<Vec<PoolWindow>, String> {
        match self {
            Pool2d::Adaptive { output } => {
                let windows = output[i];
                if windows == 0 || input == 0 {
                    return Err(format!("{windows} windows of {input} elements: neither may be 0"));
                }
                let window = |w: usize| {
                    let (w, input, of) = (w as u128, input as u128, windows as u128);
                    let first = (w * input / of) as usize;
                    let len = ((w + 1) * input).div_ceil(of) as usize - first;
                    PoolWindow { first, step: 1, len, with_padding: len }
                };
                let mut found = list("windows", windows).map_err(|e| e.to_string())?;
                found.extend((0..windows).map(window));
                Ok(found)
            }
            Pool2d::Sliding { kernel, stride, padding, dilation, ceil_mode } => {
                let window = Window {
                    kernel: kernel[i],
                    stride: stride[i],
                    padding: padding[i],
                    dilation: dilation[i],
                };
                sliding_windows(window, input, *ceil_mode)
            }
        }
    }
}

/// An error unless images of this shape, with `N` axes beside those of images and channels, can be pooled by windows that
/// slide so. `op` begins the messages.
pub fn check_windows<const N: usize>(
    op: &str,
    x: &[usize],
    kernel: [usize; N],
    stride: [usize; N],
    padding: [usize; N],
    dilation: [usize; N],
    ceil_mode: bool,
) -> Result<(), ShapeError> {
    check_images::<N>(op, x)?;
    for i in 0..N {
        let window =
            Window { kernel: kernel[i], stride: stride[i], padding: padding[i], dilation: dilation[i] };
        sliding_windows(window, x[2 + i], ceil_mode)
            .map_err(|e| ShapeError::new(format!("{op}: input {x:?}: {}: {e}", axis_names::<N>()[i])))?;
    }
    Ok(())
}

/// All windows that slide along an axis.
fn sliding_windows(window: Window, input: usize, ceil_mode: bool) -> Result<Vec<PoolWindow>, String> {
    let output = window.output_size(input, ceil_mode)?;
    let mut windows = list("windows", output).map_err(|e| e.to_string())?;
    for w in 0..output {
        windows.push(sliding(window, w, input)?);
    }
    Ok(windows)
}

/// Sliding window number `w` of an axis.
fn sliding(window: Window, w: usize, input: usize) -> Result<PoolWindow, String> {
    let Window { kernel, stride, padding, dilation } = window;
    let start = w * stride;
    // Elements of the window that lie before this many elements of the padded input.
    let before = |end: usize| end.saturating_sub(start).div_ceil(dilation).min(kernel);
    let (outside, inside) = (before(padding), before(padding + input));
    if outside == inside {
        return Err(format!(
            "window {w} of {kernel} elements lies in the padding of {padding} alone; \
             hint: a padding of at most half the kernel leaves each window some input"
        ));
    }
    Ok(PoolWindow {
        first: start + outside * dilation - padding,
        step: dilation,
        len: inside - outside,
        with_padding: before(2 * padding + input),
    })
}

impl PoolShape {
    /// The shape of the input.
    pub fn x(&self) -> Shape {
        [self.images, self.channels, self.input[0], self.input[1]].into()
    }

    /// The shape of the output.
    pub fn y(&self) -> Shape {
        [self.images, self.channels, self.output[0], self.output[1]].into()
    }
}
