//! The layout that makes every convolution a sum of shifted rows, whatever its stride, padding and dilation.
//!
//! An image is padded and split by phases: plane (a, b) of a channel holds the padded rows a, a + stride, .. and of
//! these the columns b, b + stride, ... All planes have one width, and an output image is thought of as having rows of
//! that width too, the columns beyond the true ones being of no use. Then output number `p`, counted row by row, needs
//! for one element of the kernel the plane's element number `p + offset`: the offset belongs to the kernel's element
//! alone. So the kernels run over whole images as over one long row, and nobody copies an image once an element
//! of the kernel, as the matrix of im2col does.

use super::shape::ConvShape;
use std::ops::Range;

/// The planes of a convolution's images.
#[derive(Debug)]
pub(crate) struct Planes {
    axes: [Phases; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    input: [usize; 2],
    output: [usize; 2],
    /// Those of a channel's planes, one plane after the other.
    rows: Vec<Row>,
}

/// One axis split by phases.
#[derive(Debug)]
struct Phases {
    /// Those that some element of the kernel meets.
    used: Vec<usize>,
    /// Elements of each.
    size: usize,
    /// For each element of the kernel the position of its phase in `used`, and where in it the kernel starts.
    taps: Vec<(usize, usize)>,
}

impl Phases {
    fn new(kernel: usize, stride: usize, dilation: usize, output: usize) -> Phases {
        let mut used: Vec<usize> = (0..kernel).map(|k| k * dilation % stride).collect();
        used.sort_unstable();
        used.dedup();
        let tap = |k: usize| {
            let phase = used.binary_search(&(k * dilation % stride)).expect("it was put in");
            (phase, k * dilation / stride)
        };
        let taps: Vec<_> = (0..kernel).map(tap).collect();
        Phases { size: output + (kernel - 1) * dilation / stride, taps, used }
    }
}

impl Planes {
    pub(crate) fn new(shape: &ConvShape) -> Planes {
        let options = &shape.options;
        let axis =
            |i: usize| Phases::new(shape.kernel[i], options.stride[i], options.dilation[i], shape.output[i]);
        let mut planes = Planes {
            axes: [axis(0), axis(1)],
            stride: options.stride,
            padding: options.padding,
            input: shape.input,
            output: shape.output,
            rows: Vec::new(),
        };
        planes.rows = planes.list_rows();
        planes
    }

    /// The width of a plane's rows.
    pub(crate) fn width(&self) -> usize {
        self.axes[1].size
    }

    /// The elements of a plane.
    pub(crate) fn plane(&self) -> usize {
        self.axes[0].size * self.width()
    }

    /// Planes of a channel.
    pub(crate) fn count(&self) -> usize {
        self.axes[0].used.len() * self.axes[1].used.len()
    }

    /// The elements of an output image in rows of the planes' width, from the first true one to the last.
    pub(crate) fn outputs(&self) -> usize {
        (self.output[0] - 1) * self.width() + self.output[1]
    }

    /// The largest offset of an element of the kernel.
    pub(crate) fn reach(&self) -> usize {
        self.plane() - self.outputs()
    }

    /// For each element of the kernel, row by row: its plane, and its offset in it.
    pub(crate) fn taps(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let [rows, columns] = &self.axes;
        rows.taps.iter().flat_map(move |&(a, y)| {
            let plane = move |b| a * columns.used.len() + b;
            columns.taps.iter().map(move |&(b, x)| (plane(b), y * self.width() + x))
        })
    }

    /// Writes the planes of one channel's image; from one plane to the next there are `pitch` elements.
    pub(crate) fn split(&self, image: &[f32], planes: &mut [f32], pitch: usize) {
        for row in &self.rows {
            let to = &mut planes[row.plane * pitch + row.start..][..self.width()];
            let Some(from) = &row.from else {
                to.fill(0.0);
                continue;
            };
            to[..row.inside.start].fill(0.0);
            to[row.inside.end..].fill(0.0);
            let (to, from) = (&mut to[row.inside.clone()], &image[from.clone()]);
            match self.stride[1] {
                1 => to.copy_from_slice(&from[..to.len()]),
                stride => to.iter_mut().zip(from.iter().step_by(stride)).for_each(|(to, &x)| *to = x),
            }
        }
    }

    /// The reverse: the image of one channel's planes. What no plane holds becomes 0.
    pub(crate) fn join(&self, planes: &[f32], pitch: usize, image: &mut [f32]) {
        image.fill(0.0);
        for row in &self.rows {
            let Some(to) = &row.from else { continue };
            let from = &planes[row.plane * pitch + row.start..][row.inside.clone()];
            let to = &mut image[to.clone()];
            match self.stride[1] {
                1 => to[..from.len()].copy_from_slice(from),
                stride => to.iter_mut().step_by(stride).zip(from).for_each(|(to, &x)| *to = x),
            }
        }
    }

    /// Writes an output-sized image in rows of the planes' width, zeros between and behind.
    pub(crate) fn widen(&self, image: &[f32], wide: &mut [f32]) {
        let (rows, gap) = wide.split_at_mut((self.output[0] * self.width()).min(wide.len()));
        gap.fill(0.0);
        for (from, to) in image.chunks_exact(self.output[1]).zip(rows.chunks_mut(self.width())) {
            to[..from.len()].copy_from_slice(from);
            to[from.len()..].fill(0.0);
        }
    }

    /// The reverse of [`widen`](Planes::widen), adding `bias`.
    pub(crate) fn narrow(&self, wide: &[f32], bias: f32, image: &mut [f32]) {
        for (to, from) in image.chunks_exact_mut(self.output[1]).zip(wide.chunks(self.width())) {
            to.iter_mut().zip(from).for_each(|(to, &x)| *to = x + bias);
        }
    }

    fn list_rows(&self) -> Vec<Row> {
        let [rows, columns] = &self.axes;
        let width = self.input[1];
        let phases = rows.used.iter().flat_map(|&a| columns.used.iter().map(move |&b| (a, b)));
        let of_plane = |(plane, (a, b))| {
            let (lines, first_line) = self.inside(0, a);
            let (inside, first) = self.inside(1, b);
            (0..rows.size).map(move |number| {
                let line = |n: usize| (first_line + (n - lines.start) * self.stride[0]) * width;
                let from =
                    lines.contains(&number).then(|| line(number) + first.min(width)..line(number) + width);
                Row { plane, start: number * self.width(), from, inside: inside.clone() }
            })
        };
        phases.enumerate().flat_map(of_plane).collect()
    }

    /// Which elements of a phase lie on the input, and which input element the first of them is.
    fn inside(&self, axis: usize, phase: usize) -> (Range<usize>, usize) {
        let (stride, padding, size) = (self.stride[axis], self.padding[axis], self.axes[axis].size);
        let start = padding.saturating_sub(phase).div_ceil(stride).min(size);
        let end = (self.input[axis] + padding).saturating_sub(phase).div_ceil(stride).clamp(start, size);
        (start..end, (phase + start * stride).saturating_sub(padding))
    }
}

/// A row of a plane.
#[derive(Debug)]
struct Row {
    plane: usize,
    /// Where in the plane it starts.
    start: usize,
    /// Where in the input the row lies that it comes from, from its first element on; none where it lies in the padding.
    from: Option<Range<usize>>,
    /// Which of its elements come from the input.
    inside: Range<usize>,
}
