//! The sizes of a convolution: computed and checked once, for shape rules, kernels and references.

use crate::{error::ShapeError, shape::Shape};

/// How a kernel moves over `N` axes, as PyTorch names it: one number for each axis, the height's before the width's.
///
/// ```
/// # use gradus_tensor::Conv2dOptions;
/// let options = Conv2dOptions { stride: [2, 2], padding: [1, 1], ..Default::default() };
/// assert_eq!((options.dilation, options.groups), ([1, 1], 1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvOptions<const N: usize> {
    /// From one output to the next, in input elements.
    pub stride: [usize; N],
    /// Zeros put around the input, on each side.
    pub padding: [usize; N],
    /// From one kernel element to the next, in input elements.
    pub dilation: [usize; N],
    /// Into how many parts the channels are divided; outputs of a part see only the inputs of that part.
    pub groups: usize,
}

/// How a kernel moves over a row.
pub type Conv1dOptions = ConvOptions<1>;

/// How a kernel moves over an image.
pub type Conv2dOptions = ConvOptions<2>;

/// How a kernel moves over a volume: the depth's number comes first.
pub type Conv3dOptions = ConvOptions<3>;

impl<const N: usize> Default for ConvOptions<N> {
    /// Stride 1, no padding, dilation 1, one group.
    fn default() -> ConvOptions<N> {
        ConvOptions { stride: [1; N], padding: [0; N], dilation: [1; N], groups: 1 }
    }
}

impl<const N: usize> ConvOptions<N> {
    /// The sizes of the output's `N` axes for an input `[images, channels, size..]` and a weight `[out_channels,
    /// in_channels / groups, kernel..]`, or why they do not fit. `op` begins the messages.
    pub fn output(&self, op: &str, x: &[usize], w: &[usize]) -> Result<[usize; N], ShapeError> {
        check_images::<N>(op, x)?;
        let axes = axis_names::<N>();
        if w.len() != N + 2 {
            let axes = axes.join(", ");
            return Err(ShapeError::new(format!(
                "{op}: the weight has shape {w:?}, not [out_channels, in_channels / groups, {axes}]"
            )));
        }
        check_channels(op, x, w, self.groups)?;
        let mut output = [0; N];
        for axis in 0..N {
            output[axis] = self
                .window(w[2 + axis], axis)
                .output_size(x[2 + axis], false)
                .map_err(|e| ShapeError::new(format!("{op}: {x:?} * {w:?}: {}: {e}", axes[axis])))?;
        }
        Ok(output)
    }

    /// The sizes of the output's `N` axes for the transposed convolution of an input `[images, channels, size..]` by a
    /// weight `[in_channels, out_channels / groups, kernel..]`, or why they do not fit:
    /// `(size - 1) stride + dilation (kernel - 1) + 1 + output_padding - 2 padding`.
    pub fn transposed_output(
        &self,
        op: &str,
        x: &[usize],
        w: &[usize],
        output_padding: [usize; N],
    ) -> Result<[usize; N], ShapeError> {
        let axes = axis_names::<N>();
        if x.len() != N + 2 || w.len() != N + 2 {
            let axes = axes.join(", ");
            return Err(ShapeError::new(format!(
                "{op}: {x:?} by {w:?}: the input must be [images, channels, {axes}], \
                 the weight [in_channels, out_channels / groups, {axes}]"
            )));
        }
        let (channels, inputs) = (x[1], w[0]);
        if channels != inputs {
            let mut swapped = w.to_vec();
            swapped.swap(0, 1);
            let hint = match swapped[0] == channels {
                true => format!("; hint: weight.transpose(0, 1) would be {swapped:?}"),
                false => String::new(),
            };
            return Err(ShapeError::new(format!(
                "{op}: channels differ: {x:?} by {w:?}: the input has {channels}, the weight is for {inputs}{hint}"
            )));
        }
        let mut output = [0; N];
        for axis in 0..N {
            output[axis] = self
                .window(w[2 + axis], axis)
                .transposed_size(x[2 + axis], output_padding[axis])
                .map_err(|e| ShapeError::new(format!("{op}: {x:?} by {w:?}: {}: {e}", axes[axis])))?;
        }
        // What the convolution that this transposes refuses, with the roles of input and output exchanged.
        let image = [&[x[0], w[1].saturating_mul(self.groups)], &output[..]].concat();
        self.output(op, &image, w)?;
        Shape::new(&image).checked(op)?;
        Ok(output)
    }

    fn window(&self, kernel: usize, axis: usize) -> Window {
        Window {
            kernel,
            stride: self.stride[axis],
            padding: self.padding[axis],
            dilation: self.dilation[axis],
        }
    }
}

/// An error unless a bias of this shape has one number for each output channel.
pub fn check_conv_bias(op: &str, bias: &[usize], out_channels: usize) -> Result<(), ShapeError> {
    if *bias == [out_channels] {
        return Ok(());
    }
    Err(ShapeError::new(format!("{op}: the bias has shape {bias:?}, the output {out_channels} channels")))
}

/// Every size of a convolution `y = x * w`: of `x` `[images, in_channels, input..]`, of `w`
/// `[out_channels, in_channels / groups, kernel..]` and of `y` `[images, out_channels, output..]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// The number of images.
    pub images: usize,
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Height and width of an input image.
    pub input: [usize; 2],
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Height and width of an output image.
    pub output: [usize; 2],
    /// How the kernel moves.
    pub options: Conv2dOptions,
}

impl ConvShape {
    /// The sizes for an input and a weight of these shapes, or why they do not fit. `op` begins the messages.
    pub fn new(op: &str, x: &[usize], w: &[usize], options: Conv2dOptions) -> Result<ConvShape, ShapeError> {
        let output = options.output(op, x, w)?;
        let shape = ConvShape {
            images: x[0],
            in_channels: x[1],
            out_channels: w[0],
            input: [x[2], x[3]],
            kernel: [w[2], w[3]],
            output,
            options,
        };
        // Two of the three may be made of a caller's sizes.
        for made in [shape.x(), shape.w(), shape.y()] {
            made.checked(op)?;
        }
        Ok(shape)
    }

    /// The sizes for a weight, a gradient by the output and images of size `input`.
    pub fn of_input_grad(
        op: &str,
        w: &[usize],
        g: &[usize],
        input: [usize; 2],
        options: Conv2dOptions,
    ) -> Result<ConvShape, ShapeError> {
        let images = images_of(op, g)?;
        let group_channels = w.get(1).copied().unwrap_or(0);
        let x = [images, group_channels.saturating_mul(options.groups), input[0], input[1]];
        ConvShape::new(op, &x, w, options)?.with_output(op, g)
    }

    /// The sizes for an input, a gradient by the output and a kernel of size `kernel`.
    pub fn of_weight_grad(
        op: &str,
        x: &[usize],
        g: &[usize],
        kernel: [usize; 2],
        options: Conv2dOptions,
    ) -> Result<ConvShape, ShapeError> {
        images_of(op, g)?;
        let in_channels = x.get(1).copied().unwrap_or(0);
        let w = [g[1], in_channels / options.groups.max(1), kernel[0], kernel[1]];
        ConvShape::new(op, x, &w, options)?.with_output(op, g)
    }

    /// The sizes of the convolution whose gradient by the input is the transposed convolution of `x` by `w`: `x` has the
    /// shape of its output, and the result that of its input, of height `(h - 1) stride + dilation (kh - 1) + 1 +
    /// output_padding - 2 padding` and a width by the same formula. Where the output padding is not less than the stride the
    /// output is larger than `x`, which has to be filled up with zeros at the end.
    pub fn of_transposed(
        op: &str,
        x: &[usize],
        w: &[usize],
        output_padding: [usize; 2],
        options: Conv2dOptions,
    ) -> Result<ConvShape, ShapeError> {
        let [rows, columns] = options.transposed_output(op, x, w, output_padding)?;
        ConvShape::new(op, &[x[0], w[1].saturating_mul(options.groups), rows, columns], w, options)
    }

    /// This, if the output has the shape `g`.
    fn with_output(self, op: &str, g: &[usize]) -> Result<ConvShape, ShapeError> {
        if self.y()[..] == *g {
            return Ok(self);
        }
        Err(ShapeError::new(format!(
            "{op}: the gradient has shape {g:?}, but {} * {} gives {}",
            self.x(),
            self.w(),
            self.y()
        )))
    }

    /// The shape of the input.
    pub fn x(&self) -> Shape {
        [self.images, self.in_channels, self.input[0], self.input[1]].into()
    }

    /// The shape of the weight.
    pub fn w(&self) -> Shape {
        [self.out_channels, self.group_inputs(), self.kernel[0], self.kernel[1]].into()
    }

    /// The shape of the output.
    pub fn y(&self) -> Shape {
        [self.images, self.out_channels, self.output[0], self.output[1]].into()
    }

    /// Input channels of a group.
    pub fn group_inputs(&self) -> usize {
        self.in_channels / self.options.groups
    }

    /// Output channels of a group.
    pub fn group_outputs(&self) -> usize {
        self.out_channels / self.options.groups
    }

    /// Multiply-adds of the convolution; each of its adjoints has as many.
    pub(crate) fn work(&self) -> usize {
        let sizes = [self.group_inputs(), self.kernel[0], self.kernel[1]];
        sizes.into_iter().fold(self.y().numel(), usize::saturating_mul)
    }
}

fn images_of(op: &str, g: &[usize]) -> Result<usize, ShapeError> {
    match g {
        &[images, _, _, _] => Ok(images),
        _ => Err(ShapeError::new(format!(
            "{op}: the gradient has shape {g:?}, not [images, channels, height, width]"
        ))),
    }
}

fn check_channels(op: &str, x: &[usize], w: &[usize], groups: usize) -> Result<(), ShapeError> {
    let (channels, out_channels, group_channels) = (x[1], w[0], w[1]);
    if groups == 0 {
        return Err(ShapeError::new(format!("{op}: {x:?} * {w:?}: there must be at least one group")));
    }
    for (count, name) in [(channels, "input"), (out_channels, "output")] {
        if count % groups != 0 {
            return Err(ShapeError::new(format!(
                "{op}: {x:?} * {w:?}: {groups} groups do not divide {count} {name} channels"
            )));
        }
    }
    if group_channels.checked_mul(groups) == Some(channels) {
        return Ok(());
    }
    let mut text = format!(
        "{op}: channels differ: {x:?} * {w:?}: the input has {channels}, \
         the weight is for {group_channels} in each of {groups} groups"
    );
    let fitting = channels.checked_div(group_channels).filter(|&fitting| fitting > 0);
    if let Some(fitting) = fitting
        && channels % group_channels == 0
        && out_channels % fitting == 0
    {
        text += &format!("; hint: groups = {fitting} would fit");
    } else if out_channels.checked_mul(groups) == Some(channels) && channels > 0 {
        let mut swapped = w.to_vec();
        swapped.swap(0, 1);
        text += &format!("; hint: weight.transpose(0, 1) would be {swapped:?}");
    }
    Err(ShapeError::new(text))
}

/// An error unless this shape has axes for images, channels and `N` more.
pub(crate) fn check_images<const N: usize>(op: &str, x: &[usize]) -> Result<(), ShapeError> {
    if x.len() == N + 2 {
        return Ok(());
    }
    let hint = if x.len() == N + 1 { "; hint: unsqueeze(0) makes a batch of one image" } else { "" };
    let axes = axis_names::<N>().join(", ");
    Err(ShapeError::new(format!("{op}: the input has shape {x:?}, not [images, channels, {axes}]{hint}")))
}

/// The names of the `N` axes of an image in messages.
pub(crate) fn axis_names<const N: usize>() -> &'static [&'static str] {
    &["depth", "height", "width"][3 - N..]
}

/// How a window moves along one axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    pub(crate) dilation: usize,
}

impl Window {
    /// How many windows there are on an axis of this size: `(input + 2 padding - dilation (kernel - 1) - 1) / stride
    /// + 1`, rounded down; with `ceil_mode` up, if the last one starts on the input or the padding before it.
    pub(crate) fn output_size(&self, input: usize, ceil_mode: bool) -> Result<usize, String> {
        let &Window { kernel, stride, padding, dilation } = self;
        for (value, name) in [(kernel, "kernel size"), (stride, "stride"), (dilation, "dilation")] {
            if value == 0 {
                return Err(format!("the {name} must not be 0"));
            }
        }
        // Bounded, so that no sum of these overflows.
        let bounded = |n: Option<usize>| n.filter(|&n| n <= isize::MAX as usize / 4);
        let padded = bounded(padding.checked_mul(2).and_then(|n| n.checked_add(input)));
        let reach = bounded(dilation.checked_mul(kernel - 1).and_then(|n| n.checked_add(1)));
        let (Some(padded), Some(reach)) = (padded, reach) else {
            return Err(format!("too large: {self:?} on {input} elements"));
        };
        let Some(room) = padded.checked_sub(reach) else {
            let dilated = if dilation > 1 { format!(" (dilation {dilation})") } else { String::new() };
            let with_padding =
                if padding > 0 { format!("{input} + 2 x {padding}") } else { input.to_string() };
            return Err(format!(
                "a kernel of {kernel}{dilated} reaches over {reach} elements, the input has {with_padding}"
            ));
        };
        let floor = room / stride + 1;
        let reaches_on = ceil_mode && room % stride != 0 && floor * stride < input + padding;
        Ok(floor + reaches_on as usize)
    }
}

impl Window {
    /// The size of the axis that a transposed convolution makes of `size` elements.
    fn transposed_size(&self, size: usize, output_padding: usize) -> Result<usize, String> {
        let &Window { kernel, stride, padding, dilation } = self;
        if output_padding >= stride.max(dilation) {
            return Err(format!(
                "the output padding of {output_padding} must be less than the stride of {stride} or the dilation of {dilation}"
            ));
        }
        if size == 0 || kernel == 0 {
            return Err(format!("{size} elements by a kernel of {kernel}: neither may be 0"));
        }
        let whole = || {
            let reach = dilation.checked_mul(kernel - 1)?;
            (size - 1).checked_mul(stride)?.checked_add(reach)?.checked_add(1 + output_padding)
        };
        let whole = whole().ok_or_else(|| format!("too large: {self:?} on {size} elements"))?;
        padding
            .checked_mul(2)
            .and_then(|cut| whole.checked_sub(cut))
            .filter(|&n| n > 0)
            .ok_or_else(|| format!("a padding of {padding} on each side cuts away all of {whole} elements"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(input: usize, kernel: usize, stride: usize, padding: usize, dilation: usize) -> usize {
        Window { kernel, stride, padding, dilation }.output_size(input, false).unwrap()
    }

    #[test]
    fn output_sizes_of_the_book() {
        assert_eq!(size(4, 3, 1, 0, 1), 2);
        assert_eq!(size(4, 3, 1, 1, 1), 4);
        assert_eq!(size(7, 3, 2, 0, 1), 3);
        // 28 x 31 with kernel 5, stride 3, padding 2: the width does not divide, the size is rounded down.
        assert_eq!((size(28, 5, 3, 2, 1), size(31, 5, 3, 2, 1)), (10, 11));
        assert_eq!(size(28, 5, 1, 0, 1), 24);
        assert_eq!(size(9, 3, 1, 0, 4), 1);
    }

    #[test]
    fn transposed_sizes_undo_sizes() {
        let transposed = |size, kernel, stride, padding, output_padding| {
            let window = Window { kernel, stride, padding, dilation: 1 };
            window.transposed_size(size, output_padding)
        };
        // A generator's way from 7 to 28.
        assert_eq!(transposed(7, 4, 2, 1, 0), Ok(14));
        assert_eq!(transposed(14, 4, 2, 1, 0), Ok(28));
        assert_eq!(transposed(2, 1, 2, 0, 0), Ok(3));
        assert_eq!(transposed(2, 1, 2, 0, 1), Ok(4));
        assert!(transposed(2, 3, 2, 0, 2).unwrap_err().contains("less than the stride of 2"));
        // As PyTorch: what is less than the dilation will do too.
        let dilated = Window { kernel: 2, stride: 1, padding: 0, dilation: 3 };
        assert_eq!(dilated.transposed_size(2, 2), Ok(7));
        assert!(dilated.transposed_size(2, 3).unwrap_err().contains("or the dilation of 3"));
        assert!(transposed(1, 2, 1, 1, 0).unwrap_err().contains("cuts away all of 2"));
    }

    #[test]
    fn ceil_mode_counts_windows_that_start_inside() {
        let ceil = |input, kernel, stride, padding| {
            Window { kernel, stride, padding, dilation: 1 }.output_size(input, true).unwrap()
        };
        assert_eq!(ceil(5, 2, 2, 0), 3);
        assert_eq!(ceil(4, 2, 2, 0), 2);
        // A third window would start at 4, behind the only element and the padding before it.
        assert_eq!(ceil(1, 2, 2, 1), 1);
        assert_eq!(ceil(2, 1, 3, 0), 1);
    }
}
