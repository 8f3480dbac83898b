//! How far an operation sees: which elements of an input an element of an output depends on, axis by axis.

/// What the elements along an axis of an output see of an axis of an input: see [`Op::window`](crate::Op::window).
///
/// Element `i` depends on elements of the input that lie from `first + i · stride` to `first + i · stride + reach`, both
/// included, and on no others. These need not be whole numbers: of an image that is twice as large as the one that it was
/// made of each pixel lies half a pixel further.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// The axis of the output.
    pub axis: usize,
    /// Where the window of element 0 begins; negative in a padding.
    pub first: f64,
    /// How far it is from the first to the last element of a window: 0 for a single one.
    pub reach: f64,
    /// From one window to the next; negative where elements lie in reverse.
    pub stride: f64,
}

impl Window {
    /// Every element sees the one at its own place.
    pub fn same(axis: usize) -> Window {
        Window { axis, first: 0.0, reach: 0.0, stride: 1.0 }
    }

    /// The narrowest that covers the first and last elements that each element of the output sees, in order.
    pub fn covering(axis: usize, stride: f64, seen: impl Iterator<Item = (usize, usize)>) -> Window {
        let (mut first, mut last) = (f64::INFINITY, f64::NEG_INFINITY);
        for (i, (from, to)) in seen.enumerate() {
            let place = i as f64 * stride;
            (first, last) = (first.min(from as f64 - place), last.max(to as f64 - place));
        }
        Window { axis, first, reach: last - first, stride }
    }
}

/// An axis of one of an operation's inputs, and one of its outputs: what [`Op::window`](crate::Op::window) is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Along<'a> {
    /// The shapes of all inputs.
    pub inputs: &'a [&'a [usize]],
    /// Which input.
    pub input: usize,
    /// Which of its axes.
    pub axis: usize,
    /// The shape of the output.
    pub output: &'a [usize],
    /// Which output.
    pub output_number: usize,
}

impl Along<'_> {
    /// The shape of the input.
    pub fn shape(&self) -> &[usize] {
        self.inputs[self.input]
    }

    /// The window of elementwise operations: axes lie under one another as in broadcasting, from the back. `None` where the
    /// sizes differ.
    pub fn same(&self) -> Option<Window> {
        let axis = (self.output.len() + self.axis).checked_sub(self.shape().len())?;
        (self.output[axis] == self.shape()[self.axis]).then(|| Window::same(axis))
    }

    /// [`same`](Along::same), for an operation that mixes the elements along some axes.
    pub fn same_but(&self, mixed: &[usize]) -> Option<Window> {
        if mixed.contains(&self.axis) { None } else { self.same() }
    }

    /// The window of an operation that makes one element of all along some axes, which stay with `keepdims`.
    pub fn reduced(&self, axes: &[usize], keepdims: bool) -> Option<Window> {
        let gone = if keepdims { 0 } else { axes.iter().filter(|&&axis| axis < self.axis).count() };
        (!axes.contains(&self.axis)).then(|| Window::same(self.axis - gone))
    }
}

/// The number of elements of all these shapes together.
#[inline(never)] // in each operation it would be a loop of its own
pub fn elements(shapes: &[&[usize]]) -> u64 {
    shapes.iter().map(|shape| shape.iter().map(|&n| n as u64).product::<u64>()).sum()
}
