//! Layers of cells, in one direction or two.

use super::{params::CellParams, state::RecurrentState};
use crate::{
    Module,
    layers::sizes::{demand, one_sequence},
};
use gradus_autograd::{
    Param,
    ops::recurrence::{Cell, Recurrence},
    prelude::*,
};
use gradus_tensor::{OrFail, ShapeError};
use std::sync::Arc;

/// What can be chosen for a recurrent layer, as in PyTorch but for `batch_first`, which is the default here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecurrentOptions {
    /// How many layers lie one on the other: each after the first takes the outputs of the one before.
    pub layers: usize,
    /// Whether each layer goes along the sequence in both directions, with its own parameters for each. Their outputs lie
    /// side by side, the forward one first: the next layer, or the user, gets `2 hidden` of them.
    pub bidirectional: bool,
    /// Whether there are biases.
    pub bias: bool,
    /// The probability with which outputs are dropped in training between layers, not after the last one.
    pub dropout: f32,
    /// Whether sequences are `[n, steps, ..]`, or `[steps, n, ..]`, which saves two copies.
    pub batch_first: bool,
    /// The size to which an LSTM's hidden state is projected, if it is (H. Sak, A. Senior, F. Beaufays, 2014): less than
    /// `hidden`, which remains that of the cell state. Outputs have this size then.
    pub proj_size: Option<usize>,
}

impl Default for RecurrentOptions {
    /// One layer in one direction, with biases, without dropout and projection, sequences `[n, steps, ..]`.
    fn default() -> RecurrentOptions {
        RecurrentOptions {
            layers: 1,
            bidirectional: false,
            bias: true,
            dropout: 0.0,
            batch_first: true,
            proj_size: None,
        }
    }
}

/// What all recurrent layers are.
#[derive(Clone, Debug)]
pub(super) struct Stack {
    pub(super) cell: Cell,
    options: RecurrentOptions,
    /// By layer and direction.
    params: Vec<Vec<CellParams>>,
}

/// The layer's name, for messages.
pub(super) fn name(cell: Cell) -> &'static str {
    match cell {
        Cell::Tanh | Cell::Relu => "rnn",
        Cell::Lstm => "lstm",
        Cell::Gru => "gru",
    }
}

impl Stack {
    #[track_caller]
    pub(super) fn new(
        cell: Cell,
        inputs: usize,
        hidden: usize,
        options: RecurrentOptions,
        rng: &mut Rng,
    ) -> Stack {
        let RecurrentOptions { layers, dropout, bias, bidirectional, proj_size, .. } = options;
        let name = name(cell);
        assert!(
            inputs > 0 && hidden > 0 && layers > 0,
            "{name}: {inputs} inputs, {hidden} hidden and {layers} layers: all must be at least 1"
        );
        assert!((0.0..=1.0).contains(&dropout), "{name}: the dropout probability {dropout} is not in 0..=1");
        if let Some(size) = proj_size {
            assert!(cell == Cell::Lstm, "{name}: proj_size is {size}, but only an LSTM has a projection");
            assert!(
                (1..hidden).contains(&size),
                "{name}: proj_size is {size}; it must be at least 1 and less than the {hidden} hidden; \
                 hint: None is no projection"
            );
        }
        let (directions, outputs) = (if bidirectional { 2 } else { 1 }, proj_size.unwrap_or(hidden));
        let params = (0..layers).map(|layer| {
            let inputs = if layer == 0 { inputs } else { outputs.saturating_mul(directions) };
            (0..directions).map(|_| CellParams::new(cell, inputs, hidden, bias, proj_size, rng)).collect()
        });
        // What fails in a closure would point here.
        Stack { cell, options, params: ShapeError::catch(|| params.collect()).or_fail() }
    }

    #[track_caller]
    pub(super) fn forward<V: Value>(
        &self,
        x: V,
        lengths: Option<&[usize]>,
        state: Option<&RecurrentState<V>>,
    ) -> (V, RecurrentState<V>) {
        let RecurrentOptions { layers, dropout, batch_first, .. } = self.options;
        let (name, first, directions) = (name(self.cell), &self.params[0][0], self.params[0].len());
        let ([inputs, _], sizes) = (first.sizes(), first.state_sizes(self.cell));
        let shape = x.shape();
        let axes = if batch_first { "n, steps" } else { "steps, n" };
        demand(shape.rank() == 3 && shape[2] == inputs && shape[usize::from(batch_first)] > 0, || {
            format!(
                "{name}: the batch has shape {shape}; it must be [{axes}, {inputs}] with at least one step{}",
                one_sequence(&shape, usize::from(!batch_first))
            )
        });
        let [n, steps] = [usize::from(!batch_first), usize::from(batch_first)].map(|axis| shape[axis]);
        if let Some(state) = state {
            let shapes: Vec<_> = sizes.iter().map(|&size| vec![layers * directions, n, size]).collect();
            state.check(name, &shapes);
        }
        let zeros: Vec<V> = sizes.iter().map(|&size| x.place().constant(Tensor::zeros([n, size]))).collect();
        let mut x = if batch_first { x.transpose(0, 1) } else { x };
        if let Some(lengths) = lengths {
            demand(lengths.len() == n, || {
                format!(
                    "{name}: {} lengths for {n} sequences: the batch {shape} is [{axes}, {inputs}]",
                    lengths.len()
                )
            });
            if let Some(k) = lengths.iter().position(|&length| length > steps) {
                ShapeError::new(format!(
                    "{name}: sequence {k} has length {}, but the batch {shape} has {steps} steps",
                    lengths[k]
                ))
                .fail();
            }
            // Nothing of the padding, be it NaN, comes to a weight's gradient.
            let own = |index: &[usize]| if index[0] < lengths[index[1]] { 1.0 } else { 0.0 };
            let own = x.place().constant(Tensor::from_fn([steps, n, 1], own));
            x = own.select_where(&x, &x.place().constant(0.0));
        }
        let lengths: Option<Arc<[usize]>> = lengths.map(Arc::from);
        let mut last: Vec<Vec<V>> = vec![Vec::new(); self.cell.states()];
        for (layer, params) in self.params.iter().enumerate() {
            if layer > 0 && dropout > 0.0 {
                x = x.dropout(dropout);
            }
            let mut outputs = Vec::with_capacity(directions);
            for (direction, params) in params.iter().enumerate() {
                let mut initial = zeros.clone();
                for (initial, value) in initial.iter_mut().zip(state.iter().flat_map(|s| s.values())) {
                    *initial = value.select(0, (layer * directions + direction) as isize);
                }
                let initial: Vec<&V> = initial.iter().collect();
                let (reverse, lengths) = (direction == 1, lengths.clone());
                let op = Recurrence { reverse, lengths, ..Recurrence::new(self.cell) };
                let (y, values) = params.run(op, &x, &initial);
                outputs.push(y);
                last.iter_mut().zip(values).for_each(|(all, value)| all.push(value));
            }
            x = match &outputs[..] {
                [forward, reverse] => V::concat(&[forward, reverse], 2),
                _ => outputs.swap_remove(0),
            };
        }
        let mut values = Vec::with_capacity(last.len());
        for value in &last {
            values.push(V::stack(&value.iter().collect::<Vec<_>>(), 0));
        }
        let y = if batch_first { x.transpose(0, 1) } else { x };
        (y, RecurrentState::from_values(values))
    }
}

/// The end of a parameter's name, by layer and direction.
fn suffix(layer: usize, direction: usize) -> String {
    format!("_l{layer}{}", ["", "_reverse"][direction])
}

impl Module for Stack {
    fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, &'a Param)) {
        for (layer, directions) in self.params.iter().enumerate() {
            for (direction, params) in directions.iter().enumerate() {
                params.visit(path, &suffix(layer, direction), f);
            }
        }
    }

    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, &'a mut Param)) {
        for (layer, directions) in self.params.iter_mut().enumerate() {
            for (direction, params) in directions.iter_mut().enumerate() {
                params.visit_mut(path, &suffix(layer, direction), f);
            }
        }
    }
}
