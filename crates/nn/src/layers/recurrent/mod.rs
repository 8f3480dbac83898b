//! Recurrent layers: simple ones, LSTM and GRU, as cells and along sequences.

mod params;
mod stack;
mod state;

pub use stack::RecurrentOptions;
pub use state::RecurrentState;

use crate::{Layer, Module, layers::sizes::demand};
use gradus_autograd::{
    Param,
    ops::recurrence::{Cell, Recurrence},
    prelude::*,
};
use params::CellParams;
use stack::Stack;

/// A table of recurrent layers: documentation and name of the layer, then of its cell, then what the cell does.
macro_rules! recurrent_layers {
    ($(
        $(#[$doc:meta])*
        $Layer:ident;
        $(#[$cell_doc:meta])*
        $LayerCell:ident = $cell:expr;
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $Layer(Stack);

        impl $Layer {
            /// One layer in one direction for sequences `[n, steps, inputs]`, with biases and PyTorch's initial values:
            /// uniform between plus and minus 1 / √hidden.
            ///
            /// # Panics
            /// When a size is 0.
            #[track_caller]
            pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> $Layer {
                $Layer::with_options(inputs, hidden, RecurrentOptions::default(), rng)
            }

            /// A layer with these options.
            ///
            /// # Panics
            /// When a size or the number of layers is 0, the dropout probability is not in 0..=1, or there is a projection
            /// in another layer than an LSTM or not to fewer elements than there are hidden ones.
            #[track_caller]
            pub fn with_options(
                inputs: usize,
                hidden: usize,
                options: RecurrentOptions,
                rng: &mut Rng,
            ) -> $Layer {
                $Layer(Stack::new($cell, inputs, hidden, options, rng))
            }

            /// The outputs along the sequence, `[n, steps, directions · hidden]`, and the state after it; from this state
            /// or from zeros. The reverse direction starts at the last step and ends at the first.
            ///
            /// # Panics
            /// When `x` is not `[n, steps, inputs]` with at least one step, or the state does not fit.
            #[track_caller]
            pub fn forward_from<V: Value>(
                &self,
                x: V,
                state: Option<&RecurrentState<V>>,
            ) -> (V, RecurrentState<V>) {
                self.0.forward(x, None, state)
            }

            /// The same for sequences of different lengths, each filled up to the longest: what PyTorch's packed
            /// sequences are for. `lengths`, in any order, says how many steps of each sequence are its own.
            ///
            /// Beyond its length a sequence's outputs are 0, whatever stands there, and the gradient is exactly 0. Its
            /// state is that after its own last step, and the reverse direction starts there. A sequence of length 0
            /// keeps the state it came with, so that in truncated backpropagation a batch goes on when its shorter
            /// sequences have ended; PyTorch refuses it.
            ///
            /// # Panics
            /// When there is not one length for each sequence, or one is more than there are steps; and as
            /// [`forward_from`](Self::forward_from).
            ///
            /// ```
            /// use gradus_autograd::prelude::*;
            #[doc = concat!("use gradus_nn::", stringify!($Layer), ";")]
            ///
            #[doc = concat!("let layer = ", stringify!($Layer), "::new(3, 5, &mut Rng::seed(0));")]
            /// let x = Tensor::ones([2, 7, 3]); // two sequences, the second of four steps, filled up to seven
            /// let (y, state) = layer.forward_padded(x, &[7, 4], None);
            /// assert_eq!(y.select(0, 1).slice(0, 4..), Tensor::zeros([3, 5]));
            /// assert_eq!(state.h.select(0, 0).select(0, 1), y.select(0, 1).select(0, 3));
            /// ```
            #[track_caller]
            pub fn forward_padded<V: Value>(
                &self,
                x: V,
                lengths: &[usize],
                state: Option<&RecurrentState<V>>,
            ) -> (V, RecurrentState<V>) {
                self.0.forward(x, Some(lengths), state)
            }
        }

        impl Module for $Layer {
            fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, &'a Param)) {
                self.0.visit(path, f);
            }

            fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, &'a mut Param)) {
                self.0.visit_mut(path, f);
            }
        }

        /// The outputs alone, from a state of zeros.
        impl Layer for $Layer {
            #[track_caller]
            fn forward<V: Value>(&self, x: V) -> V {
                self.0.forward(x, None, None).0
            }
        }

        $(#[$cell_doc])*
        #[derive(Clone, Debug)]
        pub struct $LayerCell {
            cell: Cell,
            params: CellParams,
        }

        impl $LayerCell {
            /// A cell with PyTorch's initial values: uniform between plus and minus 1 / √hidden.
            ///
            /// # Panics
            /// When a size is 0.
            #[track_caller]
            pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> $LayerCell {
                assert!(
                    inputs > 0 && hidden > 0,
                    "{}_cell: {inputs} inputs and {hidden} hidden: both must be at least 1",
                    stack::name($cell)
                );
                $LayerCell { cell: $cell, params: CellParams::new($cell, inputs, hidden, true, None, rng) }
            }

            /// The same cell without biases.
            pub fn without_bias(self) -> $LayerCell {
                $LayerCell { params: self.params.without_bias(), ..self }
            }

            /// The state, `[n, hidden]`, after the inputs of one step, `[n, inputs]`; from this state or from zeros.
            ///
            /// # Panics
            /// When `x` is not `[n, inputs]`, or the state does not fit.
            #[track_caller]
            pub fn step<V: Value>(&self, x: V, state: Option<&RecurrentState<V>>) -> RecurrentState<V> {
                step(self.cell, &self.params, x, state)
            }
        }

        impl Module for $LayerCell {
            fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, &'a Param)) {
                self.params.visit(path, "", f);
            }

            fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, &'a mut Param)) {
                self.params.visit_mut(path, "", f);
            }
        }
    )*};
}

#[track_caller]
fn step<V: Value>(
    cell: Cell,
    params: &CellParams,
    x: V,
    state: Option<&RecurrentState<V>>,
) -> RecurrentState<V> {
    let (name, [inputs, hidden], shape) = (stack::name(cell), params.sizes(), x.shape());
    demand(shape.rank() == 2 && shape[1] == inputs, || {
        format!("{name}_cell: the batch has shape {shape}; it must be [n, {inputs}]")
    });
    if let Some(state) = state {
        state.check(&format!("{name}_cell"), &vec![vec![shape[0], hidden]; cell.states()]);
    }
    let mut initial = vec![x.place().constant(Tensor::zeros([shape[0], hidden])); cell.states()];
    for (initial, value) in initial.iter_mut().zip(state.iter().flat_map(|state| state.values())) {
        *initial = value.clone();
    }
    // A sequence of one step.
    let (_, values) = params.run(Recurrence::new(cell), &x.unsqueeze(0), &initial.iter().collect::<Vec<_>>());
    RecurrentState::from_values(values)
}

recurrent_layers! {
    /// The simple recurrent layer (J. Elman, "Finding structure in time", 1990; book 2, chapter 5): along a sequence each
    /// hidden state comes from the one before.
    ///
    /// `h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)`
    ///
    /// Its parameters are PyTorch's: for each layer k `weight_ih_lk` `[hidden, inputs]`, `weight_hh_lk`
    /// `[hidden, hidden]`, `bias_ih_lk` and `bias_hh_lk` `[hidden]`, and with the ending `_reverse` those of the reverse
    /// direction. Its gradients grow or vanish with the powers of `W_hh`: clip them, or take an [`Lstm`].
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// use gradus_nn::{RecurrentOptions, Rnn};
    ///
    /// let options = RecurrentOptions { layers: 2, bidirectional: true, ..Default::default() };
    /// let rnn = Rnn::with_options(3, 5, options, &mut Rng::seed(0));
    /// let (y, state) = rnn.forward_from(Tensor::ones([4, 7, 3]), None); // 4 sequences of 7 steps
    /// assert_eq!((y.shape(), state.h.shape()), (&[4, 7, 10].into(), &[4, 4, 5].into()));
    /// ```
    Rnn;

    /// One step of an [`Rnn`]: `h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`. Its parameters are `weight_ih`, `weight_hh`,
    /// `bias_ih` and `bias_hh`.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// use gradus_nn::RnnCell;
    ///
    /// let cell = RnnCell::new(3, 5, &mut Rng::seed(0));
    /// let first = cell.step(Tensor::ones([4, 3]), None);
    /// let second = cell.step(Tensor::zeros([4, 3]), Some(&first));
    /// assert_eq!(second.h.shape(), &[4, 5]);
    /// ```
    #[doc(alias = "RNNCell")]
    RnnCell = Cell::Tanh;

    /// Long short-term memory (S. Hochreiter, J. Schmidhuber, 1997; book 2, chapter 6): beside the hidden state h a cell
    /// state c goes along the sequence, which gates forget, add to and show.
    ///
    /// ```text
    /// i, f, g, o = σ, σ, tanh, σ of W_ih x_t + b_ih + W_hh h_{t-1} + b_hh, four parts
    /// c_t = f c_{t-1} + i g
    /// h_t = o tanh(c_t)
    /// ```
    ///
    /// Its parameters are PyTorch's: for each layer k `weight_ih_lk` `[4 hidden, inputs]`, `weight_hh_lk`
    /// `[4 hidden, hidden]`, `bias_ih_lk` and `bias_hh_lk` `[4 hidden]`, and with the ending `_reverse` those of the
    /// reverse direction. The gates lie in PyTorch's order i, f, g, o; the book has f, g, i, o, and its matrices
    /// transposed. With a projection, an [option](RecurrentOptions::proj_size), `h_t = W_hr o tanh(c_t)`: there is also
    /// `weight_hr_lk` `[projected, hidden]`, and `weight_hh_lk` is `[4 hidden, projected]`.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// use gradus_nn::{Layer, Linear, Lstm, Sequential};
    ///
    /// let mut rng = Rng::seed(0);
    /// let tagger = Sequential::new().push(Lstm::new(3, 8, &mut rng)).push(Linear::new(8, 2, &mut rng));
    /// assert_eq!(tagger.forward(Tensor::ones([4, 7, 3])).shape(), &[4, 7, 2]);
    /// ```
    Lstm;

    /// One step of an [`Lstm`], on a state with h and c. Its parameters are `weight_ih`, `weight_hh`, `bias_ih` and
    /// `bias_hh`, with the gates in the order i, f, g, o.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// use gradus_nn::LstmCell;
    ///
    /// let cell = LstmCell::new(3, 5, &mut Rng::seed(0));
    /// let state = cell.step(Tensor::ones([4, 3]), None);
    /// assert_eq!(state.c.unwrap().shape(), &[4, 5]);
    /// ```
    #[doc(alias = "LSTMCell")]
    LstmCell = Cell::Lstm;

    /// The gated recurrent unit (K. Cho and others, 2014; book 2, appendix C): gates decide how much of the old state is
    /// seen by the new one, and how much of it stays.
    ///
    /// ```text
    /// r = σ(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)
    /// z = σ(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)
    /// n = tanh(W_in x_t + b_in + r (W_hn h_{t-1} + b_hn))
    /// h_t = (1 - z) n + z h_{t-1}
    /// ```
    ///
    /// Its parameters are PyTorch's: for each layer k `weight_ih_lk` `[3 hidden, inputs]`, `weight_hh_lk`
    /// `[3 hidden, hidden]`, `bias_ih_lk` and `bias_hh_lk` `[3 hidden]`, and with the ending `_reverse` those of the
    /// reverse direction; the gates lie in the order r, z, n. The book has the order z, r, n, its z says how much is new,
    /// `h_t = (1 - z) h_{t-1} + z n`, and its r multiplies h before `W_hn`, not the product.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// use gradus_nn::{Gru, Layer};
    ///
    /// let gru = Gru::new(3, 5, &mut Rng::seed(0));
    /// assert_eq!(gru.forward(Tensor::ones([4, 7, 3])).shape(), &[4, 7, 5]);
    /// ```
    Gru;

    /// One step of a [`Gru`]. Its parameters are `weight_ih`, `weight_hh`, `bias_ih` and `bias_hh`, with the gates in the
    /// order r, z, n.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// use gradus_nn::GruCell;
    ///
    /// let cell = GruCell::new(3, 5, &mut Rng::seed(0));
    /// assert_eq!(cell.step(Tensor::ones([4, 3]), None).h.shape(), &[4, 5]);
    /// ```
    #[doc(alias = "GRUCell")]
    GruCell = Cell::Gru;
}

impl Rnn {
    /// The same layer with max(x, 0) in place of the tanh.
    pub fn relu(mut self) -> Rnn {
        self.0.cell = Cell::Relu;
        self
    }
}

impl RnnCell {
    /// The same cell with max(x, 0) in place of the tanh.
    pub fn relu(self) -> RnnCell {
        RnnCell { cell: Cell::Relu, ..self }
    }
}
