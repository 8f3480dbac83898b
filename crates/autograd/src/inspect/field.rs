//! Receptive fields: how much of an input each value depends on.

use crate::{
    op::window::{Along, Window},
    tape::{Tape, node::Node, var::Var},
};

/// How large a part of an input a value sees, along each axis of the input: the number of elements from the first to the
/// last that an element of the value depends on, or `None` for all. Elements in a padding count. Where not all windows are
/// alike, as of pooling 16 pixels to 5, or begin between the pixels of a smaller image, as behind an upsampling, it may be
/// somewhat more than any element sees.
pub type ReceptiveField = Vec<Option<usize>>;

/// For each axis of the input the axis of a value that goes along it and how far its elements see; `None` where there is no
/// such axis, and each element sees all.
type Windows = Vec<Option<Window>>;

impl Tape {
    /// The receptive field in `input` of every recorded value, in order; `None` for what does not depend on it.
    ///
    /// # Panics
    /// When the input lives on another tape.
    #[track_caller]
    pub fn receptive_fields(&self, input: Var<'_>) -> Vec<Option<ReceptiveField>> {
        assert!(std::ptr::eq(self, input.tape()), "receptive_fields: the input lives on another tape");
        self.provide_all();
        let nodes = self.nodes.read();
        let mut windows: Vec<Option<Windows>> = vec![None; nodes.len()];
        let rank = nodes[input.id() as usize].value().rank();
        windows[input.id() as usize] = Some((0..rank).map(|axis| Some(Window::same(axis))).collect());
        for (id, node) in nodes.iter().enumerate().filter(|(_, node)| node.step.is_some()) {
            let found: Vec<_> =
                (0..node.outputs as usize).map(|output| seen(node, output, id, &nodes, &windows)).collect();
            found.into_iter().zip(&mut windows[id..]).for_each(|(found, of_output)| *of_output = found);
        }
        // An interval of this length has at most so many whole numbers in it; rounding must not lose one.
        let size = |window: Window| (window.reach + 1e-6).floor() as usize + 1;
        let field = |windows: Windows| windows.into_iter().map(|window| window.map(size)).collect();
        windows.into_iter().map(|windows| windows.map(field)).collect()
    }
}

impl Var<'_> {
    /// How large a part of `input` each element of this value depends on, along each axis of the input; `None` where it does
    /// not depend on it.
    ///
    /// It follows the [windows](crate::Op::window) of the operations from one to the next, whatever the numbers are:
    ///
    /// `reach += kernel reach · stride so far; stride so far *= stride`
    ///
    /// Where branches meet, it is from the first to the last element that any of them sees. What an operation mixes (a
    /// linear layer its features, a softmax its axis) is all of the axis from there on. Elements in a padding count: a
    /// receptive field may be larger than the image.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// let tape = Tape::new();
    /// let (x, w) = (tape.constant(Tensor::ones([1, 1, 8, 8])), tape.var(Tensor::ones([1, 1, 3, 3])));
    /// let y = x.conv2d(&w, None, Conv2dOptions::default()).conv2d(&w, None, Conv2dOptions::default());
    /// // Its own image alone, all channels, 5 x 5 pixels.
    /// assert_eq!(y.receptive_field(x), Some(vec![Some(1), None, Some(5), Some(5)]));
    /// ```
    ///
    /// # Panics
    /// When the input lives on another tape.
    #[track_caller]
    pub fn receptive_field(self, input: Var<'_>) -> Option<ReceptiveField> {
        self.tape().receptive_fields(input).swap_remove(self.id() as usize)
    }
}

/// What an output of a step sees of the tape's input, from what the step's inputs see of it.
fn seen(
    node: &Node,
    output_number: usize,
    id: usize,
    nodes: &[Node],
    windows: &[Option<Windows>],
) -> Option<Windows> {
    let (step, inputs) = (node.step.as_ref()?, node.input_shapes(nodes));
    let output = nodes[id + output_number].value().shape();
    let through = |(input, of_input): (usize, &Option<Windows>)| -> Option<Windows> {
        let window = |before: &Option<Window>| {
            let before = before.as_ref()?;
            let along = Along { inputs: &inputs, input, axis: before.axis, output, output_number };
            Some(before.then(&step.window(&along)?))
        };
        Some(of_input.as_ref()?.iter().map(window).collect())
    };
    let of_inputs = node.inputs.iter().map(|&i| &windows[i as usize]).enumerate();
    of_inputs.filter_map(through).reduce(|a, b| {
        let both = |(a, b): (Option<Window>, Option<Window>)| a?.joined(&b?);
        a.into_iter().zip(b).map(both).collect()
    })
}

impl Window {
    /// The window in what lies before this one's input.
    fn then(&self, next: &Window) -> Window {
        // Where elements lie in reverse, the last one that the next window has comes first here.
        let ends = [next.first, next.first + next.reach].map(|end| self.first + end * self.stride);
        Window {
            axis: next.axis,
            first: ends[0].min(ends[1]),
            reach: self.reach + next.reach * self.stride.abs(),
            stride: self.stride * next.stride,
        }
    }

    /// The narrowest that covers both; `None` where they do not go along together.
    fn joined(&self, other: &Window) -> Option<Window> {
        if self.axis != other.axis || (self.stride - other.stride).abs() > 1e-9 * self.stride.abs() {
            return None;
        }
        let first = self.first.min(other.first);
        let last = (self.first + self.reach).max(other.first + other.reach);
        Some(Window { first, reach: last - first, ..*self })
    }
}
