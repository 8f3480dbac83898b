//! The parameters of a cell.

use crate::{Init, join};
use gradus_autograd::{
    Param,
    ops::recurrence::{Cell, Recurrence},
    prelude::*,
};
use gradus_tensor::{OrFail, ShapeError};

/// The parameters of a cell, of one layer and one direction. The gates of a weight lie one below the other.
#[derive(Clone, Debug)]
pub(super) struct CellParams {
    /// `[gates · hidden, inputs]`: what the input does.
    weight_ih: Param,
    /// `[gates · hidden, hidden]`: what the old state does; with a projection `[gates · hidden, projected]`.
    weight_hh: Param,
    /// `[gates · hidden]` each, for input and state: one too many but for the GRU's third gate. PyTorch has both.
    biases: Option<[Param; 2]>,
    /// `[projected, hidden]`: what becomes of an LSTM's hidden state, if that is projected.
    weight_hr: Option<Param>,
}

impl CellParams {
    /// With PyTorch's initial values: uniform between plus and minus 1 / √hidden.
    #[track_caller]
    pub(super) fn new(
        cell: Cell,
        inputs: usize,
        hidden: usize,
        bias: bool,
        projected: Option<usize>,
        rng: &mut Rng,
    ) -> CellParams {
        let init = Init::Uniform(1.0 / (hidden as f32).sqrt());
        let rows = cell.gates().saturating_mul(hidden);
        let mut param = |shape: &[usize]| Param::new(init.weight(shape, rng));
        // What fails in a closure would point here.
        let params = ShapeError::catch(|| CellParams {
            weight_ih: param(&[rows, inputs]),
            weight_hh: param(&[rows, projected.unwrap_or(hidden)]),
            biases: bias.then(|| [param(&[rows]), param(&[rows])]),
            weight_hr: projected.map(|projected| param(&[projected, hidden])),
        });
        params.or_fail()
    }

    /// How many inputs and how many elements of the hidden state there are.
    pub(super) fn sizes(&self) -> [usize; 2] {
        [&self.weight_ih, &self.weight_hh].map(|weight| weight.value().shape()[1])
    }

    /// The size of each value of the state: an LSTM's cell state is not projected.
    pub(super) fn state_sizes(&self, cell: Cell) -> Vec<usize> {
        let [fed, rows] = [1, 0].map(|axis| self.weight_hh.value().shape()[axis]);
        [fed, rows / cell.gates()][..cell.states()].to_vec()
    }

    pub(super) fn without_bias(self) -> CellParams {
        CellParams { biases: None, ..self }
    }

    /// Goes along a sequence, `[steps, n, inputs]`: the hidden states, `[steps, n, hidden]`, and the final state.
    #[track_caller]
    pub(super) fn run<V: Value>(&self, op: Recurrence, x: &V, state: &[&V]) -> (V, Vec<V>) {
        let at = x.place();
        let [weight_ih, weight_hh] = [at.param(&self.weight_ih), at.param(&self.weight_hh)];
        let [bias_ih, bias_hh] = match &self.biases {
            Some(biases) => biases.each_ref().map(|bias| Some(at.param(bias))),
            None => [None, None],
        };
        let projection = self.weight_hr.as_ref().map(|weight| at.param(weight));
        let gates = x.linear(&weight_ih, bias_ih.as_ref());
        gates.recurrence(op, &weight_hh, bias_hh.as_ref(), projection.as_ref(), state)
    }

    /// As [`Module::visit`](crate::Module::visit), under PyTorch's names with a suffix such as `_l0_reverse`.
    pub(super) fn visit<'a>(&'a self, path: &str, suffix: &str, f: &mut dyn FnMut(&str, &'a Param)) {
        let CellParams { weight_ih, weight_hh, biases, weight_hr } = self;
        let biases = biases.iter().flat_map(|[ih, hh]| [("bias_ih", ih), ("bias_hh", hh)]);
        [("weight_ih", weight_ih), ("weight_hh", weight_hh)]
            .into_iter()
            .chain(biases)
            .chain(weight_hr.iter().map(|weight| ("weight_hr", weight)))
            .for_each(|(name, param)| f(&join(path, &format!("{name}{suffix}")), param));
    }

    /// As [`Module::visit_mut`](crate::Module::visit_mut).
    pub(super) fn visit_mut<'a>(
        &'a mut self,
        path: &str,
        suffix: &str,
        f: &mut dyn FnMut(&str, &'a mut Param),
    ) {
        let CellParams { weight_ih, weight_hh, biases, weight_hr } = self;
        let biases = biases.iter_mut().flat_map(|[ih, hh]| [("bias_ih", ih), ("bias_hh", hh)]);
        [("weight_ih", weight_ih), ("weight_hh", weight_hh)]
            .into_iter()
            .chain(biases)
            .chain(weight_hr.iter_mut().map(|weight| ("weight_hr", weight)))
            .for_each(|(name, param)| f(&join(path, &format!("{name}{suffix}")), param));
    }
}
