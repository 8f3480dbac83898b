//! The windows of a pooling: computed and checked once, for shape rules, kernels and references.

use super::PoolOptions;
use crate::{
    error::ShapeError,
    limit::list,
    ops::conv::{Window, axis_names, check_images},
    shape::Shape,
};

/// Which windows a pooling over `N` axes looks at; the first number is for the first of the axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool<const N: usize> {
    /// Windows of one size at even distances.
    Sliding(PoolOptions<N>),
    /// As many windows as the output shall have elements: window `i` of `n` goes from `⌊i·size / n⌋` up to, not
    /// including, `⌈(i + 1)·size / n⌉`.
    Adaptive {
        /// The sizes of the output.
        output: [usize; N],
    },
}

/// Which windows a pooling of images looks at.
pub type Pool2d = Pool<2>;

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
    divisor_override: Option<usize>,
}

/// What a window covers of one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolWindow {
    pub(super) first: usize,
    pub(super) step: usize,
    pub(super) len: usize,
    count: usize,
}

impl PoolWindow {
    /// The positions on the input; at least one.
    pub fn positions(self) -> impl ExactSizeIterator<Item = usize> {
        (0..self.len).map(move |i| self.first + i * self.step)
    }

    /// How many elements count in a mean: the positions, and with `count_include_pad` those in the padding.
    pub fn count(self) -> usize {
        self.count
    }
}

impl<const N: usize> Pool<N> {
    /// The windows along each axis of an input `[images, channels, size..]`, or why they do not fit. `op` begins the messages.
    pub fn windows(&self, op: &str, x: &[usize]) -> Result<[Vec<PoolWindow>; N], ShapeError> {
        check_images::<N>(op, x)?;
        if let Pool::Sliding(PoolOptions { divisor_override: Some(0), .. }) = self {
            return Err(ShapeError::new(format!("{op}: the divisor must not be 0")));
        }
        let mut found = [const { Vec::new() }; N];
        for (i, windows) in found.iter_mut().enumerate() {
            *windows = self
                .along(i, x[2 + i])
                .map_err(|e| ShapeError::new(format!("{op}: input {x:?}: {}: {e}", axis_names::<N>()[i])))?;
        }
        Ok(found)
    }

    fn along(&self, i: usize, input: usize) -> Result<Vec<PoolWindow>, String> {
        match self {
            Pool::Adaptive { output } => adaptive_windows(output[i], input),
            Pool::Sliding(options) => sliding_windows(options, i, input),
        }
    }

    /// An error if something is set that only means have. `op` begins the message.
    pub fn check_no_mean_options(&self, op: &str) -> Result<(), ShapeError> {
        match self {
            Pool::Adaptive { .. } => Ok(()),
            Pool::Sliding(options) => options.check_no_mean_options(op),
        }
    }
}

impl Pool<1> {
    /// The same windows of rows as images of height 1.
    pub fn of_height_1(&self) -> Pool2d {
        match self {
            Pool::Adaptive { output: [length] } => Pool::Adaptive { output: [1, *length] },
            Pool::Sliding(options) => Pool::Sliding(options.over([None, Some(0)])),
        }
    }
}

impl Pool<3> {
    /// What the windows of volumes are of each layer. A divisor is left to the depth.
    pub fn of_layers(&self) -> Pool2d {
        match self {
            Pool::Adaptive { output: [_, rows, columns] } => Pool::Adaptive { output: [*rows, *columns] },
            Pool::Sliding(options) => {
                let divisor_override = options.divisor_override.map(|_| 1);
                Pool::Sliding(PoolOptions { divisor_override, ..options.over([Some(1), Some(2)]) })
            }
        }
    }

    /// What the windows of volumes are in depth, of images whose rows are layers of so many elements.
    pub fn of_depth(&self, elements: usize) -> Pool2d {
        match self {
            Pool::Adaptive { output: [depth, ..] } => Pool::Adaptive { output: [*depth, elements] },
            Pool::Sliding(options) => Pool::Sliding(options.over([Some(0), None])),
        }
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
        let [rows, columns] = self.windows(op, x)?;
        let output = [rows.len(), columns.len()];
        let divisor_override = match self {
            Pool::Adaptive { .. } => None,
            Pool::Sliding(options) => options.divisor_override,
        };
        let shape = PoolShape { images, channels, input, output, rows, columns, divisor_override };
        // Either may be made of a caller's sizes.
        shape.x().checked(op)?;
        shape.y().checked(op)?;
        Ok(shape)
    }

    /// The same for what is no mean: an error too if something is set that only means have.
    pub fn max_shape(&self, op: &str, x: &[usize]) -> Result<PoolShape, ShapeError> {
        self.check_no_mean_options(op)?;
        self.shape(op, x)
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
}

/// So many windows that share an axis out evenly.
fn adaptive_windows(windows: usize, input: usize) -> Result<Vec<PoolWindow>, String> {
    if windows == 0 || input == 0 {
        return Err(format!("{windows} windows of {input} elements: neither may be 0"));
    }
    let window = |w: usize| {
        let (w, input, of) = (w as u128, input as u128, windows as u128);
        let first = (w * input / of) as usize;
        let len = ((w + 1) * input).div_ceil(of) as usize - first;
        PoolWindow { first, step: 1, len, count: len }
    };
    let mut found = list("windows", windows).map_err(|e| e.to_string())?;
    found.extend((0..windows).map(window));
    Ok(found)
}

/// All windows that slide along an axis.
fn sliding_windows<const N: usize>(
    options: &PoolOptions<N>,
    axis: usize,
    input: usize,
) -> Result<Vec<PoolWindow>, String> {
    let along = options.along(axis);
    let output = along.output_size(input, options.ceil_mode)?;
    let mut windows = list("windows", output).map_err(|e| e.to_string())?;
    for w in 0..output {
        windows.push(sliding(along, w, input, options.count_include_pad)?);
    }
    Ok(windows)
}

/// Sliding window number `w` of an axis.
fn sliding(window: Window, w: usize, input: usize, count_include_pad: bool) -> Result<PoolWindow, String> {
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
    let len = inside - outside;
    Ok(PoolWindow {
        first: start + outside * dilation - padding,
        step: dilation,
        len,
        count: if count_include_pad { before(2 * padding + input) } else { len },
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

    /// What a mean over these rows and columns divides its sum by.
    pub fn divisor(&self, rows: PoolWindow, columns: PoolWindow) -> usize {
        self.divisor_override.unwrap_or(rows.count * columns.count)
    }
}
