//! Pooling layers, and the way back.

use super::sizes::{Sizes, positive};
use crate::{layer::Layer, module};
use gradus_autograd::prelude::*;

/// Writes what all layers with windows that slide have, and the layer of each number of axes.
macro_rules! sliding {
    ($Pool:ident $name:literal, ($pool1d:ident, $pool2d:ident, $pool3d:ident)($($setting:ident)?)) => {
        impl<const N: usize> $Pool<N> {
            /// The same windows, this far from each other.
            ///
            /// # Panics
            /// When the stride is 0.
            #[track_caller]
            pub fn stride(mut self, stride: impl Sizes<N>) -> $Pool<N> {
                self.options.stride = positive(&format!(concat!($name, "{}d"), N), "a stride of", stride);
                self
            }

            /// The same windows, reaching so far over the edges.
            ///
            /// # Panics
            /// When it is more than half the kernel: a window could lie outside the image.
            #[track_caller]
            pub fn padding(mut self, padding: impl Sizes<N>) -> $Pool<N> {
                let name = format!(concat!($name, "{}d"), N);
                self.options.padding = check_padding(&name, padding, self.options.kernel);
                self
            }

            /// The same windows, and a last one where the image does not fill it.
            pub fn ceil_mode(mut self) -> $Pool<N> {
                self.options.ceil_mode = true;
                self
            }
        }

        impl Layer for $Pool<1> {
            /// # Panics
            /// When `x` is not `[n, c, length]`, or is shorter than a window.
            #[track_caller]
            fn forward<V: Value>(&self, x: V) -> V {
                x.$pool1d($(self.$setting,)? self.options)
            }
        }

        impl Layer for $Pool<2> {
            /// # Panics
            /// When `x` is not `[n, c, h, w]`, or is smaller than a window.
            #[track_caller]
            fn forward<V: Value>(&self, x: V) -> V {
                x.$pool2d($(self.$setting,)? self.options)
            }
        }

        impl Layer for $Pool<3> {
            /// # Panics
            /// When `x` is not `[n, c, d, h, w]`, or is smaller than a window.
            #[track_caller]
            fn forward<V: Value>(&self, x: V) -> V {
                x.$pool3d($(self.$setting,)? self.options)
            }
        }
    };
}

/// Windows side by side. `layer` begins the messages.
#[track_caller]
fn side_by_side<const N: usize>(layer: &str, kernel: impl Sizes<N>) -> PoolOptions<N> {
    PoolOptions::new(positive(&format!("{layer}{N}d"), "a kernel of", kernel))
}

/// The largest element of each window of rows, images or volumes with `N` axes beside those of examples and channels (book,
/// chapter 7): see [`MaxPool1d`], [`MaxPool2d`] and [`MaxPool3d`].
///
/// `y[n, c, i, ..] = max_a,.. x[n, c, i·stride + a·dilation - padding, ..]`
///
/// `x` is `[n, c, size..]`, the result `[n, c, size..]` of sizes `(size + 2 padding - dilation (kernel - 1) - 1) / stride + 1`,
/// rounded down, or up with `ceil_mode`. The gradient goes to the winner alone, of equal ones to the first. Padding never
/// wins.
///
/// ```
/// use gradus_nn::{Layer, MaxPool2d};
/// use gradus_tensor::Tensor;
///
/// let x = Tensor::from([[[[1.0, 2.0, 1.0, 0.0], [0.0, 1.0, 2.0, 3.0], [3.0, 0.0, 1.0, 2.0], [2.0, 4.0, 0.0, 1.0]]]]);
/// assert_eq!(MaxPool2d::new(2).forward(x).to_vec(), [2.0, 3.0, 4.0, 2.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct MaxPool<const N: usize> {
    /// How windows move: kernel, stride, padding, dilation, ceil mode.
    pub options: PoolOptions<N>,
}

/// [`MaxPool`] of rows `[n, c, length]`.
pub type MaxPool1d = MaxPool<1>;
/// [`MaxPool`] of images `[n, c, h, w]`.
pub type MaxPool2d = MaxPool<2>;
/// [`MaxPool`] of volumes or films `[n, c, d, h, w]`.
pub type MaxPool3d = MaxPool<3>;

module!(MaxPool<const N: usize> { ; options });

impl<const N: usize> MaxPool<N> {
    /// Windows side by side: the stride is the kernel's size.
    ///
    /// # Panics
    /// When the kernel is 0.
    #[track_caller]
    pub fn new(kernel: impl Sizes<N>) -> MaxPool<N> {
        MaxPool { options: side_by_side("max_pool", kernel) }
    }

    /// The same windows, with gaps: this far from one element to the next.
    ///
    /// # Panics
    /// When the dilation is 0.
    #[track_caller]
    pub fn dilation(mut self, dilation: impl Sizes<N>) -> MaxPool<N> {
        self.options.dilation = positive(&format!("max_pool{N}d"), "a dilation of", dilation);
        self
    }
}

sliding!(MaxPool "max_pool", (max_pool1d, max_pool2d, max_pool3d)());

impl MaxPool2d {
    /// [`forward`](Layer::forward), with the winners' positions in their images for [`MaxUnpool2d`].
    ///
    /// # Panics
    /// As [`forward`](Layer::forward).
    #[track_caller]
    pub fn forward_with_indices<V: Value>(&self, x: V) -> (V, Indices) {
        x.max_pool2d_with_indices(self.options)
    }
}

/// Puts the maxima of a [`MaxPool2d`] back where they were, into images that are zero elsewhere (M. D. Zeiler and
/// R. Fergus, 2014).
///
/// It takes the indices too, so it has a [`forward`](MaxUnpool2d::forward) of its own and is no [`Layer`].
///
/// ```
/// use gradus_nn::{MaxPool2d, MaxUnpool2d};
/// use gradus_tensor::Tensor;
///
/// let x = Tensor::from([[[[1.0, 2.0, 3.0, 0.0], [0.0, 1.0, 2.0, 4.0]]]]);
/// let (maxima, places) = MaxPool2d::new(2).forward_with_indices(x);
/// let y = MaxUnpool2d::new(2).forward(maxima, &places);
/// assert_eq!(y, Tensor::from([[[[0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 4.0]]]]));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct MaxUnpool2d {
    /// Height and width of a window.
    pub kernel: [usize; 2],
    /// From one window to the next.
    pub stride: [usize; 2],
    /// How far windows reach over the edges.
    pub padding: [usize; 2],
}

module!(MaxUnpool2d { ; kernel, stride, padding });

impl MaxUnpool2d {
    /// For windows side by side.
    ///
    /// # Panics
    /// When the kernel is 0.
    #[track_caller]
    pub fn new(kernel: impl Sizes<2>) -> MaxUnpool2d {
        let PoolOptions { kernel, stride, padding, .. } = side_by_side("max_unpool", kernel);
        MaxUnpool2d { kernel, stride, padding }
    }

    /// For windows this far from each other.
    ///
    /// # Panics
    /// When the stride is 0.
    #[track_caller]
    pub fn stride(self, stride: impl Sizes<2>) -> MaxUnpool2d {
        MaxUnpool2d { stride: positive("max_unpool2d", "a stride of", stride), ..self }
    }

    /// For windows that reach so far over the edges.
    ///
    /// # Panics
    /// When it is more than half the kernel.
    #[track_caller]
    pub fn padding(self, padding: impl Sizes<2>) -> MaxUnpool2d {
        MaxUnpool2d { padding: check_padding("max_unpool2d", padding, self.kernel), ..self }
    }

    /// Images `[n, c, h, w]` with the elements of `x` where `indices`, of the same shape, say. Height and width are
    /// `(size - 1) stride - 2 padding + kernel`, the least that a pooling brings to those of `x`.
    ///
    /// # Panics
    /// When `x` has not four axes or another shape than the indices, or one of these lies outside the image.
    #[track_caller]
    pub fn forward<V: Value>(&self, x: V, indices: &Indices) -> V {
        let shape = x.shape();
        assert!(shape.rank() == 4, "max_unpool2d: shape {shape} has not four axes: [n, c, h, w]");
        let size = [0, 1].map(|axis| {
            let last = shape[2 + axis].saturating_sub(1).saturating_mul(self.stride[axis]);
            let end = last.saturating_add(self.kernel[axis]);
            end.saturating_sub(self.padding[axis].saturating_mul(2))
        });
        self.forward_to(x, indices, size)
    }

    /// The same, into images of height and width `size`: a pooling brings several sizes to one.
    ///
    /// # Panics
    /// When `x` has another shape than the indices, or one of these lies outside an image of this size.
    #[track_caller]
    pub fn forward_to<V: Value>(&self, x: V, indices: &Indices, size: [usize; 2]) -> V {
        x.max_unpool2d(indices, size)
    }
}

/// The mean of each window of rows, images or volumes with `N` axes beside those of examples and channels: see
/// [`AvgPool1d`], [`AvgPool2d`] and [`AvgPool3d`].
///
/// `y[n, c, i, ..] = 1/k Σ_a,.. x[n, c, i·stride + a - padding, ..]`, k being the number of elements of a window
///
/// Shapes are those of [`MaxPool`]. Padding counts as zeros unless it is left out.
///
/// ```
/// use gradus_nn::{AvgPool1d, Layer};
/// use gradus_tensor::Tensor;
///
/// let x = Tensor::from([[[1.0, 5.0, 2.0, 3.0]]]);
/// assert_eq!(AvgPool1d::new(2).forward(x.clone()).to_vec(), [3.0, 2.5]);
/// assert_eq!(AvgPool1d::new(2).divisor_override(1).forward(x).to_vec(), [6.0, 5.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct AvgPool<const N: usize> {
    /// How windows move, and what their sums are divided by.
    pub options: PoolOptions<N>,
}

/// [`AvgPool`] of rows `[n, c, length]`.
pub type AvgPool1d = AvgPool<1>;
/// [`AvgPool`] of images `[n, c, h, w]`.
pub type AvgPool2d = AvgPool<2>;
/// [`AvgPool`] of volumes or films `[n, c, d, h, w]`.
pub type AvgPool3d = AvgPool<3>;

module!(AvgPool<const N: usize> { ; options });

impl<const N: usize> AvgPool<N> {
    /// Windows side by side: the stride is the kernel's size.
    ///
    /// # Panics
    /// When the kernel is 0.
    #[track_caller]
    pub fn new(kernel: impl Sizes<N>) -> AvgPool<N> {
        AvgPool { options: side_by_side("avg_pool", kernel) }
    }

    /// The same windows, with means over what they have of the image alone: PyTorch's `count_include_pad=False`.
    pub fn without_padding_counted(mut self) -> AvgPool<N> {
        self.options.count_include_pad = false;
        self
    }

    /// The same windows, whose sums are divided by this number, whatever their size.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    pub fn divisor_override(mut self, divisor: usize) -> AvgPool<N> {
        assert!(divisor > 0, "avg_pool{N}d: the divisor must not be 0");
        self.options.divisor_override = Some(divisor);
        self
    }
}

sliding!(AvgPool "avg_pool", (avg_pool1d, avg_pool2d, avg_pool3d)());

/// The norm of each window of rows, images or volumes with `N` axes beside those of examples and channels: see
/// [`LpPool1d`], [`LpPool2d`] and [`LpPool3d`].
///
/// `y[n, c, i, ..] = (Σ_a,.. |x[n, c, i·stride + a - padding, ..]|^p)^(1/p)`
///
/// Shapes are those of [`MaxPool`]. Order 1 gives sums of absolute values; the larger the order, the nearer it comes to the
/// largest of them. A last window of ceil mode that the input does not fill counts as if the rest were like what is there.
///
/// ```
/// use gradus_nn::{Layer, LpPool1d};
/// use gradus_tensor::Tensor;
///
/// let y = LpPool1d::new(2.0, 2).forward(Tensor::from([[[3.0, -4.0, 2.0, 0.0]]]));
/// assert_eq!(y.to_vec(), [5.0, 2.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LpPool<const N: usize> {
    /// The order of the norm: PyTorch's `norm_type`.
    pub p: f32,
    /// How windows move.
    pub options: PoolOptions<N>,
}

/// [`LpPool`] of rows `[n, c, length]`.
#[doc(alias = "LPPool1d")]
pub type LpPool1d = LpPool<1>;
/// [`LpPool`] of images `[n, c, h, w]`.
#[doc(alias = "LPPool2d")]
pub type LpPool2d = LpPool<2>;
/// [`LpPool`] of volumes or films `[n, c, d, h, w]`.
#[doc(alias = "LPPool3d")]
pub type LpPool3d = LpPool<3>;

module!(LpPool<const N: usize> { ; p, options });

impl<const N: usize> LpPool<N> {
    /// Norms of order `p` of windows side by side: the stride is the kernel's size.
    ///
    /// # Panics
    /// When the kernel is 0, or `p` is not positive and finite.
    #[track_caller]
    pub fn new(p: f32, kernel: impl Sizes<N>) -> LpPool<N> {
        assert!(p > 0.0 && p.is_finite(), "lp_pool{N}d: the order p must be positive and finite, not {p}");
        LpPool { p, options: side_by_side("lp_pool", kernel) }
    }
}

sliding!(LpPool "lp_pool", (lp_pool1d, lp_pool2d, lp_pool3d)(p));

macro_rules! adaptive {
    ($(
        $(#[$doc:meta])*
        $Pool:ident $name:literal, $Pool1d:ident = $pool1d:ident, $Pool2d:ident = $pool2d:ident,
            $Pool3d:ident = $pool3d:ident;
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $Pool<const N: usize> {
            /// The sizes of the result.
            pub output: [usize; N],
        }

        #[doc = concat!("[`", stringify!($Pool), "`] of rows `[n, c, length]`.")]
        pub type $Pool1d = $Pool<1>;
        #[doc = concat!("[`", stringify!($Pool), "`] of images `[n, c, h, w]`.")]
        pub type $Pool2d = $Pool<2>;
        #[doc = concat!("[`", stringify!($Pool), "`] of volumes or films `[n, c, d, h, w]`.")]
        pub type $Pool3d = $Pool<3>;

        module!($Pool<const N: usize> { ; output });

        impl<const N: usize> $Pool<N> {
            /// With results of these sizes.
            ///
            /// # Panics
            /// When one is 0.
            #[track_caller]
            pub fn new(output: impl Sizes<N>) -> $Pool<N> {
                $Pool { output: positive(&format!(concat!($name, "{}d"), N), "an output of", output) }
            }
        }

        impl Layer for $Pool1d {
            /// # Panics
            /// When `x` is not `[n, c, length]`, or has no elements in a row.
            #[track_caller]
            fn forward<V: Value>(&self, x: V) -> V {
                x.$pool1d(self.output[0])
            }
        }

        impl Layer for $Pool2d {
            /// # Panics
            /// When `x` is not `[n, c, h, w]`, or has no pixels.
            #[track_caller]
            fn forward<V: Value>(&self, x: V) -> V {
                x.$pool2d(self.output)
            }
        }

        impl Layer for $Pool3d {
            /// # Panics
            /// When `x` is not `[n, c, d, h, w]`, or has no pixels.
            #[track_caller]
            fn forward<V: Value>(&self, x: V) -> V {
                x.$pool3d(self.output)
            }
        }
    )*};
}

adaptive! {
    /// The largest elements of as many windows as the result shall have elements, whatever the size of the input: of `m`
    /// windows on `h` elements number `i` goes from `⌊i h / m⌋` up to, not including, `⌈(i + 1) h / m⌉`.
    ///
    /// ```
    /// use gradus_nn::{AdaptiveMaxPool1d, Layer};
    /// use gradus_tensor::Tensor;
    ///
    /// let y = AdaptiveMaxPool1d::new(2).forward(Tensor::from([[[4.0, 2.0, 5.0]]]));
    /// assert_eq!(y.to_vec(), [4.0, 5.0]);
    /// ```
    AdaptiveMaxPool "adaptive_max_pool", AdaptiveMaxPool1d = adaptive_max_pool1d, AdaptiveMaxPool2d = adaptive_max_pool2d,
        AdaptiveMaxPool3d = adaptive_max_pool3d;
    /// The means of as many windows as the result shall have elements, whatever the size of the input: of `m` windows on
    /// `h` elements number `i` goes from `⌊i h / m⌋` up to, not including, `⌈(i + 1) h / m⌉`.
    ///
    /// ```
    /// use gradus_nn::{AdaptiveAvgPool1d, Layer};
    /// use gradus_tensor::Tensor;
    ///
    /// let y = AdaptiveAvgPool1d::new(2).forward(Tensor::from([[[4.0, 2.0, 5.0]]]));
    /// assert_eq!(y.to_vec(), [3.0, 3.5]);
    /// ```
    AdaptiveAvgPool "adaptive_avg_pool", AdaptiveAvgPool1d = adaptive_avg_pool1d, AdaptiveAvgPool2d = adaptive_avg_pool2d,
        AdaptiveAvgPool3d = adaptive_avg_pool3d;
}

/// The mean of each channel's image (M. Lin, Q. Chen and S. Yan, 2013): `[n, c, h, w]` becomes `[n, c]`.
///
/// `y[n, c] = 1 / (h w) Σ_i,j x[n, c, i, j]`
///
/// ```
/// use gradus_nn::{GlobalAvgPool2d, Layer};
/// use gradus_tensor::Tensor;
///
/// let y = GlobalAvgPool2d.forward(Tensor::from([[[[1.0, 2.0], [4.0, 3.0]]]]));
/// assert_eq!(y, Tensor::from([[2.5]]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct GlobalAvgPool2d;

module!(GlobalAvgPool2d {});

impl Layer for GlobalAvgPool2d {
    /// # Panics
    /// When `x` is not `[n, c, h, w]`.
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        let shape = x.shape();
        assert!(shape.rank() == 4, "global_avg_pool2d: shape {shape} has not four axes: [n, c, h, w]");
        x.global_avg_pool2d()
    }
}

#[track_caller]
fn check_padding<const N: usize>(layer: &str, padding: impl Sizes<N>, kernel: [usize; N]) -> [usize; N] {
    let padding = padding.sizes();
    assert!(
        padding.iter().zip(kernel).all(|(p, k)| 2 * p <= k),
        "{layer}: a padding of {padding:?} is more than half the kernel {kernel:?}"
    );
    padding
}
