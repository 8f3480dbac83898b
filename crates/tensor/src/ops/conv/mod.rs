//! Two-dimensional convolution and its two adjoints.

mod columns;
mod direct;
mod method;
mod planes;
mod pointwise;
mod scratch;
mod shape;
pub(crate) mod unfold;
mod winograd;

pub use method::{DirectConvolutions, direct_convolutions};
pub use shape::{Conv1dOptions, Conv2dOptions, Conv3dOptions, ConvOptions, ConvShape, check_conv_bias};
pub(crate) use shape::{Window, axis_names, check_images};

use crate::{array::Tensor, error::OrFail};

impl Tensor {
    /// The convolution (in truth the cross-correlation, as everywhere in this field) of images
    /// `[n, in_channels, h, w]` with kernels `[out_channels, in_channels / groups, kh, kw]`:
    ///
    /// `y[n, o, i, j] = bias[o] + Σ_c,a,b weight[o, c, a, b] · x[n, c, i·stride + a·dilation - padding, j·..]`
    ///
    /// with zeros outside the image; `c` runs over the channels of `o`'s group. The output has
    /// `(h + 2 padding - dilation (kh - 1) - 1) / stride + 1` rows, rounded down, and as many columns by the same
    /// formula. Padding takes part as zeros do: an infinite weight makes NaN of it. Kernels of 3 x 3 with many channels are
    /// computed with fewer multiplications and about twice the rounding, unless within [`direct_convolutions`].
    ///
    /// # Panics
    /// When the channels do not fit the weight or the groups, the dilated kernel is larger than the padded image, the
    /// bias is not one number an output channel, or a stride, dilation or kernel size is 0.
    ///
    /// ```
    /// # use gradus_tensor::{Conv2dOptions, Tensor};
    /// let x = Tensor::from([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]]);
    /// let w = Tensor::from([[[[1.0, 0.0], [0.0, -1.0]]]]);
    /// let y = x.conv2d(&w, None, Conv2dOptions::default());
    /// assert_eq!(y, Tensor::full([1, 1, 2, 2], -4.0));
    /// ```
    #[track_caller]
    pub fn conv2d(&self, weight: &Tensor, bias: Option<&Tensor>, options: Conv2dOptions) -> Tensor {
        let shape = ConvShape::new("conv2d", self.shape(), weight.shape(), options).or_fail();
        if let Some(bias) = bias {
            check_conv_bias("conv2d", bias.shape(), shape.out_channels).or_fail();
        }
        let bias = bias.map_or_else(|| vec![0.0; shape.out_channels], Tensor::to_vec);
        let (x, w) = (self.contiguous(), weight.contiguous());
        Tensor::written(shape.y(), |y| method::forward(&shape, elements(&x), elements(&w), &bias, y))
    }

    /// The gradient of a convolution by its input, for images of height and width `size`: this is the weight
    /// `[out_channels, in_channels / groups, kh, kw]`, `g` the gradient by the output. Also known as transposed
    /// convolution.
    ///
    /// `dx[n, c, y, x] = Σ weight[o, c, a, b] · g[n, o, i, j]` over all terms of the convolution that read that pixel.
    /// Zeros stand in for terms beyond the edges of `g`: an infinite weight makes NaN of them.
    ///
    /// # Panics
    /// When a convolution of such images by the weight does not have an output like `g`.
    ///
    /// ```
    /// # use gradus_tensor::{Conv2dOptions, Tensor};
    /// let (w, g) = (Tensor::ones([1, 1, 2, 2]), Tensor::from([[[[1.0, 2.0]]]]));
    /// let dx = w.conv2d_input_grad(&g, [2, 3], Conv2dOptions::default());
    /// assert_eq!(dx.to_vec(), [1.0, 3.0, 2.0, 1.0, 3.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn conv2d_input_grad(&self, g: &Tensor, size: [usize; 2], options: Conv2dOptions) -> Tensor {
        let op = "conv2d_input_grad";
        let shape = ConvShape::of_input_grad(op, self.shape(), g.shape(), size, options).or_fail();
        let (w, g) = (self.contiguous(), g.contiguous());
        Tensor::written(shape.x(), |dx| method::input_grad(&shape, elements(&w), elements(&g), dx))
    }

    /// The gradient of a convolution by its weight, for kernels of height and width `kernel`: this is the input, `g`
    /// the gradient by the output.
    ///
    /// `dw[o, c, a, b] = Σ_n,i,j g[n, o, i, j] · x[n, c, i·stride + a·dilation - padding, j·..]`
    ///
    /// Some terms are multiplied by zeros that stand in for places beyond the edges of `g`: an infinite pixel makes NaN
    /// of them.
    ///
    /// # Panics
    /// When a convolution of this by such kernels does not have an output like `g`.
    ///
    /// ```
    /// # use gradus_tensor::{Conv2dOptions, Tensor};
    /// let (x, g) = (Tensor::from([[[[1.0, 2.0, 3.0]]]]), Tensor::ones([1, 1, 1, 2]));
    /// let dw = x.conv2d_weight_grad(&g, [1, 2], Conv2dOptions::default());
    /// assert_eq!(dw.to_vec(), [3.0, 5.0]);
    /// ```
    #[track_caller]
    pub fn conv2d_weight_grad(&self, g: &Tensor, kernel: [usize; 2], options: Conv2dOptions) -> Tensor {
        let op = "conv2d_weight_grad";
        let shape = ConvShape::of_weight_grad(op, self.shape(), g.shape(), kernel, options).or_fail();
        let (x, g) = (self.contiguous(), g.contiguous());
        Tensor::written(shape.w(), |dw| method::weight_grad(&shape, elements(&x), elements(&g), dw))
    }
}

fn elements(x: &Tensor) -> &[f32] {
    x.as_slice().expect("made contiguous before")
}
