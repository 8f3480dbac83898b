//! How the windows of a pooling slide: the options that all poolings share.

use crate::{error::ShapeError, ops::conv::Window};

/// How the windows of a pooling move over `N` axes, as PyTorch names it: one number for each axis, the height's before the
/// width's. The sizes of a kernel, or one for all axes, stand for windows side by side.
///
/// ```
/// # use gradus_tensor::PoolOptions;
/// let options = PoolOptions { padding: [1, 0], ..PoolOptions::new([3, 2]) };
/// assert_eq!((options.stride, options.dilation), ([3, 2], [1, 1]));
/// assert_eq!(PoolOptions::from([2, 2]), PoolOptions::<2>::from(2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions<const N: usize> {
    /// The sizes of a window.
    pub kernel: [usize; N],
    /// From one window to the next. The kernel's size, unless it is given.
    pub stride: [usize; N],
    /// How far windows reach over the edges, on each side.
    pub padding: [usize; N],
    /// From one element of a window to the next.
    pub dilation: [usize; N],
    /// Whether a last window that reaches further than the padding counts.
    pub ceil_mode: bool,
    /// Whether padding counts in a mean, as zeros; if not, a window has the size of what it sees of the input.
    pub count_include_pad: bool,
    /// What sums are divided by in a mean, in place of the size of the window.
    pub divisor_override: Option<usize>,
}

impl<const N: usize> PoolOptions<N> {
    /// Windows side by side: the stride is the kernel's size. No padding, dilation 1, no last window that the input does not
    /// fill, and padding counts.
    pub fn new(kernel: [usize; N]) -> PoolOptions<N> {
        PoolOptions {
            kernel,
            stride: kernel,
            padding: [0; N],
            dilation: [1; N],
            ceil_mode: false,
            count_include_pad: true,
            divisor_override: None,
        }
    }

    /// How windows move along one of the axes.
    pub(super) fn along(&self, axis: usize) -> Window {
        Window {
            kernel: self.kernel[axis],
            stride: self.stride[axis],
            padding: self.padding[axis],
            dilation: self.dilation[axis],
        }
    }

    /// An error if something is set that only means have. `op` begins the message.
    pub fn check_no_mean_options(&self, op: &str) -> Result<(), ShapeError> {
        let set = match (self.count_include_pad, self.divisor_override) {
            (_, Some(_)) => "divisor_override",
            (false, _) => "count_include_pad",
            (true, None) => return Ok(()),
        };
        Err(ShapeError::new(format!("{op}: {set} is set, which only means have; hint: avg_pool{N}d has it")))
    }

    /// The same windows over other axes: numbered ones of these, and new ones, `None`, along which windows have size 1.
    pub(super) fn over<const M: usize>(&self, axes: [Option<usize>; M]) -> PoolOptions<M> {
        let pick = |of: &[usize; N], other: usize| axes.map(|axis| axis.map_or(other, |axis| of[axis]));
        PoolOptions {
            kernel: pick(&self.kernel, 1),
            stride: pick(&self.stride, 1),
            padding: pick(&self.padding, 0),
            dilation: pick(&self.dilation, 1),
            ceil_mode: self.ceil_mode,
            count_include_pad: self.count_include_pad,
            divisor_override: self.divisor_override,
        }
    }
}

impl<const N: usize> From<[usize; N]> for PoolOptions<N> {
    fn from(kernel: [usize; N]) -> PoolOptions<N> {
        PoolOptions::new(kernel)
    }
}

impl<const N: usize> From<usize> for PoolOptions<N> {
    fn from(kernel: usize) -> PoolOptions<N> {
        PoolOptions::new([kernel; N])
    }
}
